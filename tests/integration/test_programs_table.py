# SPDX-License-Identifier: MIT
"""tools/programs: how it gets through the cells of docs/programs.md, and what stands there."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from echolab import ROOT, TestCase, clean_env

# echodrill as tools/programs sees it: a result for each cell, or what the file of its program's name says in its place
FAKE = """#!/usr/bin/python3
import json, os, sys, time
place = os.path.dirname(os.path.abspath(__file__))
program, drill = sys.argv[sys.argv.index("--programs") + 1], sys.argv[-1]
mode = open(f"{place}/{program}").read() if os.path.exists(f"{place}/{program}") else ""
open(f"{place}/under-way.{os.getpid()}", "w")
now = len([n for n in os.listdir(place) if n.startswith("under-way.")])
with open(f"{place}/log", "a") as log:
    log.write(f"{program} {drill.removeprefix('program-')} {now}\\n")
first = not os.path.exists(f"{place}/{program}.{drill}")
open(f"{place}/{program}.{drill}", "w")
if mode == "hangs":
    time.sleep(100)
if mode == "slow":
    time.sleep(0.2)
if mode == "crashes":
    sys.exit("something is wrong with it")
os.unlink(f"{place}/under-way.{os.getpid()}")
verdict = "inconclusive" if mode == "busy" and first else "pass"
print(json.dumps({"drill": drill, "client_program": program, "server_program": "echo", "verdict": verdict, "reason": "busy",
                  "not_applicable": False, "noticed": [], "client_end": "running", "took_ns": 1, "tcp_tells": "never",
                  "tcp_tells_ns": None, "timeline": [], "commands": []}))
"""
QUICK = {"refused", "connect-unreachable", "killed-busy", "drained-busy", "reload", "rebooted-idle"}
CELLS = {p.stem.removeprefix("program-") for p in (ROOT / "configs/drills").glob("program-*.conf")}


class TableRuns(TestCase):
    """How tools/programs gets through hundreds of cells, whatever becomes of one."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.results = self.place / "results.jsonl"
        (self.place / "echodrill").write_text(FAKE)
        (self.place / "echodrill").chmod(0o755)

    def argv(self, *args):
        return [ROOT / "tools/programs", "--out", self.place, "--docs", self.place, *args]

    def make(self, *args, **modes):
        """Runs it; a program may be busy, slow, hang or crash: (exit code, what it said, the cells that were begun)"""
        for program, mode in modes.items():
            (self.place / program).write_text(mode)
        (self.place / "log").write_text("")
        r = subprocess.run(self.argv(*args), capture_output=True, text=True, timeout=120, env=clean_env() | {"ECHOLAB_BIN": str(self.place)})
        return r.returncode, r.stdout + r.stderr, [line.split() for line in (self.place / "log").read_text().splitlines()]

    def test_a_program_that_crashes_costs_its_own_cells_alone_and_is_given_up(self):
        code, said, begun = self.make("-j", "2", "-s", "2", "ncat", "socat", socat="crashes")
        self.assertEqual(code, 1, said)
        self.assertEqual({f for p, f, _ in begun if p == "ncat"}, CELLS)
        self.assertLess(len([f for p, f, _ in begun if p == "socat"]), 8)
        self.assertRegex(said, "(?m)^not complete: socat: .*something is wrong with it$")
        self.assertIn("| ncat |", (self.place / "programs.md").read_text())

    def test_it_goes_on_where_it_was_and_measures_anew_what_has_changed(self):
        self.assertEqual(self.make("ncat")[0], 0)
        lines = {json.loads(line)["drill"]: line for line in self.results.read_text().splitlines()}
        self.assertEqual({d.removeprefix("program-") for d in lines}, CELLS)
        changed = json.loads(lines.pop("program-hung")) | {"inputs": "of another drill"}
        lost, half = lines.pop("program-refused"), lines.pop("program-reload")
        self.results.write_text("\n".join([*lines.values(), json.dumps(changed), half[:99]]) + "\n")
        code, said, begun = self.make("ncat")
        self.assertEqual((code, sorted(f for _, f, _ in begun)), (0, ["hung", "refused", "reload"]), said)
        self.assertTrue(lost)
        self.assertEqual(self.make("ncat")[2], [])
        self.assertEqual(len(self.make("--again", "ncat")[2]), len(CELLS))

    def test_few_start_at_a_time_and_the_longest_first(self):
        code, said, begun = self.make("-j", "12", "-s", "2", "ncat", ncat="slow")
        self.assertEqual(code, 0, said)
        self.assertLessEqual(max(int(now) for _, _, now in begun), 2)
        code, said, begun = self.make("-j", "1", "socat")
        self.assertEqual(next(f for _, f, _ in begun if f not in QUICK), "connect-silent")  # the first of those that wait
        for r in (lines := [json.loads(line) for line in self.results.read_text().splitlines()]):
            r["took_ns"] = 99 * 10**9 if r["drill"] == "program-hung" else 11 * 10**9
            r["inputs"] = "of another drill"
        self.results.write_text("".join(json.dumps(r) + "\n" for r in lines))
        self.assertEqual(self.make("-j", "1", "socat")[2][0][1], "hung")

    def test_what_a_busy_machine_left_open_runs_again(self):
        code, said, begun = self.make("ncat", ncat="busy")
        self.assertEqual((code, len(begun)), (0, 2 * len(CELLS)), said)

    def test_broken_off_it_ends_what_runs_and_keeps_what_it_has(self):
        (self.place / "socat").write_text("hangs")
        env = clean_env() | {"ECHOLAB_BIN": str(self.place)}
        with subprocess.Popen(self.argv("-j", "9", "ncat", "socat"), stdout=subprocess.PIPE, text=True, env=env) as p:
            self.wait_until(lambda: self.results.exists() and self.results.read_text() and list(self.place.glob("socat.*")), "some done, some hang")
            code, said, begun = self.make("socat")
            self.assertIn("is in use by another run", said)
            p.terminate()
            said = p.communicate(timeout=60)[0]
        self.assertEqual(p.returncode, 130, said)
        self.assertIn("the same command goes on from there", said)
        (self.place / "socat").unlink()
        before = len(self.results.read_text().splitlines())
        code, said, begun = self.make("ncat", "socat")
        self.assertEqual((code, len(begun)), (0, 2 * len(CELLS) - before), said)

    def test_the_page_says_when_and_where_it_was_made_and_of_which_versions(self):
        self.make("ncat")
        text = (self.place / "programs.md").read_text()
        r = json.loads(self.results.read_text().splitlines()[0])
        self.assertIn(f"on {r['measured'][:10]}, on {os.uname().sysname} {os.uname().release}", text)
        self.assertIn(f"{os.cpu_count()} CPUs", text)
        self.assertRegex(text, r"(?m)^\| ncat \| ncat \\{server\\} \\{port\\} \| Ncat: Version \S+ .*\| echo: socat version ")


class Cures(TestCase):
    """Of each program either what cures it, or why nothing does."""

    def test_what_no_setting_cures_is_named_and_nothing_else(self):
        sys.path.insert(0, str(ROOT / "tools"))
        self.addCleanup(sys.path.remove, str(ROOT / "tools"))
        import programs_page as page
        table = (ROOT / "docs/programs.md").read_text()
        never = {}
        for line in table.splitlines():
            row = re.match(r"\| ([\w-]+)(, cured)? \|", line)
            if row and re.search(r"programs/[\w-]+\.md#", line):
                of_row = set(re.findall(r"\[\*\*never\*\*\]\(programs/[\w-]+\.md#([\w-]+)\)", line))
                never.setdefault(row[1], {}).setdefault(bool(row[2]), set()).update(of_row)
        for program, rows in sorted(never.items()):
            with self.subTest(program=program):
                self.assertEqual(rows.get(True, rows[False]), set(page.uncured(program)))
        for name in page.clients():
            self.assertLessEqual(set(page.uncured(name.removesuffix(":cure"))), CELLS, name)
