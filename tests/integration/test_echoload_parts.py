# SPDX-License-Identifier: MIT
"""A load in parts: together they are what one process would have been asked for, and each says which part it is."""
import json
import os
import signal
import time
import unittest
from pathlib import Path

from echolab import (BIN, ENVIRONMENT, OK, ROOT, SANITIZERS, USAGE, Process, covers, descendants, no_namespaces, not_in,
                     recv_exactly, run, sh)
from loadlab import INCONCLUSIVE, LONG, LoadCase, echo_all, parse, target_text
from loadlab import problems as books
from ramplab import Ramps
from schemas import problems


class Parts(Ramps, LoadCase):
    def parts(self, to, count, *argv, codes=(OK,), **options):
        """The results of all parts of a load, which run at the same time."""
        loads = [self.load(to, *argv, part=f"{k}/{count}", **options) for k in range(1, count + 1)]
        results = [load.done() for load in loads]
        for r in results:
            self.assertIn(r.code, codes, r)
            self.assertEqual(problems("echoload-1", r.json), [], r)
        return results

    @covers("echoload", "part")
    def test_they_add_up_to_the_load_and_differ_by_one_at_most(self):
        server, other = self.echod(), self.echod()
        results = self.parts(server, 3, target_text(other), connections=10, idle=4, messages=101, threads=2, **LONG)
        self.assertEqual([r["connections"]["requested"] for r in results], [4, 3, 3])
        self.assertEqual([r["connections"]["reached"] for r in results], [5, 5, 4])
        self.assertEqual([r["messages"]["sent"] for r in results], [34 + 1, 34 + 2, 33 + 1])  # idle ones echo once
        self.assertEqual([[t["connections"]["requested"] for t in r["targets"]] for r in results],
                         [[2, 2], [2, 1], [1, 2]])
        self.assertEqual([(r["part"]["number"], r["part"]["count"], r["part"]["connections"]) for r in results],
                         [(1, 3, 10), (2, 3, 10), (3, 3, 10)])
        self.assertEqual({r["config"]["connections"] for r in results}, {"10"})  # the whole load

    def test_an_open_loop_shares_its_rate(self):
        results = self.parts(self.echod(), 3, connections=7, rate=1000, messages=70, arrivals="poisson",
                             codes=(OK, INCONCLUSIVE), **LONG)
        self.assertEqual([r["messages"]["planned"] for r in results], [24, 23, 23])
        self.assertEqual([r["messages"]["planned_per_second"] for r in results], [428.571, 285.714, 285.714])

    def streams(self, parts):
        """The first 64 bytes of every connection of a load in so many parts."""
        seen = []

        def script(sock, _):
            first = recv_exactly(sock, 64)
            seen.append(first)
            sock.sendall(first)
            echo_all(sock)
        peer = self.peer(script)
        self.parts(peer, parts, connections=11, messages=11, threads=1, **LONG)
        return sorted(seen)

    def test_their_connections_are_those_of_one_load(self):
        """Numbered through: streams of bytes, and so the sizes of messages, never meet."""
        one, all_parts = self.streams(1), self.streams(4)
        self.assertEqual(len(set(one)), 11)
        self.assertEqual(one, all_parts)

    def test_connects_share_their_rate(self):
        """A quarter of 40 a second is 10 a second."""
        r, came = self.ramp(10, part="1/4", connections=40, connect_rate=40)
        self.assertNotEarly(came, r, 10)

    def test_an_open_loop_is_due_on_the_wire_when_one_generator_would_be(self):
        """Messages of three parts arrive 50 ms apart, as those of one. A busy machine makes messages late, never early:
        were a part's times those of a load of its own, two of three would be early by 50 ms and more."""
        at, gap, loads, stamps = round(time.time() + 2, 3), 0.05, [], {}
        for parts in (1, 3):
            def script(sock, _, seen=stamps.setdefault(parts, [])):
                while data := sock.recv(64):
                    seen.append(time.time())
                    sock.sendall(data)
            to = self.peer(script)
            loads += [self.load(to, part=f"{k}/{parts}", connections=6, threads=1, rate=1 / gap, messages=42,
                                start_at=f"{at:.3f}", **LONG) for k in range(1, parts + 1)]
        for load in loads:
            self.assertIn(load.done().code, (OK, INCONCLUSIVE))  # some were late
        for parts, seen in stamps.items():
            late = [t - (at + i * gap) for i, t in enumerate(sorted(seen))]
            self.assertEqual(len(late), 42)
            self.assertGreater(min(late), -0.005, (parts, late))
            self.assertLess(min(late[21:]), 8 * gap, (parts, late))  # at half the rate it would be 21 of them

    def test_each_names_its_files(self):
        folder = self.folder()
        self.parts(self.echod(), 2, connections=2, messages=10, jsonl=folder / "run.{part}.jsonl",
                   hist=folder / "h{part}{part}.hgrm")
        self.assertEqual(sorted(p.name for p in folder.iterdir()),
                         ["h11.hgrm", "h22.hgrm", "run.1.jsonl", "run.2.jsonl"])
        start = json.loads((folder / "run.2.jsonl").read_text().splitlines()[0])
        self.assertEqual((start["part"]["number"], start["part"]["count"]), (2, 2))

    def launched(self, *argv, **env):
        return self.run_echoload("-c4", "-n40", *argv, target_text(self.server), env=env)

    def test_launchers_say_which_it_is(self):
        self.server = self.echod()
        for part, env, said in (
                ("auto", {"OMPI_COMM_WORLD_RANK": 1, "OMPI_COMM_WORLD_SIZE": 4}, "2 of 4 (OMPI_COMM_WORLD_RANK)"),
                ("auto", {"SLURM_PROCID": 0, "SLURM_STEP_NUM_TASKS": 2}, "1 of 2 (SLURM_PROCID)"),
                ("auto/4", {"JOB_COMPLETION_INDEX": 3}, "4 of 4 (JOB_COMPLETION_INDEX)")):
            with self.subTest(env=env):
                r = self.launched("--part", part, **env)
                self.assertEqual(r.code, 0, r)
                self.assertRegex(r.out, rf"(?m)^part +{said.replace('(', '[(]').replace(')', '[)]')}, of a load of 4")
        r = self.launched(OMPI_COMM_WORLD_RANK=1, OMPI_COMM_WORLD_SIZE=4)
        self.assertNotIn("\npart ", r.out)  # nobody asked

    def test_a_part_that_cannot_be_is_one_clear_line(self):
        self.server = self.echod()
        for argv, env, said in ((["--part", "5/4"], {}, "--part: '5/4' must be K/N"),
                                (["--part", "auto"], {}, "no launcher has set"),
                                (["--part", "auto"], {"PMI_RANK": "\033[2Jx", "PMI_SIZE": 2}, "PMI_RANK is"),
                                (["--part", "1/5"], {}, "4 for 5 parts of the load"),
                                (["--part", "1/2", "-t", "3"], {}, "3 for 2 connections")):
            with self.subTest(argv=argv):
                r = self.launched(*argv, **env)
                self.assertEqual((r.code, r.out), (USAGE, ""), r)
                self.assertIn(said, r.err)
                self.assertNotIn("\033", r.err)
                self.assertEqual(len(r.err.splitlines()), 1, r)

    @covers("echoload", "run_id")
    @covers("echoload", "clock")
    def test_what_was_measured_of_its_clock_and_its_start_is_in_the_result(self):
        r = self.run_load(self.echod(), connections=2, messages=10, part="2/2", run_id="night 7", clock="-1500/200",
                          start_at=f"{time.time() + 1:.3f}", **LONG)
        p = r["part"]
        self.assertEqual((p["run"], p["clock_offset_ns"], p["clock_uncertainty_ns"]), ("night 7", -1500, 200))
        self.assertGreaterEqual(p["start_skew_ns"], 0)
        self.assertEqual(problems("echoload-1", r.json), [])
        r = self.run_load(self.echod(), connections=2, messages=10, part="2/2", **LONG)
        self.assertEqual([r["part"][k] for k in ("run", "clock_offset_ns", "start_skew_ns")], [None, None, None])

    def test_a_start_that_came_late_is_said(self):
        """It was stopped when it should have begun."""
        at = time.time() + 2
        load = self.load(self.echod(), connections=2, messages=10, part="2/2", start_at=f"{at:.3f}", **LONG)
        self.wait_until(load.sleeps, "it waits for its time")
        with load.held():
            time.sleep(max(0, at + 0.1 - time.time()))  # its time passes
        r = load.done()
        self.assertGreater(r["part"]["start_skew_ns"], 50_000_000, r)
        self.assertRegex(r.out, r"(?m)^part .*began \d+ ms after")
        self.assertLess(abs(r["context"]["start_unix_ns"] / 1e9 - at - r["part"]["start_skew_ns"] / 1e9), 0.001)


MANY = 200_000


class Merged(LoadCase):
    """What echoload merge makes of the files that parts leave."""

    def load_parts(self, to, count, only=None, **options):
        """Starts parts that begin together; {K: (Echoload, its JSON Lines)}."""
        folder, at = self.folder(), time.time() + 2
        loads = {k: (self.load(to, part=f"{k}/{count}", start_at=f"{at:.3f}", jsonl=folder / "p.{part}.jsonl",
                               **options), folder / f"p.{k}.jsonl") for k in only or range(1, count + 1)}
        return loads

    def merge(self, *files, code):
        r = self.run_echoload("merge", "-o", "json", *map(str, files))
        self.assertEqual(r.code, code, r)
        j = parse(r.out)
        self.assertEqual(problems("echoload-1", j), [])
        self.assertEqual(books(j), [])
        text = self.run_echoload("merge", *map(str, files))
        self.assertEqual(text.code, code, text)
        return j, text.out

    def test_all_parts_are_one_load(self):
        # enough of them that a part which begins late does not begin when another has ended
        loads = self.load_parts(self.echod(), 3, connections=10, messages=MANY, interval="10ms", **LONG)
        results = [load.done() for load, _ in loads.values()]
        j, text = self.merge(*(file for _, file in loads.values()), code=OK)
        self.assertEqual((j["connections"]["requested"], j["messages"]["sent"], j["messages"]["echoed"]),
                         (10, MANY, MANY))
        self.assertEqual(j["latency_ns"]["count"], MANY)
        self.assertEqual(j["latency_ns"]["max"], max(r["latency_ns"]["max"] for r in results))
        self.assertEqual((j["parts"]["count"], j["parts"]["present"], j["parts"]["missing"]), (3, 3, []))
        starts = [r["context"]["start_unix_ns"] for r in results]
        self.assertEqual(j["parts"]["start_spread_ns"], max(starts) - min(starts))
        self.assertEqual(sum(i["echoed"] for i in j["intervals"]), MANY)
        self.assertEqual(sum(n for i in j["intervals"] for _, n in i["latency_buckets"]), MANY)
        self.assertRegex(text, r"(?m)^parts +3 of 3; they began within ")

    def test_intervals_are_the_same_in_any_order_of_files(self):
        """Where the one that is read first is not the one that began first."""
        loads = self.load_parts(self.echod(), 2, connections=2, duration="500ms", warmup="0s", interval="50ms", **LONG)
        files = []
        for k, r in enumerate(load.done() for load, _ in loads.values()):
            r["context"]["start_unix_ns"] = 1_700_000_000_000_000_000 + k * 150_000_000
            files.append(self.folder() / "part.json")
            files[k].write_text(json.dumps(r.json))
        one, other = (self.merge(*order, code=OK)[0] for order in (files, files[::-1]))
        self.assertEqual(max(i["open"] for i in one["intervals"]), 2)
        self.assertEqual(other["intervals"], one["intervals"])

    def test_a_part_that_was_killed_is_missing_and_named(self):
        """What it had written until then is told, and not in the sum."""
        loads = self.load_parts(self.echod(), 4, connections=10, duration="60s", warmup="0s", interval="10ms", **LONG)
        self.wait_until(lambda: all(file.exists() and file.read_text().count("\n") > 4 for _, file in loads.values()),
                        "all have begun")
        loads[3][0].kill9()
        results = [loads[k][0].interrupted(signal.SIGTERM) for k in (1, 2, 4)]
        j, text = self.merge(*(file for _, file in loads.values()), code=INCONCLUSIVE)
        missing, = j["parts"]["missing"]
        self.assertEqual((missing["number"], missing["connections"]), (3, 2))
        self.assertGreater(missing["echoed"], 0)
        self.assertEqual(missing["file"], str(loads[3][1]))
        self.assertEqual(j["messages"]["sent"], sum(r["messages"]["sent"] for r in results))
        self.assertRegex(j["exit"]["reason"], r"^1 of 4 parts is missing \(3\), with 2 of 10 connections; the others: "
                                              r"interrupted by SIGTERM")
        self.assertRegex(text, r"(?m)^parts +3 of 4; missing: 3, with 2 of 10 connections")
        j, _ = self.merge(loads[1][1], code=INCONCLUSIVE)
        self.assertEqual([m["number"] for m in j["parts"]["missing"]], [2, 3, 4])
        r = self.run_echoload("merge", str(loads[3][1]))
        self.assertEqual((r.code, "no part has a result" in r.err), (USAGE, True), r)

    def small_disk(self, size):
        """A folder of so many bytes, and how to run a program there: no other sees what is in it."""
        folder = self.folder()
        holder = self.keep(Process(["unshare", "--mount", "sh", "-c",
                                    f"mount -t tmpfs -o size={size} none {folder} && echo up && exec sleep infinity"]))
        self.assertTrue(holder.out.wait_for("up"), holder.said())
        return folder, ["nsenter", f"--target={holder.pid}", "--mount", "--"]

    @unittest.skipIf(no_namespaces(), no_namespaces())
    def test_a_part_whose_disk_is_full_says_so_and_is_missing(self):
        """What it had written by then is told of it; one that could not write a line is named by its file, and missing
        as well."""
        to, at, runs = target_text(self.echod()), time.time() + 2, []
        for size, lines in (("16k", True), ("4k", False)):
            folder, (disk, inside) = self.folder(), self.small_disk(size)
            if not lines:
                sh(*inside, "sh", "-c", f"head -c 4096 /dev/zero >{disk}/full")
            loads = [self.load(to, part=f"{k}/2", connections=4, messages=40, rate=40, interval="10ms",
                               start_at=f"{at:.3f}", jsonl=(disk if k == 2 else folder) / "p.{part}",
                               prefix=inside if k == 2 else (), **LONG) for k in (1, 2)]
            runs.append((lines, folder, disk, inside, *loads))
        for lines, folder, disk, inside, first, second in runs:
            good, bad = first.done(), second.done()
            self.assertIn(good.code, (OK, INCONCLUSIVE), good)
            self.assertEqual(bad.code, ENVIRONMENT, bad)
            said = f"cannot write {disk}/p.2: No space left on device"
            self.assertIn(said, bad.err)
            self.assertIn(said, " ".join(bad.out.split()))
            (folder / "p.2").write_text(sh(*inside, "cat", disk / "p.2"))
            self.assertEqual("\n" in (folder / "p.2").read_text(), lines)
            r = self.run_echoload("merge", "-o", "json", folder / "p.1", folder / "p.2")
            self.assertEqual(r.code, INCONCLUSIVE, r)
            missing, = parse(r.out)["parts"]["missing"]
            self.assertEqual((missing["number"], missing["file"]), (2, str(folder / "p.2") if lines else None))
            self.assertEqual(r.err, "" if lines else f"echoload: error: {folder}/p.2: not one line of it was written\n")

    def test_a_file_without_a_line_is_of_no_part_if_others_are_none(self):
        folder = self.folder()
        self.run_load(self.echod(), connections=1, messages=10, jsonl=folder / "whole", **LONG)
        (folder / "empty").touch()
        for files in (("whole", "empty"), ("empty", "whole"), ("empty", "empty"), ("empty",)):
            r = self.run_echoload("merge", *(folder / f for f in files))
            self.assertEqual((r.code, r.out), (USAGE, ""), r)
            self.assertIn(f"{folder}/empty: not one line of it was written", r.err)

    def test_a_part_that_comes_late_says_so_and_touches_no_file(self):
        """Such as one that a launcher starts again: what the first one left is still there."""
        folder, to = self.folder(), target_text(self.echod())
        (folder / "p.2").write_text("what the first one left")
        r = self.run_echoload("--part", "2/2", "-c", "4", "--start-at", str(int(time.time()) - 1), "--jsonl",
                              folder / "p.{part}", to)
        self.assertEqual((r.code, r.out), (USAGE, ""), r)
        self.assertRegex(r.err, r"^echoload: error: --start-at: this time has passed\n$")
        self.assertEqual((folder / "p.2").read_text(), "what the first one left")

    def test_a_part_that_began_late_is_named_by_how_much(self):
        """Without a common start: what is measured is the sum all the same, and the text says how far apart they began."""
        folder, to = self.folder(), target_text(self.echod())
        first = self.load(to, part="1/2", connections=4, duration="60s", warmup="0s", jsonl=folder / "p.1", **LONG)
        self.wait_until(lambda: (folder / "p.1").exists() and '"start"' in (folder / "p.1").read_text(), "it has begun")
        time.sleep(0.1)  # what is measured
        second = self.load(to, part="2/2", connections=4, duration="60s", warmup="0s", jsonl=folder / "p.2", **LONG)
        self.wait_until(lambda: (folder / "p.2").exists() and '"start"' in (folder / "p.2").read_text(), "it too")
        results = [load.interrupted(signal.SIGTERM) for load in (first, second)]
        j, text = self.merge(folder / "p.1", folder / "p.2", code=128 + signal.SIGTERM)
        starts = [r["context"]["start_unix_ns"] for r in results]
        self.assertEqual(j["parts"]["start_spread_ns"], starts[1] - starts[0])
        self.assertGreater(j["parts"]["start_spread_ns"], 10_000_000)
        self.assertIn("which is too far apart: times of all together are no better", " ".join(text.split()))

    @not_in(*SANITIZERS, "valgrind")  # they are between, too
    def test_a_clock_that_is_set_is_said_by_the_part_and_by_the_sum(self):
        """By 50 ms, while one of two parts runs: a library says so, no clock is set."""
        folder, to = self.folder(), target_text(self.echod())
        env = {"LD_PRELOAD": BIN / "preload" / "clock_set.so", "ECHOLAB_CLOCK_SET": 50,
               "ECHOLAB_CLOCK_SET_WHEN": folder / "now"}
        files = [folder / "p.1", folder / "p.2"]
        loads = [self.load(to, part=f"{k}/2", connections=2, duration="60s", warmup="0s", interval="200ms", jsonl=file,
                           env=env if k == 2 else None, **LONG) for k, file in enumerate(files, 1)]

        def intervals(more):
            counts = [file.exists() and file.read_text().count('"interval"') for file in files]
            return all(count >= more for count in counts) and counts
        self.wait_until(lambda: intervals(2), "both run")
        (folder / "now").touch()
        self.wait_until(lambda count=intervals(2)[1]: intervals(count + 3), "and see it")
        good, bad = [load.interrupted(signal.SIGTERM) for load in loads]
        self.assertEqual(good["part"]["clock_stepped_ns"], 0)
        self.assertAlmostEqual(bad["part"]["clock_stepped_ns"] / 1e6, 50, delta=2)
        self.assertRegex(" ".join(bad.out.split()), r"the clock of this host was set, by (49|50|51)(\.\d+)? ms")
        j, text = self.merge(*files, code=128 + signal.SIGTERM)
        self.assertEqual(j["parts"]["clock_stepped_ns"], bad["part"]["clock_stepped_ns"])
        self.assertRegex(" ".join(text.split()), r"the clock of part 2 was set, by (49|50|51)(\.\d+)? ms")

    def test_a_server_that_dies_is_one_outage_of_the_whole_load(self):
        server = self.echod()
        loads = self.load_parts(server, 3, connections=9, duration="60s", warmup="0s", reconnect="backoff 1ms..50ms",
                                interval="50ms", stall="10m", **LONG)
        self.wait_counters(server, lambda c: c.open == 9, "all are open")
        self.kill(server)
        self.wait_until(lambda: all("outage_opened" in file.read_text() for _, file in loads.values()), "all saw it")
        self.echod(listen=f"127.0.0.1:{server.port}")
        self.wait_until(lambda: all("outage_recovered" in file.read_text() for _, file in loads.values()), "it is back")
        results = [load.interrupted(signal.SIGTERM) for load, _ in loads.values()]
        j, text = self.merge(*(file for _, file in loads.values()), code=128 + signal.SIGTERM)
        outage, = j["outages"]
        first = min(r["context"]["start_unix_ns"] for r in results)
        each = [{k: v + r["context"]["start_unix_ns"] - first for k, v in r["outages"][0].items() if k.endswith("_ns")}
                for r in results]
        self.assertEqual(outage["recovered_ns"], max(o["recovered_ns"] for o in each))
        self.assertEqual(outage["first_success_ns"], min(o["first_success_ns"] for o in each))
        self.assertLessEqual(outage["noticed_ns"], max(o["noticed_ns"] for o in each) + 1_000_000)
        self.assertGreaterEqual(outage["noticed_ns"], min(o["noticed_ns"] for o in each))
        self.assertEqual(outage["messages_lost"], sum(r["outages"][0]["messages_lost"] for r in results))
        self.assertRegex(text, r"(?m)^outage +began")

    def test_an_outage_of_one_part_is_none_of_the_load(self):
        """A third of the connections is not half of them."""
        good, bad = self.echod(), self.echod()
        at, folder = time.time() + 2, self.folder()
        loads = [self.load(target_text(bad if k == 2 else good), part=f"{k}/3", connections=9, duration="60s",
                           warmup="0s", start_at=f"{at:.3f}", jsonl=folder / "{part}.jsonl", stall="10m", **LONG)
                 for k in (1, 2, 3)]
        for server, count in ((good, 6), (bad, 3)):
            self.wait_counters(server, lambda c, n=count: c.open == n, "all are open")
        self.kill(bad)
        loads[1].done()
        results = [loads[k].interrupted(signal.SIGTERM) for k in (0, 2)]
        # the one path that leads elsewhere has no place in a load: it is given the name of the other
        text = (folder / "2.jsonl").read_text().replace(target_text(bad), target_text(good))
        (folder / "2.jsonl").write_text(text)
        self.assertEqual(json.loads(text.splitlines()[-1])["result"]["outages"][0]["recovered_ns"], None)
        j, _ = self.merge(*sorted(folder.iterdir()), code=128 + signal.SIGTERM)
        self.assertEqual(j["outages"], [])
        self.assertEqual({m["part"]["number"]: len(m["outages"]) for m in j["context"]["merged"]}, {1: 0, 2: 1, 3: 0})
        self.assertEqual(len(results), 2)

    def test_what_is_of_another_run_is_refused_by_name(self):
        server, folder = self.echod(), self.folder()
        for name, k, run, size in (("a", 1, "x", 64), ("b", 2, "y", 64), ("c", 1, "x", 64), ("d", 2, "x", 65)):
            self.run_load(server, connections=2, messages=10, part=f"{k}/2", run_id=run, size=size, jsonl=folder / name,
                          **LONG)
        self.run_load(self.echod(), connections=2, messages=10, part="2/2", run_id="x", jsonl=folder / "e", **LONG)
        for files, said in (("ab", "run is 'x' and 'y'"), ("ac", "are both part 1 of 2"),
                            ("ad", "config.size is '64' and '65'"), ("ae", "target is '")):
            r = self.run_echoload("merge", *(str(folder / f) for f in files))
            self.assertEqual((r.code, r.out), (USAGE, ""), r)
            self.assertIn(said, r.err)
            self.assertIn(str(folder / files[0]), r.err)


class Mpirun(LoadCase):
    """What tools/echoload-mpirun does about time, with an mpirun that hangs: make hosts-check runs the real one."""

    def programs(self, **texts):
        """A folder with these scripts in it, and the environment in which they are found."""
        folder = self.folder()
        for name, text in {"echoload-mpi": "", **texts}.items():
            (folder / name).write_text(f"#!/bin/sh\n{text.format(folder)}\n")
            (folder / name).chmod(0o755)
        (folder / "echoload").symlink_to(BIN / "echoload")
        return folder, {"ECHOLAB_BIN": folder, "PATH": f"{folder}:/usr/bin:/bin"}

    def mpirun(self, *argv):
        """It, with a sleep that writes down for how long it was asked and is over when mpirun has begun."""
        folder, env = self.programs(mpirun="touch {0}/begun; exec /bin/sleep 600",
                                    sleep='echo "$1" >>{0}/slept\nwhile [ ! -e {0}/begun ]; do /bin/sleep 0.01; done')
        self.slept = folder / "slept"
        return run([ROOT / "tools/echoload-mpirun", "-n", "4", *argv], env)

    def test_when_it_has_ended_nothing_of_it_is_left(self):
        """Above all nothing that holds its output, which whoever reads that would wait for."""
        _, env = self.programs(mpirun="echo begun")
        p = self.keep(Process([ROOT / "tools/echoload-mpirun", "-n", "4", "--", "-d", "10m", "127.0.0.1:7"], env))
        self.assertEqual(p.wait(), INCONCLUSIVE, p.said())
        self.wait_until(lambda: not any("sleep" in self.command(pid) for pid in descendants(os.getpid())), "nobody sleeps")

    @staticmethod
    def command(pid):
        """Nothing of a process that has ended."""
        try:
            return Path(f"/proc/{pid}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def test_it_is_killed_when_the_load_and_20_seconds_are_over(self):
        """Duration, warm-up and grace, rounded up."""
        for argv, seconds in ((["-d", "7s", "-w", "0s", "--grace", "500ms"], 28), (["-d", "2m", "-w", "5s"], 147)):
            r = self.mpirun("--", "-c", "8", *argv, "127.0.0.1:7")
            self.assertEqual((r.code, r.out), (INCONCLUSIVE, ""), r)
            self.assertEqual(r.err, f"echoload-mpirun: not over after {seconds} s: killed\n"
                                    "echoload-mpirun: error: no part has left a file\n")
            self.assertEqual(self.slept.read_text().split()[0], str(seconds))

    def test_what_takes_nobody_knows_how_long_needs_a_deadline(self):
        r = self.mpirun("--", "-n", "100", "127.0.0.1:7")
        self.assertEqual((r.code, r.out), (USAGE, ""), r)
        self.assertIn("--deadline SECONDS says when it must be over", r.err)
        self.assertEqual(self.mpirun("--deadline", "9", "--", "-n", "100", "127.0.0.1:7").code, INCONCLUSIVE)
        self.assertEqual(self.slept.read_text().split()[0], "9")
        self.assertEqual(self.mpirun("--deadline", "soon", "--", "-n", "100", "127.0.0.1:7").code, USAGE)
