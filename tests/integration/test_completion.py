# SPDX-License-Identifier: MIT
"""What a shell offers: every option of --help, the words that an option takes, files, and names of drills."""
import re
import subprocess
import tempfile
from pathlib import Path

from echolab import BIN, OK, ROOT, TestCase, covers, program, run

PROGRAMS = [name for name in ("echod", "echoload", "echodrill", "echobench") if (BIN / name).exists()]
SETS = [(name, "") for name in PROGRAMS] + [("echoload", tool) for tool in ("merge", "plot", "report")]

# COMP_WORDS as bash makes it: "=" is a word of its own
BASH = """
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_${1##*/}" "$1" "${@: -1}" "${@: -2:1}"
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""

# _arguments is told what there is: so the words have been through zsh's own quoting
ZSH = r"""
_arguments() { print -rl -- "$@" }
_files() { print files }
compadd() { shift; print -rl -- "$@" }
words=("${(@)argv[2,-1]}") CURRENT=$#words
source "$1" "${(@)argv[2,-1]}"
"""


def options_of(name, tool):
    """Names and letters, as --help has them; "[no-]" stands for two."""
    r = run([*program(name), *filter(None, [tool]), "--help"])
    assert r.code == OK, r
    found = set()
    for letter, no, word in re.findall(r"(?m)^  (?:-(\w),|   ) --(\[no-\])?([\w-]+)", r.out):
        found |= {f"--{word}"} | ({f"-{letter}"} if letter else set()) | ({f"--no-{word}"} if no else set())
    assert len(found) > 5, r.out
    return found


class Completion(TestCase):
    def setUp(self):
        super().setUp()
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))
        self.scripts = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))
        (self.place / "some.conf").touch()
        (self.place / "two words.conf").touch()

    def script(self, name, shell):
        r = run([*program(name), "--completion", shell])
        self.assertEqual((r.code, r.err), (OK, ""))
        path = self.scripts / f"{name}.{shell}"
        path.write_text(r.out)
        return path

    def shell(self, *argv):
        r = subprocess.run(list(map(str, argv)), cwd=self.place, capture_output=True, text=True, timeout=60)
        self.assertEqual((r.returncode, r.stderr), (0, ""), argv)
        return r.stdout.splitlines()

    def bash(self, *words):
        return self.shell("bash", "-c", BASH, "bash", self.script(words[0], "bash"), BIN / words[0], *words[1:])

    def zsh(self, *words):
        return self.shell("zsh", "-f", "-c", ZSH, "zsh", self.script(words[0], "zsh"), BIN / words[0], *words[1:])

    def fish(self, *words):
        line = " ".join((str(BIN / words[0]), *words[1:]))
        out = self.shell("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
                         self.script(words[0], "fish"), line)
        return [text.split("\t")[0] for text in out]

    @covers("echod", "completion")
    @covers("echoload", "completion")
    @covers("echodrill", "completion")
    @covers("echobench", "completion")
    def test_every_option_is_offered_by_every_shell(self):
        for name, tool in SETS:
            wanted = options_of(name, tool)
            words = [name, *filter(None, [tool])]
            with self.subTest(name=name, tool=tool, shell="bash"):
                self.assertEqual(set(self.bash(*words, "-")), wanted)
            with self.subTest(name=name, tool=tool, shell="fish"):
                self.assertEqual(set(self.fish(*words, "-")) | set(self.fish(*words, "--")), wanted)
            with self.subTest(name=name, tool=tool, shell="zsh"):
                specs = [re.sub(r"^\([^)]*\)|^\*", "", spec) for spec in self.zsh(*words, "-")]
                self.assertEqual({m[0].rstrip("=+") for spec in specs if (m := re.match(r"--?[\w-]+[=+]?", spec))}
                                 - {"-S"}, wanted)

    def test_the_words_of_an_option_are_offered(self):
        for words, wanted in ((("echod", "--backend", ""), {"auto", "io_uring", "epoll", "fork"}),
                              (("echoload", "--backend", ""), {"auto", "io_uring", "epoll"}),
                              (("echoload", "-o", "q"), {"quiet"}),
                              (("echodrill", "--group", "cl"), {"classic"})):
            with self.subTest(words=words):
                self.assertEqual(set(self.bash(*words)), wanted)
                self.assertEqual(set(self.fish(*words)), wanted)
        self.assertEqual(self.bash("echod", "--backend", "=", "e"), ["epoll"])
        self.assertEqual(len(self.bash("echod", "--backend", "=")), 4)
        self.assertEqual(self.fish("echod", "--backend=e"), ["--backend=epoll"])
        self.assertEqual(self.bash("echod", "--shutdown", "d"), [r"drain\ 5s", "default"])
        self.assertEqual(set(self.fish("echod", "--shutdown", "d")), {"drain 5s", "default"})
        spec = [s for s in self.zsh("echod", "-") if s.startswith("--shutdown=")]
        self.assertRegex(spec[0], r":HOW:\(drain\\ 5s close reset default ignore\)$")

    def test_files_are_offered_where_an_option_names_one_and_nowhere_else(self):
        for words in (("echod", "-f", ""), ("echoload", "--targets", "s"), ("echodrill", "check", ""),
                      ("echoload", "report", ""), ("echobench", "run", "")):
            with self.subTest(words=words):
                self.assertIn("some.conf", self.bash(*words))
                self.assertIn("some.conf", self.fish(*words))
        self.assertIn("two words.conf", self.bash("echod", "-f", "t"))  # readline quotes it: -o filenames
        self.assertEqual(self.bash("echod", ""), [])
        self.assertEqual(self.fish("echod", "--max-conns", ""), [])
        self.assertEqual(self.bash("echoload", "-c", ""), [])
        self.assertEqual(self.zsh("echodrill", "-f", "")[0:2], ["-S", ":"])

    def test_commands_and_names_of_drills_are_offered(self):
        wanted = {"list", "show", "run", "check", "programs", "probe", "explain", "chaos", "lesson"}
        self.assertEqual(set(self.bash("echodrill", "")), wanted)
        self.assertEqual(set(self.fish("echodrill", "")), wanted)
        self.assertEqual(self.bash("echoload", "re"), ["report"])
        self.assertEqual(self.bash("echoload", "127.0.0.1:7007", "re"), [])
        self.assertEqual(set(self.bash("echobench", "")), {"run", "list", "show"})
        servers = {p.stem for p in (ROOT / "configs/servers").glob("*.conf")}
        self.assertEqual(set(self.bash("echobench", "show", "")), servers)
        self.assertEqual(set(self.fish("echobench", "show", "lib")), {name for name in servers if name.startswith("lib")})
        drills = {p.stem for p in (ROOT / "configs/drills").glob("*.conf")}
        self.assertEqual(set(self.bash("echodrill", "-j", "2", "run", "")), drills | {
            "some.conf", "two words.conf"})
        self.assertEqual(set(self.bash("echodrill", "show", "grid-unr")),
                         {name for name in drills if name.startswith("grid-unr")})
        self.assertEqual(set(self.fish("echodrill", "run", "grid-unr")),
                         {name for name in drills if name.startswith("grid-unr")})
        self.assertIn("'*:operand:_echodrill_operand'", self.script("echodrill", "zsh").read_text())
        self.assertEqual(set(self.shell("zsh", "-f", "-c", ZSH + "_echodrill_operand", "zsh",
                                        self.script("echodrill", "zsh"), BIN / "echodrill", "show", "")) & drills, drills)

    def test_a_shell_that_is_not_known_is_named(self):
        r = run([*program("echod"), "--completion", "csh"])
        self.assertEqual(r.code, 2)
        self.assertRegex(r.err, "--completion: 'csh' must be off, bash, zsh or fish")
