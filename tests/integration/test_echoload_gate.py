# SPDX-License-Identifier: MIT
"""Another program says when echoload sends: what it is told adds up, and nothing moves while the gate is shut."""
import fcntl
import socket
import struct
import termios
import time

from echolab import ENVIRONMENT, NO_ANSWER, USAGE, covers, recv_exactly, slow
from loadlab import LONG, LoadCase, for_each_client

SLICE_NS = 20_000_000


class Gate:
    """The other program's end."""

    def __init__(self, test, to, *argv, room=None, **options):
        self.end, theirs = socket.socketpair()
        if room is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        test.addCleanup(self.end.close)
        self.end.settimeout(slow(60))
        with theirs:
            self.load = test.load(to, *argv, "--gate", theirs.fileno(), pass_fds=[theirs.fileno()], **LONG | options)
        self.lines = self.end.makefile("r")
        self.first = self.answer()

    def answer(self):
        """(messages, ns), or None at the end of file."""
        try:
            return tuple(map(int, self.lines.readline().split())) or None
        except ConnectionResetError:  # it did not read all that we said
            return None

    def unread(self):
        """Bytes of answers that lie here."""
        return struct.unpack("i", fcntl.ioctl(self.end, termios.FIONREAD, bytes(4)))[0]

    def slice(self, ns=SLICE_NS):
        self.end.sendall(f"{ns}\n".encode())
        return self.answer()

    def done(self):
        self.end.shutdown(socket.SHUT_WR)
        return self.load.done()


@for_each_client
class EachGate(LoadCase):
    def counts(self, server):
        """(bytes received, connections accepted) so far, by the server."""
        c = server.counters()
        return c["received_bytes"], c["connections_accepted"]

    @covers("echoload", "gate")
    def test_what_it_says_adds_up_and_nothing_is_sent_in_between(self):
        for options in ({}, {"threads": 2}, {"pipeline": 16}, {"churn": 3}, {"rate": 5000}):
            with self.subTest(**options):
                server = self.echod()
                gate = Gate(self, server, connections=20, size=100, **options)
                self.assertEqual(gate.first[0], 0)
                if "churn" not in options:
                    self.wait_until(lambda: self.counts(server) == (0, 20), "all are accepted")
                messages = slices = 0
                while slices < 4 or messages == 0:  # a busy machine may connect in a later one
                    n, took = gate.slice()
                    self.assertGreaterEqual(took, SLICE_NS)
                    messages += n
                    slices += 1
                    # all answers are there: the server has seen all that there will be
                    self.assertEqual(self.counts(server)[0], messages * 100)
                r = gate.done()
                self.assertEqual(r.code, 5 if "rate" in options and r.code else 0, r)  # 5: a busy machine made it late
                self.assertAllEchoed(r, messages)

    def test_the_schedule_of_an_open_loop_stands_still_meanwhile(self):
        server = self.echod()
        gate = Gate(self, server, connections=4, rate=1000)
        took = 0
        for _ in range(3):
            took += gate.slice(100_000_000)[1]
            time.sleep(0.2)  # had the schedule gone on, what came due meanwhile would be sent at once
        r = gate.done()
        self.assertLessEqual(r["messages"]["echoed"], took / 1e6 + 15)

    def test_connections_of_the_churn_wait_for_the_gate(self):
        server = self.echod()
        gate = Gate(self, server, connections=5, churn=1)
        self.assertEqual(self.counts(server)[1], 0)
        n, _ = gate.slice()
        made = gate.done()["connections"]["established"]
        # those that were being made when it was shut are there, and have sent nothing
        self.assertTrue(n <= made <= n + 5, (n, made))
        self.wait_until(lambda: self.counts(server)[1] == made, "a busy server accepts the last of them later")

    def test_who_holds_the_gate_may_leave_in_the_middle(self):
        server = self.echod()
        gate = Gate(self, server, connections=20)
        gate.end.sendall(b"60000000000\n")
        self.wait_until(lambda: self.counts(server)[0] > 2000, "it sends, and goes on after an echo")
        gate.end.shutdown(socket.SHUT_RDWR)
        r = gate.load.done()
        self.assertEqual((r.code, r["messages"]["lost"], r["messages"]["unfinished"]), (0, 0, 0), r)
        self.assertGreater(r["messages"]["echoed"], 0)

    def test_a_server_that_dies_is_the_end_of_the_answers(self):
        def script(sock, _):
            recv_exactly(sock, 64)
        gate = Gate(self, self.peer(script), connections=3)
        self.assertIsNone(gate.slice())
        r = gate.load.done()
        self.assertEqual((r.code, r.causes), (NO_ANSWER, {"eof_early"}), r)


class Mistakes(LoadCase):
    client = "epoll"

    def test_what_is_no_command_ends_it(self):
        for said in (b"soon\n", b"-5\n", b"0\n", b"1 2\n", b"\n", b"9" * 100):
            with self.subTest(said=said):
                gate = Gate(self, self.echod(), connections=2)
                gate.end.sendall(said)
                self.assertIsNone(gate.answer())
                self.assertEqual(gate.load.wait(), ENVIRONMENT)
                self.assertRegex(gate.load.err.text,
                                 r"\A[^\n]*gate: '.*' is (not a time in nanoseconds|too long a line)\n\Z")

    def test_a_command_before_the_last_was_answered_ends_it(self):
        gate = Gate(self, self.echod(), connections=2)
        gate.end.sendall(b"5000000000\n")
        gate.end.sendall(b"1000\n")
        self.assertIsNone(gate.answer())
        self.assertEqual(gate.load.wait(), ENVIRONMENT)
        self.assertIn("before the last one was answered", gate.load.err.text)

    def test_who_never_reads_an_answer_does_not_keep_it(self):
        gate = Gate(self, self.echod(), connections=2, room=1)
        for _ in range(1000):
            unread = gate.unread()
            gate.end.sendall(b"1\n")
            self.wait_until(lambda: gate.unread() > unread or not gate.load.running(), "it answers, or ends")
            if not gate.load.running():
                break
        self.assertEqual(gate.load.wait(), ENVIRONMENT)
        self.assertIn("gate: its answers are not read", gate.load.err.text)

    def test_usage(self):
        for argv, word in ((("--gate", "99"), "descriptor 99 is not open"),
                           (("--gate", "2", "-d", "1s"), "means nothing with --gate")):
            r = self.run_echoload(*argv, "127.0.0.1:9")
            self.assertEqual((r.code, len(r.err.splitlines())), (USAGE, 1), r)
            self.assertIn(word, r.err)
