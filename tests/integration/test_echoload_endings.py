# SPDX-License-Identifier: MIT
"""A server that misbehaves in every way: each end is counted once, under its exact cause, phase and errno, and every
message it cost under how far it had come."""
import signal
import socket
import threading
from socket import MSG_OOB

from echolab import NO_ANSWER, OK, VERDICT, covers, half_close, recv_exactly, rst, slow, ss
from loadlab import LONG, LoadCase, echo_all, for_each_client, readable, silence

MIB = 1 << 20
RESET = ("reset", "awaiting", "ECONNRESET")
EARLY = ("eof_early", "awaiting", None)


def echo_some(sock, count, size=64):
    for _ in range(count):
        sock.sendall(recv_exactly(sock, size))


class EndingCase(LoadCase):
    def counts(self, r, **messages):
        self.assertEqual({k: r["messages"][k] for k in messages}, messages, r)

    def ended_in_a_pause(self, **how):
        """In an open loop messages are due in the very turn that sees connections end: they go to others. That turn is
        the first after a stop, in which half of the connections were answered and closed: so few that io_uring has a
        buffer for each answer, since a socket that has none is not known to have ended."""
        held, stopped = threading.Semaphore(0), threading.Event()

        def script(sock, n):
            if n >= 3:
                return echo_all(sock)
            echo_some(sock, 1)
            data = recv_exactly(sock, 64)
            held.release()
            stopped.wait(slow(60))
            sock.sendall(data)
        peer = self.peer(script)
        self.addCleanup(stopped.set)
        load = self.load(peer, connections=6, threads=1, rate=1000, messages=2000, duration="10m", **LONG | how)
        self.assertTrue(all(held.acquire(timeout=slow(60)) for _ in range(3)))
        with load.held():
            stopped.set()
            self.wait_until(lambda: len(ss("-tn", "state", "close-wait", f"dport = :{peer.port}")) == 3, "the FINs are there")
            threading.Event().wait(0.2)  # 200 more messages are due
        r = load.done()
        self.assertEnds(r, {("eof", "idle", None): 3})
        self.counts(r, sent=2000, echoed=2000)


@for_each_client
class EachEnding(EndingCase):
    def ends(self, script, errors, code=VERDICT, connections=1, messages=100, **options):
        """One run against a script, and how its connections ended."""
        options = LONG | options
        r = self.run_load(self.peer(script), code=code, connections=connections, messages=messages, **options)
        self.assertEnds(r, errors)
        return r

    def lost(self, r, count, **lost):
        """So many lost, and where they were known to be."""
        self.assertEqual(r["messages"]["lost"], count, r)
        self.assertEqual(r.lost, lost, r)

    # the server leaves with a FIN

    def test_fin_instead_of_an_answer(self):
        def script(sock, n):
            recv_exactly(sock, 64)
        r = self.ends(script, {EARLY: 1}, NO_ANSWER)
        self.counts(r, sent=1, echoed=0)
        self.lost(r, 1, acked=1)

    def test_fin_after_some_answers(self):
        def script(sock, n):
            echo_some(sock, 7)
            recv_exactly(sock, 64)
        r = self.ends(script, {EARLY: 1})
        self.counts(r, sent=8, echoed=7)
        self.lost(r, 1, acked=1)

    def test_fin_in_the_middle_of_an_answer(self):
        def script(sock, n):
            echo_some(sock, 3)
            sock.sendall(recv_exactly(sock, 64)[:40])
        r = self.ends(script, {EARLY: 1})
        self.counts(r, sent=4, echoed=3)
        self.lost(r, 1, acked=1)
        self.assertEqual((r["bytes"]["received"], r["bytes"]["partial"]), (3 * 64 + 40, 40))

    def test_fin_with_many_unanswered(self):
        def script(sock, n):
            echo_some(sock, 2, 10)
            recv_exactly(sock, 160)
        r = self.ends(script, {EARLY: 1}, size=10, pipeline=16)
        self.counts(r, sent=18, echoed=2)
        self.lost(r, 16, acked=16)

    def test_fin_while_much_is_unsent(self):
        """The server shuts its side and reads no more: the message is partly on its way."""
        done = threading.Event()

        def script(sock, n):
            recv_exactly(sock, 1)
            half_close(sock)
            done.wait(slow(60))
        peer = self.peer(script, rcvbuf=4096)
        self.addCleanup(done.set)
        r = self.run_load(peer, code=NO_ANSWER, connections=1, messages=1, size="64Mi", **LONG)
        self.assertEnds(r, {("eof_early", "sending", None): 1})
        self.lost(r, 1, partial=1)
        self.assertLess(r["bytes"]["sent"], 64 * MIB)

    def test_fin_before_anything(self):
        """It closes what it accepts: the message that follows is answered with a reset, but the end came first."""
        r = self.run_load(self.peer(lambda sock, n: None), code=NO_ANSWER, connections=20, messages=100, **LONG)
        self.assertEqual(sum(r.errors.values()), 20)
        self.assertLessEqual(r.causes, {"eof_early", "reset"})
        self.counts(r, echoed=0)

    def test_the_answer_then_fin_both_waiting(self):
        """Both have arrived before echoload looks: the answer counts, what it sends then is lost."""
        r = self.while_stopped(lambda sock: sock.sendall(recv_exactly(sock, 64)))
        self.assertEnds(r, {EARLY: 1})
        self.counts(r, sent=2, echoed=1)
        self.assertEqual(r["messages"]["lost"], 1)

    def test_fin_or_reset_when_nothing_is_owed(self):
        for act, end in ((lambda sock: None, ("eof", "idle", None)), (rst, ("reset", "idle", "ECONNRESET"))):
            with self.subTest(end=end):
                def script(sock, n):
                    echo_some(sock, 1)
                    act(sock)
                r = self.ends(script, {end: 1}, messages=None, rate=0.001, duration="10m")
                self.counts(r, sent=1, echoed=1, lost=0)

    def test_a_message_is_not_given_to_a_connection_that_has_ended(self):
        self.ended_in_a_pause()

    # the server leaves with a reset

    def test_reset_instead_of_an_answer(self):
        def script(sock, n):
            recv_exactly(sock, 64)
            rst(sock)
        r = self.ends(script, {RESET: 1}, NO_ANSWER)
        self.lost(r, 1, acked=1)

    def test_reset_after_some_answers(self):
        def script(sock, n):
            echo_some(sock, 7)
            recv_exactly(sock, 64)
            rst(sock)
        r = self.ends(script, {RESET: 1})
        self.counts(r, sent=8, echoed=7, lost=1)

    def test_close_with_the_request_unread_is_a_reset(self):
        def script(sock, n):
            echo_some(sock, 3)
            readable(sock)
        r = self.ends(script, {RESET: 1})
        self.counts(r, sent=4, echoed=3, lost=1)

    def test_reset_in_the_middle_of_an_answer(self):
        """Bytes that came before a reset are not thrown away."""
        r = self.while_stopped(lambda sock: (sock.sendall(recv_exactly(sock, 64)[:40]), rst(sock)))
        self.assertEnds(r, {RESET: 1})
        self.counts(r, sent=1, echoed=0, lost=1)
        self.assertEqual(r["bytes"]["partial"], 40)

    def test_the_answer_then_reset_both_waiting(self):
        """The answer counts; the errno may be told to recv or to the send that follows, which does not leave."""
        r = self.while_stopped(lambda sock: (sock.sendall(recv_exactly(sock, 64)), rst(sock)))
        self.assertEnds(r, {("reset", "sending", "ECONNRESET"): 1})
        self.counts(r, sent=2, echoed=1, lost=1)

    def test_reset_while_much_is_unsent(self):
        def script(sock, n):
            recv_exactly(sock, 100000)
            rst(sock)
        peer = self.peer(script, rcvbuf=4096)
        r = self.run_load(peer, code=NO_ANSWER, connections=1, messages=1, size="64Mi", **LONG)
        self.assertEqual((sum(r.errors.values()), r.causes), (1, {"reset"}), r)
        self.assertEqual({phase for _, phase, _ in r.errors}, {"sending"})
        self.lost(r, 1, partial=1)

    def test_messages_are_told_apart_by_how_far_they_had_come(self):
        """1000 messages of 64 KiB, of which the server's kernel takes some: the rest never left, one was cut."""
        def script(sock, n):
            recv_exactly(sock, 1 << 16)
            readable(sock)
            rst(sock)
        peer = self.peer(script, rcvbuf=1 << 17)
        r = self.run_load(peer, code=NO_ANSWER, connections=1, messages=1000, size="64Ki", pipeline=1000, **LONG)
        self.assertEqual(r.causes, {"reset"}, r)
        self.assertEqual(r["messages"]["lost"], r["messages"]["sent"])
        self.assertGreater(r.lost.get("acked", 0), 0, r)
        self.assertLessEqual(r.lost.get("partial", 0), 1, r)

    def test_reset_at_once(self):
        """Whether connect was over when it came is a matter of microseconds; the cause is not."""
        r = self.run_load(self.peer(lambda sock, n: rst(sock)), code=NO_ANSWER, connections=50, messages=100, **LONG)
        self.assertEqual(sum(r.errors.values()), 50, r)
        self.assertEqual(r.causes, {"reset"}, r)

    def while_stopped(self, act):
        """A run whose echoload is stopped from its first message until the server has acted and closed."""
        begun, stopped, acted = threading.Event(), threading.Event(), threading.Event()

        def script(sock, n):
            readable(sock)
            begun.set()
            stopped.wait(slow(60))
            try:
                act(sock)
            finally:
                sock.close()
                acted.set()
        load = self.load(self.peer(script), connections=1, messages=100, **LONG)
        self.assertTrue(begun.wait(slow(60)))
        load.hold()
        stopped.set()
        self.assertTrue(acted.wait(slow(60)))
        load.send_signal(signal.SIGCONT)
        return load.done()

    # the server does not leave

    @covers("echoload", "timeout")
    def test_no_answer(self):
        r = self.ends(silence, {("timeout_answer", "awaiting", None): 3}, NO_ANSWER, 3, timeout="300ms", pipeline=4)
        self.lost(r, 12, acked=12)
        for o in r["outcomes"]:
            self.assertGreaterEqual(o["first_ns"], 300_000_000)

    def test_half_an_answer(self):
        def script(sock, n):
            echo_some(sock, 2)
            sock.sendall(recv_exactly(sock, 64)[:63])
            silence(sock)
        r = self.ends(script, {("timeout_answer", "awaiting", None): 1}, timeout="300ms")
        self.counts(r, sent=3, echoed=2, lost=1)
        self.assertEqual(r["bytes"]["partial"], 63)

    def test_a_peer_that_does_not_read(self):
        done = threading.Event()
        peer = self.peer(lambda sock, n: done.wait(slow(60)), rcvbuf=4096)
        self.addCleanup(done.set)
        r = self.run_load(peer, code=NO_ANSWER, connections=1, messages=1, size="64Mi", **LONG | {"timeout": "500ms"})
        self.assertEnds(r, {("timeout_answer", "sending", None): 1})
        self.lost(r, 1, partial=1)

    def test_a_timeout_resets_so_that_a_live_server_learns_it(self):
        seen = []

        def script(sock, n):
            try:
                silence(sock)
                seen.append("eof")
            except ConnectionResetError:
                seen.append("reset")
        peer = self.peer(script)
        self.run_load(peer, code=NO_ANSWER, connections=1, messages=1, timeout="200ms")
        self.wait_until(lambda: seen, "the server sees the end")
        self.assertEqual(seen, ["reset"])

    def test_the_deadline_is_of_each_message(self):
        """A slow server that answers every message in time is no error, however long the run."""
        def script(sock, n):
            for _ in range(6):
                data = recv_exactly(sock, 64)
                threading.Event().wait(0.4)  # what is measured is time
                sock.sendall(data)
            silence(sock)
        r = self.ends(script, {}, OK, messages=6, timeout=f"{slow(1)}s")
        self.assertAllEchoed(r, 6)
        self.assertGreaterEqual(r["latency_ns"]["min"], 390_000_000)

    def test_urgent_bytes_of_an_answer_are_bytes_of_it(self):
        """They all lie there when echoload looks; a receive ends at each urgent mark."""
        begun, held = threading.Event(), threading.Event()

        def script(sock, n):
            data = recv_exactly(sock, 64)
            begun.set()
            held.wait(slow(60))
            for part, flags in ((data[:10], 0), (data[10:30], MSG_OOB), (data[30:50], 0), (data[50:63], MSG_OOB),
                                (data[63:], MSG_OOB)):
                sock.send(part, flags)
            answered.set()
            echo_all(sock)
        answered = threading.Event()
        load = self.load(self.peer(script), connections=1, messages=10, **LONG)
        self.assertTrue(begun.wait(slow(60)))
        with load.held():
            held.set()
            self.assertTrue(answered.wait(slow(60)))
        self.assertAllEchoed(load.done(), 10)

    def test_other_connections_go_on(self):
        def script(sock, n):
            if n % 10 == 3:
                recv_exactly(sock, 64)
                rst(sock)
            else:
                echo_all(sock)
        r = self.ends(script, {RESET: 3}, connections=30, messages=3000)
        self.counts(r, sent=3000, echoed=2997, lost=3)
        self.assertEqual(r.outcomes[("finished", "closing", None)], 27)

    def test_a_thousand_at_once(self):
        """Every connection is killed in the same moment: a thousand outcomes."""
        go = threading.Event()
        held = []

        def script(sock, n):
            recv_exactly(sock, 64)
            held.append(n)
            go.wait(slow(90))
            rst(sock)
        load = self.load(self.peer(script), connections=1000, messages=5000, **LONG)
        self.wait_until(lambda: len(held) == 1000, "a thousand wait for an answer", 60)
        go.set()
        r = load.done()
        self.assertEnds(r, {RESET: 1000})
        self.lost(r, 1000, acked=1000)


@for_each_client
class EachConnect(LoadCase):
    """Attempts that fail are told apart from connections that die."""

    def test_refused(self):
        r = self.run_load(self.closed_port(), connections=30, messages=100, code=NO_ANSWER, **LONG)
        self.assertEnds(r, {("refused", "connecting", "ECONNREFUSED"): 30})
        c = r["connections"]
        self.assertEqual((c["attempts"], c["failed"], c["established"], c["peak"]), (30, 30, 0, 0))
        self.assertEqual(r["messages"]["sent"], 0)
        self.assertIn("refused", r["exit"]["reason"])

    @covers("echoload", "reconnect")
    def test_back_off_grows_with_every_failure(self):
        """Waits are anything up to 10, 20, 40 ms and so on, half of that in the mean. However late a busy machine is,
        no more attempts are made than such waits leave time for; and they go on, which waits that grow without end
        would not."""
        for policy, count, wait_s in (("backoff 10ms..1s", 8, lambda n: min(0.01 * 2 ** n, 1) / 2),
                                      ("backoff 10ms..10ms", 40, lambda n: 0.005), ("immediate", 40, lambda n: 0.001)):
            with self.subTest(reconnect=policy):
                load = self.load(self.closed_port(), connections=50, duration="10m", warmup="0s", reconnect=policy,
                                 progress="always", **LONG)
                self.wait_until(lambda: load.live() and load.live()[-1][2] >= 50 * count, f"{count} attempts each", 60)
                r = load.interrupted()
                left_s, fit = r["duration_ns"] / 1e9, 1
                while left_s > 0:
                    left_s -= wait_s(fit - 1)
                    fit += 1
                self.assertLess(r["connections"]["attempts"] / 50, 1.25 * fit, r)

    @covers("echoload", "connect_timeout")
    def test_a_listener_that_never_accepts(self):
        peer = self.full_peer()
        self.wait_until(lambda: self.queued(peer) > 0, "its queue is full")
        r = self.run_load(peer, connections=5, messages=100, code=NO_ANSWER, connect_timeout="400ms")
        self.assertEnds(r, {("timeout_connect", "connecting", None): 5})
        for o in r["outcomes"]:
            self.assertGreaterEqual(o["first_ns"], 400_000_000)

    def queued(self, peer):
        return int(ss("-ltn", f"sport = :{peer.port}")[0].split()[1])

    def test_accepted_by_the_kernel_and_never_by_the_program(self):
        """Connected, then silence."""
        peer = self.peer(silence, accepts=False)
        r = self.run_load(peer, connections=5, messages=100, code=NO_ANSWER, timeout="300ms")
        self.assertEnds(r, {("timeout_answer", "awaiting", None): 5})
        self.assertEqual(r["connections"]["established"], 5)
        self.assertEqual(r.lost, {"acked": 5})

    def test_some_are_served_and_some_are_not(self):
        server = self.echod(max_conns=5, backend=None)
        r = self.run_load(server, connections=8, messages=20000, code=VERDICT, **LONG)
        self.assertEqual(sum(r.errors.values()), 3, r)
        self.assertLessEqual(r.causes, {"eof_early", "reset"})
        m = r["messages"]
        self.assertEqual((m["echoed"], m["lost"]), (20000 - m["lost"], m["lost"]), r)
        self.assertLessEqual(m["lost"], 3)
