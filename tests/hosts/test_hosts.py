# SPDX-License-Identifier: MIT
"""One load from four hosts, by mpirun: namespaces stand for hosts, with a network for the load and one for MPI, and the
agent that mpirun starts its daemons by enters a namespace. make hosts-check; needs root and Open MPI."""
import os
import signal
import time
from pathlib import Path

from echolab import OK, ROOT, slow
from echolab.environment import BIN
from echolab.netns import sh
from echolab.process import Process, descendants
from loadlab import INCONCLUSIVE, LoadCase, parse
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


class Hosts(LoadCase):
    def setUp(self):
        """h0 is the switch, and has the server; h1 to h4 load it: 10.78.0.0/24, MPI speaks over 10.79.0.0/24."""
        self.hosts = [Host(self, f"h{i}") for i in range(HOSTS + 1)]
        switch = self.hosts[0]
        for bridge, net in (("load", 78), ("mpi", 79)):
            switch.run(f"ip link add {bridge} type bridge")
            switch.run(f"ip link set {bridge} up")
            switch.run(f"ip addr add 10.{net}.0.100/24 dev {bridge}")
            for i, host in enumerate(self.hosts[1:], 1):
                switch.run(f"ip link add {bridge}{i} type veth peer name {bridge} netns {host.pid}")
                switch.run(f"ip link set {bridge}{i} master {bridge} up")
                host.run(f"ip addr add 10.{net}.0.{i}/24 dev {bridge}")
                host.run(f"ip link set {bridge} up")
        self.server = self.echod(listen="10.78.0.100:7007", prefix=switch.prefix, max_conns="10k")
        self.at = self.folder()
        agent = self.at / "agent"
        cases = " ".join(f"10.79.0.{i}) pid={h.pid} ;;" for i, h in enumerate(self.hosts) if i)
        agent.write_text(f'#!/bin/sh\ncase $1 in {cases} esac\nshift\n'
                         'exec nsenter --target=$pid --net --uts -- sh -c "$*"\n')
        agent.chmod(0o755)
        (self.at / "hosts").write_text("".join(f"10.79.0.{i} slots=1\n" for i in range(1, HOSTS + 1)))
        self.dir = self.at / "parts"

    def mpirun(self, *argv, deadline=60):
        """tools/echoload-mpirun on h1, as four parts."""
        mpi = ["--allow-run-as-root", "-n", HOSTS, "--hostfile", self.at / "hosts", "--map-by", "node"]
        for key, value in {"plm_rsh_agent": self.at / "agent", "oob_tcp_if_include": "10.79.0.0/24",
                           "btl_tcp_if_include": "10.79.0.0/24", "btl": "tcp,self", "pml": "ob1"}.items():
            mpi += ["--mca", key, value]
        return self.keep(Process([*self.hosts[1].prefix, ROOT / "tools/echoload-mpirun", "--dir", self.dir, "--deadline",
                                  deadline, *mpi, "--", *argv, "10.78.0.100:7007"],
                                 env={"ECHOLAB_BIN": BIN, "TMPDIR": "/tmp"}))

    def result(self, file):
        j = parse((self.at / file).read_text())
        self.assertEqual((books(j), problems("echoload-1", j)), ([], []))
        return j

    def begun(self):
        """All parts load, and have written what they did in two intervals."""
        def ready():
            files = list(self.dir.glob("part.*.jsonl"))
            return len(files) == HOSTS and all(f.read_text().count("\n") > 2 for f in files)
        self.wait_until(ready, "all parts load", 60)

    def part(self, number):
        """The pid of the echoload that is this part."""
        for pid in descendants(os.getpid()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if f"--part={number}/{HOSTS}".encode() in words:
                return pid
        self.fail(f"part {number} does not run")

    def test_four_hosts_make_the_books_of_one(self):
        load = self.mpirun("-c", 1000, "-n", 20000, "-T", "1m", "--connect-timeout", "1m", "--json", self.at / "sum.json")
        self.assertEqual(load.wait(120), OK, load.said())
        j = self.result("sum.json")
        one = self.run_load("10.78.0.100:7007", prefix=self.hosts[1].prefix, connections=1000, messages=20000,
                            timeout="1m", connect_timeout="1m")
        for group in ("messages", "measured", "bytes"):
            for key in ("planned", "missed", "sent", "echoed", "corrupt", "lost", "unfinished", "received"):
                self.assertEqual(j[group].get(key), one[group].get(key), (group, key))
        self.assertEqual(j["connections"]["requested"], 1000)
        self.assertEqual(j["connections"]["established"], one["connections"]["established"])
        self.assertEqual(j["latency_ns"]["count"], 20000)
        self.assertEqual((j["parts"]["present"], j["parts"]["missing"]), (HOSTS, []))
        self.assertIsNotNone(j["parts"]["clock_uncertainty_ns"])
        self.assertEqual([m["part"]["number"] for m in sorted(j["context"]["merged"], key=lambda m: m["file"])],
                         [1, 2, 3, 4])

    def broken(self, load, within):
        """It ends in time, with exit code 5 and a report."""
        began = time.monotonic()
        code = load.wait(within)
        self.assertEqual(code, INCONCLUSIVE, load.said())
        self.assertRegex(load.out.text, r"(?m)^parts +\d of 4")
        return time.monotonic() - began

    def test_a_part_that_is_killed_is_named(self):
        load = self.mpirun("-c", 40, "-d", "6s", "-w", "0", "--interval", "200ms")
        self.begun()
        os.kill(self.part(3), signal.SIGKILL)
        self.broken(load, 60)
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 3, with 10 of 40 connections")

    def test_a_part_that_stands_still_is_given_up_at_the_deadline(self):
        load = self.mpirun("-c", 40, "-d", "3s", "-w", "0", "--interval", "200ms", deadline=int(slow(15)))
        self.begun()
        pid = self.part(2)
        os.kill(pid, signal.SIGSTOP)
        self.broken(load, 60)
        # Open MPI may wake it up to end it: then it writes its file, and says that it stood still
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 2, with 10 of 40 connections|paused \d")
        self.assertIn("not over after", load.err.text)

    def test_a_host_that_is_cut_off_hangs_nobody(self):
        load = self.mpirun("-c", 40, "-d", "4s", "-w", "0", "--interval", "200ms", deadline=int(slow(20)))
        self.begun()
        for bridge in ("load", "mpi"):
            self.hosts[0].run(f"ip link set {bridge}4 down")
        self.broken(load, 90)
