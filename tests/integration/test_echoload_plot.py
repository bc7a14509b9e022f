# SPDX-License-Identifier: MIT
"""echoload plot: pictures of runs, of those too in which little happened."""
import json
import shutil
import unittest
from xml.etree import ElementTree

from echolab import ENVIRONMENT, NO_ANSWER, OK, USAGE
from loadlab import LoadCase

LONG = {"timeout": "1m", "connect_timeout": "1m", "grace": "1m"}


class Plot(LoadCase):
    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_pictures(self):
        at = self.folder()
        self.run_load(self.echod(), connections=2, duration="1s", warmup="0s", interval="50ms",
                      jsonl=at / "a.jsonl", **LONG)
        for name, magic in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
            r = self.run_echoload("plot", str(at / "a.jsonl"), "-o", str(at / name))
            self.assertEqual((r.code, r.err), (OK, ""), r)
            self.assertTrue((at / name).read_bytes().startswith(magic))
        self.assertEqual(len(list(at.iterdir())), 3, "nothing temporary is left")
        for title in ("it's <mine>", "'quoted'", '"twice"', "`date` @a \\n {/Bold x}", "café"):
            picture = at / f"{title.replace('/', '')}.svg"
            r = self.run_echoload("plot", str(at / "a.jsonl"), "-o", str(picture), "--title", title)
            self.assertEqual((r.code, r.err), (OK, ""), r)
            texts = [text for node in ElementTree.parse(picture).iter() for text in node.itertext()]
            self.assertIn(title, texts)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_runs_with_little_to_draw(self):
        at = self.folder()
        one = {"count": 1, "p50": 9000, "p99": 9000, "max": 9000}
        few = {"count": 3, "p50": 9000, "p99": 9500, "max": 9500}
        for name, latencies, words in (("none", [{"count": 0}] * 2, True), ("one", [one], False),
                                       ("last", [{"count": 0}, few], False), ("same", [one, one], False),
                                       ("unknown", [{"count": 3}], True)):
            rows = [{"event": "interval", "begin_ns": k * 10**9, "end_ns": (k + 1) * 10**9 - 8 * 10**8 * (k > 0),
                     "echoed": latency["count"], "latency_ns": latency} for k, latency in enumerate(latencies)]
            (at / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            for form in ("svg", "png"):
                r = self.run_echoload("plot", str(at / f"{name}.jsonl"), "-o", str(at / f"{name}.{form}"))
                self.assertEqual((r.code, r.err), (OK, ""), f"{name}.{form}: {r}")
            texts = [text for node in ElementTree.parse(at / f"{name}.svg").iter() for text in node.itertext()]
            self.assertEqual("no echo came" in texts, words, name)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_a_run_of_one_message_and_one_of_none(self):
        at, server = self.folder(), self.echod()
        for name, target in (("one", f"127.0.0.1:{server.port}"), ("none", "127.0.0.1:1")):
            r = self.run_echoload("-c", "1", "-n", "1", "-w", "0s", "--jsonl", str(at / f"{name}.jsonl"), target)
            self.assertEqual(r.code, OK if name == "one" else NO_ANSWER, r)
            r = self.run_echoload("plot", str(at / f"{name}.jsonl"), "-o", str(at / f"{name}.svg"))
            self.assertEqual((r.code, r.err), (OK, ""), f"{name}: {r}")

    def test_what_it_cannot_draw(self):
        at = self.folder()
        (at / "a.jsonl").write_text('{"event":"start","t_ns":0}\n')
        (at / "b.jsonl").write_text('{"event":"interval","t_ns":1,"begin_ns":0,"end_ns":1,"echoed":1}\n')
        for argv, code, said in ((["a.jsonl", "-o", "a.svg"], USAGE, "no intervals"),
                                 (["b.jsonl", "-o", "a.gif"], USAGE, ".svg or .png"),
                                 (["none", "-o", "a.svg"], USAGE, "No such file"), ([], USAGE, "echoload plot")):
            r = self.run_echoload("plot", *(str(at / a) if a[0] != "-" else a for a in argv))
            self.assertEqual(r.code, code, r)
            self.assertIn(said, r.err)

    def test_without_gnuplot_it_says_so(self):
        at = self.folder()
        (at / "b.jsonl").write_text('{"event":"interval","t_ns":1,"begin_ns":0,"end_ns":1,"echoed":1}\n')
        r = self.run_echoload("plot", str(at / "b.jsonl"), "-o", str(at / "a.svg"), env={"PATH": str(at)})
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn("gnuplot is not installed", r.err)
        self.assertFalse((at / "a.svg").exists())
