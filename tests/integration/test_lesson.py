# SPDX-License-Identifier: MIT
"""docs/lesson: the naive programs miss every lesson for the reason that its page gives, the cured ones pass, and what the
pages show is what runs show."""
import importlib.machinery
import importlib.util
import re
import shutil
import tempfile
from pathlib import Path

from drilllab import INCONCLUSIVE, drill
from echolab import ENVIRONMENT, OK, ROOT, USAGE, VERDICT, TestCase, no_namespaces, program, run

LESSON = ROOT / "docs/lesson"


def load_tool():
    loader = importlib.machinery.SourceFileLoader("lesson_tool", str(ROOT / "tools/lesson"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lesson_tool", loader))
    loader.exec_module(module)
    return module


tool = load_tool()

# (lesson, side): words of each explanation that the naive program must be given
MISSED = {
    (1, "client"): ["it waits for its user", "SIGPIPE has killed it"],
    (2, "client"): ["waits for an answer without a limit", "TCP sends nothing on an idle connection"],
    (3, "client"): ["read fails with ECONNRESET, and it went on", "only what is sent to it is answered, by RST"],
    (4, "client"): ["most likely it waits for its user and for nothing else"],
    (1, "server"): ["stays behind as a zombie", "bind fails with EADDRINUSE"],
    (2, "server"): ["keeps a connection whose client is gone", "Bound unacknowledged data with TCP_USER_TIMEOUT"],
    (3, "server"): ["a connection that its client's host has forgotten"],
    (4, "server"): ["does not handle SIGTERM is ended by it", "SIGTERM has ended it as SIGKILL would have"],
}


class Graded(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        tool.compile_programs(cls.place)

    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def command(self, name):
        return f"{self.place / name} {{server}} {{port}}"

    def once(self, lesson, side, command, *more):
        return run([*program("echodrill"), "-j", "3", "lesson", str(lesson), f"--{side}", command, *more], timeout=120)

    def grade(self, *args):
        """Run again while a busy machine leaves it open."""
        for _ in range(6):
            r = self.once(*args)
            if r.code != INCONCLUSIVE and "cannot be said" not in r.out:
                break
        return r

    def shown(self, lesson, side, name):
        """What the pages show of that, in any language; None: nothing."""
        what = f"lesson {lesson} --{side} {name}"
        return next((tool.blocks(p)[what] for p in tool.pages() if what in tool.blocks(p)), None)

    def check_page(self, lesson, side, name, r):
        shown = self.shown(lesson, side, name)
        if shown:
            said = f"$ echodrill lesson {lesson} --{side} './{name} {{server}} {{port}}'\n{r.out}\nexit code {r.code}"
            self.assertEqual(tool.stable("lesson", shown), tool.stable("lesson", said), "make lesson")


def graded(lesson, side):
    """The tests of one lesson and side; a class each, so that they run beside each other."""
    def naive(self):
        name = f"naive_{side}"
        r = self.grade(lesson, side, self.command(name))
        self.assertEqual((r.code, r.err), (VERDICT, ""), r)
        words = " ".join(r.out.split())
        for why in MISSED[lesson, side]:
            self.assertIn(why, words)
        self.check_page(lesson, side, name, r)

    def cured(self):
        name = f"cured_{side}"
        r = self.grade(lesson, side, self.command(name))
        self.assertEqual((r.code, r.err), (OK, ""), r)
        self.check_page(lesson, side, name, r)

    return type(f"Lesson{lesson}{side.title()}", (Graded,),
                {"test_the_naive_program_misses_it_and_is_told_why": naive, "test_the_cured_program_passes": cured})


globals().update({c.__name__: c for c in (graded(n, side) for n, side in MISSED)})


class Checker(Graded):
    def test_nothing_passes_without_the_fault(self):
        """Each drill of a lesson is about its fault: a program that passes has met it."""
        for side, lesson in (("client", 1), ("server", 4)):
            r = self.once(lesson, side, self.command(f"cured_{side}"), "--without-fault")
            self.assertNotIn(": passed", r.out)
            self.assertNotEqual(r.code, OK, r)

    def test_a_program_that_does_not_do_its_part_is_told_what_that_is(self):
        r = self.grade(1, "client", "cat")
        self.assertEqual((r.code, r.out.count("It has not connected.")), (VERDICT, 2), r)
        r = self.grade(3, "client", f"{self.command('naive_client')} >/dev/null")
        words = " ".join(r.out.split())
        self.assertEqual((r.code, words.count("did not come back on its standard output")), (VERDICT, 2), r)
        r = self.once(1, "server", "true")
        self.assertEqual((r.code, "does not listen" in " ".join(r.out.split())), (INCONCLUSIVE, True), r)
        r = self.once(1, "server", "/no/such/program {server} {port}")
        self.assertEqual(r.code, ENVIRONMENT, r)

    def test_programs_read_what_was_missed_as_json(self):
        for _ in range(6):  # what a busy machine leaves open is run again
            r = drill("lesson", "4", "--server", self.command("naive_server"))
            if "inconclusive" not in [d["verdict"] for d in r.results.values()]:
                break
        found = {name: [e for e in d["expectations"] if e["missed"]] for name, d in r.results.items()}
        self.assertEqual({name: d["verdict"] for name, d in r.results.items()},
                         {"server-shutdown": "fail", "server-shutdown-idle": "fail"}, r)
        self.assertEqual([e["what"] for e in found["server-shutdown-idle"]], ["server.exit"])
        self.assertTrue(all(e["ruling"] == "no" for f in found.values() for e in f))

    def test_all_that_happened_is_shown_when_it_is_asked_for(self):
        r = self.grade(1, "client", self.command("cured_client"), "--timeline", "always")
        self.assertRegex(r.out, r"FAULT +signal KILL child")
        self.assertRegex(r.out, r"<-- FIN ACK")


class Words(TestCase):
    def lesson(self, *argv):
        return run([*program("echodrill"), "lesson", *argv])

    def test_without_a_number_the_lessons_are_listed(self):
        r = self.lesson()
        self.assertEqual(r.code, OK)
        self.assertEqual(re.findall(r"(?m)^(\d)  ", r.out), ["1", "2", "3", "4"])
        names = re.findall(r"--(?:client|server) CMD  (\S+)", r.out)
        self.assertEqual(sorted(names), sorted(p.stem for p in (ROOT / "configs/drills/lessons").glob("*.conf")))

    def test_a_drill_of_a_lesson_explains_all_that_a_program_may_miss(self):
        """An explanation below each thing that is about the student's program: what it prints, how it ends."""
        for path in (ROOT / "configs/drills/lessons").glob("*.conf"):
            side = path.stem.split("-")[0]
            text = path.read_text()
            self.assertEqual(run([*program("echodrill"), "check", str(path)]).code, OK, path)
            for line, below in re.findall(r"(?m)^step = await (?:exit )?(.*)\n(.*)", text):
                if line.startswith(f"{side} ") and "within" in line:
                    self.assertTrue(below.startswith("missed = "), (path.name, line))
            self.assertGreaterEqual(text.count("\nmissed = "), 2, path.name)

    def test_what_makes_no_sense_is_refused(self):
        for argv, why in ((["5"], "there is no lesson '5': 1 to 4"), (["0"], "no lesson '0'"), (["one"], "no lesson 'one'"),
                          (["1"], "--client CMD or --server CMD"), (["1", "2"], "usage: echodrill lesson"),
                          (["1", "--client", "a", "--server", "b"], "grades one program")):
            r = self.lesson(*argv)
            self.assertEqual((r.code, r.out, why in r.err), (USAGE, "", True), r)


class Pages(TestCase):
    def test_outputs_and_pictures_are_what_a_run_shows(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        shown = {what: made for p in tool.pages() for what, made in tool.blocks(p).items() if what.startswith("run ")}
        self.assertEqual(len(shown), 4)
        for what, made in shown.items():
            name = what.split()[1]
            with self.subTest(drill=name), tempfile.TemporaryDirectory() as folder:
                for _ in range(5):  # a late machine sends a segment more
                    new = tool.make(what, Path(folder))
                    same = tool.stable(what, made) == tool.stable(what, new)
                    pictures = [tool.stable_picture(p.read_text()) for p in (LESSON / f"{name}.svg", Path(folder, f"{name}.svg"))]
                    if same and pictures[0] == pictures[1]:
                        break
                self.assertEqual(tool.stable(what, made), tool.stable(what, new), "make lesson")
                self.assertEqual(*pictures, "make lesson")

    def test_excerpts_are_those_of_the_programs(self):
        found = {what: made for p in tool.pages() for what, made in tool.blocks(p).items() if what.startswith("code ")}
        self.assertGreaterEqual(len(found), 6)
        for what, made in found.items():
            self.assertEqual(made, tool.framed(what, tool.make(what, None)), f"{what}: make lesson")
            if "naive" in what:
                self.assertLessEqual(made.count("\n"), 40, what)

    def test_every_language_has_the_same_blocks(self):
        self.assertEqual({p.name for p in LESSON.glob("*.md")}, {p.name for p in LESSON.glob("zh/*.md")})
        for page in tool.pages():
            with self.subTest(page=page):
                self.assertEqual(tool.blocks(page), tool.blocks(LESSON / page.name))
                self.assertTrue(all(tool.blocks(page).values()), "a block that was not made: make lesson")

    def test_what_the_pages_point_to_is_there(self):
        drills = {p.stem for p in (ROOT / "configs/drills").glob("*.conf")}
        for page in tool.pages():
            text = page.read_text()
            for link in re.findall(r"\]\(([^)#]+)\)", text):
                self.assertTrue((page.parent / link).exists(), (page, link))
            for names in re.findall(r"echodrill run ((?:[a-z][a-z-]+ ?)+)", text):
                self.assertLessEqual(set(names.split()), drills, page)
