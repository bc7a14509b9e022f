# SPDX-License-Identifier: MIT
"""Results are what docs/echoload-1.schema.json says, whatever became of the run."""
import json
import signal
import unittest

from echolab import NO_ANSWER, ROOT, VERDICT, TestCase, recv_exactly
from loadlab import INCONCLUSIVE, SIGINT, LoadCase

try:
    from jsonschema import Draft202012Validator
except ImportError:
    Draft202012Validator = None

CAUSES = ("finished eof eof_early reset refused timeout_connect timeout_answer timeout_tcp host_unreachable "
          "net_unreachable prohibited aborted local_limit corrupt other").split()


def schema():
    return json.loads((ROOT / "docs/echoload-1.schema.json").read_text())


def keys(node, path=""):
    """The paths of all keys that a schema requires, references followed."""
    root = schema()

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


@unittest.skipUnless(Draft202012Validator, "python3-jsonschema is not installed")
class Schema(LoadCase):
    def assertValid(self, result):
        found = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}"
                 for e in Draft202012Validator(schema()).iter_errors(result.json)]
        self.assertEqual(found, [], result)

    def test_it_is_a_schema_itself(self):
        Draft202012Validator.check_schema(schema())

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
        server = self.echod()
        load = self.load(server, connections=8, duration="1s", reconnect="backoff 1ms..50ms")
        self.wait_open(server, 8)
        self.kill(server)
        r = load.done()
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

    def test_nothing_of_a_result_is_unknown_to_it(self):
        """A key that is added to results is added to the schema."""
        r = self.run_load(self.peer(lambda sock, _: recv_exactly(sock, 64)), connections=1, messages=10,
                          code=NO_ANSWER)
        closed = schema()

        def close(node, whole=True):
            """Nothing beside its properties. Definitions are not whole: who refers to them may add some."""
            if isinstance(node, dict):
                if whole and ("$ref" in node or "properties" in node):
                    node.setdefault("unevaluatedProperties", False)
                for key, child in node.items():
                    for value in child.values() if key == "$defs" else [child]:
                        close(value, key != "$defs")
        close(closed)
        found = [e.message for e in Draft202012Validator(closed).iter_errors(r.json)]
        self.assertEqual(found, [], r)


@unittest.skipUnless(Draft202012Validator, "python3-jsonschema is not installed")
class Contract(TestCase):
    def test_the_keys_of_version_1_stay_required(self):
        """Those of CLI.md: a result without one is no echoload/1."""
        required = keys(schema())
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
        self.assertEqual(schema()["$defs"]["outcomes"]["items"]["properties"]["cause"]["enum"], CAUSES)
