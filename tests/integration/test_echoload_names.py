# SPDX-License-Identifier: MIT
"""One event on the wire has one name, whichever call is told of it first and in whichever backend: what the server did
first decides. A FIN before a reset is an end of input, although the send that meets the reset fails with EPIPE; a reset
before a FIN is a reset, although the receive that comes after a failed send says 0 (both Linux: tcp_reset)."""
import subprocess
import threading

from echolab import Process, half_close, program, recv_exactly, recv_to_end, rst, slow
from loadlab import LONG, LoadCase, for_each_client, readable, target_text

MIB = 1 << 20
EOF, EARLY, RESET = ("eof", None), ("eof_early", None), ("reset", "ECONNRESET")


class OrderCase(LoadCase):
    """The program stands still while the server does all of what a word says, so that the order is the only one:
    (T)ake the request, (A)nswer it, answer a (p)art, (F)IN, (R)eset, (C)lose. What it can read later is kept."""

    def peer_that(self, acts, request=64, first=0, **how):
        """A server that echoes `first` requests, lets begun() return, and acts when go is set; acted is set then."""
        self.begun, self.go, self.acted, self.read = (threading.Event() for _ in range(4))
        done = threading.Event()

        def script(sock, n):
            data = b""
            for _ in range(first):
                sock.sendall(recv_exactly(sock, request))
            if "T" in acts or not first:
                readable(sock)
            self.begun.set()
            self.go.wait(slow(60))
            for act in acts:
                if act == "T":
                    data = recv_exactly(sock, request)
                elif act in "Ap":
                    sock.sendall(data if act == "A" else data[:40])
                elif act == "F":
                    half_close(sock)
                elif act == "R":
                    rst(sock)
                elif act == "C":
                    sock.close()
            self.acted.set()
            self.later = recv_to_end(sock)[0] if sock.fileno() >= 0 and "T" in acts else b""
            self.read.set()
            done.wait(slow(60))
        peer = self.peer(script, **how)
        self.addCleanup(done.set)
        self.addCleanup(self.go.set)
        return peer

    def act(self, program):
        """All that the server does, at once."""
        self.assertTrue(self.begun.wait(slow(60)))
        with program.held():
            self.go.set()
            self.assertTrue(self.acted.wait(slow(60)))


@for_each_client
class EachName(OrderCase):
    def ends(self, acts, end, phase, sent=1, echoed=0, partial=0, lost=None, **options):
        with self.subTest(acts=acts, phase=phase):
            first = options.pop("first", 0)
            how = {k: options.pop(k) for k in ("rcvbuf",) if k in options}
            load = self.load(self.peer_that(acts, first=first, **how), connections=1,
                             **LONG | {"messages": 100} | options)
            self.act(load)
            r = load.done()
            self.assertEqual(r.errors, {(end[0], phase, end[1]): 1}, r)
            m = r["messages"]
            self.assertEqual((m["sent"], m["echoed"], m["lost"]), (sent, echoed, sent - echoed), r)
            self.assertEqual(r["bytes"]["partial"], partial, r)
            if lost:
                self.assertEqual(set(r.lost), {lost}, r)

    def test_while_an_answer_is_awaited(self):
        self.ends("TF", EARLY, "awaiting")
        self.ends("TR", RESET, "awaiting")
        self.ends("TFR", EARLY, "awaiting")
        self.ends("TC", EARLY, "awaiting")
        self.ends("C", RESET, "awaiting")  # the request was not read
        self.ends("FC", EARLY, "awaiting")
        self.ends("FR", EARLY, "awaiting")

    def test_behind_a_part_of_the_answer(self):
        self.ends("TpF", EARLY, "awaiting", partial=40)
        self.ends("TpR", RESET, "awaiting", partial=40)
        self.ends("TpFR", EARLY, "awaiting", partial=40)

    def test_behind_the_answer(self):
        """What is sent next is accepted behind a FIN, and meets a reset."""
        self.ends("TAF", EARLY, "awaiting", sent=2, echoed=1)
        self.ends("TAC", EARLY, "awaiting", sent=2, echoed=1)
        self.ends("TAR", RESET, "sending", sent=2, echoed=1, lost="unsent")
        self.ends("TAFR", EARLY, "sending", sent=2, echoed=1, lost="unsent")

    def test_only_what_was_not_sent_is_safe_to_repeat(self):
        """A server that drains reads what its clients send behind its FIN: no acknowledgement of it need be seen."""
        for acts, received, lost, words in (
                ("TAF", 64, {"unacked", "acked"}, "may have been processed"),
                ("TAFR", 0, {"unsent"}, "not sent: safe to repeat")):
            with self.subTest(acts=acts):
                load = self.load(self.peer_that(acts), connections=1, messages=100, **LONG)
                self.act(load)
                r = load.done()
                self.assertTrue(self.read.wait(slow(60)))
                self.assertEqual((r["messages"]["lost"], len(self.later)), (1, received), r)
                self.assertLessEqual(set(r.lost), lost, r)
                self.assertRegex(r.out, rf"lost messages\n +1  .*{words}")

    def test_with_several_messages_on_their_way(self):
        many = {"pipeline": 10, "sent": 10, "size": 64}
        self.ends("TF", EARLY, "awaiting", **many)
        self.ends("TFR", EARLY, "awaiting", **many)
        self.ends("TAR", RESET, "sending", **many | {"sent": 11, "echoed": 1})
        self.ends("TAFR", EARLY, "sending", **many | {"sent": 11, "echoed": 1})

    def test_while_nothing_is_owed(self):
        idle = {"messages": None, "rate": 0.001, "duration": "10m", "first": 1, "sent": 1, "echoed": 1}
        self.ends("F", EOF, "idle", **idle)
        self.ends("R", RESET, "idle", **idle)
        self.ends("FR", EOF, "idle", **idle)
        self.ends("C", EOF, "idle", **idle)

    def test_in_the_middle_of_a_large_message(self):
        large = {"messages": 1, "size": "64Mi", "rcvbuf": 4096, "lost": "partial"}
        self.ends("F", EARLY, "sending", **large)
        self.ends("R", RESET, "sending", **large)
        self.ends("FR", EARLY, "sending", **large)
        self.ends("C", RESET, "sending", **large)
        self.ends("FC", EARLY, "sending", **large)

    def test_a_fin_that_is_answered_by_what_is_sent(self):
        """Nobody stands still: the server shuts both sides while more is on its way, which draws the reset."""
        def script(sock, n):
            sock.setblocking(False)
            taken = 0
            while True:
                try:
                    taken += len(sock.recv(1 << 16))
                except BlockingIOError:
                    if taken > 200_000:
                        return sock.close()
                    readable(sock)
        for _ in range(10):
            r = self.run_load(self.peer(script), connections=8, messages=8, size="64Mi", code=None, **LONG)
            # which of the two is a matter of what had arrived when it closed
            self.assertLessEqual({(cause, name) for cause, _, name in r.errors}, {EARLY, RESET}, r)


class Interactive(OrderCase):
    """The client for people gives the same names."""

    def ends(self, acts, said, **how):
        with self.subTest(acts=acts):
            peer = self.peer_that(acts, **how)
            client = self.keep(Process([*program("echoload"), "--interactive", target_text(peer)],
                                       stdin=subprocess.PIPE))
            typing = threading.Thread(target=self.type, args=[client, how.get("rcvbuf")], daemon=True)
            typing.start()
            if how.get("rcvbuf"):
                self.wait_until(lambda: self.nothing_leaves(peer.port), "nothing more leaves", 60)
            self.act(client)
            self.assertTrue(client.err.wait_for(said), client.said())
            client.wait()
            typing.join(slow(20))

    def type(self, client, large):
        try:
            client.stdin.write(b"x" * 63 + b"\n")
            while large:
                client.stdin.write(bytes(65536))
        except BrokenPipeError:
            pass

    def test_while_the_line_is_awaited(self):
        self.ends("TF", r"\(eof_early, phase awaiting\)")
        self.ends("TR", r"ECONNRESET: the server is gone \(reset, phase awaiting\)")
        self.ends("TFR", r"\(eof_early, phase awaiting\)")
        self.ends("TpR", r"ECONNRESET: the server is gone \(reset, phase awaiting\)")

    def test_while_much_is_typed(self):
        self.ends("FR", r"\(eof_early, phase sending\)", rcvbuf=4096)
        self.ends("R", r"ECONNRESET: the server is gone \(reset, phase sending\)", rcvbuf=4096)
        self.ends("TpFR", r"\(eof_early, phase sending\)", rcvbuf=4096)
        self.ends("TpR", r"ECONNRESET: the server is gone \(reset, phase sending\)", rcvbuf=4096)
