# SPDX-License-Identifier: MIT
"""Limits for peers that want too much: how many, how often, how slowly. Whoever keeps to them notices nothing."""
import re
import socket
import time
import unittest

from echolab import (PATIENCE, ROOT, SANITIZERS, TestCase, covers, end_of, for_each_backend, no_namespaces, not_in, only, pattern,
                     recv_exactly, run, slow)
from loadlab import LoadCase
from reloadlab import ReloadCase


class AbuseCase(TestCase):
    def dial(self, server, source="127.0.0.1"):
        """A connection from that address."""
        sock = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        self.addCleanup(sock.close)
        sock.settimeout(slow(PATIENCE))
        sock.bind((source, 0))
        sock.connect(server.addr)
        return sock

    def served(self, server, source="127.0.0.1"):
        """A connection that is served; None: it was reset."""
        try:
            sock = self.dial(server, source)
            sock.sendall(b"x")
            if recv_exactly(sock, 1) == b"x":
                return sock
        except (ConnectionResetError, BrokenPipeError):
            return None
        raise self.failureException(f"neither served nor reset: {server.said()}")


@for_each_backend
class EachNewcomers(AbuseCase):
    @covers("echod", "max_conns_per_address")
    def test_an_address_has_no_more_than_its_share(self):
        server = self.echod(max_conns_per_address=3)
        mine = [self.served(server) for _ in range(3)]
        self.assertTrue(all(mine), server.said())
        self.assertIsNone(self.served(server))
        self.assertTrue(self.served(server, "127.0.0.2"))
        for sock in mine:
            self.assertEcho(sock, pattern(5000, 1))
        self.assertTrue(server.err.wait_for("warning: max_conns_per_address: 1 connection turned away"), server.said())
        mine.pop().close()
        self.wait_counters(server, lambda c: c.closed["eof"] + c.closed["reset"] == 1, "it has left")
        self.assertTrue(self.served(server), server.said())
        c = self.wait_counters(server, lambda c: c.balanced(), "all are counted")
        self.assertEqual((c.closed["address_limit"], c.open), (1, 4))

    def test_of_ipv6_a_64_is_one_address(self):
        if self.backend != "epoll":  # what is counted is the same for all
            return
        ns = self.namespace("ip link set lo up")
        self.add_ipv6(ns, "lo", "2001:db8:1::1/128", "2001:db8:1::2/128", "2001:db8:1:1::1/128")
        server = self.echod(listen="[2001:db8:1::1]:0", max_conns_per_address=1, prefix=ns.prefix)
        with ns:
            self.assertTrue(self.served(server, "2001:db8:1::1"), server.said())
            self.assertIsNone(self.served(server, "2001:db8:1::2"))
            self.assertTrue(self.served(server, "2001:db8:1:1::1"), server.said())

    @covers("echod", "accept_rate")
    def test_so_many_a_second_and_no_more(self):
        server = self.echod(accept_rate=5)
        began = time.monotonic()
        served = [sock for sock in (self.served(server) for _ in range(40)) if sock]
        most = 5 + 5 * (time.monotonic() - began) + 1
        self.assertGreaterEqual(len(served), 5)
        self.assertLessEqual(len(served), most)
        c = self.wait_counters(server, lambda c: c.balanced(), "all are counted")
        self.assertEqual((c.closed["rate_limit"], c.open), (40 - len(served), len(served)))
        self.wait_until(lambda: self.served(server), "its time has come")
        self.assertTrue(server.err.wait_for(r"warning: accept_rate: \d+ connections turned away"), server.said())

    def test_a_flood_of_lines_is_none(self):
        """What is turned away a thousand times is told a few times."""
        server = self.echod(max_conns_per_address=1, shutdown="close")
        kept = self.served(server)
        turned = sum(self.served(server) is None for _ in range(1000))
        self.assertEqual(turned, 1000)
        self.assertEcho(kept, pattern(5000, 1))
        server.stop()
        told = [int(n) for n in server_lines(server)]
        self.assertEqual(sum(told), 1000)
        self.assertLess(len(told), 20)


def server_lines(server):
    return re.findall(r"max_conns_per_address: (\d+) connections? turned away", server.err.text)


@for_each_backend
class EachSlow(AbuseCase):
    @only("epoll", "io_uring")
    @covers("echod", "slow_timeout")
    def test_who_takes_a_little_all_the_time_ends_nevertheless(self):
        server = self.echod(slow_timeout="400ms", idle_timeout="60s")
        slow_one = self.connect(server, rcvbuf=4096)
        quick, idle = self.connect(server), self.connect(server)
        self.assertEcho(idle, b"idle")
        ended, until = None, time.monotonic() + slow(PATIENCE)
        slow_one.setblocking(False)
        data = pattern(65536, 1)
        while not ended and time.monotonic() < until:
            self.assertEcho(quick, pattern(5000, 1))
            for step in (lambda: slow_one.send(data), lambda: slow_one.recv(64)):
                try:
                    step()
                except BlockingIOError:
                    pass
                except (ConnectionResetError, BrokenPipeError) as e:
                    ended = e
            time.sleep(0.005)  # the pace of a slow reader
        self.assertTrue(ended, server.said())
        c = self.wait_counters(server, lambda c: c.open == 2, "it has ended")
        self.assertEqual(dict(c.closed), {"slow": 1})
        self.assertEcho(quick, b"quick")
        self.assertEcho(idle, b"idle")
        self.assertTrue(server.err.wait_for("warning: slow_timeout: 1 connection ended"), server.said())


@for_each_backend
class EachReloadedLimit(AbuseCase, ReloadCase):
    """A limit that comes, changes and goes while it runs: those that are open stay, and count."""

    def change(self, server, what, **keys):
        self.assertIn(f"echod: SIGHUP: now {what}\n", self.reload(server, listen="127.0.0.1:0", **keys))

    def test_a_share_of_an_address(self):
        server = self.serve(workers=1)
        first, second = self.served(server), self.served(server)

        def shares(most):
            key = {"max_conns_per_address": most} if most else {}
            self.change(server, f"max_conns_per_address = {most or 'off'}", workers=1, **key)
            self.assertServes(first, *open_ones)
        open_ones = [second]
        shares(3)
        open_ones.append(self.served(server))
        self.assertIsNone(self.served(server))
        self.assertTrue(server.err.wait_for("warning: max_conns_per_address: 1 connection turned away"), server.said())
        self.assertTrue(self.served(server, "127.0.0.2"))
        open_ones.pop(0).close()  # one that came before anybody was counted
        self.wait_counters(server, lambda c: c.open == 3, "it has left")
        open_ones.append(self.served(server))
        self.assertIsNone(self.served(server))
        shares(5)
        open_ones += [self.served(server), self.served(server)]
        self.assertIsNone(self.served(server))
        shares(1)
        self.assertIsNone(self.served(server))
        shares(None)
        open_ones += [self.served(server) for _ in range(3)]
        shares(8)
        self.assertIsNone(self.served(server))
        shares(9)
        open_ones.append(self.served(server))
        self.assertIsNone(self.served(server))
        self.assertServes(first, *open_ones)
        for sock in (first, *open_ones):
            sock.close()
        c = self.wait_counters(server, lambda c: c.open == 1 and c.balanced(), "all are counted")
        self.assertEqual(c.closed["address_limit"], 6)

    def test_a_rate(self):
        server = self.serve()
        self.assertTrue(all(self.served(server) for _ in range(20)))
        self.change(server, "accept_rate = 2", accept_rate=2)
        began = time.monotonic()
        served = sum(bool(self.served(server)) for _ in range(40))
        self.assertLessEqual(served, 2 + 2 * (time.monotonic() - began) + 1)
        self.assertTrue(server.err.wait_for(r"warning: accept_rate: \d+ connections? turned away"), server.said())
        for rate in ({"accept_rate": 100_000}, {}):
            self.change(server, f"accept_rate = {'100k' if rate else 'off'}", **rate)
            self.assertTrue(all(self.served(server) for _ in range(20)))
        self.assertEqual(server.counters().closed["rate_limit"], 40 - served)

    @only("epoll", "io_uring")
    def test_a_time_for_slow_readers(self):
        """One that never reads; each time that the limit comes it has all of it."""
        server = self.serve()
        sock = self.connect(server, rcvbuf=4096)
        sock.setblocking(False)
        while True:  # until the server is owed, and reads no more
            try:
                sock.send(pattern(65536, 1))
            except BlockingIOError:
                c = server.counters()
                if c.received > c.sent:
                    break
        self.change(server, "slow_timeout = 1s", slow_timeout="1s")
        began = time.monotonic()
        time.sleep(0.5)  # a part of it passes
        self.change(server, "slow_timeout = off")
        time.sleep(1)  # and then more than all of it
        began = time.monotonic()
        self.change(server, "slow_timeout = 1s", slow_timeout="1s")
        self.wait_counters(server, lambda c: c.closed["slow"] == 1, "it has ended")
        self.assertGreater(time.monotonic() - began, 1)
        sock.settimeout(slow(PATIENCE))
        self.assertEqual(end_of(sock), "ECONNRESET")
        self.assertTrue(server.err.wait_for("warning: slow_timeout: 1 connection ended"), server.said())


@not_in(*SANITIZERS, "valgrind")
class Floods(TestCase):
    @unittest.skipIf(no_namespaces(), no_namespaces())
    def test_good_connections_lose_nothing(self):
        """100 of them, beside a flood of connects and one of SYNs. That they keep their rate as well is for a quiet machine
        to say: bench/floods."""
        r = run([str(ROOT / "bench/floods"), "--quick", "epoll"], timeout=60)
        found = dict(re.findall(r"(?m)^(?:ok  |MISS) epoll: (.*?)  +(\d+) ", r.out))
        for flood in ("no", "connect", "syn"):
            self.assertEqual(found[f"{flood} flood: nothing lost"], "0", r)
            self.assertGreater(int(found[f"{flood} flood: rate of 100 others"]), 0, r)
        self.assertGreater(int(found["it was a flood of SYNs"]), 0, r)
        self.assertGreater(int(found["it was a flood of connections"]), 0, r)


class Defaults(LoadCase):
    @not_in(*SANITIZERS, "valgrind")
    def test_no_default_turns_away_nine_thousand_of_one_address(self):
        server = self.echod()
        r = self.as_long_as_needed(lambda duration: self.load(server, connections=9000, duration=duration,
                                                              connect_timeout="60s", timeout="60s"),
                                   lambda r: r["connections"]["reached"] == 9000, 1)
        self.assertEqual(r.code, 0, r)
        self.assertEqual(r["connections"]["failed"], 0, r)
        self.assertAllEchoed(r, r["messages"]["sent"])
        c = self.wait_counters(server, lambda c: c.open == 0, "all have left")
        self.assertEqual(dict(+c.closed), {"eof": c.accepted})


class World(ReloadCase):
    def test_who_is_open_to_the_world_without_limits_is_told(self):
        warning = "warning: 0.0.0.0:[0-9]+ may be open to the world"
        open_one = self.echod(listen="0.0.0.0:0")
        self.assertTrue(open_one.err.wait_for(warning), open_one.said())
        for options in ({}, {"listen": "0.0.0.0:0", "max_conns_per_address": 100, "idle_timeout": "60s"}):
            server = self.echod(shutdown="close", **options)
            self.assertEcho(self.connect(("127.0.0.1", server.port)), b"served")
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("warning", server.err.text)

    def test_a_reload_that_opens_it_is_told_so_once(self):
        server = self.serve(listen="127.0.0.1:0")
        world = f"0.0.0.0:{server.port}"
        warning = f"warning: {world} may be open to the world"
        self.assertIn(warning, self.reload(server, listen=world))
        self.assertNotIn("world", self.reload(server, listen=world, max_conns=99))
        self.assertNotIn("world", self.reload(server, listen=world, max_conns_per_address=9, idle_timeout="60s"))
        self.assertIn(warning, self.reload(server, listen=world))
