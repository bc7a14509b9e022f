# SPDX-License-Identifier: MIT
"""Listeners that a supervisor passes: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES."""
import fcntl
import os
import re
import socket
from pathlib import Path

from echolab import ENVIRONMENT, OK, Process, covers, end_of, for_each_backend, not_in, only, pattern, program
from supervisorlab import SupervisorCase
from takeoverlab import TakeoverCase


@for_each_backend
class EachActivation(SupervisorCase, TakeoverCase):
    def setUp(self):
        super().setUp()
        self.folder_ = self.folder()

    def echod(self, *argv, **options):
        options.setdefault("listen", None)
        options.setdefault("takeover", None)
        if options["takeover"] is None:
            del options["takeover"]
            return SupervisorCase.echod(self, *argv, **options)
        return TakeoverCase.echod(self, *argv, **options)

    @covers("echod", "listen")
    def test_what_is_passed_is_served_by_its_name_and_by_its_address(self):
        web, six, path = self.tcp(), self.tcp("::1"), self.unix(f"{self.folder_}/s")
        port = web.getsockname()[1]
        for listen in (None, ["fd:web", "fd:local"], [f"127.0.0.1:{port}", "fd:local"]):
            with self.subTest(listen=listen):
                server = self.passed([web, six, path], "web:local:local", listen=listen, shutdown="close")
                self.assertEqual(server.addrs, [("127.0.0.1", port), ("::1", six.getsockname()[1]),
                                                f"unix:{self.folder_}/s"])
                for addr in server.addrs:
                    self.assertEcho(self.connect(addr), pattern(10000))
                self.assertEqual(server.stop(), OK)
                self.assertTrue(Path(f"{self.folder_}/s").is_socket())  # the supervisor's

    def test_they_stay_non_blocking_and_go_no_further(self):
        web = self.tcp()
        server = self.passed([web])
        self.assertEcho(self.connect(server), b"x")
        self.assertTrue(fcntl.fcntl(web.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK)
        environ = Path(f"/proc/{server.pid}/environ").read_bytes()
        flags = Path(f"/proc/{server.pid}/fdinfo/3").read_text()
        self.assertTrue(int(re.search(r"flags:\s+(\d+)", flags)[1], 8) & os.O_CLOEXEC, flags)
        self.assertIn(b"LISTEN_FDS=1", environ)  # as it was started with; not what it would pass on

    def test_who_waits_when_it_ends_waits_for_the_next(self):
        web = self.tcp()
        server = self.passed([web], shutdown="close")
        self.assertEcho(self.connect(server), b"x")
        self.assertEqual(server.stop(), OK)
        sock = self.connect(web.getsockname())
        sock.sendall(b"early")
        self.passed([web])
        self.assertEqual(sock.recv(5), b"early")

    @only("epoll", "io_uring")
    def test_workers_share_one_and_have_one_each_of_several(self):
        one = self.tcp()
        server = self.passed([one], workers=3)
        socks = []
        # who has no CPU within the time that it is given does not get its third
        while len(socks) < 120 or min(w.open for w in server.counters().workers) <= 12:
            self.assertLess(len(socks), 900, server.counters().workers)
            socks += [self.connect(server) for _ in range(60)]
            for sock in socks[-60:]:
                self.assertEcho(sock, b"x")
        first = self.tcp(reuse=True)
        group = [first] + [self.tcp(port=first.getsockname()[1], reuse=True) for _ in range(2)]
        server = self.passed(group, "a:b:c", workers=3)
        self.assertEqual(server.addrs, [first.getsockname()])
        socks = [self.connect(server) for _ in range(60)]
        for sock in socks:
            self.assertEcho(sock, b"x")
        self.assertGreater(min(w.open for w in server.counters().workers), 0)

    @only("epoll", "io_uring")
    def test_they_go_along_in_a_takeover(self):
        web, path = self.tcp(), self.unix(f"{self.folder_}/s")
        for listen in (None, ["fd:web", "fd:local"]):
            with self.subTest(listen=listen):
                how = {"takeover": f"unix:{self.path}", "listen": listen, "workers": 2, "shutdown": "close"}
                old = self.passed([web, path], "web:local", **how)
                socks = [self.connect(addr) for addr in old.addrs]
                for sock in socks:
                    self.assertEcho(sock, b"x")
                new = self.successor(old, **{**how, "workers": 3})
                self.assertGone(old)
                self.assertServes(new, *socks)
                newest = self.successor(new, **how)
                self.assertGone(new)
                for addr in newest.addrs:
                    socks.append(self.connect(addr))
                for sock in socks:
                    self.assertEcho(sock, b"y")
                    sock.close()
                self.assertEqual(newest.stop(), OK)
                self.assertTrue(Path(f"{self.folder_}/s").is_socket())
                self.assertTrue(fcntl.fcntl(web.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK)

    def test_what_is_of_no_use_is_said(self):
        web, udp, packets = self.tcp(), socket.socket(type=socket.SOCK_DGRAM), self.unix(f"{self.folder_}/p", 5)
        self.addCleanup(udp.close)
        client, server_end = socket.socketpair()
        self.addCleanup(client.close)
        self.addCleanup(server_end.close)
        no = "is no listener of TCP or of a unix stream"
        for fds, names, env, listen, why in (
                ([udp], "web", {}, None, rf"descriptor 3 \(fd:web\) of LISTEN_FDS {no}"),
                ([web, packets], None, {}, None, rf"descriptor 4 \(fd:unknown\) of LISTEN_FDS {no}"),
                ([server_end], None, {}, None, no),
                ([web], None, {"LISTEN_FDS": "2"}, None, r"descriptor 4 \(fd:unknown\) of LISTEN_FDS is not open"),
                ([web], None, {"LISTEN_FDS": "many"}, None, "LISTEN_FDS must be a number up to 256"),
                ([web], None, {"LISTEN_FDS": "257"}, None, "LISTEN_FDS must be a number up to 256"),
                ([web], "a b", {}, None, "name 1 of LISTEN_FDNAMES is too long, or no name"),
                ([web], "web", {}, "fd:other", r"no supervisor has passed a listener fd:other \(LISTEN_FDS"),
                ([web], "web", {}, "127.0.0.1:0", r"the supervisor has passed fd:web on 127.0.0.1:\d+, which is not in it"),
                ([], None, {"LISTEN_PID": "1"}, "fd:web", "no supervisor has passed a listener fd:web")):
            with self.subTest(why=why):
                r = self.run_echod(listen=listen, **self.passing(fds, names, env))
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertRegex(r.err, why)

    def test_what_is_meant_for_another_process_is_left(self):
        server = self.passed([self.tcp()], env={"LISTEN_PID": "1"}, listen="127.0.0.1:0")
        self.assertEcho(self.connect(server), b"x")

    @not_in("valgrind")
    def test_systemds_own_program_starts_it_by_the_first_connection(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        backend = ["--backend", self.backend]
        activator = self.keep(Process(["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=web",
                                            *program("echod"), "--listen", "fd:web", "--shutdown=close", *backend]))
        self.assertTrue(activator.err.wait_for("Listening on 127.0.0.1"), activator.said())
        sock = self.connect(("127.0.0.1", port))
        self.assertEcho(sock, pattern(5000))
        self.assertTrue(activator.err.wait_for(f"echod: listening on 127.0.0.1:{port}: {self.backend}"), activator.said())
        self.assertEqual(activator.stop(), OK)
        self.assertEqual(end_of(sock), "eof")
