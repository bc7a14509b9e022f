#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benchmark harness keeps its promises: options, aggregates, and JSON that compare.py reads.

Builds nothing: runs $ECHOLAB_BIN/bench_all (default build/release), and only its benchmarks of the
harness itself (bench/micro/bench_self.c), so that no change of another module can fail it.
"""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(os.environ.get("ECHOLAB_BIN", os.path.join(ROOT, "build/release")), "bench_all")
COMPARE = "/usr/share/benchmark/compare.py"  # Debian's libbenchmark-tools
SELF = "--benchmark_filter=^self_"
FAST = "--benchmark_min_time=0.01"


def run(*options):
    return subprocess.run([BENCH, *options], capture_output=True, text=True, timeout=60, check=False)


def results(*options):
    done = run("--benchmark_format=json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Harness(unittest.TestCase):
    def setUp(self):
        self.assertTrue(os.access(BENCH, os.X_OK), f"{BENCH} is not there: make it, or set ECHOLAB_BIN")

    def fails(self, code, word, *options):
        done = run(*options)
        self.assertEqual(done.returncode, code, done)
        self.assertIn(word, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_list_names_every_argument_and_runs_nothing(self):
        names = run("--benchmark_list_tests", SELF).stdout.split()
        for name in ("self_empty", "self_copy/64", "self_copy/4096", "self_copy/65536"):
            self.assertIn(name, names)
        self.assertEqual(len(names), len(set(names)))

    def test_filter_chooses_and_a_minus_inverts_it(self):
        names = run("--benchmark_list_tests", "--benchmark_filter=^self_copy/(64|4096)$").stdout.split()
        self.assertEqual(names, ["self_copy/64", "self_copy/4096"])
        others = run("--benchmark_list_tests=true", "--benchmark_filter=-^self_copy").stdout.split()
        self.assertIn("self_empty", others)
        self.assertFalse([n for n in others if n.startswith("self_copy")])

    def test_json_has_googles_keys(self):
        doc = results(SELF, FAST)
        for key in ("date", "host_name", "executable", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled",
                    "caches", "load_avg", "library_build_type"):
            self.assertIn(key, doc["context"])
        self.assertRegex(doc["context"]["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$")
        self.assertEqual(len(doc["context"]["load_avg"]), 3)
        for row in doc["benchmarks"]:
            for key in ("name", "family_index", "per_family_instance_index", "run_name", "run_type",
                        "repetitions", "repetition_index", "threads", "iterations", "real_time",
                        "cpu_time", "time_unit"):
                self.assertIn(key, row)

    def test_repetitions_give_aggregates_that_match_them(self):
        rows = results("--benchmark_filter=^self_copy/4096$", FAST, "--benchmark_repetitions=5")["benchmarks"]
        runs = [r for r in rows if r["run_type"] == "iteration"]
        sums = {r["aggregate_name"]: r for r in rows if r["run_type"] == "aggregate"}
        self.assertEqual([r["repetition_index"] for r in runs], list(range(5)))
        self.assertEqual(len({r["iterations"] for r in runs}), 1)
        self.assertEqual(sorted(sums), ["cv", "mean", "median", "stddev"])
        for key in ("real_time", "cpu_time", "bytes_per_second"):
            values = [r[key] for r in runs]
            mean, deviation = statistics.mean(values), statistics.stdev(values)
            self.assertAlmostEqual(sums["mean"][key] / mean, 1, 9)
            self.assertAlmostEqual(sums["median"][key] / statistics.median(values), 1, 9)
            self.assertAlmostEqual(sums["stddev"][key] / deviation, 1, 6)
            self.assertAlmostEqual(sums["cv"][key] / (deviation / mean), 1, 6)
        self.assertEqual(sums["mean"]["name"], "self_copy/4096_mean")
        self.assertEqual(sums["mean"]["run_name"], "self_copy/4096")

    def test_report_aggregates_only_leaves_the_repetitions_out(self):
        rows = results("--benchmark_filter=^self_empty$", FAST, "--benchmark_repetitions=2",
                       "--benchmark_report_aggregates_only")["benchmarks"]
        self.assertEqual({r["run_type"] for r in rows}, {"aggregate"})

    def test_a_run_lasts_as_long_as_asked(self):
        for text, seconds in (("0.1", 0.1), ("0.3s", 0.3)):
            begin = time.monotonic()
            row = results("--benchmark_filter=^self_copy/65536$", f"--benchmark_min_time={text}")["benchmarks"][0]
            if row["iterations"] * row["real_time"] * 1e-9 < seconds * 4.999:  # the harness waits no longer for a CPU
                self.assertGreaterEqual(row["iterations"] * row["cpu_time"] * 1e-9, seconds * 0.999)
            self.assertLess(row["iterations"] * row["cpu_time"] * 1e-9, seconds * 5)
            self.assertLess(time.monotonic() - begin, seconds * 10 + 5)

    def test_rates_follow_from_cpu_time(self):
        rows = {r["name"]: r for r in results(SELF, FAST)["benchmarks"]}
        row = rows["self_copy/4096"]
        self.assertAlmostEqual(row["bytes_per_second"] * row["cpu_time"] * 1e-9 / 4096, 1, 6)
        row = rows["self_empty"]
        self.assertAlmostEqual(row["items_per_second"] * row["cpu_time"] * 1e-9, 1, 6)

    def test_counters_are_averaged_and_made_into_rates(self):
        row = results("--benchmark_filter=^self_counters$", FAST)["benchmarks"][0]
        self.assertEqual((row["steps"], row["fixed"]), (1000, 7))
        self.assertAlmostEqual(row["step_rate"] * row["cpu_time"] * 1e-9 / 1000, 1, 6)
        self.assertAlmostEqual(row["step_rate"] * row["step_seconds"], 1, 6)

    def test_a_pause_is_not_measured(self):
        rows = {r["name"]: r for r in results("--benchmark_filter=^self_(pause|clock/3)$", FAST)["benchmarks"]}
        # the thread's clock is read once more in each pause than real time counts
        self.assertLess(rows["self_pause"]["real_time"], rows["self_clock/3"]["real_time"])

    def test_a_skipped_benchmark_says_so_and_the_run_goes_on(self):
        rows = {r["name"]: r for r in results("--benchmark_filter=^self_clock", FAST)["benchmarks"]}
        self.assertTrue(rows["self_clock/10"]["error_occurred"])
        self.assertIn("no such clock", rows["self_clock/10"]["error_message"])
        self.assertNotIn("error_occurred", rows["self_clock/1"])

    def test_the_table_is_aligned_and_80_columns_wide(self):
        lines = run(SELF, FAST).stdout.splitlines()
        self.assertTrue(lines[0].startswith("Benchmark"))
        self.assertLessEqual(max(map(len, lines)), 80)
        column = lines[0].index("Iterations") + len("Iterations")
        for line in lines[1:]:
            if line.startswith("self_") and "skipped" not in line:
                self.assertTrue(line[column - 1].isdigit(), line)

    def test_a_file_appears_whole_or_not_at_all(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "out.json")
            done = run("--benchmark_filter=^self_empty$", FAST, f"--benchmark_out={path}")
            self.assertEqual(done.returncode, 0)
            self.assertIn("self_empty", done.stdout)  # the table still goes to stdout
            with open(path, encoding="utf-8") as f:
                self.assertEqual(json.load(f)["benchmarks"][0]["name"], "self_empty")
            self.assertEqual(os.listdir(d), ["out.json"])
            self.fails(4, "cannot write", SELF, FAST, f"--benchmark_out={d}/none/out.json")

    def test_help_is_on_stdout(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("filter", "repetitions", "min_time", "format", "out", "out_format", "list_tests",
                       "report_aggregates_only"):
            self.assertIn(f"--benchmark_{option}", done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)

    def test_what_cannot_be_understood_is_exit_2_and_one_line(self):
        self.fails(2, "--benchmark_filtre", "--benchmark_filtre=x")
        self.fails(2, "unknown", "--benchmark_outer=x")
        self.fails(2, "unknown", "self_empty")
        self.fails(2, "regular expression", "--benchmark_filter=(")
        self.fails(2, "no benchmark", "--benchmark_filter=^nobody$")
        self.fails(2, "repetitions", "--benchmark_repetitions=0")
        self.fails(2, "time", "--benchmark_min_time=soon")
        self.fails(2, "format", "--benchmark_format=csv")
        self.fails(2, "format", "--benchmark_out_format=csv")
        self.fails(2, "true or false", "--benchmark_list_tests=maybe")
        self.fails(2, "needs a value", "--benchmark_filter=")


@unittest.skipUnless(os.path.exists(COMPARE), "libbenchmark-tools is not installed")
class ComparePy(unittest.TestCase):
    """Google's own reader. It needs scipy, which Debian's /usr/bin/python3 has."""

    def compare(self, *args):
        # nothing is written beside the tool, and no colour codes hide the words
        done = subprocess.run(["/usr/bin/python3", "-B", COMPARE, "--no-color", *args],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def two_outputs(self, d):
        paths = [os.path.join(d, name) for name in ("a.json", "b.json")]
        for path in paths:
            done = run("--benchmark_filter=^self_(copy|clock)", FAST, "--benchmark_repetitions=9",
                       f"--benchmark_out={path}")
            self.assertEqual(done.returncode, 0, done.stderr)
        return paths

    def test_two_outputs_are_compared_and_tested_for_significance(self):
        with tempfile.TemporaryDirectory() as d:
            text = self.compare("benchmarks", *self.two_outputs(d))
        for name in ("self_copy/64", "self_copy/4096_median", "self_clock/3_mean"):
            self.assertIsNotNone(re.search(rf"^{name} +[+-]\d", text, re.M), text)
        self.assertIn("self_copy/64_pvalue", text)
        self.assertIn("U Test, Repetitions: 9 vs 9", text)

    def test_two_families_of_one_program_are_compared(self):
        text = self.compare("-a", "filters", BENCH, "self_copy/4096", "self_copy/65536", FAST,
                            "--benchmark_repetitions=3")
        self.assertIn("[self_copy/4096 vs. self_copy/65536]_mean", text)


class WholeCommands(unittest.TestCase):
    """tools/hyperfine.sh."""

    SCRIPT = os.path.join(ROOT, "tools/hyperfine.sh")

    def script(self, *args, **env):
        env = {**os.environ, "ECHOLAB_BIN": os.path.dirname(BENCH), **env}
        return subprocess.run([self.SCRIPT, *args], capture_output=True, text=True, timeout=100, check=False, env=env)

    @unittest.skipUnless(shutil.which("hyperfine"), "hyperfine is not installed")
    def test_start_storm_and_teardown_are_timed_for_each_backend(self):
        with tempfile.TemporaryDirectory() as d:
            done = self.script("--runs", "2", d)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertEqual(sorted(os.listdir(d)), ["start.json", "storm.json", "teardown.json"])
            for name in ("start", "storm", "teardown"):
                with open(os.path.join(d, f"{name}.json"), encoding="utf-8") as f:
                    rows = json.load(f)["results"]
                self.assertIn(f"{name} epoll", [r["command"] for r in rows])
                for row in rows:
                    self.assertEqual((len(row["times"]), set(row["exit_codes"])), (2, {0}))

    def test_what_is_missing_is_said(self):
        self.assertEqual(self.script("--rums").returncode, 2)
        for env, word in (({"ECHOLAB_BIN": "/nonexistent"}, "no programs in /nonexistent"),
                          ({"PATH": "/nonexistent"}, "hyperfine is missing")):
            if word.startswith("no") and not shutil.which("hyperfine"):
                continue
            done = subprocess.run(["/bin/sh", self.SCRIPT], capture_output=True, text=True, timeout=60, check=False,
                                  env={**os.environ, **env})
            self.assertEqual((done.returncode, word in done.stderr), (4, True), done)


def program(name):
    """Path of a standalone program; tests are skipped where bench-programs was not built."""
    path = os.path.join(os.path.dirname(BENCH), "bench", name)
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest(f"{path} was not built")
    return path


class Bare(unittest.TestCase):
    """The bare loops echo every byte, each with each, and count alike."""

    def test_each_server_with_each_client(self):
        shapes = (("-s", "64", "-c", "8"), ("-s", "65536", "-p", "8", "-c", "20"), ("-s", "1", "-p", "300"))
        for server in ("bare_epoll", "bare_uring"):
            for client in ("bare_epoll", "bare_uring"):
                for shape in shapes:
                    with self.subTest(server=server, client=client, shape=shape):
                        self.echo(program(server), program(client), shape)

    def echo(self, server, client, shape, *variant):
        """What the server says that it has done, after a client that was content."""
        with subprocess.Popen([server, "server", *variant], stdout=subprocess.PIPE, text=True) as p:
            line = p.stdout.readline().split()
            if not line:
                self.assertEqual(p.wait(), 4)
                self.skipTest("io_uring is not to be had here")
            done = subprocess.run([client, "client", line[1], "-w", "0", "-d", "0.2", "--verify", "--latency",
                                   "--observe", str(p.pid), *shape], capture_output=True, text=True, timeout=30,
                                  check=False)
            p.terminate()
            served = json.loads(p.communicate(timeout=10)[0].splitlines()[-1])
        self.assertEqual((done.returncode, p.returncode), (0, 0), done.stderr)
        got = json.loads(done.stdout)
        self.assertGreater(got["messages"], 0)
        self.assertEqual(served["bytes"], got["messages"] * got["size"])
        self.assertLessEqual(got["p50_ns"], got["p99_ns"])
        rounded = 0.05  # it is printed with one decimal: of two million messages that is 0.1 ms
        self.assertLessEqual((got["server_cpu_ns_per_message"] - rounded) * got["messages"], served["cpu_ns"])
        return served

    def test_a_client_that_discards_counts_what_came(self):
        for client in ("bare_epoll", "bare_uring"):
            with self.subTest(client=client):
                with subprocess.Popen([program("bare_epoll"), "server"], stdout=subprocess.PIPE, text=True) as p:
                    command = [program(client), "client", p.stdout.readline().split()[1], "-s", "65536", "-c", "3",
                               "-w", "0", "-d", "0.1", "--discard"]
                    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
                    compared = subprocess.run([*command, "--verify"], capture_output=True, text=True, timeout=30,
                                              check=False)
                    p.terminate()
                    served = json.loads(p.communicate(timeout=10)[0].splitlines()[-1])
                self.assertEqual(done.returncode, 0, done.stderr)
                got = json.loads(done.stdout)
                self.assertEqual(served["bytes"], got["messages"] * got["size"])
                self.assertEqual(compared.returncode, 2)
                self.assertIn("--discard drops", compared.stderr)

    def test_what_is_discarded_is_not_copied(self):
        def memory(*options):  # of a client whose 256 buffers are written, or not
            with subprocess.Popen([program("bare_epoll"), "server"], stdout=subprocess.PIPE, text=True) as p, \
                    subprocess.Popen([program("bare_uring"), "client", p.stdout.readline().split()[1], "-s", "65536", "-c",
                                      "8", "-d", "60", *options], stdout=subprocess.DEVNULL) as client:
                while self.cpu_ticks(client.pid) < 30:  # thousands of messages
                    self.assertIsNone(client.poll())
                    time.sleep(0.01)  # nothing tells of CPU time used
                with open(f"/proc/{client.pid}/status", encoding="ascii") as f:
                    held = int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) * 1024
                client.kill()
                p.terminate()
            return held
        self.assertLess(memory("--discard"), memory() - 200 * 65536)

    def cpu_ticks(self, pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))

    def test_a_ring_echoes_in_each_way_that_is_measured(self):
        for variant in ("quiet", "inline", "eager", "plain-files", "packed", "buffers=4,buffer-size=512", "min-wait=20",
                        "quiet,buffers=8"):
            for shape in (("-c", "8"), ("-s", "65536", "-p", "4", "-c", "3")):
                with self.subTest(variant=variant, shape=shape):
                    self.echo(program("bare_uring"), program("bare_epoll"), shape, "--variant", variant)

    def test_a_quiet_send_saves_the_second_completion_of_an_echo(self):
        for variant, most, least in ((("--variant", "quiet"), 1.2, 1), ((), 2.2, 1.8)):
            served = self.echo(program("bare_uring"), program("bare_epoll"), ("-c", "8"), *variant)
            self.assertTrue(least <= served["events"] / served["recvs"] <= most, served)

    def test_a_client_counts_only_what_comes_after_its_warm_up(self):
        with subprocess.Popen([program("bare_epoll"), "server"], stdout=subprocess.PIPE, text=True) as p:
            address = p.stdout.readline().split()[1]
            done = subprocess.run([program("bare_uring"), "client", address, "--spin", "-w", "0.3", "-d", "0.1"],
                                  capture_output=True, text=True, timeout=30, check=True)
            p.terminate()
            served = json.loads(p.communicate(timeout=10)[0].splitlines()[-1])
        got = json.loads(done.stdout)
        self.assertGreater(served["bytes"], got["messages"] * got["size"])

    def test_the_blocking_pair_echoes_asleep_and_spinning(self):
        for spin in ((), ("--spin",)):
            with subprocess.Popen([program("bare_block"), "server", *spin], stdout=subprocess.PIPE, text=True) as p:
                address = p.stdout.readline().split()[1]
                done = subprocess.run([program("bare_block"), "client", address, "-c", "1", "-d", "0.1", "--verify",
                                       *spin], capture_output=True, text=True, timeout=30, check=False)
                p.terminate()
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(json.loads(done.stdout)["messages"], 0)

    def test_the_floor_is_measured_with_one_cpu_and_with_two(self):
        for more in ((), ("--peer-cpu", "0")):
            done = subprocess.run([program("floor"), "-d", "0.2", "-c", "4", "--json", *more],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            doc = json.loads(done.stdout)
            self.assertGreater(doc["floor_ns"], 100)
            self.assertLessEqual(doc["low_ns"], doc["high_ns"])


if __name__ == "__main__":
    unittest.main()
