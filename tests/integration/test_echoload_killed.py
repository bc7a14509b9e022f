# SPDX-License-Identifier: MIT
"""A server that gets SIGKILL, by its pid, while its clients are in one phase: each of them is counted once, under the
cause that the kernel gives for that phase, and every message it cost under how far it had come."""
import socket
import sys

from echolab import NO_ANSWER, VERDICT, Process, ss
from loadlab import LONG, LoadCase, for_each_client, for_each_pair

RESET = ("reset", "awaiting", "ECONNRESET")
# a reset is sent once, and the kernel may drop it: keepalive asks again
NEVER_ENDS = {"duration": "10m", "warmup": "0s", "stall": "10m", "keepalive": "1s/1s/60"} | LONG
# one message at once and the next in a thousand seconds: connections are idle
IDLE = NEVER_ENDS | {"rate": 0.001}

# A server that accepts, reads all that comes or nothing, and answers nothing. It says how much it has read.
MUTE = """
import selectors, socket, sys
poll, got = selectors.DefaultSelector(), 0
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
poll.register(listener, selectors.EVENT_READ)
print("port", listener.getsockname()[1], flush=True)
socks = []
while True:
    for key, _ in poll.select():
        if key.fileobj is listener:
            socks.append(listener.accept()[0])
            if sys.argv[1] == "reads":
                poll.register(socks[-1], selectors.EVENT_READ)
            print("accepted", len(socks), flush=True)
        else:
            got += len(key.fileobj.recv(65536))
            print("read", got, flush=True)
"""


class Mute(Process):
    def __init__(self, reads):
        super().__init__([sys.executable, "-c", MUTE, "reads" if reads else "leaves it"])
        self.addr = "127.0.0.1", int(self.out.wait_for(r"^port (\d+)$")[1])

    @property
    def port(self):
        return self.addr[1]


class KilledCase(LoadCase):
    def established(self, port):
        """Lines of ss about the client's connections to that port."""
        return ss("-tn", "state", "established", f"dport = :{port}")

    def wait_acknowledged(self, port, count):
        """Until so many connections are open, and what they sent has arrived at the other end."""
        def all_there():
            lines = self.established(port)
            return len(lines) == count and all(line.split()[1] == "0" for line in lines)
        self.wait_until(all_there, f"{count} are open and all they sent has arrived", 60)

    def lost(self, r, count, **how):
        self.assertEqual((r["messages"]["lost"], r.lost), (count, how), r)


@for_each_client
class EachPhase(KilledCase):
    COUNT = 100

    def mute(self, reads):
        return self.keep(Mute(reads))

    def held(self, backlog):
        """An echod that is stopped: what the kernel does for it still happens."""
        server = self.echod(backend="epoll", workers=1, backlog=backlog)
        server.hold()
        return server

    def queued(self, server):
        """Connections that wait to be accepted."""
        return int(ss("-ltn", f"sport = :{server.port}")[0].split()[1])

    # connecting

    def test_while_they_connect(self):
        """Its queue is full and SYNs are dropped: those that come after its death are refused."""
        server = self.held(backlog=1)
        for _ in range(5):
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.setblocking(False)
            sock.bind(("127.0.0.2", 0))
            sock.connect_ex(server.addr)
        self.wait_until(lambda: self.queued(server) == 2, "its queue is full")
        load = self.load(server, connections=self.COUNT, **NEVER_ENDS)
        self.wait_until(lambda: len(self.connecting(server)) == self.COUNT, "they connect")
        server.kill9()
        r = load.done()
        self.assertEqual(r.code, NO_ANSWER, r)
        self.assertEnds(r, {("refused", "connecting", "ECONNREFUSED"): self.COUNT})
        c = r["connections"]
        self.assertEqual((c["attempts"], c["failed"], c["established"]), (self.COUNT, self.COUNT, 0), r)

    def connecting(self, server):
        return ss("-tn", "state", "syn-sent", f"src 127.0.0.1 and dport = :{server.port}")

    def test_while_they_wait_to_be_accepted(self):
        """For them they are connected, and their messages have been acknowledged."""
        server = self.held(backlog=4096)
        load = self.load(server, connections=self.COUNT, **NEVER_ENDS)
        self.wait_acknowledged(server.port, self.COUNT)
        self.assertEqual(self.queued(server), self.COUNT)
        server.kill9()
        r = load.done()
        self.assertEqual((r.code, r["connections"]["established"]), (NO_ANSWER, self.COUNT), r)
        self.assertEnds(r, {RESET: self.COUNT})
        self.lost(r, self.COUNT, acked=self.COUNT)

    # sending

    def test_while_they_send(self):
        """It has read nothing, so that the rest cannot leave: reset, in the middle of a message."""
        server, count = self.mute(reads=False), 10
        load = self.load(server, connections=count, size="64Mi", **NEVER_ENDS)
        self.assertTrue(server.out.wait_for(f"accepted {count}$"))
        self.wait_until(lambda: self.stuck(server.port) == count, "nothing more leaves", 60)
        server.kill9()
        r = load.done()
        self.assertEqual(r.code, NO_ANSWER, r)
        self.assertEnds(r, {("reset", "sending", "ECONNRESET"): count})
        self.lost(r, count, partial=count)

    def stuck(self, port):
        """How many of the client's sockets wait for a window to open."""
        lines = ss("-tno", "state", "established", f"dport = :{port}")
        return sum("timer:(persist" in line for line in lines)

    # awaiting

    def test_while_they_await_what_was_read(self):
        """Nothing is unread: the kernel says FIN for it."""
        server = self.mute(reads=True)
        load = self.load(server, connections=self.COUNT, pipeline=3, **NEVER_ENDS)
        self.assertTrue(server.out.wait_for(f"read {self.COUNT * 3 * 64}$"))
        self.wait_acknowledged(server.port, self.COUNT)
        server.kill9()
        r = load.done()
        self.assertEqual(r.code, NO_ANSWER, r)
        self.assertEnds(r, {("eof_early", "awaiting", None): self.COUNT})
        self.lost(r, 3 * self.COUNT, acked=3 * self.COUNT)

    def test_a_thousand_while_they_await_what_was_not_read(self):
        """All in one moment: a thousand outcomes."""
        server = self.mute(reads=False)
        load = self.load(server, connections=1000, threads=2, **NEVER_ENDS)
        self.assertTrue(server.out.wait_for("accepted 1000$", 60))
        self.wait_acknowledged(server.port, 1000)
        server.kill9()
        r = load.done()
        self.assertEqual(r.code, NO_ANSWER, r)
        self.assertEnds(r, {RESET: 1000})
        self.lost(r, 1000, acked=1000)
        self.assertEqual([o["messages_lost"] for o in r["outages"]], [1000], r)

    # closing

    def test_while_the_run_awaits_its_last_answers(self):
        """Sending is over, but what is owed was not given up: lost, not unfinished."""
        def killed(duration):
            server = self.mute(reads=True)
            load = self.load(server, connections=self.COUNT, progress="always", grace="10m",
                             **NEVER_ENDS | {"duration": duration})
            self.wait_until(load.past_end, "sending is over", 60)
            self.wait_until(server.sleeps, "all has been read")
            server.kill9()
            return load
        r = self.as_long_as_needed(killed, lambda r: r["messages"]["sent"] == self.COUNT, 0.2)
        self.assertEnds(r, {("eof_early", "awaiting", None): self.COUNT})
        self.lost(r, self.COUNT, acked=self.COUNT)
        self.assertEqual(r["messages"]["unfinished"], 0, r)

    def test_while_others_have_closed(self):
        """Two of three targets have answered all; the third dies with the last messages of the run: connections that
        were closed stay finished."""
        good = [self.echod(backend="epoll") for _ in range(2)]
        bad = self.mute(reads=True)
        load = self.load(good[0], f"127.0.0.1:{good[1].port}", f"127.0.0.1:{bad.port}", connections=30, messages=3000,
                         **LONG)
        self.assertTrue(bad.out.wait_for(f"read {10 * 64}$"))
        for server in good:
            self.wait_counters(server, lambda c: c.closed["eof"] == 10, "its clients have finished")
        bad.kill9()
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        self.assertEqual(r.outcomes, {("finished", "closing", None): 20, ("eof_early", "awaiting", None): 10}, r)
        self.assertEqual((r["messages"]["echoed"], r["messages"]["lost"]), (2990, 10), r)


@for_each_pair
class EachBackend(KilledCase):
    """The same by the servers themselves, whose sockets belong to one process, to many, or to a ring as well."""
    COUNT = 100

    def test_while_they_are_idle(self):
        server = self.echod(shutdown="default")
        load = self.load(server, connections=self.COUNT, **IDLE)
        self.wait_open(server, self.COUNT, 64)
        self.wait_counters(server, lambda c: c.sent == 64, "the one message is answered")
        self.kill(server)
        r = load.done()
        self.assertEnds(r, {("eof", "idle", None): self.COUNT})
        m = r["messages"]
        self.assertEqual((r.code, m["sent"], m["echoed"], m["lost"]), (VERDICT, 1, 1, 0), r)
        self.assertEqual([o["messages_lost"] for o in r["outages"]], [0], r)

    def test_while_they_close(self):
        """Connections come and go. What had been closed is finished, what was open is lost, once each."""
        server = self.echod(shutdown="default")
        load = self.load(server, connections=self.COUNT, churn=2, **NEVER_ENDS)
        self.wait_counters(server, lambda c: c.accepted > 5 * self.COUNT, "many have come and gone", 60)
        self.kill(server)
        r = load.done()
        self.assertEqual(r.code, VERDICT, r)
        died = {k: n for k, n in r.errors.items() if k[1] != "connecting"}
        self.assertLessEqual({cause for cause, _, _ in died}, {"reset", "eof_early", "eof"}, r)
        self.assertLessEqual({cause for cause, phase, _ in r.errors if phase == "connecting"}, {"refused", "reset"}, r)
        self.assertEqual(sum(r.errors.values()), self.COUNT, "each requested connection ends in one error")
        finished, m = r.outcomes[("finished", "closing", None)], r["messages"]
        self.assertEqual(r["connections"]["established"], finished + sum(died.values()), r)
        self.assertTrue(2 * finished <= m["echoed"] <= 2 * finished + sum(died.values()), r)
        self.assertEqual((m["unfinished"], m["corrupt"]), (0, 0), r)
