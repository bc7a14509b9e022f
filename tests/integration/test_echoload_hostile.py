# SPDX-License-Identifier: MIT
"""Servers that misbehave (hostileservers.py), each under every load and for each backend: echoload gives each end the one
name that it has, whichever backend was told of it."""
import threading
import time

import hostile
from echolab import NO_ANSWER, OK, PATIENCE, VERDICT, no_namespaces, slow
from hostileservers import LOADS, ROWS, SIZE
from loadlab import INCONCLUSIVE, LONG, echo_all, for_each_client
from tcphand import Lumps

ERRNOS = {"reset": "ECONNRESET", "refused": "ECONNREFUSED", "timeout_tcp": "ETIMEDOUT", "host_unreachable": "EHOSTUNREACH"}


class Load:
    """What echoload is asked for, of one connection at a time."""

    def __init__(self, name, options):
        self.name, self.ended = name, threading.Event()
        self.options = {"connections": 1, "size": SIZE, "messages": 40} | LOADS[name] | options
        if name == "lumps":  # each takes its time
            self.options["messages"] = min(self.options["messages"], 5)
        self.owed = self.options["size"] * self.options.get("pipeline", 1)


class Cell:
    """One row under one load: what runs, and what it says. Of a churn the first connection is served well."""

    def __init__(self, case, row, name, factor=1):
        options = row.timed(factor)
        kernel = options.pop("kernel", False)
        self.row, self.says, self.load = row, row.says[name], Load(name, options)
        self.runs, self.begun = None, threading.Event()
        self.factor, self.began, self.acted = factor, time.monotonic(), None
        self.peer = case.peer(self.kernel) if kernel else case.wire.listen(self.hand)
        case.addCleanup(self.load.ended.set)
        self.runs = case.load(self.peer, prefix=() if kernel else case.namespace.prefix, **LONG | self.load.options)
        self.begun.set()

    def kernel(self, sock, n):
        echo_all(sock) if self.load.name == "churn" and n == 0 else self.row.play(sock, self.load)

    def hand(self, tcp, n):
        if self.load.name == "churn" and n == 0:
            tcp.accept()
            return tcp.serve()
        if self.load.name == "lumps" and self.begun.wait(slow(PATIENCE)):
            tcp.lumps = Lumps(lambda: self.runs)
        try:
            self.row.play(tcp, self.load)
            self.acted = time.monotonic()
        finally:
            if tcp.lumps:
                tcp.lumps.release()

    def late(self):
        """Whether the peer had not acted in the time that the row has for it."""
        deadline = self.row.deadline(self.factor)
        return deadline and not (self.acted and self.acted - self.began < deadline)

    def judge(self, case):
        r = self.runs.done()
        self.load.ended.set()
        if self.late() and self.factor < 16:
            return Cell(case, self.row, self.load.name, 4 * self.factor).judge(case)
        if self.says == "served":
            case.assertAllEchoed(r, self.load.options["messages"])
            code = OK
        else:
            self.assertSaid(case, r)
            code = VERDICT if r["messages"]["echoed"] else NO_ANSWER
        # an open loop that was late, and a run that stood still, know no better
        case.assertIn(r.code, (code, INCONCLUSIVE) if self.load.name in ("rate", "lumps") else (code,), r)
        if self.peer.errors:
            raise case.failureException(f"its script: {self.peer.errors[0]!r}: {r}") from self.peer.errors[0]

    def assertSaid(self, case, r):
        """One connection has ended so, and what it cost had come as far."""
        causes, phases, *lost = (word.split("/") for word in self.says.split())
        case.assertEqual(sum(r.errors.values()), 1, r)
        (cause, phase, name), = r.errors
        case.assertIn(cause, causes, r)
        case.assertIn(phase, phases, r)
        case.assertEqual(name, ERRNOS.get(cause), r)
        case.assertLessEqual(set(r.lost), set(*lost) or set(r.lost), r)


@for_each_client
@hostile.tests(ROWS)
class EachServer(hostile.HostileCase):
    def meets(self, row):
        if not self.wire and not row.options.get("kernel"):
            self.skipTest(no_namespaces())
        names = [name for name in row.says if not (name == "lumps" and row.options.get("kernel"))]
        for cell in [Cell(self, row, name) for name in names]:
            with self.subTest(load=cell.load.name):
                cell.judge(self)
