# SPDX-License-Identifier: MIT
"""Takeovers that fail: whatever the other side does or is, who serves serves on."""
import contextlib
import errno
import os
import select
import signal
import socket
import struct
import threading

from echolab import BIN, ENVIRONMENT, OK, PATIENCE, not_in, recv_exactly, recv_to_end, slow, stat_fields
from takeoverlab import (ADDR_TEXT, COMMIT, CONNS, DONE, GO, HELLO, KEPT, LISTENERS, REFUSE, SERVING, TAKEN, VERSION,
                         FailureCase, Old, Talk, backends)


class Failures(FailureCase):
    """Whatever the other side does or is, who serves serves on."""

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
                                                          f"version {VERSION}")):
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
                        talk.receive(COMMIT)
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

    def test_who_is_told_to_stop_begins_no_takeover(self):
        """With a successor that says nothing: both have come when it looks."""
        server = self.echod()
        server.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: stat_fields(server.pid)[0] == "T", "it stands still")
        talk = Talk.to(self.path)
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGCONT)
        self.assertEqual(talk.refusal(), "it is ending")
        self.assertEqual(server.wait(), OK)
        talk.close()

    def play_old(self, *steps, **options):
        """A successor of an Old that makes these steps after GO, then closes. Returns the Old without its end of the
        conversation, and the result of the successor."""
        old = Old(self.folder() / "takeover")
        self.addCleanup(old.close)
        errors = []

        def play():
            try:
                old.go()
                for step in steps:
                    step(old)
            except Exception as e:  # pylint: disable=broad-exception-caught
                errors.append(e)
            old.talk.close()
        thread = threading.Thread(target=play)
        thread.start()
        r = self.run_echod(takeover=f"unix:{old.path}", listen=f"127.0.0.1:{old.port}", **options)
        thread.join()
        self.assertEqual(errors, [])
        return old, r

    def test_a_path_of_metrics_is_the_old_ones_again(self):
        def refuse(old):
            old.refuse("it has changed its mind")

        def go(old):
            old.talk.send(GO)
            old.talk.receive(SERVING)
        for steps in (refuse,), (go, refuse):
            path = self.folder() / "m"
            with socket.socket(socket.AF_UNIX) as metrics:
                metrics.bind(str(path))
                metrics.listen()
                before = path.stat().st_ino
                old, r = self.play_old(*steps, metrics_listen=f"unix:{path}")
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertIn("it has changed its mind", r.err)
                old.close()
                self.assertEqual(os.listdir(path.parent), ["m"])
                self.assertEqual(path.stat().st_ino, before)  # times are not what they were: it was renamed

    def test_a_refusal_before_commit_leaves_all_to_the_old_one(self):
        """Whether or not the old one has read what the successor said last: its kernel says ECONNRESET then."""
        def say(kind):
            return lambda old: old.talk.send(kind)

        def hear(kind):
            return lambda old: old.talk.receive(kind)

        def unread(old):
            self.assertTrue(select.select([old.talk.sock], [], [], slow(PATIENCE))[0])

        def refuse(old):
            old.refuse("it has changed its mind")

        def done(old):
            old.talk.send(DONE, fds=[old.at.fileno()])
        to_batch = (say(GO), hear(SERVING), Old.batch)
        for name, steps in (("ready, unread serving", (say(GO), unread, refuse)),
                            ("no go", (refuse,)),
                            ("no connections", (say(GO), hear(SERVING), refuse)),
                            ("kept", (*to_batch, hear(KEPT), refuse)),
                            ("unread kept", (*to_batch, unread, refuse)),
                            ("a batch and no patience", (*to_batch, refuse)),
                            ("taken", (say(GO), hear(SERVING), done, hear(TAKEN), refuse)),
                            ("unread taken", (say(GO), hear(SERVING), done, unread, refuse))):
            with self.subTest(name):
                old, r = self.play_old(*steps)
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertRegex(r.err, "cannot take over at .*: the other side refuses: it has changed its mind")
                old.client.sendall(b"whose?")
                self.assertEqual(recv_exactly(old.conn, 6), b"whose?")
                old.conn.sendall(b"mine")
                self.assertEqual(recv_exactly(old.client, 4), b"mine")

    def test_listeners_do_not_block_until_it_is_decided_who_serves(self):
        """The old one may accept from them again at any time, and must not wait in there for a newcomer. Afterwards they
        are as the backend likes them."""
        if "io_uring" not in backends():
            self.skipTest("no backend here wants them to block")
        old = Old(self.folder() / "takeover")
        self.addCleanup(old.close)
        old.listener.setblocking(False)
        thread = threading.Thread(target=lambda: (old.go(), old.talk.send(GO)))
        thread.start()
        new = self.echod(takeover=f"unix:{old.path}", listen=f"127.0.0.1:{old.port}", backend="io_uring", workers=1)
        thread.join()
        old.talk.receive(SERVING)
        self.assertServes(new)
        self.assertFalse(os.get_blocking(old.listener.fileno()))
        old.talk.send(DONE, fds=[old.at.fileno()])
        old.talk.receive(TAKEN)
        self.assertFalse(os.get_blocking(old.listener.fileno()))
        old.talk.send(COMMIT)
        self.assertTrue(new.err.wait_for("took over: 1 listeners"), new.said())
        self.assertServes(new)
        self.wait_until(lambda: os.get_blocking(old.listener.fileno()), "the ring's own accept")
        self.assertServes(new)

    def test_a_batch_is_untouched_until_commit(self):
        for end in ("commit", "death"):
            with self.subTest(end):
                old = Old(self.folder() / "takeover")
                self.addCleanup(old.close)
                thread = threading.Thread(target=lambda old=old: (old.go(), old.talk.send(GO)))
                thread.start()
                new = self.echod(takeover=f"unix:{old.path}", listen=f"127.0.0.1:{old.port}")
                thread.join()
                old.talk.receive(SERVING)
                old.batch()
                self.assertEqual(old.talk.receive(KEPT)[1], struct.pack("=IB", 1, 1))
                old.client.sendall(b"rests")
                self.assertFalse(select.select([old.client], [], [], 0.2)[0])
                self.assertEqual(old.conn.recv(5, socket.MSG_PEEK), b"rests")
                if end == "commit":
                    old.talk.send(COMMIT)
                    self.assertEqual(recv_exactly(old.client, 5), b"rests")
                old.talk.close()
                self.assertEqual(recv_exactly(old.client, 5) if end == "death" else b"rests", b"rests")
                self.assertTrue(new.err.wait_for("took over: 1 listeners, 1 connections; the other process has died"))
                self.assertServes(new, old.client)

    def test_a_successor_that_waits_no_longer_cannot_be_committed_to(self):
        """It was told to stop before COMMIT: the other one cannot send it any more, and knows."""
        old = Old(self.folder() / "takeover")
        self.addCleanup(old.close)
        thread = threading.Thread(target=lambda: (old.go(), old.talk.send(GO)))
        thread.start()
        new = self.echod(takeover=f"unix:{old.path}", listen=f"127.0.0.1:{old.port}")
        thread.join()
        old.talk.receive(SERVING)
        old.batch()
        old.talk.receive(KEPT)
        new.send_signal(signal.SIGTERM)
        self.assertEqual(old.talk.refusal(), "told to stop")
        self.assertIsNone(old.talk.receive())
        with self.assertRaises(BrokenPipeError):
            old.talk.send(COMMIT)
        new.wait()
        old.client.sendall(b"whose?")
        self.assertEqual(recv_exactly(old.conn, 6), b"whose?")

    def test_told_to_stop_while_a_batch_rests(self):
        """The old one: it has not committed, so the batch is its own, whatever the successor says."""
        for server, socks in self.each_backend():
            if server.backend == "fork":
                continue
            server.stop(signal.SIGKILL)
            server = self.echod(backend=server.backend, workers=1, shutdown="drain 5s")
            socks = [self.connect(server) for _ in range(3)]
            self.wait_open(server, 3, 0)
            talk = Talk.to(self.path)
            fds = talk.listeners()
            talk.ready(len(fds))
            talk.send(SERVING)
            _, body, more = talk.receive(CONNS)
            count = struct.unpack_from("=I", body)[0]
            server.send_signal(signal.SIGTERM)
            self.assertEqual(talk.refusal(), "told to stop")
            with contextlib.suppress(OSError):
                talk.send(KEPT, struct.pack("=I", count) + b"\1" * count)
            self.assertIsNone(talk.receive())
            talk.close(fds + more)
            for sock in socks:
                self.assertEqual(recv_to_end(sock), (b"", "eof"))
                sock.close()
            self.assertEqual(server.wait(), OK)

    @not_in("asan", "tsan", "valgrind")
    def test_a_worker_of_the_successor_that_fails(self):
        """At any of its waits: whichever part of a batch the others have taken, they let go of."""
        def batch(old):
            kind = old.talk.receive(SERVING, REFUSE)[0]
            with contextlib.suppress(BrokenPipeError):  # it has gone: REFUSE is queued, or will not be read
                if kind == SERVING:
                    old.batch(2)
                    kind = old.talk.receive(KEPT, REFUSE)[0]
                if kind == KEPT:
                    old.refuse("enough")
        for nth in range(1, 9):
            with self.subTest(nth=nth):
                old, r = self.play_old(lambda old: old.talk.send(GO), batch, workers=2, backend="epoll", env={
                    "LD_PRELOAD": BIN / "preload" / "fault.so", "ECHOLAB_FAULT": f"epoll_wait:{nth}:{errno.EINVAL}"})
                self.assertEqual(r.code, ENVIRONMENT, r)
                old.client.sendall(b"whose?")
                self.assertEqual(recv_exactly(old.conn, 6), b"whose?")

    def test_listeners_have_their_own_options_again(self):
        """A successor may have set its own on them before it failed."""
        server = self.echod(backend="epoll", workers=1, keepalive="30s/5s/3")
        with contextlib.closing(Talk.to(self.path)) as talk:
            fds = talk.listeners()
            talk.ready(len(fds))
            theirs = socket.socket(fileno=fds[0])
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
            theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
            talk.send(REFUSE, b"no".ljust(256, b"\0"))
            self.assertTrue(server.err.wait_for("serving on"), server.said())
            self.assertIsNotNone(talk.receive(REFUSE))
            with socket.socket() as fresh:
                want = fresh.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            self.assertEqual(theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
            self.assertEqual(theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16), want)
            theirs.close()
        self.assertServes(server)

    def test_descriptors_beside_nothing_are_closed(self):
        server = self.echod(workers=1)
        held = []
        for text, beside in ((b"nonsense", []), (b"", [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=3i", 0, 0, 0))])):
            talk = Talk.to(self.path)
            talk.sock.sendmsg([text], beside)
            self.assertEqual(talk.refusal(), "what came is no message of a takeover")
            self.assertIsNone(talk.receive())
            talk.close()
            held.append(len(os.listdir(f"/proc/{server.popen.pid}/fd")))
        self.assertEqual(*held)
        self.assertHandsOver(server, [])

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
                (LISTENERS, listeners(1, 0, 1), [good.fileno()], 1, f"speaks version 1 of the takeover, this echod version {VERSION}"),
                (LISTENERS, listeners(1, 0, 1), [], VERSION, "message .listeners. of the takeover is not right"),
                (LISTENERS, listeners(1, 0, 1), [udp.fileno()], VERSION, "a listener that it sent is none"),
                (LISTENERS, listeners(1, 0, 1, b"\x1b[1m nonsense"), [good.fileno()], VERSION, "a listener that it sent is none"),
                (LISTENERS, listeners(1, 1, 1), [good.fileno()], VERSION, "its listeners do not add up"),
                (LISTENERS, listeners(1 << 31, 0, 1), [good.fileno()], VERSION, "it has too many listeners"),
                (REFUSE, b"no\nway\x1b[1m".ljust(256, b"!"), [], VERSION, r"the other side refuses: no\\nway\\x1b|no\\x0away"),
                (GO, b"", [], VERSION, "came out of turn")):
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
