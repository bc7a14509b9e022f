# SPDX-License-Identifier: MIT
"""What a supervisor is told: sd_notify's protocol."""
import fcntl
import os
import signal
import time

from echolab import BIN, OK, TestCase, for_each_backend, not_in, pattern, sh, slow
from supervisorlab import SupervisorCase
from takeoverlab import TakeoverCase


@for_each_backend
class EachNotify(SupervisorCase):
    def test_ready_when_it_serves_and_stopping_when_it_ends(self):
        for address in (f"/tmp/echolab-notify-{os.getpid()}-{self.backend}", f"@echolab-notify-{os.getpid()}-{self.backend}"):
            with self.subTest(address=address):
                supervisor = self.supervisor(address)
                if address[0] == "/":
                    self.addCleanup(os.unlink, address)
                server = self.echod(env={"NOTIFY_SOCKET": address}, shutdown="drain 10m")
                _, pid, said = supervisor.wait_for("READY", "1")
                self.assertEqual(pid, server.pid)
                self.assertEqual(said["STATUS"], f"listening on 127.0.0.1:{server.port}: {self.backend}, {server.workers} "
                                                 f"worker{'s' * (server.workers > 1)}")
                sock = self.connect(server)
                self.assertEcho(sock, b"x")
                server.send_signal(signal.SIGTERM)
                said = supervisor.wait_for("STOPPING", "1")[2]
                self.assertEqual(said["STATUS"], "finishing what its clients are owed")
                sock.close()
                self.assertEqual(server.wait(), OK)
                self.assertEqual(len(supervisor.all_said("READY")), 1)
                self.assertEqual(supervisor.all_said("WATCHDOG"), [])

    def test_a_reload_is_announced_and_over_when_it_is(self):
        address = f"@echolab-notify-{os.getpid()}-{self.id()[-40:]}"
        supervisor = self.supervisor(address)
        path = self.config_file("[server]\nmax_conns = 7\n")
        server = self.echod("-f", str(path), env={"NOTIFY_SOCKET": address})
        supervisor.wait_for("READY", "1")
        for text in ("max_conns = 8", "nonsense = 1"):  # whatever came of it
            path.write_text(f"[server]\n{text}\n")
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            server.send_signal(signal.SIGHUP)
            said = supervisor.wait_for("RELOADING", "1")[2]
            self.assertTrue(before <= 1000 * int(said["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC))
            supervisor.wait_for("READY", "1")

    def test_the_watchdog_hears_of_a_server_that_is_idle_and_of_one_at_work(self):
        address = f"@echolab-notify-{os.getpid()}-{self.id()[-40:]}"
        supervisor = self.supervisor(address)
        server = self.echod(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"})
        for _ in range(5):
            supervisor.wait_for("WATCHDOG", "1")
        sock = self.connect(server)
        for _ in range(3):
            self.assertEcho(sock, pattern(100000))
            supervisor.wait_for("WATCHDOG", "1")

    def test_a_reload_that_takes_long_is_no_hang_without_a_sandbox_either(self):
        """As where a name is looked up: whoever opens its configuration waits until we give our lease back."""
        address = f"@echolab-notify-{os.getpid()}-{self.id()[-40:]}"
        supervisor = self.supervisor(address)
        path = self.config_file("[server]\nmax_conns = 7\n")
        server = self.echod("-f", str(path), env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"}, sandbox="off")
        path.write_text("[server]\nmax_conns = 8\n")
        self.addCleanup(signal.signal, signal.SIGIO, signal.signal(signal.SIGIO, signal.SIG_IGN))
        with open(path, "r+") as held:
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            server.send_signal(signal.SIGHUP)
            supervisor.wait_for("RELOADING")
            for _ in range(3):
                supervisor.wait_for("WATCHDOG", "1")
            self.assertNotIn("SIGHUP", server.err.text)
        self.assertTrue(server.err.wait_for("SIGHUP: now max_conns = 8"), server.said())

    @not_in("valgrind")  # there a thread that is held holds all
    def test_a_worker_that_makes_no_turns_is_found_out(self):
        """One thread of it is stopped: the others, and main, go on."""
        address = f"@echolab-notify-{os.getpid()}-{self.id()[-40:]}"
        supervisor = self.supervisor(address)
        server = self.echod(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"}, workers=1)
        supervisor.wait_for("WATCHDOG", "1")
        with self.frozen_worker(server):
            self.wait_until(lambda: self.is_quiet(supervisor, 1.5), "nothing is said any more")
            self.assertIn("READY", supervisor.said[0][2])
            server.counters()  # main still answers
        supervisor.wait_for("WATCHDOG", "1")

    def is_quiet(self, supervisor, seconds):
        return supervisor.hear(slow(seconds)) is None

    def frozen_worker(self, server):
        worker = next(int(t) for t in os.listdir(f"/proc/{server.pid}/task") if int(t) != server.pid)
        return FrozenThread(self, worker)

    def test_a_watchdog_of_another_process_is_none_of_ours(self):
        address = f"@echolab-notify-{os.getpid()}-{self.id()[-40:]}"
        supervisor = self.supervisor(address)
        self.echod(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "50000", "WATCHDOG_PID": "1"})
        supervisor.wait_for("READY", "1")
        self.assertIsNone(supervisor.hear(slow(0.5)))

    def test_what_cannot_be_told_is_said_and_hurts_nobody(self):
        for address, why in (("/nowhere/there", r"the supervisor is not told 'READY=1': No such file or directory"),
                             ("relative path", r"NOTIFY_SOCKET: 'relative path' is no path of a socket")):
            with self.subTest(address=address):
                server = self.echod(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "soon"})
                self.assertTrue(server.err.wait_for(why), server.said())
                self.assertEcho(self.connect(server), b"x")


class FrozenThread:
    """A thread that is held by a tracer while the `with` block runs."""

    def __init__(self, test, tid):
        import ctypes
        self.libc, self.test, self.tid = ctypes.CDLL(None, use_errno=True), test, tid

    def __enter__(self):
        seize, interrupt = 0x4206, 0x4207
        for request in (seize, interrupt):
            self.test.assertEqual(self.libc.ptrace(request, self.tid, 0, 0), 0)
        os.waitpid(self.tid, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        detach = 17
        self.test.assertEqual(self.libc.ptrace(detach, self.tid, 0, 0), 0)


class Linked(TestCase):
    def test_the_protocol_takes_no_library_of_systemd(self):
        needed = sh("readelf", "-d", BIN / "echod")
        self.assertIn("libc.so", needed)
        self.assertNotIn("libsystemd", needed)


class Successors(SupervisorCase, TakeoverCase):
    def test_a_successor_that_it_has_started_becomes_the_main_process(self):
        address = f"@echolab-notify-{os.getpid()}-main"
        supervisor = self.supervisor(address)
        old = self.echod(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000", "WATCHDOG_PID": ""})
        supervisor.wait_for("READY", "1")
        sock = self.connect(old)
        self.assertEcho(sock, b"x")
        old.send_signal(signal.SIGUSR2)
        _, pid, said = supervisor.wait_for("MAINPID", r"\d+")
        self.assertEqual(pid, old.pid)
        new = int(said["MAINPID"])
        self.assertEqual(old.wait(), OK, old.said())
        supervisor.wait_for("WATCHDOG", "1")
        self.assertTrue(any(pid == new for _, pid, _ in supervisor.all_said("READY")))
        for _ in range(3):
            self.assertEqual(supervisor.wait_for("WATCHDOG", "1")[1], new)
        self.assertEcho(sock, b"y")
        self.assertEqual(supervisor.all_said("STOPPING"), [])
        os.kill(new, signal.SIGTERM)
        self.assertEqual(supervisor.wait_for("STOPPING", "1")[1], new)

    def test_one_that_somebody_else_has_started_is_not_ours_to_name(self):
        address = f"@echolab-notify-{os.getpid()}-other"
        supervisor = self.supervisor(address)
        old = self.echod(env={"NOTIFY_SOCKET": address})
        supervisor.wait_for("READY", "1")
        new = self.successor(old)
        said = supervisor.wait_for("STOPPING", "1")[2]
        self.assertEqual(said["STATUS"], f"process {new.pid} has taken over")
        self.assertGone(old)
        self.assertEqual(supervisor.all_said("MAINPID"), [])
