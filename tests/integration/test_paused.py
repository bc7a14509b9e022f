# SPDX-License-Identifier: MIT
"""Programs that did not run for a while (SIGSTOP): what arrived meanwhile lies in their sockets, and counts."""
import os
import signal
import subprocess
import threading
import time

from echolab import Process, TestCase, descendants, for_each_backend, program, recv_exactly, slow, stat_fields
from loadlab import LoadCase, for_each_client, target_text


class Held:
    """A server that keeps one answer of each connection back until it is let go."""

    def __init__(self, count, after=5):
        self.holding = threading.Semaphore(0)
        self.go = threading.Event()
        self.sent = threading.Semaphore(0)
        self.count, self.after = count, after

    def script(self, sock, _):
        n = 0
        while data := sock.recv(64):
            n += 1
            if n == self.after:
                self.holding.release()
                self.go.wait(slow(60))
                sock.sendall(data)
                self.sent.release()
            else:
                sock.sendall(data)

    def wait_all(self, semaphore):
        for _ in range(self.count):
            assert semaphore.acquire(timeout=slow(60))


class Pauses(LoadCase):
    def pause(self, process, seconds):
        """Stops it with all its processes. Returns what resumes it when that time has passed."""
        pids = [process.pid, *descendants(process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            self.wait_until(lambda pid=pid: stat_fields(pid)[0] == "T", "it is stopped")
        until = time.monotonic() + seconds

        def resume():
            time.sleep(max(0, until - time.monotonic()))  # the pause is what is tested
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        return resume


@for_each_client
class EachPausedClient(Pauses):
    def test_what_was_answered_in_the_meantime_is_not_lost(self):
        """The deadlines of all answers pass while it is stopped, and so does the stall time."""
        for connections in (4, 200):
            with self.subTest(connections=connections):
                held = Held(connections)
                load = self.load(self.peer(held.script), connections=connections, messages=connections * 20,
                                 timeout=f"{slow(2)}s", stall="2s", warmup="0s",
                                 connect_timeout="1m")
                held.wait_all(held.holding)
                resume = self.pause(load, slow(2) + 0.5)
                held.go.set()
                held.wait_all(held.sent)
                resume()
                r = load.done()
                self.assertEqual((r.errors, r["messages"]["lost"], r["outages"]), ({}, 0, []), r)


@for_each_backend
class EachPausedServer(Pauses, TestCase):
    def test_who_spoke_in_the_meantime_is_not_idle(self):
        server = self.echod(idle_timeout=f"{slow(2)}s")
        socks = [self.connect(server) for _ in range(100)]
        for sock in socks:
            self.assertEcho(sock, b"hello")
        resume = self.pause(server, slow(2) + 0.5)
        for sock in socks:
            sock.sendall(b"there")
        resume()
        for sock in socks:
            self.assertSame(recv_exactly(sock, 5), b"there")
        self.assertEqual(dict(server.counters().closed), {})


class PausedPerson(Pauses):
    def test_an_answer_that_came_in_the_meantime_is_printed(self):
        received, go, sent = threading.Event(), threading.Event(), threading.Event()

        def script(sock, _):
            data = recv_exactly(sock, 6)
            received.set()
            go.wait(slow(60))
            sock.sendall(data)
            sent.set()
            sock.recv(1)
        client = self.keep(Process([*program("echoload"), "--interactive", "--timeout", f"{slow(2)}s",
                                    target_text(self.peer(script))], stdin=subprocess.PIPE))
        client.stdin.write(b"hello\n")
        self.assertTrue(received.wait(slow(60)))
        resume = self.pause(client, slow(2) + 0.5)
        go.set()
        self.assertTrue(sent.wait(slow(60)))
        resume()
        self.assertTrue(client.out.wait_for("hello\n"), client.said())
