# SPDX-License-Identifier: MIT
"""Takeovers in which the n-th system call of either side fails, or is its last: for n = 1, 2, 3 ... until a run is clean.
`make check` tries every 23rd; `make takeover-check` all of them."""
import contextlib
import errno
import os
import sys

from echolab import BIN, OK, SANITIZERS, Echod, Failed, not_in, pattern
from takeoverlab import TakeoverCase, movable

# every n-th step
STRIDE = int(os.environ.get("ECHOLAB_STEPS") or 23)
DETAILS = os.environ.get("ECHOLAB_STEPS")
CONNECTIONS = 12
DEBT = 80_000  # bytes that some have sent and not read: more than the sockets hold




class Successor(Echod):
    """That may end before it listens."""

    def listening(self):
        self.addr = None


@not_in(*SANITIZERS, "valgrind")  # whose runtimes must be loaded first
class Steps(TakeoverCase):
    """What clients are promised, whatever fails:

    - What comes back is what was sent, in order, up to the end of the connection if it has one.
    - A connection ends only with the process that owns it, or when a call for it alone fails there. The successor owns
      what the old process has committed to it, and if that has died also the batch that it was being offered. Everything
      else is the old one's. A successor that gives up serves what it owns to its end.
    - Newcomers are served by the process that is left, and the next takeover finds everything in its place.

    Calls are those of a process: there is no sandbox, whose helper would make some of them.
    """

    def start(self, backend, fault=None):
        """The process that is to be taken over from, and its clients: every third has sent much, and reads nothing."""
        self.path = self.folder() / "takeover"
        self.old = self.echod(backend=backend, workers=2, sandbox="off", env=self.environment(fault, "recvmsg"))
        self.socks = [self.connect(self.old, rcvbuf=4096 if i % 3 == 0 else None) for i in range(CONNECTIONS)]
        self.owed = [pattern(DEBT if i % 3 == 0 else 2000, i) for i in range(CONNECTIONS)]
        for sock, data in zip(self.socks, self.owed):
            sock.sendall(data)
        received = sum(map(len, self.owed))
        c = self.wait_counters(self.old, lambda c: c.received == received, "all is received")
        self.assertLess(c.sent, received)  # some of it waits in the pool

    def environment(self, fault, begins):
        """`fault`: the number of the call and what becomes of it; calls count from the first call of `begins` on."""
        env = {"LD_PRELOAD": BIN / "preload" / "fault.so", "ECHOLAB_SNDBUF": 16384}
        if fault:
            self.log = self.folder() / "fault"
            env |= {"ECHOLAB_FAULT": "any:{}:{}".format(*fault), "ECHOLAB_FAULT_FROM": begins, "ECHOLAB_FAULT_LOG": self.log}
        return env

    def hit(self):
        """The name of the call that has failed, None: it was not made."""
        return self.log.read_text().strip("\0\n") or None if self.log.exists() else None

    def succeed(self, old, fault=None):
        """Starts a successor of `old`. Returns it when it has taken over, or has failed; with which of both it was. One
        that has failed may serve what it has."""
        new = self.keep(Successor(self.echod_options(backend=old.backend, workers=2, takeover=f"unix:{self.path}", sandbox="off",
                                                     listen=f"127.0.0.1:{old.port}"), self.environment(fault, "connect")))
        said = new.err.wait_for("(took over|cannot take over at)[^\n]*\n")
        new.addr, new.port, new.backend = old.addr, old.port, old.backend
        return new, said is not None and said[1] == "took over"

    def still_open(self):
        """The clients whose connections have not ended. All have read what they were owed, and what they send then."""
        left = []
        for i, sock in enumerate(self.socks):
            want, got = self.owed[i] + pattern(100, i), b""
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                sock.sendall(want[len(self.owed[i]):])
                while len(got) < len(want) and (part := sock.recv(1 << 16)):
                    got += part
            self.assertSame(got, want[:len(got)])
            self.owed[i] = b""
            if len(got) == len(want):
                left.append(sock)
        return left

    def check(self, server, ended, *said):
        """ended() connections have ended, and everybody else is served by `server`, if that is not None."""
        left = self.still_open()
        self.ended = CONNECTIONS - len(left)
        self.assertEqual(self.ended, ended(), f"{self.hit()}\n" + "\n".join(p.err.text for p in said))
        if not server or not self.hit():  # what is asked for now would make the call
            return
        self.assertEcho(self.connect(server), b"a newcomer")
        self.socks, self.owed = left, [b""] * len(left)
        new, took = self.succeed(server)
        self.assertTrue(took, new.said())
        self.assertEqual(len(self.still_open()), len(left), new.said())
        for process in (*said, new):
            process.end()

    def successor_fails(self, how):
        def step(backend, n):
            self.start(backend)
            new, took = self.succeed(self.old, (n, how))
            if took and how == "kill":
                with contextlib.suppress(Failed):
                    new.counters()  # it has come to wait for signals, or is killed on the way
                self.wait_until(new.sleeps, "it has ended what it said this with")
            call = self.hit()
            if took and not (call and how == "kill"):  # else it said so, and then was killed
                self.check(new, lambda: self.failed_alone(new), self.old, new)
                return call
            if call == "connect":  # the old one never heard of it
                self.check(self.old, lambda: 0, self.old, new)
                return call
            decided = self.old.err.wait_for("(serving on|has taken over)[^\n]*\n")
            self.assertTrue(decided, self.old.said())
            if decided[1] == "serving on":
                self.check(self.old, lambda: self.ended_with(new), self.old, new)
            else:  # it was the last word of a takeover that had succeeded
                self.assertEqual(self.old.wait(), OK, self.old.said())
                self.check(None, lambda: CONNECTIONS, self.old, new)
            return call
        self.each_step(step)

    def old_fails(self, how):
        def step(backend, n):
            self.start(backend, (n, how))
            new, took = self.succeed(self.old)
            call, killed = self.hit(), how == "kill" and self.hit()
            if took:
                self.check(new, lambda: CONNECTIONS - new.counters()["connections_adopted"] if killed else 0, self.old, new)
            elif killed:
                self.check(None, lambda: CONNECTIONS, self.old, new)
            else:
                self.assertTrue(self.old.err.wait_for("serving on\n"), self.old.said())
                self.check(self.old, lambda: 0, self.old, new)
            return call
        self.each_step(step)

    def ended_with(self, new):
        """Connections that have ended because a successor has failed: what it owned, if it was killed or a worker of it has
        failed. One that gives up serves them to their end."""
        if new.err.wait_for("stay here until they end", 0):
            return self.failed_alone(new)
        new.wait()
        return self.old.counters().closed["moved"]

    def failed_alone(self, server):
        """Connections that it has ended because a call for them had failed."""
        return sum(server.counters().closed.values()) if self.hit() in ("fcntl", "epoll_ctl") else 0

    def each_step(self, step):
        """Calls step(backend, n) for the n-th call, until no call was the n-th."""
        for at, backend in enumerate(movable()):
            calls, n = [], 1 + at * (STRIDE // 2)
            while calls[-1:] != [None]:
                with self.subTest(backend=backend, n=n):
                    calls.append("failed before it was known")
                    calls[-1] = step(backend, n)
                if DETAILS:
                    print(f"{self.id()} {backend} {n}: {calls[-1]}, {self.ended} ended", file=sys.stderr)
                n += STRIDE
            self.assertGreater(len(calls), 2)

    def test_a_call_of_the_successor_fails(self):
        self.successor_fails(errno.ENOMEM)

    def test_the_successor_is_killed(self):
        self.successor_fails("kill")

    def test_a_call_of_the_old_one_fails(self):
        self.old_fails(errno.ENOMEM)

    def test_the_old_one_is_killed(self):
        self.old_fails("kill")
