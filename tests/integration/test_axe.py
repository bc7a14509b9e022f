# SPDX-License-Identifier: MIT
"""axe-core finds nothing on our pages that keeps people from using them, in light and in dark. AXE_CORE is the path of its
script (tools/axe fetches it by npm, and only .ci/run does); without it there are no tests here."""
import json
import os
import tempfile
from pathlib import Path

import browser
from echolab import OK, program, run
from test_report_page import ReportCase

AXE_CORE = os.environ.get("AXE_CORE")
# what is found: the rule, how bad it is, and the elements
FOUND = """axe.run(document).then(r => r.violations.map(v => [v.id, v.impact, v.nodes.map(n => [n.target.join(' '),
    n.any.concat(n.all, n.none).map(c => c.message).join('; ')])]))"""


class Axe:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.shared = (cls.browser.process.pid,)

    def check(self, path):
        for dark, size in ((False, (1280, 900)), (True, (1280, 900)), (False, (390, 800))):
            with self.subTest(dark=dark, size=size):
                page = self.browser.open(path, dark, size)
                self.addCleanup(page.close)
                page.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
                page.value(Path(AXE_CORE).read_text() + "\n;0")
                self.assertGreater(page.value("axe.run(document).then(r => r.passes.length)"), 10, "it has looked")
                found = page.value(FOUND)
                self.assertFalse(found, "\n" + "\n".join(map(json.dumps, found)))

    def test_it_finds_nothing_on_the_page_of_a_run(self):
        self.check(self.report(self.write(self.with_outage(self.recorded()))))

    def test_it_finds_nothing_on_the_page_of_several_runs(self):
        events = self.recorded()
        self.check(self.report(self.write(events, "a.jsonl"), self.write(self.with_outage(events), "b.jsonl")))

    def test_it_finds_nothing_on_the_page_of_drills(self):
        with tempfile.TemporaryDirectory(prefix="echolab-") as folder:
            r = run([*program("echodrill"), "run", "-j", "2", "--html", folder, "server-killed", "grid-killed-flight"], timeout=120)
            self.assertIn(r.code, (OK, 5), r)
            at = Path(folder, "index.html")
            at.write_text(at.read_text().replace("<html", "<html data-ready"))
            self.check(at)


if AXE_CORE:
    class AxeCore(Axe, ReportCase):
        pass
