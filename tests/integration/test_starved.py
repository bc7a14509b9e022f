# SPDX-License-Identifier: MIT
"""A generator that has no CPU says so, and does not blame the target: a quota, a busy neighbour, a pause."""
import contextlib
import os
import signal
import sys
import threading
import time
import unittest
from pathlib import Path

from echolab import OK, Process, not_in, rst, slow
from loadlab import INCONCLUSIVE, LONG, LoadCase

SECOND = 10**9
GROUPS = Path("/sys/fs/cgroup")


class Quota:
    """A control group of version 1 or 2 that may use @percent of a CPU; .prefix starts a program in it."""

    def __init__(self, percent):
        first = (GROUPS / "cpu").is_dir()
        self.path = (GROUPS / "cpu" if first else GROUPS) / f"echolab-{os.getpid()}"
        if not first:
            (GROUPS / "cgroup.subtree_control").write_text("+cpu")
        self.path.mkdir()
        try:
            if first:
                (self.path / "cpu.cfs_period_us").write_text("100000")
                (self.path / "cpu.cfs_quota_us").write_text(str(1000 * percent))
            else:
                (self.path / "cpu.max").write_text(f"{1000 * percent} 100000")
        except OSError:
            self.path.rmdir()
            raise
        self.prefix = ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def end(self):
        for pid in (self.path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        until = time.monotonic() + slow(10)
        while True:
            try:
                self.path.rmdir()
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)  # of its last process only cgroup v2 tells, and this may be v1


def no_quota():
    """Why this machine lets us set no CPU quota, or nothing."""
    try:
        Quota(50).end()
    except OSError as e:
        return f"{'needs root: ' if os.geteuid() != 0 else ''}no control group of our own: {e}"
    return ""


AT_ONCE = ["nice", "-n", "-20"]  # else a server without a CPU would be the bottleneck of a busy machine


@unittest.skipIf(no_quota(), no_quota())
class LittleCpu(LoadCase):
    def setUp(self):
        self.quota = Quota(2)
        self.addCleanup(self.quota.end)

    def test_a_quota_that_is_used_up_is_the_bottleneck(self):
        r = self.run_load(self.echod(prefix=AT_ONCE), connections=8, duration="2s", warmup="0s",
                          prefix=self.quota.prefix, code=INCONCLUSIVE, timeout="1m")
        g = r["generator"]
        self.assertEqual((g["bottleneck"], g["bottleneck_reason"], g["quota_cpus"]), ("client", "throttled", 0.02), r)
        self.assertGreater(g["throttled"], 5, r)
        self.assertGreater(g["throttled_ns"], SECOND / 2, r)
        self.assertGreater(g["wait_ns"], SECOND, r)
        self.assertIn("its CPU quota was used up", r["exit"]["reason"])
        self.assertRegex(r.out, r"waiting for a\s+CPU, quota of\s+0.02\s+CPUs used up\s+\d+ times")

    def test_a_rate_that_is_not_reached_for_want_of_it_is_not_the_targets(self):
        r = self.run_load(self.echod(prefix=AT_ONCE), connections=8, rate=20000, duration="2s", warmup="0s",
                          prefix=self.quota.prefix, code=INCONCLUSIVE, timeout="1m")
        self.assertEqual(r["generator"]["bottleneck"], "client", r)
        self.assertIn("this client could not run for", r["exit"]["reason"])
        self.assertNotIn("the target is too slow", r["exit"]["reason"])

    def test_as_many_threads_as_it_has_room_for(self):
        server = self.echod(prefix=self.quota.prefix, workers=0, backend="epoll")
        self.assertEqual(len(server.threads()), 2, "main and a worker")
        r = self.run_load(server, connections=8, threads=0, messages=8, prefix=self.quota.prefix, code=None,
                          timeout="10m", connect_timeout="10m")
        self.assertEqual(r["context"]["threads"], 1, r)


class BusyNeighbour(LoadCase):
    def test_who_waits_for_a_cpu_is_the_bottleneck_and_fails_no_run(self):
        """Both may use one CPU, and the other one is far more important."""
        cpu = min(os.sched_getaffinity(0))
        server = self.echod()
        self.keep(Process(["taskset", "-c", str(cpu), sys.executable, "-c", "while True: pass"]))
        r = self.run_load(server, connections=8, duration="1500ms", warmup="0s", code=None, timeout="10m",
                          connect_timeout="10m", grace="1m", prefix=["taskset", "-c", str(cpu), "nice", "-n", "15"])
        self.assertEqual(r.code, OK, r)
        g = r["generator"]
        self.assertEqual((g["bottleneck"], g["bottleneck_reason"]), ("client", "waiting"), r)
        self.assertGreater(g["wait_ns"], r["duration_ns"] / 2, r)


class Paused(LoadCase):
    def pause(self, load, seconds):
        load.hold()
        time.sleep(seconds)  # what is measured is time
        load.send_signal(signal.SIGCONT)

    def test_a_pause_is_seen_and_said(self):
        load = self.load(self.echod(), connections=8, duration="3s", warmup="0s", timeout="1m", progress="always")
        self.wait_until(load.live, "it runs", 60)
        self.pause(load, 1.5)
        r = load.done()
        pause = max(r["generator"]["pauses"], key=lambda p: p["end_ns"] - p["begin_ns"])
        self.assertGreater(pause["end_ns"] - pause["begin_ns"], 1.4 * SECOND, r)
        self.assertGreaterEqual(r["generator"]["paused_ns"], pause["end_ns"] - pause["begin_ns"])
        self.assertEqual((r.code, r["generator"]["bottleneck"], r["generator"]["bottleneck_reason"]),
                         (INCONCLUSIVE, "client", "paused"), r)
        self.assertRegex(r["exit"]["reason"], "this client could not run for .* it was paused")
        self.assertRegex(r.out, r"paused\s+\d")
        self.assertEqual((r.errors, r["outages"]), ({}, []), r)

    def test_connections_that_end_in_a_pause_prove_nothing(self):
        held, go, gone = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

        def script(sock, _):
            sock.sendall(sock.recv(64))
            sock.recv(64)
            held.release()
            go.wait(slow(60))
            rst(sock)
            gone.release()
        load = self.load(self.peer(script), connections=4, duration="20s", warmup="0s", timeout="1m", reconnect="never",
                         stall="1m", progress="always")
        self.assertTrue(all(held.acquire(timeout=slow(60)) for _ in range(4)))
        self.wait_until(load.live, "its main thread, which sees pauses, waits", 60)
        load.hold()
        go.set()
        self.assertTrue(all(gone.acquire(timeout=slow(60)) for _ in range(4)))
        time.sleep(0.3)  # the pause must be one
        load.send_signal(signal.SIGCONT)
        r = load.done()
        self.assertEqual((r.code, r.causes), (INCONCLUSIVE, {"reset"}), r)
        self.assertIn("but this client had just been paused", r["exit"]["reason"])


    @not_in("asan", "valgrind")
    def test_a_main_thread_that_the_kernel_holds_up_is_no_pause(self):
        """To open a file takes long while another thread's sockets make the table of descriptors larger."""
        slow_open = ["strace", "-qq", "-o", "/dev/null", "-P", "/proc/thread-self/schedstat", "-e", "trace=openat",
                     "-e", "inject=openat:delay_enter=150000"]
        server = self.echod()

        def pauses():
            r = self.run_load(server, connections=1, duration="1s", warmup="0s", prefix=slow_open, code=None, **LONG)
            return r["generator"]["pauses"]
        # where it waits for a CPU as well, that is one: again, then
        self.assertTrue(any(not pauses() for _ in range(10)))


class Host(LoadCase):
    def test_the_kernels_counters_that_moved_are_shown(self):
        """A listener whose queue is full, and that nobody empties."""
        peer = self.peer(None, backlog=1, accepts=False)
        r = self.run_load(peer, connections=8, duration="1500ms", warmup="0s", connect_timeout="1s", timeout="1s",
                          code=None)
        self.assertGreater(r["generator"]["host_tcp"]["ListenOverflows"], 0, r)
        self.assertGreaterEqual(r["generator"]["host_tcp"]["ListenDrops"],
                                r["generator"]["host_tcp"]["ListenOverflows"], r)
        self.assertRegex(r.out, r"host's TCP +ListenOverflows \d+, ListenDrops \d+")
