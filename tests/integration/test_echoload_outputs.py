# SPDX-License-Identifier: MIT
"""What echoload prints and writes, and what it says of itself: its options as text."""
import contextlib
import os
import re

from echolab import ENVIRONMENT, OK, TestCase, covers, not_in, program, run, slow
from loadlab import LONG, LoadCase, echo_all, parse


class Outputs(LoadCase):
    """What is printed where."""

    @covers("echoload", "output", "json")
    def test_text_json_quiet_and_a_file(self):
        peer, path = self.peer(echo_all), self.folder() / "result.json"
        base = ["-c2", "-n20", "-T10m", f"127.0.0.1:{peer.port}"]
        r = self.run_echoload(*base)
        self.assertEqual((r.code, r.err), (OK, ""))
        self.assertRegex(r.out, r"(?s)target .*messages .*20 sent.*exit 0")
        r = self.run_echoload(*base, "-o", "json")
        self.assertEqual((r.code, r.err), (OK, ""))
        self.assertEqual(parse(r.out)["messages"]["echoed"], 20)
        r = self.run_echoload(*base, "-oquiet", "--json", str(path))
        self.assertEqual((r.code, r.err, r.out), (OK, "", ""))
        self.assertEqual(parse(path.read_text())["messages"]["echoed"], 20)
        self.assertEqual(os.listdir(path.parent), ["result.json"], "nothing else is left")
        path.write_text("old" * 100000)
        self.run_echoload(*base, "-oquiet", "--json", str(path))
        self.assertEqual(parse(path.read_text())["messages"]["echoed"], 20)

    @not_in("coverage")  # which writes files of its own
    def test_a_file_that_may_not_become_so_long_is_said(self):
        peer, path = self.peer(echo_all), self.folder() / "result.json"
        r = run(["prlimit", "--fsize=1000", *program("echoload"), "-n20", "--json", path, f"127.0.0.1:{peer.port}"])
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn(f"cannot write {path}: File too large", r.err)
        self.assertEqual(os.listdir(path.parent), [])

    def test_both_say_the_same(self):
        peer, path = self.peer(echo_all), self.folder() / "result.json"
        r = self.run_echoload("-c2", "-n20", "-T10m", "-ojson", "--json", str(path), f"127.0.0.1:{peer.port}")
        self.assertEqual(parse(r.out), parse(path.read_text()))

    @covers("echoload", "progress")
    def test_the_progress_line_is_shown_to_terminals(self):
        for mode, terminal, shown in (("auto", False, False), ("always", False, True), ("never", False, False),
                                      ("auto", True, True), ("always", True, True), ("never", True, False)):
            with self.subTest(mode=mode, terminal=terminal):
                text = self.stderr_of(mode, terminal)
                self.assertEqual(bool(re.search(r"\d/s  \d+ open  0 errors", text)), shown, text)
                for line in re.split(r"[\r\n]+", text):
                    self.assertLessEqual(len(line), 80)
                if shown:
                    last = re.split(r"\r", text.rstrip("\r\n"))[-1]
                    self.assertEqual(last.strip(), "", "the line is wiped at the end")
                else:
                    self.assertEqual(text, "")

    def test_the_progress_line_fits_a_narrow_terminal(self):
        lines = re.split(r"[\r\n]+", self.stderr_of("auto", True, columns=30))
        self.assertRegex("".join(lines), r"0\.[3-6]s/0\.6s +\d+/s")
        self.assertLess(max(map(len, lines)), 30, "it would wrap")

    def stderr_of(self, mode, terminal, columns=80):
        """What a run of 600 ms writes there."""
        import fcntl
        import pty
        import subprocess
        peer = self.peer(echo_all)
        import struct
        import termios
        ours, its = pty.openpty() if terminal else os.pipe()
        if terminal:
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([*program("echoload"), "-c2", "-d600ms", "-w0ms", "-T10m", "--progress", mode,
                                    f"127.0.0.1:{peer.port}"], stdout=subprocess.DEVNULL, stderr=its,
                                   stdin=subprocess.DEVNULL)
        os.close(its)
        text = b""
        with contextlib.suppress(OSError):  # EIO: the terminal's other side is closed
            while data := os.read(ours, 65536):
                text += data
        os.close(ours)
        self.assertEqual(process.wait(slow(20)), OK)
        return text.decode()

    def test_the_progress_line_is_80_columns_at_most_with_large_numbers(self):
        peer = self.peer(echo_all)
        load = self.load(peer, connections=100, threads=3, messages=10 ** 18, progress="always", pipeline=100, size=1,
                         **LONG)
        self.wait_until(lambda: len(load.live()) > 2, "it is shown", 60)
        load.interrupted()
        self.assertLessEqual(max(map(len, re.split(r"[\r\n]+", load.err.text))), 80)


class Config(TestCase):
    """Where options come from."""

    def printed(self, *argv, env=None):
        """The effective configuration, without the sources."""
        r = run([*program("echoload"), *argv, "--print-config"], env)
        self.assertEqual((r.code, r.err), (OK, ""), r)
        return r.out

    def values(self, text):
        return dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*(?:;.*)?$", text, re.M))

    @covers("echoload", "print_config", "config")
    def test_what_is_printed_can_be_read_again(self):
        argv = ["-c", "77", "-s", "10..20", "--reconnect", "backoff 5ms..1s", "--epoll-buffer", "4Ki", "-T", "off",
                "--cpus", "0", "--no-verify", "--seed", "12345678901", "-n", "1M", "--keepalive", "30s/5s/3"]
        first = self.printed(*argv)
        path = self.config_file(first)
        again = self.printed("-f", str(path))
        self.assertEqual(self.values(again), self.values(first))
        values = self.values(first)
        self.assertEqual((values["connections"], values["size"], values["reconnect"], values["buffer"]),
                         ("77", "10..20", "backoff 5ms..1s", "4Ki"))
        self.assertRegex(first, r"\[global\]")
        self.assertRegex(again, rf"(?m)^connections .*{re.escape(str(path))}:\d+")

    def test_flag_before_environment_before_file_before_default(self):
        path = str(self.config_file("[global]\nconnections = 3\nthreads = 3\nsize = 3\n"))
        values = self.values(self.printed("-f", path, "-c5", env={"ECHOLOAD_CONNECTIONS": 4, "ECHOLOAD_THREADS": 4}))
        self.assertEqual([values[k] for k in ("connections", "threads", "size", "pipeline")], ["5", "4", "3", "1"])

    def test_names_in_both_spellings(self):
        path = str(self.config_file("[global]\nconnect-timeout = 3s\n"))
        self.assertEqual(self.values(self.printed("-f", path))["connect_timeout"], "3s")
        self.assertEqual(self.values(self.printed("--connect_timeout=4s"))["connect_timeout"], "4s")

    def test_defaults_are_those_of_the_manual(self):
        values = self.values(self.printed())
        defaults = {"connections": "10", "threads": "1", "duration": "10s", "size": "64", "pipeline": "1",
                    "warmup": "1s", "timeout": "2s", "connect_timeout": "1s", "reconnect": "never", "verify": "on",
                    "backend": "auto", "grace": "1s", "stall": "1s"}
        self.assertEqual({k: values.get(k) for k in defaults}, defaults)

    @covers("echoload", "version", "help", "man")
    def test_about_itself(self):
        r = run([*program("echoload"), "--version"])
        self.assertEqual(r.code, OK)
        self.assertRegex(r.out, r"\Aechoload \S+\nbackends: (\w+ )*epoll\n\Z")
        keys = self.values(self.printed())
        for flag in ("--help", "-h"):
            r = run([*program("echoload"), flag])
            self.assertEqual((r.code, r.err), (OK, ""))
            self.assertLessEqual(max(map(len, r.out.splitlines())), 80)
            for key in keys:
                self.assertIn(key.replace("_", "-"), r.out.replace("_", "-"))
        r = run([*program("echoload"), "--man"])
        self.assertEqual((r.code, r.err), (OK, ""))
        for word in (".Dd", ".Sh SYNOPSIS", "connections", "reconnect", "130"):
            self.assertIn(word, r.out)


class Meta(LoadCase):
    def test_the_result_carries_its_configuration(self):
        r = self.run_load(self.peer(echo_all), connections=3, messages=30, size="1..9", seed=42, **LONG)
        config = r["config"]
        self.assertEqual([config[k] for k in ("connections", "messages", "size", "seed")], ["3", "30", "1..9", "42"])
        self.assertEqual(r["config_source"]["connections"], "command line")
        self.assertEqual(r["config_source"]["threads"], "default")
        self.assertIn("--connections", r["context"]["argv"])
