# SPDX-License-Identifier: MIT
"""Load that does not wait for the server: the open loop; connections that come and go, or stay idle."""
import itertools
import socket
import time

from echolab import OK, USAGE, VERDICT, Namespace, covers, no_namespaces, recv_exactly, sh, slow
from loadlab import INCONCLUSIVE, LoadCase, echo_all, for_each_client
from ramplab import Ramps

MS = 1000 * 1000
LONG = {"timeout": "1m", "connect_timeout": "1m", "grace": "1m"}
ANY = (OK, INCONCLUSIVE)  # on a busy machine the generator may be late, and says so


@for_each_client
class EachOpenLoop(Ramps, LoadCase):
    def run_open(self, to, codes=ANY, **options):
        r = self.run_load(to, code=None, **{**LONG, **options})
        self.assertIn(r.code, codes, r)
        return r

    @covers("echoload", "rate")
    def test_messages_are_due_by_the_clock(self):
        r = self.run_open(self.echod(), connections=8, rate=2000, duration="1s", warmup="0s")
        self.assertTrue(1990 <= r["messages"]["planned"] <= 2001, r)
        if r.code == OK:
            self.assertLess(r["messages"]["missed"], 20, r)
        r = self.run_open(self.echod(), connections=8, threads=3, rate=2000, messages=300)
        self.assertAllEchoed(r, 300)

    def test_a_stall_shows_in_corrected_latency_only(self):
        """Coordinated omission: the client must count the time that messages waited to be sent. The rate is one
        that a busy machine reaches, and the stall comes early, so that both happen on any."""
        def script(sock, _):
            for n in itertools.count():
                data = sock.recv(64)
                if not data:
                    return
                if n == 100:
                    time.sleep(0.5)  # the stall
                sock.sendall(data)
        r = self.run_open(self.peer(script), connections=1, rate=200, duration="3s", warmup="0s")
        self.assertGreater(r["latency_ns"]["p99"], 400 * MS, r)
        self.assertLess(r["latency_uncorrected_ns"]["p99"], 200 * MS, r)
        self.assertGreaterEqual(r["latency_uncorrected_ns"]["max"], 500 * MS, r)
        g = r["generator"]  # late it is for want of a CPU only
        self.assertLess(g["lateness_ns"]["max"], 400 * MS + (g["wait_ns"] or 0) + g["paused_ns"],
                        "a stalled server is no late generator")

    def test_what_could_not_be_sent_is_missed(self):
        def script(sock, _):
            sock.sendall(recv_exactly(sock, 64))
            sock.recv(64)
            time.sleep(slow(0.6))  # meanwhile what is due cannot be sent
        r = self.run_load(self.peer(script), connections=1, rate=200, duration="900ms", warmup="0s", timeout="100ms",
                          grace="200ms", code=None)
        self.assertGreater(r["messages"]["missed"], 10, r)
        self.assertEqual(r["messages"]["planned"], r["messages"]["sent"] + r["messages"]["missed"])

    @covers("echoload", "arrivals")
    def test_poisson_arrivals_come_in_bunches(self):
        """Random arrivals wander from an even schedule, some gaps ahead and then behind; even ones come back to it
        after each delay of a busy machine. So the middle half of 300 messages is compared, 100 a second."""
        def wandering(arrivals):
            times = []

            def script(sock, _):
                while data := sock.recv(1 << 16):
                    times.extend([time.monotonic()] * (len(data) // 64))
                    sock.sendall(data)
            self.run_open(self.peer(script), connections=1, pipeline=64, rate=100, messages=300, arrivals=arrivals)
            self.assertEqual(len(times), 300)
            late = sorted(at - n / 100 for n, at in enumerate(times))
            return late[225] - late[75]
        poisson, constant = wandering("poisson"), wandering("constant")
        self.assertGreater(poisson, 0.04)  # of this seed it is 65 ms
        self.assertLess(constant, poisson / 2)

    @covers("echoload", "churn")
    def test_churn_makes_connections_of_some_messages_each(self):
        seen = []

        def script(sock, _):
            n = 0
            while data := sock.recv(64):
                sock.sendall(data)
                n += len(data)
            seen.append(n)
        r = self.run_load(self.peer(script), connections=2, messages=60, churn=5, **LONG)
        made = r["connections"]["established"]
        self.assertIn(made, (12, 13), "the last two may share the last messages")
        self.assertEqual(r["connect_ns"]["count"], made)
        self.assertEqual(r.outcomes, {("finished", "closing", None): made})
        self.wait_until(lambda: len(seen) == made, "all have ended")
        self.assertEqual((sum(seen), max(seen)), (60 * 64, 5 * 64))

    @covers("echoload", "close")
    def test_how_connections_are_closed(self):
        for close, error in (("fin", None), ("rst", ConnectionResetError)):
            seen = []

            def script(sock, _, seen=seen):
                try:
                    echo_all(sock)
                    seen.append(None)
                except ConnectionResetError:
                    seen.append(ConnectionResetError)
            self.run_load(self.peer(script), connections=3, messages=30, close=close, **LONG)
            self.wait_until(lambda seen=seen: len(seen) == 3, "all have ended")
            self.assertEqual(seen, [error] * 3)

    @covers("echoload", "connect_rate")
    def test_the_ramp(self):
        r, came = self.ramp(30, connections=30, connect_rate=50)
        self.assertEqual((r.code, r.outcomes), (OK, {("finished", "closing", None): 30}), r)
        self.assertNotEarly(came, r, 50)

    @covers("echoload", "source")
    def test_connections_come_from_each_address_in_turn(self):
        seen = set()

        def script(sock, _):
            seen.add(sock.getpeername()[0])
            echo_all(sock)
        self.run_load(self.peer(script), connections=6, messages=60, source="127.0.0.8/30", **LONG)
        self.assertTrue(seen <= {f"127.0.0.{n}" for n in range(8, 12)} and len(seen) >= 2, seen)
        r = self.run_echoload("--source", "nowhere", "127.0.0.1:1")
        self.assertEqual(r.code, USAGE, r)

    @covers("echoload", "idle")
    def test_idle_connections_are_held_and_echo_at_the_end(self):
        peer = None

        def start(duration):
            nonlocal peer
            peer = self.peer(echo_all)
            return self.load(peer, connections=2, idle=7, duration=duration, warmup="0s", **LONG)
        r = self.as_long_as_needed(start, lambda r: r["connections"]["established"] == 9, 0.3)
        self.assertEqual((r.code, peer.accepted, r["connections"]["established"]), (OK, 9, 9), r)
        self.assertEqual(r["messages"]["echoed"], r["measured"]["echoed"] + 7, r)


class FewPorts(LoadCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def test_ports_that_run_out_are_said_with_what_helps(self):
        ns = Namespace()
        self.keep(ns.holder)
        sh(*ns.prefix, "sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=30000 30009")
        server = self.echod(prefix=ns.prefix, listen="127.0.0.1:7007")
        r = self.run_load(server, connections=30, messages=300, prefix=ns.prefix, code=VERDICT, **LONG)
        self.assertEqual(r.errors, {("local_limit", "connecting", "EADDRNOTAVAIL"): 20}, r)
        self.assertEqual(r["exit"]["reason"],
                         "20 connects ended in local_limit: no local port was free, --source can add addresses")
        self.assertEqual((r["generator"]["bottleneck"], r["generator"]["bottleneck_reason"]), ("client", "ports"), r)
        r = self.run_load(server, connections=30, messages=300, source="127.0.0.16/28", prefix=ns.prefix, **LONG)
        self.assertEqual(r["connections"]["established"], 30, r)


class TooMuch(LoadCase):
    def test_more_than_anybody_can_send_is_planned_and_missed(self):
        server = self.echod()
        r = self.run_load(server, connections=1, rate=20_000_000, duration="300ms", warmup="0s", grace="1m",
                          pipeline=64, code=INCONCLUSIVE)
        self.assertGreater(r["messages"]["missed"], 10**6, r)
        self.assertIn("the rate of 20000000/s was not reached", r["exit"]["reason"])
        self.assertIn(" missed", r.out)
        with socket.socket() as sock:  # the server is still well
            sock.connect(server.addr)
