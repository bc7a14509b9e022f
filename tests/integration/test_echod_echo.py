# SPDX-License-Identifier: MIT
"""echod gives back what it got, whatever the peer does with its end of the stream."""
import random
from socket import MSG_OOB

from echolab import (SLOW, Sender, TestCase, covers, fill, for_each_backend, half_close, pattern, recv_exactly,
                     recv_to_end)

MIB = 1 << 20


@for_each_backend
class Each(TestCase):
    def setUp(self):
        self.server = self.echod()

    def end(self, **closed):
        """Every connection was ended for exactly these causes."""
        c = self.wait_counters(self.server, lambda c: c.open == 0 and c.balanced(), "none open")
        self.assertEqual(dict(c.closed), closed)
        return c

    def test_one_byte(self):
        sock = self.connect(self.server)
        self.assertEcho(sock, b"x")
        sock.close()
        c = self.end(eof=1)
        self.assertEqual((c.accepted, c.received, c.sent), (1, 1, 1))

    def test_every_size_around_powers_of_two(self):
        sock = self.connect(self.server)
        for power in range(18):
            for size in (2 ** power - 1, 2 ** power, 2 ** power + 1):
                if size:
                    self.assertEcho(sock, pattern(size, size))

    def test_dribbled_bytes(self):
        sock = self.connect(self.server)
        data = pattern(300)
        for i in range(len(data)):
            sock.send(data[i:i + 1])
            self.assertSame(sock.recv(2), data[i:i + 1])
        half_close(sock)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        self.end(eof=1)

    def test_dribbled_bytes_read_at_the_end(self):
        sock = self.connect(self.server)
        data = pattern(2000)
        for i in range(len(data)):
            sock.send(data[i:i + 1])
        half_close(sock)
        self.assertEqual(recv_to_end(sock), (data, "eof"))

    def test_a_stream_in_random_pieces(self):
        sock = self.connect(self.server)
        data, sizes = pattern(8 * MIB), random.Random(3)
        sender = Sender(sock, data, iter(lambda: sizes.choice((1, 7, 1000, 4096, 65536, 300000)), None), half_close)
        got, how = recv_to_end(sock)
        sender.done()
        self.assertSame(got, data)
        self.assertEqual(how, "eof")
        c = self.end(eof=1)
        self.assertEqual((c.received, c.sent), (len(data), len(data)))

    def test_many_connections_do_not_mix(self):
        socks = [self.connect(self.server) for _ in range(100)]
        data = [pattern(20000, seed) for seed in range(100)]
        for sock, mine in zip(socks, data):
            sock.sendall(mine)
        for sock, mine in zip(reversed(socks), reversed(data)):
            self.assertSame(recv_exactly(sock, len(mine)), mine)
        for sock in socks:
            sock.close()
        self.end(eof=100)

    def test_a_flood_without_reading_is_stopped_and_comes_back(self):
        data = pattern(64 * MIB)
        sock = self.connect(self.server, rcvbuf=65536)
        before = self.server.rss()
        went = fill(self.server, sock, data)
        self.assertLess(went, len(data), "it took all: nothing made it stop reading")
        self.assertLess(self.server.rss() - before, 16 * MIB * SLOW)
        self.assertSame(recv_exactly(sock, went), data[:went])
        self.assertEcho(sock, data[:MIB])

    def test_urgent_bytes_are_bytes_of_the_stream(self):
        """A receive ends at the urgent mark, so one that is short does not mean that nothing lies behind it."""
        far = pattern(20000)
        for pieces in ((b"abc", b"!X", b"defgh"), (b"!X",), (b"!X", b"tail"), (b"abc", b"!defX"), (b"!X", b"!Y", b"!Z"),
                       (b"a", b"!X", b"b", b"!Y", b"c", b"!Z", b"d"), (far, b"!X", far)):
            with self.subTest(pieces=[p[:5] for p in pieces]):
                sock = self.connect(self.server)
                self.assertEcho(sock, b"it is accepted")
                with self.server.held():
                    for piece in pieces:
                        sock.send(piece.lstrip(b"!"), MSG_OOB if piece[:1] == b"!" else 0)
                sent = b"".join(piece.lstrip(b"!") for piece in pieces)
                self.assertSame(recv_exactly(sock, len(sent)), sent)
                self.assertEcho(sock, b"and what comes later")

    def test_others_are_served_while_one_does_not_read(self):
        stuck, other = self.connect(self.server, rcvbuf=65536), self.connect(self.server)
        went = fill(self.server, stuck, pattern(64 * MIB))
        for size in (1, 1000, MIB):
            self.assertEcho(other, pattern(size, size))
        half_close(stuck)
        self.assertSame(recv_to_end(stuck)[0], pattern(64 * MIB)[:went])

    def test_half_close_with_much_unread(self):
        sock = self.connect(self.server, rcvbuf=65536)
        data = pattern(64 * MIB)
        went = fill(self.server, sock, data)
        self.assertGreater(went, 65536)
        half_close(sock)
        got, how = recv_to_end(sock)
        self.assertSame(got, data[:went])
        self.assertEqual(how, "eof")
        c = self.end(eof=1)
        self.assertEqual((c.received, c.sent), (went, went))

    def test_half_close_at_once(self):
        sock = self.connect(self.server)
        half_close(sock)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        self.end(eof=1)

    @covers("echod", "epoll_buffer")
    def test_a_small_receive_buffer_is_exact_too(self):
        server = self.echod(**({"epoll_buffer": 1} if self.backend == "epoll" else {}))
        sock = self.connect(server)
        self.assertEcho(sock, pattern(3000))


@for_each_backend
class EachAddress(TestCase):
    @covers("echod", "listen")
    def test_both_families_at_once(self):
        server = self.echod(listen=["127.0.0.1:0", "[::1]:0"])
        self.assertEqual([host for host, _ in server.addrs], ["127.0.0.1", "::1"])
        socks = [self.connect(addr) for addr in server.addrs * 3]
        for sock in socks:
            self.assertEcho(sock, pattern(100000))

    def test_any_address_of_each_family_on_one_port(self):
        server = self.echod(listen=["0.0.0.0:0"])
        both = self.echod(listen=[f"127.0.0.2:0", "[::]:0"])
        self.assertEcho(self.connect(("127.0.0.3", server.port)), b"x")
        self.assertEcho(self.connect(("::1", both.addrs[1][1])), b"x")

    def test_sixteen_addresses(self):
        server = self.echod(listen=[f"127.0.0.{n}:0" for n in range(1, 17)])
        for addr in server.addrs:
            self.assertEcho(self.connect(addr), b"x")
        self.assertEqual(server.counters().accepted, 16)
