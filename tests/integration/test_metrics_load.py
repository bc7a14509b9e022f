# SPDX-License-Identifier: MIT
"""What Prometheus is told of a run of echoload; and a real Prometheus, which is told of a server and a run."""
import json
import signal
import socket
import urllib.parse

from echolab import ENVIRONMENT, USAGE, Process, covers
from loadlab import LONG, LoadCase, for_each_client
from metricslab import MetricsCase, Samples


@for_each_client
class EachLoadMetrics(MetricsCase, LoadCase):
    @covers("echoload", "metrics_listen", "metrics_file", "metrics_interval")
    def test_the_last_text_says_what_the_result_does(self):
        path = self.folder() / "load.prom"
        run = self.load(self.echod(), connections=4, threads=2, duration="10m", warmup="200ms", interval="100ms",
                        metrics_listen=0, metrics_file=path, metrics_interval="100ms", churn=1000)
        at = self.metrics_of(run)
        s = self.wait_samples(at, lambda s: s("echoload_latency_seconds_count") > 0, "messages were measured")
        self.assertEqual(s("echoload_connections_requested"), 4)
        self.assertEqual((s("echoload_outage_open"), s("echoload_outages_total")), (0, 0))
        self.wait_samples(at, lambda s: s("echoload_connections_open") > 0, "some are open")
        self.assertClean(self.http(at).body)
        self.wait_until(lambda: Samples(path.read_text())("echoload_messages_echoed_total") > 0, "so says the file")
        r = run.interrupted(signal.SIGINT)
        self.assertNobodyHome(at)
        last, m = Samples(path.read_text()), r["messages"]
        self.assertEqual(last("echoload_messages_sent_total"), m["sent"])
        self.assertEqual(last("echoload_messages_echoed_total"), m["echoed"])
        self.assertEqual(last("echoload_messages_lost_total"), m["lost"] + m["corrupt"])
        self.assertEqual(last("echoload_messages_missed_total"), 0)
        self.assertEqual(last("echoload_connections_established_total"), r["connections"]["established"])
        self.assertEqual(last("echoload_latency_seconds_count"), r["latency_ns"]["count"])
        self.assertAlmostEqual(last("echoload_latency_seconds_sum"), r["latency_ns"]["mean"] * r["latency_ns"]["count"] /
                               1e9, delta=r["latency_ns"]["count"] * 1e-9)
        ended = {}
        for o in r["outcomes"]:
            ended[o["cause"]] = ended.get(o["cause"], 0) + o["count"]
        for key, value in last.all("echoload_connections_ended_total").items():
            self.assertEqual(value, ended.get(dict(key)["cause"], 0), key)
        self.assertEqual(last.sum("echoload_build_info"), 1)

    def test_buckets_of_latency_hold_what_the_percentiles_say(self):
        path = self.folder() / "load.prom"
        r = self.run_load(self.echod(), connections=8, messages=20000, metrics_file=path)
        s = Samples(path.read_text())
        buckets = sorted((float(dict(key)["le"]), n) for key, n in s.all("echoload_latency_seconds_bucket").items())
        self.assertEqual(len(buckets), 23)
        self.assertEqual(buckets[-1], (float("inf"), 20000))
        for percent in ("p50", "p99", "p99_9"):
            ns, share = r["latency_ns"][percent], float(percent[1:].replace("_", ".")) / 100
            above = [n for le, n in buckets if le * 1e9 > ns]  # the first of them holds that percentile
            below = [n for le, n in buckets if le * 1e9 <= ns]
            at = round(share * 20000)  # 0.999 * 20000 is not quite a whole number
            self.assertGreaterEqual(above[0], at)
            self.assertLessEqual(below[-1] if below else 0, at + 20)

    def test_an_outage_is_open_until_it_has_recovered(self):
        server = self.echod()
        run = self.load(server, connections=4, duration="10m", warmup=0, reconnect="backoff 1ms..10ms", interval="100ms",
                        metrics_listen=0, stall="10m", **LONG)
        at = self.metrics_of(run)
        self.wait_samples(at, lambda s: s("echoload_messages_echoed_total") > 0, "it echoes")
        self.kill(server)
        s = self.wait_samples(at, lambda s: s("echoload_outage_open") == 1, "an outage is open")
        self.assertEqual(s("echoload_outages_total"), 1)
        self.echod(listen=f"127.0.0.1:{server.port}")
        s = self.wait_samples(at, lambda s: s("echoload_outage_open") == 0, "it has recovered")
        self.assertEqual(s("echoload_outages_total"), 1)
        lasted = s("echoload_outage_seconds_total")
        r = run.interrupted(signal.SIGINT)
        outage, = r["outages"]
        self.assertAlmostEqual(lasted, (outage["recovered_ns"] - outage["begin_ns"]) / 1e9, places=6)

    def test_phases_begin_anew(self):
        profile = self.config_file("[global]\nconnections = 2\nduration = 10m\nwarmup = 0s\n[report]\ninterval = 50ms\n"
                                   "[metrics]\nlisten = 0\n[phase one]\nmessages = 5000\n[phase two]\n")
        run = self.load(self.echod(), "-f", str(profile))
        self.assertTrue(run.err.wait_for(r"(?s)metrics at .*metrics at \S*\n"), run.said())
        at = "127.0.0.1", int(run.err.text.rpartition("metrics at http://127.0.0.1:")[2].partition("/")[0])
        s = self.wait_samples(at, lambda s: s("echoload_messages_echoed_total") > 0, "it echoes")
        self.assertEqual(s("echoload_phase_info", phase="two"), 1)
        self.assertEqual(len(s.all("echoload_phase_info")), 1)
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(), 130)


class Prometheus(MetricsCase, LoadCase):
    """Debian's own."""

    def prometheus(self, **targets):
        """One that scrapes these, {job: (host, port)}, each second: where it answers."""
        folder = self.folder()
        jobs = [{"job_name": job, "static_configs": [{"targets": ["%s:%d" % at]}]} for job, at in targets.items()]
        config = folder / "prometheus.yml"  # JSON is YAML
        config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
        process = self.keep(Process(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                                     "--web.listen-address=127.0.0.1:0"]))
        match = process.err.wait_for(r'msg="Listening on" address=127.0.0.1:(\d+)')
        self.assertTrue(match, process.said())
        self.assertTrue(process.err.wait_for("Server is ready"), process.said())
        self.addCleanup(process.stop)
        return "127.0.0.1", int(match[1])

    def query(self, at, expression):
        """{labels: value} of an instant."""
        answer = self.http(at, path="/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        self.assertEqual(answer.status, 200, answer)
        found = json.loads(answer.body)
        self.assertEqual(found["status"], "success", found)
        return {tuple(sorted(r["metric"].items())): float(r["value"][1]) for r in found["data"]["result"]}

    def test_it_scrapes_both_and_answers(self):
        server = self.echod(metrics_listen=0)
        run = self.load(server, connections=5, duration="10m", warmup=0, interval="100ms", metrics_listen=0)
        at = self.prometheus(echod=self.metrics_of(server), echoload=self.metrics_of(run))

        def value(expression):
            return self.wait_until(lambda: self.query(at, expression), expression)
        self.wait_until(lambda: len(self.query(at, "up == 1")) == 2, "both are up")
        self.assertEqual(list(value("sum without (worker) (echod_connections_open) == 5").values()), [5])
        self.assertEqual(list(value("echoload_connections_open == 5").values()), [5])
        self.assertEqual(list(value("echod_build_info").values()), [1])
        for expression in ("sum(rate(echod_echoes_total[1m])) > 0", "rate(echoload_messages_echoed_total[1m]) > 0",
                           "histogram_quantile(0.5, sum by (le) (rate(echod_loop_duration_seconds_bucket[1m]))) > 0",
                           "histogram_quantile(0.99, rate(echoload_latency_seconds_bucket[1m])) > 0"):
            self.assertEqual(len(value(expression)), 1, expression)
        server.stop()
        self.assertEqual(list(value('up{job="echod"} == 0').values()), [0])
        run.send_signal(signal.SIGINT)
        run.wait()


class LoadMetrics(MetricsCase, LoadCase):
    def test_a_client_for_people_has_none(self):
        r = self.run_echoload("--interactive", "--metrics-listen", "0", "127.0.0.1:9")
        self.assertEqual(r.code, USAGE)
        self.assertIn("--metrics-listen: means nothing to --interactive", r.err)

    def test_an_address_in_use_is_said_with_its_place(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            r = self.run_echoload("-n", "1", "--metrics-listen", str(port), "127.0.0.1:9")
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn(f"--metrics-listen: cannot listen on 127.0.0.1:{port}: Address already in use", r.err)

    def test_a_file_that_cannot_be_written(self):
        r = self.run_echoload("--metrics-file", "/nonexistent/a.prom", "-n", "1", "127.0.0.1:9")
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn("--metrics-file: cannot write /nonexistent/a.prom: No such file", r.err)
