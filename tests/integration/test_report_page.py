# SPDX-License-Identifier: MIT
"""The page of `echoload report`, opened in a browser: what it shows is what the result says, it asks nobody for
anything, it can be used by mouse and by keyboard, in light and in dark, and text from anywhere stays text."""
import copy
import json
import shutil
import unittest
from pathlib import Path

import browser
from echolab import PATIENCE, ENVIRONMENT, OK, USAGE
from loadlab import LONG, LoadCase

SECOND = 1_000_000_000
DYGRAPHS = Path("/usr/share/javascript/dygraphs/dygraph.min.js")
HOSTILE = ["</script><script>window.pwned = 1</script>", "<!--<script>", "<img src=x onerror='window.pwned = 2'>",
           "\"'`${window.pwned = 3}", "&lt;b&gt; &amp; \u202egnp.exe", "x" * 5000]


class ReportCase(LoadCase):
    def recorded(self, **options):
        """The events of a short run, with intervals as even as a machine has them that is never late."""
        at = self.folder() / "run.jsonl"
        interval_ns, rows = 50_000_000, []
        while len(rows) < 12:  # a late one is several
            self.run_load(self.echod(), code=None, **{"connections": 4, "duration": "600ms", "warmup": "100ms",
                                                      "interval": "50ms", "jsonl": at} | LONG | options)
            events = [json.loads(line) for line in at.read_text().splitlines()]
            rows = [e for e in events if e["event"] == "interval"]
        for i, row in enumerate(rows):
            row |= {"begin_ns": i * interval_ns, "end_ns": (i + 1) * interval_ns}
        return events

    def with_outage(self, events):
        """The same run as if its server had been away for a while: ends by several causes, intervals without echoes, and
        an outage that was over and one that was not."""
        events = copy.deepcopy(events)
        rows = [e for e in events if e["event"] == "interval"]
        empty = {key: 0 for key in rows[0]["latency_ns"]}
        for i, ended in ((3, {"reset": 3, "eof_early": 1}), (4, {"refused": 7}), (5, {"refused": 5, "timeout_connect": 2})):
            rows[i] |= {"ended": ended, "errors": sum(ended.values()), "open": 0, "echoed": 0, "per_second": 0.0,
                        "latency_ns": empty, "latency_buckets": []}
        events[-1]["result"]["outages"] = [
            {"begin_ns": rows[3]["begin_ns"], "noticed_ns": rows[3]["begin_ns"] + 7, "recovered_ns": rows[5]["end_ns"],
             "first_success_ns": rows[5]["end_ns"] - 5, "messages_lost": 4},
            {"begin_ns": rows[8]["begin_ns"], "noticed_ns": rows[8]["end_ns"], "recovered_ns": None,
             "first_success_ns": None, "messages_lost": 0}]
        return events

    def write(self, events, name="run.jsonl"):
        at = self.folder() / name
        at.write_text("".join(json.dumps(e) + "\n" for e in events))
        return at

    def report(self, *runs, **options):
        """The page's file."""
        page = self.folder() / "page.html"
        r = self.run_echoload("report", *map(str, runs), "-o", str(page), *(f"--{k}={v}" for k, v in options.items()),
                              timeout=PATIENCE * max(1, len(runs)))
        self.assertEqual((r.code, r.out, r.err), (OK, "", ""), r)
        return page


@unittest.skipUnless(browser.program(), f"{browser.PACKAGE} is not installed")
@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot-nox is not installed")
@unittest.skipUnless(DYGRAPHS.exists(), "libjs-dygraphs is not installed")
class ReportPage(ReportCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.shared = (cls.browser.process.pid,)

    def open(self, *runs, dark=False, size=(1280, 900), **options):
        page = self.browser.open(self.report(*runs, **options), dark, size)
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual((page.errors, page.requests), ([], []), "errors, requests"))
        return page

    def plotted(self, page, name):
        """What the chart was given to draw: [x, ...] rows, and the names of its series."""
        graph = f"document.querySelector('#chart-{name} .plot').chart.graph"
        rows = page.value(f"Array.from({{length: {graph}.numRows()}}, (_, row) => "
                          f"Array.from({{length: {graph}.numColumns()}}, (_, c) => {graph}.getValue(row, c)))")
        names = page.value(f"[...document.querySelectorAll('#chart-{name} .keys .name')].map(e => e.textContent)")
        return rows, names

    def window(self, page, name):
        return page.value(f"document.querySelector('#chart-{name} .plot').chart.graph.xAxisRange()")

    def shown(self, page, name):
        return page.value(f"document.querySelector('#chart-{name} .plot').chart.graph.visibility()")

    # --- what it shows ---------------------------------------------------------------------------------------------

    def expected(self, intervals, of):
        """A row for each beginning of an interval, and one more for the end of the last."""
        rows = [[i["begin_ns"] / SECOND, *of(i)] for i in intervals]
        return rows + [[intervals[-1]["end_ns"] / SECOND, *rows[-1][1:]]]

    def latencies(self, i):
        return [i["latency_ns"][k] if i["latency_ns"]["count"] else None for k in ("p50", "p99", "max")]

    def test_the_charts_show_every_value_of_the_result(self):
        events = self.with_outage(self.recorded())
        intervals = [e for e in events if e["event"] == "interval"]
        page = self.open(self.write(events))
        causes = ["finished", "eof early", "reset", "refused", "timeout connect"]
        charts = {
            "rate": (["echoes"], lambda i: [i["echoed"] * SECOND / (i["end_ns"] - i["begin_ns"])]),
            "latency": (["p50", "p99", "max"], self.latencies),
            "heat-0": (["p50", "p99"], lambda i: self.latencies(i)[:2]),
            "ends-0": (causes, lambda i: [i["ended"].get(c.replace(" ", "_"), 0) for c in causes]),
            "connections": (["asked", "open", "lost"], lambda i: [4, i["open"], i["errors"]]),
        }
        for name, (series, of) in charts.items():
            with self.subTest(chart=name):
                rows, names = self.plotted(page, name)
                self.assertEqual(names, series)
                expected = self.expected(intervals, of)
                self.assertEqual(len(rows), len(expected))
                for row, wanted in zip(rows, expected):
                    self.assertEqual(row[1:], [w if w is None else float(w) for w in wanted[1:]], (row, wanted))
                    self.assertAlmostEqual(row[0], wanted[0], 9)

    def test_the_table_beside_a_chart_has_the_same_rows(self):
        page = self.open(self.write(self.with_outage(self.recorded())))
        for name in ("rate", "latency", "ends-0", "percentiles"):
            with self.subTest(chart=name):
                page.click(f"#chart-{name} summary")
                page.wait(f"document.querySelector('#chart-{name} table')")
                cells = page.value(f"[...document.querySelectorAll('#chart-{name} tbody tr')].map("
                                   "r => [...r.cells].map(c => c.textContent))")
                rows, names = self.plotted(page, name)
                self.assertEqual(len(cells), len(rows))
                self.assertEqual({len(c) for c in cells}, {len(names) + 1})
                missing = [[v is None for v in row[1:]] for row in rows]
                self.assertEqual([[c == "–" for c in row[1:]] for row in cells], missing)

    def test_the_curve_is_that_of_the_histogram(self):
        events = self.recorded(rate=2000)
        result = events[-1]["result"]
        rows, names = self.plotted(self.open(self.write(events)), "percentiles")
        self.assertEqual(names, ["corrected", "uncorrected", "outside outages"])
        for column, key in enumerate(("latency_ns", "latency_uncorrected_ns", "latency_outside_outage_ns"), 1):
            curve = [(row[0], row[column]) for row in rows if row[column] is not None]
            self.assertEqual(curve[-1], (result[key]["count"], result[key]["max"]))
            self.assertEqual([v for _, v in curve], sorted(v for _, v in curve))
            for percent, name in ((50, "p50"), (90, "p90"), (99, "p99")):
                x = 100 / (100 - percent)
                below, above = [v for d, v in curve if d <= x][-1], [v for d, v in curve if d >= x][0]
                self.assertLessEqual(below, result[key][name])
                self.assertGreaterEqual(above, result[key][name])

    def test_the_heat_map_has_a_pixel_where_there_were_messages_and_nowhere_else(self):
        events = self.with_outage(self.recorded())
        intervals = [e for e in events if e["event"] == "interval"]
        page = self.open(self.write(events))
        picture = "document.querySelector('#chart-heat-0 .plot').chart.spec.image"
        # the middle of each block of pixels; a row at the top and a column at the right are free
        opaque = page.value("(() => { const i = " + picture + ", p = i.picture, c = document.createElement('canvas'); "
                            "c.width = p.width; c.height = p.height; const g = c.getContext('2d', {willReadFrequently: true}); g.drawImage(p, 0, 0); "
                            "const w = (p.width - 1) / i.times, h = (p.height - 1) / i.rows; "
                            "return Array.from({length: i.rows}, (_, y) => Array.from({length: i.times}, (_, x) => "
                            "g.getImageData((x + 0.5) * w, 1 + (y + 0.5) * h, 1, 1).data[3] > 0)); })()")
        bounds = [0] + [(4 + quarter) << (8 + doubling) for doubling in range(31) for quarter in range(4)]
        used = [bounds.index(low) for i in intervals for low, _ in i["latency_buckets"]]
        low, high = min(used), max(used)
        self.assertEqual((len(opaque), {len(row) for row in opaque}), (high - low + 1, {len(intervals)}))
        for t, i in enumerate(intervals):
            have = {bounds.index(b) for b, _ in i["latency_buckets"]}
            self.assertEqual({b for b in range(low, high + 1) if opaque[high - b][t]}, have, f"interval {t}")
        scale = page.value(picture + ".y")
        self.assertEqual(scale[1], bounds[high + 1])
        self.assertEqual(scale[0], bounds[low] or bounds[1] * 4 / 5)

    def test_outages_are_shaded_and_listed(self):
        events = self.with_outage(self.recorded())
        page = self.open(self.write(events))
        shades = page.value("document.querySelector('#chart-rate .plot').chart.spec.shades")
        first, second = events[-1]["result"]["outages"]
        end = max(events[-1]["result"]["duration_ns"], events[-2]["end_ns"])
        self.assertEqual([(s["kind"], round(s["from"] * SECOND), round(s["to"] * SECOND)) for s in shades],
                         [("warmup", 0, 100_000_000), ("outage", first["begin_ns"], first["recovered_ns"]),
                          ("outage", second["begin_ns"], end)])
        # the ground of the chart is another colour there
        colours = page.value("(() => { const g = document.querySelector('#chart-connections .plot').chart.graph; "
                             "const c = document.createElement('canvas'), from = g.canvas_; c.width = from.width; "
                             "c.height = from.height; const p = c.getContext('2d', {willReadFrequently: true}); "
                             f"p.drawImage(g.hidden_, 0, 0); return [{first['begin_ns'] / SECOND + 0.02}, 0.12].map(x => "
                             "[...p.getImageData(g.toDomXCoord(x), g.getArea().y + 40, 1, 1).data].join()); })()")
        self.assertNotEqual(colours[0], colours[1])
        text = page.value("document.getElementById('main').innerText")
        self.assertIn("never", text)
        self.assertIn("Outages", text)

    def test_the_verdict_and_the_four_numbers_stand_on_top(self):
        events = self.recorded()
        result = events[-1]["result"]
        page = self.open(self.write(events))
        self.assertIn(f"{result['messages']['echoed']:,} messages", page.value("document.getElementById('verdict').innerText"))
        cards = page.value("[...document.querySelectorAll('.cards > div')].map(e => e.innerText.split('\\n'))")
        self.assertEqual([c[0] for c in cards], ["Rate", "p99 latency", "Messages lost", "Longest outage"])
        self.assertEqual(cards[0][1], f"{result['messages']['per_second']:,.0f}/s")
        self.assertEqual(cards[2][1:], ["0", f"of {result['messages']['sent']:,} sent"])
        self.assertEqual(cards[3][1], "none")
        result["exit"] = {"code": 5, "reason": "the generator was late"}
        page = self.open(self.write(events))
        self.assertEqual(page.value("document.getElementById('verdict').textContent"), "Inconclusive: the generator was late.")
        self.assertEqual(page.value("document.getElementById('verdict').className"), "verdict unsure")

    def test_runs_are_laid_over_each_other_with_their_ratio(self):
        one = self.recorded()
        two = copy.deepcopy(one)
        two[-1]["result"]["latency_ns"]["p99"] = 3 * one[-1]["result"]["latency_ns"]["p99"]
        two[-1]["result"]["exit"] = {"code": 1, "reason": "64 connections ended in reset"}
        gone = [e for e in one if e["event"] == "interval"][4]
        two.remove(gone)  # it has no row for a while: a gap, not a line over it
        two[-1]["result"]["intervals"] = []  # nor in the result, which is asked where it has more of them
        page = self.open(self.write(one, "before.jsonl"), self.write(two, "after.jsonl"))
        rows, names = self.plotted(page, "rate")
        self.assertEqual(names, ["before", "after"])
        gap = gone["begin_ns"] / SECOND
        self.assertEqual([row[2] for row in rows if row[1] is not None and row[2] is None and row[0] == gap], [None])
        self.assertEqual([row[1] for row in rows if row[2] is not None], [row[2] for row in rows if row[2] is not None])
        cells = page.value("[...document.querySelectorAll('section table')[0].rows].map(r => [...r.cells].map(c => c.textContent))")
        self.assertEqual(cells[0][:5], ["run", "Rate", "ratio", "p99 latency", "ratio"])
        self.assertEqual((cells[2][0], cells[2][2], cells[2][4]), ("after", "× 1.000", "× 3.000"))
        self.assertEqual(page.value("document.getElementById('verdict').textContent"),
                         "after: Not all went well: 64 connections ended in reset.")

    def test_a_run_that_has_not_ended_and_a_sum_without_intervals(self):
        events = self.recorded()
        page = self.open(self.write(events[:6]))
        self.assertIn("has not ended", page.value("document.getElementById('verdict').textContent"))
        self.assertEqual(len(self.plotted(page, "rate")[0]), 6)
        parts = []
        for i in range(8):
            part = copy.deepcopy(events[-1]["result"])
            part["context"]["start_unix_ns"] += i  # no run twice
            parts.append(self.write([part], f"{i}.json"))
        total = self.folder() / "sum.json"
        r = self.run_echoload("merge", "-o", "quiet", "--json", str(total), *map(str, parts))
        self.assertEqual(r.code, OK, r)
        page = self.open(total)
        self.assertIsNone(page.value("document.getElementById('chart-rate')"))
        self.assertEqual(len(self.plotted(page, "percentiles")[1]), 3)
        self.assertIn("7.json", page.value("document.getElementById('main').textContent"))

    def test_eight_runs_of_an_hour_are_less_than_3_megabytes(self):
        events = self.recorded()
        rows = [e for e in events if e["event"] == "interval"][1:-1]
        result = events[-1]["result"] | {"intervals": [], "duration_ns": 3600 * SECOND}
        runs = []
        for run in range(8):
            hour = [rows[(i * 7 + run) % len(rows)] | {"begin_ns": i * SECOND, "end_ns": (i + 1) * SECOND}
                    for i in range(3600)]
            for i, row in enumerate(hour):  # no two alike
                row["latency_ns"] = {k: v + (i * 7919 + run) % 65536 for k, v in row["latency_ns"].items()}
                row["echoed"] += (i * 104729 + run) % 65536
            runs.append(self.write([*hour, {"event": "end", "result": result}], f"run{run}.jsonl"))
        page = self.open(*runs)
        self.assertLess(Path(page.url.removeprefix("file://")).stat().st_size, 3_000_000)
        rows, names = self.plotted(page, "rate")
        self.assertEqual((len(rows), len(names)), (3601, 8))

    # --- how it is used --------------------------------------------------------------------------------------------

    def test_a_drag_zooms_all_charts_over_time_and_one_button_shows_all(self):
        page = self.open(self.write(self.with_outage(self.recorded())))
        whole, curve = self.window(page, "rate"), self.window(page, "percentiles")
        x, y, w, h = page.box("#chart-rate .plot")
        page.drag((x + w * 0.4, y + h / 2), (x + w * 0.7, y + h / 2))
        page.wait("!document.querySelector('#chart-rate .reset').hidden")
        low, high = self.window(page, "rate")
        self.assertTrue(whole[0] < low < high < whole[1], (low, high))
        self.assertAlmostEqual((high - low) / (whole[1] - whole[0]), 0.3 * w / (w - 62 - 14), 1)
        for other in ("latency", "heat-0", "ends-0", "connections"):
            self.assertEqual(self.window(page, other), [low, high])
        self.assertEqual(self.window(page, "percentiles"), curve)
        page.click("#chart-latency .reset")
        for name in ("rate", "latency", "heat-0", "connections"):
            self.assertEqual(self.window(page, name), whole)

    def test_pointing_shows_the_values_of_all_charts_at_that_time(self):
        page = self.open(self.write(self.with_outage(self.recorded())))
        x, y, w, h = page.box("#chart-latency .plot")
        page.mouse("mouseMoved", (x + w * 0.2, y + h / 2))
        page.wait("document.querySelector('#chart-latency .at').textContent")
        row = page.value("document.querySelector('#chart-latency .plot').chart.row")
        rows, _ = self.plotted(page, "latency")
        for name in ("rate", "latency", "connections"):
            value = page.value(f"document.querySelector('#chart-{name} .plot').chart.row")
            self.assertEqual(value, row)
        said = page.value("document.querySelector('#chart-latency .keys .value').textContent")
        self.assertEqual(said, page.value(f"format.time({json.dumps(rows[row][1])})"))
        page.mouse("mouseMoved", (5, 5))
        page.wait("!document.querySelector('#chart-latency .at').textContent")

    def test_a_series_is_hidden_and_shown_by_its_key(self):
        page = self.open(self.write(self.with_outage(self.recorded())))
        self.assertEqual(self.shown(page, "latency"), [True, True, True])
        page.click("#chart-latency .keys button:nth-child(3)")
        page.wait("document.querySelector('#chart-latency .keys button:nth-child(3)').getAttribute('aria-pressed') == 'false'")
        self.assertEqual(self.shown(page, "latency"), [True, True, False])
        page.value("document.querySelector('#chart-latency .keys button:nth-child(2)').focus()")
        page.key("Tab")
        page.key(" ", " ")
        self.assertEqual(self.shown(page, "latency"), [True, True, True])

    def test_a_chart_is_read_and_zoomed_by_keyboard_alone(self):
        events = self.with_outage(self.recorded())
        page = self.open(self.write(events))
        whole = self.window(page, "rate")
        for _ in range(60):  # there is a way to it
            page.key("Tab")
            if page.value("document.activeElement === document.querySelector('#chart-latency .plot')"):
                break
        self.assertTrue(page.value("document.activeElement.matches('#chart-latency .plot')"))
        self.assertNotEqual(page.value("getComputedStyle(document.activeElement).outlineStyle"), "none")
        for _ in range(2):
            page.key("ArrowRight")
        latency = [e for e in events if e["event"] == "interval"][1]["latency_ns"]
        p50 = page.value(f"format.time({latency['p50']})") if latency["count"] else "–"
        said = page.value("document.querySelector('#chart-latency [aria-live=polite]').textContent")
        self.assertIn(f"p50 {p50}", said)
        page.key("+", "+")
        low, high = self.window(page, "rate")
        self.assertAlmostEqual(high - low, (whole[1] - whole[0]) / 2)
        page.key("ArrowRight", shift=True)
        self.assertAlmostEqual(self.window(page, "rate")[0], low + (high - low) / 4)
        page.key("Escape")
        self.assertEqual(self.window(page, "rate"), whole)

    def test_what_those_who_hear_the_page_are_told(self):
        page = self.open(self.write(self.with_outage(self.recorded())))
        tree = page.tree()
        for role, name in (("heading", "run"), ("heading", "Latency by percentile"), ("application", "Rate"),
                           ("figure", None), ("button", "Dark"), ("button", "p99"), ("main", ""), ("banner", ""),
                           ("table", "Outages"), ("table", "Lost messages, by what is known of them"),
                           ("table", "How connections and attempts ended"), ("table", "The generator's health")):
            self.assertTrue(any(r == role and name in (None, n) for r, n in tree), (role, name))
        unnamed = [r for r, n in tree if r in ("button", "application", "table", "region", "link") and not n]
        self.assertEqual(unnamed, [])
        self.assertEqual(page.value("[document.documentElement.lang, document.querySelectorAll('h1').length]"), ["en", 1])
        levels = page.value("[...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))")
        self.assertEqual(levels[0], 1)
        self.assertTrue(all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels)
        self.assertTrue(page.value("document.querySelector('main #verdict') !== null"))
        ids = page.value("[...document.querySelectorAll('[id]')].map(e => e.id)")
        self.assertEqual(len(ids), len(set(ids)))

    # --- how it looks ----------------------------------------------------------------------------------------------

    CONTRAST = """(() => {
        const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
        const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
            if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
        const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 :
            ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
        const texts = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility({visibilityProperty: true})
            && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && !e.matches('script, style, .unseen'))
            .map(e => [ratio(parse(getComputedStyle(e).color), ground(e)), e.className + ' ' + e.textContent.slice(0, 40)]);
        const lines = [...document.querySelectorAll('.keys button')].map(e => [ratio(parse(getComputedStyle(
            e.querySelector('.mark')).backgroundColor), ground(e.closest('figure'))), e.textContent]);
        return {texts, lines};
    })()"""

    def test_contrast_is_enough_in_light_and_in_dark_and_the_button_changes_them(self):
        at = self.write(self.with_outage(self.recorded()))
        grounds = set()
        for dark in (False, True):
            page = self.open(at, dark=dark)
            page.click("section > details > summary")
            for press in (False, True):
                if press:
                    page.click("#theme")
                    page.wait(f"document.querySelector('#theme').getAttribute('aria-pressed') == '{str(not dark).lower()}'")
                seen = page.value(self.CONTRAST)
                self.assertGreater(len(seen["texts"]), 150)
                self.assertEqual([t for t in seen["texts"] if t[0] < 4.5], [], (dark, press))
                self.assertEqual([t for t in seen["lines"] if t[0] < 3], [], (dark, press))
                grounds.add((dark != press, page.value("getComputedStyle(document.body).backgroundColor")))
                drawn = page.value("document.querySelector('#chart-rate .plot').chart.graph.getColors()[0]")
                marked = page.value("getComputedStyle(document.querySelector('#chart-rate .mark')).backgroundColor")
                self.assertEqual(drawn, marked, "the chart has the colours of the theme")
        self.assertEqual(len(grounds), 2, grounds)

    def test_a_narrow_screen_scrolls_down_only(self):
        page = self.open(self.write(self.with_outage(self.recorded())), size=(390, 800))
        self.assertLessEqual(page.value("document.documentElement.scrollWidth"), 390)

    def test_text_from_anywhere_stays_text(self):
        events = self.with_outage(self.recorded())
        result = events[-1]["result"]
        result["exit"] = {"code": 1, "reason": HOSTILE[0]}
        result["phase"] = HOSTILE[1] + HOSTILE[3]
        result["context"]["argv"] = HOSTILE
        result["context"]["kernel"] = HOSTILE[2]
        result["context"][HOSTILE[0]] = {HOSTILE[2]: HOSTILE}
        result["config"] |= {h: h for h in HOSTILE}
        result["config_source"] |= {h: h for h in HOSTILE}
        result["generator"]["bottleneck"] = HOSTILE[2]
        result["generator"]["host_tcp"] = {h: 1 for h in HOSTILE}
        result["targets"] = [{"target": h, "address": h} for h in HOSTILE]
        result["outcomes"] = [{"cause": h, "phase": h, "errno": h, "count": 1} for h in HOSTILE]
        page = self.open(self.write(events, "<b>&'\".jsonl"), title=HOSTILE[0] + HOSTILE[2])
        page.click("section > details > summary")
        self.assertIsNone(page.value("window.pwned"))
        self.assertEqual(page.value("document.querySelector('h1').textContent"), HOSTILE[0] + HOSTILE[2])
        self.assertIn(HOSTILE[0], page.value("document.getElementById('verdict').textContent"))
        text = page.value("document.getElementById('main').textContent")
        for h in HOSTILE:
            self.assertIn(h, text)
        self.assertEqual(page.value("document.querySelectorAll('main script, main img, main b').length"), 0)
        self.assertLessEqual(page.value("document.documentElement.scrollWidth"), 1280)

    def test_numbers_that_are_none_break_nothing(self):
        events = self.recorded()
        odd = [None, -1, 1e308, "1", [], {}, True, 2**62]
        for value in odd:
            changed = copy.deepcopy(events)
            result = changed[-1]["result"]
            for key in ("messages", "connections", "outages", "outcomes", "generator", "context", "config", "targets",
                        "latency_ns", "histograms", "measured", "exit", "duration_ns"):
                result[key] = value
            for event in changed[2:4]:
                for key in ("begin_ns", "echoed", "latency_ns", "latency_buckets", "ended", "open"):
                    event[key] = value
            with self.subTest(value=value):
                page = self.open(self.write(changed))
                self.assertNotIn("NaN", page.value("document.body.innerText"))


    def test_what_is_damaged_within_a_result_is_missing_and_the_rest_is_there(self):
        events = self.recorded()
        for value in (None, 1e300, "x", [None]):
            changed = copy.deepcopy(events)
            result = changed[-1]["result"]
            result["outcomes"] = result["targets"] = result["outages"] = [value, value]
            result["context"] |= {"start_unix_ns": value, "merged": [value], "argv": [value]}
            result["generator"]["pauses"] = [value]
            with self.subTest(value=value):
                page = self.open(self.write(changed))
                self.assertEqual(page.value("document.querySelectorAll('#chart-rate canvas').length > 0"), True)
                self.assertNotIn("undefined", page.value("document.body.innerText"))

    def test_what_the_result_had_no_room_for_is_counted(self):
        events = self.with_outage(self.recorded())
        page = self.open(self.write(events))
        self.assertNotIn("not listed", page.value("document.body.innerText"))
        result = events[-1]["result"] | {"outages_unlisted": 3, "intervals_unlisted": 1200}
        page = self.open(self.write([result], "run.json"))
        text = page.value("document.getElementById('main').textContent")
        self.assertIn("5 in all, 3 of them not listed", text)
        self.assertIn("Outages: 5, 3 of them not listed", text)
        self.assertIn("The last 1,200 intervals are not shown", text)


class ReportCommand(ReportCase):
    def test_a_damaged_line_is_named_and_the_rest_is_shown(self):
        at, page = self.write(self.recorded()), self.folder() / "page.html"
        lines = at.read_text().splitlines(keepends=True)
        at.write_text("".join([*lines[:3], lines[3][:20] + "\n", *lines[4:]]))
        for argv in (["report", str(at), "-o", str(page)], ["plot", str(at), "-o", str(page.with_suffix(".svg"))]):
            r = self.run_echoload(*argv)
            self.assertEqual(r.code, OK, r)
            self.assertIn(f"{at}: line 4 is damaged", r.err)

    def test_what_it_cannot_show(self):
        at = self.folder()
        (at / "none.json").write_text('{"schema": "echodrill/1"}\n')
        self.write(self.recorded(), "run.jsonl").rename(at / "run.jsonl")
        out = ["-o", str(at / "page.html")]
        (at / "bad").mkdir()
        (at / "bad" / "dygraph.min.js").write_text("</script>")
        for argv, code, said in (([str(at / "none.json"), *out], USAGE, "no run of echoload"),
                                 ([str(at / "missing"), *out], USAGE, "No such file"),
                                 ([str(at / "run.jsonl")], USAGE, "echoload report RUN.jsonl -o"), ([], USAGE, "report RUN"),
                                 ([*[str(at / "run.jsonl")] * 17, *out], USAGE, "16 runs"),
                                 ([str(at / "run.jsonl"), *out, f"--dygraphs={at}"], ENVIRONMENT, "apt-get install libjs-dygraphs"),
                                 ([str(at / "run.jsonl"), *out, f"--dygraphs={at}/bad"], ENVIRONMENT, "is not a library"),
                                 ([str(at / "run.jsonl"), "-o", str(at / "no" / "page.html")], ENVIRONMENT, "cannot write")):
            r = self.run_echoload("report", *argv)
            self.assertEqual(r.code, code, r)
            self.assertIn(said, r.err)
            self.assertFalse((at / "page.html").exists())
        self.assertEqual(sorted(p.name for p in at.iterdir()), ["bad", "none.json", "run.jsonl"], "nothing is left")

    def test_without_gnuplot_it_says_so(self):
        at = self.folder()
        r = self.run_echoload("report", str(self.write(self.recorded())), "-o", str(at / "page.html"), env={"PATH": str(at)})
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertIn("apt-get install gnuplot-nox", r.err)
        self.assertFalse((at / "page.html").exists())
