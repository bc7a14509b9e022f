# SPDX-License-Identifier: MIT
"""A path that changes what echod said: a wrong byte, another order, twice, or not at all. echoload says of which
connection, at which offset, what it expected and what it has seen."""
import contextlib
import threading

from echolab import NO_ANSWER, PATIENCE, VERDICT, Sender, covers, pattern, recv_exactly, slow
from loadlab import LONG, LoadCase, echo_all, for_each_client, silence

MIB = 1 << 20


@for_each_client
class EachCorruption(LoadCase):
    """What comes back is not what was sent: connection, offset, expected and seen byte are said."""

    def proxy(self, change, size):
        """Stands between echoload and an echod, and gives back what comes from there as `change` makes it, that many
        bytes at a time: change(data, n) of the n-th. Returns it, and {n: (what echod said, what was given back)} of
        the n-th connection."""
        server, streams = self.echod(backend="epoll"), {}

        def script(sock, n):
            said, gave, behind = b"", b"", self.connect(server)
            with contextlib.suppress(ConnectionError):
                for i in range(1000):
                    data = recv_exactly(sock, size)
                    if not data:
                        break
                    sender = Sender(behind, data)
                    data = recv_exactly(behind, len(data))
                    sender.done()
                    out = change(data, i)
                    said, gave = said + data, gave + out
                    streams[n] = said, gave
                    sock.sendall(out)
        return self.peer(script), streams

    def corrupts(self, change, code=VERDICT, pipeline=1, size=10, **options):
        """A run through such a proxy. Compares what echoload says with the first difference."""
        proxy, streams = self.proxy(change, size * pipeline)
        r = self.run_load(proxy, connections=1, messages=1000 * pipeline, size=size, pipeline=pipeline, code=code,
                          stall="10m", **LONG | options)
        said, gave = streams[0]
        at = next((i for i, (a, b) in enumerate(zip(said, gave)) if a != b), min(len(said), len(gave)))
        due = said[at] if at < len(said) else None
        self.assertEqual(r["corruption"], {"connection": 0, "offset": at, "expected": due, "seen": gave[at]}, r)
        expected = f"expected 0x{due:02x}, " if due is not None else ""
        self.assertIn(f"corruption connection 0, byte {at:,} of its stream: {expected}seen 0x{gave[at]:02x}",
                      " ".join(r.out.split()))
        self.assertEqual((r.causes, sum(r.errors.values())), ({"corrupt"}, 1), r)
        self.assertEqual(r["outages"], [], "a wrong byte is no outage")
        return r, at

    def test_a_wrong_byte_at_any_offset(self):
        for offset in (0, 1, 9, 10, 99, 1005, 9999):
            with self.subTest(offset=offset):
                def flip(data, n):
                    at = offset - 10 * n
                    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:] if 0 <= at < 10 else data
                r, at = self.corrupts(flip, code=VERDICT if offset >= 10 else NO_ANSWER)
                self.assertEqual(at, offset)
                self.assertEnds(r, {("corrupt", "awaiting", None): 1})
                m = r["messages"]
                self.assertEqual((m["echoed"], m["corrupt"], m["lost"]), (offset // 10, 1, 0))
                self.assertEqual(r["bytes"]["partial"], 10)

    def test_a_wrong_byte_in_a_large_message(self):
        size, offset = 3 * MIB, 2 * MIB + 12345

        def flip(data, n):
            return data[:offset] + bytes([data[offset] ^ 0x80]) + data[offset + 1:]
        r, at = self.corrupts(flip, code=NO_ANSWER, size=size)
        self.assertEqual(at, offset)
        self.assertEqual(r["messages"]["corrupt"], 1)

    def test_messages_in_another_order(self):
        def swap(data, n):
            return data if n < 3 else data[10:20] + data[:10] + data[20:]
        r, at = self.corrupts(swap, pipeline=4)
        self.assertTrue(120 <= at < 140)
        self.assertEqual((r["messages"]["corrupt"], r["messages"]["lost"]), (1, 3 if at < 130 else 2), r)

    def test_a_message_twice(self):
        def double(data, n):
            return data if n < 2 else data[:10] + data[:10] + data[10:]
        r, at = self.corrupts(double, pipeline=4)
        self.assertGreaterEqual(at, 90)

    def test_a_byte_lost(self):
        def lose(data, n):
            return data if n < 5 else data[:7] + data[8:] if n == 5 else data
        r, at = self.corrupts(lose, pipeline=4)
        self.assertGreaterEqual(at, 207)

    def test_a_byte_twice(self):
        def double(data, n):
            return data if n < 5 else data[:8] + data[7:]
        self.corrupts(double, pipeline=4)

    def test_the_answer_of_another_connection(self):
        other = pattern(10, 99)
        self.corrupts(lambda data, n: data if n < 3 else other)

    def test_bytes_that_nobody_is_owed(self):
        """More than was sent, with the last answer: surplus, in phase idle."""
        r, at = self.corrupts(lambda data, n: data if n < 4 else data + b"more")
        self.assertEqual(at, 50)
        self.assertEnds(r, {("corrupt", "idle", None): 1})
        self.assertEqual((r["bytes"]["surplus"], r["bytes"]["partial"]), (4, 0), r)
        m = r["messages"]
        self.assertEqual((m["sent"], m["echoed"], m["corrupt"], m["lost"]), (5, 5, 0, 0), r)

    def test_a_greeting_before_anything_was_sent(self):
        """Whether it is compared with what was sent or nothing had been: it is corrupt, at the first byte."""
        def script(sock, n):
            sock.sendall(b"220 hello\r\n")
            silence(sock)
        r = self.run_load(self.peer(script), connections=1, messages=10, code=NO_ANSWER, **LONG)
        self.assertEqual((r.causes, sum(r.errors.values())), ({"corrupt"}, 1), r)
        self.assertLess(r["corruption"]["offset"], 3)

    def test_one_of_many_connections(self):
        """Each comes from an address of its own, so that the server knows which it was."""
        first, numbers = 65, []  # the first address of that network
        done = threading.Event()

        def script(sock, n):
            if n != 7:
                done.wait(slow(3 * PATIENCE))  # else they take all messages where that one has no CPU
                return echo_all(sock)
            numbers.append(int(sock.getpeername()[0].rpartition(".")[2]) - first)
            sock.sendall(recv_exactly(sock, 64))
            data = recv_exactly(sock, 64)
            sock.sendall(bytes([data[0] ^ 1]) + data[1:])
            done.set()
            silence(sock)
        r = self.run_load(self.peer(script), connections=20, messages=5000, source="127.0.9.64/26", code=VERDICT,
                          **LONG)
        self.assertEnds(r, {("corrupt", "awaiting", None): 1})
        self.assertEqual((r["messages"]["corrupt"], r["messages"]["echoed"]), (1, 4999), r)
        self.assertEqual((r["corruption"]["connection"], r["corruption"]["offset"]), (numbers[0], 64), r)

    def test_two_connections_get_the_answers_of_each_other(self):
        """What a balancer must never do: whole messages, in order, of somebody else."""
        socks, both = {}, threading.Barrier(2)

        def script(sock, n):
            socks[n] = sock
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(slow(60))
            with contextlib.suppress(ConnectionError):
                while data := recv_exactly(sock, 64):
                    socks[1 - n].sendall(data)
        r = self.run_load(self.peer(script), connections=2, messages=1000, code=NO_ANSWER, **LONG)
        self.assertEnds(r, {("corrupt", "awaiting", None): 2})
        self.assertEqual((r["messages"]["corrupt"], r["corruption"]["offset"]), (2, 0), r)

    @covers("echoload", "verify")
    def test_without_verification_it_passes(self):
        def script(sock, n):
            with contextlib.suppress(ConnectionError):
                while data := recv_exactly(sock, 64):
                    sock.sendall(bytes(len(data)))
        for how in ({"verify": "off"}, {"no_verify": True}):
            r = self.run_load(self.peer(script), connections=2, messages=100, **LONG | how)
            self.assertAllEchoed(r, 100)
            self.assertIn("not verified", r.out)
        r = self.run_load(self.peer(script), connections=1, messages=100, code=NO_ANSWER, **LONG)
        self.assertEqual(r.causes, {"corrupt"})
