# SPDX-License-Identifier: MIT
"""What Prometheus is told of echod, and by whom: counters that are right, HTTP that is bounded, a file that is whole."""
import contextlib
import os
import re
import select
import signal
import socket
import threading
import time
import unittest
from pathlib import Path

from echolab import ENVIRONMENT, OK, ROOT, USAGE, covers, fill, for_each_backend, not_in, pattern, slow
from loadlab import LoadCase
from metricslab import MetricsCase, Samples, promtool
from takeoverlab import TakeoverCase, backends

RULES = ROOT / "configs/prometheus"


def tasks(pid):
    """{name of a thread: its folder in /proc}, of those that have one alone."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ends meanwhile
            found[(task / "comm").read_text().strip()] = task
    return found


def descriptors(folder):
    """What its descriptors are."""
    found = []
    for fd in (folder / "fd").iterdir():
        try:
            found.append(os.readlink(fd))
        except FileNotFoundError:  # it looked at the folder itself
            pass
    return found


def listener(port):
    """What a descriptor of the socket that listens there is."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == f"0100007F:{port:04X}" and fields[3] == "0A":
            return f"socket:[{fields[9]}]"
    return None


@for_each_backend
class EachMetrics(MetricsCase, LoadCase):
    @covers("echod", "metrics_listen")
    def test_a_scrape_says_what_the_report_does(self):
        server = self.echod(metrics_listen=0)
        at = self.metrics_of(server)
        socks = [self.connect(server) for _ in range(3)]
        for sock in socks:
            self.assertEcho(sock, b"x" * 1000)
        socks.pop().close()
        self.wait_counters(server, lambda c: c.open == 2 and c.received == 3000 and c["echoes"] >= 3, "two are left")
        counters, scraped = server.counters(), self.scrape(at)
        for key, value in counters.items():
            if f"echod_{key}" in {name for name, _ in scraped}:
                self.assertEqual(scraped.sum(f"echod_{key}"), value, key)
            else:
                self.assertEqual(scraped.sum(f"echod_{key}_total"), value, key)
        self.assertEqual(scraped.sum("echod_connections_closed_total", cause="eof"), 1)
        self.assertEqual(scraped.sum("echod_connections_closed_total", cause="reset"), 0)  # there from the beginning
        self.assertEqual(len(scraped.all("echod_connections_open")), server.workers)
        self.assertEqual(scraped.sum("echod_build_info", backend=server.backend), 1)
        self.assertEqual(scraped("echod_connections_limit"), 10000)

    def test_promtool_has_nothing_to_say_of_it(self):
        server = self.echod(metrics_listen=0, workers=1)
        self.assertEcho(self.connect(server), b"x")
        self.assertClean(self.http(self.metrics_of(server)).body)

    def test_turns_of_the_loop_are_counted_and_some_are_timed(self):
        server = self.echod(metrics_listen=0)
        at = self.metrics_of(server)
        before = self.scrape(at)
        for _ in range(64):  # fork serves them elsewhere: its loop turns when they come and go
            with self.connect(server) as sock:
                self.assertEcho(sock, b"x" * 100)
        self.wait_counters(server, lambda c: c.open == 0, "all have gone")
        # one is counted when it is over, which is after what it did
        after = self.wait_samples(at, lambda s: s.sum("echod_loop_events_count") >=
                                  before.sum("echod_loop_events_count") + 64, "each was accepted in a turn of its own")
        timed = after.sum("echod_loop_duration_seconds_count")
        self.assertGreaterEqual(after.sum("echod_loop_events_sum") - before.sum("echod_loop_events_sum"), 64)
        self.assertAlmostEqual(timed, after.sum("echod_loop_events_count") / 16, delta=server.workers)
        self.assertGreater(after.sum("echod_loop_duration_seconds_sum"), 0)
        for name in ("echod_loop_events", "echod_loop_duration_seconds"):
            for worker in range(server.workers):
                row = [n for key, n in sorted(after.all(f"{name}_bucket").items(), key=lambda b: float(dict(b[0])["le"]))
                       if dict(key)["worker"] == str(worker)]
                self.assertEqual(row, sorted(row))
                self.assertEqual(row[-1], after(f"{name}_count", worker=worker))
        self.assertGreater(after.sum("echod_worker_cpu_seconds_total"), 0)

    def test_of_the_process_it_says_what_the_kernel_does(self):
        server = self.echod(metrics_listen=0)
        at = self.metrics_of(server)
        socks = [self.connect(server) for _ in range(20)]
        self.wait_counters(server, lambda c: c.open == 20, "all are there")
        s = self.scrape(at)
        known = server.descriptors()
        # it had the connection of the scrape too, and the kernel may be slow to take it away
        self.assertAlmostEqual(s("process_open_fds"), known, delta=3)
        self.assertGreater(s("process_max_fds"), 20)
        self.assertGreater(s("process_resident_memory_bytes"), 1 << 20)
        self.assertGreater(s("process_cpu_seconds_total"), 0)
        self.assertAlmostEqual(s("process_start_time_seconds"), time.time(), delta=slow(60))
        del socks

    def test_only_get_and_head_of_one_path(self):
        server = self.echod(metrics_listen=0)
        at = self.metrics_of(server)
        full = self.http(at)
        self.assertEqual(full.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        head = self.http(at, "HEAD")
        self.assertEqual((head.status, head.body), (200, ""))
        self.assertAlmostEqual(int(head.headers["Content-Length"]), len(full.body), delta=100)
        for path in ("/", "/metrics/", "/metric", "/metrics2", "//metrics", "/%2e%2e/metrics", "/metrics%00x"):
            self.assertEqual(self.http(at, path=path).status, 404, path)
        self.assertEqual(self.http(at, path="/metrics?collect[]=x").status, 200)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
            answer = self.http(at, method, body=b"x" * 100 if method == "POST" else None)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"), method)
        self.assertEqual(self.http(at, "POST", "/", body=b"x").status, 404)

    def test_what_is_no_request_ends_only_its_own_connection(self):
        server = self.echod(metrics_listen=0)
        at = self.metrics_of(server)
        for part in (b"\0\1\2\3\r\n\r\n", b"\x16\x03\x01\x02\0\1", b"GET /metrics HTTP/1.1\r\nHo"):
            with self.connect(at) as sock:  # it waits for more, 10 s at most
                sock.sendall(part)
        for nonsense in (b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"a" * 100_000,
                         b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"):
            with self.subTest(nonsense=nonsense[:40]), self.connect(at) as sock:
                try:
                    sock.sendall(nonsense)
                    sock.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: sock.recv(65536), b""))
                except (ConnectionResetError, BrokenPipeError):
                    answer = b""
                self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
        self.assertGreater(self.scrape(at)("process_open_fds"), 0)
        self.assertEcho(self.connect(server), b"x")

    def test_peers_that_say_nothing_cost_no_more_than_there_may_be(self):
        server = self.echod(metrics_listen=0)
        at = self.metrics_of(server)
        self.scrape(at)
        before = server.descriptors()
        silent = [self.connect(at) for _ in range(24)]  # those past 16 wait to be accepted
        self.wait_until(lambda: server.descriptors() >= before + 15, "they are accepted")
        self.assertLessEqual(server.descriptors(), before + 16)
        self.assertEcho(self.connect(server), b"x")
        for sock in silent:
            sock.close()
        self.assertGreater(self.scrape(at)("process_open_fds"), 0)

    def test_its_thread_takes_no_signal(self):
        server = self.echod(metrics_listen=0)
        self.metrics_of(server)
        named = self.wait_until(lambda: tasks(server.pid).get("metrics"), "the thread has its name")
        status = (named / "status").read_text()
        blocked = int(re.search(r"^SigBlk:\s+(\w+)", status, re.M)[1], 16)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGCHLD,
                       signal.SIGPIPE):
            self.assertTrue(blocked >> (number - 1) & 1, number)

    def test_it_is_scraped_while_it_drains_and_gone_when_it_has_ended(self):
        server = self.echod(metrics_listen=0, shutdown="drain 60s")
        at = self.metrics_of(server)
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        half = self.connect(at)
        half.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")  # and never the rest
        server.send_signal(signal.SIGTERM)
        self.wait_until(lambda: not listener(server.port), "it accepts nobody")
        self.assertEqual(self.scrape(at).sum("echod_connections_open"), 1)
        began = time.monotonic()
        sock.close()
        self.assertEqual(server.wait(), OK)
        self.assertLess(time.monotonic() - began, slow(5))
        self.assertNobodyHome(at)

    def test_who_was_accepted_just_before_the_end_is_answered(self):
        for _ in range(10):
            server = self.echod(metrics_listen=0)
            at = self.metrics_of(server)
            before = server.descriptors()
            sock = self.connect(at)
            self.wait_until(lambda s=server, b=before: s.descriptors() > b, "it is accepted")
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            self.wait_until(lambda s=server: not listener(s.port), "it ends")
            closed = select.select([sock], [], [], 0.1)[0]  # had it not waited for the request
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            late = time.monotonic() - began > 0.5  # of the second that it waits: the machine is busy
            self.assertTrue(late or not closed, "it was closed before its request came")
            if not late:
                self.assertIn(b"echod_build_info", sock.makefile("rb").read())
                self.assertEqual(server.wait(), OK)
                return
        self.fail("never within half a second")

    @covers("echod", "metrics_file", "metrics_interval")
    def test_a_file_that_is_always_whole(self):
        path = self.folder() / "echod.prom"
        server = self.echod(metrics_file=path, metrics_interval="100ms")
        self.assertClean(path.read_text())  # there before it says that it listens
        sock = self.connect(server)
        seen = 0
        deadline = time.monotonic() + slow(10)
        while seen < 5:
            self.assertLess(time.monotonic(), deadline)
            self.assertEcho(sock, b"x" * 100)
            text = path.read_text()
            self.assertTrue(text.endswith("\n") and "process_start_time_seconds " in text, text[-100:])
            seen = Samples(text).sum("echod_received_bytes_total") // 100
        sock.close()
        self.assertEqual(server.stop(), OK)
        last = Samples(path.read_text())  # of the end
        self.assertEqual(last.sum("echod_connections_open"), 0)
        self.assertEqual(last.sum("echod_connections_closed_total"), 1)
        self.assertEqual([p.name for p in path.parent.iterdir()], ["echod.prom"])
        self.assertEqual(path.stat().st_mode & 0o444, 0o444)

    def test_a_file_that_cannot_be_written_any_more_is_said_once(self):
        folder = self.folder() / "gone"
        folder.mkdir()
        path = folder / "echod.prom"
        server = self.echod(metrics_file=path, metrics_interval="100ms")
        path.unlink()
        self.wait_until(path.exists, "it is written again")
        aside = folder.rename(folder.parent / "aside")
        self.assertTrue(server.err.wait_for(rf"warning: cannot write metrics to {path}: No such file"), server.said())
        aside.rename(folder)
        path.unlink()
        self.wait_until(path.exists, "it is written again")
        self.assertEqual(server.err.text.count("cannot write metrics"), 1, server.said())


class Metrics(MetricsCase, LoadCase):
    """What no backend changes."""

    def fails(self, r, code, words):
        self.assertEqual(r.code, code, r)
        self.assertRegex(r.err, words)
        self.assertEqual(r.err.count("\n"), 1, r.err)

    def test_an_address_in_use_is_said_with_its_place(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            words = f"cannot listen on 127.0.0.1:{port}: Address already in use"
            r = self.run_echod(config=f"[server]\nworkers = 1\n[metrics]\nlisten = {port}\n")
            self.fails(r, ENVIRONMENT, rf"echod.conf:4: .*{words}")
            self.fails(self.run_echod(metrics_listen=port), ENVIRONMENT, f"--metrics-listen: {words}")

    def test_two_echods_do_not_share_an_address(self):
        server = self.echod(metrics_listen=0)
        r = self.run_echod(metrics_listen=self.metrics_of(server)[1])
        self.fails(r, ENVIRONMENT, "cannot listen on .*Address already in use")

    def test_a_file_whose_folder_is_not_there(self):
        self.fails(self.run_echod(metrics_file="/nonexistent/a.prom"), ENVIRONMENT,
                   "--metrics-file: cannot write /nonexistent/a.prom: No such file or directory")

    def test_values_that_are_none(self):
        for key, value in (("listen", "localhost"), ("listen", "70000"), ("listen", "1.2.3:9"), ("listen", "-1"),
                           ("listen", "tcp:9907"), ("file", "metrics.txt"), ("file", ".prom"), ("interval", "10ms"),
                           ("interval", "off")):
            with self.subTest(key=key, value=value):
                self.fails(self.run_echod("--check", config=f"[metrics]\n{key} = {value}\n"), USAGE,
                           rf"echod.conf:2: .*{key}")

    def test_off_is_the_default_and_a_port_alone_is_of_the_loopback(self):
        printed = self.run_echod("--print-config", listen=None).out
        self.assertRegex(printed, r"(?s)\[metrics\]\nlisten *= off .*file *= off ")
        printed = self.run_echod("--print-config", "--metrics-listen", "9907", listen=None).out
        self.assertRegex(printed, r"(?m)^listen *= 127.0.0.1:9907 ")
        server = self.echod()
        self.assertNotIn("metrics", tasks(server.pid))

    def test_ipv6(self):
        server = self.echod(metrics_listen="[::1]:0")
        self.assertEqual(self.scrape(self.metrics_of(server)).sum("echod_connections_open"), 0)

    def test_a_path(self):
        path = self.folder() / "m"
        server = self.echod(metrics_listen=f"unix:{path}")
        self.assertTrue(server.err.wait_for(f"metrics at unix:{path}\n"), server.said())
        self.assertEqual(self.scrape(path).sum("echod_connections_open"), 0)
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        self.assertEqual([p.name for p in path.parent.iterdir()], ["m"])
        self.fails(self.run_echod(metrics_listen=f"unix:{path}"), ENVIRONMENT,
                   f"--metrics-listen: cannot listen on unix:{path}: another process listens there")
        server.kill9()
        self.assertTrue(path.exists())  # stale: the next one takes its place
        server = self.echod(metrics_listen=f"unix:{path}")
        self.scrape(path)
        self.assertEqual(server.stop(), OK)
        self.assertFalse(path.exists())
        path.write_text("not a socket")
        self.fails(self.run_echod(metrics_listen=f"unix:{path}"), ENVIRONMENT, "cannot listen on .*it is there, and no socket")
        self.assertEqual(path.read_text(), "not a socket")
        self.fails(self.run_echod("--check", metrics_listen="unix:" + "p" * 120), USAGE, "must be off, PORT")
        self.fails(self.run_echod("--check", metrics_listen="unix:@a"), USAGE, "must be a path")

    @not_in("tsan")  # which believes in one table of descriptors, and has a thread of its own
    def test_workers_with_own_descriptors_have_none_of_it(self):
        for backend in set(backends()) - {"fork"}:
            with self.subTest(backend=backend):
                server = self.echod(metrics_listen=0, backend=backend, own_descriptors="on", workers=2)
                at = self.metrics_of(server)
                socks = [self.connect(server) for _ in range(8)]
                self.wait_counters(server, lambda c: c.open == 8, "all are there")
                s = self.scrape(at)
                mine = listener(at[1])
                self.assertIn(mine, descriptors(Path(f"/proc/{server.pid}")))
                others = [t for t in Path(f"/proc/{server.pid}/task").iterdir()
                          if t.name != str(server.pid) and (t / "comm").read_text() != "metrics\n"]
                self.assertGreaterEqual(len(others), 2)
                for task in others:
                    self.assertNotIn(mine, descriptors(task))
                self.assertGreaterEqual(s.sum("echod_worker_open_fds"), 8)
                del socks

    def test_a_process_of_fork_has_none_of_it(self):
        server = self.echod(metrics_listen=0, backend="fork")
        at = self.metrics_of(server)
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        child, = server.children()
        self.wait_until(lambda: len(descriptors(Path(f"/proc/{child}"))) == 4, "it keeps stdio and its connection")
        self.assertNotIn(listener(at[1]), descriptors(Path(f"/proc/{child}")))

    def test_slow_readers_are_seen(self):
        for backend in set(backends()) - {"fork"}:
            with self.subTest(backend=backend):
                server = self.echod(metrics_listen=0, backend=backend, workers=1, max_unsent="64Ki")
                at = self.metrics_of(server)
                sock = self.connect(server, rcvbuf=4096)
                fill(server, sock, pattern(64 << 20))
                s = self.scrape(at)
                self.assertGreater(s("echod_read_pauses_total", worker=0), 0)
                self.assertGreater(s("echod_pool_used_bytes", worker=0), 0)
                self.assertGreaterEqual(s("echod_pool_size_bytes", worker=0), 64 << 20)
                sock.close()
                self.wait_samples(at, lambda s: s("echod_pool_used_bytes", worker=0) == 0, "the pool is empty")

    @unittest.skipIf("io_uring" not in backends(), "needs io_uring")
    def test_a_burst_that_finds_no_buffer_or_no_room_for_completions_is_seen(self):
        server = self.echod(metrics_listen=0, backend="io_uring", workers=1, io_uring_entries=8, io_uring_cq_entries=16)
        at = self.metrics_of(server)
        socks = [self.connect(server) for _ in range(200)]
        self.wait_counters(server, lambda c: c.open == 200, "all are there")

        def burst():
            with server.held():
                for sock in socks:
                    sock.sendall(b"x")
            for sock in socks:
                self.assertEqual(sock.recv(1), b"x")
            s = self.scrape(at)
            return s("echod_receives_without_buffer_total", worker=0) > 0 and \
                s("echod_completion_overflows_total", worker=0) > 0
        self.wait_until(burst, "both are seen")

    def test_rules_and_configuration_are_right(self):
        for argv in (["check", "rules", "echolab.rules.yml"], ["check", "config", "prometheus.yml"],
                     ["test", "rules", "echolab.rules.test.yml"]):
            code, said = promtool(*argv, cwd=RULES)
            self.assertEqual(code, 0, said)

    @not_in("tsan")  # as above
    def test_rules_alerts_and_documentation_speak_of_the_same(self):
        rules = (RULES / "echolab.rules.yml").read_text()
        text = (ROOT / "docs/monitoring.md").read_text()
        tests = (RULES / "echolab.rules.test.yml").read_text()
        server = self.echod(metrics_listen=0, backend="epoll", own_descriptors="on")
        shown = {name for name, _ in self.scrape(self.metrics_of(server))}
        shown = {re.sub(r"_(bucket|sum|count)$", "", n) if "loop" in n else n for n in shown}
        for alert in re.findall(r"alert: (\w+)", rules):
            self.assertIn(f"`{alert}`", text)
            self.assertIn(f"alertname: {alert}\n        eval_time", tests)
        for name in shown:
            self.assertIn(f"`{name.removeprefix('echod_')}", text)
        for name in re.findall(r"\b(echod_\w+|process_\w+)\b", re.sub(r"instance:\S+", "", rules)):
            self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), shown)


class MetricsOfATakeover(TakeoverCase, MetricsCase):
    def test_no_scrape_fails(self):
        old = self.echod(metrics_listen=0, listen="127.0.0.1:0")
        at = self.metrics_of(old)
        path = self.folder() / "echod.prom"
        failed, stop = [], threading.Event()

        def scrape():
            while not stop.is_set():
                try:
                    self.scrape(at)
                except (OSError, AssertionError) as e:
                    failed.append(e)
        thread = threading.Thread(target=scrape)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        for backend in backends() * 2:
            listen = f"127.0.0.1:{old.port}"
            new = self.successor(old, metrics_listen=at[1], metrics_file=path, backend=backend, listen=listen)
            self.assertEqual(self.metrics_of(new), at)
            self.assertGone(old)
            sock = self.connect(new)
            self.assertEcho(sock, b"x")
            sock.close()
            self.wait_samples(at, lambda s, b=new.backend: s.sum("echod_build_info", backend=b) == 1 and
                              s.sum("echod_received_bytes_total") == 1, "it is the successor's")
            old = new
        stop.set()
        thread.join()
        self.assertEqual(failed, [])

    def test_a_path_is_the_successors_from_then_on(self):
        path = self.folder() / "m"
        old = self.echod(metrics_listen=f"unix:{path}")
        new = self.successor(old, metrics_listen=f"unix:{path}", listen=f"127.0.0.1:{old.port}")
        self.assertGone(old)
        sock = self.connect(new)
        self.assertEcho(sock, b"x")
        self.wait_samples(path, lambda s: s.sum("echod_received_bytes_total") == 1, "it is the successor's")
        sock.close()
        self.assertEqual(os.listdir(path.parent), ["m"])
        self.assertEqual(new.stop(), OK)
        self.assertFalse(path.exists())

    def test_what_is_no_socket_is_left_alone(self):
        old, path = self.echod(), self.folder() / "m"
        path.write_text("not a socket")
        r = self.run_echod(takeover=f"unix:{self.path}", listen=f"127.0.0.1:{old.port}", metrics_listen=f"unix:{path}")
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn(f"cannot listen on unix:{path}: it is there, and no socket", r.err)
        self.assertEqual(path.read_text(), "not a socket")
        self.assertEqual(os.listdir(path.parent), ["m"])
        self.assertServes(old)

    def test_what_stays_behind_leaves_address_and_file(self):
        path = self.folder() / "echod.prom"
        old = self.echod(metrics_listen=0, metrics_file=path, metrics_interval="100ms", backend="epoll")
        at = self.metrics_of(old)
        sock = self.connect(old)
        self.assertEcho(sock, b"x")
        new = self.successor(old, metrics_listen=at[1], metrics_file=path, metrics_interval="100ms", handover="serve",
                             listen=f"127.0.0.1:{old.port}", backend="epoll")
        self.wait_until(lambda: "metrics" not in tasks(old.pid), "it has left")
        self.assertEcho(sock, b"y")
        self.assertEqual(self.scrape(at).sum("echod_connections_accepted_total"), 0)
        sock.close()
        self.assertGone(old)
        # what the old one was about to write when it left is replaced within an interval
        self.wait_until(lambda: Samples(path.read_text()).sum("echod_connections_accepted_total") == 0, "it is the new one's")
        self.assertEqual(self.scrape(at).sum("echod_connections_accepted_total"), 0)
        self.assertEqual(new.stop(), OK)

    def test_an_address_of_somebody_else_leaves_the_old_one_serving(self):
        old = self.echod()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            r = self.run_echod(takeover=f"unix:{self.path}", listen=f"127.0.0.1:{old.port}",
                               metrics_listen=taken.getsockname()[1])
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn("cannot listen on", r.err)
        self.assertServes(old)
