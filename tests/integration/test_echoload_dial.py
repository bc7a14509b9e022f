# SPDX-License-Identifier: MIT
"""What an attempt to connect can meet before there is a connection: its own port, an address where nobody is."""
from echolab import NO_ANSWER, OK, program, run, ss
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
                r = self.run_load(target, connections=2, duration="300ms", warmup="0s", reconnect="immediate",
                                  code=NO_ANSWER, prefix=ns.prefix, **options, **LONG)
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
