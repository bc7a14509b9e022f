# SPDX-License-Identifier: MIT
"""Standard streams that are closed, or that nobody reads: no signal waits for them, and nothing else takes their place."""
import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from echolab import (ENVIRONMENT, NO_ANSWER, OK, Process, TestCase, descendants, for_each_backend, no_namespaces, only,
                     pattern, program, recv_to_end, run, slow, ss)
from loadlab import INCONCLUSIVE, LONG, LoadCase, echo_all, silence

PIPE = 8192  # two pages: of one, poll says that it is full when a byte is in it
SIGHUP, SIGINT, SIGTERM = 129, 130, 143


class Unread:
    """The write end of a pipe that is full and that nobody reads."""

    def __init__(self, fill=True):
        self.ours, self.its = os.pipe()
        fcntl.fcntl(self.its, fcntl.F_SETPIPE_SZ, PIPE)
        if fill:
            self.fill()

    def fill(self):
        os.set_blocking(self.its, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.its, b"x")
        os.set_blocking(self.its, True)

    def fileno(self):
        return self.its

    def close(self):
        os.close(self.ours)
        os.close(self.its)


def shell(redirect, name, *argv):
    """The command of a program some of whose descriptors are closed."""
    return ["sh", "-c", f'exec "$@" {redirect}', "sh", *program(name), *argv]


@for_each_backend
class EachUnreadServer(TestCase):
    """echod: SIGUSR1 and the end print on a pipe that is full."""

    def unread(self):
        pipe = Unread()
        self.addCleanup(pipe.close)
        return pipe

    def test_counters_that_nobody_reads_do_not_keep_it_from_ending(self):
        server = self.echod(stdout=self.unread(), shutdown="drain 60s")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        for _ in range(200):
            server.send_signal(signal.SIGUSR1)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        sock.close()
        self.assertEqual(server.wait(timeout=slow(10)), ENVIRONMENT)
        self.assertRegex(server.err.text, "cannot write to standard output: nobody reads it")
        self.assertEqual(server.children(), [])

    def test_it_serves_while_counters_wait_for_a_reader(self):
        server = self.echod(stdout=self.unread())
        for _ in range(3):
            server.send_signal(signal.SIGUSR1)
            sock = self.connect(server)
            self.assertEcho(sock, pattern(100000))
            sock.close()
        self.assertEqual(server.stop(), ENVIRONMENT)

    def test_a_second_signal_still_ends_it_at_once(self):
        server = self.echod(stdout=self.unread(), shutdown="drain 3600s")
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        server.send_signal(signal.SIGUSR1)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        self.assertIn(server.stop(), (SIGTERM, ENVIRONMENT))


class UnreadServer(TestCase):
    def test_messages_that_nobody_reads_do_not_hold_up_a_signal(self):
        """Its standard error is full before it says where it listens."""
        pipe = Unread()
        self.addCleanup(pipe.close)
        process = subprocess.Popen([*program("echod"), "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=pipe)
        self.addCleanup(process.kill)
        self.wait_until(lambda: self.blocks_term(process.pid), "it takes signals")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=slow(20))
        self.assertIn(b"# EOF", out)
        self.assertEqual(process.returncode, OK)

    def blocks_term(self, pid):
        blocked = re.search(r"SigBlk:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())[1]
        return int(blocked, 16) >> (signal.SIGTERM - 1) & 1

    def test_a_reader_that_comes_later_gets_whole_lines(self):
        pipe = Unread(fill=False)
        self.addCleanup(pipe.close)
        server = self.echod(stdout=pipe, workers=64, backend="epoll")  # more text than the pipe holds
        server.send_signal(signal.SIGUSR1)
        self.assertTrue(server.err.wait_for("cannot write to standard output: nobody reads it"), server.said())
        lines = os.read(pipe.ours, 1 << 20)
        self.assertTrue(lines.endswith(b"\n"), lines[-100:])
        os.set_blocking(pipe.ours, True)
        server.send_signal(signal.SIGUSR1)
        text = b""
        while b"# EOF\n" not in text:
            text += os.read(pipe.ours, 1 << 20)
        self.assertTrue(text.startswith(b"# HELP echod_connections_accepted_total"), text[:100])


class UnreadLoad(LoadCase):
    """echoload: the report, the progress line, files that are pipes."""

    def unread(self, fill=True):
        pipe = Unread(fill)
        self.addCleanup(pipe.close)
        return pipe

    def fifo(self):
        path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "fifo"
        os.mkfifo(path)
        return path

    def start(self, *argv, **given):
        process = subprocess.Popen([*program("echoload"), *map(str, argv)], stdin=subprocess.DEVNULL,
                                   **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | given)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_a_report_that_nobody_reads_does_not_hold_up_a_signal(self):
        peer = self.peer(echo_all)
        path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "run.json"
        load = self.start("-c1", "-n10", "--json", path, f"127.0.0.1:{peer.port}", stdout=self.unread())
        self.wait_until(path.exists, "the file has its name")
        load.send_signal(signal.SIGTERM)
        _, err = load.communicate(timeout=slow(20))
        self.assertIn(load.returncode, (ENVIRONMENT, SIGTERM, -signal.SIGTERM))
        self.assertEqual(json.loads(path.read_text())["messages"]["echoed"], 10)
        self.assertIn(b"nobody reads it", err)

    def test_a_report_waits_for_a_reader(self):
        peer, pipe = self.peer(echo_all), self.unread()
        path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "run.json"
        load = self.start("-c1", "-n10", "-ojson", "--json", path, f"127.0.0.1:{peer.port}", stdout=pipe)
        self.wait_until(path.exists, "the file has its name")
        text = b""
        while not text.endswith(b"\n}\n"):
            text += os.read(pipe.ours, 65536).lstrip(b"x")
        self.assertEqual(json.loads(text)["messages"]["echoed"], 10)
        self.assertEqual(load.wait(timeout=slow(20)), OK)

    def run_with_terminal(self, code, stderr, *argv):
        """A run with a progress line, for longer than it takes until that is written. A machine that was too busy makes
        it inconclusive, and the result says so."""
        path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "run.json"
        load = self.start("-c1", "-d1500ms", "-w0s", "--progress=always", "--json", path, *argv, stderr=stderr)
        got, result = load.wait(timeout=slow(60)), json.loads(path.read_text())
        if result["exit"]["reason"].startswith("this client could not run for"):
            self.assertGreater(result["generator"]["paused_ns"], result["duration_ns"] / 10, result)
            code = INCONCLUSIVE
        self.assertEqual(got, code, result["exit"])

    def test_a_terminal_that_nobody_reads_does_not_hold_up_the_run(self):
        peer, pipe = self.peer(echo_all), self.unread()
        self.run_with_terminal(OK, pipe, f"127.0.0.1:{peer.port}")

    def test_a_terminal_that_takes_nothing_does_not_hold_up_the_run(self):
        """Ctrl-S, or a terminal whose other end has stopped reading."""
        def stopped(its):
            termios.tcflow(its, termios.TCOOFF)

        def full(its):
            os.set_blocking(its, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(its, b"x")
            os.set_blocking(its, True)

        peer = self.peer(silence)
        for stop in (stopped, full):
            with self.subTest(stop=stop.__name__):
                ours, its = os.openpty()
                self.addCleanup(os.close, ours)
                self.addCleanup(os.close, its)
                stop(its)
                self.run_with_terminal(NO_ANSWER, its, "-T10m", "--grace=10ms", f"127.0.0.1:{peer.port}")

    def test_files_that_nobody_reads_do_not_hold_up_a_signal(self):
        """The reader of a pipe has stopped reading: the run ends, and the other files are written."""
        for option in ("jsonl", "csv", "json"):
            with self.subTest(option=option):
                server = self.echod()
                fifo = self.fifo()
                reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
                self.addCleanup(os.close, reader)
                writer = os.open(fifo, os.O_WRONLY)
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE)
                os.close(writer)
                whole = fifo.with_name("run.hgrm")
                load = self.start("-c4", "-d10m", "-w0s", "--interval=10ms", f"--{option}", fifo, "--hist", whole,
                                  f"127.0.0.1:{server.port}")
                # the pipe is full, or, with a file that is written at the end, it runs
                full = (lambda: self.waiting(reader) > PIPE // 4) if option != "json" else \
                       (lambda: server.counters().received > 10000)
                self.wait_until(full, "there is something to write")
                load.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    load.wait(timeout=0.5)
                if load.returncode is None:
                    load.send_signal(signal.SIGTERM)
                self.assertIn(load.wait(timeout=slow(20)), (ENVIRONMENT, SIGTERM))
                self.assertIn("Value", whole.read_text())
                self.assertEqual(list(fifo.parent.glob("*.tmp")), [])

    def waiting(self, reader):
        return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)

    def test_a_pipe_without_a_reader_does_not_hold_up_a_signal(self):
        server, fifo = self.echod(), self.fifo()
        load = self.start("-c1", "-n10", "--csv", fifo.with_name("run.csv"), "--json", fifo, f"127.0.0.1:{server.port}")
        self.wait_until(lambda: list(fifo.parent.glob("*.tmp")), "the first file is open")
        load.send_signal(signal.SIGTERM)
        load.wait(timeout=slow(20))
        self.assertEqual(list(fifo.parent.glob("*.tmp")), [])


class UnreadOthers(TestCase):
    """echodrill and echobench: their reports, and echobench's line of progress."""

    def start(self, *argv, **given):
        """In a group of its own, which all that it starts has joined or is told of."""
        process = subprocess.Popen([*map(str, argv)], stdin=subprocess.DEVNULL,
                                   **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | given)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def unread(self, fill=True):
        pipe = Unread(fill)
        self.addCleanup(pipe.close)
        return pipe

    def test_a_drill_whose_verdict_nobody_reads_does_not_hold_up_a_signal(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        pipe = self.unread(fill=False)
        p = self.start(*program("echodrill"), "-j1", "run", "server-killed", "server-killed-cure", stdout=pipe)
        self.wait_until(lambda: descendants(p.pid), "it runs")
        pipe.fill()
        self.wait_until(lambda: not descendants(p.pid), "the first drill is over, its verdict waits for a reader", 60)
        p.send_signal(signal.SIGTERM)
        self.assertIn(p.wait(timeout=slow(20)), (ENVIRONMENT, SIGTERM))

    def test_progress_that_nobody_reads_does_not_hold_up_a_comparison(self):
        path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "r.json"
        pipe = self.unread(fill=False)
        p = self.start(*program("echobench"), "run", "--b", "epoll", "-c", "4,8", "--progress", "always", "--json", path,
                       stderr=pipe)
        self.wait_until(lambda: len(descendants(p.pid)) > 2, "servers run")
        pipe.fill()
        self.wait_until(lambda: path.exists(), "the first of two cells is done, and said", 120)
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(timeout=slow(30)), SIGTERM)
        self.assertTrue(json.loads(path.read_text())["interrupted"])

    def test_a_comparison_that_nobody_reads_does_not_hold_up_a_signal(self):
        path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "r.json"
        p = self.start(*program("echobench"), "run", "--b", "false {port}", "--json", path, stdout=self.unread())
        self.wait_until(lambda: path.exists() and not json.loads(path.read_text())["interrupted"], "it is done", 60)
        p.send_signal(signal.SIGTERM)
        self.assertIn(p.wait(timeout=slow(20)), (ENVIRONMENT, SIGTERM, -signal.SIGTERM))


def descriptors(pid):
    """{number: what it is} of the first three."""
    return {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)}


class Closed(LoadCase):
    """0 to 2 are closed when a program starts."""

    def test_no_socket_or_file_becomes_a_standard_stream(self):
        for redirect in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(redirect=redirect):
                process = self.keep(Process(shell(redirect, "echod", "--listen", "127.0.0.1:0", "--workers", "2")))
                self.wait_until(lambda: len(process.threads()) == 3, "it serves")
                found = descriptors(process.pid)
                for fd, sign in enumerate(("<", ">&", "2>")):
                    if any(r.startswith(sign) for r in redirect.split()):
                        self.assertEqual(found[fd], "/dev/null", found)
                code = process.stop()
                self.assertEqual(code, ENVIRONMENT if ">&-" in redirect.split() else OK, process.said())

    def test_a_result_file_gets_no_line_of_progress(self):
        peer = self.peer(echo_all)
        for redirect in ("2>&-", "<&- 2>&-", "<&- >&- 2>&-"):
            with self.subTest(redirect=redirect):
                path = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-"))) / "run.json"
                r = run(shell(redirect, "echoload", "-c1", "-d700ms", "-w0s", "--progress=always", "--json", path,
                              "--jsonl", path.with_suffix(".jsonl"), f"127.0.0.1:{peer.port}"))
                self.assertEqual(r.code, ENVIRONMENT if ">&-" in redirect.split() else OK, r)
                self.assertEqual(json.loads(path.read_text())["schema"], "echoload/1")
                for line in path.with_suffix(".jsonl").read_text().splitlines():
                    self.assertIn("event", json.loads(line))

    def test_a_report_that_goes_nowhere_is_an_error(self):
        peer = self.peer(echo_all)
        r = run(shell(">&-", "echoload", "-c1", "-n1", f"127.0.0.1:{peer.port}"))
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertRegex(r.err, "cannot write standard output: Bad file descriptor")

    def test_an_interactive_client_without_input_is_at_its_end(self):
        server = self.echod()
        for argv in ([], ["--textbook"]):
            with self.subTest(argv=argv):
                r = run(shell("<&-", "echoload", "--interactive", *argv, f"127.0.0.1:{server.port}"))
                self.assertEqual(r.code, OK, r)
                self.assertIn("end of input", r.err)

    def test_a_comparison_runs(self):
        for redirect in ("<&-", "<&- 2>&-"):
            with self.subTest(redirect=redirect):
                r = run(shell(redirect, "echobench", "run", "--b", "false {port}", "-o", "json"), timeout=60)
                self.assertIn("the server ended", json.loads(r.out)["cells"][0]["reason"])

    def test_a_drill_runs(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        for redirect in ("<&-", "<&- 2>&-"):
            with self.subTest(redirect=redirect):
                r = run(shell(redirect, "echodrill", "-o", "json", "run", "server-killed"), timeout=60)
                self.assertIn(json.loads(r.out)["verdict"], ("pass", "inconclusive"), r)


@for_each_backend
class EachClosed(TestCase):
    @only("fork")
    def test_a_child_does_not_keep_the_port(self):
        """Its listener would be descriptor 2 of the parent, which a child keeps."""
        process = self.keep(Process(shell("<&- >&- 2>&-", "echod", "--backend", "fork", "--listen", "127.0.0.1:0")))
        listening = rf"127\.0\.0\.1:(\d+) .*pid={process.pid}\b"
        port = int(self.wait_until(lambda: re.search(listening, "\n".join(ss("-ltnp"))), "it listens")[1])
        sock = self.connect(("127.0.0.1", port))
        self.assertEcho(sock, b"x")
        process.kill9()
        self.assertNobodyHome(("127.0.0.1", port))
        self.assertEcho(sock, b"the child still serves")
