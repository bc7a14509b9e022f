# SPDX-License-Identifier: MIT
"""A few of the calls that tests/nth makes fail, all of which takes hours: of each scenario those in which faults were."""
import errno
import json
import tempfile
from pathlib import Path

import nthtable
from drilllab import SKIPPED
from echolab import ENVIRONMENT, ROOT, SANITIZERS, Failed, TestCase, no_namespaces, not_in, program, run
from nthkinds import FOREVER, SCENARIOS
from nthlab import ERRNOS, Fault, made, row
from nthsignals import INTERRUPTED
from takeoverlab import backends

# scenario: [(call, errno, n...)]; without n it is 1, 2, 3, 5, 8, 14, ...
FEW = {
    "merge": [("malloc", errno.ENOMEM), ("rename", errno.EACCES)],
    "merge-parts": [("malloc", errno.ENOMEM)],
    "plot": [("malloc", errno.ENOMEM), ("disk", errno.EFBIG)],
    "report": [("malloc", errno.ENOMEM)],
    "echod-config": [("malloc", errno.ENOMEM)],
    "load-epoll": [("malloc", errno.ENOMEM), ("pthread_create", errno.EAGAIN), ("connect", errno.EADDRNOTAVAIL)],
    "load-io_uring": [("sqe_recv", errno.ECANCELED), ("sqe_send", "short"), ("sqe_cancel", errno.ENOENT, 1)],
    "load-overflow": [("sqe_recv", "once", 1, 5)],
    "textbook": [("write", "short"), ("write_file", errno.ENOSPC)],
    "interactive": [("poll", errno.ENOMEM)],
    "serve-epoll": [("malloc", errno.ENOMEM), ("send", errno.EINTR, 2), ("sendmsg", errno.ENOMEM, 2)],
    "serve-fork": [("ppoll", errno.ENOMEM)],
    "serve-io_uring": [("sqe_accept", "once")],
    "takeover": [("malloc", errno.ENOMEM), ("getsockopt", errno.ENOBUFS, 8)],
    "drill": [("malloc", errno.ENOMEM), ("open", errno.EMFILE, 3), ("write_file", errno.ENOSPC, 28)],
    "drill-list": [("malloc", errno.ENOMEM)],
}


class EveryNth(TestCase):
    def few(self, *names):
        for name in names:
            with made(SCENARIOS[name]) as scenario:
                for call, what, *numbers in FEW[name]:
                    runs, wrong = row(scenario, call, what, numbers or "few", most_wrong=1)
                    for fault, why in wrong:
                        self.fail(f"tests/nth {name} {fault}: {why}")
                    self.assertGreater(runs, 0, f"{name} never calls {call}")

    # the sanitizers' runtimes must be loaded first, and valgrind replaces some of these functions itself
    natively = not_in(*SANITIZERS, "valgrind")

    @natively
    def test_readers_of_results(self):
        self.few("merge", "merge-parts", "plot", "report")

    @natively
    def test_loads(self):
        self.few("load-epoll", "load-io_uring", "load-overflow")

    @natively
    def test_clients_for_people(self):
        self.few("interactive", "textbook")

    @natively
    def test_servers(self):
        self.few("serve-epoll", "serve-fork", "serve-io_uring")

    @natively
    def test_a_takeover(self):
        self.few("takeover")

    @natively
    def test_a_drill(self):
        self.few("drill")

    @natively
    def test_what_is_printed(self):
        self.few("echod-config", "drill-list")

    @natively
    def test_a_private_machine_that_cannot_be_held_says_why(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        with tempfile.TemporaryDirectory(prefix="echolab-") as folder:
            r = run([*program("echodrill"), "-o", "json", "run", "connect-refused"],
                    Fault("pipe2", errno.EMFILE, 2).environment(Path(folder) / "log", "echodrill"), timeout=FOREVER)
            self.assertEqual(r.code, SKIPPED, r)
            self.assertEqual(json.loads(r.out)["reason"], "cannot start process 1: Too many open files")

    @natively
    def test_a_backend_that_cannot_be_asked_for_is_not_left_out_of_all(self):
        with tempfile.TemporaryDirectory(prefix="echolab-") as folder:
            for n in range(1, 7):  # its version and its backends, of echod and of echoload
                r = run([*program("echodrill"), "--all", "run", "connect-refused"],
                        Fault("fork", errno.EAGAIN, n).environment(Path(folder) / "log", "echodrill"), timeout=FOREVER)
                self.assertEqual(r.code, ENVIRONMENT, r)
                self.assertRegex(r.err, "^echodrill: error: cannot ask echo(d|load) for its backends: Resource temp", r)


class Signals(TestCase):
    """Each signal twice while an echod starts, stops, reads its configuration again, hands over, and takes over, each time
    before another call, from the first one to the last; tests/nth tries each before every call."""

    def each_signal(self, what):
        signals, came = ERRNOS["main"] * 2, 0
        for offset, kind in enumerate(k for k in INTERRUPTED if k.what == what and k.backend in backends()):
            with made(kind) as scenario:
                self.assertGreater(scenario.steps, len(ERRNOS["main"]), kind.name)
                for i in range(len(signals)):
                    n = 1 + i * scenario.steps // len(signals)
                    fault = Fault("main", signals[(i + 4 * offset) % len(signals)], n)
                    with self.subTest(scenario=kind.name, fault=str(fault)):
                        try:
                            came += scenario.run(fault)
                        except Failed as e:
                            self.fail(f"tests/nth {kind.name} {fault}: {e}")
        self.assertGreater(came, len(signals), "most of them come: not every run makes as many calls as the first one")

    @EveryNth.natively
    def test_a_start_is_interrupted(self):
        self.each_signal("start")

    @EveryNth.natively
    def test_a_stop_is_interrupted(self):
        self.each_signal("stop")

    @EveryNth.natively
    def test_a_reload_is_interrupted(self):
        self.each_signal("reload")

    @EveryNth.natively
    def test_a_successor_is_interrupted(self):
        self.each_signal("takeover")

    @EveryNth.natively
    def test_who_hands_over_is_interrupted(self):
        self.each_signal("handover")


class Table(TestCase):
    def test_the_page_has_rows_of_scenarios_in_which_nothing_was_wrong(self):
        rows, sums = nthtable.read((ROOT / "docs" / "testing.md").read_text())
        self.assertEqual(list(rows), [name for name in SCENARIOS if name in rows], "make nth writes them in this order")
        self.assertEqual(sums, nthtable.sums(rows.values()))
        for name, cells in rows.items():
            scenario = dict(zip(nthtable.HEAD, cells))
            self.assertEqual(scenario["program"], SCENARIOS[name].program, name)
            self.assertIn(scenario["n"], ("all", "most", "few"), name)
            self.assertLessEqual(scenario["calls"], len(SCENARIOS[name].calls), name)
            self.assertLessEqual(scenario["calls"], scenario["errnos"], name)
            self.assertLessEqual(scenario["errnos"], scenario["runs"], name)
            self.assertEqual(scenario["wrong"], 0, name)
