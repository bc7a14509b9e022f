# SPDX-License-Identifier: MIT
"""tools/claims says which figures of the pages still hold. What it runs here is invented; what a figure means is for those
who measure."""
import os
import re

from echolab import ROOT
from toollab import Tool

import claims_table

OTHER = "docs/" "more.md"  # is in no tree
README = """# A page

It takes 0.9 (0.8-1.0) of the other.

| what | ratio |
|---|---|
| small | 0.912 |
| large | 1.204 |
| huge | 1.5 |

    1.25 s  2.50 s
    printed by something: 7.5
"""
TABLE = """# what makes them
$ 1m echo 'a small one: 0.900, a large one: 1.210'
README.md: | small | 0.912 |
    ..0.95 small one: #
README.md: | large | 1.204 |
    1.1.. small one: ... a large one: #
$ 1m echo printed: ratio 0.5; echo 'printed by something'
README.md: It takes 0.9 (0.8-1.0) of the other
    0.4..0.6 ratio #
README.md: printed by something: 7.5
    says printed by   something
    exit 0
"""


class Claims(Tool):
    tool = "claims"

    def setUp(self):
        super().setUp()
        (self.place / "docs").mkdir()
        self.write(README, TABLE)

    def write(self, readme=None, table=None):
        if readme is not None:
            (self.place / "README.md").write_text(readme)
        if table is not None:
            (self.place / claims_table.TABLE).write_text(table)

    def claims(self, *args, readme=None, table=None):
        self.write(readme, table)
        return self.make("--root", self.place, *args)

    def verdicts(self, r):
        """{words of the claim: (verdict, what was measured)} of the table at the end."""
        rows = r.stdout.partition("\nverdict")[2].splitlines()[1:-1]
        return {row[8:54].strip().split(" ", 1)[1]: (row[:8].strip(), row[68:]) for row in rows}

    def one(self, command, *tests):
        """What becomes of one claim: verdict, measured, and all that was said."""
        lines = [f"$ 1m {command}", "README.md: claimed", *(f"  {t}" for t in tests)]
        r = self.claims(readme="claimed\n", table="\n".join(lines))
        return (*self.verdicts(r)["claimed"], r)

    def test_what_holds_is_told_in_80_columns(self):
        r = self.claims()
        self.assertEqual(r.returncode, 0, r)
        self.assertEqual(list(self.verdicts(r).values()), [("holds", "0.9"), ("holds", "1.21"), ("holds", "0.5"), ("holds", "")])
        self.assertEqual(r.stdout.splitlines()[-1], "4 hold, 0 fail, 0 unknown, 0 not made again, 0 not run")
        for line in r.stdout.partition("\nverdict")[2].splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_a_ratio_out_of_its_bound_fails_and_the_others_are_asked(self):
        r = self.claims(table=TABLE.replace("0.900", "0.960"))
        self.assertEqual(r.returncode, 1, r)
        self.assertEqual(self.verdicts(r)["| small | 0.912 |"], ("FAILS", "0.96"))
        self.assertIn("0.96 is not within ..0.95 small one: #", r.stdout)
        self.assertIn("3 hold, 1 fail, 0 unknown", r.stdout)
        self.assertEqual(self.one("echo 0.39 x", "0.4..0.6 # x")[:2], ("FAILS", "0.39"))
        self.assertEqual(self.one("echo 1,004 x", "1000..1005 # x")[:2], ("holds", "1004"))

    def test_each_line_that_has_the_words_must_be_within(self):
        self.assertEqual(self.one("echo a 0.5; echo a 0.7", "..0.6 a #")[:2], ("FAILS", "0.5..0.7"))
        self.assertEqual(self.one("echo a 0.5; echo b 0.7", "..0.6 a #")[:2], ("holds", "0.5"))

    def test_each_test_of_a_claim_must_be_so(self):
        self.assertEqual(self.one("echo a 0.5", "..0.6 a #", "exit 1")[0], "FAILS")
        self.assertEqual(self.one("echo a 0.5; exit 1", "..0.6 a #", "exit 1")[0], "holds")

    def test_what_is_not_said_fails_if_there_was_an_answer(self):
        for code, verdict in ((0, "FAILS"), (1, "FAILS"), (2, "unknown"), (4, "unknown"), (5, "unknown"), (127, "unknown")):
            for test in ("says ok", "..1 ratio #"):
                said, _, r = self.one(f"echo MISS; exit {code}", test)
                self.assertEqual((said, r.returncode), (verdict, 1), f"{code}: {test}")
        self.assertEqual(self.one("kill -9 $$", "exit 0")[0], "unknown")
        self.assertEqual(self.one("exit 1", "exit 0")[0], "FAILS")

    def test_a_figure_of_a_command_that_had_no_answer_is_none(self):
        for code, verdict in ((0, "holds"), (1, "holds"), (2, "unknown"), (5, "unknown")):
            for test in ("says ratio", "..1 ratio #"):
                self.assertEqual(self.one(f"echo ratio 0.5; exit {code}", test)[0], verdict, f"{code}: {test}")
        self.assertEqual(self.one("echo ratio 0.5; exit 5", "..1 ratio #", "exit 5")[0], "holds")
        self.assertEqual(self.one("echo ratio 0.5; kill -9 $$", "..1 ratio #")[0], "unknown")

    def test_a_figure_may_be_less_than_nothing(self):
        self.assertEqual(self.one("echo by -12 percent", "0..20 by # percent")[:2], ("FAILS", "-12"))
        self.assertEqual(self.one("echo 0.9-1.2 of it", "1..2 # of it")[:2], ("holds", "1.2"))
        self.assertEqual(self.one("echo +-0.4 of it", "0..1 +-# of it")[:2], ("holds", "0.4"))

    def test_one_that_takes_too_long_is_ended_and_the_next_one_runs(self):
        mark = f"{os.getpid()}.75"
        r = self.claims(table=TABLE.replace("$ 1m echo printed", f"$ 1s echo ratio 0.5; sleep {mark}; echo printed"))
        self.assertEqual(r.returncode, 1, r)
        self.assertEqual([v[0] for v in self.verdicts(r).values()], ["holds", "holds", "unknown", "unknown"])
        self.assertIn("ended with time over", r.stdout)
        self.asserts_gone(mark)

    def test_claims_one_above_the_other_share_their_tests(self):
        r = self.claims(table="$ 1m echo x 2\nREADME.md: | small |\nREADME.md: | large |\n  ..1 x #\n"
                              "README.md: huge\n  2.. x #\n")
        self.assertEqual([v[0] for v in self.verdicts(r).values()], ["FAILS", "FAILS", "holds"])

    def test_what_is_never_made_again_is_named_and_no_failure(self):
        r = self.claims(table=TABLE + "$ never a machine that is no more\nREADME.md: huge\n")
        self.assertEqual((r.returncode, self.verdicts(r)["huge"][0]), (0, "never"), r)

    def test_a_part_of_them(self):
        self.assertIn("2 hold", self.claims("something", "small").stdout)
        self.assertIn("2 hold", self.claims("--but", "something").stdout)
        self.assertEqual(self.claims("nothing of these").returncode, 2)

    def test_list_and_check_run_nothing(self):
        trace = self.place / "ran"
        table = TABLE.replace("echo printed", f"touch {trace}; echo printed")
        r = self.claims("--list", table=table)
        self.assertEqual(r.returncode, 0, r)
        self.assertIn("    README.md:7: | small | 0.912 |\n        ..0.95 small one: #\n", r.stdout)
        self.assertEqual(self.claims("--check").returncode, 0)
        self.assertFalse(trace.exists())

    def checks(self, *wrong, **files):
        r = self.claims("--check", **files)
        self.assertEqual((r.stdout, r.returncode), ("".join(f"{w}\n" for w in wrong), 1 if wrong else 0), r.stderr)

    def test_check_misses_words_that_a_page_does_not_have_or_has_twice(self):
        self.checks()
        self.checks("docs/claims.txt:3: README.md has this 0 times: | small | 0.912 |", readme=README.replace("0.912", "0.913"))
        self.checks("docs/claims.txt:3: README.md has this 2 times: | small | 0.912 |", readme=README + "\n| small | 0.912 |\n")
        self.checks(f"docs/claims.txt:3: there is no {OTHER}", readme=README,
                    table=TABLE.replace("README.md: | small", f"{OTHER}: | small"))

    def test_check_takes_words_over_the_end_of_a_line(self):
        self.checks(readme=README.replace("0.9 (0.8-1.0)", "0.9\n(0.8-1.0)"))

    def test_check_misses_the_command_of_a_table_a_ratio_and_an_output(self):
        def without(*places):
            return [f"{p}: this {kind} has figures, and docs/claims.txt does not say what makes them"
                    for p, kind in zip(places, ("text", "table", "output"))]
        self.checks(*without("README.md:3", "README.md:5", "README.md:11"), table="# nothing\n")
        self.checks(readme="| a | b |\n|---|---|\n| 1 | two |\n\n    echod --listen 127.0.0.1:7007 127.0.0.2\n\n0.1 of it\n")
        (self.place / OTHER).write_text("Made by `make more`.\n\n" + README)
        self.checks(*without(*(f"{OTHER}:{n}" for n in (5, 7, 13))))
        self.checks(table=f"$ 1s true\n{OTHER}: Made by\n  exit 0\n")

    def test_check_misses_a_program_and_a_target(self):
        (self.place / "Makefile").write_text("all bench:\n\ttrue\n")
        self.checks("docs/claims.txt: there is no bench/none: bench/none cpu",
                    "docs/claims.txt: the Makefile makes no nothing: make nothing",
                    table=TABLE + "$ 1s make bench X=1 && make all\n$ 1s bench/none cpu\n$ 1s make nothing\n")

    def test_a_line_that_is_none_is_named(self):
        for line, words in (("$ soon true", "'soon' is no time"), ("README.md what", "neither a command nor 'PAGE: WORDS'"),
                            ("  ..1 no number", "with one # in them"), ("  exit zero", "nor 'exit N'"),
                            ("  perhaps", "nor 'exit N'"), ("README.md: x\n$ 1s true", "has no test: x")):
            r = self.claims("--check", table=f"$ 1s true\nREADME.md: a\n  exit 0\n{line}\n")
            self.assertRegex(r.stderr, rf"^docs/claims.txt:[45]: .*{re.escape(words)}")
            self.assertEqual(r.returncode, 1)
        self.assertIn("a test of no claim", self.claims("--check", table="$ 1s true\n  exit 0\n").stderr)

    def test_ours_stand_in_the_pages_and_what_can_be_counted_is_so(self):
        r = self.make("--check")
        self.assertEqual((r.returncode, r.stdout), (0, ""), r)
        here = self.place / "ours"  # what is printed goes there
        here.mkdir()
        for name in ("README.md", "docs", "tests"):
            (here / name).symlink_to(ROOT / name)
        r = self.make("--root", here, "hostileservers", "hostileclients", "programs with at least")
        self.assertEqual(r.returncode, 0, r)
        self.assertIn("3 hold", r.stdout)
