# SPDX-License-Identifier: MIT
"""echoload is interrupted, misused, or cannot write: what it found is still said, with the right exit code."""
import os
import signal
import threading

from echolab import ENVIRONMENT, NO_ANSWER, USAGE, end_of, recv_exactly, slow
from loadlab import LONG, LoadCase, echo_all, for_each_client, silence


@for_each_client
class EachSignal(LoadCase):
    def test_interrupted_in_the_middle(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number.name):
                server = self.echod()
                load = self.load(server, connections=50, duration="10m", warmup="0s", threads=2, **LONG)
                self.wait_open(server, 50, 10_000)
                load.send_signal(number)
                r = load.done()
                self.assertEqual(r.code, code, r)
                self.assertTrue(r["interrupted"])
                self.assertIn(number.name, r["exit"]["reason"])
                self.assertIn("interrupted", r.out)
                self.assertRegex(r.out, r"messages +[\d,]+ sent, [\d,]+ echoed")
                c = r["connections"]
                self.assertEqual((c["attempts"], c["connecting_at_end"] + c["open_at_end"]), (50, 50), r)
                self.assertEqual((r.errors, r["messages"]["lost"]), ({}, 0), r)
                self.assertGreater(r["messages"]["echoed"], 0)
                self.assertLessEqual(r["messages"]["unfinished"], 50)

    def test_interrupted_while_connecting(self):
        peer = self.full_peer()
        load = self.load(peer, connections=10, duration="10m", progress="always", **LONG)
        self.wait_until(lambda: load.live(), "it runs")
        r = load.interrupted()
        c = r["connections"]
        self.assertEqual((c["attempts"], c["connecting_at_end"] + c["open_at_end"], c["failed"]), (10, 10, 0), r)

    def test_interrupted_while_waiting_to_connect_again(self):
        load = self.load(self.closed_port(), connections=10, duration="10m", reconnect="backoff 1h..1h",
                         progress="always", **LONG)
        self.wait_until(lambda: load.live() and load.live()[-1][2] >= 10, "all have been refused")
        r = load.interrupted(signal.SIGTERM)
        self.assertEqual(r.errors, {("refused", "connecting", "ECONNREFUSED"): 10}, r)
        self.assertEqual(r["connections"]["connecting_at_end"], 0)

    def test_interrupted_while_it_awaits_what_is_owed(self):
        def interrupted(duration):
            load = self.load(self.peer(silence), connections=3, duration=duration, warmup="0s", grace="1h",
                             progress="always", **LONG)
            self.wait_until(load.past_end, "sending is over", 60)
            load.send_signal(signal.SIGINT)
            return load
        r = self.as_long_as_needed(interrupted, lambda r: r["messages"]["sent"] == 3, 0.1)
        self.assertEqual((r.code, r["messages"]["unfinished"], r["connections"]["open_at_end"]), (130, 3, 3), r)

    def test_interrupted_with_large_messages_half_way(self):
        done = threading.Event()

        def script(sock, n):
            sock.sendall(recv_exactly(sock, 100000))
            done.wait(slow(60))
        peer = self.peer(script, rcvbuf=4096)
        self.addCleanup(done.set)
        load = self.load(peer, connections=5, size="64Mi", duration="10m", warmup="0s",
                         progress="always", **LONG)
        self.wait_until(lambda: load.live() and load.live()[-1][1] == 5, "all are open")
        r = load.interrupted()
        self.assertEqual((r["messages"]["unfinished"], r["connections"]["open_at_end"]), (5, 5), r)

    def test_a_message_that_is_cut_by_the_end_is_followed_by_a_reset(self):
        """A FIN would say to the server that this was all."""
        for signals in (1, 2):
            with self.subTest(signals=signals):
                done, ends = threading.Event(), []

                def script(sock, n):
                    recv_exactly(sock, 1)
                    done.wait(slow(60))
                    ends.append(end_of(sock))
                peer = self.peer(script, rcvbuf=4096)
                self.addCleanup(done.set)
                load = self.load(peer, connections=3, size="64Mi", duration="10m", warmup="0s", progress="always",
                                 **LONG)
                self.wait_until(lambda: load.live() and load.live()[-1][1] == 3, "all are open")
                with load.held():
                    for number in (signal.SIGINT, signal.SIGTERM)[:signals]:
                        load.send_signal(number)
                load.done()
                done.set()
                self.wait_until(lambda: len(ends) == 3, "the server has seen all ends")
                self.assertEqual(ends, ["ECONNRESET"] * 3)

    def test_a_second_signal_ends_it_at_once(self):
        """Both are there before it looks: the result is written all the same, and its books balance."""
        server = self.echod()
        load = self.load(server, connections=200, duration="10m", warmup="0s", size="64Ki", **LONG)
        self.wait_open(server, 200, 1_000_000)
        load.send_signal(signal.SIGSTOP)
        load.send_signal(signal.SIGINT)
        load.send_signal(signal.SIGTERM)
        load.send_signal(signal.SIGCONT)
        r = load.done()
        self.assertIn(r.code, (130, 143), r)
        self.assertTrue(r["interrupted"])

    def test_under_nohup_or_in_a_scripts_background_the_terminal_ends_nothing(self):
        server = self.echod()
        load = self.load(server, connections=5, duration="10m", warmup="0s",
                         prefix=["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh"], **LONG)
        self.wait_open(server, 5, 1000)
        load.send_signal(signal.SIGHUP)
        load.send_signal(signal.SIGINT)
        self.wait_open(server, 5, server.counters().received + 1_000_000)
        r = load.interrupted(signal.SIGTERM)
        self.assertEqual(r["connections"]["open_at_end"], 5, r)

    def test_an_interrupt_after_errors_tells_them(self):
        def script(sock, n):
            if n < 3:
                return recv_exactly(sock, 64)
            return echo_all(sock)
        load = self.load(self.peer(script), connections=10, duration="10m", warmup="0s", progress="always", **LONG)
        self.wait_until(lambda: load.live() and load.live()[-1][2] == 3, "three have ended")
        r = load.interrupted()
        self.assertEqual((sum(r.errors.values()), r["connections"]["open_at_end"]), (3, 7), r)
        self.assertRegex(r["exit"]["reason"], "interrupted by SIGINT; 3 connections ended in")


class Input(LoadCase):
    """One clear line with its place, and nothing left behind."""

    def fails(self, argv, code, words, env=None, prefix=()):
        r = self.run_echoload(*argv, env=env, prefix=prefix)
        self.assertEqual(r.code, code, r)
        self.assertEqual(r.out, "")
        self.assertRegex(r.err, rf"\Aecholoa[d]: [^\n]*{words}[^\n]*\n\Z")

    def test_targets(self):
        for argv, words in (([], "no target"), (["127.0.0.1"], "127.0.0.1'.*(?i:port)"),
                            (["127.0.0.1:0"], "127.0.0.1:0"),
                            (["127.0.0.1:65536"], "65536"), (["127.0.0.1:http!"], "http!"), ([":7"], "':7'"),
                            (["[::1:7"], "::1"), (["no-such-host.invalid:7"], "no-such-host.invalid:7'")):
            with self.subTest(argv=argv):
                self.fails(argv, USAGE, words)

    def test_values(self):
        target = "127.0.0.1:7"
        for key, value in (("size", "0"), ("size", "2Gi"), ("size", "10..5"), ("size", "0..5"), ("connections", "0"),
                           ("connections", "-1"), ("connections", "many"), ("connections", "2M"), ("pipeline", "0"),
                           ("pipeline", "65537"), ("duration", "0s"), ("duration", "10"), ("timeout", "-1s"),
                           ("reconnect", "sometimes"), ("reconnect", "backoff 1s"), ("reconnect", "backoff 1s..1ms"),
                           ("reconnect", "backoff 0ms..1s"), ("verify", "perhaps"), ("backend", "select"),
                           ("cpus", "9-0"), ("congestion", "nosuch"), ("output", "xml"), ("progress", "sometimes"),
                           ("threads", "1025"), ("seed", "x"), ("stall", "0s"), ("keepalive", "1s"),
                           ("user_timeout", "1us")):
            with self.subTest(key=key, value=value):
                option = "--" + key.replace("_", "-")
                self.fails([f"{option}={value}", target], USAGE, option)
                path = str(self.config_file(f"[global]\n\n{key} = {value}\n"))
                self.fails(["-f", path, target], USAGE, f"{path}:3: .*{key}")
                self.fails([target], USAGE, f"ECHOLOAD_{key.upper()}", env={f"ECHOLOAD_{key.upper()}": value})

    def test_options_that_are_none(self):
        for argv, words in ((["--conections=3"], "conections.*connections"), (["--seeds", "3"], "seeds.*seed"),
                            (["-x"], "-x"), (["-c"], "-c|connections"), (["--textbook"], "textbook.*interactive")):
            with self.subTest(argv=argv):
                at = 1 if len(argv) > 1 else 0  # a word that is missing after an option stays missing
                self.fails([*argv[:at], "127.0.0.1:7", *argv[at:]], USAGE, words)

    def test_a_backend_that_only_serves(self):
        self.fails(["--backend", "fork", "127.0.0.1:7"], USAGE, "fork.*dial")

    def test_a_config_file_that_is_wrong_or_missing(self):
        path = str(self.config_file("[global]\nconections = 3\n"))
        self.fails(["-f", path, "127.0.0.1:7"], USAGE, f"{path}:2: .*conections.*connections")
        path = str(self.config_file("[server]\nconnections = 3\n"))
        self.fails(["-f", path, "127.0.0.1:7"], USAGE, f"{path}:1|{path}:2")
        self.fails(["-f", "/nonexistent.conf", "127.0.0.1:7"], USAGE, "/nonexistent.conf.*No such file")

    def test_too_few_descriptors(self):
        for argv, need in ((["-c100"], "100 connections and 1 thread need 166"),
                           (["-c100", "-t40"], "100 connections and 40 threads need 244"),
                           (["-c1", "--idle", "99"], "100 connections and 1 thread need 166")):
            self.fails([*argv, "127.0.0.1:7"], ENVIRONMENT, f"{need} descriptors, the limit is 150",
                       prefix=["prlimit", "--nofile=150:150"])

    def test_the_soft_limit_of_descriptors_is_raised(self):
        r = self.run_load(self.echod(), connections=200, messages=400, prefix=["prlimit", "--nofile=50:1000"], **LONG)
        self.assertAllEchoed(r, 400)

    def test_a_file_that_cannot_be_written(self):
        peer = self.peer(echo_all)
        for path, words in (("/nonexistent/x.json", "/nonexistent/x.json.*No such file"), ("/tmp", "/tmp")):
            with self.subTest(path=path):
                self.fails(["-n10", "-oquiet", "--json", path, f"127.0.0.1:{peer.port}"], ENVIRONMENT, words)

    def test_a_full_disk(self):
        peer = self.peer(echo_all)
        for output in ("text", "json"):
            with self.subTest(output=output), open("/dev/full", "wb") as full:
                r = self.run_echoload("-n10", "-o", output, f"127.0.0.1:{peer.port}", stdout=full)
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertRegex(r.err, r"\Aechoload: [^\n]*No space left[^\n]*\n\Z")

    def test_a_reader_that_left(self):
        peer = self.peer(echo_all)
        ours, its = os.pipe()
        os.close(ours)
        with open(its, "wb") as closed:
            r = self.run_echoload("-n10", f"127.0.0.1:{peer.port}", stdout=closed)
        self.assertEqual(r.code, ENVIRONMENT, r)

    def test_names_are_looked_up(self):
        server = self.echod(listen=["127.0.0.1:0"])
        r = self.run_load(f"localhost:{server.port}", messages=10, code=None, **LONG)
        if r.code == NO_ANSWER:
            self.assertEqual(r.causes, {"refused"}, "::1 comes first here")
        else:
            self.assertAllEchoed(r, 10)
