# SPDX-License-Identifier: MIT
"""Namespaces that stand for hosts: a network for the load, and one for what launchers say to each other."""
import contextlib
import os
from pathlib import Path

from echolab.netns import sh
from echolab.process import Process, descendants
from loadlab import LoadCase, parse
from loadlab import problems as books
from schemas import problems

HOSTS = 4


class Host:
    """A network and a name of its own."""

    def __init__(self, case, name):
        self.holder = case.keep(Process(["unshare", "--net", "--uts", "sh", "-c",
                                         f"hostname {name} && ip link set lo up && echo up && exec sleep infinity"]))
        case.assertTrue(self.holder.out.wait_for("up"), self.holder.said())
        self.pid = self.holder.pid
        self.prefix = ["nsenter", f"--target={self.pid}", "--net", "--uts", "--"]

    def run(self, command):
        return sh(*self.prefix, *command.split())


class HostsCase(LoadCase):
    """h0 is the switch, and has the server; h1 to h4 load it: 10.78.0.0/24. Launchers speak over 10.79.0.0/24."""

    def setUp(self):
        self.hosts = [Host(self, f"h{i}") for i in range(HOSTS + 1)]
        switch = self.hosts[0]
        for bridge, net in (("load", 78), ("boot", 79)):
            switch.run(f"ip link add {bridge} type bridge")
            switch.run(f"ip link set {bridge} up")
            switch.run(f"ip addr add 10.{net}.0.100/24 dev {bridge}")
            for i, host in enumerate(self.hosts[1:], 1):
                switch.run(f"ip link add {bridge}{i} type veth peer name {bridge} netns {host.pid}")
                switch.run(f"ip link set {bridge}{i} master {bridge} up")
                host.run(f"ip addr add 10.{net}.0.{i}/24 dev {bridge}")
                host.run(f"ip link set {bridge} up")
        self.wait_until(lambda: switch.run("bridge link").count("state forwarding") == 2 * HOSTS, "a switch that forwards")
        self.server = self.echod(listen="10.78.0.100:7007", prefix=switch.prefix, max_conns="10k")
        self.at = self.folder()
        self.dir = self.at / "parts"

    def agent(self, inside=""):
        """What rsh is: it takes the address of a host, or its name, and runs a command there. On h3 lines of a shell come
        before it, if there are any."""
        file = self.at / "agent"
        cases = " ".join(f"10.79.0.{i} | h{i}) pid={h.pid} ;;" for i, h in enumerate(self.hosts) if i)
        (self.at / "h3").write_text(f'{inside}\nexec "$@"\n')
        file.write_text(f'#!/bin/sh\nhost=$1\nshift\ncase $host in {cases} esac\n'
                        f'case $host in *3) set -- unshare --mount sh {self.at}/h3 sh -c "$*" ;; '
                        '*) set -- sh -c "$*" ;; esac\n'
                        'exec nsenter --target=$pid --net --uts -- "$@"\n')
        file.chmod(0o755)
        return file

    def cut_off(self, host):
        for bridge in ("load", "boot"):
            self.hosts[0].run(f"ip link set {bridge}{host} down")

    def merged(self, code):
        """What the parts' files add up to."""
        r = self.run_echoload("merge", "-o", "json", *sorted(self.dir.glob("part.*.jsonl")))
        self.assertEqual(r.code, code, r)
        return self.checked(r.out)

    def checked(self, text):
        j = parse(text)
        self.assertEqual((books(j), problems("echoload-1", j)), ([], []))
        return j

    def begun(self):
        """All parts load, and have written what they did in two intervals."""
        def ready():
            files = list(self.dir.glob("part.*.jsonl"))
            return len(files) == HOSTS and all(f.read_text().count("\n") > 2 for f in files)
        self.wait_until(ready, "all parts load", 60)

    def part(self, host):
        """The pid of the echoload that loads on this host."""
        net = os.readlink(f"/proc/{self.hosts[host].pid}/ns/net")
        for pid in descendants(os.getpid()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/comm").read_text() == "echoload\n" and os.readlink(f"/proc/{pid}/ns/net") == net:
                    return pid
        self.fail(f"nobody loads on h{host}")
