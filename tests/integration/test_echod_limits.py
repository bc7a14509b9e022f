# SPDX-License-Identifier: MIT
"""What bounds echod: slow readers, connections, time, descriptors."""
import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from echolab import (PATIENCE, Reader, Sender, TestCase, covers, end_of, fill, for_each_backend, half_close, not_in,
                     UNCONFINED, only, pattern, recv_exactly, recv_to_end, rst, slow, ss)

KIB, MIB = 1 << 10, 1 << 20


def fill_server(server, sock, quiet=0.5):
    """Sends until the server leaves what comes in its socket, since it can send nothing: for a while, since the kernel
    paces what it sends. All that was sent has arrived: nothing of it is tried again later."""
    piece, since = pattern(64 * KIB), time.monotonic()
    while time.monotonic() - since < slow(quiet):
        unread = int(ss("-tn", f"sport = :{server.port} and dport = :{sock.getsockname()[1]}")[0].split()[1])
        if not server.sleeps():
            since = time.monotonic()
        elif not unread:
            sock.sendall(piece)
            since = time.monotonic()


@for_each_backend
class EachUnsent(TestCase):
    """A slow reader owes memory: how much is bounded, and nothing is lost for it."""

    def stuck(self, **options):
        """How much a peer that does not read can write, and what echod then holds of it."""
        server = self.echod(workers=1, **options)
        sock = self.connect(server, rcvbuf=65536)
        data = pattern(64 * MIB)
        went = fill(server, sock, data)
        c = server.counters()
        half_close(sock)
        self.assertSame(recv_to_end(sock)[0], data[:went])
        return went, c.received - c.sent

    @only("epoll", "io_uring")
    @covers("echod", "max_unsent")
    def test_max_unsent_bounds_what_is_held_for_a_slow_reader(self):
        for limit in (4 * KIB, 8 * MIB):
            with self.subTest(limit=limit):
                self.assertEqual(self.stuck(max_unsent=limit)[1], limit)

    @only("epoll", "io_uring")
    def test_a_max_unsent_of_one_byte_is_slow_and_exact(self):
        sock = self.connect(self.echod(max_unsent=1))
        self.assertEcho(sock, pattern(3000))

    @only("epoll", "io_uring")
    def test_a_larger_max_unsent_lets_a_slow_reader_write_more(self):
        """The difference is what echod holds: here socket buffers are small, and have one size."""
        ns = self.namespace()
        for name in ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"):
            ns.sysctl(name, "4096 65536 65536")
        with ns:
            little, much = (self.stuck(max_unsent=limit, prefix=ns.prefix)[0] for limit in ("4Ki", "8Mi"))
        self.assertGreater(much - little, 7 * MIB)
        self.assertLess(much - little, 9 * MIB)

    @only("epoll", "io_uring")
    @covers("echod", "max_unsent_total")
    def test_the_pool_of_a_worker_bounds_all_its_slow_readers_together(self):
        server = self.echod(workers=1, max_unsent="1Mi", max_unsent_total="2Mi")
        socks = [self.connect(server, rcvbuf=4096) for _ in range(4)]
        data = pattern(32 * MIB)
        went = [fill(server, sock, data) for sock in socks]
        c = server.counters()
        self.assertLessEqual(c.received - c.sent, 2 * MIB)
        self.assertGreater(c.received - c.sent, MIB, "more than one of them has its share")
        self.assertGreater(c["pool_waits"], 0)
        self.assertTrue(server.err.wait_for(r"warning: max_unsent_total: \d+ receives? waited for room"), server.said())
        for sock, n in zip(socks, went):
            self.assertSame(recv_exactly(sock, n), data[:n])

    @only("epoll", "io_uring")
    def test_a_pool_that_runs_dry_delays_and_loses_nothing(self):
        server = self.echod(workers=1, max_unsent_total="4Ki")
        socks = [self.connect(server, rcvbuf=4096) for _ in range(50)]
        base = memoryview(pattern(4 * MIB + 50))
        data = [base[i:i + 4 * MIB] for i in range(50)]
        senders = [Sender(s, d, then=half_close) for s, d in zip(socks, data)]
        self.wait_counters(server, lambda c: c["pool_waits"] > 0, "the pool is dry")
        readers = [Reader(sock) for sock in socks]
        for reader, mine in zip(readers, data):
            got, how = reader.done()
            self.assertSame(got, mine)
            self.assertEqual(how, "eof")
        for sender in senders:
            sender.done()
        c = self.wait_counters(server, lambda c: c.open == 0, "none open")
        self.assertEqual((dict(c.closed), c.received, c.sent), ({"eof": 50}, 200 * MIB, 200 * MIB))

    def served(self, server):
        """One that owes nothing gets small and large echoes at once, and all of them."""
        sock = self.connect(server)
        for size in (1, 1000, 100000):
            for _ in range(10):
                self.assertEcho(sock, pattern(size))
        data = pattern(4 * MIB)
        sender = Sender(sock, data, then=half_close)
        self.assertSame(recv_to_end(sock)[0], data)
        sender.done()

    @only("epoll", "io_uring")
    def test_whoever_owes_nothing_is_served_while_one_holds_the_pool(self):
        server = self.echod(workers=1, max_unsent_total="4Ki")
        holder, data = self.connect(server, rcvbuf=4096), pattern(32 * MIB)
        went = fill(server, holder, data)
        for _ in range(3):
            self.served(server)
        half_close(holder)
        self.assertSame(recv_to_end(holder)[0], data[:went])

    @only("epoll", "io_uring")
    @not_in("valgrind")
    def test_a_full_slow_reader_that_sends_costs_no_call_and_an_echo_beside_it_three(self):
        """One holds the pool, so that echoes leave by a look, a send, and a receive of what has gone; one has a socket
        that takes nothing more, and sends on."""
        server = self.echod(workers=1, max_unsent_total="4Ki")
        holder, full, good = self.connect(server, rcvbuf=4096), self.connect(server, rcvbuf=4096), self.connect(server)
        fill(server, holder, pattern(32 * MIB))
        fill_server(server, full)
        full.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.strace(server, "recvfrom,sendto,recvmsg,sendmsg") as trace:
            for _ in range(100):
                full.sendall(b"more")
                self.assertEcho(good, b"x")  # behind it: that has been seen
            self.wait_until(server.sleeps, "the last receive is over")
        self.assertEqual(dict(trace.calls), {"recvfrom": 200, "sendto": 100})

    @only("epoll", "io_uring")
    def test_slow_readers_take_nobodys_service(self):
        """More of them than the pool has room for, or the ring has buffers: nobody has to end for that."""
        rings = ({}, {"io_uring_buffers": 4}) if self.backend == "io_uring" else ({},)
        for ring in rings:
            with self.subTest(**ring):
                server = self.echod(workers=1, max_unsent_total="1Mi", **ring)
                early, data = self.connect(server), pattern(8 * MIB)
                slow_readers = [self.connect(server, rcvbuf=4096) for _ in range(24)]
                went = [fill(server, sock, data, quiet=0.05) for sock in slow_readers]
                for _ in range(3):
                    self.served(server)
                self.assertEcho(early, pattern(1000))
                c = server.counters()
                self.assertGreater(c["pool_waits"], 0)
                self.assertEqual(dict(c.closed), {"eof": 3})
                for sock, n in zip(slow_readers, went):
                    self.assertSame(recv_exactly(sock, n), data[:n])


@for_each_backend
class EachConnections(TestCase):
    def alive(self, socks):
        """Those of them that are still served."""
        alive = []
        for sock in socks:
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"x")
                if sock.recv(1) == b"x":
                    alive.append(sock)
        return alive

    @covers("echod", "max_conns")
    def test_one_too_many_takes_the_place_of_the_one_that_was_idle_longest(self):
        server = self.echod(max_conns=3)
        held = []
        for _ in range(3):
            held.append(self.connect(server))
            self.assertEcho(held[-1], b"in")
            time.sleep(0.15)  # so long idle that it is not taken for busy
        self.assertEcho(held[0], b"the first is not the one that was idle longest")
        new = self.connect(server)
        self.assertEcho(new, b"in")
        self.assertEqual(end_of(held.pop(1)), "eof")
        c = self.wait_counters(server, lambda c: c.open == 3, "one has ended")
        self.assertEqual((c.accepted, dict(c.closed)), (4, {"shed": 1}))
        self.assertTrue(server.err.wait_for("warning: max_conns: 1 connection ended or turned away"), server.said())
        self.assertEqual(self.alive([*held, new]), [*held, new])

    def test_nobody_ends_below_the_limit(self):
        server = self.echod(max_conns=3)
        held = [self.connect(server) for _ in range(3)]
        time.sleep(0.3)  # not for an event: nothing happens
        held.pop().close()
        self.wait_counters(server, lambda c: c.open == 2, "one has left")
        held.append(self.connect(server))
        self.assertEqual(self.alive(held), held)
        self.assertEqual(dict(server.counters().closed), {"eof": 1})

    def test_one_that_is_owed_bytes_ends_with_a_reset(self):
        server = self.echod(max_conns=1)
        slow_reader = self.connect(server, rcvbuf=4096)
        fill_server(server, slow_reader)  # a kernel that has more to send goes on trying, and that is no idle peer
        self.assertEcho(self.connect(server), b"in")
        # another worker may end it, and later: until then we must not take what it is owed
        c = self.wait_counters(server, lambda c: c.balanced() and c.closed["shed"] == 1, "it is shed")
        self.assertEqual(c.open, 1)
        self.assertEqual(recv_to_end(slow_reader)[1], "ECONNRESET")

    def test_where_all_are_busy_newcomers_are_let_in_one_by_one(self):
        """At once as many as a small burst, then a hundred a second: others are turned away."""
        options = {} if self.backend == "fork" else {"workers": 1}
        server = self.echod(max_conns=4, **options)
        working, stop = [self.connect(server) for _ in range(4)], threading.Event()
        echoed = [threading.Thread(target=self.work, args=(sock, stop)) for sock in working]
        for thread in echoed:
            thread.start()
        came, served = time.monotonic(), 0
        for _ in range(300):
            sock = self.connect(server)
            served += len(self.alive([sock]))
            sock.close()
        took = time.monotonic() - came
        stop.set()
        for thread in echoed:
            thread.join()
        c = self.wait_counters(server, lambda c: c.balanced() and c.accepted == 304, "all have come")
        self.assertGreater(served, 0)
        self.assertLessEqual(c.closed["shed"] - (300 - served), 64 + 100 * took + 1)

    def work(self, sock, stop):
        with contextlib.suppress(ConnectionError):
            while not stop.is_set():
                self.assertEcho(sock, b"busy")

    def test_the_limit_is_for_all_workers_and_addresses_together(self):
        if self.backend == "fork":
            server = self.echod(max_conns=10, listen=["127.0.0.1:0", "[::1]:0"])
        else:
            server = self.echod(max_conns=10, workers=4, listen=["127.0.0.1:0", "[::1]:0"])
        socks = []
        for i in range(40):
            socks.append(self.connect(server.addrs[i % 2]))
            self.assertEcho(socks[-1], b"in")
        c = self.wait_counters(server, lambda c: c.open == 10 and c.balanced(), "as many as may be")
        self.assertEqual((c.accepted, dict(c.closed)), (40, {"shed": 30}))
        self.assertEqual(len(self.alive(socks)), 10)

    @only("epoll", "io_uring")
    def test_the_one_that_was_idle_longest_ends_whichever_worker_has_it(self):
        server = self.echod(max_conns=8, workers=4)
        held = []
        for _ in range(8):
            held.append(self.connect(server))
            self.assertEcho(held[-1], b"in")
            time.sleep(0.05)  # apart, in the kernel's clock
        new = []
        for i in range(8):
            new.append(self.connect(server))
            self.assertEcho(new[-1], b"in")
            ended, *others = [*held, *new][i:]
            self.assertEqual(end_of(ended), "eof")
            self.assertEqual(select.select(others, [], [], 0)[0], [], "it alone")
        self.assertEqual(dict(server.counters().closed), {"shed": 8})


@for_each_backend
class EachTime(TestCase):
    @covers("echod", "idle_timeout")
    def test_a_silent_peer_is_closed(self):
        server = self.echod(idle_timeout="300ms")
        sock = self.connect(server)
        began = time.monotonic()
        self.assertEqual(end_of(sock), "eof")
        self.assertGreater(time.monotonic() - began, 0.29)
        sock.close()
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "closed")
        self.assertEqual(dict(c.closed), {"idle_timeout": 1})

    def test_silence_is_counted_from_the_last_byte(self):
        server = self.echod(idle_timeout="1s")
        sock = self.connect(server)
        began = time.monotonic()
        while time.monotonic() - began < 0.6:
            last = time.monotonic()
            self.assertEcho(sock, b"x")
        self.assertEqual(end_of(sock), "eof")
        self.assertGreater(time.monotonic() - last, 0.99)

    def test_a_peer_that_takes_nothing_is_reset(self):
        server, data = self.echod(idle_timeout="1s"), pattern(64 * MIB)
        sock = self.connect(server, rcvbuf=65536)
        try:
            fill(server, sock, data, quiet=20)
            how = end_of(sock)
        except ConnectionError:
            how = "ECONNRESET"
        self.assertEqual(how, "ECONNRESET")
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "closed")
        self.assertEqual(dict(c.closed), {"stalled": 1})
        self.assertTrue(server.err.wait_for("warning: idle_timeout: 1 connection ended: its peer took nothing"), server.said())

    def test_a_peer_that_reads_slowly_all_the_time_is_no_stalled_one(self):
        """The socket alone owes it more than it takes in many times idle_timeout; what it acknowledges is progress."""
        server = self.echod(idle_timeout=f"{slow(1):g}s")  # filling the socket must take less
        sock = self.connect(server, rcvbuf=8192)
        data = pattern(1 * MIB)
        went = fill(server, sock, data, quiet=0.1)
        got = 0
        for _ in range(35):  # for more than three times as long as it may be silent
            got += len(recv_exactly(sock, 8192))
            time.sleep(slow(0.1))  # its pace, no waiting for an event
        half_close(sock)
        rest, how = recv_to_end(sock)
        self.assertEqual((got + len(rest), how), (went, "eof"))
        self.assertSame(rest, data[got:went])
        sock.close()
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "closed")
        self.assertEqual(dict(c.closed), {"eof": 1})

    def test_a_peer_that_is_owed_bytes_and_stops_reading_is_stalled_in_time(self):
        server = self.echod(idle_timeout="1s")
        sock = self.connect(server, rcvbuf=8192)
        fill(server, sock, pattern(1 * MIB), quiet=0.1)
        began = time.monotonic()
        c = self.wait_counters(server, lambda c: c.accepted == 1 and c.open == 0, "closed")
        self.assertEqual(dict(c.closed), {"stalled": 1})
        self.assertLess(time.monotonic() - began, slow(3))
        self.assertEqual(recv_to_end(sock)[1], "ECONNRESET")

    def test_off_means_never(self):
        server = self.echod(config="[server]\nidle_timeout = off\n")
        idle = self.connect(server)
        timed = self.connect(self.echod(idle_timeout="1s"))
        self.assertEqual(end_of(timed), "eof")
        self.assertEcho(idle, b"x")


@for_each_backend
class EachDescriptors(TestCase):
    """Out of descriptors: nobody is left waiting, nothing spins, service comes back."""
    LIMIT = 40

    def setUp(self):
        options = {} if self.backend == "fork" else {"workers": 1}
        self.server = self.echod(prefix=["prlimit", f"--nofile={self.LIMIT}:{self.LIMIT}"], **options)
        self.socks = []

    def has_written(self):
        """Whether it has let go of the descriptors by which it writes a line (base/output.c)."""
        links = {}
        for path in Path(f"/proc/{self.server.pid}/fd").iterdir():
            try:
                links[int(path.name)] = os.readlink(path)
            except FileNotFoundError:
                return False  # it is closing one
        again = [at for fd, at in links.items() if fd > 2 and at in (links.get(1), links.get(2))]
        return len(again) <= (0 if UNCONFINED else 2) and sum("signalfd" in at for at in links.values()) <= 1

    def exhaust(self):
        """Connects until it cannot serve one more. Returns those that it serves."""
        self.wait_until(self.has_written, "a descriptor that it gives back later would serve one more")
        for _ in range(2 * self.LIMIT):
            sock = self.connect(self.server)
            try:
                sock.sendall(b"x")
                if sock.recv(1) != b"x":
                    return
            except ConnectionError:
                return
            self.socks.append(sock)
        self.fail("it has descriptors without end")

    @only("epoll", "io_uring")
    @not_in("valgrind")  # it closes what is over the limit itself, before echod sees it
    def test_peers_beyond_are_closed_and_service_comes_back(self):
        self.exhaust()
        for _ in range(3):
            extra = self.connect(self.server)
            self.assertIn(end_of(extra), ("eof", "ECONNRESET"))
        c = self.wait_counters(self.server, lambda c: c.closed["local_limit"] >= 4, "those are counted")
        self.assertGreater(c["accept_errors"], 0)
        for sock in self.socks:
            self.assertEcho(sock, b"still served")
        for sock in self.socks[:5]:
            sock.close()
        self.wait_counters(self.server, lambda c: c.closed["eof"] == 5, "five have left")
        self.assertEcho(self.connect(self.server), b"the next")
        self.wait_counters(self.server, lambda c: c.balanced(), "balanced")

    @only("epoll", "io_uring")
    @not_in("valgrind")
    def test_it_does_not_spin(self):
        self.exhaust()
        with self.strace(self.server) as trace:
            waiting = []
            end = time.monotonic() + 2  # not for an event: what is measured is that nothing happens
            while time.monotonic() < end:
                waiting.append(self.connect(self.server))
                time.sleep(0.2)  # its pace
        self.assertLess(sum(trace.calls.values()), 500, trace.calls)
        for sock in waiting:
            self.assertIn(end_of(sock), ("eof", "ECONNRESET"))

    @only("epoll", "io_uring")
    @not_in("valgrind")
    def test_it_does_not_spin_without_its_reserve(self):
        """The limit falls below what it has open: not even the descriptor kept in reserve can be had again."""
        self.exhaust()
        subprocess.run(["prlimit", f"--pid={self.server.pid}", "--nofile=5:"], check=True)
        first = self.connect(self.server)
        with self.strace(self.server) as trace:
            socks = [self.connect(self.server) for _ in range(5)]
            time.sleep(2)  # not for an event: what is measured is that nothing happens
        self.assertLess(sum(trace.calls.values()), 500, trace.calls)
        subprocess.run(["prlimit", f"--pid={self.server.pid}", f"--nofile={self.LIMIT}:"], check=True)
        for sock in self.socks:
            sock.close()
        self.wait_counters(self.server, lambda c: c.closed["eof"] == len(self.socks), "they have left")
        self.assertEcho(self.connect(self.server), b"the next")
        del first, socks

    @covers("echod", "backlog")
    def test_backlog_is_what_the_listener_shows(self):
        server = self.echod(backlog=123)
        lines = self.ss_listeners(server)
        self.assertTrue(lines)
        for line in lines:
            self.assertEqual(line.split()[2], "123", line)  # Send-Q

    def ss_listeners(self, server):
        return ss("-ltn", f"sport = :{server.port}")

    def test_a_full_backlog_is_served_later(self):
        """A stopped echod's peers wait in the queue; all are served when it goes on."""
        server = self.echod(backlog=50)
        server.send_signal(signal.SIGSTOP)
        socks = [self.connect(server) for _ in range(20)]
        for i, sock in enumerate(socks):
            sock.sendall(pattern(100, i))
        server.send_signal(signal.SIGCONT)
        for i, sock in enumerate(socks):
            self.assertSame(recv_exactly(sock, 100), pattern(100, i))


@for_each_backend
class EachWorkersDescriptors(TestCase):
    """Workers want the same last descriptors: what one gives up to turn a peer away another one may take."""
    PEERS = 400

    def fates(self, server):
        """What each of many peers is told: b"x" (served), b"" (an end). All of them are told something."""
        waiting, fates = select.poll(), {}
        socks = {}
        for _ in range(self.PEERS):
            sock = self.connect(server)
            socks[sock.fileno()] = sock
            waiting.register(sock, select.POLLIN)
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"x")
        deadline = time.monotonic() + slow(PATIENCE)
        while len(fates) < self.PEERS and time.monotonic() < deadline:
            for fd, _ in waiting.poll(1000):
                waiting.unregister(fd)
                try:
                    fates[socks[fd]] = socks[fd].recv(1)
                except ConnectionError:
                    fates[socks[fd]] = b""
        self.assertEqual(self.PEERS - len(fates), 0, f"hang; {server.said()}")
        return fates

    def every_peer_is_told(self, workers, **options):
        server = self.echod(prefix=["prlimit", "--nofile=64:64"], workers=workers, shutdown="close", **options)
        fates = self.fates(server)
        served = [sock for sock, fate in fates.items() if fate]
        self.assertGreater(len(served), 10)
        for sock in served:
            self.assertEcho(sock, b"still served")
        for sock in fates:
            sock.close()
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "all have left")
        self.assertEqual(c.closed["local_limit"], self.PEERS - len(served), c)
        self.assertEcho(self.connect(server), b"the next")
        self.assertEqual(server.stop(), 0)

    @only("epoll", "io_uring")
    @not_in("valgrind")  # it closes what is over the limit itself, before echod sees it
    def test_every_peer_beyond_is_turned_away(self):
        for workers in (2, 4) * 4:
            with self.subTest(workers=workers):
                self.every_peer_is_told(workers)

    @only("epoll", "io_uring")
    @not_in("valgrind", "tsan")  # which knows of one table of descriptors only
    def test_every_peer_beyond_is_turned_away_where_each_worker_has_its_own(self):
        self.every_peer_is_told(4, own_descriptors="on")
