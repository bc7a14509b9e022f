# SPDX-License-Identifier: MIT
"""One load from four hosts, by mpirun; the agent that it starts its daemons by enters a namespace."""
import collections
import json
import os
import signal
import time

from echolab import OK, ROOT, USAGE, slow
from echolab.environment import BIN
from echolab.process import Process, run
from hostlab import HOSTS, HostsCase
from loadlab import INCONCLUSIVE, SIGTERM
from test_echoload_reports import hdr_counts


class Mpi(HostsCase):
    def mpirun(self, *argv, deadline=60, inside=""):
        """tools/echoload-mpirun on h1, as four parts; `inside`: see agent."""
        (self.at / "hosts").write_text("".join(f"10.79.0.{i} slots=1\n" for i in range(1, HOSTS + 1)))
        mpi = ["--allow-run-as-root", "-n", HOSTS, "--hostfile", self.at / "hosts", "--map-by", "node"]
        for key, value in {"plm_rsh_agent": self.agent(inside), "oob_tcp_if_include": "10.79.0.0/24",
                           "btl_tcp_if_include": "10.79.0.0/24", "btl": "tcp,self", "pml": "ob1"}.items():
            mpi += ["--mca", key, value]
        return self.keep(Process([*self.hosts[1].prefix, ROOT / "tools/echoload-mpirun", "--dir", self.dir, "--deadline",
                                  deadline, *mpi, "--", *argv, "10.78.0.100:7007"],
                                 env={"ECHOLAB_BIN": BIN, "TMPDIR": "/tmp"}))

    def test_four_hosts_make_the_books_of_one(self):
        load = self.mpirun("-c", 1000, "-n", 20000, "-T", "1m", "--connect-timeout", "1m", "--json", self.at / "sum.json")
        self.assertEqual(load.wait(120), OK, load.said())
        j = self.checked((self.at / "sum.json").read_text())
        one = self.run_load("10.78.0.100:7007", prefix=self.hosts[1].prefix, connections=1000, messages=20000,
                            timeout="1m", connect_timeout="1m")
        for group in ("messages", "measured", "bytes"):
            for key in ("planned", "missed", "sent", "echoed", "corrupt", "lost", "unfinished", "received"):
                self.assertEqual(j[group].get(key), one[group].get(key), (group, key))
        self.assertEqual(j["connections"]["requested"], 1000)
        self.assertEqual(j["connections"]["established"], one["connections"]["established"])
        self.assertEqual(j["latency_ns"]["count"], 20000)
        self.assertEqual((j["parts"]["present"], j["parts"]["missing"]), (HOSTS, []))
        self.assertIsNotNone(j["parts"]["clock_uncertainty_ns"])
        files = [json.loads(f.read_text().splitlines()[-1])["result"] for f in self.dir.glob("part.*.jsonl")]
        for key in ("latency_ns", "latency_uncorrected_ns", "connect_ns"):
            self.assertEqual(hdr_counts(j["histograms"][key]),
                             sum((hdr_counts(f["histograms"][key]) for f in files), collections.Counter()), key)
        self.assertEqual([m["part"]["number"] for m in sorted(j["context"]["merged"], key=lambda m: m["file"])],
                         [1, 2, 3, 4])

    def test_what_an_earlier_run_has_left_is_no_part_of_this_one(self):
        """Of one host, on which no part of the second run can begin."""
        self.dir.mkdir()
        mpi = [*self.hosts[1].prefix, "mpirun", "--allow-run-as-root", "--oversubscribe", "-n", 2, BIN / "echoload-mpi",
               "--dir", self.dir]
        r = run([*mpi, "-c", 4, "-n", 100, "10.78.0.100:7007"], timeout=60)
        self.assertEqual((r.code, len(list(self.dir.iterdir()))), (OK, 3), r)
        r = run([*mpi, "-c", 4, "-n", 100, "--no-such-option", "10.78.0.100:7007"], timeout=60)
        self.assertEqual((r.code, r.out), (USAGE, ""), r)
        self.assertEqual(list(self.dir.glob("part.*")), [])

    def broken(self, load, within):
        """It ends in time, with exit code 5 and a report."""
        began = time.monotonic()
        code = load.wait(within)
        self.assertEqual(code, INCONCLUSIVE, load.said())
        self.assertRegex(load.out.text, r"(?m)^parts +\d of 4")
        return time.monotonic() - began

    def test_a_part_that_is_killed_is_named(self):
        load = self.mpirun("-c", 40, "-d", "6s", "-w", "0", "--interval", "200ms")
        self.begun()
        os.kill(self.part(3), signal.SIGKILL)
        self.broken(load, 60)
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 3, with 10 of 40 connections")

    def test_a_part_that_stands_still_is_given_up_at_the_deadline(self):
        load = self.mpirun("-c", 40, "-d", "3s", "-w", "0", "--interval", "200ms", deadline=int(slow(15)))
        self.begun()
        pid = self.part(2)
        os.kill(pid, signal.SIGSTOP)
        self.broken(load, 60)
        # Open MPI may wake it up to end it: then it writes its file, and says that it stood still
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 2, with 10 of 40 connections|paused \d")
        self.assertIn("not over after", load.err.text)

    def test_a_host_that_is_cut_off_hangs_nobody(self):
        load = self.mpirun("-c", 40, "-d", "4s", "-w", "0", "--interval", "200ms", deadline=int(slow(20)))
        self.begun()
        self.cut_off(4)
        self.broken(load, 90)

    def test_a_disk_that_is_full_is_the_part_that_is_missing(self):
        """On h3 the folder of the files has 16 KiB: what it could write there comes to rank 0 all the same."""
        self.dir.mkdir()
        load = self.mpirun("-c", 40, "-n", 400, "-R", 400, "-T", "1m", "--interval", "10ms",
                           inside=f"mount -t tmpfs -o size=16k none {self.dir}")
        self.broken(load, 60)
        self.assertIn(f"cannot write {self.dir}/part.3.jsonl: No space left on device", load.err.text)
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 3, with 10 of 40 connections")
        self.assertIn('"interval"', (self.dir / "part.3.jsonl").read_text())

    def test_a_clock_that_is_ahead_is_measured_and_all_begin_together(self):
        """That of h3 by 5 s: a library of the tests is between it and its programs."""
        ahead = f"export LD_PRELOAD={BIN}/preload/clock_set.so ECHOLAB_CLOCK_SET=5000 ECHOLAB_CLOCK_SET_WHEN=/"
        load = self.mpirun("-c", 40, "-n", 4000, "-R", 4000, "-T", "1m", "--json", self.at / "sum.json", inside=ahead)
        self.assertIn(load.wait(120), (OK, INCONCLUSIVE), load.said())  # a busy machine may have been late
        j = self.checked((self.at / "sum.json").read_text())
        parts = {m["part"]["number"]: m["part"] for m in j["context"]["merged"]}
        for number, part in parts.items():
            off = part["clock_offset_ns"] - (5_000_000_000 if number == 3 else 0)
            self.assertLessEqual(abs(off), part["clock_uncertainty_ns"], part)
        self.assertEqual((j["parts"]["present"], j["parts"]["clock_stepped_ns"]), (HOSTS, 0))
        self.assertLess(j["parts"]["start_spread_ns"], slow(1) * 1e9)

    def test_sigterm_ends_it_with_a_report_of_all(self):
        load = self.mpirun("-c", 40, "-d", "60s", "-w", "0", "--interval", "200ms")
        self.begun()
        load.send_signal(signal.SIGTERM)
        self.assertIn(load.wait(60), (INCONCLUSIVE, SIGTERM), load.said())
        self.assertRegex(load.out.text, r"(?m)^parts +4 of 4")
