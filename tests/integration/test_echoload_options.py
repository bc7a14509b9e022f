# SPDX-License-Identifier: MIT
"""Each option of echoload, by its effect: on the wire, in the process, or in the result."""
import collections
import contextlib
import os
import re
import threading
import unittest
from pathlib import Path

from echolab import NO_ANSWER, OK, VERDICT, covers, no_namespaces, not_in, recv_exactly, run, slow, ss
from loadlab import INCONCLUSIVE, LONG, LoadCase, echo_all, for_each_client, silence

MS = 1_000_000
CONGESTION = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()


def recorder(streams, answer=True):
    """A script that keeps what each connection sent, and echoes it."""
    def script(sock, n):
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(1 << 16):
                streams[n] = streams.get(n, b"") + data
                if answer:
                    sock.sendall(data)
    return script


@for_each_client
class EachLoad(LoadCase):
    """What is sent, by how many, for how long."""

    @covers("echoload", "connections", "messages", "size")
    def test_connections_messages_and_size(self):
        streams = {}
        r = self.run_load(self.peer(recorder(streams)), connections=7, messages=700, size=33, **LONG)
        self.assertAllEchoed(r, 700)
        self.assertEqual(r["connections"]["requested"], 7)
        self.assertEqual((len(streams), sum(map(len, streams.values()))), (7, 700 * 33))
        streams.clear()
        self.run_load(self.peer(recorder(streams)), "-c3", "-n", "30", "-s5", **LONG)
        self.assertEqual((len(streams), sum(map(len, streams.values()))), (3, 150))

    @covers("echoload", "size")
    def test_a_mix_of_sizes(self):
        sizes = []

        def script(sock, _):
            while data := sock.recv(4096):
                sizes.append(len(data))  # one message is under way at a time, and it is small
                sock.sendall(data)
        r = self.run_load(self.peer(script), connections=1, messages=1000, size="7/90:100..200/10", **LONG)
        self.assertAllEchoed(r, 1000)
        self.assertEqual(r["bytes"]["echoed"], sum(sizes))
        big = sum(100 <= size <= 200 for size in sizes)
        self.assertEqual(big + sizes.count(7), 1000, "no other size")
        self.assertTrue(50 < big < 170, big)
        self.assertIn("messages of 7 B (90%) or 100 to 200 B (10%)", r.out)

    @covers("echoload", "own_descriptors")
    def test_a_table_of_descriptors_for_each_thread(self):
        for own, counts in (("off", {3}), ("on", {0, 3})):
            with self.subTest(own_descriptors=own):
                server = self.echod()
                load = self.load(server, connections=3, own_descriptors=own, duration="10m", warmup="0s", **LONG)
                self.wait_open(server, 3)
                self.assertEqual({load.sockets(t) for t in load.threads()}, counts)
                r = load.interrupted()
                self.assertEqual((r.errors, r["messages"]["lost"]), ({}, 0), r)

    def test_a_single_message(self):
        streams = {}
        r = self.run_load(self.peer(recorder(streams)), connections=5, messages=1, size=1, **LONG)
        self.assertAllEchoed(r, 1)
        self.assertEqual(sum(map(len, streams.values())), 1)
        self.assertEqual(r["latency_ns"]["count"], 1)

    @covers("echoload", "duration")
    def test_duration(self):
        r = self.run_load(self.peer(echo_all), connections=2, duration="600ms", warmup="0s", **LONG)
        self.assertGreaterEqual(r["duration_ns"], 600 * MS)
        self.assertEqual(r["measured"]["end_ns"], 600 * MS)
        self.assertEqual((r["messages"]["lost"], r["messages"]["unfinished"]), (0, 0))

    @covers("echoload", "warmup")
    def test_warmup_is_left_out(self):
        peer = self.peer(echo_all)
        r = self.as_long_as_needed(
            lambda duration: self.load(peer, connections=2, duration=duration, warmup="500ms", **LONG),
            lambda r: r["measured"]["sent"], 1)
        end_ns = (500 + 1000 * int(r["config"]["duration"].removesuffix("s"))) * MS
        self.assertEqual((r.code, r["measured"]["begin_ns"], r["measured"]["end_ns"]), (OK, 500 * MS, end_ns), r)
        self.assertTrue(0 < r["measured"]["sent"] < r["messages"]["sent"], r)
        self.assertIn("warm-up", r.out)
        r = self.run_load(self.peer(echo_all), connections=2, messages=50, **LONG)
        self.assertEqual((r["measured"]["begin_ns"], r["measured"]["sent"]), (0, 50), "with -n the default is none")
        r = self.run_load(self.peer(echo_all), connections=2, messages=50, warmup="10m", code=INCONCLUSIVE, **LONG)
        self.assertEqual((r["measured"]["sent"], r["messages"]["echoed"]), (0, 50), r)
        self.assertIn("nothing was measured", r.out)

    @covers("echoload", "pipeline")
    def test_pipeline_is_what_the_server_sees_unanswered(self):
        for pipeline in (1, 5, 300):
            with self.subTest(pipeline=pipeline):
                seen = []

                def script(sock, n):
                    seen.append(len(recv_exactly(sock, 10 * pipeline)))
                    sock.settimeout(0.3)  # nothing more comes; a byte too late would not be seen
                    try:
                        seen.append(len(sock.recv(1000)))
                    except TimeoutError:
                        seen.append(0)
                    sock.settimeout(slow(60))
                    sock.sendall(b"x")  # corrupt: the run is over
                r = self.run_load(self.peer(script), connections=1, messages=1000, size=10, pipeline=pipeline,
                                  code=NO_ANSWER, **LONG)
                self.assertEqual(seen, [10 * pipeline, 0])
                self.assertEqual(r["messages"]["sent"], pipeline)

    @covers("echoload", "seed")
    def test_the_same_seed_sends_the_same_bytes_and_sizes(self):
        def sent(seed):
            streams = {}
            self.run_load(self.peer(recorder(streams)), connections=1, messages=200, size="1..500", seed=seed, **LONG)
            return streams[0]
        first, again, other = sent(7), sent(7), sent(8)
        self.assertSame(again, first)
        self.assertNotEqual(other[:100], first[:100])
        self.assertNotEqual(len(other), len(first), "sizes are drawn from the seed, too")

    def test_connections_send_different_bytes(self):
        streams = {}
        self.run_load(self.peer(recorder(streams)), connections=20, messages=2000, threads=3, **LONG)
        self.assertEqual(len({s[:32] for s in streams.values()}), len(streams))

    @covers("echoload", "grace")
    def test_grace_is_for_what_is_owed_at_the_end(self):
        def run(grace, answer):
            released = threading.Event()

            def script(sock, n):
                data = recv_exactly(sock, 64)
                released.wait(slow(60))
                sock.sendall(data)
                silence(sock)

            def start(duration):
                released.clear()
                peer = self.peer(script)
                self.addCleanup(released.set)
                load = self.load(peer, connections=3, duration=duration, warmup="0s", grace=grace, progress="always",
                                 **LONG)
                if answer:  # after the end of sending
                    self.wait_until(load.past_end, "the end of sending is past", 60)
                    released.set()
                return load
            return self.as_long_as_needed(start, lambda r: r["messages"]["sent"] == 3, 1)
        r = run("10m", True)
        self.assertEqual(r.code, OK, r)
        self.assertEqual((r["messages"]["echoed"], r["messages"]["unfinished"]), (3, 0), r)
        r = run("100ms", False)
        self.assertEqual(r.code, NO_ANSWER, r)
        self.assertEqual((r["messages"]["unfinished"], r["messages"]["lost"]), (3, 0), r)
        self.assertEqual(r.outcomes, {("finished", "closing", None): 3})
        end_ns = r["measured"]["end_ns"] + 100 * MS
        self.assertGreaterEqual(r["duration_ns"], end_ns)
        self.assertLess(r["duration_ns"], end_ns + slow(20) * 1000 * MS)

    def test_unfinished_is_an_error(self):
        def script(sock, n):
            sock.sendall(recv_exactly(sock, 64))
            silence(sock)
        r = self.as_long_as_needed(lambda duration: self.load(self.peer(script), connections=1, duration=duration,
                                                              warmup="0s", grace="50ms", **LONG),
                                   lambda r: r["messages"]["sent"] == 2, 0.2)
        self.assertEqual((r.code, r["messages"]["echoed"], r["messages"]["unfinished"]), (VERDICT, 1, 1), r)
        self.assertIn("unfinished", r["exit"]["reason"])

    @covers("echoload", "ignore_errors")
    def test_errors_that_are_ignored(self):
        def script(sock, n):
            sock.sendall(recv_exactly(sock, 64))
            if n:
                return echo_all(sock)
            recv_exactly(sock, 64)
        for argv, code in (([], VERDICT), (["-i"], OK), (["--ignore-errors"], OK)):
            with self.subTest(argv=argv):
                r = self.run_load(self.peer(script), *argv, connections=5, messages=500, code=code, **LONG)
                self.assertEqual(sum(r.errors.values()), 1, r)
                self.assertIn("eof_early", r.out)
        self.run_load(self.closed_port(), "-i", connections=5, messages=500, code=NO_ANSWER)

    @covers("echoload", "backend")
    def test_the_backend_is_the_one_that_was_asked_for(self):
        r = self.run_load(self.peer(echo_all), messages=20, **LONG)
        self.assertEqual(r["context"]["backend"], self.client)
        self.assertRegex(r.out, rf"\nload +{self.client}, ")


@for_each_client
class EachProcess(LoadCase):
    """What an option does to the process and its sockets, while a run goes on that nobody answers."""

    def held(self, connections=4, **options):
        """A run that waits for answers until the test ends."""
        arrived = threading.Semaphore(0)

        def script(sock, n):
            sock.recv(1)
            arrived.release()
            silence(sock)
        peer = self.peer(script)
        load = self.load(peer, connections=connections, duration="10m", warmup="0s",
                         **LONG | {"timeout": "off"} | options)
        for _ in range(connections):
            self.assertTrue(arrived.acquire(timeout=slow(60)), load.said())
        return load, peer

    @not_in("tsan")  # it has a thread of its own
    @covers("echoload", "threads")
    def test_threads(self):
        for threads, expected in ((1, 1), (3, 3), (0, len(os.sched_getaffinity(0)))):
            with self.subTest(threads=threads):
                load, _ = self.held(threads=threads, connections=40)
                names = [(Path(f"/proc/{load.pid}/task/{t}/comm")).read_text() for t in load.workers()]
                self.assertEqual(len([n for n in names if not n.startswith("iou-")]), expected, names)
                r = load.interrupted()
                self.assertEqual(r["context"]["threads"], expected)

    def allowed(self, load):
        return {re.search(r"Cpus_allowed_list:\s+(\S+)", Path(f"/proc/{load.pid}/task/{t}/status").read_text())[1]
                for t in load.workers()}

    @not_in("tsan")
    @covers("echoload", "cpus")
    def test_threads_are_pinned(self):
        cpus = sorted(os.sched_getaffinity(0))
        load, _ = self.held(cpus=cpus[-1], threads=2)
        self.assertEqual(self.allowed(load), {str(cpus[-1])})
        if len(cpus) > 1:
            load, _ = self.held(cpus=f"{cpus[0]},{cpus[1]}", threads=2)
            self.assertEqual(self.allowed(load), {str(cpus[0]), str(cpus[1])})
            load, _ = self.held(threads=2)
            self.assertEqual(len(self.allowed(load)), 1)
            self.assertNotIn(str(cpus[0]), self.allowed(load))

    @covers("echoload", "busy_poll")
    def test_busy_poll_spends_cpu_instead_of_sleeping(self):
        def cpu(busy):
            r = self.run_load(self.peer(silence), connections=1, duration="1s", warmup="0s", grace="1ms",
                              busy_poll=busy, code=NO_ANSWER, **LONG)
            self.assertEqual("looking for events" in r.out, busy == "1s", r)
            self.assertEqual(r["generator"]["busy_poll_ns"] > 500_000_000, busy == "1s", r)
            self.assertNotEqual(r["generator"]["bottleneck_reason"], "busy", r)  # it has nothing to do
            return r["generator"]["cpu_ns"]
        off = cpu("off")
        # a busy machine may give it little of a second: again, then
        self.assertTrue(any(cpu("1s") > 3 * off for _ in range(5)))

    def sockets(self, peer, what):
        return "\n".join(ss("-tino", f"dport = :{peer.port}"))

    @covers("echoload", "congestion")
    @unittest.skipUnless("reno" in CONGESTION, "this kernel has no reno")
    def test_congestion(self):
        _, peer = self.held(congestion="reno")
        self.assertEqual(len(re.findall(r"\breno\b", self.sockets(peer, "reno"))), 4)

    @covers("echoload", "keepalive")
    def test_keepalive(self):
        _, peer = self.held(keepalive="100s/5s/3")
        timers = self.sockets(peer, "keepalive")
        self.assertEqual(len(re.findall(r"timer:\(keepalive,1min\d+sec", timers)), 4, timers)

    # messages that are sent whatever the path does: a connection whose last one was acknowledged waits for ever
    FLOWS = {"rate": 1000, "pipeline": 1000}

    @unittest.skipIf(no_namespaces(), no_namespaces())
    @covers("echoload", "user_timeout")
    def test_user_timeout(self):
        """The kernel gives up a connection whose bytes nobody acknowledges."""
        lab = self.lab()
        server = self.echod(backend="epoll", listen="10.77.2.2:0", prefix=lab.server.prefix)
        load = self.load(server, connections=5, duration="10m", warmup="0s", prefix=lab.client.prefix,
                         user_timeout="500ms", **LONG | self.FLOWS)
        self.wait_open(server, 5, 10_000)
        lab.blackhole()
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.assertEqual((r.causes, sum(r.errors.values())), ({"timeout_tcp"}, 5), r)

    def rejected(self, how, **options):
        """Ten busy connections, and from then on a router that says `how` of every packet to the server."""
        lab = self.lab()
        server = self.echod(backend="epoll", listen="10.77.2.2:0", prefix=lab.server.prefix)
        load = self.load(server, connections=10, duration="10m", warmup="0s", prefix=lab.client.prefix,
                         **LONG | options)
        self.wait_open(server, 10, 10_000)
        lab.reject(how)
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        return r

    @unittest.skipIf(no_namespaces(), no_namespaces())
    @covers("echoload", "icmp_errors")
    def test_an_icmp_error_ends_a_connection_at_once_if_asked(self):
        for how, cause, name in (("host-unreachable", "host_unreachable", "EHOSTUNREACH"),
                                 ("net-unreachable", "net_unreachable", "ENETUNREACH"),
                                 ("port-unreachable", "refused", "ECONNREFUSED"),
                                 ("prot-unreachable", "other", "ENOPROTOOPT")):
            with self.subTest(how=how):
                r = self.rejected(how, icmp_errors=True)
                ended = collections.Counter()
                for (why, phase, errno), count in r.errors.items():
                    self.assertIn(phase, ("awaiting", "sending"), r)  # the answer may be here, and the next is sent
                    ended[why, errno] += count
                self.assertEqual(ended, {(cause, name): 10}, r)
                self.assertEqual(r["messages"]["lost"], 10, r)

    @unittest.skipIf(no_namespaces(), no_namespaces())
    def test_an_icmp_error_is_not_told_otherwise(self):
        r = self.rejected("host-unreachable", timeout="700ms")
        self.assertEnds(r, {("timeout_answer", "awaiting", None): 10})


class Backends(LoadCase):
    """Keys of the backends' own sections: their effect is that it works, and that what cannot work is said."""

    @covers("echoload", "epoll_buffer")
    def test_a_small_receive_buffer(self):
        r = self.run_load(self.echod(), backend="epoll", epoll_buffer=1, connections=2, messages=20, size=3000, **LONG)
        self.assertAllEchoed(r, 20)

    @covers("echoload", "io_uring_buffers", "io_uring_buffer_size", "io_uring_entries", "io_uring_cq_entries")
    def test_small_rings(self):
        from loadlab import clients
        if clients().get("io_uring", "it is not built"):
            self.skipTest(f"io_uring: {clients().get('io_uring', 'it is not built')}")
        for options in ({"io_uring_buffers": 1}, {"io_uring_buffer_size": 1}, {"io_uring_entries": 1},
                        {"io_uring_entries": 8, "io_uring_cq_entries": 8}, 
                        {"io_uring_buffers": 2, "io_uring_buffer_size": 7, "io_uring_entries": 2}):
            with self.subTest(options=options):
                r = self.run_load(self.echod(), backend="io_uring", connections=30, messages=300, size=300, pipeline=3,
                                  **LONG | options)
                self.assertAllEchoed(r, 300)


@for_each_client
class EachLimit(LoadCase):
    """Limits that are missed are exit code 1; that they are met, 0."""

    def dying(self, deaths):
        def script(sock, n):
            sock.sendall(recv_exactly(sock, 64))
            if n >= deaths:
                echo_all(sock)
        return self.peer(script)

    @covers("echoload", "max_errors")
    def test_max_errors(self):
        for limit, code in ((2, VERDICT), (3, OK)):
            r = self.run_load(self.dying(3), connections=10, messages=500, max_errors=limit, code=code, **LONG)
            self.assertEqual(sum(r.errors.values()), 3, r)

    def slow_peer(self):
        def script(sock, n):
            while data := sock.recv(64):
                threading.Event().wait(0.02)  # what is measured is time
                sock.sendall(data)
        return self.peer(script)

    @covers("echoload", "max_p99")
    def test_max_p99(self):
        for limit, code in (("10ms", VERDICT), ("10m", OK)):
            r = self.run_load(self.slow_peer(), connections=1, messages=10, max_p99=limit, code=code, **LONG)
            self.assertEqual(r.errors, {})
        self.assertIn("ok", r["exit"]["reason"])

    @covers("echoload", "min_rate")
    def test_min_rate(self):
        for limit, code in ((1000, VERDICT), (0.01, OK)):
            r = self.run_load(self.slow_peer(), connections=1, messages=10, min_rate=limit, code=code, **LONG)
            self.assertEqual(r.errors, {})

    @covers("echoload", "max_downtime")
    def test_max_downtime(self):
        def script(sock, n):
            sock.sendall(recv_exactly(sock, 64))
            data = recv_exactly(sock, 64)
            threading.Event().wait(1.2)  # what is measured is time
            sock.sendall(data)
            echo_all(sock)
        for limit, code in (("300ms", VERDICT), ("10m", OK)):
            r = self.run_load(self.peer(script), connections=1, messages=20, stall="800ms", max_downtime=limit,
                              code=code, **LONG)
            self.assertEqual((r.errors, len(r["outages"])), ({}, 1), r)
