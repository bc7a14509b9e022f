# SPDX-License-Identifier: MIT
"""Every option has a test that sees its effect. @covers on a test says which ones it sees."""
import importlib
import re
from pathlib import Path

from echolab import BIN, COVERED, OK, TestCase, program, run

PROGRAMS = [name for name in ("echod", "echoload") if (BIN / name).exists()]


def rows(name):
    """Keys of all sections, those after the first with their section's name, and the flags of --help."""
    found, section, first = [], None, None
    options = run([*program(name), "--help"]).out
    for line in run([*program(name), "--print-config"]).out.splitlines():
        head, key = re.match(r"\[(\w+)\]", line), re.match(r"(\w+)\s*=", line)
        if head:
            section = head[1]
            first = first or section
        elif key:
            plain = section == first or f" --{key[1].replace('_', '-')} " in options
            found.append(key[1] if plain else f"{section}_{key[1]}")
    for flag in re.findall(r"^ +(?:-\w, )?--([a-z][\w-]*)", run([*program(name), "--help"]).out, re.M):
        found.append(flag.replace("-", "_"))
    return list(dict.fromkeys(found))


class Options(TestCase):
    def setUp(self):
        for path in sorted(Path(__file__).parent.glob("test_*.py")):
            importlib.import_module(path.stem)

    def test_every_row_is_seen_by_a_test(self):
        for name in PROGRAMS:
            with self.subTest(program=name):
                self.assertGreater(len(rows(name)), 10)
                self.assertEqual([key for key in rows(name) if not COVERED[name, key]], [], "no test @covers these")

    def test_help_and_manual_say_where_a_key_stands(self):
        """One that a file has in another section than the first, though its option does not begin with that name."""
        for name in PROGRAMS:
            config = run([*program(name), "--print-config"]).out
            said = " ".join(run([*program(name), "--help"]).out.split())
            manual = " ".join(run([*program(name), "--man"]).out.split())
            for section, keys in re.findall(r"^\[(\w+)\]\n((?:;?\w+ +=.*\n)+)", config, re.M)[1:]:
                for key in re.findall(r"^;?(\w+)", keys, re.M):
                    with self.subTest(program=name, key=key):
                        own, option = f" --{section}-{key} ".replace("_", "-"), f"--{key} ".replace("_", "-")
                        if own in said.replace("_", "-"):
                            continue
                        self.assertRegex(said, rf" {option}[^()]*\([^()]*\bin \[{section}\]\)")
                        self.assertRegex(manual, rf" Fl {option[1:]}[^()]*\([^()]*\bin \[{section}\]\)")

    def test_help_fits_80_columns(self):
        tools = [["echoload", tool] for tool in ("merge", "plot", "report")]
        for words in (["echod"], ["echoload"], *tools, ["echodrill"], ["echobench"]):
            with self.subTest(words):
                r = run([*program(words[0]), *words[1:], "--help"])
                self.assertEqual((r.code, r.err), (OK, ""), r)
                self.assertEqual([line for line in r.out.splitlines() if len(line) > 80], [])

    def test_no_test_claims_a_row_that_is_not_there(self):
        for name in PROGRAMS:
            claimed = {key for program_name, key in COVERED if program_name == name}
            self.assertEqual(claimed - set(rows(name)), set())
