# SPDX-License-Identifier: MIT
"""The test case that all others are."""
import socket
import time
import unittest

from .environment import PATIENCE, slow
from .process import Process, end_descendants, program, run
from .echod import Counters, Echod, as_options, config_file
from .sockets import Sender, recv_exactly, socket_address, ss
from .strace import Strace
from .netns import Lab, Namespace, no_namespaces, sh


class TestCase(unittest.TestCase):
    backend = None  # for_each_backend sets it: echod() asks for that one
    shared = ()  # pids of what setUpClass started for all tests, and a class cleanup ends

    def run(self, result=None):
        """Whatever happens, nothing that the test started outlives it, and what it cost is counted as the test's."""
        self.addCleanup(end_descendants, self.shared)
        try:
            return super().run(result)
        finally:
            end_descendants(self.shared)

    def keep(self, process):
        """Ends a process after the test, and looks at what it said."""
        self.addCleanup(process.end)
        return process

    def echod_options(self, config=None, listen="127.0.0.1:0", **options):
        """A command line. `config`: text of a config file; `listen` None: what the file says."""
        if self.backend and "backend" not in options:
            options["backend"] = self.backend
        if options.get("backend", "") is None:
            del options["backend"]
        if listen is not None:
            options["listen"] = listen
        return (["-f", str(self.config_file(config))] if config is not None else []) + as_options(options)

    def config_file(self, text):
        path = config_file(text)
        self.addCleanup(lambda: (path.unlink(missing_ok=True), path.parent.rmdir()))
        return path

    def echod(self, *argv, config=None, env=None, prefix=(), stdout=None, pass_fds=(), **options):
        """Starts echod on a free port of 127.0.0.1 unless told otherwise, with the backend of this class. More words
        of the command line in `argv`, options as keywords: echod(max_conns=3, listen=["127.0.0.1:0", "[::1]:0"])."""
        return self.keep(Echod([*self.echod_options(config, **options), *argv], env, prefix, stdout, pass_fds))

    def run_echod(self, *argv, config=None, env=None, prefix=(), stdout=None, pass_fds=(), timeout=PATIENCE, **options):
        """For an echod that is expected to end by itself: Result(code, out, err)."""
        argv = [*prefix, *program("echod"), *self.echod_options(config, **options), *argv]
        return run(argv, env, stdout=stdout, pass_fds=pass_fds, timeout=timeout)

    def connect(self, to, rcvbuf=None, sndbuf=None):
        """A blocking socket to an Echod, (host, port) or unix:PATH, with a deadline for each call."""
        family, addr = socket_address(to.addr if isinstance(to, Echod) else to)
        sock = socket.socket(family)
        self.addCleanup(sock.close)
        sock.settimeout(slow(PATIENCE))
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if sndbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        sock.connect(addr)
        return sock

    def wait_until(self, predicate, what, timeout=PATIENCE):
        """Until predicate() is true, for what no event announces. Returns what it returned."""
        deadline = time.monotonic() + slow(timeout)
        pause = 0.001
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                raise self.failureException(f"not within {slow(timeout):.0f} s: {what}; last: {value!r}")
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    def wait_counters(self, server, predicate, what, timeout=PATIENCE):
        """Until the counters of an echod are so. Returns them."""
        last = Counters()

        def ask():
            nonlocal last
            last = server.counters()
            return predicate(last)
        try:
            self.wait_until(ask, what, timeout)
        except self.failureException as e:
            sockets = "\n".join(ss("-tanoeiO", f"sport = :{server.port}")[:20]) if server.port else ""
            raise self.failureException(f"{e}\n{last}\nits sockets:\n{sockets}") from None
        return last

    def assertEcho(self, sock, data):
        """What is sent comes back, byte for byte."""
        sender = Sender(sock, data)
        self.assertSame(recv_exactly(sock, len(data)), data)
        sender.done()

    def assertSame(self, got, expected):
        """Equal bytes; says where they differ rather than printing megabytes."""
        if got == expected:
            return
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
        self.fail(f"{len(got)} bytes for {len(expected)}, different from byte {at} on: "
                  f"{bytes(got[at:at + 16])!r} for {bytes(expected[at:at + 16])!r}")

    def assertNobodyHome(self, addr):
        """Nothing listens there any more."""
        with self.assertRaises(ConnectionRefusedError):
            self.connect(addr)

    def wait_nobody_home(self, addr):
        """Nothing is going to listen there any more: who has served all that waited is about to close."""
        def refused():
            try:
                self.connect(addr).close()
            except ConnectionRefusedError:
                return True
            return False
        self.wait_until(refused, f"nobody listens at {addr}")

    def strace(self, processes, calls="all", counts=True):
        """Strace of an Echod, or of pids."""
        pids = [processes.pid] if isinstance(processes, Process) else processes
        trace = Strace(pids, calls, counts)
        self.keep(trace.process)
        return trace

    def namespace(self, *commands):
        """A network of its own, in which these commands have run; skips the test where that is impossible."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        ns = Namespace()
        self.keep(ns.holder)
        ns.run(*commands)
        return ns

    def add_ipv6(self, ns, dev, *addresses):
        """Addresses that can be used at once: a worker of the kernel makes their routes, some time after the call."""
        for address in addresses:
            ns.run(f"ip addr add {address} dev {dev} nodad")
            self.wait_until(lambda to=address.split("/")[0]: sh(*ns.prefix, "ip", "-6", "route", "show", "table",
                                                                 "local", to), f"the route of {address}")

    def lab(self):
        """Three hosts, for faults on the path; skips the test where that is impossible."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        lab = Lab()
        for ns in (lab.client, lab.router, lab.server):
            self.keep(ns.holder)
        return lab
