# SPDX-License-Identifier: MIT
"""echobench: what differs is found, what cannot be measured is listed, and whatever happens to it there is a valid
result and no process left. How often it errs is proven by tests/unit/test_cell.c and by bench/believe: here are no
claims about speed, but for servers that are slowed so much that no machine can hide it."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import jsonschema

from echolab import (BIN, ENVIRONMENT, HEEDLESS, OK, ROOT, SANITIZERS, USAGE, VERDICT, Process, TestCase, descendants,
                     no_namespaces, not_in, program, run)

INCONCLUSIVE = 5
SCHEMA = json.loads((ROOT / "docs/echobench-1.schema.json").read_text())
# a server that prints where it listens, and needs three times the CPU time
SLOW_SERVER = (f"env LD_PRELOAD={BIN}/preload/burn.so ECHOLAB_BURN_PERCENT=200 "
               f"{BIN}/echod --listen 127.0.0.1:0 --backend epoll --workers 1")
# one that accepts and never answers; one that echoes
MUTE = "socat -u TCP-LISTEN:{port},fork,reuseaddr,bind={host} OPEN:/dev/null"
SOCAT = "socat TCP-LISTEN:{port},fork,reuseaddr,bind={host} EXEC:/bin/cat"
QUICK = ("--rounds", "7", "--warmup", "10ms", "-c", "4", "--precision", "30", "--max-blocks", "14")
# for what is asked of the first blocks, whatever the interval: that it is measured at all
ONCE = ("--rounds", "3", "--warmup", "10ms", "-c", "4", "--precision", "100", "--confidence", "80", "--max-blocks", "3")
# for a verdict, on a machine that is busy with something else
LONGER = ("-c", "16", "--precision", "30", "--limit", "45s")


def validate(result):
    jsonschema.validate(result, SCHEMA)


class Bench(TestCase):
    alone = True  # it measures, and disturbs others who do

    def bench(self, *argv, timeout=90, **env):
        return run([*program("echobench"), "run", *argv], env=env, timeout=timeout)

    def result(self, *argv, code=None, **env):
        r = self.bench(*argv, "-o", "json", **env)
        self.assertTrue(r.out, r)
        doc = json.loads(r.out)
        validate(doc)
        self.assertEqual(r.code, doc["exit"]["code"], r)
        if code is not None:
            self.assertEqual(r.code, code, r)
        return doc

    def start(self, *argv):
        return self.keep(Process([*program("echobench"), "run", *argv]))

    def path(self, name):
        d = tempfile.TemporaryDirectory(prefix="echolab-")
        self.addCleanup(d.cleanup)
        return Path(d.name) / name


class Answers(Bench):
    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_a_server_that_needs_three_times_the_cpu_loses_on_either_side(self):
        for sides, winner in ((("--b", SLOW_SERVER), "a"), (("--a", SLOW_SERVER, "--b", "epoll"), "b")):
            with self.subTest(sides=sides):
                doc = self.result(*LONGER, *sides)
                cell, = doc["cells"]
                self.assertTrue(cell["measured"], cell["reason"])
                self.assertEqual(cell["winner"], winner, {k: v for k, v in cell.items() if k != "samples"})
                self.assertEqual(doc["recommend"], cell[winner]["name"])

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_what_a_message_costs_is_counted(self):
        cell, = self.result("--b", "fork", *QUICK)["cells"]
        self.assertTrue(cell["measured"], cell["reason"])
        for side in ("a", "b"):
            self.assertGreater(cell[side]["server_cpu_ns_per_message"], 100)
            self.assertGreater(cell[side]["rate"], 100)
            self.assertLessEqual(cell[side]["latency_ns"]["p50"], cell[side]["latency_ns"]["p99"])
        if cell["b"]["system_calls_per_message"] is not None:
            # read and write; that nothing came is asked now and then
            self.assertGreaterEqual(cell["b"]["system_calls_per_message"], 2)
            self.assertLess(cell["b"]["system_calls_per_message"], 3)
        self.assertEqual(len(cell["samples"]), 4 * cell["blocks"])
        self.assertEqual((cell["rounds"], {s["rounds"] for s in cell["samples"]}), (4 * 7 * cell["blocks"], {7}))
        for block in range(cell["blocks"]):
            sides = [s["side"] for s in cell["samples"] if s["block"] == block]
            self.assertEqual(sorted(sides), ["a1", "a2", "b1", "b2"])

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_any_echo_server_can_stand_beside_ours(self):
        xinetd = self.path("xinetd.conf")
        xinetd.write_text("service e\n{\n type = UNLISTED\n id = e\n socket_type = stream\n protocol = tcp\n"
                          " bind = 127.0.0.1\n port = @\n wait = no\n user = root\n server = /bin/cat\n"
                          " instances = UNLIMITED\n cps = 10000 1\n}\n")
        python = self.path("echo.py")
        python.write_text("import socketserver, sys\n"
                          "class Echo(socketserver.StreamRequestHandler):\n def handle(self):\n"
                          "  while d := self.connection.recv(65536): self.connection.sendall(d)\n"
                          "socketserver.ThreadingTCPServer(('127.0.0.1', int(sys.argv[1])), Echo).serve_forever()\n")
        servers = [SOCAT, SLOW_SERVER, f"{sys.executable} {python} {{port}}"]
        if shutil.which("ncat"):
            servers.append("ncat -l -k -e /bin/cat {host} {port}")
        if shutil.which("xinetd") and os.geteuid() == 0:
            servers.append(f"sed s/@/{{port}}/ {xinetd} >{xinetd}.{{port}}; "
                           f"exec xinetd -dontfork -f {xinetd}.{{port}} -pidfile {xinetd}.{{port}}.pid")
        doc = self.result(*(w for s in servers for w in ("--server", s)), *ONCE, "--limit", "60s")
        self.assertEqual([c["b"]["name"] for c in doc["cells"]], servers)
        for cell in doc["cells"]:
            self.assertTrue(cell["measured"], cell["reason"])
            self.assertEqual(cell["client"], doc["cells"][0]["client"])

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_every_mode_loads_in_its_own_way(self):
        doc = self.result("--mode", "closed,open,churn,stream", "-s", "1Ki", "--rate", "2k", "--churn", "3",
                          *ONCE, "--limit", "60s")
        expected = {"closed": " -p 1 ", "open": " --rate 2000", "churn": " --churn 3", "stream": " -p 1024 "}
        self.assertEqual([c["workload"]["mode"] for c in doc["cells"]], list(expected))
        for cell in doc["cells"]:
            mode = cell["workload"]["mode"]
            self.assertIn(expected[mode], cell["client"])
            # on a busy machine the generator or the server may be late: then the cell does not count, and says so
            if mode != "open" or cell["measured"]:
                self.assertTrue(cell["measured"], cell["reason"])
                self.assertTrue(mode != "open" or cell["decided_by"] == "cpu", cell["decided_by"])
            else:
                self.assertRegex(cell["reason"], "the generator was overloaded|nothing was echoed in a round|"
                                                 "client ended with exit code 5: .*(this client could not run|"
                                                 "the rate of 2000/s was not reached)")

    def test_it_says_how_long_it_will_take_and_the_table_fits_80_columns(self):
        r = self.bench("--b", "false {port}", "-p", "1,16", "--limit", "5s", "--recommend")
        self.assertRegex(r.err.splitlines()[0], r"^echobench: 2 cells, \d+ s to \d+ s; servers on CPU \d+")
        self.assertIn("not measured: the server ended", r.out)
        self.assertIn("; cannot say: 2 of 2 cells not measured", r.out)
        self.assertLessEqual(max(map(len, r.out.splitlines())), 80, r.out)


class Unmeasured(Bench):
    """What cannot be measured is not disturbed by others, and waits for most of its time."""
    alone = False
    long = True

    def test_every_cell_is_listed_and_what_could_not_be_measured_says_why(self):
        doc = self.result("--b", "false {port}", "--server", MUTE, "-c", "1,2", "-s", "64,4Ki", "-p", "1,2",
                          "--limit", "5s", code=INCONCLUSIVE)
        self.assertEqual(len(doc["cells"]), 16)
        self.assertEqual(len({json.dumps([c["workload"], c["b"]["name"]]) for c in doc["cells"]}), 16)
        for cell in doc["cells"]:
            self.assertFalse(cell["measured"])
            self.assertIn("does not echo" if cell["b"]["name"] == MUTE else "server ended (exit 1)", cell["reason"])
            self.assertIsNone(cell["b"]["rate"])
        self.assertEqual(doc["recommend"], "either")

    def test_the_reason_names_who_failed(self):
        python = 'python3 -c "import socket, os; s = socket.create_server((\'{host}\', {port})); ' \
                 "c = s.accept()[0]; c.send(c.recv(1)); s.accept(); "
        for server, reason in (
                # echo the byte of the first connection, and die of the second
                (python + 'os.abort()"', "the server ended (exit 134)"),
                (python + 'os._exit(3)"', "the server ended (exit 3)"),
                ("socat TCP-LISTEN:{port},fork,reuseaddr,bind={host} SYSTEM:'tr e f'", "does not echo"),
                # all is well for a byte, but not for what comes later
                ("socat TCP-LISTEN:{port},fork,reuseaddr,bind={host} SYSTEM:'dd bs=1 count=100'",
                 "the client ended with exit code"),
                ("echo listening 127.0.0.1:9; exec sleep 100", "did not accept connections within 10 s"),
                ("/nonexistent/server {port}", "the server ended (exit 127)")):
            with self.subTest(server=server):
                cell, = self.result("--b", server, "-c", "1", "--limit", "20s", code=INCONCLUSIVE)["cells"]
                self.assertFalse(cell["measured"])
                self.assertIn(reason, cell["reason"])

    @not_in(*SANITIZERS, "valgrind")  # which need /proc themselves
    def test_programs_beside_it_are_found_without_proc(self):
        """The server of one side can be started: it is the other one that ends."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        r = run(["unshare", "--mount", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh", *program("echobench"), "run",
                 "--b", "sh -c 'exit 9' # {addr}", *QUICK])
        self.assertEqual(r.code, INCONCLUSIVE, r)
        self.assertIn("the server ended (exit 9)", r.out)

    def test_a_client_that_crashes_is_a_reason_not_an_end(self):
        home = self.path("bin")
        home.mkdir()
        for name in ("echobench", "echod"):
            shutil.copy(BIN / name, home / name)
        for script, reason in (("kill -SEGV $$", "killed by signal 11"), ("echo '{}'", "nothing was echoed"),
                               ("echo nonsense", "exit code 0"), ("exit 70", "exit code 70")):
            with self.subTest(script=script):
                (home / "echoload").write_text(f"#!/bin/sh\n{script}\n")
                (home / "echoload").chmod(0o755)
                r = run([home / "echobench", "run", "--b", "epoll", "-o", "json"], timeout=90)
                cell, = json.loads(r.out)["cells"]
                self.assertEqual((r.code, cell["measured"]), (INCONCLUSIVE, False), r)
                self.assertIn(reason, cell["reason"])


class Endings(Bench):
    def wait_for_servers(self, process):
        """Until a client runs; pids of all that it has started by then."""
        def running():
            found = descendants(process.pid)
            return found if any("echoload" in self.command(p) for p in found) else []
        return self.wait_until(running, "a client")

    @staticmethod
    def command(pid):
        try:
            return Path(f"/proc/{pid}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def test_an_interrupt_leaves_a_valid_result_and_nobody(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number):
                path = self.path("r.json")
                p = self.start("--b", "epoll", "-c", "4,8", "--json", path)
                pids = self.wait_for_servers(p)
                self.assertEqual(p.stop(number), code)
                doc = json.loads(path.read_text())
                validate(doc)
                self.assertEqual((doc["interrupted"], doc["exit"]["code"], len(doc["cells"])), (True, code, 2))
                self.assertEqual(doc["cells"][1]["reason"], "its turn did not come")
                self.assertFalse([q for q in pids if os.path.exists(f"/proc/{q}")])
                self.assertEqual(os.listdir(path.parent), ["r.json"])

    def test_started_with_children_ignored_it_hears_of_their_end(self):
        r = run([*HEEDLESS, *program("echobench"), "run", "--b", "false {port}", *ONCE])
        self.assertEqual(r.code, INCONCLUSIVE, r)
        self.assertIn("not measured: the server ended (exit 1)", r.out)

    def test_killed_it_leaves_no_server_behind_and_the_cells_that_were_done(self):
        path = self.path("r.json")
        p = self.start("--b", "false {port}", "--server", "epoll", "--json", path)
        # the first cell has a client, too, for a moment
        self.wait_until(lambda: path.exists() and "server ended" in path.read_text(), "the first cell is done")
        pids = self.wait_for_servers(p)
        p.kill9()
        doc = json.loads(path.read_text())
        validate(doc)
        self.assertTrue(doc["interrupted"])
        self.assertIn("server ended", doc["cells"][0]["reason"])
        self.wait_until(lambda: not [q for q in pids if os.path.exists(f"/proc/{q}/exe")], "all gone")


    @not_in("valgrind")
    def test_killed_or_interrupted_it_leaves_nothing_that_a_server_has_started(self):
        for number, command in ((signal.SIGKILL, f"sleep 1000 & {SOCAT} & wait"),
                                (signal.SIGKILL, f"setsid -f sleep 1000; {SOCAT}"),
                                (signal.SIGTERM, f"setsid -f sleep 1000; {SOCAT}"),
                                (signal.SIGTERM, f"trap '' TERM; (setsid sleep 1000 &); {SOCAT}")):
            with self.subTest(signal=number.name, command=command):
                p = self.start("--b", command)
                def started():
                    found = descendants(p.pid)
                    return found if any("sleep" in self.command(q) for q in found) else []
                pids = self.wait_until(started, "a server's child")
                self.assertEqual(p.stop(number), 143 if number == signal.SIGTERM else -number)
                self.wait_until(lambda: not [q for q in pids if os.path.exists(f"/proc/{q}/exe")], "all gone")

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_a_command_is_what_a_shell_runs(self):
        servers = [f"X=1 {SOCAT}", f"cd / && {SOCAT}", f"( {SOCAT} )", f"{SOCAT} | cat", f"{SOCAT} & wait",
                   f"(setsid {SOCAT} &)"]
        r = self.bench(*(w for s in servers for w in ("--server", s)), *ONCE, "--limit", "60s", "-o", "json", timeout=200)
        for cell in json.loads(r.out)["cells"]:
            self.assertTrue(cell["measured"], (cell["b"]["name"], cell["reason"]))
        self.assertFalse([q for q in descendants(os.getpid()) if "socat" in self.command(q)])


class Files(Bench):
    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_a_regression_against_the_baseline_is_exit_code_1(self):
        kept, path = self.path("kept.json"), self.path("r.json")
        for ratio, word in (((1e5, 1e6), "worse"), ((1e-6, 1e6), "same"), ((1e-6, 1e-5), "better")):
            with self.subTest(word=word):
                low, high = ratio
                kept.write_text(json.dumps({"schema": "echobench/1", "cells": [{
                    "workload": {"connections": 4, "size": 64, "pipeline": 1, "mode": "closed"},
                    "a": {"name": "epoll"}, "b": {"name": "fork"},
                    "ratio": {"median": low, "low": low, "high": high},
                    "cpu_ratio": {"median": 1 / low, "low": 1 / high, "high": 1 / low}}]}))
                doc = self.result("--b", "fork", *ONCE, "--baseline", kept, "--json", path)
                self.assertEqual(json.loads(path.read_text()), doc)
                self.assertTrue(doc["cells"][0]["measured"], doc["cells"][0]["reason"])
                self.assertEqual(doc["cells"][0]["baseline"], word)
                self.assertEqual(doc["exit"]["code"] == VERDICT, word == "worse")
                if word == "worse":
                    self.assertRegex(doc["exit"]["reason"], r"^1 of 1 cells worse than the baseline: 4 connections, "
                                     r"64 B, 1 in flight, closed: (rate|CPU) B/A was [\d.]+ .*, is [\d.]+: worse$")

    def test_a_baseline_may_be_the_file_that_is_written(self):
        path = self.path("r.json")
        path.write_text(json.dumps({"schema": "echobench/1", "cells": [
            {"workload": {"connections": n, "size": 64, "pipeline": 1, "mode": "closed"}, "a": {"name": "false {port}"},
             "b": {"name": "epoll"}, "ratio": {"median": 1, "low": 1, "high": 1}} for n in (1, 2)]}))
        r = self.bench("--a", "false {port}", "--b", "epoll", "-c", "1,2", "--baseline", path, "--json", path)
        self.assertEqual(r.code, INCONCLUSIVE, r)
        self.assertEqual(r.out.count("nothing to compare"), 2, r.out)
        validate(json.loads(path.read_text()))
        self.assertIn("no cell could be compared with the baseline", r.out)

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_what_is_recommended_is_a_configuration_that_echod_reads(self):
        slow = SLOW_SERVER.replace("PERCENT=200", "PERCENT=400")
        for options, expected in ((("--b", slow), r"(?m)^backend = epoll ;"),
                                  (("--b", "false {port}"), r"^; cannot say: ")):
            r = self.bench(*LONGER, *options, "--recommend", "-o", "quiet")
            self.assertRegex(r.out, expected, r)
            check = run([*program("echod"), "-f", self.config_file(r.out), "--check"])
            self.assertEqual((check.code, check.err), (OK, "echod: the configuration is good\n"), r.out)

    def test_every_file_is_a_matrix_of_its_own(self):
        one = self.config_file("[bench]\nb = false {port}\nconnections = 1,2\n")
        two = self.config_file("[bench]\nb = true {port}\nsize = 1Ki\nmode = stream\n")
        doc = self.result(one, two, code=INCONCLUSIVE)
        self.assertEqual([(c["workload"]["connections"], c["workload"]["size"], c["b"]["name"]) for c in doc["cells"]],
                         [(1, 64, "false {port}"), (2, 64, "false {port}"), (64, 1024, "true {port}")])
        self.assertEqual([c["file"] for c in doc["context"]["configs"]], [str(one), str(two)])

    def test_the_shipped_configurations_are_good(self):
        for path in sorted((ROOT / "configs/bench").glob("*.conf")):
            r = run([*program("echobench"), "run", "-f", path, "--print-config"])
            self.assertEqual((r.code, r.err), (OK, ""), path)

    def test_every_key_stands_in_the_matrix_configuration(self):
        text = (ROOT / "configs/bench/matrix.conf").read_text()
        printed = run([*program("echobench"), "--print-config"]).out
        for key in re.findall(r"^;?\s*(\w+)\s*=", printed, re.M):
            self.assertRegex(text, rf"(?m)^;?\s*{key}\s*=", key)

    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_pictures_are_drawn_or_their_script_is_left_for_a_machine_with_gnuplot(self):
        prefix = self.path("p")
        r = self.bench("--b", "fork", *ONCE, "--plot", prefix)
        self.assertIn("$ratio", Path(f"{prefix}.gp").read_text())
        if not shutil.which("gnuplot"):
            self.assertIn("no pictures: gnuplot", r.err)
            return
        for name in ("ratio", "load"):
            svg = Path(f"{prefix}-{name}.svg").read_text()
            self.assertIn("</svg>", svg)
            self.assertIn("echobench", svg)  # its provenance
            self.assertTrue(Path(f"{prefix}-{name}.png").read_bytes().startswith(b"\x89PNG"))


class Usage(Bench):
    def refused(self, word, *argv, code=USAGE):
        r = run([*program("echobench"), *argv])
        self.assertEqual((r.code, r.out, len(r.err.splitlines())), (code, "", 1), r)
        self.assertIn(word, r.err)

    def test_mistakes_are_one_line_and_exit_code_2(self):
        self.refused("what to do?")
        self.refused("what to do?", "walk")
        self.refused("mode", "run", "--mode", "closed,shut")
        self.refused("connections", "run", "-c", "0")
        self.refused("--connections: '1,x' is not a whole number", "run", "-c", "1,x")
        self.refused("--pipeline: 'x' is not a whole number", "run", "-p", "x")
        self.refused("--size: 'x' is not a size", "run", "-s", "x")
        self.refused("may use none of them", "run", "--server-cpus", "1000")
        self.refused("confidence", "run", "--confidence", "100")
        self.refused("--rounds: '0'", "run", "--rounds", "0")
        self.refused("--round: '1us'", "run", "--round", "1us")
        self.refused("--server-cpus", "run", "--server-cpus", "0-")
        self.refused("--max-blocks: 4 of them are needed", "run", "--max-blocks", "3")
        self.refused("error: --a: 'epol' must be auto", "run", "--a", "epol")
        self.refused("error: --server: 'epol' must be auto", "run", "--server", "epol")
        self.refused("error: --client-backend: 'epol' must be auto", "run", "--client-backend", "epol")
        conf = self.config_file("[bench]\nb = epol\n")
        self.refused(f"error: {conf}:2: b: 'epol' must be auto", "run", conf)
        self.refused("--congestion: 'nonsense'", "run", "--congestion", "nonsense")
        self.refused("No such file", "run", "/nonexistent.conf")
        self.refused("baseline /nonexistent.json: No such file or directory\n", "run", "--baseline", "/nonexistent.json")
        self.refused("baseline /: Is a directory\n", "run", "--baseline", "/")
        conf = self.config_file("[bench]\nconections = 3\n")
        self.refused(f"{conf}:2: unknown key 'conections'; did you mean 'connections'?", "run", conf)

    def test_a_result_that_cannot_be_written_is_said(self):
        r = self.bench("--b", "false {port}", "--json", "/nonexistent/r.json")
        self.assertEqual(r.code, ENVIRONMENT)
        # at once
        self.assertEqual(r.err, "echobench: error: cannot write /nonexistent/r.json: No such file or directory\n")
        for argv in (("--json", "/dev/full"), ("-o", "json")):
            with open("/dev/full", "w") as full, self.subTest(argv=argv):
                p = subprocess.run([*program("echobench"), "run", "--b", "false {port}", *argv], stdout=full,
                                   stderr=subprocess.PIPE, text=True, timeout=60)
                self.assertEqual(p.returncode, ENVIRONMENT, p.stderr)
                self.assertIn("No space left on device", p.stderr)
        self.assertTrue(Path("/dev/full").is_char_device())


if __name__ == "__main__":
    unittest.main()
