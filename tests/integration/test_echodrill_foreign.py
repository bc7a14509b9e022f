# SPDX-License-Identifier: MIT
"""Drills with a server that is not ours: it is asked nothing that only ours can answer, and all of it is meant."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from drilllab import NobodyCase, Runs, drill, names
from echolab import BIN, ROOT, SANITIZERS, no_namespaces, not_in, program, run

# it knows nothing of SIGTERM: it neither drains nor ignores it
NOT_ITS = {"shutdown-drain", "shutdown-drain-load", "shutdown-ignored"}


class TextbookCase(Runs):
    """tests/others/textbook_server.c and textbook_client.c, compiled"""

    @classmethod
    def setUpClass(cls):
        cls.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        for name in ("server", "client"):
            subprocess.run([os.environ.get("CC", "cc"), "-O1", "-D_GNU_SOURCE", "-o", cls.place / f"textbook_{name}",
                            ROOT / f"tests/others/textbook_{name}.c"], check=True)
        cls.exe = cls.place / "textbook_server"
        cls.server = f"{cls.exe} {{server}} {{port}}"
        cls.client = f"stdbuf -oL {cls.place}/textbook_client {{server}} {{port}}"

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


class Textbook(TextbookCase):
    """The server with our client."""

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


# What the textbook's client must do in every classic drill: pass, or fail for a reason that is its own
LIMITLESS = "await exit client within 10s within 10.0 s: not within 10.0 s"  # it sets no limit of any kind
BLOCKED = "await exit client within 5.00 s: not within 5.00 s"               # in fgets, it does not look at its socket
CLASSIC = {
    "host-crashed": "", "host-crashed-idle": "", "host-rebooted": "", "host-rebooted-idle": "", "server-killed": "",
    "server-killed-whole": "", "server-killed-unread": "", "server-killed-midflight": "", "shutdown-default": "",
    "host-crashed-answer-timeout": LIMITLESS, "host-crashed-user-timeout": LIMITLESS, "router-admin-prohibited": LIMITLESS,
    "router-host-unreachable": LIMITLESS, "router-net-unreachable": LIMITLESS, "router-unreachable-recverr": LIMITLESS,
    "host-crashed-keepalive": BLOCKED, "host-rebooted-keepalive": BLOCKED, "server-killed-cure": BLOCKED,
    "shutdown-drain": BLOCKED, "shutdown-drain-load": BLOCKED,
    "shutdown-ignored": None,  # its server does not ignore SIGTERM: what the drill is about does not happen
}


class TextbookBoth(TextbookCase):
    """The textbook's own two programs."""

    def both(self, *args, client=""):
        return self.drill("--server", self.server, "--client", f"{self.client}{client}", *args)

    def said(self, r):
        return [e["what"] for e in r["timeline"] if e["who"] == "client"]

    def test_it_passes_the_classic_drills(self):
        """Every verdict is right, whatever it is."""
        self.assertEqual(set(CLASSIC), set(names("classic")))
        results = self.run_until_conclusive("--server", self.server, "--client", self.client,
                                            wanted=[name for name, reason in CLASSIC.items() if reason is not None])
        for name, reason in CLASSIC.items():
            with self.subTest(name=name):
                if reason is None:
                    r = self.both("run", name)
                    self.assertEqual((r["verdict"], r["reason"]), ("inconclusive", " signal KILL server: there is no such process"))
                    continue
                r = results[name]
                self.assertEqual(r["verdict"], "fail" if reason else "pass", r)
                if "late" in [e["ruling"] for e in r["expectations"] if reason and reason.startswith(f"{e['what']} ")]:
                    continue  # a machine that was a little late explains this one, but not the next
                self.assertEqual(r["reason"], reason)

    def test_it_is_killed_by_sigpipe_with_its_second_line(self):
        r = self.both("run", "server-killed")
        self.assertEqual((r["verdict"], r["client_end"], r["noticed"][0]["how"]), ("pass", "killed by SIGPIPE", "said"), r)
        self.assertEqual([w for w in self.said(r) if w[0] not in "(>"], ["From server: hello", "From server: "])

    def test_a_careful_one_ends_when_read_returns_0(self):
        r = self.both("run", "server-killed", client=" careful")
        self.assertEqual((r["verdict"], r["client_end"]), ("pass", "exit code 1"), r)
        self.assertIn("the server has ended before its time", self.said(r))
        skipped = [e["what"] for e in r["expectations"] if e["ruling"] == "skipped"]
        self.assertIn("client.signal", skipped)  # it was gone before a signal could end it

    def test_a_memset_of_the_wrong_size_crashes_it(self):
        for name in ("server-killed", "host-crashed-idle"):
            with self.subTest(name=name):
                r = self.both("run", name, client=" memset")
                self.assertEqual((r["verdict"], r["reason"]), ("fail", "the client has crashed before the fault: SIGSEGV"), r)

    def test_a_server_whose_parent_alone_is_killed_serves_on(self):
        for client in ("", " careful"):
            r = self.both("run", "fork-parent-killed", client=client)
            self.assertEqual((r["verdict"], r["client_end"]), ("pass", "running"), r)
            self.assertIn("From server: still there", self.said(r))
        self.assertEqual(self.drill("--server", self.server, "run", "fork-parent-killed")["verdict"], "pass")


# closes its connection when the server has, and goes on; beside it lies a process that nobody waits for
CLOSES = """
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    sock.sendall(line.encode())
    if not sock.recv(512):
        break
sock.close()
sys.stdin.read()
"""


class NobodyForeign(NobodyCase):
    @not_in("valgrind", *SANITIZERS)
    def test_a_zombie_hides_nothing_from_an_ordinary_user(self):
        """Its folder of descriptors may not be opened."""
        (self.place / "closes").write_text(CLOSES)
        client = f"sh -c 'true & exec /usr/bin/python3 {self.place}/closes \"$0\" \"$1\"' {{server}} {{port}}"
        results = self.run_until_conclusive("--client", client, wanted=["server-killed"], prefix=self.prefix, exe=self.exe)
        r, = results.values()
        self.assertNotEqual(r["verdict"], "inconclusive", r)
        self.assertRegex(" ".join(e["what"] for e in r["timeline"]), "has closed its connection")
