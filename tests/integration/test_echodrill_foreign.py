# SPDX-License-Identifier: MIT
"""Drills with a server that is not ours: it is asked nothing that only ours can answer, and all of it is meant."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from drilllab import Runs, drill, names
from echolab import BIN, ROOT, no_namespaces, program, run

# it knows nothing of SIGTERM: it neither drains nor ignores it
NOT_ITS = {"shutdown-drain", "shutdown-drain-load", "shutdown-ignored"}


class Textbook(Runs):
    """tests/others/textbook_server.c"""

    @classmethod
    def setUpClass(cls):
        cls.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.exe = cls.place / "textbook"
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-D_GNU_SOURCE", "-o", cls.exe,
                        ROOT / "tests/others/textbook_server.c"], check=True)
        cls.server = f"{cls.exe} {{server}} {{port}}"

    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def drill(self, *args):
        """One drill, run again while a busy machine leaves it open: its result."""
        for _ in range(3):
            result, = drill(*args).results.values()
            if result["verdict"] != "inconclusive":
                break
        return result

    def test_it_passes_the_classic_drills(self):
        wanted = [name for name in names("classic") if name not in NOT_ITS]
        self.assertAllPass(self.run_until_conclusive("--server", self.server, wanted=wanted))

    def test_a_signal_that_is_for_ours_is_left_out_and_said(self):
        r = self.drill("--server", self.server, "run", "server-killed")
        self.assertEqual(r["verdict"], "pass", r)
        done = [e["what"] for e in r["timeline"]]
        self.assertIn("(left out) signal USR1 server", done)
        self.assertFalse([what for what in done if "SIGUSR1" in what])
        skipped = [e["what"] for e in r["expectations"] if e["ruling"] == "skipped"]
        self.assertIn("signal USR1 server", skipped)
        self.assertTrue([what for what in skipped if what.startswith("await server ")], skipped)
        text = run([*program("echodrill"), "--server", self.server, "run", "server-killed"]).out
        self.assertRegex(" ".join(text.split()), "signal USR1 server is for our program: left out: somebody else's has its place")

    def test_what_a_program_prints_need_not_be_text(self):
        """JSON is UTF-8: of other bytes there are question marks."""
        r = self.drill("--server", f"printf 'caf\\351 \\303\\251\\n'; exec {self.server}", "run", "server-killed")
        said = [e["what"] for e in r["timeline"] if e["who"] == "server"]
        self.assertIn("caf? ??", said)
        self.assertIn("caf\\351", " ".join(r["commands"]))

    def test_a_server_that_does_not_drain_fails_that_drill(self):
        r = self.drill("--server", self.server, "run", "shutdown-drain")
        self.assertEqual((r["verdict"], r["reason"]), ("fail", "server.exit == 0: signal"), r)

    def test_a_command_is_what_a_shell_runs(self):
        """Wherever the shell puts the program: in its own place, below it, in the background, in another session."""
        place, exe = self.exe.parent, self.exe.name
        for command in (f"X=1 {self.server}", f"cd {place} && ./{exe} {{server}} {{port}}", f"( {self.server} )",
                        f"{self.server} | cat", f"echo begins; {self.server}; echo ended", f"{self.server} & wait",
                        f"({self.server} &)", f"setsid -f {self.server}"):
            with self.subTest(command=command):
                r = self.drill("--server", command, "run", "server-killed-whole")
                self.assertEqual(r["verdict"], "pass", r)
                self.assertEqual(self.drill("--server", command, "run", "server-killed")["verdict"], "pass")
                given = command.format(server="10.77.2.2", port=7007)
                self.assertRegex(r["commands"][0], f"on server: sh -c '(exec )?{re.escape(given)}")

    def test_how_it_ends_is_told_through_its_shell(self):
        """echod as another program: it drains, and its exit code passes for the shell's."""
        echod = f"{BIN}/echod --listen {{server}}:{{port}} --shutdown"
        for before in ("", "X=1 ", "cd / && "):
            with self.subTest(before=before):
                r = self.drill("--server", f"{before}{echod} 'drain 5s'", "run", "shutdown-drain")
                self.assertEqual(r["verdict"], "pass", r)
                r = self.drill("--server", f"{before}{echod} default", "run", "shutdown-default")
                self.assertEqual(r["verdict"], "pass", r)

    def test_what_does_not_listen_says_why_at_once(self):
        for command, words in (("echo no more; exit 3", "does not listen: no more"), ("/nonexistent", "not found"),
                               ("true", "does not listen")):
            with self.subTest(command=command):
                r = self.drill("--server", command, "run", "server-killed")
                self.assertIn(r["verdict"], ("inconclusive", "skipped"))
                self.assertIn(words, r["reason"])
