# SPDX-License-Identifier: MIT
"""What only io_uring can get wrong: a kernel that refuses it, too few buffers or completions, buffers that slow
readers hold, wakes that the kernel loses. What it has in common with the other backends is in the other files."""
import os
import re
import signal
import socket
import struct
import sys
import unittest
from pathlib import Path

from echolab import (BIN, ENVIRONMENT, PATIENCE, ROOT, SANITIZERS, USAGE, TestCase, clock_is_a_call, covers, fill, half_close,
                     no_namespaces, not_in, offered, pattern, recv_exactly, recv_to_end, rst, run, program, slow)
from loadlab import LONG, LoadCase, parse, target_text
from test_echoload_endings import EndingCase

KIB, MIB = 1 << 10, 1 << 20
CANNOT = offered().get("io_uring", "it is not built")
WITHOUT = [sys.executable, str(ROOT / "tests" / "lib" / "seccomp.py")]
SO_TIMESTAMPNS = 35  # Python has no name for it
DISABLED = Path("/proc/sys/kernel/io_uring_disabled")


def rings(process):
    """fdinfo of its rings, their sizes. Nothing is shown of a ring whose lock is taken just then."""
    found = []
    for path in sorted(Path(f"/proc/{process.pid}/fdinfo").iterdir()):
        masks = re.findall(r"^([SC]q)Mask:\s+(0x[0-9a-f]+)$", path.read_text(), re.M)
        if masks:
            found.append({k: int(v, 16) + 1 for k, v in masks})
    return found


def mapped(process):
    """Bytes of address space."""
    return int(re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) * KIB


def came(sock, size):
    """So many bytes, and when the kernel had the first of them."""
    first, notes, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(struct.calcsize("ll")))
    seconds, ns = struct.unpack("ll", notes[0][2])
    return first + recv_exactly(sock, size - 1), seconds * 10**9 + ns


class UringCase(LoadCase):
    backend = "io_uring"


@unittest.skipIf(CANNOT, CANNOT)
class Choice(TestCase):
    """Which backend `auto` takes, and what it says of it."""

    def refused(self, prefix, reason):
        server = self.echod(prefix=prefix, workers=1)
        self.assertEqual(server.backend, "epoll")
        self.assertRegex(server.remark, reason)
        self.assertEcho(self.connect(server), b"served all the same")
        r = self.run_echod("--backend", "io_uring", prefix=prefix)
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertRegex(r.err, reason)
        self.assertEqual(len(r.err.splitlines()), 1, r.err)

    def test_auto_is_io_uring_where_it_runs(self):
        server = self.echod()
        self.assertEqual((server.backend, server.remark), ("io_uring", ""))

    @not_in("valgrind")
    def test_a_seccomp_filter_that_refuses_it_means_epoll(self):
        for errno, reason in (("EPERM", "seccomp"), ("EACCES", "seccomp"), ("ENOSYS", "seccomp")):
            with self.subTest(errno=errno):
                self.refused([*WITHOUT, errno], f"io_uring.*{reason}")

    @not_in("valgrind")
    @unittest.skipUnless(DISABLED.exists(), "this kernel has no kernel.io_uring_disabled")
    def test_disabled_by_sysctl_means_epoll(self):
        """The server sees what it would see: that value, and EPERM. The sysctl itself is left alone, since it would
        take io_uring from everybody on this machine for a moment."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        value = self.config_file("1\n")
        self.refused(["unshare", "--mount", "sh", "-c", f'mount --bind {value} {DISABLED} && exec "$@"', "sh",
                      *WITHOUT, "EPERM"], r"io_uring is disabled \(kernel\.io_uring_disabled\)")


@unittest.skipIf(CANNOT, CANNOT)
class LockedMemory(LoadCase):
    """To whom it may lock little memory the rings may be refused, though the kernel has them (Linux 6.14 and later
    count them as locked memory; all processes of a user share the limit)."""
    NEED = r"io_uring needs (\d+) KiB of locked memory for {} workers?, ulimit -l allows {}\b"

    def as_user(self, kib):
        """A user of our own, who may lock so much."""
        if os.geteuid() != 0:
            self.skipTest("needs root: becomes another user")
        self.users = getattr(self, "users", 0) + 1
        user = str(30000 + (os.getpid() * 16 + self.users) % 30000)
        return ["prlimit", f"--memlock={kib * KIB}:{kib * KIB}", "setpriv", "--reuid", user, "--regid", user,
                "--clear-groups"]

    def setUp(self):
        if not re.match(self.NEED.format(1, 8), self.lacking(8, 1)):
            self.skipTest("this kernel does not count rings as locked memory")

    def lacking(self, kib, workers):
        """Why there is no io_uring with so little, from the first line of an echod; "" if there is."""
        server = self.echod(workers=workers, prefix=self.as_user(kib), backend="auto")
        self.assertEcho(self.connect(server), b"served all the same")
        self.assertEqual(server.backend, "epoll" if server.remark else "io_uring")
        return server.remark

    @not_in("valgrind")
    def test_auto_serves_and_says_what_it_lacks(self):
        for kib, workers in ((64, 1), (64, 16), (1024, 2), (8192, 16)):
            with self.subTest(kib=kib, workers=workers):
                self.assertRegex(self.lacking(kib, workers), f"^{self.NEED.format(workers, kib)}$")
        self.assertEqual(self.lacking(1024, 1), "")

    @not_in("valgrind")
    def test_what_it_says_it_needs_is_enough(self):
        for workers, options in ((1, {}), (3, {"max_conns": 100}), (1, {"io_uring_entries": 4096})):
            with self.subTest(workers=workers, **options):
                options |= {"backend": "io_uring", "workers": workers}
                r = self.run_echod(prefix=self.as_user(8), **options)
                self.assertEqual((r.code, len(r.err.splitlines())), (ENVIRONMENT, 1), r)
                self.assertRegex(r.err, self.NEED.format(workers, 8))
                need = int(re.search(self.NEED.format(workers, 8), r.err)[1])
                server = self.echod(prefix=self.as_user(need), **options)
                self.assertEqual(server.backend, "io_uring")
                # newer libraries (2.6) leave out the array of indices, where the kernel lets them (6.6)
                indices = workers * 4 * options.get("io_uring_entries", 1024) // KIB
                r = self.run_echod(prefix=self.as_user(need - 4 - indices), **options)
                self.assertEqual(r.code, ENVIRONMENT, "and no more than that")

    @not_in("valgrind")
    def test_one_that_is_killed_can_be_started_again_at_once(self):
        """What it had locked is given back some time after its end."""
        prefix = self.as_user(6000)
        for _ in range(8):
            server = self.echod(workers=8, prefix=prefix)
            self.assertEcho(self.connect(server), b"served")
            server.kill9()

    @not_in("valgrind")
    def test_the_client_does_the_same(self):
        server = self.echod()
        r = self.run_echoload("-c2", "-t2", "-n100", "-ojson", target_text(server), prefix=self.as_user(8))
        result = parse(r.out)
        self.assertEqual((result["messages"]["echoed"], result["context"]["backend"]), (100, "epoll"), r)
        self.assertRegex(result["context"]["backend_why"], self.NEED.format(2, 8))
        r = self.run_echoload("-c2", "-t2", "--backend", "io_uring", "127.0.0.1:1", prefix=self.as_user(8))
        self.assertEqual((r.code, r.out), (ENVIRONMENT, ""), r)
        self.assertRegex(r.err, self.NEED.format(2, 8))


@unittest.skipIf(CANNOT, CANNOT)
class Calls(UringCase):
    @not_in("tsan", "valgrind")
    def test_one_system_call_does_all(self):
        server = self.echod(workers=1)
        sock = self.connect(server)
        self.assertEcho(sock, b"accepted before")
        with self.strace(server) as trace:
            for _ in range(200):
                self.assertEcho(sock, b"x" * 100)
        calls = dict(trace.calls)
        turns = calls.pop("io_uring_enter")
        self.assertGreaterEqual(turns, 200)
        if clock_is_a_call():
            self.assertLessEqual(calls.pop("clock_gettime"), 2 * turns)
        self.assertLess(sum(calls.values()), 10, calls)
        self.assertFalse(set(calls) & {"read", "write", "recvfrom", "sendto", "sendmsg", "epoll_wait"}, calls)

    @not_in(*SANITIZERS, "contract", "coverage", "valgrind")  # the contract's layer asks the kernel as well
    def test_a_connection_that_echoes_once_costs_no_call_of_its_own(self):
        """It is accepted, received from, sent to and closed by what the worker waits with."""
        server = self.echod(workers=1)
        with self.strace(server) as trace:
            for _ in range(200):
                with self.connect(server) as sock:
                    self.assertEcho(sock, b"x" * 100)
                    half_close(sock)
                    self.assertEqual(sock.recv(1), b"")
        calls = dict(trace.calls)
        turns = calls.pop("io_uring_enter")
        self.assertLessEqual(turns, 4 * 200 + 10, "one for itself, what it sends, what is sent to it and its end")
        if clock_is_a_call():
            calls.pop("clock_gettime")
        self.assertLess(sum(calls.values()), 10, calls)


@unittest.skipIf(CANNOT, CANNOT)
class Options(UringCase):
    @covers("echod", "io_uring_entries", "io_uring_cq_entries")
    def test_the_rings_are_as_large_as_asked_for(self):
        for options, sq, cq in (({}, 1024, 32768),
                                ({"max_conns": 100}, 1024, 2048),
                                ({"io_uring_entries": 64}, 64, 32768),
                                ({"io_uring_cq_entries": 16}, 16, 16),
                                ({"io_uring_cq_entries": 4096, "io_uring_entries": 512}, 512, 4096)):
            with self.subTest(options):
                ring, = rings(self.echod(workers=1, **options))
                self.assertEqual((ring["Sq"], ring["Cq"]), (sq, cq))

    def test_more_requests_than_completions_are_refused(self):
        for name, argv in (("echod", ["--check"]), ("echoload", ["127.0.0.1:7", "-d", "1s"])):
            r = run([*program(name), *argv, "--backend", "io_uring", "--io_uring-entries", "64", "--io_uring-cq-entries", "16"])
            self.assertEqual((r.code, r.out), (USAGE, ""), r)
            self.assertEqual(r.err, f"{name}: error: --io_uring-entries: is more than cq_entries, 16\n")

    @covers("echoload", "io_uring_entries", "io_uring_cq_entries")
    def test_those_of_the_client_too(self):
        server = self.echod()
        load = self.load(server, backend="io_uring", connections=1, duration="10m", io_uring_entries=32,
                         io_uring_cq_entries=64, **LONG)
        self.wait_open(server, 1, 100)
        ring, = self.wait_until(lambda: rings(load), "its ring can be read")
        self.assertEqual((ring["Sq"], ring["Cq"]), (32, 64))
        load.interrupted()

    @covers("echod", "io_uring_buffers", "io_uring_buffer_size")
    @not_in("asan", "tsan", "valgrind")
    def test_the_buffers_are_mapped_at_start(self):
        base = mapped(self.echod(workers=1))
        more = mapped(self.echod(workers=1, io_uring_buffers=1024)) - base
        larger = mapped(self.echod(workers=1, io_uring_buffer_size="1Mi")) - base
        self.assertAlmostEqual(more / (768 * 64 * KIB), 1, delta=0.1)
        self.assertAlmostEqual(larger / (256 * 960 * KIB), 1, delta=0.1)

    @covers("echoload", "io_uring_buffers", "io_uring_buffer_size")
    @not_in("asan", "tsan", "valgrind")
    def test_the_client_has_buffers_of_its_own(self):
        server = self.echod()
        sizes = []
        for options in ({}, {"io_uring_buffers": 1024}, {"io_uring_buffer_size": "1Mi"}):
            load = self.load(server, backend="io_uring", connections=1, duration="10m", **options, **LONG)
            self.wait_open(server, 1, 100)
            sizes.append(mapped(load))
            load.interrupted()
            self.wait_counters(server, lambda c: c.open == 0, "it has left")
        self.assertGreater(sizes[1] - sizes[0], 700 * 64 * KIB)
        self.assertGreater(sizes[2] - sizes[0], 256 * 900 * KIB)

    @covers("echod", "io_uring_conn_buffers")
    @not_in("asan", "tsan", "valgrind")
    def test_conn_buffers_bounds_what_is_not_copied(self):
        """Of 8 MiB that a peer leaves unsent, what does not stay in buffers is copied to the pool: a small piece as
        well, and all that comes after it, so that how much stays is up to the kernel."""
        self.assertGreater(self.copied(1) - min(self.copied(64) for _ in range(6)), 2 * 64 * KIB)

    def copied(self, conn_buffers):
        """How much of the pool was touched: it is the one mapping of its size."""
        server = self.echod(workers=1, max_unsent="8Mi", max_unsent_total="200Mi", io_uring_conn_buffers=conn_buffers)
        fill(server, self.connect(server, rcvbuf=65536), pattern(64 * MIB))
        smaps = Path(f"/proc/{server.pid}/smaps").read_text(encoding="utf-8")
        pools = [int(rss) * KIB for size, rss in re.findall(r"(?m)^Size: +(\d+) kB(?:\n.*)*?\nRss: +(\d+) kB", smaps)
                 if 200 * KIB <= int(size) < 210 * KIB]
        self.assertEqual(len(pools), 1, smaps)
        return pools[0]

    def test_what_is_no_power_of_two_is_refused(self):
        for key in ("buffers", "entries", "cq_entries"):
            r = self.run_echod("--check", **{f"io_uring_{key}": 100})
            self.assertEqual(r.code, USAGE)
            self.assertIn("must be a power of two", r.err)

    def test_the_client_has_no_option_for_what_it_does_not_do(self):
        r = run([*program("echoload"), "--io_uring-conn-buffers", "3", "127.0.0.1:1"])
        self.assertEqual(r.code, USAGE)


@unittest.skipIf(CANNOT, CANNOT)
class Scarce(UringCase):
    """Too little of everything: slower, and right."""
    TINY = {"io_uring_buffers": 4, "io_uring_cq_entries": 16}

    def echoes(self, server, options, **load):
        r = self.run_load(server, backend="io_uring", **load, **options, **LONG)
        self.assertAllEchoed(r, load["messages"])

    def test_few_buffers_and_completions_for_many_connections(self):
        server = self.echod(workers=1, **self.TINY)
        for connections, size, n, pipeline in ((1, "64", 1000, 1), (300, "64", 3000, 1), (50, "10..9000", 2000, 16),
                                               (8, "1Mi", 40, 2)):
            with self.subTest(connections=connections, size=size):
                self.echoes(server, self.TINY, connections=connections, size=size, messages=n, pipeline=pipeline)
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "none open")
        self.assertEqual((c.received, set(c.closed)), (c.sent, {"eof"}))

    def test_a_single_buffer_of_a_few_bytes(self):
        tiny = {"io_uring_buffers": 1, "io_uring_buffer_size": 7, "io_uring_entries": 1, "io_uring_cq_entries": 2}
        server = self.echod(workers=1, **tiny)
        self.echoes(server, tiny, connections=20, size="100", messages=200, pipeline=3)

    def test_eight_slots_for_twenty_clients(self):
        server = self.echod(workers=1, max_conns=8, **self.TINY)
        for n in range(10):
            socks = [self.connect(server) for _ in range(20)]
            # those whose places went to newcomers count as open until the turn is over that accepted them
            self.wait_counters(server, lambda c: c.balanced() and (c.accepted, c.open) == (20 * (n + 1), 8),
                               "all were accepted, eight have stayed")
            served = 0
            for i, sock in enumerate(socks):
                try:
                    sock.sendall(pattern(3000, i))
                    got = recv_exactly(sock, 3000)
                except ConnectionError:
                    continue
                if got:
                    self.assertSame(got, pattern(3000, i))
                    served += 1
            self.assertEqual(served, 8)
            for sock in socks:
                sock.close()
            self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "none open")

    def test_one_that_could_take_all_buffers_leaves_some_to_others(self):
        size = 32 * KIB
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        load = self.load(listener.getsockname(), backend="io_uring", threads=1, connections=2, messages=4, size=str(size),
                         io_uring_buffers=4, io_uring_buffer_size=64, **LONG)
        greedy, other = (self.accepted(listener) for _ in range(2))
        echo, rest = recv_exactly(greedy, size), recv_exactly(other, size)
        other.sendall(rest[:-1])
        self.wait_until(load.sleeps, "it has read that")
        with load.held():
            greedy.sendall(echo)
            other.sendall(rest[-1:])
        echoes = {sock: came(sock, size) for sock in (greedy, other)}
        self.assertLess(echoes[other][1], echoes[greedy][1])
        for sock, (echo, _) in echoes.items():
            sock.sendall(echo)
        self.assertAllEchoed(load.done(), 4)

    def accepted(self, listener):
        listener.settimeout(slow(PATIENCE))
        sock, _ = listener.accept()
        self.addCleanup(sock.close)
        sock.settimeout(slow(PATIENCE))
        return sock

    def test_idle_connections_hold_no_buffer(self):
        server = self.echod(workers=1, **self.TINY)
        idle = [self.connect(server) for _ in range(200)]
        for sock in idle:
            self.assertEcho(sock, b"once")
        sock = self.connect(server)
        self.assertEcho(sock, pattern(MIB))


@unittest.skipIf(CANNOT, CANNOT)
class OldKernel(UringCase):
    """Where completions cannot be deferred and files not registered."""
    ENV = {"LD_PRELOAD": BIN / "preload" / "old_ring.so"}

    def test_it_works_as_on_a_new_one(self):
        server = self.echod(workers=2, env=self.ENV)
        for size, n in (("64", 3000), ("1..9000", 2000), ("1Mi", 40)):
            r = self.run_load(server, backend="io_uring", connections=50, size=size, messages=n, pipeline=4,
                              env=self.ENV, **LONG)
            self.assertAllEchoed(r, n)
        idle = self.connect(server)
        self.assertEcho(idle, b"open")
        self.wait_counters(server, lambda c: c.closed["eof"] == c.accepted - 1, "they have left")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(idle.recv(1), b"")
        idle.close()
        self.assertEqual(server.wait(), 0)


@unittest.skipIf(CANNOT, CANNOT)
class LateEnds(UringCase, EndingCase):
    """Where the ends of connections come behind what others received."""

    def test_a_message_is_not_given_to_a_connection_that_has_ended(self):
        self.ended_in_a_pause(env={"LD_PRELOAD": BIN / "preload" / "late_ends.so"})


@unittest.skipIf(CANNOT, CANNOT)
class SlowReaders(UringCase):
    """Whoever does not read what it is owed may hold memory, but not the service of others. Together they leave the kernel
    most of its memory for TCP (a sixteenth of the machine's): where that is short it drops what has come already, and two
    ends that both have no room hear of each other's only when a timer says so, up to two minutes later."""
    needs = "the kernel's memory for TCP"
    long = True

    def crowd(self, count, size, **options):
        server = self.echod(workers=1, **options)
        socks = [self.connect(server, rcvbuf=4096) for _ in range(count)]
        went = [fill(server, sock, pattern(size, i), quiet=0.05) for i, sock in enumerate(socks)]
        sock = self.connect(server)
        for i in range(20):
            self.assertEcho(sock, pattern(10 * KIB, i))
        for i, (sock, n) in enumerate(zip(socks, went)):
            half_close(sock)
            got, how = recv_to_end(sock)
            self.assertSame(got, pattern(size, i)[:n])
            self.assertEqual(how, "eof")
        c = self.wait_counters(server, lambda c: c.open == 1 and c.balanced(), "they have left")
        self.assertEqual(dict(c.closed), {"eof": count})
        self.assertRegex(server.out.text, r'echod_receives_without_buffer_total\{worker="0"\} [1-9]')

    def test_more_of_them_than_buffers(self):
        self.crowd(40, 3 * MIB, io_uring_buffers=32)

    def test_more_of_them_than_buffers_with_little_of_their_own(self):
        self.crowd(20, 3 * MIB, io_uring_buffers=8, max_unsent="8Ki")

    def test_many_small_pieces_do_not_hold_a_buffer_each(self):
        server = self.echod(workers=1, io_uring_buffers=8, max_unsent="64Ki")
        slow_one, other = self.connect(server, rcvbuf=4096), self.connect(server)
        fill(server, slow_one, pattern(32 * MIB))
        sent = pattern(2000)
        for i in range(0, 2000, 100):
            self.assertEcho(other, sent[i:i + 100])

    def test_a_reset_while_much_is_held_gives_all_back(self):
        server = self.echod(workers=1, io_uring_buffers=4, max_unsent_total="1Mi")
        for _ in range(20):
            socks = [self.connect(server, rcvbuf=4096) for _ in range(4)]
            for sock in socks:
                fill(server, sock, pattern(4 * MIB), quiet=0.02)
            for sock in socks:
                rst(sock)
        self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "none open")
        sock = self.connect(server)
        self.assertEcho(sock, pattern(4 * MIB))


@unittest.skipIf(CANNOT, CANNOT)
class LostWakes(UringCase):
    """Linux counts wakes that come together as one, and a multishot receive then stops at the first thing."""

    def test_a_client_sees_a_reset_right_behind_bytes(self):
        server = self.peer(lambda sock, n: self.part_and_reset(sock))
        for _ in range(5):
            self.stopped = self.load(server, backend="io_uring", connections=1, size="1000", messages=1,
                                     timeout="10m", connect_timeout="10m")
            r = self.stopped.done()
            self.assertEqual({k[0] for k in r.errors}, {"reset"}, r)

    def part_and_reset(self, sock):
        got = recv_exactly(sock, 1000)
        self.wait_until(lambda: hasattr(self, "stopped"), "it runs")
        self.stopped.send_signal(signal.SIGSTOP)
        sock.sendall(got[:500])
        rst(sock)
        self.stopped.send_signal(signal.SIGCONT)

    def test_a_server_sees_a_reset_right_behind_bytes(self):
        server = self.echod(workers=1)
        for i in range(5):
            sock = self.connect(server)
            self.assertEcho(sock, b"open")
            server.send_signal(signal.SIGSTOP)
            sock.sendall(b"x" * 1000)
            rst(sock)
            server.send_signal(signal.SIGCONT)
            self.wait_counters(server, lambda c: c.closed["reset"] == i + 1, "reset")

    def test_a_server_that_drains_sees_it_too(self):
        server = self.echod(workers=1, shutdown="drain 10m")
        sock = self.connect(server)
        self.assertEcho(sock, b"open")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(sock.recv(1), b"")
        server.send_signal(signal.SIGSTOP)
        sock.sendall(b"x" * 1000)
        rst(sock)
        server.send_signal(signal.SIGCONT)
        self.assertEqual(server.wait(), 0)
        self.assertEqual(dict(server.final.closed), {"reset": 1})
