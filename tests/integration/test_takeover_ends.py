# SPDX-License-Identifier: MIT
"""Takeovers of which one side is killed, comes late, or gives up: what clients see of it."""
import contextlib
import errno
import shutil
import signal
import subprocess

from echolab import BIN, ENVIRONMENT, OK, PATIENCE, not_in, slow
from takeoverlab import Elsewhere, FailureCase


class Ends(FailureCase):
    """Connections end with the process that owns them, and with nothing else."""

    def killed(self, call, nth):
        """strace's words: the process is killed when its main thread makes its nth such call."""
        return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:signal=KILL:when={nth}"]

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_a_successor_that_is_killed_at_any_step(self):
        """At its nth message: as long as it has not said TAKEN the old one serves on, and all that was not the
        successor's already."""
        steps = {1: "hello", 2: "ready", 3: "serving", 4: "kept", 5: "taken"}
        for nth, step in steps.items():
            for server, socks in self.each_backend():
                if server.backend == "fork":
                    continue
                argv = [*self.killed("sendmsg", nth), str(BIN / "echod"),
                        *self.echod_options(takeover=f"unix:{self.path}", backend=server.backend)]
                subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=slow(PATIENCE))
                # once it has said that it keeps them, they die with it
                left = [] if step == "taken" else socks
                self.assertServingOn(server, left, "the other side has gone")

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_an_old_one_that_is_killed_at_any_step(self):
        """The successor serves on with what it has: all listeners, and the connections that it was sent."""
        for nth, step in {1: "listeners", 2: "go", 3: "connections", 4: "commit", 5: "done", 6: "last commit"}.items():
            with self.subTest(step=step):
                self.path = self.folder() / "takeover"
                old = self.echod(prefix=self.killed("sendmsg", nth), backend="epoll", workers=1)
                socks = [self.connect(old) for _ in range(3)]
                for sock in socks:
                    self.assertEcho(sock, b"before")
                options = {"takeover": f"unix:{self.path}", "listen": f"127.0.0.1:{old.port}"}
                if step == "listeners":
                    r = self.run_echod(**options)
                    self.assertEqual(r.code, ENVIRONMENT)
                    self.assertRegex(r.err, "cannot take over at .*: the other side has gone")
                    new = self.echod(**options)
                else:
                    new = self.echod(**options)
                    self.assertTrue(new.err.wait_for("took over: 1 listeners.*the other process has died"), new.said())
                old.popen.wait(slow(PATIENCE))
                if step in ("commit", "done", "last commit"):
                    self.assertServes(new, *socks)
                self.assertServes(new)
                self.assertHandsOver(new, [])

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_whoever_is_late_finds_what_was_decided_meanwhile(self):
        """Its message comes a second after the other has ceased to wait for it: one of the two serves, and knows."""
        def late(nth):
            return ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendmsg",
                    "-e", f"inject=sendmsg:delay_enter=6000000:when={nth}"]

        pairs = []
        for who, nth, step in (("new", 4, "kept"), ("new", 5, "taken"), ("old", 4, "commit"), ("old", 6, "last commit")):
            self.path = self.folder() / "takeover"
            old = self.echod(prefix=late(nth) if who == "old" else (), backend="epoll", workers=1)
            socks = [self.connect(old) for _ in range(3)]
            for sock in socks:
                self.assertEcho(sock, b"before")
            new = self.echod(prefix=late(nth) if who == "new" else (), backend="epoll", workers=1,
                             listen=f"127.0.0.1:{old.port}")
            pairs.append((step, old, new, socks))
        for step, old, new, socks in pairs:
            with self.subTest(step):
                if step == "last commit":
                    self.assertTrue(new.err.wait_for("took over: 1 listeners, 3 connections"), new.said())
                    self.assertGone(old)
                    self.assertServes(new, *socks)
                    continue
                self.assertTrue(old.err.wait_for("serving on"), old.said())
                self.assertTrue(new.err.wait_for("cannot take over at "), new.said())
                self.assertEndsAfter(old, new, socks, 3 if step == "taken" else 0)

    def assertEndsAfter(self, old, new, socks, count):
        """A successor that has given up serves `count` of these connections, which are its own, and then ends. A
        newcomer may be one of the last that it accepted."""
        with self.connect(old) as newcomer:
            for sock in (*socks, newcomer):
                self.assertEcho(sock, b"by whichever")
            if count > 0:
                self.assertTrue(new.err.wait_for("already stay here until they end"), new.said())
                self.assertTrue(new.running())
                for sock in socks:
                    sock.close()
        self.assertEqual(new.wait(), ENVIRONMENT, new.said())
        self.assertIn(new.final.closed["eof"] - count, (0, 1), new.said())
        self.assertServes(old, *(socks if count == 0 else []))

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_a_successor_that_gives_up_serves_what_it_has(self):
        """Connections that were committed to it, or that it has accepted, do not end because the takeover has failed."""
        fails = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendmsg", "-e", "inject=sendmsg:error=EIO:when=5"]
        for server, socks in self.each_backend():
            if server.backend == "fork":
                continue
            new = self.echod(prefix=fails, backend=server.backend, workers=3, listen=f"127.0.0.1:{server.port}")
            self.assertTrue(server.err.wait_for("serving on"), server.said())
            self.assertTrue(new.err.wait_for("cannot take over at .*Input/output error"), new.said())
            moved = server.counters().closed["moved"]  # it fails at the second batch, or if that is none at TAKEN
            self.assertGreater(moved, 0)
            self.assertEndsAfter(server, new, socks, moved)

    @not_in("asan", "tsan", "valgrind")  # whose runtimes must be loaded first
    def test_a_worker_that_fails_takes_nobody_hostage(self):
        """Of an old one that serves those that have stayed: their connections end, with its process."""
        fault = {"LD_PRELOAD": BIN / "preload" / "fault.so", "ECHOLAB_FAULT": f"epoll_wait:30:{errno.EINVAL}",
                 "ECHOLAB_FAULT_FROM": "recvmsg"}
        old = self.echod(backend="epoll", workers=2, handover="serve", sandbox="off", balance="least", env=fault)
        socks = [self.connect(old) for _ in range(4)]
        for sock in socks:
            self.assertEcho(sock, b"before")
        self.assertTrue(all(w.open > 0 for w in old.counters().workers))
        self.successor(old)
        with contextlib.suppress(ConnectionError):
            for sock in 100 * socks:
                sock.sendall(b"until it fails")
                if not sock.recv(100):
                    break
        self.assertEqual(old.wait(), ENVIRONMENT, old.said())

    @not_in("asan", "tsan", "ubsan", "valgrind")
    def test_the_next_successor_does_not_wait_for_one_that_has_failed(self):
        program = self.folder() / "echod"
        shutil.copy(BIN / "echod", program)
        server = self.keep(Elsewhere(program, self.echod_options(takeover=f"unix:{self.path}")))
        sock = self.connect(server)
        self.assertEcho(sock, b"before")
        for script in ("exec strace -D -qq -o /dev/null -e trace=sendmsg -e inject=sendmsg:error=EIO:when=5", "exec"):
            next_one = program.with_name("next")
            next_one.write_text(f'#!/bin/sh\n{script} {BIN / "echod"} "$@"\n')
            next_one.chmod(0o755)
            next_one.rename(program)
            server.send_signal(signal.SIGUSR2)
            if script != "exec":
                self.assertTrue(server.err.wait_for("cannot take over.*serving on"), server.said())
                self.assertTrue(server.err.wait_for("already stay here until they end"), server.said())
        self.assertTrue(server.err.wait_for("took over: "), server.said())
        self.assertEqual(server.popen.wait(slow(PATIENCE)), OK)
        self.assertServes(server, sock)  # by the one that has failed, and by the one that has not
