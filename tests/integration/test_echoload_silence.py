# SPDX-License-Identifier: MIT
"""What is a silence of the service, and what is one message on a slow path."""
from echolab import NO_ANSWER, not_in, recv_exactly, slow
from loadlab import LONG, for_each_client, for_each_pair, silence
from test_echoload_outages import SECOND, OutageCase


class LargeCase(OutageCase):
    """A message that takes many times --stall to be sent, on a path of 10 Mbit/s."""
    SIZE = 4 << 20  # 3.4 s
    RUN = {"connections": 1, "messages": 1, "size": SIZE, "warmup": "0s", "stall": "1s"} | LONG

    def slow_path(self):
        lab = self.lab()
        lab.client.run("tc qdisc add dev c0 root tbf rate 10mbit burst 32k limit 8m")
        return lab

    def over_slow_path(self, lab, to):
        r = self.run_load(to, prefix=lab.client.prefix, **self.RUN)
        self.assertGreater(r["latency_ns"]["max"], 3 * SECOND, r)
        self.assertEqual((r["messages"]["echoed"], r["outages"]), (1, []), r)


@for_each_pair
class EachLargeEcho(LargeCase):
    def test_a_part_that_came_back_is_no_silence(self):
        lab = self.slow_path()
        self.over_slow_path(lab, self.echod(listen="10.77.2.2:0", prefix=lab.server.prefix))


@for_each_client
class EachLarge(LargeCase):
    def test_a_part_that_was_acknowledged_is_no_silence(self):
        """The server answers when it has all of it."""
        def script(sock, _):
            while data := recv_exactly(sock, self.SIZE):
                sock.sendall(data)
        lab = self.slow_path()
        with lab.server:
            peer = self.peer(script, host="10.77.2.2")
        self.over_slow_path(lab, peer)

    def test_what_is_acknowledged_behind_a_message_that_waits_is_no_sign(self):
        """The kernel of a server that hangs acknowledges for as long as it has room."""
        for options in ({"rate": 2000, "pipeline": 65536}, {"size": 1 << 20}):
            with self.subTest(**options):
                told = self.folder() / "told.jsonl"
                load = self.load(self.peer(silence), connections=4, warmup="0s", duration="10m", stall="300ms", grace="0s",
                                 jsonl=told, **options, **LONG)
                self.wait_until(lambda at=told: at.exists() and '"outage_opened"' in at.read_text(), "the silence is noticed")
                r = load.interrupted()
                o, g = self.one_outage(r, recovered=False), r["generator"]
                without_cpu = g["paused_ns"] + (g["wait_ns"] or 0)
                self.assertBetween(300_000_000, o["noticed_ns"], 300_000_000 + slow(1) * SECOND + without_cpu, r)

    @not_in("asan", "ubsan", "tsan", "valgrind")  # nor do they run under a tracer
    def test_a_long_look_at_connections_is_no_pause(self):
        """A look that takes 240 ms, as one at very many connections does: the next one is not late because of it."""
        delayed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getsockopt", "-e", "inject=getsockopt:delay_enter=60000"]
        r = self.run_load(self.peer(silence), code=NO_ANSWER, prefix=delayed, connections=4, warmup="0s", duration="3s",
                          stall="300ms", grace="0s", **LONG)
        o = self.one_outage(r, recovered=False)
        self.assertBetween(300_000_000, o["noticed_ns"], 2 * SECOND, r)
