# SPDX-License-Identifier: MIT
"""What echodrill is beside its drills: private, gone without a trace, and clear about what it was asked."""
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from echolab import (OK, ROOT, USAGE, VERDICT, Process, TestCase, covers, descendants, no_namespaces, not_in, program,
                     run, sh, stat_fields)

ONE = "server-killed-cure"
INCONCLUSIVE = 5


def traces():
    """What this machine shows of anybody's network: links, rules, named namespaces, mounts."""
    return (sh("ip", "-o", "link"), sh("nft", "list", "ruleset") if os.geteuid() == 0 else "", sh("ip", "netns"),
            Path("/proc/self/mounts").read_text())


def alive(pid):
    return stat_fields(pid)[:1] not in ([], ["Z"])


class Private(TestCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def echodrill(self, *args, **more):
        return run([*program("echodrill"), *args], **more)

    def test_drills_at_the_same_time_do_not_meet(self):
        before = traces()
        drills = [self.keep(Process([*program("echodrill"), "-o", "json", "run", ONE])) for _ in range(6)]
        for d in drills:
            self.assertEqual(d.wait(60), OK, d.said())
        results = [json.loads(d.out.text) for d in drills]
        # the same addresses and ports in each, and each saw one connection
        self.assertEqual({tuple(r["commands"]) for r in results}, {tuple(results[0]["commands"])})
        self.assertEqual(traces(), before)

    @not_in("valgrind")
    def test_killed_at_any_moment_it_leaves_nothing(self):
        before = traces()
        for pause in (0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2):
            with self.subTest(pause=pause):
                d = self.keep(Process([*program("echodrill"), "-j", "3", "run", "host-crashed-idle", "zero-window",
                                       "hung-server"]))
                time.sleep(pause)  # the moment is what is tested
                d.send_signal(signal.SIGKILL)
                d.popen.wait()
                # orphans become ours, and must die by themselves
                self.wait_until(lambda: not any(map(alive, descendants(os.getpid()))), "end of all processes")
        self.assertEqual(traces(), before)

    def test_interrupted_it_ends_all_and_says_so(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            d = self.keep(Process([*program("echodrill"), "run", "host-crashed-idle"]))
            self.wait_until(lambda: len(descendants(d.pid)) >= 4, "a drill under way")
            self.assertEqual(d.stop(number), code)
            self.wait_until(lambda: not any(map(alive, descendants(os.getpid()))), "end of all processes")


class Formats(TestCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def echodrill(self, *args, **more):
        return run([*program("echodrill"), *args], **more)

    @covers("echodrill", "output")
    def test_json_tells_what_was_done_and_seen(self):
        r = self.echodrill("-o", "json", "run", ONE)
        d = json.loads(r.out)
        self.assertEqual((d["schema"], d["drill"], d["verdict"], r.code), ("echodrill/1", ONE, "pass", OK))
        self.assertTrue(all(e["ok"] for e in d["expectations"]))
        self.assertGreater(d["knew_ns"], 0)
        seen = [(e["who"], e["what"]) for e in d["timeline"]]
        self.assertIn(("drill", "FAULT signal KILL server"), [(w, re.sub(" +", " ", t)) for w, t in seen])
        self.assertIn(("server", "(killed by SIGKILL)"), seen)
        self.assertTrue(any(w == "wire" and "FIN" in t for w, t in seen), seen)
        self.assertTrue(any(w == "client" and "server is gone" in t for w, t in seen), seen)
        self.assertEqual([e["t_ns"] for e in d["timeline"]], sorted(e["t_ns"] for e in d["timeline"]))
        self.assertTrue(any("echod --listen 10.77.2.2:7007" in c for c in d["commands"]), d["commands"])

    @covers("echodrill", "output", "jobs")
    def test_tap_for_test_harnesses(self):
        r = self.echodrill("-o", "tap", "-j", "2", "run", ONE, "shutdown-drain")
        self.assertRegex(r.out, rf"\ATAP version 13\n1\.\.2\n(ok [12] - ({ONE}|shutdown-drain)\n){{2}}\Z")

    @covers("echodrill", "timeline")
    def test_the_timeline_is_side_by_side(self):
        r = self.echodrill("run", ONE)
        self.assertRegex(r.out, r"second +done; server +client's wire +client")
        self.assertRegex(r.out, r"(?m)^ +[\d.]+ +<-- FIN ACK")
        self.assertRegex(r.out, r"(?m)^ +[\d.]+ +sockets, client \| server: 1 ESTAB \| 1 ESTAB")
        self.assertLessEqual(max(map(len, r.out.splitlines())), 80)
        r = self.echodrill("run", "--timeline", "never", ONE)
        self.assertEqual(len(r.out.splitlines()), 1, r.out)
        self.assertRegex(r.out, rf"^pass +{ONE} .* ms ")

    @covers("echodrill", "json", "pcap")
    def test_results_and_captures_are_kept(self):
        place = self.config_file("").parent
        r = self.echodrill("--json", str(place / "r.json"), "--pcap", str(place), "run", "--timeline", "never", ONE)
        try:
            self.assertEqual(r.code, OK, r)
            self.assertEqual(json.loads((place / "r.json").read_text())["drill"], ONE)
            for side in "client", "server":
                self.assertEqual((place / f"{ONE}.{side}.pcap").read_bytes()[:4], bytes.fromhex("4d3cb2a1"))
        finally:
            for path in place.glob("[!e]*.*"):
                if path.name != "echod.conf":
                    path.unlink()

    @covers("echodrill", "without_fault", "negate")
    def test_a_drill_that_shows_nothing_does_not_pass(self):
        self.assertEqual(self.echodrill("run", ONE, "--without-fault").code, INCONCLUSIVE)
        self.assertEqual(self.echodrill("run", ONE, "--negate").code, VERDICT)

    @covers("echodrill", "server", "client")
    def test_other_peoples_programs_take_the_place_of_ours(self):
        """socat for both: what is on the wire and in the kernels is judged, what only our JSON knows is skipped."""
        r = self.echodrill("-o", "json", "--server", "socat TCP-LISTEN:{port},bind={server},reuseaddr,fork EXEC:cat",
                           "run", "host-crashed-keepalive")
        d = json.loads(r.out)
        self.assertEqual(d["verdict"], "pass", d["reason"])
        self.assertIn("on server: sh -c", d["commands"][0])
        path = self.config_file(DRILL + "expect = wire.client.s2c.rst == 1\nexpect = state.before.client.ESTAB == 1\n")
        r = self.echodrill("-o", "json", "--client", "socat -u TCP:{server}:{port} STDOUT", "run", str(path))
        d = json.loads(r.out)
        self.assertEqual(d["verdict"], "pass", d["reason"])
        self.assertEqual({e["what"]: e["ruling"] for e in d["expectations"][-3:]},
                         {"outcome.reset.*.ECONNRESET.count": "skipped", "wire.client.s2c.rst": "ok", "state.before.client.ESTAB": "ok"})

    @covers("echodrill", "server_backend", "client_backend")
    def test_backends_can_be_chosen_where_the_drill_leaves_them_open(self):
        path = self.config_file(DRILL)
        r = self.echodrill("-o", "json", "--server-backend", "fork", "--client-backend", "epoll", "run", str(path))
        d = json.loads(r.out)
        self.assertEqual(d["verdict"], "pass", d["reason"])
        self.assertTrue(d["commands"][0].endswith("--backend fork"), d["commands"])
        self.assertIn("--backend epoll", d["commands"][1])


DRILL = """[drill]
story = reset
[server]
options = --shutdown default
[client]
options = -c 1 -d 3s -w 0s
[steps]
step = await state client ESTAB 1
step = after 100ms fault destroy server
step = await exit client
[expect]
expect = outcome.reset.*.ECONNRESET.count == 1
"""


class Words(TestCase):
    def echodrill(self, *args, **more):
        return run([*program("echodrill"), *args], **more)

    def test_list_knows_every_drill_and_its_story(self):
        r = self.echodrill("list")
        listed = {line.split()[1] for line in r.out.splitlines()}
        self.assertEqual(listed, {p.stem for p in (ROOT / "configs/drills").glob("*.conf")})
        self.assertTrue(all(len(line.split()) > 6 for line in r.out.splitlines()), r.out)

    def test_show_prints_what_a_reader_could_type(self):
        r = self.echodrill("show", "host-crashed")
        for text in ("link add c0 netns client type veth peer name w0 netns wire", "table inet drill {",
                     "FAULT crash:  nft add rule inet drill forward counter name fault drop",
                     "sysctl on client net.ipv4.tcp_retries2 1", "--interactive --textbook"):
            self.assertIn(text, r.out)

    def test_a_drill_is_checked_without_being_run(self):
        path = self.config_file(DRILL)
        self.assertEqual(self.echodrill("check", str(path)).code, OK)
        path.write_text(DRILL.replace("fault destroy", "fault destory"))
        r = self.echodrill("check", str(path))
        self.assertEqual(r.code, USAGE)
        self.assertIn(f"{path}:9: ", r.err)
        self.assertIn("must begin with", r.err)

    @covers("echodrill", "drills")
    def test_drills_of_another_directory(self):
        path = self.config_file(DRILL)
        self.assertRegex(self.echodrill("--drills", str(path.parent), "list").out, r"\Arelative +echod +reset\n\Z")

    def test_what_makes_no_sense_is_refused(self):
        for args, why in (([], "no command"), (["jump"], "unknown command"), (["show"], "usage: echodrill show"),
                          (["run", "no-such-drill"], "no-such-drill.conf: No such file"), (["list", "x"], "usage")):
            r = self.echodrill(*args)
            self.assertEqual((r.code, why in r.err), (USAGE, True), r)

    @covers("echodrill", "user_timeout", "answer_timeout", "keepalive_idle", "keepalive_interval", "keepalive_count")
    def test_explain_computes_when_a_client_notices(self):
        r = self.echodrill("explain")
        self.assertRegex(r.out, r"silent, idle +nothing +never")
        r = self.echodrill("explain", "--user-timeout", "1s")
        self.assertRegex(r.out, r"silent, data in flight +ETIMEDOUT +1\.4\d\d s")
        r = self.echodrill("explain", "--answer-timeout", "500ms")
        self.assertRegex(r.out, r"silent, data in flight +its own timeout +500\.0 ms")
        r = self.echodrill("explain", "--keepalive-idle", "10", "--keepalive-interval", "5", "--keepalive-count", "3")
        self.assertRegex(r.out, r"silent, idle +ETIMEDOUT +25\.00 s")

    @covers("echodrill", "group", "all")
    def test_groups_are_run_when_no_drill_is_named(self):
        place = self.config_file(DRILL.replace("story = reset", "story = reset\ngroup = long")).parent
        r = self.echodrill("--drills", str(place), "run")
        self.assertEqual((r.code, "no drill" in r.err), (USAGE, True), r)
        if not no_namespaces():
            r = self.echodrill("--drills", str(place), "--timeline", "never", "--group", "long", "run")
            self.assertRegex(r.out, r"\Apass +echod ")
