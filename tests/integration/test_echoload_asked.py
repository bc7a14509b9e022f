# SPDX-License-Identifier: MIT
"""What was asked for and never happened: exit 5, with what was asked and what was reached, never a silent 0."""
from echolab import OK, USAGE, rst, slow
from loadlab import INCONCLUSIVE, LONG, LoadCase, echo_all, for_each_client, target_text


@for_each_client
class EachAsked(LoadCase):
    def inconclusive(self, reason, **options):
        r = self.run_load(self.peer(echo_all), code=INCONCLUSIVE, **LONG | {"warmup": "0s"} | options)
        self.assertRegex(r["exit"]["reason"], reason, r)
        return r

    def test_connections_that_the_time_was_too_short_for(self):
        r = self.inconclusive(r"^only \d+ of 2000 connections were ever open; --connect-rate is 20 each second$",
                              connections=2000, connect_rate=20, duration="500ms")
        self.assertEqual(r["connections"]["reached"], r["connections"]["established"], r)
        self.assertLess(r["connections"]["reached"], 1000, r)

    def test_connections_that_were_to_be_held_idle(self):
        r = self.inconclusive(r"^only \d+ of 2000 connections were ever open, those of --idle included;",
                              connections=1, idle=1999, connect_rate=20, duration="500ms")
        self.assertEqual(sum(t["connections"]["reached"] for t in r["targets"]), r["connections"]["reached"])

    def test_connections_that_the_messages_were_too_few_for(self):
        self.inconclusive(r"^only \d+ of 1000 connections were ever open;", connections=2000, connect_rate=20,
                          messages=1000)
        r = self.run_load(self.peer(echo_all), connections=50, messages=3, **LONG)
        self.assertEqual(r["connections"]["requested"], 50, "three of them have something to do")

    def test_with_churn_every_connection_has_its_turn(self):
        self.inconclusive(r"^only \d+ of 500 connections were ever open;", connections=500, churn=1, connect_rate=20,
                          duration="500ms")
        peer = self.peer(echo_all)
        r = self.as_long_as_needed(lambda duration: self.load(peer, connections=5, churn=1, duration=duration, **LONG),
                                   lambda r: r["connections"]["reached"] == 5 and r["measured"]["sent"], 1)
        self.assertEqual((r.code, r["connections"]["reached"]), (OK, 5), r)
        self.assertGreater(r["connections"]["established"], 5)

    def test_a_churn_that_no_connection_came_to(self):
        self.inconclusive(r"^no connection came to the 1000000000 messages of --churn: none was made anew, each had ",
                          connections=2, churn=10 ** 9, duration="200ms")

    def test_time_and_messages_that_were_left_when_no_connection_was(self):
        """Errors may be ignored; that most of the run did not take place may not."""
        def script(sock, n):
            sock.sendall(sock.recv(64))
            sock.sendall(sock.recv(64))
            rst(sock)
        r = self.run_load(self.peer(script), "-i", connections=2, duration="1h", warmup="0s", code=INCONCLUSIVE, **LONG)
        self.assertRegex(r["exit"]["reason"], r"^only [\d.]+ \S+ of 3600 s were measured: no connection was left$")
        r = self.run_load(self.peer(script), "-i", connections=2, messages=1000, code=INCONCLUSIVE, **LONG)
        self.assertRegex(r["exit"]["reason"], r"^only \d+ of 1000 messages were sent: no connection was left$")
        r = self.run_load(self.peer(script), "-i", connections=2, messages=4, code=None, **LONG)
        self.assertEqual((r.code, r["messages"]["sent"]), (OK, 4), r)

    def test_more_threads_than_connections(self):
        r = self.run_echoload("-t", "8", "-c", "3", target_text(self.peer(echo_all)))
        self.assertEqual((r.code, r.err), (USAGE, "echoload: error: --threads: 8 for 3 connections: each needs one\n"))
        r = self.run_load(self.peer(echo_all), connections=1, threads=0, messages=3, **LONG)
        self.assertEqual(r["context"]["threads"], 1)
