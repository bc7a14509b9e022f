# SPDX-License-Identifier: MIT
"""What echod's options do to its sockets, threads and system calls, as the kernel shows it."""
import os
import re
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

from echolab import USAGE, TestCase, covers, for_each_backend, not_in, only, pattern, ss

CPUS = sorted(os.sched_getaffinity(0))


@for_each_backend
class EachSocket(TestCase):
    def accepted(self, server, *flags):
        """What ss says of the server's side of its one connection."""
        lines = ss("-t", *flags, "state", "established", f"sport = :{server.port}")
        text = " ".join(line.strip() for line in lines)
        self.assertTrue(text, "no connection in ss")
        return text

    @covers("echod", "keepalive")
    def test_keepalive_is_on_at_accepted_connections(self):
        server = self.echod(keepalive="90s/7s/3")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        # the timer of an idle connection is shown only if it is the keepalive timer; data may hold it for a while
        seconds = self.wait_until(lambda: re.search(r"timer:\(keepalive,(1min)?(\d+)", self.accepted(server, "-o")),
                                  "a keepalive timer")
        self.assertEqual(seconds[1], "1min")
        plain = self.echod()
        self.assertEcho(self.connect(plain), b"x")
        self.assertNotIn("keepalive", self.accepted(plain, "-o"))

    def test_keepalive_finds_a_peer_that_has_vanished(self):
        lab = self.lab()
        server = self.echod(listen="10.77.2.2:0", prefix=lab.server.prefix, keepalive="1s/1s/2")
        with lab.client:
            sock = self.connect(server)
        self.assertEcho(sock, b"x")
        lab.blackhole()
        began = time.monotonic()
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "the peer is given up")
        self.assertEqual(dict(c.closed), {"timeout_tcp": 1})
        self.assertGreater(time.monotonic() - began, 2)

    @covers("echod", "user_timeout")
    def test_user_timeout_ends_a_peer_that_vanished_with_bytes_in_flight(self):
        lab = self.lab()
        server = self.echod(listen="10.77.2.2:0", prefix=lab.server.prefix, user_timeout="1s")
        with lab.client:
            sock = self.connect(server, rcvbuf=4096)
        self.assertEcho(sock, b"x")
        # much unsent at the server when the path goes: without the option it would try for a quarter of an hour
        sock.setblocking(False)
        try:
            for _ in range(1000):
                sock.send(pattern(65536))
        except BlockingIOError:
            pass
        self.wait_until(lambda: int(self.in_namespace(lab.server, server).split()[1]) > 0, "bytes wait to be sent")
        lab.blackhole()
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "the peer is given up")
        self.assertEqual(dict(c.closed), {"timeout_tcp": 1})

    def in_namespace(self, namespace, server, *flags):
        """The server's side of its connection: state left out, Recv-Q, Send-Q, ..."""
        out = subprocess.run([*namespace.prefix, "ss", "-tnH", *flags, "state", "established", f"sport = :{server.port}"],
                             capture_output=True, text=True, check=True).stdout
        self.assertTrue(out)
        return out

    @covers("echod", "congestion")
    def test_congestion_control_of_accepted_connections(self):
        offered = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()
        for name in offered:
            server = self.echod(congestion=name)
            self.assertEcho(self.connect(server), b"x")
            self.assertRegex(self.accepted(server, "-i"), rf"\b{name}\b")

    def test_nagle_is_off(self):
        """Two small echoes in a row: the second goes out though nobody has acknowledged the first."""
        lab = self.lab()
        # nothing is sent again: a loss probe would take along what Nagle holds back, and a timeout would close the window
        lab.server.run("sysctl -q -w net.ipv4.tcp_early_retrans=0", "ip route change default via 10.77.2.1 rto_min 100s")
        server = self.echod(listen="10.77.2.2:0", prefix=lab.server.prefix)
        with lab.client:
            sock = self.connect(server)
        self.assertEcho(sock, b"x")
        lab.router.run("ip route add blackhole 10.77.1.2/32")  # the way back
        for n, byte in ((1, b"a"), (2, b"b")):
            sock.sendall(byte)
            self.wait_until(lambda n=n: re.search(rf"\bunacked:{n}\b", self.in_namespace(lab.server, server, "-i")),
                            f"{n} on the wire, none acknowledged")

    @covers("echod", "backend")
    @not_in("valgrind")
    def test_the_backend_is_seen_in_its_system_calls(self):
        """The same from the command line and from the file."""
        for options in ({}, {"config": f"[server]\nbackend = {self.backend}\n", "backend": None}):
            server = self.echod(**options)
            self.assertEqual(server.backend, self.backend)
            sock = self.connect(server)
            self.assertEcho(sock, b"x")
            with self.strace([server.pid, *server.children()]) as trace:  # the first few may not be seen
                for _ in range(20):
                    self.assertEcho(sock, b"x")
            if self.backend == "epoll":
                self.assertGreaterEqual(trace.calls["epoll_wait"], 15, trace.calls)
            elif self.backend == "fork":
                self.assertGreaterEqual(trace.calls["read"] + trace.calls["recvfrom"], 15, trace.calls)
                self.assertEqual(trace.calls["epoll_wait"], 0, trace.calls)
            else:
                self.assertGreaterEqual(trace.calls["io_uring_enter"], 15, trace.calls)
                self.assertEqual(trace.calls["recvfrom"], 0, trace.calls)

    @only("epoll", "io_uring")
    @covers("echod", "busy_poll")
    @not_in("valgrind")
    def test_busy_poll_looks_often_before_it_sleeps(self):
        """Between echoes there is time to look in: with it, it does so many times, without it, it sleeps once."""
        counts = []
        for value in ("off", "5ms"):
            server = self.echod(busy_poll=value, workers=1)
            sock = self.connect(server)
            self.assertEcho(sock, b"x")
            with self.strace(server, "epoll_wait,io_uring_enter") as trace:
                for _ in range(20):
                    self.assertEcho(sock, b"x")
                    time.sleep(0.01)  # the time to look in
            counts.append(sum(trace.calls.values()))
        self.assertLess(counts[0], 100)
        self.assertGreater(counts[1], 2 * counts[0])

    @only("epoll", "io_uring")
    @not_in("valgrind", "tsan")  # tsan has a thread of its own, which wakes up
    def test_busy_poll_auto_leaves_an_idle_worker_asleep(self):
        server = self.echod(busy_poll="auto", workers=1)
        sock = self.connect(server)
        until = time.monotonic() + 0.3  # it has begun to try by then
        while time.monotonic() < until:
            self.assertEcho(sock, b"x")
        self.wait_until(server.sleeps, "it sleeps")
        switches = [server.switches(t) for t in server.threads()]
        time.sleep(1)  # the time in which nothing comes
        self.assertEqual([server.switches(t) for t in server.threads()], switches)
        self.assertEcho(sock, b"x")

    @only("epoll", "io_uring")
    @covers("echod", "own_descriptors")
    @not_in("tsan")  # to it a number is the same descriptor in every thread, and it has a thread of its own
    def test_a_table_of_descriptors_for_each_worker(self):
        for own in ("off", "on"):
            with self.subTest(own_descriptors=own):
                server = self.echod(own_descriptors=own, workers=2, shutdown="drain 60s")
                socks = [self.connect(server) for _ in range(20)]
                for sock in socks:
                    self.assertEcho(sock, b"x")
                held = [server.sockets(t) for t in server.threads() if t != server.pid]
                if own == "off":
                    self.assertEqual(held, [22, 22])
                else:  # each has its own connections and its own listener; main has neither
                    self.assertEqual((sum(held), server.sockets()), (22, 0), held)
                server.send_signal(signal.SIGTERM)
                for sock in socks:
                    self.assertEqual(sock.recv(1), b"")
                # nobody holds a copy of a listener: while the peers are still there, no other may come
                self.wait_until(lambda: self.dial(server) != 0, "new peers are refused")
                for sock in socks:
                    sock.close()
                self.assertEqual(server.wait(), 0)

    @only("epoll", "io_uring")
    @covers("echod", "balance")
    def test_connections_are_given_to_the_worker_that_has_fewer(self):
        for workers, count, most in ((2, 64, 0.55 * 64), (8, 16, 4)):
            with self.subTest(workers=workers):
                server = self.echod(workers=workers, balance="least", max_conns=100)
                socks = [self.connect(server) for _ in range(count)]
                for sock in socks:
                    self.assertEcho(sock, b"x" * 100)
                c = server.counters()
                open_ = [w.open for w in c.workers]
                self.assertEqual(sum(open_), count, c)
                self.assertLessEqual(max(open_), most, c)
                self.assertTrue(c.balanced(), c)
                server.send_signal(signal.SIGTERM)
                for sock in socks:
                    self.assertEqual(sock.recv(1), b"")
                    sock.close()
                self.assertEqual(server.wait(), 0)
        r = self.run_echod(balance="least", own_descriptors=True)
        self.assertEqual((r.code, r.out), (USAGE, ""), r)
        self.assertIn("--own-descriptors: no other worker could get them", r.err)

    def dial(self, server):
        """The errno of an attempt to connect."""
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", server.port))

    @only("epoll")
    @covers("echod", "epoll_buffer")
    @not_in("valgrind")
    def test_epoll_buffer_is_the_size_of_a_receive(self):
        server = self.echod("--epoll-buffer=12345", workers=1)
        sock = self.connect(server)
        with self.strace(server, "recvfrom", counts=False) as trace:
            self.assertEcho(sock, pattern(300000))
        sizes = [int(m[1]) for m in re.finditer(r', (\d+), 0, NULL, NULL\) = \d', "\n".join(trace.lines))]
        self.assertIn(12345, sizes)
        self.assertLessEqual(max(sizes), 12345)


@for_each_backend
class EachThread(TestCase):
    def listeners(self, server):
        return ss("-ltn", f"sport = :{server.port}")

    @only("epoll", "io_uring")
    @covers("echod", "workers")
    def test_each_worker_has_a_thread_and_a_listener(self):
        for n in (1, 3):
            server = self.echod(workers=n)
            self.assertEqual(server.workers, n)
            self.assertEqual(len(self.listeners(server)), n)
            self.assertGreaterEqual(len(server.threads()), n + 1)  # io_uring and sanitizers may have more
            self.assertEqual(len(server.counters().workers), n)

    @only("epoll", "io_uring")
    def test_connections_are_spread_over_the_workers(self):
        server = self.echod(workers=2)
        for _ in range(100):
            self.connect(server)
        c = self.wait_counters(server, lambda c: c.accepted == 100, "100 accepted")
        for worker in c.workers:
            self.assertGreater(worker["connections_accepted"], 10)

    @only("epoll", "io_uring")
    def test_by_default_a_worker_for_each_cpu_it_may_use(self):
        self.assertEqual(self.echod().workers, len(CPUS))
        self.assertEqual(self.echod(prefix=["taskset", "-c", str(CPUS[-1])]).workers, 1)

    @covers("echod", "cpus")
    def test_cpus_pins_the_workers(self):
        server = self.echod(cpus=CPUS[-1])
        self.assertEqual(server.workers, 1)
        self.assertEcho(self.connect(server), b"x")  # so it has begun
        where = [sorted(os.sched_getaffinity(t)) for t in [*server.threads(), *server.children()]]
        self.assertIn([CPUS[-1]], where)

    @only("epoll", "io_uring")
    @unittest.skipIf(len(CPUS) < 2, "one CPU")
    def test_cpus_are_given_in_turn(self):
        server = self.echod(cpus=f"{CPUS[0]},{CPUS[1]}", workers=4)

        def pinned():
            where = [sorted(os.sched_getaffinity(t)) for t in server.threads()]
            return [where.count([cpu]) for cpu in CPUS[:2]]
        self.wait_until(lambda: pinned() == [2, 2], "two workers on each")

    def test_a_cpu_that_it_may_not_use_is_an_error(self):
        r = self.run_echod(cpus=1000)
        self.assertEqual(r.code, 2)
        self.assertRegex(r.err, r"^echod: error: .*cpus")
