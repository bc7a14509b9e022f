# SPDX-License-Identifier: MIT
"""Every server against every client, byte for byte: both families, messages of any size, one connection or a thousand,
pools that run dry, pipelines, and a hundred thousand connections one after the other."""
import socket
import threading

from echolab import OK, SANITIZERS, SLOW, VARIANT, VERDICT, slow
from loadlab import INCONCLUSIVE, LONG, LoadCase, for_each_client, for_each_pair

KIB, MIB = 1 << 10, 1 << 20
SIZES = {"1": 1, "64": 64, "4Ki": 4 * KIB, "1Mi": MIB}
CONNECTIONS = (1, 100, 1000)
HEAVY = VARIANT in SANITIZERS or VARIANT == "valgrind" or SLOW > 1  # an echo takes many times as long


def messages(size, connections):
    """As many as a cell can echo well within a second, at least one for each connection."""
    total = (2000 if HEAVY else 10000) if size <= 64 else 4000 if size <= 4 * KIB else 100
    return max(total if connections > 1 else total // 2, connections)


@for_each_pair
class EachPair(LoadCase):
    """A thousand messages of 1 MiB under way fill 1 GiB of socket buffers, of the 2.2 that tcp_mem allows on a machine
    with 24 GiB: with two such tests at a time segments are dropped, until minutes lie between two tries."""
    needs = "the kernel's memory for TCP"
    long = True

    def cells(self, host):
        server = self.echod(listen=f"[{host}]:0" if ":" in host else f"{host}:0")
        for connections in CONNECTIONS:
            for name, size in SIZES.items():
                if HEAVY and connections == 1000 and size == MIB:
                    continue  # a gigabyte each way
                with self.subTest(connections=connections, size=name):
                    n = messages(size, connections)
                    r = self.run_load(server, connections=connections, size=name, messages=n, stall="10m", code=None,
                                      **LONG)
                    self.assertReached(r, connections)
                    self.assertAllEchoed(r, n)
                    self.assertEqual(set(r.outcomes), {("finished", "closing", None)})
                    self.assertEqual((r["bytes"]["sent"], r["bytes"]["received"]), (n * size, n * size))
                    self.assertEqual(r["outages"], [])
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "none open")
        self.assertEqual(c.received, c.sent)
        self.assertEqual(set(c.closed) - {"eof"}, set())

    def assertReached(self, r, connections):
        """The first may have sent the last message before the thousandth has been dialed: exit 5 then."""
        reached, asked = r["connections"]["reached"], min(connections, r["messages"]["sent"])
        self.assertGreaterEqual(reached, min(asked, 100), r)
        self.assertEqual(r.code, OK if 100 * reached >= 99 * asked else INCONCLUSIVE, r)

    def test_ipv4(self):
        self.cells("127.0.0.1")

    def test_ipv6(self):
        self.cells("::1")

    def test_a_thousand_connections_at_once(self):
        """All of them open, all of them busy, until we have seen it. Keepalive finds those whose reset the kernel has
        dropped: a reset is sent once, and the queue of the loopback device (netdev_max_backlog) overflows."""
        server = self.echod(keepalive="1s/1s/60")
        for name, size in SIZES.items():
            if HEAVY and size == MIB:
                continue
            with self.subTest(size=name):
                load = self.load(server, connections=1000, size=name, duration="10m", warmup="0s", progress="always",
                                 **LONG)
                self.wait_until(lambda: load.live() and load.live()[-1][1] == 1000, "a thousand are open", 60)
                self.wait_open(server, 1000, 1000 * size + 1)  # one has sent more than one message, and had an answer
                r = load.interrupted()
                self.assertEqual((r["connections"]["peak"], r["connections"]["open_at_end"]), (1000, 1000), r)
                self.assertEqual((r.errors, r["messages"]["lost"], r["messages"]["corrupt"]), ({}, 0, 0), r)
                self.assertGreater(r["messages"]["echoed"], 0)
                self.wait_counters(server, lambda c: c.open == 0, "all have left")

    def test_pools_so_small_that_they_run_dry(self):
        pools = {} if self.backend == "fork" else {"max_unsent": "4Ki", "max_unsent_total": "4Ki"}
        server = self.echod(max_conns=8, **pools)
        for name, size in SIZES.items():
            for connections in (1, 8):
                with self.subTest(connections=connections, size=name):
                    n = messages(size, connections) // (5 if size >= 4 * KIB else 1)
                    r = self.run_load(server, connections=connections, size=name, messages=n, **LONG)
                    self.assertAllEchoed(r, n)
                    self.wait_counters(server, lambda c: c.open == 0, "all have left")
        # one read after the other: what is unsent piles up
        r = self.run_load(server, connections=8, size="1Mi", messages=64, pipeline=4, **LONG)
        self.assertAllEchoed(r, 64)

    def test_many_share_a_pool_that_runs_dry(self):
        """One block of 4 KiB for what a hundred or a thousand connections leave unsent, over IPv6."""
        pools = {} if self.backend == "fork" else {"max_unsent": "4Ki", "max_unsent_total": "4Ki"}
        server = self.echod(listen="[::1]:0", **pools)
        for name, connections in (("64", 1000), ("4Ki", 1000), ("1Mi", 100)):
            connections = min(connections, 100) if self.backend == "fork" or HEAVY else connections
            with self.subTest(connections=connections, size=name):
                n = messages(SIZES[name], connections) // (5 if HEAVY else 2)
                r = self.run_load(server, connections=connections, size=name, messages=n, stall="10m", code=None, **LONG)
                self.assertReached(r, connections)
                self.assertAllEchoed(r, n)
                self.wait_counters(server, lambda c: c.open == 0, "all have left")

    def test_pipelines(self):
        server = self.echod()
        for pipeline in (16, 1000):
            for size, n in ((1, 50000), (64, 20000), (4 * KIB, 4000)):
                for connections in (1, 20):
                    with self.subTest(pipeline=pipeline, size=size, connections=connections):
                        n = n // 5 if HEAVY else n
                        r = self.run_load(server, connections=connections, size=size, messages=n, pipeline=pipeline,
                                          **LONG)
                        self.assertAllEchoed(r, n)
                        self.assertEqual(r["bytes"]["received"], n * size)

    def test_sizes_of_a_range(self):
        server = self.echod()
        for pipeline in (1, 16, 1000):
            with self.subTest(pipeline=pipeline):
                n = 1000 if HEAVY else 4000
                r = self.run_load(server, connections=10, size="1..64Ki", messages=n, pipeline=pipeline, **LONG)
                self.assertAllEchoed(r, n)
                self.assertEqual(r["bytes"]["sent"], r["bytes"]["received"])
                mean = r["bytes"]["received"] / n
                self.assertTrue(0.9 < mean / (32 * KIB) < 1.1, f"evenly distributed: mean {mean}")

    def test_many_threads(self):
        server = self.echod()
        for threads, connections in ((4, 100), (7, 7), (3, 1000)):
            with self.subTest(threads=threads, connections=connections):
                r = self.run_load(server, connections=connections, messages=5003, threads=threads, pipeline=3, code=None,
                                  **LONG)
                self.assertAllEchoed(r, 5003)
                self.assertReached(r, connections)
                self.assertEqual(r["context"]["threads"], threads)


class Closing:
    """A server that answers one message on each connection and closes it."""

    def __init__(self, workers=2):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.addr, self.accepted = self.listener.getsockname(), 0
        self.threads = [threading.Thread(target=self.serve, daemon=True) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                try:
                    sock.settimeout(slow(60))
                    sock.sendall(sock.recv(64))
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(slow(10))


@for_each_client
class EachChurn(LoadCase):
    COUNT = {"valgrind": 10000, "tsan": 20000}.get(VARIANT, 100000)  # the same again would find no more races

    def test_a_hundred_thousand_connections_one_after_the_other(self):
        """Each has one answer and loses the message that was under way when it was closed."""
        server = Closing()
        self.addCleanup(server.close)
        load = self.load(server, connections=64, messages=2 * self.COUNT, reconnect="immediate", threads=2, **LONG)
        r = load.done(100)
        self.assertEqual(r.code, VERDICT, r)
        c, m = r["connections"], r["messages"]
        self.assertGreater(c["established"], 0.99 * self.COUNT, r)
        self.assertEqual((m["sent"], m["unfinished"], m["corrupt"]), (2 * self.COUNT, 0, 0), r)
        self.assertEqual(m["echoed"] + m["lost"], 2 * self.COUNT)
        self.assertGreater(m["echoed"], 0.98 * self.COUNT, r)
        self.assertLessEqual(r.causes, {"eof_early", "reset"})
        self.assertLessEqual(c["peak"], 64)

    def test_turned_away_again_and_again(self):
        """echod serves one and closes the others at once: each of them tries again, none is forgotten."""
        server = self.echod(max_conns=1)
        load = self.load(server, connections=64, duration="10m", warmup="0s", reconnect="immediate", **LONG)
        want = 1000 if VARIANT == "valgrind" else 20000
        c = self.wait_counters(server, lambda c: c.closed["shed"] > want, "so many were turned away", 60)
        r = load.interrupted()
        self.assertGreater(sum(r.errors.values()), 0.9 * want)
        self.assertEqual(r["messages"]["corrupt"], 0)
        self.assertGreaterEqual(r["connections"]["attempts"], c.closed["shed"])
