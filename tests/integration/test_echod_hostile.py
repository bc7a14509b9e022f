# SPDX-License-Identifier: MIT
"""Clients that misbehave (hostileclients.py), each under every load and for each backend: echod counts each end under the
one cause that it has, and who is served beside them notices nothing."""
import socket
import time
from collections import Counter

import hostile
from echolab import OK, for_each_backend, no_namespaces, pattern
from hostileclients import ROWS, SIZE
from loadlab import LONG
from tcphand import Hand, Lumps, Wire

MANY, CHURN = 8, 4


class Load:
    """What a client has done before it misbehaves: had an answer (closed); sent many messages and taken no answer
    (pipelined); sent some in their time, whatever the answers (rate); nothing, but it comes again and again (churn); had
    an answer, from an echod that stands still until the client waits for something (lumps)."""

    def __init__(self, name, case, server):
        self.name, self.case, self.server = name, case, server
        self.port, self.times = server.port, CHURN if name == "churn" else 1
        self.lumps = Lumps(lambda: server) if name == "lumps" else None

    def play(self, row):
        row.play(self)
        if self.lumps:
            self.lumps.release()

    def hand(self, ours=None):
        tcp = self.case.wire.hand(self.port, ours)
        tcp.lumps = self.lumps
        return tcp

    def dial(self, **syn):
        tcp = self.hand()
        tcp.connect(**syn)
        return tcp

    def connect(self, **how):
        with self.case.namespace:
            return self.case.connect(self.server, **how)

    def run(self, peer, size=SIZE, say=None, takes=True):
        """`takes` False: it may leave the answers of a pipeline where they are, or unacknowledged."""
        by_hand = isinstance(peer, Hand)
        say = say or (peer.say if by_hand else peer.sendall)
        sent = b""
        for n in range({"closed": 1, "pipelined": MANY, "rate": MANY, "churn": 0, "lumps": 1}[self.name]):
            message = pattern(size, n)
            say(message)
            sent += message
            if self.name == "rate":
                time.sleep(0.005)  # the pace of an open loop
        left = self.name == "pipelined" and not takes
        if by_hand:
            got = peer.take(len(sent), acks=not left)
        else:
            got = b""
            while len(got) < len(sent):
                got = peer.recv(len(sent), socket.MSG_PEEK | socket.MSG_WAITALL) if left else got + peer.recv(len(sent))
        self.case.assertSame(got, sent)

    def leave(self, tcp):
        """As it should be: FIN, theirs, and an acknowledgement."""
        tcp.send("FA")
        self.case.assertSame(tcp.rest(), b"")


@for_each_backend
@hostile.tests(ROWS)
class EachClient(hostile.HostileCase):
    def meets(self, row):
        if not self.wire:
            self.skipTest(no_namespaces())
        for factor in (1, 4, 16):
            self.late = False
            try:
                self.attempt(row, factor)
                break
            except Exception:
                if not self.late or factor == 16:
                    raise

    def attempt(self, row, factor):
        server = self.echod(listen=f"{Wire.HERE}:0", prefix=self.namespace.prefix, **row.timed(factor))
        deadlines = row.deadline() or "keepalive" in row.options
        polite = None if deadlines else self.polite(server)
        loads = [Load(name, self, server) for name in row.says]
        counted = sum(len(row.says[load.name].split()) * load.times for load in loads)
        for some in [loads] if deadlines else [[load] for load in loads]:  # deadlines pass for all at once
            self.cells(server, row, some, 2 if polite else 0, row.deadline(factor))
        with Load("closed", self, server).connect() as sock:
            self.assertEcho(sock, b"still here")
        self.assertEqual(server.counters().accepted, counted + (3 if polite else 1), server.said())
        if polite:
            r = polite.interrupted()
            self.assertEqual((r.errors, r["messages"]["lost"], r["messages"]["corrupt"]), ({}, 0, 0), r)
            self.assertGreater(r["messages"]["echoed"], 0, r)
        self.assertEqual(server.stop(), OK)

    def polite(self, server):
        """Who is served beside them."""
        load = self.load(server, prefix=self.namespace.prefix, backend="epoll", connections=2, rate=100, duration="10m",
                         warmup="0s", **LONG)
        # each has one message under way: a third is only sent by who has had an answer
        self.wait_counters(server, lambda c: c.open == 2 and c.sent >= 3 * 64, "who is polite is answered")
        return load

    def cells(self, server, row, loads, others, deadline):
        before, expected, names = server.counters(), Counter(), [load.name for load in loads]
        for load in loads:
            expected.update({cause: load.times for cause in row.says[load.name].split()})
            for _ in range(load.times):
                began = time.monotonic()
                try:
                    load.play(row)
                finally:
                    self.late = self.late or deadline and time.monotonic() - began > deadline
        all_came = before.accepted + sum(expected.values())
        after = self.wait_counters(server, lambda c: c.balanced() and c.open == others and c.accepted >= all_came,
                                   f"{names}: {expected}: all have ended")
        self.assertEqual(after.closed - before.closed, expected, f"{names}: {server.said()}")
