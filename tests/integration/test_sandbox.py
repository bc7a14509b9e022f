# SPDX-License-Identifier: MIT
"""What an echod that serves cannot do any more, seen from within (tests/preload/trespass.c) and in /proc, and that
what needs privileges works nevertheless."""
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from echolab import (BIN, ENVIRONMENT, OK, PATIENCE, ROOT, UNCONFINED, USAGE, Process, TestCase, children, covers,
                     for_each_backend, only, pattern, program, slow)
from reloadlab import ReloadCase
from supervisorlab import SupervisorCase
from takeoverlab import TakeoverCase

PRELOAD = BIN / "preload" / "trespass.so"
NOBODY = pwd.getpwnam("nobody")
NO_FILTER = (sys.executable, str(ROOT / "tests/lib/seccomp.py"), "unfiltered")


def confined(test):
    """Where tests turn the sandbox off there is nothing to see."""
    return None if UNCONFINED else test


def only_unconfined(test):
    return test if UNCONFINED else None


def as_root(test):
    return unittest.skipIf(os.geteuid() != 0, "needs root")(test)


def status(pid, field):
    """That line of /proc/PID/status, of each thread."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += re.findall(rf"^{field}:\t(.*)$", (task / "status").read_text(encoding="utf-8"), re.M)
    return found


def helpers():
    """Pids of all helper processes that this test can see as its own."""
    return [pid for pid in children(os.getpid())
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8") == "echod-helper\n"]


@for_each_backend
class Each(TestCase):
    @confined
    @covers("echod", "sandbox")
    def test_all_threads_and_processes_are_in_it(self):
        server = self.echod()
        sock = self.connect(server)
        self.assertEcho(sock, b"here")
        pids = [server.pid, *children(server.pid)]
        self.assertEqual(len(pids), 2 if self.backend == "fork" else 1)
        for pid in pids:
            for field, value in (("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapEff", "0" * 16), ("CapPrm", "0" * 16)):
                self.assertEqual(set(status(pid, field)), {value}, (pid, field))

    def test_off_is_off(self):
        server = self.echod(sandbox="off")
        self.assertEqual(set(status(server.pid, "Seccomp")), set(status("self", "Seccomp")))
        self.assertEqual(set(status(server.pid, "NoNewPrivs")), set(status("self", "NoNewPrivs")))

    def trespasser(self, what):
        """An echod of which every thread has tried that."""
        server = self.echod(env={"LD_PRELOAD": PRELOAD, "ECHOLAB_TRESPASS": what})
        sock = self.connect(server)
        self.assertEcho(sock, b"before")
        return server, sock

    def assertForbidden(self, what, error, *who):
        server, sock = self.trespasser(what)
        server.counters()
        sock.close()  # a worker closes its end, or that of the next that a process of its own serves
        self.assertEcho(self.connect(server), pattern(5000, 1))
        for one in who:
            line = server.err.wait_for(f"^trespass: {one}: {what}: (.*?)$")
            self.assertTrue(line, server.said())
            self.assertEqual(line[1], error)

    @confined
    def test_none_opens_a_file(self):
        self.assertForbidden("open", "EPERM", "main", "worker")

    @confined
    def test_none_makes_a_socket(self):
        self.assertForbidden("socket", "EPERM", "main", "worker")

    @confined
    def test_none_becomes_a_client(self):
        """By a listener, which needs neither socket nor connect for that."""
        server, sock = self.trespasser("dial")
        server.counters()
        self.assertEqual(server.err.wait_for("^trespass: main: dial: (.*?)$")[1], "EPERM")
        self.assertEcho(sock, b"after")
        self.assertEcho(self.connect(server), pattern(5000, 1))

    @only("epoll", "io_uring")  # processes of fork must be able to abort
    @confined
    def test_none_ends_another_process(self):
        victim = self.keep(Process(["sleep", "600"]))
        server = self.echod(env={"LD_PRELOAD": PRELOAD, "ECHOLAB_TRESPASS": "abort", "ECHOLAB_TRESPASS_PID": victim.pid})
        server.counters()
        self.assertEqual(server.err.wait_for("^trespass: main: abort: (.*?)$")[1], "EPERM")
        self.assertTrue(victim.running())

    @confined
    def test_nor_does_one_that_has_taken_over(self):
        """It may shut the socket of the takeover, as long as that lasts."""
        takeover = f"unix:{self.enterContext(tempfile.TemporaryDirectory(prefix='echolab-'))}/takeover"
        old = self.echod(takeover=takeover)
        new = self.echod(takeover=takeover, env={"LD_PRELOAD": PRELOAD, "ECHOLAB_TRESPASS": "dial"})
        self.assertTrue(new.err.wait_for("took over: "), new.said())
        self.assertEqual(old.wait(), OK)
        new.counters()
        self.assertEqual(new.err.wait_for("^trespass: main: dial: (.*?)$")[1], "EPERM")
        self.assertEcho(self.connect(new), pattern(5000, 1))

    @confined
    def test_none_has_memory_that_can_be_run(self):
        self.assertForbidden("map", "EPERM", "main", "worker")

    @confined
    def test_who_tries_exec_dies(self):
        server, _ = self.trespasser("exec")
        server.send_signal(signal.SIGUSR1)
        self.assertEqual(server.popen.wait(slow(PATIENCE)), -signal.SIGSYS)

    @only("io_uring")
    @confined
    def test_a_ring_does_nothing_else(self):
        self.assertForbidden("ring", "EACCES", "worker")
        self.assertForbidden("register", "EACCES", "worker")

    @confined
    def test_where_there_is_no_filter_it_says_so_and_serves(self):
        server = self.echod(prefix=NO_FILTER)
        self.assertEcho(self.connect(server), b"served")
        self.assertRegex(server.err.text, "warning: sandbox: no filter of system calls: .*; serving without\n")
        self.assertEqual(set(status(server.pid, "NoNewPrivs")), {"1"})

    @confined
    def test_required_serves_or_says_why_not(self):
        self.assertEcho(self.connect(self.echod(sandbox="required")), b"served")
        r = self.run_echod(prefix=NO_FILTER, sandbox="required")
        self.assertEqual((r.code, r.out), (ENVIRONMENT, ""))
        self.assertRegex(r.err, r"\Aechod: error: sandbox = required: no filter of system calls: [^\n]*\n\Z")

    @as_root
    @covers("echod", "user", "group")
    def test_it_becomes_a_user_once_it_listens(self):
        ns = self.namespace("ip link set lo up")
        server = self.echod(listen="127.0.0.1:7", user="nobody", prefix=ns.prefix)
        self.assertEqual(set(status(server.pid, "Uid")), {f"{NOBODY.pw_uid}\t" * 3 + str(NOBODY.pw_uid)})
        self.assertEqual(set(status(server.pid, "Gid")), {f"{NOBODY.pw_gid}\t" * 3 + str(NOBODY.pw_gid)})
        self.assertEqual({line.strip() for line in status(server.pid, "Groups")}, {str(NOBODY.pw_gid)})
        self.assertEqual(set(status(server.pid, "CapEff")), {"0" * 16})
        r = subprocess.run([*ns.prefix, *program("echoload"), "-n100", "127.0.0.1:7"], capture_output=True, text=True,
                           timeout=slow(PATIENCE))
        self.assertEqual(r.returncode, OK, r)
        other = self.echod(user=54321, group=54322, sandbox="off")
        self.assertEqual(set(status(other.pid, "Uid")), {"54321\t54321\t54321\t54321"})
        self.assertEqual(set(status(other.pid, "Gid")), {"54322\t54322\t54322\t54322"})
        self.assertEcho(self.connect(other), b"served")


class Identities(TestCase):
    def test_who_does_not_exist(self):
        for key in ("user", "group"):
            r = self.run_echod(config=f"[server]\nlisten = 127.0.0.1:0\n{key} = no-such-name\n", listen=None)
            self.assertEqual(r.code, USAGE, r)
            self.assertRegex(r.err, rf"\Aechod: error: [^\n]*:3: [^\n]*'no-such-name' is no {key} of this system[^\n]*\n\Z")

    def test_root_is_nobody_to_become_and_a_group_is_a_users(self):
        for options, why in (({"user": "root"}, "'root' is root: that is nobody to become"),
                             ({"user": "0"}, "'0' is root: that is nobody to become"), ({"group": "nogroup"}, "takes a user")):
            r = self.run_echod("--check", **options)
            self.assertEqual((r.code, len(r.err.splitlines())), (USAGE, 1), r)
            self.assertIn(why, r.err)

    @only_unconfined
    def test_where_it_cannot_be_it_is_off_and_says_why(self):
        server = self.echod(env={"ECHOD_SANDBOX": "on"})
        self.assertEcho(self.connect(server), b"served")
        self.assertRegex(server.err.text, "warning: sandbox: off, since (a sanitizer is built in|coverage is built in|valgrind runs it)\n")
        r = self.run_echod(sandbox="required")
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn("sandbox = required: cannot be had where ", r.err)

    @unittest.skipIf(not shutil.which("setpriv"), "needs setpriv")
    def test_only_root_becomes_another(self):
        nobody = (["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
                  if os.geteuid() == 0 else [])
        r = self.run_echod(user=12345, prefix=nobody)
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertRegex(r.err, r"\Aechod: error: cannot become user 12345: only root can\n\Z")
        own = NOBODY.pw_uid if os.geteuid() == 0 else os.geteuid()
        self.assertEcho(self.connect(self.echod(user=own, prefix=nobody)), b"oneself")


class Files(ReloadCase, SupervisorCase):
    """Sockets and files in a folder that is root's alone, of an echod that is root no more."""

    @as_root
    @confined
    def test_sockets_come_and_go_and_metrics_are_written(self):
        folder = Path(self.folder())
        first, second, metrics, text = (folder / name for name in ("first", "second", "metrics", "echod.prom"))
        more = ["--metrics-listen", f"unix:{metrics}", "--metrics-file", str(text), "--metrics-interval", "100ms"]
        keys = {"user": "nobody", "shutdown": "close", "unix_mode": "0600", "listen": ["127.0.0.1:0", f"unix:{first}"]}
        server = self.serve(*more, **keys)
        tcp = f"127.0.0.1:{server.port}"
        self.assertServes(self.connect(f"unix:{first}"))
        self.assertEqual(first.stat().st_uid, NOBODY.pw_uid)
        written = text.stat().st_mtime_ns
        self.wait_until(lambda: text.exists() and text.stat().st_mtime_ns != written, "it is written again")
        self.assertChanged(server, rf"listen = .*; listening on {tcp}, unix:{second}",
                           **{**keys, "listen": [tcp, f"unix:{second}"]})
        self.assertEqual((first.exists(), second.is_socket()), (False, True))
        self.assertEqual((second.stat().st_uid, second.stat().st_mode & 0o777), (NOBODY.pw_uid, 0o600))
        self.assertServes(self.connect(f"unix:{second}"), self.connect(server))
        self.assertIn("another process listens there", self.occupied(server, folder / "third", tcp, keys))
        self.assertEqual(server.stop(), OK)
        self.assertEqual((second.exists(), metrics.exists(), text.exists()), (False, False, True))
        self.assertEqual(list(folder.glob("*.tmp")), [])

    def occupied(self, server, path, tcp, keys):
        """What a reload says of a path that another serves."""
        other = self.unix(str(path))
        said = self.reload(server, **{**keys, "listen": [tcp, f"unix:{path}"]})
        self.assertIn("nothing has changed", said)
        other.close()
        path.unlink()
        return said

    @as_root
    def test_a_supervisor_is_told_what_the_user_could_not_reach(self):
        supervisor = self.supervisor(f"{self.folder()}/notify")
        server = self.serve(options={"env": {"NOTIFY_SOCKET": supervisor.address}}, user="nobody")
        supervisor.wait_for("READY")
        server.send_signal(signal.SIGHUP)
        supervisor.wait_for("RELOADING")
        supervisor.wait_for("READY")
        server.send_signal(signal.SIGTERM)
        supervisor.wait_for("STOPPING")
        self.assertEqual(server.wait(), OK)

    @confined
    def test_a_reload_that_takes_long_is_no_hang(self):
        """As where a name is looked up: the helper stands still, and the supervisor hears that echod serves."""
        supervisor = self.supervisor(f"{self.folder()}/notify")
        server = self.serve(options={"env": {"NOTIFY_SOCKET": supervisor.address, "WATCHDOG_USEC": "300000"}})
        self.wait_until(helpers, "a helper")
        os.kill(helpers()[0], signal.SIGSTOP)
        server.send_signal(signal.SIGHUP)
        supervisor.wait_for("RELOADING")
        for _ in range(3):
            supervisor.wait_for("WATCHDOG", "1")
        self.assertServes(self.connect(server))
        self.assertNotIn("SIGHUP", server.err.text)
        os.kill(helpers()[0], signal.SIGCONT)
        self.assertTrue(server.err.wait_for("SIGHUP: nothing has changed"), server.said())

    @confined
    def test_a_killed_helper_is_said_and_takes_no_service(self):
        server = self.serve(shutdown="close")
        self.wait_until(helpers, "a helper")
        os.kill(helpers()[0], signal.SIGKILL)
        self.assertUnchanged(server, "the helper process has gone", shutdown="close", max_conns=7)
        self.assertServes(self.connect(server))
        self.assertEqual(server.stop(), OK)


class Helper(TakeoverCase):
    """The process that keeps what echod gives up."""

    def the_helper(self):
        self.wait_until(lambda: len(helpers()) == 1, "one helper")
        return helpers()[0]

    @confined
    def test_there_is_one_only_where_there_is_work_for_it(self):
        self.echod(takeover="off")
        self.assertEqual(helpers(), [])
        self.echod(takeover="off", config="[server]\nworkers = 1\n")
        self.assertEqual(len(helpers()), 1)

    @confined
    def test_it_holds_no_connection_and_ends_with_echod(self):
        server = self.echod()
        sock = self.connect(server)
        self.assertEcho(sock, b"served")
        pid = self.the_helper()
        links = {fd.name: os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        self.assertEqual(len(links), 4, links)  # 0 to 2, and the way to echod
        os.kill(pid, signal.SIGINT)  # a terminal's, for all
        server.popen.kill()
        self.assertEqual(os.waitpid(pid, 0), (pid, 0))

    @confined
    def test_without_it_echod_serves_on_but_starts_no_successor(self):
        server = self.echod(shutdown="close")
        os.kill(self.the_helper(), signal.SIGKILL)
        for _ in range(2):
            start = len(server.err.data)
            server.send_signal(signal.SIGUSR2)
            self.assertTrue(server.err.wait_for("SIGUSR2: cannot start a successor: the helper process has gone",
                                                start=start), server.said())
        self.assertServes(server)
        self.assertEqual(server.stop(), OK)

    @as_root
    def test_a_reload_opens_what_the_user_could_not(self):
        """A file that only root may read, and a port that only root may have."""
        ns = self.namespace("ip link set lo up")
        config = self.config_file("[server]\nlisten = 127.0.0.1:7\nuser = nobody\n")
        config.chmod(0o600)
        server = self.echod("-f", str(config), listen=None, takeover=[], prefix=ns.prefix)
        config.write_text("[server]\nlisten = 127.0.0.1:7\nlisten = 127.0.0.1:9\nuser = daemon\nmax_conns = 20\n"
                          f"takeover = unix:{self.path}\n")
        server.send_signal(signal.SIGHUP)
        self.assertTrue(server.err.wait_for("SIGHUP: now listen = 127.0.0.1:7, 127.0.0.1:9, max_conns = 20, takeover = unix"), server.said())
        self.assertRegex(server.err.text, "echod.conf:4: user: daemon takes a restart, until then nobody stays in force")
        with ns:
            for port in (7, 9):
                self.assertEcho(self.connect(("127.0.0.1", port)), pattern(5000, port))
        self.assertEqual(set(status(server.pid, "Uid")), {f"{NOBODY.pw_uid}\t" * 3 + str(NOBODY.pw_uid)})
        self.assertTrue(self.path.is_socket())
        config.write_text("[server]\nlisten = 127.0.0.1:7\nuser = nobody\n")
        server.send_signal(signal.SIGHUP)
        self.assertTrue(server.err.wait_for("SIGHUP: now listen = 127.0.0.1:7, max_conns = 10k, takeover = off"), server.said())
        self.assertFalse(self.path.exists())

    @as_root
    def test_a_user_is_succeeded_by_root_who_becomes_that_user(self):
        server = self.echod(user="nobody")
        sock = self.connect(server)
        self.assertEcho(sock, b"before")
        pid = server.pid
        for n in range(2):
            os.kill(pid, signal.SIGUSR2)
            said = server.err.wait_for(r"(?:SIGUSR2: process (\d+) is to take over.*?took over: \d+ listeners, 1 conn.*){%d}"
                                       % (n + 1))
            self.assertTrue(said, server.said())
            pid = int(said[1])
            self.wait_until(lambda: set(status(pid, "Uid")) == {f"{NOBODY.pw_uid}\t" * 3 + str(NOBODY.pw_uid)},
                            "its user")
        self.assertEqual(server.popen.wait(slow(PATIENCE)), OK)
        self.assertServes(server, sock)
        os.kill(pid, signal.SIGTERM)
        self.wait_until(lambda: not self.path.exists(), "the path is removed, though nobody may do that")
