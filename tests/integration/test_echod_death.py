# SPDX-License-Identifier: MIT
"""echod is killed with clients connected: each of them learns it, and the next echod takes over at once."""
import os
import signal

from echolab import Reader, TestCase, fill, for_each_backend, half_close, pattern, rst


@for_each_backend
class Each(TestCase):
    def kill(self, server):
        """All of it: what its children serve is not its own death (test_fork)."""
        pids = server.children()
        server.kill9()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def test_two_hundred_clients_each_see_the_end(self):
        server = self.echod()
        socks = [self.connect(server) for _ in range(200)]
        for i, sock in enumerate(socks):
            self.assertEcho(sock, pattern(100, i))
        for i, sock in enumerate(socks):  # a third idle, a third in the middle of an echo, a third stuck
            if i % 3 == 1:
                sock.sendall(pattern(1000, i))
            elif i % 3 == 2:
                sock.setblocking(False)
                try:
                    sock.send(pattern(1 << 20, i))
                except BlockingIOError:
                    pass
                sock.settimeout(60)
        readers = [Reader(sock) for sock in socks]
        self.kill(server)
        ends = [reader.done() for reader in readers]
        for i, (got, how) in enumerate(ends):
            self.assertIn(how, ("eof", "ECONNRESET"))
            if i % 3 == 0:
                self.assertEqual((got, how), (b"", "eof"))
            else:
                self.assertSame(got, pattern(1000 if i % 3 == 1 else 1 << 20, i)[:len(got)])

    def test_it_starts_again_at_once_with_connections_in_every_state(self):
        server = self.echod()
        socks = [self.connect(server, rcvbuf=4096) for _ in range(8)]
        for sock in socks:
            self.assertEcho(sock, b"x")
        half_close(socks[0])        # ours closed first
        socks[1].close()
        rst(socks[2])
        fill(server, socks[3], pattern(8 << 20), quiet=0.1)  # it owes
        socks[4].sendall(b"unread, perhaps")
        self.kill(server)
        again = self.echod(listen=f"127.0.0.1:{server.port}")
        self.assertEcho(self.connect(again), pattern(100000))
        self.kill(again)            # and with those that its death left in TIME-WAIT and FIN-WAIT
        self.assertEcho(self.connect(self.echod(listen=f"127.0.0.1:{server.port}")), b"x")

    def test_ten_times_in_a_row(self):
        server = self.echod()
        for _ in range(10):
            for _ in range(5):
                self.assertEcho(self.connect(server), b"x")
            self.kill(server)
            server = self.echod(listen=f"127.0.0.1:{server.port}")
        self.assertEcho(self.connect(server), b"x")
