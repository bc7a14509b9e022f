# SPDX-License-Identifier: MIT
"""However a connection ends, echod counts it once, under the cause that it was."""
from echolab import WRAP, TestCase, end_of, fill, for_each_backend, half_close, pattern, recv_exactly, rst

MIB = 1 << 20
MANY = 100 if WRAP else 1000


@for_each_backend
class Each(TestCase):
    def setUp(self):
        self.server = self.echod()

    def ends(self, **closed):
        c = self.wait_counters(self.server, lambda c: sum(c.closed.values()) >= sum(closed.values()) and c.balanced(),
                               f"closed: {closed}")
        self.assertEqual(dict(c.closed), closed)
        self.assertEqual(c.open, 0)
        self.assertEcho(self.connect(self.server), b"still here")

    def test_close_when_idle_is_eof(self):
        self.connect(self.server).close()
        self.ends(eof=1)

    def test_reset_when_idle(self):
        sock = self.connect(self.server)
        self.assertEcho(sock, b"x")
        rst(sock)
        self.ends(reset=1)

    def test_reset_before_a_byte(self):
        rst(self.connect(self.server))
        self.ends(reset=1)

    def test_reset_while_much_is_unsent(self):
        sock = self.connect(self.server, rcvbuf=65536)
        fill(self.server, sock, pattern(64 * MIB))
        rst(sock)
        self.ends(reset=1)

    def test_close_with_unread_echoes_is_a_reset(self):
        sock = self.connect(self.server)
        sock.sendall(pattern(1000))
        recv_exactly(sock, 1)
        sock.close()
        self.ends(reset=1)

    def test_fin_then_reset_when_nothing_is_owed(self):
        sock = self.connect(self.server)
        self.assertEcho(sock, b"x")
        half_close(sock)
        rst(sock)
        self.ends(eof=1)

    def test_fin_then_reset_while_much_is_owed(self):
        sock = self.connect(self.server, rcvbuf=65536)
        fill(self.server, sock, pattern(64 * MIB))
        half_close(sock)
        rst(sock)
        self.ends(reset=1)

    def test_many_that_connect_and_leave_at_once(self):
        for _ in range(MANY):
            self.connect(self.server).close()
        self.ends(eof=MANY)

    def test_many_that_connect_and_reset_at_once(self):
        for _ in range(MANY):
            rst(self.connect(self.server))
        self.ends(reset=MANY)

    def test_a_mixture(self):
        socks = [self.connect(self.server) for _ in range(60)]
        for i, sock in enumerate(socks):
            self.assertEcho(sock, pattern(1000, i))
        for i, sock in enumerate(socks):
            if i % 3 == 0:
                rst(sock)
            elif i % 3 == 1:
                sock.close()
            else:
                half_close(sock)
                self.assertEqual(end_of(sock), "eof")
        self.ends(eof=40, reset=20)

    def test_a_peer_that_leaves_in_the_middle_of_a_stream(self):
        """Whatever it was doing: it is one of the two, and all that it was owed is forgotten."""
        for i in range(20):
            sock = self.connect(self.server, rcvbuf=4096)
            fill(self.server, sock, pattern(MIB), quiet=0.01)
            (rst if i % 2 else lambda s: s.close())(sock)
        c = self.wait_counters(self.server, lambda c: c.accepted == 20 and c.open == 0 and c.balanced(), "none open")
        self.assertEqual(sum(c.closed.values()), 20)
        self.assertEqual(set(c.closed) - {"eof", "reset"}, set())
        self.assertEcho(self.connect(self.server), pattern(MIB))
