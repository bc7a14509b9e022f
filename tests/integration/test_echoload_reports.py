# SPDX-License-Identifier: MIT
"""What a run leaves behind: JSON Lines, CSV, histograms, sums of results, pictures, profiles."""
import base64
import collections
import csv
import itertools
import json
import re
import shutil
import signal
import subprocess
import time
import unittest
import zlib
from pathlib import Path

from echolab import ENVIRONMENT, NO_ANSWER, OK, ROOT, USAGE, VERDICT, covers, program, slow
from loadlab import INCONCLUSIVE, SIGINT, LoadCase, parse, problems, silence, target_text

LONG = {"timeout": "1m", "connect_timeout": "1m", "grace": "1m"}
ANY = (OK, INCONCLUSIVE)  # on a busy machine the generator may be late, and says so
HDR = "/usr/share/java/hdrhistogram.jar"
COUNTS = ("sent", "echoed", "lost", "missed", "errors", "connects")


def events(path):
    """Lines as objects; every line is whole."""
    return [parse(line) for line in path.read_text().splitlines()]


def blocks_signals(pid):
    """Whether it waits for them instead of dying of them."""
    blocked = int(re.search(r"SigBlk:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())[1], 16)
    # all of them are, for a moment, while libc makes a thread
    return bool(blocked & 1 << signal.SIGINT - 1) and not blocked & 1 << signal.SIGQUIT - 1


def hdr_counts(text):
    """{index of a counter: count} of an HdrHistogram V2 in base64, read from its description alone."""
    payload = zlib.decompress(base64.b64decode(text)[8:])[40:]
    counts, index, value, shift = collections.Counter(), 0, 0, 0
    for byte in payload:
        value |= (byte & (0x7F if shift < 56 else 0xFF)) << shift
        if byte & 0x80 and shift < 56:
            shift += 7
            continue
        value, shift = (value >> 1) ^ -(value & 1), 0  # zigzag
        if value > 0:
            counts[index] = value
        index += 1 if value > 0 else -value or 1
        value = 0
    return counts


def total(rows, key):
    return sum(int(row[key]) for row in rows)


class Reports(LoadCase):
    def assertAddUp(self, rows, r):
        """Rows follow each other without a gap, and together they are the run."""
        for a, b in zip(rows, rows[1:]):
            self.assertEqual(int(a["end_ns"]), int(b["begin_ns"]))
        self.assertEqual(int(rows[0]["begin_ns"]), 0)
        for key, whole in (("sent", r["messages"]["sent"]), ("echoed", r["messages"]["echoed"]),
                           ("missed", r["messages"]["missed"]), ("connects", r["connections"]["established"])):
            self.assertEqual(total(rows, key), whole, key)

    @covers("echoload", "interval")
    def test_intervals_add_up_to_the_run(self):
        r = self.run_load(self.echod(), connections=6, threads=3, duration="900ms", warmup="100ms", interval="100ms",
                          **LONG)
        rows = r["intervals"]
        self.assertAddUp(rows, r)
        self.assertGreaterEqual(len(rows), 2, "a busy machine may join some")
        self.assertTrue(all(row["end_ns"] % 10**8 == 0 for row in rows[:-1]), "boundaries count from the start")
        self.assertEqual(sum(row["latency_ns"]["count"] for row in rows), r["messages"]["echoed"])
        r = self.run_load(self.echod(), connections=1, messages=10, interval="1h", **LONG)
        self.assertEqual(len(r["intervals"]), 1)

    @covers("echoload", "jsonl", "csv")
    def test_lines_and_tables_say_what_the_result_says(self):
        at = self.folder()
        r = self.run_load(self.echod(), connections=4, duration="500ms", warmup="0s", interval="100ms",
                          jsonl=at / "a.jsonl", csv=at / "a.csv", **LONG)
        lines = events(at / "a.jsonl")
        self.assertEqual([lines[0]["event"], lines[-1]["event"]], ["start", "end"])
        self.assertEqual(lines[0]["config"]["connections"], "4")
        self.assertEqual(lines[-1]["result"], r.json)
        rows = [line for line in lines if line["event"] == "interval"]
        self.assertAddUp(rows, r)
        self.assertEqual([{k: v for k, v in row.items() if k not in ("event", "t_ns")} for row in rows],
                         r["intervals"])
        self.assertTrue(all(isinstance(line["t_ns"], int) for line in lines))
        table = list(csv.DictReader((at / "a.csv").read_text().splitlines()))
        self.assertAddUp(table, r)
        self.assertEqual([int(row["latency_p99_ns"]) for row in table], [row["latency_ns"]["p99"] for row in rows])
        self.assertEqual(sorted(p.name for p in at.iterdir()), ["a.csv", "a.jsonl"], "nothing temporary is left")

    def test_lines_come_while_it_runs_and_tell_of_outages(self):
        at = self.folder() / "a.jsonl"
        server = self.echod()
        load = self.load(server, connections=4, duration="1h", interval="50ms", jsonl=at,
                         reconnect="backoff 1ms..20ms", stall="10m", **LONG)
        self.wait_until(lambda: at.exists() and at.read_text().count('"interval"') > 2, "intervals are told")
        self.kill(server)
        self.wait_until(lambda: '"outage_opened"' in at.read_text(), "the outage is told")
        self.echod(listen="{}:{}".format(*server.addr))
        self.wait_until(lambda: '"outage_recovered"' in at.read_text(), "its end is told")
        r = load.interrupted()
        lines = events(at)
        faults = [line for line in lines if line["event"] == "fault"]
        self.assertEqual([f["fault"] for f in faults], ["outage_opened", "outage_recovered"])
        self.assertEqual(faults[0]["t_ns"], r["outages"][0]["noticed_ns"])
        self.assertEqual(faults[1]["t_ns"], r["outages"][0]["recovered_ns"])
        self.assertEqual(lines[-1]["result"], r.json)

    def assertWhole(self, at, r):
        """Every file of a run says what its result says."""
        lines = events(at / "a.jsonl")
        self.assertEqual([lines[0]["event"], lines[-1]["event"]], ["start", "end"])
        self.assertEqual(lines[-1]["result"], r.json)
        table = list(csv.DictReader((at / "a.csv").read_text().splitlines()))
        self.assertEqual([row["end_ns"] for row in table], [str(row["end_ns"]) for row in r["intervals"]])
        if table:
            self.assertAddUp(table, r)
        for path in at.glob("*.hgrm"):
            text = path.read_text()
            self.assertEqual(int(re.search(r"Total count +=\s+(\d+)\]", text)[1]), r["latency_ns"]["count"])
            self.assertTrue(text.rstrip().rpartition("\n")[2].startswith("#[Buckets"))
        for path in at.glob("*.hlog"):
            self.assertEqual(len(path.read_text().splitlines()), 4 + len(r["intervals"]))
        self.assertEqual(len(list(at.iterdir())), 3, "nothing temporary is left")
        self.assertRegex(r.out, rf"(?m)^exit {r.code} +\S")

    def interrupted(self, number, suffix, started, to, **options):
        at = self.folder()
        load = self.load(to, warmup="0s", interval="50ms", jsonl=at / "a.jsonl", csv=at / "a.csv",
                         hist=at / f"a.{suffix}", progress="always", **{**LONG, **options})
        self.wait_until(lambda: started(load, at / "a.jsonl"), "it is there")
        r = load.interrupted(number)
        self.assertWhole(at, r)
        return r

    @covers("echoload", "hist")
    def test_an_interrupted_run_leaves_every_format_whole(self):
        """By either signal: while it waits for its time, in the middle, and while it awaits what is owed."""
        server, mute = self.echod(), self.peer(silence)
        for number, suffix in itertools.product((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), ("hgrm", "hlog")):
            with self.subTest(signal=number.name, hist=suffix):
                r = self.interrupted(number, suffix, lambda load, _: blocks_signals(load.pid), server, connections=4,
                                     start_at=int(time.time()) + 3000)
                self.assertEqual((r["messages"]["sent"], r["intervals"]), (0, []))
                r = self.interrupted(number, suffix, lambda _, jsonl: jsonl.exists() and
                                     jsonl.read_text().count('"interval"') > 3, server, connections=4, duration="1h")
                self.assertGreater(r["latency_ns"]["count"], 0)
                runs = (self.interrupted(number, suffix, lambda load, _: load.past_end(), mute, connections=3,
                                         duration=duration, grace="1h") for duration in ("100ms", "1s", "10s"))
                r = next(r for r in runs if r["messages"]["sent"] == 3)
                self.assertEqual((r["messages"]["unfinished"], r["connections"]["open_at_end"]), (3, 3))

    def test_a_signal_that_comes_at_once_leaves_nothing_half_written(self):
        server = target_text(self.echod())
        for ms in range(0, 30):
            at = self.folder()
            load = subprocess.Popen([*program("echoload"), "-c", "500", "-d", "1h", "-o", "quiet", "--csv", at / "a.csv",
                                     "--json", at / "a.json", server], stderr=subprocess.DEVNULL)
            time.sleep(ms / 2000)  # whatever it is doing then
            load.send_signal(signal.SIGINT)
            self.assertIn(load.wait(slow(60)), (SIGINT, -signal.SIGINT))
            names = sorted(path.name for path in at.iterdir())
            self.assertIn(names, ([], ["a.csv", "a.json"]), f"after {ms / 2} ms")

    def test_names_that_cannot_be_written_cost_no_run(self):
        server = target_text(self.echod())
        for key, name, code in (("jsonl", "/nowhere/a.jsonl", ENVIRONMENT), ("csv", "/nowhere/a.csv", ENVIRONMENT),
                                ("hist", "/nowhere/a.hlog", ENVIRONMENT), ("hist", "/nowhere/a.hgrm", ENVIRONMENT),
                                ("json", "/nowhere/a.json", ENVIRONMENT), ("json", "/", ENVIRONMENT),
                                ("hist", "a.txt", USAGE)):
            with self.subTest(key=key, name=name):
                r = self.run_echoload(f"--{key}", name, "-d", "1h", server)
                self.assertEqual((r.code, r.out), (code, ""), r)
                self.assertIn(name if code == ENVIRONMENT else ".hgrm", r.err)
        self.assertEqual(self.run_echoload("--json", "a", "--csv", "a", server).code, USAGE)

    @unittest.skipUnless(Path("/dev/full").exists(), "no /dev/full")
    def test_a_full_disk_is_the_verdict_that_all_formats_tell(self):
        at, server = self.folder(), target_text(self.echod())
        for key in ("csv", "jsonl", "json"):
            with self.subTest(key=key):
                file = () if key == "json" else ("--json", str(at / "a.json"))
                r = self.run_echoload("-n", "10", f"--{key}", "/dev/full", *file, server)
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertIn("cannot write /dev/full: No space left on device", r.err)
                self.assertRegex(r.out, r"\nexit 4 +cannot write /dev/full")
                if file:
                    self.assertEqual(parse((at / "a.json").read_text())["exit"]["code"], ENVIRONMENT)
        r = self.run_echoload("-n", "10", server, stdout=open("/dev/full", "wb"))
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn("standard output", r.err)

    @covers("echoload", "start_at")
    def test_runs_that_start_together(self):
        at = time.time() + 1.5
        server = self.echod()
        loads = [self.load(server, connections=1, messages=10, start_at=f"{at:.3f}", **LONG) for _ in range(2)]
        starts = [load.done()["context"]["start_unix_ns"] / 1e9 for load in loads]
        self.assertTrue(all(start >= at - 0.003 for start in starts), (at, starts))
        self.assertEqual(self.run_echoload("--start-at", "12", "127.0.0.1:1").code, USAGE)
        self.assertEqual(self.run_echoload("--start-at", "25:00", "127.0.0.1:1").code, USAGE)
        load = self.load(server, connections=1, start_at=int(at) + 3000)
        self.wait_until(lambda: "begins in " in load.err.text, "it says that it waits")
        self.assertEqual(load.interrupted()["messages"]["sent"], 0)


class Merge(LoadCase):
    def merge(self, *files, code=OK):
        r = self.run_echoload("merge", "-o", "json", *map(str, files))
        self.assertEqual(r.code, code, r)
        j = parse(r.out)
        self.assertEqual([p for p in problems(j) if "an answer came" not in p], [], "the worst code stands for all")
        return j

    def results(self, *runs):
        at, server = self.folder(), self.echod()
        for i, options in enumerate(runs):
            r = self.run_load(server, **options, **LONG, code=None)
            self.assertIn(r.code, ANY if "rate" in options else (OK,), r)
            (at / f"{i}.json").write_text(json.dumps(r.json))
        return [at / f"{i}.json" for i in range(len(runs))]

    def test_counts_and_histograms_add_up(self):
        files = self.results({"connections": 3, "messages": 700}, {"connections": 5, "messages": 900, "size": "1..99"},
                             {"connections": 2, "messages": 300, "rate": 2000})
        parts = [parse(f.read_text()) for f in files]
        worst = max(p["exit"]["code"] for p in parts)
        j = self.merge(*files, code=worst)
        for path in (("messages", "sent"), ("messages", "echoed"), ("bytes", "received"), ("latency_ns", "count"),
                     ("connect_ns", "count"), ("connections", "established"), ("measured", "echoed")):
            def get(o):
                return o[path[0]][path[1]]
            self.assertEqual(get(j), sum(map(get, parts)), path)
        for key in ("latency_ns", "latency_uncorrected_ns", "connect_ns"):
            got, want = hdr_counts(j["histograms"][key]), sum((hdr_counts(p["histograms"][key]) for p in parts),
                                                              collections.Counter())
            self.assertEqual(got, want, key)
            self.assertEqual(got.total(), j[key]["count"], key)
        self.assertEqual(j["latency_ns"]["min"], min(p["latency_ns"]["min"] for p in parts))
        self.assertEqual(j["latency_ns"]["max"], max(p["latency_ns"]["max"] for p in parts))
        self.assertEqual(len(j["context"]["merged"]), 3)
        again = self.merge(*reversed(files), code=worst)
        self.assertEqual(again["histograms"], j["histograms"], "the order does not matter")

    def test_a_sum_has_files_too(self):
        files = self.results({"connections": 2, "messages": 40}, {"connections": 1, "messages": 2})
        at = self.folder()
        r = self.run_echoload("merge", "-o", "quiet", "--json", str(at / "r.json"), "--hist", str(at / "r.hgrm"),
                              *map(str, files))
        self.assertEqual((r.code, r.out, r.err), (OK, "", ""), r)
        self.assertEqual(parse((at / "r.json").read_text())["messages"]["echoed"], 42)
        self.assertRegex((at / "r.hgrm").read_text(), r"Total count +=\s+42\]")
        r = self.run_echoload("merge", "--hist", str(at / "r.hlog"), str(files[0]))
        self.assertEqual((r.code, r.out), (USAGE, ""), "a sum has no intervals")
        r = self.run_echoload("merge", "--json", str(at / "none" / "r.json"), str(files[0]))
        self.assertEqual(r.code, ENVIRONMENT, r)
        r = self.run_echoload("merge", str(at / "none.json"))
        self.assertEqual((r.code, r.err), (USAGE, f"echoload: error: {at}/none.json: cannot be read: No such file or directory\n"))

    def test_a_sum_of_one_is_itself(self):
        file, = self.results({"connections": 3, "messages": 500})
        j, old = self.merge(file), parse(file.read_text())
        for key in ("messages", "measured", "bytes", "latency_ns", "connect_ns", "histograms", "outcomes"):
            self.assertEqual(j[key], old[key], key)

    def test_the_worst_exit_code_stands_for_all(self):
        file, = self.results({"connections": 3, "messages": 500})
        bad = self.folder() / "bad.json"
        bad.write_text(json.dumps(self.run_load(self.closed_port(), connections=2, code=NO_ANSWER).json))
        j = self.merge(file, bad, code=NO_ANSWER)
        self.assertIn("bad.json", j["exit"]["reason"])

    def test_what_is_no_result_is_refused(self):
        at = self.folder()
        (at / "a.json").write_text('{"schema": "echoload/1"}')
        (at / "b.json").write_text("{")
        file, = self.results({"connections": 1, "messages": 5})
        j = parse(file.read_text())
        j["messages"]["echoed"] -= 1
        (at / "c.json").write_text(json.dumps(j))
        for name in ("a.json", "b.json", "c.json", "none.json"):
            r = self.run_echoload("merge", str(at / name))
            self.assertEqual((r.code, r.out), (USAGE, ""), r)
            self.assertIn(name, r.err)
        self.assertEqual(self.run_echoload("merge").code, USAGE)

    def test_numbers_that_cannot_be_are_refused(self):
        file, = self.results({"connections": 1, "messages": 50})
        bad = self.folder() / "bad.json"
        for path, value in (("connections requested", 2**40), ("context start_unix_ns", 2**62), ("duration_ns", -1),
                            ("duration_ns", 1.5), ("measured begin_ns", 2**60), ("targets", []), ("targets", {}),
                            ("latency_ns min", 2**50), ("latency_ns max", 5), ("latency_ns mean", 2**50),
                            ("latency_ns count", 49), ("exit code", 99), ("exit code", 2**32),
                            ("histograms latency_ns", "AAAA"), ("histograms connect_ns", ""), ("outages", [{}]),
                            ("outcomes", [{"cause": "bad luck"}]), ("generator", None)):
            with self.subTest(path=path, value=value):
                j = parse(file.read_text())
                *way, key = path.split()
                at = j
                for step in way:
                    at = at[step]
                at[key] = value
                bad.write_text(json.dumps(j))
                r = self.run_echoload("merge", str(file), str(bad))
                self.assertEqual((r.code, r.out), (USAGE, ""), r)
                self.assertIn("bad.json", r.err)

    def test_a_result_that_is_cut_anywhere_is_refused(self):
        file, = self.results({"connections": 1, "messages": 50})
        text, cut = file.read_text().rstrip(), self.folder() / "cut.json"
        for n in range(0, len(text), len(text) // 40):
            cut.write_text(text[:n])
            r = self.run_echoload("merge", str(file), str(cut))
            self.assertEqual((r.code, r.out), (USAGE, ""), (n, r))
            self.assertIn("cut.json", r.err)

    def test_the_same_run_does_not_count_twice(self):
        file, = self.results({"connections": 1, "messages": 5})
        copy = self.folder() / "copy.json"
        copy.write_text(file.read_text())
        r = self.run_echoload("merge", str(file), str(copy))
        self.assertEqual((r.code, r.out), (USAGE, ""), r)
        self.assertIn("are the same run", r.err)

    def test_runs_that_start_together_are_one_load(self):
        """Two processes as on two hosts, threads of their own: counts, histograms and rates are those of the sum."""
        at, server = self.folder(), self.echod()
        start = f"{time.time() + 1.5:.3f}"
        loads = [self.load(server, connections=n, threads=n, rate=n * 200, duration="1500ms", warmup="0s",
                           start_at=start, **LONG) for n in (1, 3)]
        parts = [load.done().json for load in loads]
        for i, part in enumerate(parts):
            (at / f"{i}.json").write_text(json.dumps(part))
        r = self.run_echoload("merge", "-o", "json", "--json", str(at / "sum.json"), str(at / "0.json"),
                              str(at / "1.json"))
        j = parse(r.out)
        self.assertEqual(parse((at / "sum.json").read_text()), j)
        self.assertEqual([p for p in problems(j) if "an answer came" not in p], [])
        self.assertEqual(j["messages"]["planned_per_second"], 800)
        self.assertEqual(j["messages"]["echoed"], sum(p["messages"]["echoed"] for p in parts))
        self.assertEqual(j["context"]["threads"], 4)
        self.assertLess(j["duration_ns"], sum(p["duration_ns"] for p in parts), "side by side")
        text = self.run_echoload("merge", str(at / "0.json"), str(at / "1.json")).out
        self.assertIn("open loop of 800/s", text)
        self.assertRegex(text, r"(?m)^sum +of 2 results, together$")


class Profiles(LoadCase):
    def profile(self, text):
        path = self.folder() / "p.conf"
        path.write_text(text)
        return path

    def run_profile(self, text, to, code, *argv):
        r = self.run_echoload("-f", str(self.profile(text)), *argv, "127.0.0.1:1" if to is None else
                              "{}:{}".format(*to.addr))
        self.assertEqual(r.code, code, r)
        return r

    def test_phases_run_one_after_the_other(self):
        at, server = self.folder(), self.echod()
        r = self.run_profile("[global]\nmessages = 20\nconnections = 2\n[report]\noutput = text\n"
                             "[phase one]\nsize = 10\n[phase two]\nsize = 30\nmax_p99 = 1ns\n", server, VERDICT,
                             "--json", str(at / "r.json"), "--jsonl", str(at / "r.jsonl"))
        one, two = (parse((at / f"r.{name}.json").read_text()) for name in ("one", "two"))
        self.assertEqual((one["phase"], one["bytes"]["echoed"], one["exit"]["code"]), ("one", 200, OK))
        self.assertEqual((two["phase"], two["bytes"]["echoed"], two["exit"]["code"]), ("two", 600, VERDICT))
        self.assertLess(one["context"]["start_unix_ns"], two["context"]["start_unix_ns"])
        self.assertEqual(re.findall(r"^phase +(\w+)$", r.out, re.M), ["one", "two"])
        self.assertEqual(events(at / "r.two.jsonl")[0]["phase"], "two")

    def test_the_progress_line_names_the_phase(self):
        r = self.run_profile("[global]\nconnections = 2\nwarmup = 0s\nduration = 0.6s\n[report]\nprogress = always\n"
                             "[phase one]\nsize = 10\n[phase two]\nsize = 20\n", self.echod(), OK)
        lines = re.findall(r"(\w+)  ([\d.]+)s/([\d.]+)s  \d+/s  \d+ open  0 errors", r.err)
        self.assertLessEqual({("one", "0.6"), ("two", "0.6")}, {(name, total) for name, _, total in lines}, r.err)
        self.assertLessEqual(max(map(len, re.split(r"[\r\n]", r.err))), 80)

    def test_errors_have_their_place_before_anything_runs(self):
        for text, said in (("[phase a]\nsize = 1\n[phase b]\nsiz = 2\n", "p.conf:4: unknown key 'siz'"),
                           ("[phase a]\nsize = 1\n[phase b]\nsize = x\n", "p.conf:4: size"),
                           ("[phase a]\nsize = 1\nsize = 2\n", "p.conf:3: size: is already given in line 2"),
                           ("[phase a]\n[global]\nsize = 1\n", "p.conf:2: this section must stand above the phases"),
                           ("[phase a]\n[phase a]\n", "p.conf:2: a phase of this name"),
                           ("[phase ]\nsize = 1\n", "p.conf:1: a phase is named"),
                           ("[global]\nmax_p99 = 1s\n", "p.conf:2: unknown key 'max_p99'; it belongs in [limits]"),
                           ("[limit]\nmax_p99 = 1s\n", "did you mean [limits]")):
            with self.subTest(text=text):
                self.assertIn(said, self.run_profile(text, None, USAGE).err)

    def test_print_config_reads_back(self):
        text = "[global]\nsize = 5\n[limits]\nmax_p99 = 1s\n[phase a]\nsize = 7\n"
        out = self.run_profile(text, None, OK, "--print-config").out
        self.assertIn("[phase a]", out)
        again = self.run_profile(out, None, OK, "--print-config").out
        strip = re.compile(r" *;.*")
        self.assertEqual(strip.sub("", again), strip.sub("", out))

    def test_the_shipped_ones_run(self):
        for path in sorted((ROOT / "configs/load").glob("*.conf")):
            with self.subTest(profile=path.name):
                r = self.run_echoload("-f", str(path), "-d", "500ms", "-w", "100ms", "-o", "quiet", "--max-p99", "10m",
                                      "{}:{}".format(*self.echod().addr))
                self.assertIn(r.code, (OK, 5), r)  # 5: a busy machine sends late


@unittest.skipUnless(shutil.which("java") and Path(HDR).exists(),
                     "no Java or no hdrhistogram.jar: tools/deps")
class Java(LoadCase):
    """Other people's tools read our histograms."""
    SOURCE = """
import org.HdrHistogram.*;
import java.io.*;
public class Read {
  public static void main(String[] a) throws Exception {
    HistogramLogReader in = new HistogramLogReader(new File(a[0]));
    Histogram sum = new Histogram(3);
    int lines = 0;
    for (EncodableHistogram h; (h = in.nextIntervalHistogram()) != null; lines++) sum.add((Histogram) h);
    System.out.println(lines + " " + sum.getTotalCount() + " " + sum.getValueAtPercentile(50) + " "
                       + sum.getValueAtPercentile(99) + " " + sum.getMaxValue());
    sum.outputPercentileDistribution(new PrintStream(a[1]), 1e6);
  }
}
"""

    def test_the_log_and_the_text_are_what_java_makes_of_them(self):
        for options in ({"duration": "600ms", "warmup": "0s"}, {"messages": 1}):
            with self.subTest(options=options):
                self.compare(self.folder(), **options)

    def compare(self, at, **options):
        (at / "Read.java").write_text(self.SOURCE)
        r = self.run_load(self.echod(), connections=4, interval="100ms", hist=at / "a.hlog", **options, **LONG)
        (at / "r.json").write_text(json.dumps(r.json))
        said = subprocess.run(["java", "-cp", HDR, str(at / "Read.java"), str(at / "a.hlog"), str(at / "java.hgrm")],
                              capture_output=True, text=True, timeout=slow(120))
        self.assertEqual(said.returncode, 0, said.stderr)
        lines, count, p50, p99, top = map(int, said.stdout.split())
        self.assertEqual((lines, count), (len(r["intervals"]), r["latency_ns"]["count"]))
        for java, ours in ((p50, "p50"), (p99, "p99"), (top, "max")):  # the log has no exact maximum
            self.assertLess(abs(java - r["latency_ns"][ours]), 0.002 * java, ours)
        self.assertEqual(self.run_echoload("merge", "-o", "quiet", "--hist", str(at / "ours.hgrm"), str(at / "r.json"))
                         .code, OK)
        ours, javas = (self.percentiles((at / name).read_text()) for name in ("ours.hgrm", "java.hgrm"))
        self.assertEqual([count for *_, count in ours], [count for *_, count in javas])
        for (a, percentile, _), (b, other, _) in zip(ours, javas):
            self.assertAlmostEqual(percentile, other, 11)
            self.assertLess(abs(a - b), 0.0006 + 0.002 * b, percentile)

    def percentiles(self, text):
        """Rows of a .hgrm: value, percentile, count."""
        rows = [line.split() for line in text.splitlines() if re.match(r" *\d", line)]
        return [(float(row[0]), float(row[1]), int(row[2])) for row in rows]
