# SPDX-License-Identifier: MIT
"""Restarts that no client sees: an echod takes over from another one, which ends."""
import contextlib
import fcntl
import itertools
import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

from echolab import (BIN, ENVIRONMENT, OK, PATIENCE, SLOW, USAGE, WRAP, covers, half_close, not_in, pattern, recv_exactly,
                     recv_to_end, slow, stat_fields)
from takeoverlab import Elsewhere, TakeoverCase, Talk, backends, movable

RESTARTS = int(os.environ.get("ECHOLAB_RESTARTS") or (20 if SLOW == 1 else 6))
CONNECTIONS = int(os.environ.get("ECHOLAB_CONNECTIONS") or (500 if SLOW == 1 else 100))


class Restarts(TakeoverCase):
    def test_no_client_notices_restarts(self):
        """Load and churn, while the backend changes every second time, and the number of workers: no connection ends,
        none is refused, no message is lost. How long the longest echo took is said."""
        kinds = itertools.cycle([b for b in movable() for _ in range(2)])
        options = lambda n: {"backend": next(kinds), "workers": (2, 3, 1, 4)[n % 4]}
        server = self.echod(**options(0))
        busy = self.load(server, connections=CONNECTIONS, duration="10m", rate="5k")
        coming = self.load(server, connections=8, duration="10m", churn=5, rate="2k")
        self.wait_open(server, CONNECTIONS, 64 * CONNECTIONS)
        moved = 0
        for n in range(1, RESTARTS + 1):
            self.wait_counters(server, lambda c: c.accepted >= 20, "new ones keep coming")
            old, server = server, None
            server = self.successor(old, **options(n))
            self.assertEqual(old.wait(), OK, old.said())  # how soon is asked where no load takes all CPUs
            moved += old.final.closed["moved"]
            self.assertEqual(server.counters()["connections_adopted"], old.final.closed["moved"])
            self.assertTrue(old.final.balanced(), old.final)
        results = [load.interrupted() for load in (busy, coming)]
        for r in results:
            self.assertEqual(r.errors, {}, r)
            self.assertEqual((r["connections"]["failed"], r["messages"]["lost"], r["messages"]["corrupt"]), (0, 0, 0), r)
        self.assertGreaterEqual(moved, RESTARTS * CONNECTIONS)
        self.assertGreater(results[1]["connections"]["established"], 100)
        gaps = [r["latency_ns"]["max"] / 1e6 for r in results]
        print(f"{RESTARTS} restarts, {CONNECTIONS} connections: the longest echo took {gaps[0]:.1f} ms, "
              f"of those that came and went {gaps[1]:.1f} ms", file=sys.stderr)
        self.assertEqual(server.stop(), OK)
        self.assertFalse(self.path.exists())

    def pairs(self):
        for old, new in itertools.product(movable(), repeat=2):
            with self.subTest(old=old, new=new):
                self.path = self.folder() / "takeover"
                yield old, new

    @covers("echod", "takeover", "handover")
    def test_what_slow_readers_are_owed_moves_along(self):
        """Of some the FIN has been received too. What the new one still owes it sends, in order, before anything else."""
        holds = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
        size = holds + (2 << 20)  # more than a socket holds
        for before, after in self.pairs():
            options = {"max_unsent": "64Mi", "max_unsent_total": "256Mi"}
            old = self.echod(backend=before, workers=2, **options)
            data = pattern(size + 1000)
            socks = [self.connect(old, rcvbuf=32768) for _ in range(6)]
            for sock in socks:
                sock.sendall(data[:size])
            for sock in socks[3:]:
                half_close(sock)
            c = self.wait_counters(old, lambda c: c.received == 6 * size, "all is received")
            self.assertLess(c.sent, 6 * holds)
            new = self.successor(old, backend=after, workers=3, **options)
            self.assertGone(old)
            self.assertEqual(old.final.closed, {"moved": 6}, f"{old.said()}\n{new.said()}")
            for sock in socks[:3]:
                sock.sendall(data[size:])
                self.assertSame(recv_exactly(sock, len(data)), data)
            for sock in socks[3:]:
                got, how = recv_to_end(sock)
                self.assertSame(got, data[:size])
                self.assertEqual(how, "eof")
            self.assertServes(new, *socks[:3])
            total = 6 * size + 3 * 1000 + 4 * 5000
            self.wait_counters(new, lambda c: c.closed["eof"] == 3 and c.balanced() and
                               old.final.sent + c.sent == total, "the half-closed have ended, every byte was sent once")

    def test_idle_connections_stay_through_many_moves(self):
        kinds = movable()
        server = self.echod(backend=kinds[0], workers=2, idle_timeout="1h")
        socks = [self.connect(server) for _ in range(300)]
        self.wait_open(server, 300, 0)
        for n in range(4):
            old, server = server, None
            server = self.successor(old, backend=kinds[n % len(kinds)], workers=1 + n % 3, idle_timeout="1h")
            self.assertGone(old)
            c = server.counters()
            self.assertEqual((c.open, c.accepted, sum(c.closed.values())), (300, 0, 0))  # the rest starts afresh
        self.assertServes(server, *socks)

    def test_an_idle_timeout_goes_on_where_it_was(self):
        for before, after in ((movable()[0], movable()[-1]), (movable()[-1], movable()[0])):
            self.path = self.folder() / "takeover"
            old = self.echod(backend=before, idle_timeout="2s")
            sock = self.connect(old)
            self.assertEcho(sock, b"the last word")
            began = time.monotonic()
            time.sleep(0.8)  # a part of it passes before the takeover
            new = self.successor(old, backend=after, idle_timeout="2s")
            self.assertEqual(recv_to_end(sock), (b"", "eof"))
            self.assertLess(time.monotonic() - began, slow(2.7))
            self.assertEqual(self.wait_counters(new, lambda c: c.closed["idle_timeout"], "it ended").open, 0)

    def test_fork_serves_its_own_to_their_end(self):
        if "fork" not in backends():
            self.skipTest("no fork here")
        for before, after in (("fork", "epoll"), ("epoll", "fork")):
            with self.subTest(old=before, new=after):
                self.path = self.folder() / "takeover"
                old = self.echod(backend=before)
                sock = self.connect(old)
                self.assertEcho(sock, b"served by the old one")
                new = self.successor(old, backend=after)
                self.assertServes(new, sock)
                self.assertTrue(old.running())
                sock.close()
                self.assertGone(old)
                self.assertEqual(old.final.closed["eof"], 1)

    @covers("echod", "handover")
    def test_serve_on_either_side_leaves_connections_where_they_are(self):
        for before, after in (("serve", "move"), ("move", "serve")):
            with self.subTest(old=before, new=after):
                self.path = self.folder() / "takeover"
                old = self.echod(handover=before)
                sock = self.connect(old)
                self.assertEcho(sock, b"served by the old one")
                new = self.successor(old, handover=after)
                self.assertServes(new, sock)
                self.assertEqual((old.counters().open, new.counters()["connections_adopted"]), (1, 0))
                sock.close()
                self.assertGone(old)

    @covers("echod", "handover_time")
    def test_after_the_deadline_those_that_stay_are_shut(self):
        old = self.echod(handover="serve", handover_time="500ms", shutdown="drain 5s")
        sock = self.connect(old)
        self.assertEcho(sock, b"served by the old one")
        began = time.monotonic()
        self.successor(old)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        self.assertGreater(time.monotonic() - began, 0.4)
        sock.close()
        self.assertGone(old)
        self.assertEqual(old.final.closed["shutdown"], 1)

    def test_the_old_one_obeys_signals_while_it_serves_those_that_stay(self):
        old = self.echod(handover="serve", shutdown="close")
        sock = self.connect(old)
        self.assertEcho(sock, b"served by the old one")
        new = self.successor(old)
        self.assertEqual(old.stop(), OK)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        self.assertServes(new)
        self.assertTrue(self.path.exists())

    def test_who_finds_no_room_stays(self):
        old = self.echod(max_conns=8)
        socks = [self.connect(old) for _ in range(6)]
        for sock in socks:
            self.assertEcho(sock, b"one of six")
        new = self.successor(old, max_conns=4)
        self.assertTrue(new.err.wait_for("no room for 2 connections"), new.said())
        self.assertEqual((new.counters().open, old.counters().open), (4, 2))
        for sock in socks:
            self.assertEcho(sock, b"still served")

    def test_own_descriptors_do_not_go_with_it(self):
        r = self.run_echod(takeover=f"unix:{self.path}", own_descriptors=True)
        self.assertEqual(r.code, USAGE)
        self.assertRegex(r.err, "^echod: error: --own-descriptors: no successor could get them")


class Successors(TakeoverCase):
    """SIGUSR2."""

    def test_sigusr2_starts_the_program_that_lies_there_now(self):
        if WRAP:
            self.skipTest("what runs is not echod")
        program = self.folder() / "echod"
        shutil.copy(BIN / "echod", program)
        old = self.start(program)
        sock = self.connect(old)
        self.assertEcho(sock, b"before")
        upgrade = program.with_name("upgrade")
        shutil.copy(BIN / "echod", upgrade)
        upgrade.rename(program)
        old.send_signal(signal.SIGUSR2)
        pid = int(old.err.wait_for(r"SIGUSR2: process (\d+) is to take over")[1])
        self.assertTrue(old.err.wait_for("process %d has taken over: 1 connections moved" % pid), old.said())
        self.assertEqual(old.popen.wait(slow(2)), OK)
        self.assertEqual(os.readlink(f"/proc/{pid}/exe"), str(program))
        self.assertServes(old, sock)  # its address, which is the successor's now
        os.kill(pid, signal.SIGUSR2)  # and so on
        self.assertTrue(old.err.wait_for("took over.*took over"), old.said())
        self.assertServes(old, sock)

    def start(self, program):
        """An echod that is that file."""
        return self.keep(Elsewhere(program, self.echod_options(takeover=f"unix:{self.path}")))

    def test_a_successor_that_cannot_start_changes_nothing(self):
        config = self.config_file(f"[server]\nlisten = 127.0.0.1:0\ntakeover = unix:{self.path}\n")
        server = self.echod("-f", str(config), listen=None, takeover=[])
        sock = self.connect(server)
        config.write_text("[server]\nnonsense = 1\n")
        server.send_signal(signal.SIGUSR2)
        self.assertTrue(server.err.wait_for("the successor, process [0-9]+, has ended .exit code 2."), server.said())
        config.write_text(f"[server]\nlisten = 127.0.0.1:0\ntakeover = unix:{self.path}\nlisten = 192.0.2.1:9\n")
        server.send_signal(signal.SIGUSR2)
        self.assertTrue(server.err.wait_for("does not take over: the other side refuses: it could not start; serving on"),
                        server.said())
        self.assertTrue(server.err.wait_for("has ended .exit code 4."), server.said())
        self.assertServes(server, sock)

    @not_in("valgrind")  # which has a limit of its own
    def test_a_successor_whose_end_nobody_tells(self):
        """Without a descriptor for it: the next SIGUSR2 looks whether it still runs. There is no helper that starts it,
        and has a limit of its own."""
        server = self.echod(sandbox="off")
        sock = self.connect(server)
        self.assertEcho(sock, b"it is accepted")
        _, hard = resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE, (3, hard))
        server.send_signal(signal.SIGUSR2)
        pid = int(server.err.wait_for(r"SIGUSR2: process (\d+) is to take over")[1])
        self.wait_until(lambda: stat_fields(pid)[:1] == ["Z"], "it has ended")
        resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE, (hard, hard))
        server.send_signal(signal.SIGUSR2)
        self.assertTrue(server.err.wait_for("the successor, process %d, has ended" % pid), server.said())
        self.assertTrue(server.err.wait_for("took over: "), server.said())
        self.assertServes(server, sock)

    def test_a_successor_does_not_inherit_what_ours_ignores(self):
        config = self.config_file(f"[server]\nlisten = 127.0.0.1:0\ntakeover = unix:{self.path}\nshutdown = ignore\n")
        server = self.echod("-f", str(config), listen=None, takeover=[])
        config.write_text(f"[server]\nlisten = 127.0.0.1:0\ntakeover = unix:{self.path}\nshutdown = default\n")
        server.send_signal(signal.SIGUSR2)
        pid = int(server.err.wait_for(r"SIGUSR2: process (\d+) is to take over")[1])
        self.assertTrue(server.err.wait_for("took over: "), server.said())
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        ignored = int(re.search(r"SigIgn:\s*([0-9a-f]+)", status)[1], 16)
        self.assertEqual(ignored & (1 << signal.SIGTERM - 1 | 1 << signal.SIGINT - 1), 0)
        os.kill(pid, signal.SIGKILL)

    def test_without_takeover_sigusr2_only_warns(self):
        server = self.echod(takeover="off")
        server.send_signal(signal.SIGUSR2)
        self.assertTrue(server.err.wait_for("SIGUSR2: no successor can take over: there is no .takeover."), server.said())
        self.assertServes(server)


class Waits(TakeoverCase):
    """The main thread sleeps while there is nothing to do for it."""

    def assertSleeps(self, server):
        """It is seldom runnable: neither on a CPU nor waiting for one."""
        def runnable():
            stat_file = Path(f"/proc/{server.popen.pid}/task/{server.popen.pid}/schedstat")
            return sum(int(ns) for ns in stat_file.read_text(encoding="utf-8").split()[:2])
        before, began = runnable(), time.monotonic_ns()
        time.sleep(0.3)  # what is measured is time
        self.assertLess((runnable() - before) / (time.monotonic_ns() - began), 0.5, server.said())

    def started(self, server):
        """The successor that SIGUSR2 starts."""
        server.send_signal(signal.SIGUSR2)
        return int(server.err.wait_for(r"SIGUSR2: process (\d+) is to take over")[1])

    def test_after_the_successor_has_ended(self):
        server = self.echod(handover="serve")
        sock = self.connect(server)
        self.assertEcho(sock, b"stays")
        pid = self.started(server)
        self.assertTrue(server.err.wait_for("has taken over: 0 connections moved"), server.said())
        os.kill(pid, signal.SIGKILL)
        self.assertSleeps(server)
        self.assertEcho(sock, b"stays")

    def test_while_it_ends_and_a_newcomer_finds_nobody(self):
        server = self.echod(shutdown="drain 60s")
        sock = self.connect(server)
        self.assertEcho(sock, b"stays")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(sock.recv(1), b"")
        self.wait_until(lambda: not self.path.exists(), "it has given up its place")
        new = self.echod()
        self.assertServes(new)
        self.assertSleeps(server)
        sock.close()
        self.assertEqual(server.wait(), OK)
        self.assertTrue(self.path.exists())

    def test_after_the_handover_time(self):
        old = self.echod(handover="serve", handover_time="100ms", shutdown="drain 60s")
        sock = self.connect(old)
        self.assertEcho(sock, b"stays")
        self.successor(old)
        self.assertEqual(sock.recv(1), b"")
        self.assertSleeps(old)
        sock.close()
        self.assertGone(old)

    @not_in("valgrind")  # which has a limit of its own
    def test_without_a_descriptor_for_the_successor(self):
        server = self.echod(backend="epoll")
        _, hard = resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE, (3, hard))
        server.send_signal(signal.SIGUSR1)  # an early look at nobody is no failure
        server.counters()
        self.assertNotIn("nobody takes over", server.said())
        talk = Talk.to(self.path)
        self.assertTrue(server.err.wait_for("nobody takes over at .*: Too many open files"), server.said())
        self.assertSleeps(server)
        self.assertEqual(server.said().count("nobody takes over"), 1)
        resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertEqual(len(talk.listeners()) > 0, True)
        talk.close()


class Paths(TakeoverCase):
    def test_a_socket_that_is_about_to_listen_is_not_stale(self):
        """Whoever puts a socket there holds its folder until it listens."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        other = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(other.close)
        other.bind(str(self.path))
        ino = self.path.stat().st_ino
        # without a helper, which would wait in its place
        options = self.echod_options(takeover=f"unix:{self.path}", sandbox="off")
        popen = subprocess.Popen([str(BIN / "echod"), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True)
        self.wait_until(lambda: self.waits_for(popen, self.path.parent), "it has come to the lock")
        other.listen()
        fcntl.flock(folder, fcntl.LOCK_UN)
        _, err = popen.communicate(timeout=slow(PATIENCE))
        self.assertEqual(popen.returncode, ENVIRONMENT, err)
        self.assertRegex(err, "another process listens there")
        self.assertEqual(self.path.stat().st_ino, ino)

    def waits_for(self, popen, folder):
        """Whether it has come to the lock, which it must before it ends or serves."""
        self.assertIsNone(popen.poll())
        fds = Path(f"/proc/{popen.pid}/fd")
        for fd in os.listdir(fds):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(fds / fd) == str(folder):
                    return True
        return False

    def test_the_socket_is_its_owners_alone(self):
        server = self.echod()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertTrue(stat.S_ISSOCK(self.path.stat().st_mode))
        self.assertEqual(server.stop(), OK)
        self.assertFalse(self.path.exists())

    def test_a_stale_socket_is_replaced(self):
        self.echod().kill9()
        self.assertTrue(self.path.exists())
        server = self.echod()
        self.assertServes(self.successor(server))

    def test_what_is_no_socket_stays(self):
        self.path.write_text("precious")
        r = self.run_echod(takeover=f"unix:{self.path}")
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertRegex(r.err, "cannot take over at .*: it is there, and no socket")
        self.assertEqual(self.path.read_text(), "precious")

    def test_a_socket_of_another_program_stays(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            other.listen()
            r = self.run_echod(takeover=f"unix:{self.path}")
            self.assertEqual(r.code, ENVIRONMENT)
            self.assertRegex(r.err, "cannot take over at .*: who listens there is no echod")
            self.assertTrue(self.path.exists())

    def test_where_no_socket_can_be_is_said_before_anybody_is_served(self):
        r = self.run_echod(takeover=f"unix:{self.path}/nowhere")
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertRegex(r.err, "cannot listen on unix:.*: No such file or directory")

    def test_a_path_of_somebody_else_is_left_when_it_ends(self):
        server = self.echod()
        self.path.unlink()
        self.path.write_text("another's")
        self.assertEqual(server.stop(), OK)
        self.assertEqual(self.path.read_text(), "another's")

    def test_another_user_may_not_take_over(self):
        if os.geteuid() != 0:
            self.skipTest("needs root: another user")
        server = self.echod()
        for folder in (self.path, self.path.parent):
            folder.chmod(0o777)  # the mode is not all there is
        script = ("import os, socket, sys; os.setgroups([]); os.setgid(12345); os.setuid(12345);"
                  "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]);"
                  "sys.exit(0 if s.recv(100) == b'' else 1)")
        self.assertEqual(subprocess.run([sys.executable, "-c", script, str(self.path)]).returncode, 0)
        self.assertTrue(server.err.wait_for("nobody takes over .*: process [0-9]+ is of user 12345: neither this one nor "
                                            "root"), server.said())
        self.assertServes(server)

    def test_nobody_hands_over_to_another_user(self):
        if os.geteuid() != 0 or os.environ.get("ECHOLAB_WRAP"):
            self.skipTest("needs root: another user")
        self.path.parent.chmod(0o777)
        script = ("import os, socket, sys; os.setgroups([]); os.setgid(12345); os.setuid(12345);"
                  "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen();"
                  "print(flush=True); sys.stdin.read()")
        other = subprocess.Popen([sys.executable, "-c", script, str(self.path)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        self.addCleanup(lambda: (other.stdin.close(), other.stdout.close(), other.wait()))
        other.stdout.readline()
        r = self.run_echod(takeover=f"unix:{self.path}")
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertRegex(r.err, "cannot take over at .*: process [0-9]+ is of user 12345: neither this one nor root")
