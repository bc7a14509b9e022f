# SPDX-License-Identifier: MIT
"""The textbook's server, a process for each connection: what only it can do, and what only it can get wrong. What
it has in common with the other backends is tested with them."""
import os
import select
import signal
import subprocess
import threading

from echolab import (BIN, OK, Sender, TestCase, children, covers, end_of, fill, half_close, not_in, pattern,
                     recv_exactly, recv_to_end, slow, ss, stat_fields)

MIB = 1 << 20


def state(pid):
    """A letter of ps: S sleeps, T is stopped, Z is a zombie; None: gone."""
    return next(iter(stat_fields(pid)), None)


class Fork(TestCase):
    backend = "fork"

    def join_in(self, server):
        """A connection that has echoed, and the pid of the child that serves it."""
        before = set(server.children())
        sock = self.connect(server)
        self.assertEcho(sock, b"hello")
        (pid,) = set(server.children()) - before
        return sock, pid

    def crowd(self, server, count):
        socks = [self.connect(server) for _ in range(count)]
        for i, sock in enumerate(socks):
            self.assertEcho(sock, pattern(100, i))
        return socks

    def blocked(self, server):
        """A connection whose child waits for us to read, and what we have sent."""
        data = pattern(64 * MIB)
        sock = self.connect(server, rcvbuf=65536)
        return sock, data[:fill(server, sock, data)]

    def sockets(self, pid):
        """Its descriptors that are sockets."""
        return [fd for fd in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")]

    def gone(self, *pids):
        self.wait_until(lambda: not any(state(p) for p in pids), f"end of {pids}")


class Children(Fork):
    def test_a_killed_child_is_one_lost_connection(self):
        server = self.echod()
        first, _ = self.join_in(server)
        victim, pid = self.join_in(server)
        last, _ = self.join_in(server)
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(end_of(victim), "eof")
        c = self.wait_counters(server, lambda c: c.closed, "one closed")
        self.assertEqual((dict(c.closed), c.open), ({"child_killed": 1}, 2))
        for sock in first, last, self.connect(server):
            self.assertEcho(sock, pattern(1000))
        self.gone(pid)

    def test_a_child_that_dies_of_its_own_fault_is_counted(self):
        server = self.echod()
        sock, pid = self.join_in(server)
        os.kill(pid, signal.SIGALRM)  # nothing handles it
        self.assertEqual(end_of(sock), "eof")
        self.wait_counters(server, lambda c: c.closed == {"child_killed": 1}, "one closed")

    def test_a_killed_child_with_unread_input_resets(self):
        server = self.echod()
        sock, pid = self.join_in(server)
        os.kill(pid, signal.SIGSTOP)
        self.wait_until(lambda: state(pid) == "T", "it stands still")
        sock.sendall(b"never read")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(end_of(sock), "ECONNRESET")

    @not_in("valgrind")  # which has descriptors of its own
    def test_it_holds_nothing_but_its_connection_and_stdio(self):
        server = self.echod(listen=["127.0.0.1:0", "[::1]:0"])
        self.crowd(server, 3)
        _, pid = self.join_in(server)
        kept = set(os.listdir(f"/proc/{pid}/fd"))
        self.assertEqual((len(kept), len(kept - {"0", "1", "2"}), len(self.sockets(pid))), (4, 1, 1))

    def test_the_parent_keeps_no_descriptor_of_a_connection(self):
        server = self.echod()
        self.crowd(server, 20)
        self.wait_until(lambda: len(self.sockets(server.pid)) == 1, "its copies are closed, the listener is left")

    @not_in("valgrind", "tsan")  # sanitizers have calls of their own
    def test_it_does_nothing_but_read_and_write(self):
        server = self.echod()
        sock, pid = self.join_in(server)
        with self.strace([pid]) as trace:
            for _ in range(10):
                self.assertEcho(sock, b"x" * 100)
        self.assertEqual({"read", "write"}, set(trace.calls) - {"restart_syscall"})
        self.assertIn(trace.calls["write"], (9, 10))  # strace may be told to end before it has seen the last one

    def test_bytes_of_running_children_are_counted(self):
        server = self.echod()
        sock, _ = self.join_in(server)
        self.assertEcho(sock, pattern(10 * MIB))
        c = self.wait_counters(server, lambda c: c.sent >= 10 * MIB + 5, "all counted")
        self.assertEqual((c.received, c.sent, c.open), (10 * MIB + 5, 10 * MIB + 5, 1))
        sock.close()
        c = self.wait_counters(server, lambda c: c.open == 0, "the end")
        self.assertEqual((c.received, c.sent), (10 * MIB + 5, 10 * MIB + 5))

    @covers("echod", "cpus")
    def test_children_share_the_cpus(self):
        cpus = os.sched_getaffinity(0)
        server = self.echod(cpus=",".join(map(str, cpus)))
        _, pid = self.join_in(server)
        self.assertEqual(os.sched_getaffinity(pid), cpus)

    def test_what_all_processes_are_asked_for_ends_none(self):
        """Counters, a reload, a successor: `pkill -USR1 echod` means them all."""
        server = self.echod()
        sock, pid = self.join_in(server)
        for number in signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2:
            os.kill(pid, number)
            self.assertEcho(sock, b"still here")

    @not_in("tsan", "valgrind")  # their threads count, too
    def test_no_more_processes_is_a_local_limit(self):
        if os.geteuid() != 0:
            self.skipTest("needs root: becomes a user who has no other processes")
        prefix = ["setpriv", "--reuid=54321", "--clear-groups", "--inh-caps=-all", "prlimit", "--nproc=3"]
        if subprocess.run([*prefix, "test", "-x", str(BIN / "echod")]).returncode != 0:
            self.skipTest("others cannot run what was built here")
        server = self.echod(prefix=prefix)  # two threads and one child
        sock, _ = self.join_in(server)
        try:
            end = end_of(self.connect(server))
        except ConnectionResetError:  # before connect had returned
            end = "ECONNRESET"
        self.assertEqual(end, "ECONNRESET")
        self.assertEcho(sock, b"still here")
        sock.close()
        self.wait_counters(server, lambda c: c.closed == {"local_limit": 1, "eof": 1}, "both closed")
        self.join_in(server)


class Reaping(Fork):
    COUNT = 50

    def all_at_once(self, server):
        """Children that end together: their signals fold into one."""
        socks = self.crowd(server, self.COUNT)
        server.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: state(server.pid) == "T", "the parent stands still")
        for sock in socks:
            sock.close()
        self.wait_until(lambda: len(server.zombies()) == self.COUNT, "all children have ended")
        server.send_signal(signal.SIGCONT)

    @covers("echod", "fork_reap")
    def test_loop_leaves_no_zombies(self):
        server = self.echod(fork_reap="loop")
        self.all_at_once(server)
        c = self.wait_counters(server, lambda c: c.open == 0, "all reaped")
        self.assertEqual(dict(c.closed), {"eof": self.COUNT})
        self.assertEqual(server.children(), [])

    @covers("echod", "fork_reap")
    def test_once_leaves_zombies(self):
        server = self.echod(fork_reap="once")
        self.all_at_once(server)
        self.wait_counters(server, lambda c: c.closed, "one reaped")
        self.assertEqual(len(server.zombies()), self.COUNT - 1)
        sock, _ = self.join_in(server)  # it serves on
        sock.close()
        self.wait_counters(server, lambda c: c.closed["eof"] == 2, "one more reaped, the longest dead")
        self.assertEqual(len(server.zombies()), self.COUNT - 1)
        self.assertEqual(server.stop(), OK)
        self.assertEqual((dict(server.final.closed), server.final.open), ({"eof": self.COUNT + 1}, 0))

    def test_a_zombie_leaves_its_place_to_a_newcomer(self):
        server = self.echod(fork_reap="once", max_conns=self.COUNT)
        self.all_at_once(server)
        self.wait_counters(server, lambda c: c.closed, "one reaped")
        for _ in range(3):  # there was one free place: nobody has been idle for longer than the dead
            self.join_in(server)
        self.assertEqual(len(server.zombies()), self.COUNT - 1)


class Limits(Fork):
    def test_max_conns(self):
        server = self.echod(max_conns=2)
        first, _ = self.join_in(server)
        second, _ = self.join_in(server)
        self.join_in(server)
        self.assertEqual(end_of(first), "eof")
        second.close()
        self.wait_counters(server, lambda c: c.closed == {"shed": 1, "eof": 1}, "a free place")
        self.join_in(server)
        self.assertEqual(dict(server.counters().closed), {"shed": 1, "eof": 1})

    def test_a_silent_peer_is_closed(self):
        server = self.echod(idle_timeout="300ms")
        never, sock = self.connect(server), self.connect(server)
        self.assertEcho(sock, b"x")
        self.assertEqual((end_of(never), end_of(sock)), ("eof", "eof"))
        self.wait_counters(server, lambda c: c.closed == {"idle_timeout": 2}, "both closed")

    def test_a_talking_peer_is_not(self):
        server = self.echod(idle_timeout=f"{slow(1000):.0f}ms")
        sock, _ = self.join_in(server)
        for _ in range(8):
            self.assertEqual(select.select([sock], [], [], slow(0.2)), ([], [], []), "it ended")
            self.assertEcho(sock, b"x")

    def test_a_peer_that_takes_nothing_is_stalled(self):
        server = self.echod(idle_timeout=f"{slow(1000):.0f}ms")
        sock, _ = self.blocked(server)
        self.wait_counters(server, lambda c: c.closed == {"stalled": 1}, "cut off")
        self.assertEqual(end_of(sock), "ECONNRESET")

    def test_a_peer_that_takes_little_is_not(self):
        server = self.echod(idle_timeout=f"{slow(1000):.0f}ms")
        sock, data = self.blocked(server)
        part = len(data) // 20
        for _ in range(8):
            self.assertSame(recv_exactly(sock, part), data[:part])
            data = data[part:]
            select.select([], [], [], slow(0.25))  # time passes: 2 s for what may stand still for 1 s
        half_close(sock)
        got, end = recv_to_end(sock)
        self.assertEqual(end, "eof")
        self.assertSame(got, data)


class Shutdown(Fork):
    def test_drain_ends_idle_connections_at_once(self):
        server = self.echod(shutdown="drain 60s")
        socks = self.crowd(server, 20)
        server.send_signal(signal.SIGTERM)
        for sock in socks:
            self.assertEqual(end_of(sock), "eof")
            sock.close()
        self.assertEqual(server.wait(), OK)
        self.assertEqual((dict(server.final.closed), server.final.open), ({"shutdown": 20}, 0))
        self.assertNobodyHome(server.addr)

    def test_no_signal_is_missed_by_a_busy_child(self):
        """It may come just before a call that blocks."""
        server = self.echod(shutdown="drain 60s")
        socks, ends = self.crowd(server, 30), []

        def talk(sock):
            try:
                while True:
                    sock.sendall(b"x" * 10)
                    if not sock.recv(100):
                        break
                half_close(sock)
                ends.append(end_of(sock))
            except OSError as e:
                ends.append(repr(e))
        threads = [threading.Thread(target=talk, args=(s,), daemon=True) for s in socks]
        for t in threads:
            t.start()
        self.wait_counters(server, lambda c: c.received > 30 * 1000, "all talk")
        self.assertEqual(server.stop(), OK)
        for t in threads:
            t.join(slow(20))
        self.assertEqual(ends, ["eof"] * 30)
        self.assertEqual(dict(server.final.closed), {"shutdown": 30})

    def test_drain_answers_what_was_read(self):
        server = self.echod(shutdown="drain 60s")
        sock, data = self.blocked(server)
        server.send_signal(signal.SIGTERM)
        self.wait_until(lambda: not ss("-lt", f"sport = :{server.port}"), "no listener")
        got, end = recv_to_end(sock)
        self.assertEqual(end, "eof")
        self.assertSame(got, data[:len(got)])
        sock.close()
        self.assertEqual(server.wait(), OK)
        self.assertEqual(server.final.sent, len(got))
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})

    def cut_off(self, sock):
        self.assertIn(end_of(sock), ("ECONNRESET", "EPIPE"))

    def test_the_deadline_of_a_drain_cuts_off(self):
        server = self.echod(shutdown="drain 500ms")
        silent, _ = self.join_in(server)
        blocked, _ = self.blocked(server)
        talker, _ = self.join_in(server)
        sender = Sender(talker, pattern(MIB), iter(lambda: 1, None))
        self.assertEqual(server.stop(), OK)
        self.assertEqual(dict(server.final.closed), {"shutdown": 3})
        self.cut_off(blocked)
        self.assertEqual(end_of(silent), "eof")  # the FIN was first
        sender.join(slow(20))
        self.assertIsInstance(sender.error, ConnectionError)

    def test_a_child_that_stands_still_is_killed_at_last(self):
        server = self.echod(shutdown="drain 100ms")
        sock, pid = self.join_in(server)
        os.kill(pid, signal.SIGSTOP)
        self.wait_until(lambda: state(pid) == "T", "it stands still")
        self.assertEqual(server.stop(), OK)
        self.assertIsNone(state(pid))
        self.assertEqual(end_of(sock), "eof")
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})

    def test_close(self):
        server = self.echod(shutdown="close")
        socks = self.crowd(server, 10)
        blocked, _ = self.blocked(server)
        self.assertEqual(server.stop(), OK)
        self.assertEqual({end_of(s) for s in socks}, {"eof"})
        self.cut_off(blocked)  # what it has not read makes an RST
        self.assertEqual(dict(server.final.closed), {"shutdown": 11})

    def test_reset(self):
        server = self.echod(shutdown="reset")
        socks = self.crowd(server, 10)
        socks.append(self.blocked(server)[0])
        self.assertEqual(server.stop(), OK)
        self.assertEqual({end_of(s) for s in socks}, {"ECONNRESET"})
        self.assertEqual(dict(server.final.closed), {"shutdown": 11})

    def test_default_lets_the_parent_die_alone(self):
        server = self.echod(shutdown="default")
        sock, pid = self.join_in(server)
        self.assertEqual(server.stop(), -signal.SIGTERM)
        self.assertEcho(sock, b"still here")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(end_of(sock), "eof")
        self.assertEqual(os.waitpid(pid, 0), (pid, signal.SIGTERM))  # we are its parent now

    def test_default_lets_a_child_die(self):
        server = self.echod(shutdown="default")
        sock, pid = self.join_in(server)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(end_of(sock), "eof")
        self.wait_counters(server, lambda c: c.closed == {"child_killed": 1}, "one closed")

    def test_ignore_is_for_children_too(self):
        server = self.echod(shutdown="ignore")
        sock, pid = self.join_in(server)
        for victim in pid, server.pid:
            os.kill(victim, signal.SIGTERM)
            os.kill(victim, signal.SIGINT)
        self.assertEcho(sock, b"still here")
        self.join_in(server)

    def test_the_second_signal_ends_at_once(self):
        server = self.echod(shutdown="drain 600s")
        sock, pid = self.join_in(server)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(sock.recv(1), b"")
        self.assertEqual(server.stop(), 128 + signal.SIGTERM)
        self.assertIsNone(state(pid))
        self.assertEqual(dict(server.final.closed), {"shutdown": 1})

    def test_sigterm_to_a_child_alone_is_its_drain(self):
        server = self.echod(shutdown="drain 60s")
        sock, pid = self.join_in(server)
        other, _ = self.join_in(server)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(sock.recv(1), b"")
        sock.close()
        self.wait_counters(server, lambda c: c.closed == {"shutdown": 1}, "its end")
        self.assertEcho(other, b"still here")


class Orphans(Fork):
    """The parent was killed: nothing tells its children."""

    def setUp(self):
        self.server = self.echod(shutdown="drain 300ms")
        self.sock, self.pid = self.join_in(self.server)
        self.server.kill9()

    def test_they_serve_on_but_nobody_new(self):
        self.assertEcho(self.sock, pattern(MIB))
        self.assertNobodyHome(self.server.addr)
        self.assertIn(self.pid, children(os.getpid()))
        half_close(self.sock)
        self.assertEqual(end_of(self.sock), "eof")
        self.assertEqual(os.waitpid(self.pid, 0), (self.pid, 0))

    def test_their_port_can_be_served_again(self):
        again = self.echod(listen=f"127.0.0.1:{self.server.port}")
        self.assertEcho(self.connect(again), b"new")
        self.assertEcho(self.sock, b"old")

    def test_sigterm_drains_them(self):
        os.kill(self.pid, signal.SIGTERM)
        self.assertEqual(self.sock.recv(1), b"")
        self.assertEqual(os.waitpid(self.pid, 0), (self.pid, 0))  # we do not close: at its deadline
