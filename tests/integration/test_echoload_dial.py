# SPDX-License-Identifier: MIT
"""What an attempt to connect can meet before there is a connection: its own port, an address where nobody is."""
from echolab import NO_ANSWER, OK, USAGE, covers, program, run, sh, slow, ss
from loadlab import LONG, LoadCase, for_each_client

PORT = 40000  # in a network of its own


class OwnPortCase(LoadCase):
    """The target's port is one that the kernel gives to clients: a client may get it, and TCP then connects the socket
    to itself (simultaneous open), where no server is."""

    def network(self, first=PORT, last=PORT):
        """A network whose clients get ports of that range."""
        ns = self.namespace()
        ns.sysctl("net.ipv4.ip_local_port_range", f"{first} {last}")
        return ns


@for_each_client
class EachOwnPort(OwnPortCase):

    def test_a_client_that_gets_the_port_of_its_target_is_refused(self):
        ns = self.network()
        for target, options in ((f"127.0.0.1:{PORT}", {}), (f"[::1]:{PORT}", {}), (f"0.0.0.0:{PORT}", {}),
                                (f"[::]:{PORT}", {}), (f"127.0.0.1:{PORT}", {"source": "127.0.0.1"})):
            with self.subTest(target=target, **options):
                r = self.as_long_as_needed(
                    lambda duration, target=target, options=options: self.load(
                        target, connections=2, duration=duration, warmup="0s", reconnect="immediate",
                        prefix=ns.prefix, **options, **LONG), lambda r: r.outcomes, 0.3)
                self.assertEqual(r.code, NO_ANSWER, r)
                self.assertEqual(set(r.outcomes), {("refused", "connecting", "ECONNREFUSED")}, r)
                self.assertEqual((r["connections"]["established"], r["messages"]["sent"]), (0, 0), r)
                with ns:
                    self.assertEqual(ss("-tan", f"sport = :{PORT}"), [], "the port is free again")

    def test_a_server_that_comes_back_gets_its_port(self):
        ns = self.network(PORT, PORT + 3)
        listen = f"127.0.0.1:{PORT}"
        load = self.load(listen, connections=4, duration="10m", reconnect="immediate", progress="always",
                         prefix=ns.prefix, **LONG)
        self.wait_until(lambda: load.live() and load.live()[-1][2] > 10, "it has tried all ports more than once")
        server = self.echod(listen=listen, workers=1, prefix=ns.prefix)
        self.wait_counters(server, lambda c: c.open >= 1 and c.received > 1000, "it serves")
        self.assertEqual(server.stop(), OK)
        load.interrupted()


@for_each_client
class EachHint(LoadCase):
    """A path that answers the last segment of the handshake by ICMP, and lets all else through: the client's kernel
    notes a soft error of a socket that is connected, and SO_ERROR tells it."""

    def test_a_connection_whose_handshake_was_answered_by_icmp_is_one(self):
        ns = self.namespace("sysctl -qw net.ipv4.icmp_ratelimit=0", "nft add table ip path",
                            "nft add chain ip path out { type filter hook output priority 0; }",
                            f"nft add rule ip path out tcp dport {PORT} tcp flags & (syn|ack|psh|fin) == ack counter "
                            "reject with icmp host-unreachable")
        self.echod(listen=f"127.0.0.1:{PORT}", prefix=ns.prefix)
        r = self.load(f"127.0.0.1:{PORT}", connections=4, messages=8, prefix=ns.prefix, **LONG).done()
        self.assertNotIn("packets 0 ", sh(*ns.prefix, "nft", "list", "ruleset"), "the rule has caught nothing")
        self.assertEqual(r.code, OK, r)
        self.assertEqual((r["connections"]["attempts"], r["connections"]["established"]), (4, 4), r)
        self.assertEqual(set(r.outcomes), {("finished", "closing", None)}, r)


class OwnPort(OwnPortCase):
    def test_the_interactive_clients_are_refused_too(self):
        ns = self.network()
        for argv in ([], ["--textbook"]):
            r = run([*ns.prefix, *program("echoload"), "--interactive", *argv, f"127.0.0.1:{PORT}"], stdin=b"hello\n")
            self.assertEqual((r.code, r.out), (NO_ANSWER, ""), r)
            self.assertRegex(r.err, r"connect: ECONNREFUSED \(refused, phase connecting\)")

    def test_echobench_does_not_take_itself_for_the_server(self):
        ns = self.network()
        never = "sh -c 'sleep 3; exit 9' # {addr}"
        r = run([*ns.prefix, *program("echobench"), "run", "--a", never, "--b", never, "--rounds", "7", "-c", "1"])
        self.assertEqual(r.out.count("the server ended (exit 9)"), 1, r)


class NamesCase(LoadCase):
    """Names with the addresses that a test gives them."""

    def names(self, lines, ns=None):
        """The words before a program that sees these lines as /etc/hosts, in a network of its own."""
        ns = ns or self.namespace()
        hosts = self.folder() / "hosts"
        hosts.write_text(lines)
        return [*ns.prefix, "unshare", "--mount", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec \"$@\"", "sh"]


@for_each_client
class EachName(NamesCase):
    BOTH = "::1 both\n127.0.0.1 both\n"

    def served(self, listen, name="both", hosts=BOTH, **options):
        """A run against a name whose server listens on one address only. Returns it and the counters."""
        ns = self.namespace()
        server = self.echod(listen=listen, prefix=ns.prefix)
        r = self.run_load(f"{name}:{server.port}", prefix=self.names(hosts, ns), **options)
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "they have left")
        return r, c

    def test_all_addresses_of_a_name_are_tried_in_turn(self):
        for listen, address in (("127.0.0.1:0", r"127\.0\.0\.1"), ("[::1]:0", r"\[::1\]")):
            with self.subTest(listen=listen):
                r, c = self.served(listen, connections=20, messages=1000, churn=10)
                self.assertAllEchoed(r, 1000)
                self.assertEqual((r["connections"]["failed"], r["connections"]["attempts"]), (0, c.accepted))
                self.assertRegex(r["targets"][0]["address"], rf"^{address}:\d+$")
                self.assertRegex(r.out, rf"(?m)^target +both:\d+ \({address}:\d+\)$")

    @covers("echoload", "ipv4", "ipv6")
    def test_one_family_can_be_asked_for(self):
        for flag, listen in (("-4", "127.0.0.1:0"), ("-6", "[::1]:0")):
            ns = self.namespace()
            server = self.echod(listen=listen, prefix=ns.prefix)
            target = f"both:{server.port}"
            r = self.run_load(target, flag, messages=10, prefix=self.names(self.BOTH, ns))
            self.assertRegex(r["targets"][0]["address"], "^127" if flag == "-4" else r"^\[::1")
            other = "-6" if flag == "-4" else "-4"
            r = self.run_load(target, other, messages=10, prefix=self.names(self.BOTH, ns), code=NO_ANSWER)
            self.assertEqual(r.causes, {"refused"}, "the other address was not tried")

    def test_where_none_answers_an_attempt_has_failed_once(self):
        r = self.run_load(f"both:{PORT}", connections=3, prefix=self.names(self.BOTH), code=NO_ANSWER)
        self.assertEqual(r.outcomes, {("refused", "connecting", "ECONNREFUSED"): 3}, r)
        self.assertEqual(r["connections"]["attempts"], 3)

    def silent(self):
        """A network with an address that never answers, and a server beside it under the same name."""
        ns = self.namespace("ip link add d0 type veth peer name d1", "ip link set d0 up", "ip link set d1 up")
        self.add_ipv6(ns, "d0", "2001:db8::1/64")
        ns.run("ip neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev d0")
        return ns, self.names("2001:db8::2 half\n127.0.0.1 half\n", ns)

    def test_an_address_that_is_silent_costs_its_time_once(self):
        ns, prefix = self.silent()
        server = self.echod(prefix=ns.prefix)
        r = self.run_load(f"half:{server.port}", connections=900, messages=9000, churn=5, connect_timeout="2s",
                          prefix=prefix, timeout="10m")
        self.assertAllEchoed(r, 9000)
        self.assertEqual(r["connections"]["failed"], 0)
        self.assertGreater(r["duration_ns"], 1.99e9)
        self.assertLess(r["duration_ns"], slow(12e9), "not once more for each 128, which are dialed at a time")

    def test_the_address_that_has_worked_stays(self):
        """The server is killed and comes back: nobody waits for the silent address again."""
        ns, prefix = self.silent()
        listen = f"127.0.0.1:{PORT}"
        server = self.echod(listen=listen, prefix=ns.prefix)
        load = self.load(f"half:{PORT}", connections=4, duration="10m", reconnect="immediate", connect_timeout="1s",
                         prefix=prefix, timeout="10m")
        self.wait_counters(server, lambda c: c.open == 4 and c.received > 1000, "it serves")
        self.kill(server)
        server = self.echod(listen=listen, prefix=ns.prefix)
        self.wait_counters(server, lambda c: c.open == 4 and c.received > 1000, "it serves again")
        r = load.interrupted()
        self.assertEqual({cause for cause, phase, _ in r.errors if phase == "connecting"} - {"refused"}, set(), r)

    def test_a_server_that_comes_late_is_found_at_whichever_address(self):
        ns = self.namespace()
        load = self.load(f"both:{PORT}", connections=2, duration="10m", reconnect="immediate", progress="always",
                         prefix=self.names(self.BOTH, ns), **LONG)
        self.wait_until(lambda: load.live() and load.live()[-1][2] > 10, "it has tried more than once")
        server = self.echod(listen=f"127.0.0.1:{PORT}", prefix=ns.prefix)
        self.wait_open(server, 2, 1000)
        self.assertGreater(load.interrupted()["connections"]["established"], 0)

    @covers("echoload", "source")
    def test_a_source_of_the_other_family_is_a_usage_error(self):
        for argv in (("--source", "::1", "127.0.0.1:7"), ("--source", "127.0.0.0/30", "[::1]:7"),
                     ("-6", "127.0.0.1:7"), ("-4", "[::1]:7"), ("-4", "--source", "::1", "127.0.0.1:7"),
                     ("-4", "-6", "127.0.0.1:7")):
            with self.subTest(argv=argv):
                r = self.run_echoload(*argv)
                self.assertEqual((r.code, r.out, len(r.err.splitlines())), (USAGE, "", 1), r)
                self.assertRegex(r.err, "no address|no IPv[46] address")
        ns = self.namespace()
        server = self.echod(prefix=ns.prefix)
        r = self.run_load(f"both:{server.port}", messages=10, source="127.0.0.1", prefix=self.names(self.BOTH, ns))
        self.assertRegex(r["targets"][0]["address"], "^127")


class Name(NamesCase):
    def test_the_interactive_clients_try_all_addresses_too(self):
        for argv in ([], ["--textbook"]):
            ns = self.namespace()
            server = self.echod(prefix=ns.prefix)
            r = run([*self.names("::1 both\n127.0.0.1 both\n", ns), *program("echoload"), "--interactive", *argv,
                     f"both:{server.port}"], stdin=b"hello\n")
            self.assertEqual((r.code, r.out), (OK, "hello\n"), r)
            self.assertRegex(r.err, r"(?s)trying \[::1\].*connect: ECONNREFUSED.*trying 127\..*connected to 127\.0\.0\.1:")

    def test_a_server_listens_on_all_addresses_of_a_name(self):
        ns = self.namespace()
        server = self.echod(listen=f"both:{PORT}", prefix=self.names("127.0.0.1 both\n::1 both\n127.0.0.2 both\n", ns))
        self.assertEqual(sorted(server.addrs), [("127.0.0.1", PORT), ("127.0.0.2", PORT), ("::1", PORT)])
        with ns:
            for addr in server.addrs:
                self.assertEcho(self.connect(addr), b"served")

    def test_a_link_local_address_needs_its_interface_and_says_so(self):
        ns = self.namespace("ip link add d0 type veth peer name d1", "ip link set d0 up", "ip link set d1 up")
        self.add_ipv6(ns, "d0", "fe80::5/64")
        for argv in (("echod", "--listen", f"[fe80::5]:{PORT}"), ("echoload", f"[fe80::5]:{PORT}"),
                     ("echoload", "--source", "fe80::5", "[::1]:7")):
            r = run([*ns.prefix, *program(argv[0]), *argv[1:]])
            self.assertEqual((r.code, len(r.err.splitlines())), (USAGE, 1), r)
            self.assertRegex(r.err, "a link-local address needs its interface, such as .*fe80::1%eth0")
        server = self.echod(listen=f"[fe80::5%d0]:{PORT}", prefix=ns.prefix)
        r = self.run_load(f"[fe80::5%d0]:{PORT}", "--source", "fe80::5%d0", messages=10, prefix=ns.prefix)
        self.assertAllEchoed(r, 10)
        self.assertEqual(server.stop(), OK)
