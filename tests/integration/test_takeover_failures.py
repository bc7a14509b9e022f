# SPDX-License-Identifier: MIT
"""Takeovers that fail: whatever the other side does or is, who serves serves on."""
import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading

from echolab import BIN, ENVIRONMENT, OK, PATIENCE, not_in, recv_exactly, recv_to_end, slow
from takeoverlab import ADDR_TEXT, CONNS, DONE, GO, HELLO, KEPT, LISTENERS, REFUSE, SERVING, TakeoverCase, Talk, backends


class Failures(TakeoverCase):
    """Whatever the other side does or is, who serves serves on."""

    def each_backend(self):
        for backend in backends():
            with self.subTest(backend=backend):
                self.path = self.folder() / "takeover"
                server = self.echod(backend=backend, workers=1 if backend == "fork" else 2)
                socks = [self.connect(server) for _ in range(3)]
                for sock in socks:
                    self.assertEcho(sock, b"before")
                yield server, socks

    def assertServingOn(self, server, socks, why):
        self.assertTrue(server.err.wait_for(f"does not take over: {why}; serving on"), server.said())
        self.assertServes(server, *socks)
        self.assertHandsOver(server, socks)

    def assertHandsOver(self, server, socks):
        """The next successor finds all as it was."""
        new = self.successor(server, backend=server.backend, listen=f"127.0.0.1:{server.port}")
        self.assertServes(new, *socks)
        self.assertEqual(new.stop(signal.SIGKILL), -signal.SIGKILL)
        server.end()

    def test_garbage(self):
        for body, why in (({"kind": HELLO, "magic": 1}, "what came is no message of a takeover"),
                          ({"kind": HELLO, "length": 7}, "what came is no message of a takeover"),
                          ({"kind": 99}, "a message of a takeover has an unknown type"),
                          ({"kind": HELLO}, "a message of the takeover is too short"),
                          ({"kind": HELLO, "body": b"12345"}, "a message .hello. of the takeover is not right in itself"),
                          ({"kind": HELLO, "body": b"1234", "fds": [0]}, "a message .hello. of the takeover is not"),
                          ({"kind": KEPT, "body": struct.pack("=I", 4000) + b"1" * 4000}, "a message .kept."),
                          ({"kind": SERVING}, "a message of the takeover came out of turn"),
                          ({"kind": HELLO, "version": 7}, "the other side speaks version 7 of the takeover, this echod "
                                                          "version 1")):
            with self.subTest(why=why, body=body):
                self.path = self.folder() / "takeover"
                server = self.echod(workers=1)
                sock = self.connect(server)
                talk = Talk.to(self.path)
                talk.send(**body)
                self.assertRegex(talk.refusal(), why)
                self.assertIsNone(talk.receive())
                talk.close()
                self.assertServingOn(server, [sock], why + "[^;]*")

    def test_a_packet_that_is_too_long_or_empty(self):
        for data in (b"x" * 100_000, b"x", b"x" * 16):
            self.path = self.folder() / "takeover"
            server = self.echod(workers=1)
            talk = Talk.to(self.path)
            talk.sock.send(data)
            self.assertEqual(talk.refusal(), "what came is no message of a takeover")
            talk.close()
            self.assertServingOn(server, [], "what came is no message of a takeover")

    def test_who_goes_after_any_step_is_forgotten(self):
        """The steps of the successor, up to the last that can be undone."""
        gone = "the other side has gone"
        for last in ("connect", "hello", "ready", "serving", "a batch", "no answer to the last"):
            for server, socks in self.each_backend():
                if server.backend == "fork" and last == "a batch":
                    continue
                talk, fds = Talk.to(self.path), []
                if last != "connect":
                    fds = talk.listeners()
                if last not in ("connect", "hello"):
                    talk.ready(len(fds))
                    for sock in socks:  # they are served as long as they rest where they were
                        self.assertEcho(sock, b"between")
                if last in ("serving", "a batch", "no answer to the last"):
                    talk.send(SERVING)
                    kind, body, more = talk.receive(CONNS, DONE)
                    fds += more
                    while kind == CONNS and last != "a batch":  # it is sent back
                        count = struct.unpack_from("=I", body)[0]
                        talk.send(KEPT, struct.pack("=I", count) + b"\0" * count)
                        kind, body, more = talk.receive(CONNS, DONE)
                        fds += more
                for sock in socks:
                    sock.sendall(b"meanwhile")
                talk.close(fds)
                for sock in socks:
                    self.assertSame(recv_exactly(sock, 9), b"meanwhile")
                self.assertServingOn(server, socks, gone)

    def test_a_wrong_answer_is_a_refusal(self):
        for body in (struct.pack("=I", 1) + b"\1", struct.pack("=I", 3) + b"\1\1"):
            self.path = self.folder() / "takeover"
            server = self.echod(workers=1)
            socks = [self.connect(server) for _ in range(3)]
            self.wait_open(server, 3, 0)
            talk = Talk.to(self.path)
            fds = talk.listeners()
            talk.ready(len(fds))
            talk.send(SERVING)
            fds += talk.receive(CONNS)[2]
            talk.send(KEPT, body)
            self.assertRegex(talk.refusal(), "it keeps 1 of 3 connections|not right in itself")
            talk.close(fds)
            self.assertServingOn(server, socks, "[^;]*")

    def test_signals_are_obeyed_during_a_takeover(self):
        server = self.echod(shutdown="drain 5s")
        sock = self.connect(server)
        talk = Talk.to(self.path)
        fds = talk.listeners()
        talk.ready(len(fds))
        self.assertEqual(server.counters().accepted, 1)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        sock.close()
        self.assertEqual(server.wait(), OK)
        self.assertEqual(talk.refusal(), "told to stop")
        talk.close(fds)

    def killed(self, call, nth):
        """strace's words: the process is killed when it makes its nth such call."""
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:signal=KILL:when={nth}"]

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_a_successor_that_is_killed_at_any_step(self):
        """At its nth message: as long as it has not said TAKEN the old one serves on, and all that was not the
        successor's already."""
        steps = {1: "hello", 2: "ready", 3: "serving", 4: "kept", 5: "taken"}
        for nth, step in steps.items():
            for server, socks in self.each_backend():
                if server.backend == "fork":
                    continue
                argv = [*self.killed("sendmsg", nth), str(BIN / "echod"),
                        *self.echod_options(takeover=f"unix:{self.path}", backend=server.backend)]
                subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=slow(PATIENCE))
                # once it has said that it keeps them, they die with it
                left = [] if step == "taken" else socks
                self.assertServingOn(server, left, "the other side has gone")

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_an_old_one_that_is_killed_at_any_step(self):
        """The successor serves on with what it has: all listeners, and the connections that it was sent."""
        for nth, step in {1: "listeners", 2: "go", 3: "connections", 4: "done"}.items():
            with self.subTest(step=step):
                self.path = self.folder() / "takeover"
                old = self.echod(prefix=self.killed("sendmsg", nth), backend="epoll", workers=1)
                socks = [self.connect(old) for _ in range(3)]
                for sock in socks:
                    self.assertEcho(sock, b"before")
                options = {"takeover": f"unix:{self.path}", "listen": f"127.0.0.1:{old.port}"}
                if step == "listeners":
                    r = self.run_echod(**options)
                    self.assertEqual(r.code, ENVIRONMENT)
                    self.assertRegex(r.err, "cannot take over at .*: the other side has gone")
                    new = self.echod(**options)
                else:
                    new = self.echod(**options)
                    self.assertTrue(new.err.wait_for("took over: 1 listeners.*the other process has died"), new.said())
                old.popen.wait(slow(PATIENCE))
                if step == "done":
                    self.assertServes(new, *socks)
                self.assertServes(new)
                self.assertHandsOver(new, [])

    def test_what_the_old_one_sends_is_checked(self):
        """By whoever starts: it says so in a line, and does not serve."""
        def listener():
            sock = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(sock.close)
            return sock

        def listeners(total, first, count, asked=b"127.0.0.1:0"):
            return struct.pack("=IIII", total, first, count, 0) + asked.ljust(ADDR_TEXT, b"\0") * count

        good = listener()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(udp.close)
        for kind, body, fds, version, why in (
                (LISTENERS, listeners(1, 0, 1), [good.fileno()], 2, "speaks version 2 of the takeover, this echod version 1"),
                (LISTENERS, listeners(1, 0, 1), [], 1, "message .listeners. of the takeover is not right"),
                (LISTENERS, listeners(1, 0, 1), [udp.fileno()], 1, "a listener that it sent is none"),
                (LISTENERS, listeners(1, 0, 1, b"\x1b[1m nonsense"), [good.fileno()], 1, "a listener that it sent is none"),
                (LISTENERS, listeners(1, 1, 1), [good.fileno()], 1, "its listeners do not add up"),
                (LISTENERS, listeners(1 << 31, 0, 1), [good.fileno()], 1, "it has too many listeners"),
                (REFUSE, b"no\nway\x1b[1m".ljust(256, b"!"), [], 1, r"the other side refuses: no\\nway\\x1b|no\\x0away"),
                (GO, b"", [], 1, "came out of turn")):
            with self.subTest(why=why):
                self.path = self.folder() / "takeover"
                server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.addCleanup(server.close)
                server.bind(str(self.path))
                server.listen()

                def old(server=server, kind=kind, body=body, fds=fds, version=version):
                    talk = Talk(server.accept()[0])
                    talk.receive(HELLO)
                    talk.send(kind, body, fds, version)
                    with contextlib.suppress(OSError):
                        talk.receive()
                    talk.close()
                thread = threading.Thread(target=old)
                thread.start()
                r = self.run_echod(takeover=f"unix:{self.path}")
                thread.join()
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertRegex(r.err, why)
                self.assertEqual(len(r.err.splitlines()), 1, r.err)
