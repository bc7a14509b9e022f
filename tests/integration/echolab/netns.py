# SPDX-License-Identifier: MIT
"""Network namespaces: a private machine, and the drill network."""
import ctypes
import functools
import os
import subprocess
from pathlib import Path

from .process import CLONE_NEWNET, Failed, LIBC, Process


def sh(*argv):
    """Runs a command that must work."""
    r = subprocess.run(argv, capture_output=True, text=True)
    if r.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit code {r.returncode}: {r.stderr}")
    return r.stdout


@functools.cache
def no_namespaces():
    """Why there are none, or ""."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    r = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return f"no network namespaces: {r.stderr.strip()}" if r.returncode else ""


class Namespace:
    """A network of its own, which lives as long as the process that holds it: nothing can be left behind.
    `with namespace:` sockets are made in it; `prefix` starts a program in it."""

    def __init__(self):
        self.holder = Process(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"])
        if not self.holder.out.wait_for("up"):
            raise Failed(f"no network namespace: {self.holder.said()}")
        self.pid, self.path = self.holder.pid, f"/proc/{self.holder.pid}/ns/net"
        self.prefix = ["nsenter", f"--net={self.path}", "--"]

    def run(self, *commands):
        """Shell lines, each of which must work: "ip addr add ..."."""
        for command in commands:
            sh(*self.prefix, *command.split())

    def sysctl(self, name, value):
        with self:
            Path("/proc/sys", name.replace(".", "/")).write_text(value)

    @staticmethod
    def enter(path):
        with open(path) as ns:
            if LIBC.setns(ns.fileno(), CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")

    def __enter__(self):
        self.home = open("/proc/thread-self/ns/net")
        self.enter(self.path)
        return self

    def __exit__(self, *_):
        LIBC.setns(self.home.fileno(), CLONE_NEWNET)
        self.home.close()


class Lab:
    """client 10.77.1.2 -- router -- server 10.77.2.2: what the router drops is lost for both, as on a real path."""

    def __init__(self):
        self.client, self.router, self.server = Namespace(), Namespace(), Namespace()
        for host, dev, net in ((self.client, "c0", 1), (self.server, "s0", 2)):
            self.router.run(f"ip link add r{net} type veth peer name {dev} netns {host.pid}",
                            f"ip addr add 10.77.{net}.1/24 dev r{net}", f"ip link set r{net} up")
            host.run(f"ip addr add 10.77.{net}.2/24 dev {dev}", f"ip link set {dev} up",
                     f"ip route add default via 10.77.{net}.1")
            # it came up before its peer: until it has a new queue it may lose what it is given
            self.router.run(f"ip link set r{net} txqueuelen 1001")
        self.router.run("sysctl -q -w net.ipv4.ip_forward=1")

    def blackhole(self):
        """From now on nothing passes, and nobody is told."""
        self.router.run("ip route add blackhole 10.77.1.2/32", "ip route add blackhole 10.77.2.2/32")

    def reject(self, how):
        """From now on the router answers all that goes to the server with an ICMP error ("host-unreachable")."""
        self.router.run("sysctl -q -w net.ipv4.icmp_ratelimit=0", "nft add table ip told",
                        "nft add chain ip told way { type filter hook forward priority 0; }",
                        f"nft add rule ip told way ip daddr 10.77.2.2 reject with icmp {how}")

    def heal(self):
        self.router.run("ip route del blackhole 10.77.1.2/32", "ip route del blackhole 10.77.2.2/32")
