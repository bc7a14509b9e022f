# SPDX-License-Identifier: MIT
"""tools/nightly gets through its steps, whatever becomes of one. Those that run here are invented."""
import os
import re
import signal
import subprocess
import sys

from echolab import ROOT, TestCase, clean_env, slow
from toollab import Tool

import bounded
import claims_table


class Nightly(Tool):
    tool = "nightly"

    def steps(self, *lines):
        (self.place / "steps").write_text("\n".join(lines))
        return ["--steps", self.place / "steps", "--logs", self.place / "logs"]

    def table(self, r):
        """{step: result} of the table, and the last line."""
        lines = r.stdout.partition("\nstep ")[2].splitlines()[1:]
        for line in lines:
            self.assertLessEqual(len(line), 80)
        return {line.split()[0]: line[16:28].strip() for line in lines[:-1]}, lines[-1]

    def test_a_night_in_which_all_is_well(self):
        r = self.make(*self.steps("# of two", "one 1m echo fine", "two 1m true"))
        self.assertEqual((r.returncode, self.table(r)), (0, ({"one": "passed", "two": "passed"},
                         "2 passed, 0 failed, 0 out of time, 0 not run")), r)
        self.assertEqual((self.place / "logs/one.log").read_text(), "fine\n")

    def test_it_goes_on_after_what_fails_and_after_what_does_not_end(self):
        mark = f"{os.getpid()}.25"
        r = self.make(*self.steps("fails 1m echo what was wrong; exit 3", f"hangs 1s setsid sleep {mark} & sleep {mark}",
                                  f"leaves 1m setsid sleep {mark} & true", "killed 1m kill -9 $$", "last 1m true"))
        self.assertEqual((r.returncode, self.table(r)), (1, ({"fails": "exit 3", "hangs": "time over", "leaves": "passed",
                         "killed": "exit 137", "last": "passed"}, "2 passed, 2 failed, 1 out of time, 0 not run")), r)
        self.assertIn("    | what was wrong\n", r.stdout)
        self.asserts_gone(mark)

    def test_a_step_that_cannot_be_started_ends_no_night(self):
        (self.place / "logs/one.log").mkdir(parents=True)  # where its output would go
        r = self.make(*self.steps("one 1m true", "two 1m true"))
        self.assertEqual((r.returncode, self.table(r)), (1, ({"one": "not started", "two": "passed"},
                         "1 passed, 1 failed, 0 out of time, 0 not run")), r)
        self.assertIn("cannot be run: [Errno 21] Is a directory", r.stdout)

    def test_broken_off_it_tells_what_it_has(self):
        mark = f"{os.getpid()}.5"
        steps = self.steps("first 1m true", f"second 9m echo begun; setsid sleep {mark} & sleep {mark}", "third 1m true")
        process = subprocess.Popen(self.argv(*steps), stdout=subprocess.PIPE, text=True, env=clean_env())
        log = self.place / "logs/second.log"
        self.wait_until(lambda: log.exists() and "begun" in log.read_text(), "the second step runs")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=slow(60))[0]
        self.assertEqual(process.returncode, 130)
        self.assertEqual(said.splitlines()[-1], "1 passed, 0 failed, 0 out of time, 2 not run")
        self.asserts_gone(mark)

    def test_some_steps_and_their_list(self):
        steps = self.steps("one 10s touch $OUT/one", "two 90m touch $OUT/two")
        r = self.make(*steps, "--list", OUT=str(self.place))
        self.assertEqual([line.split()[:2] for line in r.stdout.splitlines()], [["one", "0:00:10"], ["two", "1:30:00"]])
        self.assertEqual(self.make(*steps, "three").returncode, 2)
        self.assertEqual(self.make(*steps, "two", OUT=str(self.place)).returncode, 0)
        self.assertEqual([(self.place / name).exists() for name in ("one", "two")], [False, True])
        self.assertEqual(self.make(*self.steps("one 1m true", "one 1m true")).returncode, 1)

    def test_a_make_above_it_does_not_say_how_slow_other_variants_are(self):
        steps = self.steps("shown 1m echo slow=$ECHOLAB_SLOW flags=$MAKEFLAGS")
        for given, shown in (("1", ""), ("3", "3")):  # 3: somebody's wish
            self.assertEqual(self.make(*steps, ECHOLAB_SLOW=given, MAKEFLAGS="k").returncode, 0)
            self.assertEqual((self.place / "logs/shown.log").read_text(), f"slow={shown} flags=\n")

    def test_ours_name_what_is_there_and_no_claim_is_left_out_that_no_step_asks(self):
        r = self.make("--list")
        steps = dict(re.findall(r"^(\S+) +\S+  (.*)$", r.stdout, re.M))
        self.assertEqual({name: claims_table.missing(ROOT, command) for name, command in steps.items()}, dict.fromkeys(steps, []))
        claimed = [c.text for c in claims_table.read(ROOT / claims_table.TABLE)]
        for words in re.findall(r"--but (?:'(.*?)'|(\S+))", steps.pop("claims")):
            for commands in (claimed, steps.values()):
                self.assertTrue([c for c in commands if "".join(words) in c], words)


BROKEN_OFF = """
import subprocess, sys
from pathlib import Path
sys.path.append(sys.argv[1])
import bounded
start = subprocess.Popen

def begun(*args, **how):
    start(*args, **how)
    raise KeyboardInterrupt(15)

bounded.interruptible()
subprocess.Popen = begun
try:
    bounded.run(f"sleep {sys.argv[3]}", 60, Path(sys.argv[2], "log"), "/")
except KeyboardInterrupt:
    print("broken off")
"""


class BrokenOff(Tool):
    def test_what_has_begun_ends_though_nobody_knows_of_it_yet(self):
        mark = f"{os.getpid()}.25"
        done = subprocess.run([sys.executable, "-c", BROKEN_OFF, ROOT / "tools", self.place, mark], capture_output=True,
                              text=True, timeout=slow(60))
        self.assertEqual((done.stdout, done.stderr), ("broken off\n", ""))
        self.asserts_gone(mark)


class Bounded(TestCase):
    def test_times(self):
        self.assertEqual([bounded.seconds_of(t) for t in ("90s", "10m", "2h")], [90, 600, 7200])
        for wrong in ("", "10", "1d", "-1s", "1.5h"):
            with self.assertRaises(ValueError):
                bounded.seconds_of(wrong)
        self.assertEqual(bounded.clock(3 * 3600 + 62.9), "3:01:02")


class Variants(TestCase):
    def multipliers(self, target, **env):
        """What `make TARGET` and the makes below it multiply timeouts by."""
        r = subprocess.run(["make", "--dry-run", "--print-data-base", target], cwd=ROOT, capture_output=True, text=True,
                           timeout=slow(60), env={"PATH": os.environ["PATH"]} | env)
        return set(re.findall(r"^CK_TIMEOUT_MULTIPLIER := (\S+)$", r.stdout, re.M))

    def test_tests_of_slow_variants_get_their_time(self):
        for target, slower in (("asan", "3"), ("tsan", "5"), ("valgrind", "10"), ("ubsan", "1"), ("coverage", "1")):
            self.assertEqual(self.multipliers(target) - {"1"}, {slower} - {"1"}, target)
        self.assertEqual(self.multipliers("tsan", ECHOLAB_SLOW="7"), {"7"}, "of somebody who knows this machine")
