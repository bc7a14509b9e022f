# SPDX-License-Identifier: MIT
"""Where little is allowed: containers, chroots, read-only systems, little memory. A program works with what is left,
or says in one line what is missing."""
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from drilllab import INCONCLUSIVE, SKIPPED
from echolab import BIN, ENVIRONMENT, OK, ROOT, SANITIZERS, no_namespaces, not_in, offered, program, run
from loadlab import LONG, LoadCase

CONTAINER = (sys.executable, str(ROOT / "tests/lib/seccomp.py"), "container")
ONE = "server-killed"
BENCH = ("-c", "2", "--limit", "10s", "--precision", "100", "--confidence", "80", "--min-blocks", "2", "-d", "5ms")

# A root that lies in another folder: the shell goes on there, and where it was
ENTER = 'work=$PWD; cd "$new"; pivot_root . .; umount -l .; cd "$work"; '
READ_ONLY = ('mount --rbind / "$new"; umount -l "$new/sys"; mount -o remount,bind,ro "$new"; '
             'if mountpoint -q /tmp; then mount -o remount,bind,ro "$new/tmp"; fi; ' + ENTER +
             'if touch /tmp/x 2>/dev/null || [ -e /sys/kernel ]; then exit 99; fi; exec "$@"')
# What package builders use: folders of the system below a plain folder of a mount that is shared with other namespaces
CHROOT = """
mount --make-rshared /
for dir in bin sbin lib lib64 usr; do
    if [ -L /$dir ]; then cp -P /$dir "$new"; elif [ -d /$dir ]; then mkdir "$new/$dir"; mount --bind /$dir "$new/$dir"; fi
done
mkdir -p "$new/proc" "$new/dev" "$new/etc" "$new/run" "$new/tmp" "$new/$PWD" "$new/$bin"
mount -t proc proc "$new/proc"
mount --bind /dev "$new/dev"
mount --bind "$PWD" "$new/$PWD"
mount --bind "$bin" "$new/$bin"
cat /proc/self/mountinfo >"$new/tmp/before"
r=0
chroot "$new" sh -c 'cd "$0"; exec "$@"' "$PWD" "$@" || r=$?
cmp /proc/self/mountinfo "$new/tmp/before" || exit 99
exit $r
"""


def words(text):
    """What was printed, without the line breaks of the terminal."""
    return " ".join(text.split())


class ConfinedCase(LoadCase):
    prefix = ()

    def run_one(self, name, *argv, **more):
        return run([*self.prefix, *program(name), *argv], **more)

    def assertEchoes(self, backend, prefix):
        """A server and a client that are both confined."""
        server = self.echod(backend=backend, prefix=prefix)
        self.assertEcho(self.connect(server), b"x" * 100_000)
        client = () if backend in (None, "fork") else ("--backend", backend)
        r = self.run_one("echoload", "-c8", "-n2000", "-ojson", *client, f"127.0.0.1:{server.port}")
        self.assertEqual((r.code, r.err), (OK, ""), r)
        self.assertEqual(json.loads(r.out)["messages"]["echoed"], 2000, r)
        return server

    def assertBenchWorks(self):
        r = self.run_one("echobench", "run", "--a", "epoll", "--b", "fork", "-o", "json", *BENCH, timeout=60)
        self.assertIn(r.code, (OK, INCONCLUSIVE), r)
        self.assertTrue(json.loads(r.out)["cells"][0]["measured"], r)

    def assertDrillPasses(self):
        for _ in range(3):  # a busy machine may leave it open
            r = self.run_one("echodrill", "run", ONE, timeout=60)
            if r.code != INCONCLUSIVE:
                break
        self.assertEqual(r.code, OK, r)


class Container(ConfinedCase):
    """Under the seccomp filter and with the capabilities that container engines give by default."""
    prefix = CONTAINER

    @not_in("valgrind")
    def test_the_server_serves_without_io_uring_and_says_why(self):
        server = self.assertEchoes(None, self.prefix)
        self.assertEqual(server.backend, "epoll")
        if "io_uring" in offered():
            self.assertRegex(server.remark, "io_uring is blocked .*seccomp")

    @not_in("valgrind")
    def test_the_textbook_server_serves(self):
        self.assertEchoes("fork", self.prefix)

    @not_in("valgrind")
    @unittest.skipIf("io_uring" not in offered(), "io_uring is not built")
    def test_io_uring_that_is_asked_for_is_refused_in_one_line(self):
        for name, more in (("echod", ["--listen", "127.0.0.1:0"]), ("echoload", ["-n1", "127.0.0.1:1"])):
            with self.subTest(name):
                r = self.run_one(name, "--backend", "io_uring", *more)
                self.assertEqual((r.code, len(r.err.splitlines())), (ENVIRONMENT, 1), r)
                self.assertIn("io_uring", r.err)

    @not_in("valgrind")
    def test_drills_are_skipped_and_say_what_would_help(self):
        r = self.run_one("echodrill", "run", ONE)
        self.assertEqual(r.code, SKIPPED, r)
        want = r"\(root lacks CAP_SYS_ADMIN, .* needs --privileged\)" if os.geteuid() == 0 else r"\(ask as root, "
        self.assertRegex(words(r.out), rf"^skipped {ONE} .* this kernel gives no private namespaces {want}")

    @not_in("valgrind", *SANITIZERS)
    def test_the_benchmark_compares_what_there_is(self):
        self.assertBenchWorks()


class RootCase(ConfinedCase):
    """These make mounts or control groups."""

    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        self.new = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, self.new)
        # mktemp's folders are for their owner alone, and others are asked as well
        self.new.chmod(0o755)

    def mounted(self, script):
        """A prefix that runs what follows after a shell's script, in a mount namespace of its own."""
        return ("unshare", "--mount", "--propagation", "private", "env", f"new={self.new}", f"bin={BIN}", "sh", "-ec",
                script, "sh")


class ReadOnly(RootCase):
    """Nothing can be written, /tmp neither, and /sys is empty."""

    def setUp(self):
        super().setUp()
        self.prefix = self.mounted(READ_ONLY)

    def test_every_backend_serves(self):
        for backend in (b for b, why in offered().items() if not why):
            with self.subTest(backend):
                self.assertEqual(self.assertEchoes(backend, self.prefix).backend, backend)

    @not_in("valgrind", *SANITIZERS)
    def test_drills_pass(self):
        self.assertDrillPasses()

    @not_in("valgrind", *SANITIZERS)
    def test_the_benchmark_measures(self):
        self.assertBenchWorks()

    def test_a_result_that_cannot_be_written_is_one_line(self):
        server = self.echod()
        r = self.run_one("echoload", "-c1", "-n1", "-oquiet", "--json", "/tmp/result.json", f"127.0.0.1:{server.port}")
        self.assertEqual((r.code, len(r.err.splitlines())), (ENVIRONMENT, 1), r)
        self.assertRegex(r.err, "/tmp/result.json.*Read-only")


class Chroot(RootCase):
    def setUp(self):
        super().setUp()
        self.prefix = self.mounted(CHROOT)

    @not_in("valgrind", *SANITIZERS)
    def test_roots_drills_pass_and_change_no_mount_outside(self):
        self.assertDrillPasses()

    @not_in("valgrind")
    def test_users_drills_are_skipped_and_say_what_would_help(self):
        r = run([*self.prefix, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--",
                 *program("echodrill"), "run", ONE])
        self.assertEqual(r.code, SKIPPED, r)
        self.assertRegex(words(r.out), rf"^skipped {ONE} .* no private namespaces \(in a chroot only to root\)")


class Group:
    """A control group of ours, of whichever version is mounted, with little of everything."""
    MEMORY, PERIOD_US = 64 << 20, 100_000
    TOP = Path("/sys/fs/cgroup")

    def __init__(self):
        self.name = name = f"echolab-{os.getpid()}"
        if (self.TOP / "cgroup.controllers").exists():
            (self.TOP / "cgroup.subtree_control").write_text("+memory +cpu")
            self.folders = {self.TOP / name: {"memory.max": self.MEMORY,
                                              "cpu.max": f"{self.PERIOD_US // 2} {self.PERIOD_US}"}}
        else:
            self.folders = {self.TOP / "memory" / name: {"memory.limit_in_bytes": self.MEMORY},
                            self.TOP / "cpu" / name: {"cpu.cfs_period_us": self.PERIOD_US,
                                                      "cpu.cfs_quota_us": self.PERIOD_US // 2}}
        for folder, limits in self.folders.items():
            folder.mkdir()
            for key, value in limits.items():
                (folder / key).write_text(str(value))
        enter = "".join(f"echo $$ >{folder}/cgroup.procs; " for folder in self.folders)
        self.prefix = ("sh", "-ec", enter + 'exec "$@"', "sh")

    def remove(self):
        for folder in self.folders:
            with contextlib.suppress(FileNotFoundError):
                folder.rmdir()


class Small(RootCase):
    """64 MiB of memory and half a CPU."""

    def setUp(self):
        super().setUp()
        try:
            self.group = Group()
        except OSError as e:
            self.skipTest(f"no control groups to be had: {e}")
        self.addCleanup(self.group.remove)
        self.prefix = self.group.prefix

    @not_in("valgrind", *SANITIZERS)  # their shadow alone is larger
    def test_every_backend_serves_a_thousand_connections(self):
        for backend in (b for b, why in offered().items() if not why):
            with self.subTest(backend):
                server = self.echod(backend=backend, prefix=self.prefix)
                self.assertIn(self.group.name, Path(f"/proc/{server.pid}/cgroup").read_text())
                r = self.as_long_as_needed(
                    lambda duration, server=server, backend=backend: self.load(
                        server, connections=20 if backend == "fork" else 1000, duration=duration, **LONG),
                    lambda r: r["messages"]["echoed"] > 1000 and r.code == OK, 1)
                self.assertEqual((r.code, r.errors), (OK, {}), r)
                self.assertGreater(r["messages"]["echoed"], 1000, r)
                server.stop()

    @not_in("valgrind", *SANITIZERS)
    def test_every_client_loads(self):
        server = self.echod(backend="epoll", workers=1)
        for backend in (b for b in offered() if b != "fork" and not offered()[b]):
            with self.subTest(backend):
                r = self.run_load(server, connections=100, pipeline=16, duration="1s", threads=2, backend=backend,
                                  prefix=self.prefix, **LONG)
                self.assertEqual((r.code, r.errors), (OK, {}), r)

    @not_in("valgrind", *SANITIZERS)
    def test_drills_pass(self):
        self.assertDrillPasses()

    @not_in("valgrind", *SANITIZERS)
    def test_the_benchmark_measures_or_says_that_it_cannot(self):
        r = self.run_one("echobench", "run", "--a", "epoll", "--b", "fork", "-o", "json", *BENCH, timeout=60)
        self.assertIn(r.code, (OK, INCONCLUSIVE), r)
        cell, = json.loads(r.out)["cells"]
        self.assertTrue(cell["measured"] or cell["reason"], r)
