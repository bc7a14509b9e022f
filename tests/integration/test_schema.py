# SPDX-License-Identifier: MIT
"""Results are what docs/echoload-1.schema.json says, whatever became of the run."""
import json
import signal
import time
from pathlib import Path

from jsonschema import Draft202012Validator

from echolab import NO_ANSWER, VERDICT, TestCase, recv_exactly
from loadlab import INCONCLUSIVE, LONG, SIGINT, LoadCase, parse, target_text
from schemas import problems, schema

NAME = "echoload-1"
CAUSES = ("finished eof eof_early reset refused timeout_connect timeout_answer timeout_tcp host_unreachable "
          "net_unreachable prohibited aborted local_limit corrupt other").split()


def keys(node, path=""):
    """The paths of all keys that a schema requires, references followed."""
    root = schema(NAME)

    def walk(node, path):
        if "$ref" in node:
            yield from walk(root["$defs"][node["$ref"].rpartition("/")[2]], path)
        for key in node.get("required", []):
            yield f"{path}.{key}"
        for key, child in node.get("properties", {}).items():
            yield from walk(child, f"{path}.{key}")
        if "items" in node:
            yield from walk(node["items"], path)
    return set(walk(node, path))


def problems_of(result):
    return problems(NAME, result)


class Schema(LoadCase):
    def assertValid(self, result):
        self.assertEqual(problems_of(result if isinstance(result, dict) else result.json), [], result)

    def test_it_is_a_schema_itself(self):
        Draft202012Validator.check_schema(schema(NAME))

    def test_a_good_run(self):
        r = self.run_load(self.echod(), connections=3, messages=300, size="1..100")
        self.assertValid(r)

    def test_a_run_of_which_nothing_was_measured(self):
        self.assertValid(self.run_load(self.echod(), messages=10, warmup="10s", code=INCONCLUSIVE))

    def test_a_run_without_a_server(self):
        self.assertValid(self.run_load(self.closed_port(), connections=2, code=NO_ANSWER))

    def test_a_corrupt_answer(self):
        def script(sock, _):
            echo = recv_exactly(sock, 64)
            sock.sendall(echo)
            echo = bytearray(recv_exactly(sock, 64))
            echo[7] ^= 1
            sock.sendall(echo)
        r = self.run_load(self.peer(script), connections=1, messages=10, code=VERDICT)
        self.assertIsNotNone(r["corruption"])
        self.assertValid(r)

    def test_a_server_that_dies_and_comes_back_no_more(self):
        def dies(duration):
            server = self.echod()
            load = self.load(server, connections=8, duration=duration, reconnect="backoff 1ms..50ms", stall="10m")
            self.wait_open(server, 8)
            self.kill(server)
            return load
        r = self.as_long_as_needed(dies, lambda r: r["outages"], 2)
        self.assertEqual(r.code, VERDICT, r)
        self.assertEqual(len(r["outages"]), 1, r)
        self.assertIsNone(r["outages"][0]["recovered_ns"], r)
        self.assertValid(r)

    def test_an_interrupted_run(self):
        server = self.echod()
        load = self.load(server, connections=4, duration="1h")
        self.wait_open(server, 4)
        load.send_signal(signal.SIGINT)
        r = load.done()
        self.assertEqual(r.code, SIGINT, r)
        self.assertTrue(r["interrupted"], r)
        self.assertValid(r)

    def test_an_open_loop_with_churn_and_idle_connections(self):
        r = self.run_load(self.echod(), connections=3, idle=2, churn=5, rate=1000, messages=200, size="1/3:9..99/1",
                          interval="20ms", code=None, **LONG)
        self.assertValid(r)
        self.assertGreater(r["connections"]["per_second"], 0)
        self.assertEqual(r["messages"]["planned_per_second"], 1000)

    def test_several_targets(self):
        r = self.run_load(self.echod(), target_text(self.echod()), connections=4, messages=100)
        self.assertEqual(len(r["targets"]), 2)
        self.assertValid(r)

    def test_a_phase(self):
        path = self.folder() / "p.conf"
        path.write_text("[phase one]\nsize = 10\n")
        file = self.folder() / "r.json"
        self.run_echoload("-f", str(path), "-n", "10", "--json", str(file), target_text(self.echod()))
        self.assertValid(parse(file.with_name("r.one.json").read_text()))

    def test_a_run_that_waited_for_its_time_in_vain(self):
        load = self.load(self.closed_port(), start_at=int(time.time()) + 3000)
        self.wait_until(lambda: "SigBlk:\t0000000000000000" not in Path(f"/proc/{load.pid}/status").read_text(),
                        "it waits")
        self.assertValid(load.interrupted())

    def test_a_sum(self):
        at, server = self.folder(), self.echod()
        for i in range(2):
            (at / f"{i}.json").write_text(json.dumps(self.run_load(server, connections=2, messages=50).json))
        self.assertValid(parse(self.run_echoload("merge", "-o", "json", str(at / "0.json"), str(at / "1.json")).out))

    def test_what_is_no_result_does_not_pass(self):
        r = self.run_load(self.echod(), messages=10).json
        for path, value in (("messages sent", -1), ("messages sent", 1.5), ("messages sent", "1"), ("extra", 1),
                            ("messages extra", 1), ("latency_ns p99", None), ("exit code", 6), ("schema", "echoload/2"),
                            ("outcomes", [{}]), ("outcomes 0 cause", "bad luck"), ("intervals 0 echoed", None),
                            ("targets 0 extra", 1), ("generator bottleneck", "me")):
            *way, key = path.split()
            j = at = json.loads(json.dumps(r))
            for step in way:
                at = at[int(step) if step.isdigit() else step]
            at[key] = value
            self.assertNotEqual(problems_of(j), [], path)


class Contract(TestCase):
    def test_the_keys_of_version_1_stay_required(self):
        """Those of docs/results.md: a result without one is no echoload/1."""
        required = keys(schema(NAME))
        latency = "count min mean p50 p90 p99 p99_9 p99_99 max".split()
        counts = "sent echoed corrupt lost unfinished".split()
        contract = {
            "": "schema exit interrupted config context duration_ns connections messages measured bytes latency_ns "
                "latency_uncorrected_ns latency_outside_outage_ns histograms outcomes outages intervals "
                "generator".split(),
            ".exit": ["code", "reason"],
            ".context": ["start_unix_ns"],
            ".connections": "requested attempts established failed connecting_at_end open_at_end peak".split(),
            ".messages": [*counts, *"planned missed lost_unsent lost_partial lost_unacked lost_acked "
                                    "per_second".split()],
            ".measured": [*counts, "begin_ns", "end_ns", "echoed_in_outage"],
            ".bytes": "sent received partial surplus".split(),
            ".latency_ns": latency,
            ".latency_uncorrected_ns": latency,
            ".latency_outside_outage_ns": latency,
            ".outcomes": "cause phase errno count messages_lost first_ns last_ns".split(),
            ".outages": "begin_ns noticed_ns first_success_ns recovered_ns messages_lost".split(),
            ".generator": "late_sends cpu_ns steal_ns bottleneck".split(),
        }
        for path, names in contract.items():
            for name in names:
                with self.subTest(key=f"{path}.{name}"):
                    self.assertIn(f"{path}.{name}", required)

    def test_the_causes_are_those_of_version_1(self):
        self.assertEqual(schema(NAME)["$defs"]["outcomes"]["items"]["properties"]["cause"]["enum"], CAUSES)


class DrillContract(TestCase):
    def test_the_keys_of_a_drill_stay_required(self):
        self.assertLessEqual(set("schema drill verdict expectations timeline commands load".split()),
                             set(schema("echodrill-1")["required"]))

    def test_what_is_no_verdict_does_not_pass(self):
        good = {"schema": "echodrill/1", "drill": "x", "means": None, "verdict": "pass", "reason": "", "took_ns": 1,
                "knew_ns": None, "knew": None, "canary_late_ns": 0, "wire_dropped": 0, "server_backend": "epoll",
                "client_backend": "epoll", "expectations": [], "timeline": [], "commands": [], "load": None}
        self.assertEqual(problems("echodrill-1", good), [])
        for change in ({"verdict": "perhaps"}, {"took_ns": -1}, {"expectations": [{}]}, {"new": 1}, {"drill": None}):
            self.assertNotEqual(problems("echodrill-1", good | change), [], change)
