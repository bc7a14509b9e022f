# SPDX-License-Identifier: MIT
"""The server dies or hangs: what each connection saw, what it cost, and when service was back."""
import select
import signal
import socket
import threading
import time

from echolab import NO_ANSWER, OK, SLOW, VERDICT, covers, recv_exactly, rst, slow
from loadlab import LONG, LoadCase, echo_all, for_each_client, for_each_pair, silence

SECOND = 1_000_000_000
TIMES = ("begin_ns", "noticed_ns", "first_success_ns", "recovered_ns")


class OutageCase(LoadCase):
    def since_start(self, r, at_unix_ns):
        """A time of this test on the clock of the run."""
        return at_unix_ns - r["context"]["start_unix_ns"]

    def one_outage(self, r, recovered=True):
        self.assertEqual(len(r["outages"]), 1, r)
        o = r["outages"][0]
        self.assertIsNotNone(o["noticed_ns"])
        self.assertEqual(o["recovered_ns"] is not None, recovered, r)
        # the children of a forking server are killed one after the other: those that still live go on echoing
        if recovered or not type(self).__name__.startswith("Fork"):
            self.assertEqual(o["first_success_ns"] is not None, recovered, r)
        self.assertIn("outage", r.out)
        return o

    def assertBetween(self, low, value, high, r):
        self.assertLessEqual(low, value, r)
        self.assertLessEqual(value, high, r)

    def wait_live(self, load, predicate, what):
        """Until the progress line says so."""
        self.wait_until(lambda: load.live() and predicate(load.live()), what, 60)

    def refusals_told(self):
        """Options for a run, and a wait until one of its attempts was refused: a server may be back before a client
        that has no CPU has made any."""
        at = self.folder() / "told.jsonl"

        def wait():
            self.wait_until(lambda: '"refused":' in at.read_text(), "an attempt is refused", 60)
        return {"jsonl": at, "interval": "50ms"}, wait


@for_each_pair
class EachKill(OutageCase):
    """SIGKILL, with 200 connections in the middle of something. Errors alone make the outage: a silence of a busy
    machine is none. A reset is sent once, and the kernel may drop it: keepalive asks again."""
    COUNT = 200
    RUN = {"connections": COUNT, "duration": "10m", "warmup": "0s", "stall": "10m", "keepalive": "1s/1s/60"} | LONG

    def killed(self, **options):
        """A run of 200 connections whose server has just been killed; and when."""
        server = self.echod(shutdown="default")
        load = self.load(server, **self.RUN | {"progress": "always"} | options)
        self.wait_until(lambda: not load.running() or any(rate > 0 and count == self.COUNT
                                                          for rate, count, _, _ in load.live()[-1:]),
                        "all are open and busy, or its time is over", 60)
        at = time.time_ns()
        self.kill(server)
        self.listeners = server.workers if server.backend != "fork" else 1
        return server, load, at

    def all_died(self, r, again=False):
        """Each of them once, for a reason that a killed process gives. `again`: the kernel closes listeners behind the
        connections, one by one, and each may have taken a connection that comes again."""
        died = {k: n for k, n in r.errors.items() if k[1] != "connecting"}
        self.assertBetween(self.COUNT, sum(died.values()), self.COUNT * (1 + self.listeners if again else 1), r)
        for cause, phase, name in died:
            self.assertIn((cause, name), [("reset", "ECONNRESET"), ("eof_early", None)], r)
            self.assertIn(phase, ("sending", "awaiting"), r)
        return sum(died.values())

    def test_never_reconnect_ends_the_run_early(self):
        _, load, at = self.killed()
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.all_died(r)
        self.assertEqual((r["connections"]["attempts"], r["connections"]["established"]), (200, 200))
        m = r["messages"]
        self.assertEqual((m["lost"], m["corrupt"], m["unfinished"]), (200, 0, 0), r)
        self.assertEqual(m["sent"], m["echoed"] + 200)
        o = self.one_outage(r, recovered=False)
        killed = self.since_start(r, at)
        self.assertLessEqual(o["begin_ns"], o["noticed_ns"])
        self.assertBetween(killed - SECOND // 100, o["noticed_ns"], killed + slow(10) * SECOND, r)
        self.assertEqual(o["messages_lost"], 200)
        self.assertIn("never", r.out)

    def test_with_many_messages_under_way(self):
        _, load, _ = self.killed(pipeline=7, size="10..1000")
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.all_died(r)
        m = r["messages"]
        self.assertBetween(200, m["lost"], 7 * 200, r)
        self.assertEqual((m["sent"], m["corrupt"], m["unfinished"]), (m["echoed"] + m["lost"], 0, 0), r)

    def test_with_large_messages(self):
        _, load, _ = self.killed(size="1Mi", threads=2)
        r = load.done()
        self.assertIn(r.code, (VERDICT, NO_ANSWER), r)
        self.all_died(r)
        m = r["messages"]
        self.assertEqual((m["sent"], m["corrupt"], m["unfinished"]), (m["echoed"] + m["lost"], 0, 0), r)
        self.assertBetween(1, m["lost"], 200, r)  # one may have been between two messages

    @covers("echoload", "reconnect")
    def test_restarted_on_the_same_port_it_recovers(self):
        for policy in ("backoff 10ms..100ms", "immediate"):
            with self.subTest(reconnect=policy):
                told, wait_refused = self.refusals_told()
                server, load, killed = self.killed(reconnect=policy, threads=2, **told)
                self.wait_live(load, lambda lines: lines[-1][3], "the outage is noticed")
                wait_refused()
                up = time.time_ns()
                again = self.echod(listen=f"127.0.0.1:{server.port}")
                self.wait_open(again, self.COUNT, 100_000 // int(SLOW))
                self.wait_live(load, lambda lines: not lines[-1][3], "service is back")
                seen = time.time_ns()
                r = load.interrupted()
                died = self.all_died(r, again=True)
                o = self.one_outage(r)
                times = [o[k] for k in TIMES]
                self.assertEqual(times, sorted(times), r)
                killed, up, seen = (self.since_start(r, t) for t in (killed, up, seen))
                self.assertBetween(killed - SECOND // 100, o["noticed_ns"], up, r)
                # children of a forking server that are not killed yet go on echoing
                first = o["noticed_ns"] if type(self).__name__.startswith("Fork") else up
                self.assertBetween(first, o["first_success_ns"], seen, r)
                self.assertBetween(up, o["recovered_ns"], seen, r)
                m, c = r["messages"], r["connections"]
                self.assertEqual((m["lost"], o["messages_lost"], m["corrupt"]), (died, died, 0), r)
                self.assertEqual((c["established"], c["open_at_end"], c["peak"]), (200 + died, 200, 200), r)
                self.assertLessEqual({cause for cause, phase, _ in r.errors if phase == "connecting"},
                                     {"refused", "reset"}, r)
                self.assertIn(("refused", "connecting", "ECONNREFUSED"), r.errors)
                self.assertGreater(r["latency_outside_outage_ns"]["count"], 0)

    def test_the_exit_code_after_a_recovery_is_that_of_errors(self):
        def recovers(duration):
            server, load, _ = self.killed(reconnect="backoff 10ms..50ms", duration=duration, grace="1m")
            self.echod(listen=f"127.0.0.1:{server.port}")
            return load
        r = self.as_long_as_needed(recovers, lambda r: any(o["recovered_ns"] is not None for o in r["outages"]), 3)
        self.one_outage(r)
        self.assertEqual(r.code, VERDICT, r)
        self.all_died(r, again=True)
        self.assertEqual(r["messages"]["unfinished"], 0, r)
        self.assertEqual(r["connections"]["open_at_end"], 0)
        self.assertRegex(r["exit"]["reason"], "200 connections ended in|connections ended in")

    def test_interrupted_during_the_outage(self):
        """With what was under way: attempts, waits for the next one, and the outage itself."""
        for policy in ("backoff 10ms..100ms", "immediate", "backoff 1h..1h"):
            with self.subTest(reconnect=policy):
                _, load, _ = self.killed(reconnect=policy, threads=2)
                self.wait_live(load, lambda lines: lines[-1][3] and lines[-1][1] == 0, "the outage is noticed")
                r = load.interrupted()
                died, c = self.all_died(r, again=True), r["connections"]
                self.assertEqual((r["messages"]["lost"], c["open_at_end"]), (died, 0), r)
                self.assertEqual(self.one_outage(r, recovered=False)["messages_lost"], died)

    def test_gone_for_good(self):
        """No server comes back: attempts go on until we end the run, and all are counted."""
        _, load, _ = self.killed(reconnect="backoff 20ms..40ms", duration="10m")
        self.wait_live(load, lambda lines: lines[-1][2] > 5 * self.COUNT, "attempts have failed again and again")
        r = load.interrupted()
        self.all_died(r, again=True)
        self.one_outage(r, recovered=False)
        c = r["connections"]
        self.assertGreater(c["attempts"], 400, r)
        self.assertGreater(r.outcomes[("refused", "connecting", "ECONNREFUSED")], 0.9 * c["failed"], r)


@for_each_client
class EachStop(OutageCase):
    """A server that is stopped looks like a host that is silent: nothing says so but our own clock."""

    def stopped(self, **options):
        server = self.echod(backend="epoll")
        load = self.load(server, connections=20, warmup="0s", progress="always", **LONG | {"duration": "10m"} | options)
        self.wait_open(server, 20, 100_000)
        server.send_signal(signal.SIGSTOP)
        return server, load, time.time_ns()

    @covers("echoload", "stall")
    def test_an_outage_without_an_error(self):
        for stall in ("300ms", "1s"):
            with self.subTest(stall=stall):
                server, load, at = self.stopped(stall=stall, connect_timeout="10m", timeout="off")
                self.wait_live(load, lambda lines: lines[-1][3], "the outage is noticed")
                server.send_signal(signal.SIGCONT)
                self.wait_live(load, lambda lines: not lines[-1][3], "service is back")
                r = load.interrupted()
                o = self.one_outage(r)
                ns = 300_000_000 if stall == "300ms" else SECOND
                self.assertBetween(ns, o["noticed_ns"] - o["begin_ns"], ns + slow(1) * SECOND, r)
                # each look for a stall that came 0.1 s late, for want of a CPU, began the silence anew
                late = r["generator"]["wait_ns"] // 100_000_000 * ns + r["generator"]["wait_ns"]
                self.assertBetween(self.since_start(r, at) - slow(1) * SECOND, o["begin_ns"],
                                   self.since_start(r, at) + slow(1) * SECOND + late, r)
                self.assertEqual((r.errors, r["messages"]["lost"], o["messages_lost"]), ({}, 0, 0), r)
                self.assertGreaterEqual(r["latency_ns"]["max"], ns)
                # what came back while the outage was open is left out
                self.assertLess(r["latency_outside_outage_ns"]["count"], r["latency_ns"]["count"])

    def test_an_outage_alone_is_no_error(self):
        """Messages end the run, not a clock: however late we are, the outage lies in the middle."""
        held, go = threading.Semaphore(0), threading.Event()

        def script(sock, _):
            sock.sendall(recv_exactly(sock, 64))
            data = recv_exactly(sock, 64)
            held.release()
            go.wait(slow(60))
            sock.sendall(data)
            echo_all(sock)
        self.addCleanup(go.set)
        load = self.load(self.peer(script), connections=20, messages=400, stall="1s", warmup="0s", progress="always",
                         timeout="off", connect_timeout="10m", grace="10m")
        self.assertTrue(all(held.acquire(timeout=slow(60)) for _ in range(20)))
        self.wait_live(load, lambda lines: lines[-1][3], "the outage is noticed")
        go.set()
        r = load.done()
        self.assertEqual(r.code, OK, r)
        self.one_outage(r)

    def test_it_is_resumed_while_what_is_owed_is_awaited(self):
        """The end of the run comes while the server is stopped: nothing is lost if it answers within --grace."""
        server, load, _ = self.stopped(duration="2s", grace="10m", connect_timeout="10m", timeout="off")
        self.wait_until(lambda: "2.5s/2s" in load.err.text or "2.6s/2s" in load.err.text
                        or any(float(t) > 2.3 for t in self.clock(load)), "the end is past", 60)
        self.assertTrue(load.running())
        server.send_signal(signal.SIGCONT)
        r = load.done()
        self.assertEqual((r.code, r["messages"]["unfinished"], r["messages"]["lost"]), (OK, 0, 0), r)

    def clock(self, load):
        import re
        return re.findall(r"([\d.]+)s/\d+s  ", load.err.text)

    def test_an_answer_timeout_tells_every_connection(self):
        server, load, _ = self.stopped(timeout="1500ms", connect_timeout="10m")
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.assertEnds(r, {("timeout_answer", "awaiting", None): 20})
        self.assertEqual((r["messages"]["lost"], r.lost), (20, {"acked": 20}), r)
        self.one_outage(r, recovered=False)
        server.send_signal(signal.SIGCONT)
        self.wait_counters(server, lambda c: c.open == 0, "the server has seen the resets")

    def test_it_reconnects_after_timeouts_and_recovers(self):
        server, load, _ = self.stopped(timeout="1500ms", reconnect="backoff 10ms..50ms", connect_timeout="300ms",
                                       stall="10m")
        self.wait_live(load, lambda lines: lines[-1][2] >= 20, "all have timed out")
        server.send_signal(signal.SIGCONT)
        self.wait_live(load, lambda lines: not lines[-1][3] and lines[-1][1] == 20, "service is back")
        r = load.interrupted()
        self.assertLessEqual(set(r.errors), {("timeout_answer", "awaiting", None),
                                             ("timeout_connect", "connecting", None)})
        self.assertGreaterEqual(r.errors[("timeout_answer", "awaiting", None)], 20)
        o = self.one_outage(r)
        self.assertEqual(o["messages_lost"], r["messages"]["lost"])

    def test_two_outages_are_two(self):
        """Also on a machine so busy that it makes one of its own."""
        server, load, _ = self.stopped(stall="500ms", connect_timeout="10m", timeout="off")
        for n in (1, 2):
            self.wait_live(load, lambda lines: lines[-1][3], "the outage is noticed")
            server.send_signal(signal.SIGCONT)
            self.wait_live(load, lambda lines: not lines[-1][3], "service is back")
            if n == 1:
                server.send_signal(signal.SIGSTOP)
        r = load.interrupted()
        self.assertGreaterEqual(len(r["outages"]), 2, r)
        for first, second in zip(r["outages"], r["outages"][1:]):
            self.assertLessEqual(first["recovered_ns"], second["begin_ns"], r)


@for_each_client
class EachStorm(OutageCase):
    """A thousand connections that come back again and again."""

    def test_turned_away_then_refused_then_served(self):
        """A server that has room for one, none at all, and one that is well: every attempt is counted, and all that
        was asked for is there in the end."""
        told, wait_refused = self.refusals_told()
        server = self.echod(max_conns=1, backend="epoll", shutdown="default")
        load = self.load(server, connections=1000, duration="10m", warmup="0s", threads=2,
                         reconnect="backoff 10ms..300ms", progress="always", **LONG | told)
        shed = self.wait_counters(server, lambda c: c.closed["shed"] > 3000, "many were turned away").closed["shed"]
        self.kill(server)
        self.wait_live(load, lambda lines: lines[-1][3] and lines[-1][1] == 0, "none is served")
        wait_refused()
        again = self.echod(backend="epoll", listen=f"127.0.0.1:{server.port}")
        self.wait_live(load, lambda lines: lines[-1][1] == 1000 and not lines[-1][3], "all are served")
        r = load.interrupted()
        ended, c = sum(r.errors.values()), r["connections"]
        self.assertLessEqual(r.causes, {"eof", "eof_early", "reset", "refused"}, r)
        self.assertIn(("refused", "connecting", "ECONNREFUSED"), r.errors)
        self.assertGreaterEqual(ended, shed, r)
        self.assertEqual((c["attempts"], c["open_at_end"]), (1000 + ended, 1000), r)
        self.assertIsNotNone(r["outages"][-1]["recovered_ns"], r)
        del again


@for_each_client
class EachHalf(OutageCase):
    """An outage opens when half of the connections ended within --stall, not before."""

    def some_die(self, count, connections=20):
        # those that live answer when all have a message to lose, for they would take the messages of those that are late
        asked = threading.Barrier(connections)

        def script(sock, n):
            if n < count:
                for _ in range(3):
                    sock.sendall(recv_exactly(sock, 64))
                recv_exactly(sock, 64)
            asked.wait(60)
            if n >= count:
                return echo_all(sock)
            rst(sock)
        return self.run_load(self.peer(script), connections=connections, messages=2000, stall="10m", code=VERDICT,
                             **LONG)

    def test_less_than_half_is_none(self):
        r = self.some_die(9)
        self.assertEqual((sum(r.errors.values()), r["outages"]), (9, []), r)

    def test_half_is_one(self):
        r = self.some_die(10)
        self.assertEqual(sum(r.errors.values()), 10, r)
        o = self.one_outage(r, recovered=False) if r["outages"][0]["first_success_ns"] is None else r["outages"][0]
        self.assertIsNone(o["recovered_ns"], "half of what was asked for never came back")
        self.assertEqual(o["messages_lost"], 10)

    def test_a_server_that_was_never_there_is_an_outage_from_the_start(self):
        r = self.run_load(self.closed_port(), connections=10, duration="10m", code=NO_ANSWER, **LONG)
        o = self.one_outage(r, recovered=False)
        self.assertEqual((o["begin_ns"], o["messages_lost"]), (0, 0))

    def test_a_server_that_comes_late(self):
        """Refused until it is there: the run recovers, its errors are told."""
        host, port = self.closed_port()
        load = self.load((host, port), connections=10, duration="10m", reconnect="backoff 10ms..50ms",
                         progress="always", stall="10m", **LONG)
        self.wait_live(load, lambda lines: lines[-1][2] >= 20 and lines[-1][3], "it has been refused")
        self.doCleanups_of_ports()
        server = self.echod(listen=f"{host}:{port}")
        self.wait_live(load, lambda lines: lines[-1][1] == 10 and not lines[-1][3], "service is there")
        r = load.interrupted()
        self.assertEqual(set(r.errors), {("refused", "connecting", "ECONNREFUSED")}, r)
        o = self.one_outage(r)
        self.assertEqual(o["begin_ns"], 0)
        del server

    def closed_port(self):
        self.held = socket.socket()
        self.addCleanup(self.held.close)
        self.held.bind(("127.0.0.1", 0))
        return self.held.getsockname()

    def doCleanups_of_ports(self):
        self.held.close()


@for_each_client
class EachSeat(OutageCase):
    """An outage is one of the requested connections, whoever sits in their seats, and of no other ones."""

    def test_with_churn_it_is_over_when_every_seat_has_echoed(self):
        server = self.echod(shutdown="default")
        load = self.load(server, connections=64, churn=1, connect_rate=400, reconnect="immediate", duration="10m",
                         warmup="0s", progress="always", stall="10m", **LONG)
        self.wait_live(load, lambda lines: lines[-1][0] > 0, "it is busy")
        self.kill(server)
        self.wait_live(load, lambda lines: lines[-1][3], "the outage is noticed")
        self.echod(listen=f"127.0.0.1:{server.port}")
        self.wait_live(load, lambda lines: not lines[-1][3], "service is back")
        self.one_outage(load.interrupted())

    def test_connections_that_are_held_idle_make_none(self):
        busy = set()

        def script(sock, n):
            while len(busy) < 2:
                if select.select([sock], [], [], 0.01)[0]:
                    busy.add(n)
                    return echo_all(sock)
            rst(sock)  # of ten connections it is none of the two that have sent something
        load = self.load(self.peer(script), connections=2, idle=8, duration="10m", warmup="0s", progress="always",
                         stall="10m", **LONG)
        self.wait_live(load, lambda lines: lines[-1][2] == 8, "all that are idle have ended")
        r = load.interrupted()
        self.assertEqual(r.errors, {("reset", "idle", "ECONNRESET"): 8}, r)
        self.assertEqual(r["outages"], [], r)
