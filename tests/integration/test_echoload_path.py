# SPDX-License-Identifier: MIT
"""What the path to the server does: no route, a silent or unreachable host, ports that run out, a path that falls
silent."""
import signal

from echolab import NO_ANSWER, VERDICT, slow
from loadlab import LONG, for_each_client
from test_echoload_outages import SECOND, OutageCase


@for_each_client
class EachPath(OutageCase):
    """What the path does, in networks of our own."""

    def connects(self, ns, errors, code=NO_ANSWER, to="10.9.9.9", **options):
        r = self.run_load((to, 7007), connections=5, messages=100, code=code, prefix=ns.prefix,
                          **{"connect_timeout": "10m", "timeout": "10m"} | options)
        self.assertEnds(r, errors)
        return r

    def test_no_route(self):
        self.connects(self.namespace(), {("net_unreachable", "connecting", "ENETUNREACH"): 5})

    def test_an_unreachable_host(self):
        self.connects(self.namespace("ip route add unreachable 10.9.9.9"),
                      {("host_unreachable", "connecting", "EHOSTUNREACH"): 5})

    def test_a_route_that_is_forbidden(self):
        self.connects(self.namespace("ip route add prohibit 10.9.9.9"), {("prohibited", "connecting", "EACCES"): 5})

    def test_another_errno_keeps_its_name(self):
        self.connects(self.namespace("ip route add blackhole 10.9.9.9"), {("other", "connecting", "EINVAL"): 5})

    def test_a_silent_host(self):
        """Nobody answers, and nobody says that nobody is there."""
        lab = self.lab()
        lab.blackhole()
        lab.router.run("ip route add blackhole 10.9.9.9/32")
        self.connects(lab.client, {("timeout_connect", "connecting", None): 5}, connect_timeout="300ms")

    def test_a_router_that_says_unreachable(self):
        for how, cause, name in (("host-unreachable", "host_unreachable", "EHOSTUNREACH"),
                                 ("net-unreachable", "net_unreachable", "ENETUNREACH"),
                                 ("port-unreachable", "refused", "ECONNREFUSED"),
                                 ("prot-unreachable", "other", "ENOPROTOOPT")):
            with self.subTest(how=how):
                lab = self.lab()
                lab.reject(how)
                self.connects(lab.client, {(cause, "connecting", name): 5}, to="10.77.2.2")

    def test_ports_of_our_own_run_out(self):
        """Some connections cannot be made here: that is no fault of the server, and no outage."""
        ns = self.namespace()
        server = self.echod(backend="epoll", prefix=ns.prefix)
        ns.sysctl("net.ipv4.ip_local_port_range", "40000 40009")
        r = self.run_load(server, connections=16, messages=4000, code=VERDICT, prefix=ns.prefix, stall="10m", **LONG)
        self.assertEqual(r.errors, {("local_limit", "connecting", "EADDRNOTAVAIL"): 6}, r)
        self.assertEqual((r["connections"]["established"], r["outages"], r["messages"]["echoed"]), (10, [], 4000), r)

    def test_the_path_falls_silent(self):
        """A host that vanishes: our own deadline is the first to know."""
        lab = self.lab()
        server = self.echod(backend="epoll", listen="10.77.2.2:0", prefix=lab.server.prefix)
        load = self.load(server, connections=10, duration="10m", warmup="0s", prefix=lab.client.prefix,
                         connect_timeout="10m", timeout="700ms", stall="300ms")
        self.wait_open(server, 10, 10_000)
        lab.blackhole()
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.assertEnds(r, {("timeout_answer", "awaiting", None): 10})
        self.assertEqual(r["messages"]["lost"], 10)
        o = self.one_outage(r, recovered=False)
        self.assertBetween(300_000_000, o["noticed_ns"] - o["begin_ns"], 700_000_000 + slow(1) * SECOND, r)

    def test_the_kernel_gives_up(self):
        lab = self.lab()
        lab.client.run("sysctl -q -w net.ipv4.tcp_retries2=1")
        server = self.echod(backend="epoll", listen="10.77.2.2:0", prefix=lab.server.prefix)
        # whose answer is on its way has nothing in flight, and nothing to time out, but for the next message that is due
        load = self.load(server, connections=10, duration="10m", warmup="0s", prefix=lab.client.prefix,
                         rate=1000, pipeline=1000, connect_timeout="10m", timeout="off")
        self.wait_open(server, 10, 10_000)
        lab.blackhole()
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.assertEqual(r.causes, {"timeout_tcp"}, r)
        self.assertEqual(sum(r.errors.values()), 10)
        self.assertEqual({name for _, _, name in r.errors}, {"ETIMEDOUT"})

    def test_keepalive_finds_a_silent_host_while_nothing_is_owed(self):
        """Without it, nobody is told: no deadline runs when nothing is owed."""
        for keepalive, ends in (("off", {}), ("1s/1s/1", {("timeout_tcp", "idle", "ETIMEDOUT"): 10})):
            with self.subTest(keepalive=keepalive):
                lab = self.lab()
                server = self.echod(backend="epoll", listen="10.77.2.2:0", prefix=lab.server.prefix)
                load = self.load(server, connections=10, rate=0.001, duration="10m" if ends else "4s", warmup="0s",
                                 prefix=lab.client.prefix, keepalive=keepalive, **LONG)
                self.wait_open(server, 10, 64)
                self.wait_counters(server, lambda c: c.sent == 64, "its one message is answered")
                lab.blackhole()
                r = load.done()
                self.assertEnds(r, ends)
                self.assertEqual((r["messages"]["echoed"], r["messages"]["lost"]), (1, 0), r)

    def test_destroyed_locally(self):
        """ss -K: neither the peer nor the path."""
        ns = self.namespace()
        server = self.echod(backend="epoll", prefix=ns.prefix)
        load = self.load(server, connections=10, duration="10m", warmup="0s", prefix=ns.prefix, **LONG)
        self.wait_open(server, 10, 10_000)
        server.send_signal(signal.SIGSTOP)
        ns.run(f"ss -K -n state established dport = {server.port}")
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.assertEqual((r.causes, sum(r.errors.values())), ({"aborted"}, 10), r)
        self.assertEqual({name for _, _, name in r.errors}, {"ECONNABORTED"})
        server.send_signal(signal.SIGCONT)
