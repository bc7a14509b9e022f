# SPDX-License-Identifier: MIT
"""How echod stops: what its peers see, and what it says to whoever started it."""
import signal
import time

from echolab import (BIN, SANITIZERS, TestCase, covers, end_of, fill, for_each_backend, half_close, not_in, only,
                     pattern, recv_to_end, ss)

MIB = 1 << 20


@for_each_backend
class EachDrain(TestCase):
    """shutdown = drain T: what was read is answered, then FIN."""

    @covers("echod", "shutdown")
    def test_what_is_owed_is_delivered_before_the_fin(self):
        server = self.echod(shutdown="drain 60s")
        sock = self.connect(server, rcvbuf=65536)
        data = pattern(64 * MIB)
        went = fill(server, sock, data)
        server.send_signal(signal.SIGTERM)
        got, how = recv_to_end(sock)
        self.assertEqual(how, "eof")
        self.assertSame(got, data[:len(got)])
        self.assertGreater(len(got), 65536)
        sock.close()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.final.closed["shutdown"], 1)
        self.assertEqual(server.final.sent, len(got))
        self.assertLessEqual(len(got), went)

    def test_an_idle_peer_gets_its_fin_at_once(self):
        server = self.echod(shutdown="drain 60s")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        sock.close()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})

    def test_what_a_peer_still_sends_does_not_reset_it(self):
        """After our FIN it reads on, so that no RST overtakes what the peer has not read yet."""
        server = self.echod(shutdown="drain 60s")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(sock.recv(1), b"")
        for _ in range(20):
            sock.sendall(pattern(10000))
        half_close(sock)
        self.assertEqual(end_of(sock), "eof")
        self.assertEqual(server.wait(), 0)

    def test_new_peers_are_refused(self):
        server = self.echod(shutdown="drain 60s")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(sock.recv(1), b"")  # it drains; another worker may still accept, to drain that too
        self.wait_until(lambda: self.deaf(server), "nobody listens")
        self.assertNobodyHome(server.addr)
        self.assertTrue(server.running())
        sock.close()
        self.assertEqual(server.wait(), 0)

    def test_those_in_the_queue_are_accepted_first(self):
        server = self.echod(shutdown="drain 60s")
        server.send_signal(signal.SIGSTOP)
        socks = [self.connect(server) for _ in range(20)]
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGCONT)
        self.assertEqual([end_of(s) for s in socks], ["eof"] * 20)
        for sock in socks:
            sock.close()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(dict(server.final.closed), {"shutdown": 20})

    def test_the_deadline_cuts_off_a_slow_reader(self):
        server = self.echod(shutdown="drain 500ms")
        sock = self.connect(server, rcvbuf=4096)
        fill(server, sock, pattern(64 * MIB))
        began = time.monotonic()
        self.assertEqual(server.stop(timeout=20), 0)
        self.assertGreater(time.monotonic() - began, 0.49)
        self.assertEqual(end_of(sock), "ECONNRESET")
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})
        self.assertIn("shutdown: 1 connection cut off: its time to drain was over", server.err.text)

    def test_the_deadline_ends_a_peer_that_never_closes(self):
        server = self.echod(shutdown="drain 300ms")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})
        self.assertIn("shutdown: 1 connection cut off: its time to drain was over", server.err.text)

    def test_with_nobody_there_it_ends_at_once(self):
        server = self.echod(shutdown="drain 60s")
        self.assertEqual(server.stop(), 0)
        self.assertNobodyHome(server.addr)

    def test_interrupt_is_the_same(self):
        server = self.echod(shutdown="drain 60s")
        self.assertEqual(server.stop(signal.SIGINT), 0)

    def test_the_second_signal_ends_it_at_once(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            server = self.echod(shutdown="drain 3600s")
            sock = self.connect(server, rcvbuf=4096)
            fill(server, sock, pattern(64 * MIB))
            server.send_signal(signal.SIGTERM)
            self.wait_until(lambda: self.deaf(server), "it drains")
            self.assertEqual(server.stop(number), code)
            self.assertEqual(server.children(), [])

    def deaf(self, server):
        """Asks ss: a connection would be one more to drain."""
        return not ss("-ltn", f"sport = :{server.port}")


@for_each_backend
class EachOther(TestCase):
    """The other ways that `shutdown` knows."""

    def served(self, how):
        server = self.echod(shutdown=how)
        socks = [self.connect(server) for _ in range(5)]
        for sock in socks:
            self.assertEcho(sock, b"x")
        return server, socks

    def test_close_ends_all_with_a_fin(self):
        server, socks = self.served("close")
        self.assertEqual(server.stop(), 0)
        self.assertEqual([end_of(s) for s in socks], ["eof"] * 5)
        self.assertEqual(dict(server.final.closed), {"shutdown": 5})

    def test_reset_ends_all_with_a_reset(self):
        server, socks = self.served("reset")
        self.assertEqual(server.stop(), 0)
        self.assertEqual([end_of(s) for s in socks], ["ECONNRESET"] * 5)
        self.assertEqual(dict(server.final.closed), {"shutdown": 5})

    def test_default_dies_as_a_program_that_handles_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server, _ = self.served("default")
            self.assertEqual(server.stop(number), -number)

    def test_ignore_survives(self):
        server, socks = self.served("ignore")
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.counters().open, 5)  # a later signal than those
        for sock in socks:
            self.assertEcho(sock, b"still here")
        self.assertEcho(self.connect(server), b"new ones too")
        self.assertTrue(server.running())
        self.assertEqual(server.kill9(), -9)

    def test_counters_on_request_and_at_the_end(self):
        server, socks = self.served("close")
        for sock in socks:
            self.assertEcho(sock, pattern(1000))
        c = self.wait_counters(server, lambda c: c.sent == 5 * 1001, "all is counted")
        self.assertEqual((c.accepted, c.open), (5, 5))
        self.assertEqual(server.stop(), 0)
        c = server.final
        self.assertEqual((c.accepted, c.open, c.received, c.sent), (5, 0, 5 * 1001, 5 * 1001))
        self.assertTrue(c.balanced())


@for_each_backend
class EachDebt(TestCase):
    """It ends at once while it owes bytes that it has read: nobody may take the part that comes for all of it."""

    def owing(self, size, **options):
        """A server that has read all that a peer sent, and could not give all of it back."""
        server = self.echod(**options)
        sock = self.connect(server, rcvbuf=4096)
        sock.sendall(pattern(size))
        c = self.wait_counters(server, lambda c: c.received == size, "it has read all")
        self.assertLess(c.sent, size)
        return server, sock

    def cut_off(self, server, sock, size):
        got, how = recv_to_end(sock)
        self.assertSame(got, pattern(size)[:len(got)])
        self.assertLess(len(got), size)
        self.assertEqual(how, "ECONNRESET")
        self.assertEqual(server.children(), [])

    def close(self, size, **options):
        server, sock = self.owing(size, shutdown="close", **options)
        self.assertEqual(server.stop(), 0)
        self.cut_off(server, sock, size)
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})

    def second_signal(self, size, **options):
        server, sock = self.owing(size, shutdown="drain 3600s", **options)
        server.send_signal(signal.SIGTERM)
        self.wait_until(lambda: not ss("-ltn", f"sport = :{server.port}"), "it drains")
        self.assertEqual(server.stop(), 143)
        self.cut_off(server, sock, size)

    LARGE = {"size": 16 * MIB, "max_unsent": "64Mi", "max_unsent_total": "128Mi"}
    # one segment, half of the first window, and so one receive of the child, of which the socket takes a part
    PIECE = {"size": 30000, "env": {"LD_PRELOAD": BIN / "preload" / "fault.so", "ECHOLAB_SNDBUF": 4608}}

    @only("epoll", "io_uring")
    def test_close_with_bytes_owed_is_a_reset(self):
        self.close(**self.LARGE)

    @only("epoll", "io_uring")
    def test_the_second_signal_with_bytes_owed_is_a_reset(self):
        self.second_signal(**self.LARGE)

    @only("fork")
    @not_in(*SANITIZERS, "valgrind")
    def test_close_with_bytes_owed_is_a_reset_of_the_childs(self):
        self.close(**self.PIECE)

    @only("fork")
    @not_in(*SANITIZERS, "valgrind")
    def test_the_second_signal_with_bytes_owed_is_a_reset_of_the_childs(self):
        self.second_signal(**self.PIECE)
