# SPDX-License-Identifier: MIT
"""echobench with clients of one's own."""
from echolab import BIN, OK, USAGE, covers, not_in
from test_echobench import INCONCLUSIVE, QUICK, SLOW_SERVER, Bench


class Clients(Bench):
    """Clients of one's own: beside each other, behind a gate or whole, and with what they say compared."""
    GATED = f"{BIN}/bench/bare_epoll client {{addr}} --gate {{gate}} -c {{connections}} -s {{size}} -p {{pipeline}}"
    SERVER = f"{BIN}/bench/bare_epoll server"
    WHOLE = ("--round", "1ms", "--rounds", "1", "--warmup", "0s", "--max-blocks", "8")

    def setUp(self):
        super().setUp()
        if not (BIN / "bench/bare_epoll").exists():
            self.skipTest("bench-programs were not built")

    @not_in("asan", "ubsan", "tsan", "valgrind")
    @covers("echobench", "client_a", "client_b", "compare")
    def test_two_clients_of_one_kind_of_server(self):
        """Sixteen at a time cost a fraction of one at a time, whoever sends them."""
        deep = f"{BIN}/echoload {{addr}} --gate {{gate}} -c {{connections}} -p 16 -o json"
        for compare, decided in (("client_cpu", "client_cpu_ratio"), ("rate", "ratio")):
            doc = self.result("--a", self.SERVER, "--b", self.SERVER, "--client-a", self.GATED, "--client-b", deep, *QUICK,
                              "--compare", compare)
            cell, = doc["cells"]
            self.assertTrue(cell["measured"], cell["reason"])
            self.assertEqual((cell["decided_by"], cell["compare"], cell["winner"]), (compare, compare, "b"), cell[decided])
            self.assertLess(cell["client_cpu_ratio"]["high"], 0.8)
            self.assertGreater(cell["ratio"]["low"], 1.2)
            self.assertEqual((cell["a"]["name"], cell["b"]["name"], cell["b"]["client"]), (self.GATED, deep, deep))
            self.assertEqual(doc["recommend"], deep)

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_what_the_client_says_is_compared(self):
        """Its latencies: with 64 in flight each waits for those before it, and for all their bytes."""
        deep = f"{BIN}/echoload {{addr}} --gate {{gate}} -c {{connections}} -s {{size}} -p 64 -o json"
        cell, = self.result("--a", "epoll", "--b", "epoll", "--client-b", deep, *QUICK, "-s", "16k", "--compare",
                            ".latency_ns.p50")["cells"]
        self.assertTrue(cell["measured"], cell["reason"])
        self.assertEqual((cell["decided_by"], cell["winner"], cell["a"]["name"]), ("key", "a", "echoload"))
        self.assertEqual([cell[s]["key"] for s in "ab"], [cell[s]["latency_ns"]["p50"] for s in "ab"])

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_the_floor_is_a_server_and_a_client(self):
        floor = f"{BIN}/bench/floor --gate {{gate}} -c {{connections}}"
        cell, = self.result("--b", self.SERVER, "--client-a", floor, "--client-b", self.GATED, *QUICK, "--compare",
                            "cpu")["cells"]
        self.assertTrue(cell["measured"], cell["reason"])
        self.assertGreater(cell["a"]["server_cpu_ns_per_message"], 100)
        self.assertNotEqual(cell["b"]["server_cpu_ns_per_message"], cell["b"]["client_cpu_ns_per_message"])
        self.assertEqual((cell["a"]["name"], cell["a"]["command"], cell["b"]["name"]), (floor, floor, self.SERVER))
        # one process is both: beside its like, where nothing else has a part in the figures, to the digit
        cell, = self.result("--client-a", floor, "--client-b", floor, *QUICK, "--compare", "cpu")["cells"]
        self.assertTrue(cell["measured"], cell["reason"])
        for side in "ab":
            self.assertEqual(cell[side]["server_cpu_ns_per_message"], cell[side]["client_cpu_ns_per_message"])

    def test_a_client_is_told_what_was_set(self):
        said = self.path("said")
        tells = f"echo {{connections}} {{size}} {{pipeline}} {{threads}} {{congestion}} {{client_backend}} >{said}; " \
                "echo '{\"x\": 1}'"
        self.result("--client-a", tells, "--client-b", tells, *self.WHOLE, "--compare", ".x", "-c", "3", "-s", "5", "-p",
                    "2", "-t", "7", "--congestion", "reno", "--client-backend", "io_uring")
        self.assertEqual(said.read_text(), "3 5 2 7 reno io_uring\n")

    def test_of_a_whole_client_without_a_server_nothing_is_made_up(self):
        client = "sleep 0.01; echo '{\"messages\": 1}'"
        r = self.bench("--client-a", client, "--client-b", client, *self.WHOLE, "--compare", "rate", "-o", "text")
        self.assertIn("-: not measured: Operation not supported\n", r.out, r)
        cell, = self.result("--client-a", client, "--client-b", client, *self.WHOLE, "--compare", "rate")["cells"]
        self.assertEqual(cell["system_calls_reason"], "Operation not supported")
        for side in ("a", "b"):
            self.assertIsNone(cell[side]["system_calls_per_message"])
            self.assertGreaterEqual(cell[side]["context_switches_per_message"], 1, "it sleeps once")

    def test_commands_without_a_gate_are_run_whole(self):
        """With a server or without, and whatever they say may be compared."""
        a, b = """echo '{"x": [1, {"y": 200}]}'""", """echo talk; echo '{"x": [1, {"y": 300}], "messages": 5}'; : {addr}"""
        doc = self.result("--client-a", a, "--client-b", b, "--b", self.SERVER, *self.WHOLE, "--compare", ".x.1.y", code=OK)
        cell, = doc["cells"]
        self.assertAlmostEqual(cell["key_ratio"]["median"], 1.5, 6)
        self.assertEqual((cell["winner"], cell["decided_by"], cell["ratio"]), ("a", "key", None))
        self.assertEqual((cell["a"]["rate"], cell["a"]["key"], cell["b"]["key"]), (None, 200, 300))
        self.assertGreater(cell["b"]["rate"], 5)
        text = self.bench("--client-a", a, "--client-b", b, "--b", self.SERVER, *self.WHOLE, "--compare", ".x.1.y").out
        self.assertIn(f"A  {a}\nB  {self.SERVER}\n   client: {b[:60]}", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80, text)
        self.assertNotIn("nan", text)

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_a_client_that_is_run_whole_loads_a_server(self):
        whole = f"{BIN}/bench/bare_epoll client {{host}}:{{port}} -c {{connections}} -w 0 -d {{seconds}}"
        cell, = self.result("--b", SLOW_SERVER, "--client-a", whole, "--client-b", whole, "-c", "4", "--round", "50ms",
                            "--rounds", "2", "--warmup", "0s", "--max-blocks", "8", "--compare", "cpu")["cells"]
        self.assertTrue(cell["measured"], cell["reason"])
        self.assertEqual((cell["winner"], cell["a"]["name"]), ("a", "epoll"))
        self.assertGreater(cell["cpu_ratio"]["low"], 1.5)
        self.assertGreater(cell["a"]["client_cpu_ns_per_message"], 100)

    def test_what_such_a_client_does_wrong_is_the_reason(self):
        for client, compare, reason in (
                ("echo false: no echo >&2; exit 1; {addr} {gate}", "cpu", "the client ended with exit code 1: false: no echo"),
                ("false", ".x", "the client ended with exit code 1"), ("echo hello", ".x", "exit code 0"),
                ("kill -9 $$", ".x", "killed by signal 9"),
                ("echo '{\"other\": 1}'", ".x", "there was no number above 0 at this key of the client's JSON"),
                ("echo '{\"x\": 1}'", "auto", "there was no messages")):
            with self.subTest(client=client):
                side = ("--a", self.SERVER) if "{addr}" in client else ()
                cell, = self.result("--client-a", client, "--client-b", "echo '{\"x\": 5}'", *side, *self.WHOLE,
                                    "--compare", compare, code=INCONCLUSIVE)["cells"]
                self.assertFalse(cell["measured"])
                self.assertIn(reason, cell["reason"])

    def test_mistakes_in_them_are_one_line(self):
        for word, *argv in (
                ("--compare: 'luck' must be auto, rate, cpu, client_cpu, or a key", "--compare", "luck"),
                ("--a: is not used: the client of this side has no {addr}", "--client-a", "true", "--a", "epoll"),
                ("is not used: the client of this side has no {addr}", "--client-b", "true", "--server", "x {addr}"),
                ("--client-a: has no {connections}: it would not get", "--client-a", "x {addr}", "-c", "1,2"),
                ("has no {size}: it would not get the size that was set", "--client-b", "x {addr}", "-s", "16Ki"),
                ("has no {pipeline}:", "--client-b", "x {addr} {size}", "-s", "1", "-p", "2"),
                ("has no {threads}:", "--client-b", "x {addr}", "-t", "2"),
                ("has no {congestion}:", "--client-b", "x {addr}", "--congestion", "reno"),
                ("has no {client_backend}:", "--client-a", "x {addr}", "--client-backend", "io_uring"),
                ("the modes are echoload's alone", "--client-b", "x {addr}", "--mode", "churn")):
            r = self.bench(*argv)
            self.assertEqual((r.code, r.out, len(r.err.splitlines())), (USAGE, "", 1), r)
            self.assertIn(word, r.err)
