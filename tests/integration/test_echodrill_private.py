# SPDX-License-Identifier: MIT
"""What echodrill is beside its drills: private, gone without a trace, and clear about what it was asked."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from drilllab import DRILLS, INCONCLUSIVE, NobodyCase, alive, conclusive, traces
from echolab import (ENVIRONMENT, HEEDLESS, OK, ROOT, SANITIZERS, USAGE, VERDICT, Process, TestCase, children, clean_env,
                     covers, descendants, no_namespaces, not_in, program, run)

ONE = "server-killed-cure"


def without_limits(test, *drills):
    """A folder of drills that allow as much time as a busy machine takes."""
    folder = Path(tempfile.mkdtemp(prefix="echolab-"))
    test.addCleanup(shutil.rmtree, folder)
    for name in drills:
        text = (ROOT / "configs/drills" / f"{name}.conf").read_text()
        (folder / f"{name}.conf").write_text(re.sub(r"(?m)^expect = .* <= \d+m?s$", "", text))
    return folder


def kill_often(test, command, moments=16, seed=None):
    """Starts three drills and kills echodrill, at `moments` random times; what it leaves behind fails the test."""
    seed = time.time_ns() if seed is None else seed
    moment, before = random.Random(seed), traces()
    place = Path(tempfile.mkdtemp(prefix="echolab-"))
    place.chmod(0o777)
    test.addCleanup(shutil.rmtree, place)
    for _ in range(moments):
        pause = moment.choice((0.03, 0.3, 1.6)) * moment.random()  # set-up, start, the fault and what follows
        with test.subTest(seed=seed, pause=pause):
            d = test.keep(Process([*command, "-j", "3", "--pcap", place, "run", "shutdown-drain", "loss", "shared-port-killed"]))
            time.sleep(pause)  # the moment is what is tested
            d.send_signal(signal.SIGKILL)
            d.popen.wait()
            # orphans become ours, and must die by themselves
            test.wait_until(lambda: not any(map(alive, descendants(os.getpid()))), "end of all processes")
            for path in place.iterdir():  # of drills that were done, and whole
                test.assertRegex(path.name, r"^[a-z-]+\.(client|server)\.pcap$")
                test.assertEqual(path.read_bytes()[:4], bytes.fromhex("4d3cb2a1"))
    test.assertEqual(traces(), before)


class KilledAsNobody(NobodyCase):
    @not_in("valgrind", *SANITIZERS)
    def test_killed_at_any_moment_it_leaves_nothing(self):
        kill_often(self, [*self.prefix, self.exe])


class Private(TestCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def echodrill(self, *args, **more):
        return run([*program("echodrill"), *args], **more)

    def test_drills_at_the_same_time_do_not_meet(self):
        before = traces()
        command = [*program("echodrill"), "--drills", without_limits(self, ONE), "-o", "json", "run", ONE]
        drills = [self.keep(Process(command)) for _ in range(6)]
        for d in drills:
            code = d.wait(60)
            self.assertEqual(conclusive(command).code if code == INCONCLUSIVE else code, OK, d.said())
        results = [json.loads(d.out.text) for d in drills]
        # the same addresses and ports in each, and each saw one connection
        self.assertEqual({tuple(r["commands"]) for r in results}, {tuple(results[0]["commands"])})
        self.assertEqual(traces(), before)

    @not_in("valgrind")
    def test_killed_at_any_moment_it_leaves_nothing(self):
        kill_often(self, [*program("echodrill")])

    def test_interrupted_it_ends_all_and_says_so(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            d = self.keep(Process([*program("echodrill"), "run", "host-crashed-idle"]))
            self.wait_until(lambda: len(descendants(d.pid)) >= 4, "a drill under way")
            self.assertEqual(d.stop(number), code)
            self.wait_until(lambda: not any(map(alive, descendants(os.getpid()))), "end of all processes")

    @not_in("valgrind", *SANITIZERS)
    def test_under_nohup_a_server_takes_its_hang_ups(self):
        self.assertEqual(conclusive(["nohup", *program("echodrill"), "run", "reload-under-load"], timeout=60).code, OK)

    def test_started_with_children_ignored_it_hears_of_their_end(self):
        self.assertEqual(conclusive([*HEEDLESS, *program("echodrill"), "run", "server-killed"]).code, OK)


def is_connected(pid):
    """Whether the host of that process has an established connection."""
    try:
        return " 01 " in Path(f"/proc/{pid}/net/tcp").read_text()
    except OSError:  # it has ended
        return False


class Late(TestCase):
    def test_what_a_late_machine_explains_is_inconclusive(self):
        """The machine of the drill is stopped for a while: it is late, and so is the timer beside it."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        path = self.config_file(DRILL.replace("after 100ms", "after 1s") + "expect = client.ended@start <= 1ms\n")
        d = self.keep(Process([*program("echodrill"), "-o", "json", "run", path]))
        self.wait_until(lambda: len(descendants(d.pid)) >= 5, "a drill under way")
        inside = children(children(d.pid)[0])[0]  # process 1 of the private machine
        os.kill(inside, signal.SIGSTOP)
        time.sleep(0.2)  # is what is tested
        os.kill(inside, signal.SIGCONT)
        self.assertEqual(d.wait(), INCONCLUSIVE, d.said())
        result = json.loads(d.out.text)
        self.assertGreater(result["canary_late_ns"], 100_000_000)
        self.assertRegex(result["reason"], "client.ended@start .*late")

    def test_a_late_machine_excuses_nothing_that_does_not_depend_on_time(self):
        """The same pause, and an exit code that is wrong however fast the machine is."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        for timeless, code in (("", INCONCLUSIVE), ("timeless = on\n", VERDICT)):
            text = DRILL.replace("after 100ms", "after 1s").replace("[server]", timeless + "[server]")
            path = self.config_file(text.replace("exit client", "exit client within 30s") + "expect = client.exit == 99\n")
            d = self.keep(Process([*program("echodrill"), "-o", "json", "run", path]))
            self.wait_until(lambda d=d: len(descendants(d.pid)) >= 5, "a drill under way")
            inside = children(children(d.pid)[0])[0]
            os.kill(inside, signal.SIGSTOP)
            time.sleep(0.2)  # is what is tested
            os.kill(inside, signal.SIGCONT)
            self.assertEqual(d.wait(), code, d.said())
            self.assertRegex(json.loads(d.out.text)["reason"], "client.exit.*: 1")

    def test_a_step_that_a_late_machine_missed_decides_nothing(self):
        """Nor does what was expected behind it, which was not reached."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        text = DRILL.replace("[server]", "timeless = on\n[server]").replace("-d 3s", "-d 60s -R 20 --churn 1 -i --reconnect immediate")
        text = text.replace("fault destroy server", "fault nft add rule inet drill forward counter name fault")
        path = self.config_file(text.replace("after 100ms", "after 1s").replace("await exit client", "calm 1s"))
        for stopped, verdict in ((0, "fail"), (0.6, "inconclusive")):
            d = self.keep(Process([*program("echodrill"), "-o", "json", "run", path]))
            self.wait_until(lambda d=d: len(descendants(d.pid)) >= 5, "a drill under way")
            inside = children(children(d.pid)[0])[0]
            os.kill(inside, signal.SIGSTOP)
            time.sleep(stopped)  # is what is tested
            os.kill(inside, signal.SIGCONT)
            d.wait()
            result = json.loads(d.out.text)
            if result["canary_late_ns"] < 300_000_000 or stopped:  # else this machine was late by itself
                self.assertEqual(result["verdict"], verdict, result["reason"])
            self.assertRegex(result["reason"], "^calm 1s all the time: a connection has ended")

    def test_what_a_late_wire_explains_is_inconclusive(self):
        """The relay is stopped for a while: no timer and no program is late, but all frames are."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        path = self.config_file(DRILL.replace("after 100ms", "after 1s") + "expect = client.ended@start <= 1ms\n")
        d = self.keep(Process([*program("echodrill"), "-o", "json", "run", path]))
        self.wait_until(lambda: len(descendants(d.pid)) >= 5, "a drill under way")
        inside = children(children(d.pid)[0])[0]  # process 1 of the private machine
        relay, = [p for p in children(inside) if Path(f"/proc/{p}/comm").read_text() == "echodrill\n"]
        self.wait_until(lambda: any(is_connected(p) for p in children(inside)), "a connection")
        os.kill(relay, signal.SIGSTOP)
        time.sleep(0.3)  # is what is tested
        os.kill(relay, signal.SIGCONT)
        self.assertEqual(d.wait(), INCONCLUSIVE, d.said())
        result = json.loads(d.out.text)
        self.assertGreater(result["wire_late_ns"], 100_000_000)
        self.assertRegex(result["reason"], "client.ended@start .*late")

    @not_in("valgrind", *SANITIZERS)
    def test_what_programs_that_get_no_cpu_explain_is_inconclusive(self):
        """The client may use one CPU, beside programs that want all of it; the timer has another one."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("one CPU: the timer is late as well")
        for _ in range(8):  # each has its turn before the client
            hog = subprocess.Popen(["taskset", "-c", str(cpus[0]), "sh", "-c", "while :; do :; done"])
            self.addCleanup(hog.wait)
            self.addCleanup(hog.kill)
        path = self.config_file(DRILL.replace("ESTAB 1", "ESTAB 1 within 30s").replace("exit client", "exit client within 30s")
                                + "expect = client.ended@fault <= 1us\n")
        client = f"taskset -c {cpus[0]} nice -n 19 socat -u TCP:{{server}}:{{port}} STDOUT"
        r = run(["taskset", "-c", str(cpus[1]), *program("echodrill"), "-o", "json", "--client", client, "run", path],
                timeout=90)
        result = json.loads(r.out)
        self.assertEqual(r.code, INCONCLUSIVE, result)
        self.assertGreater(result["cpu_wait_ns"], 20_000_000)
        self.assertRegex(result["reason"], "client.ended@fault .*late")


class Formats(TestCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        self.drills = without_limits(self, ONE, "shutdown-drain", "host-crashed-keepalive")

    def echodrill(self, *args, **more):
        return conclusive([*program("echodrill"), "--drills", self.drills, *args], **more)

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

    @covers("echodrill", "progress")
    def test_a_progress_line_says_how_far_it_is_and_leaves_nothing_behind(self):
        self.assertEqual(self.echodrill("-o", "tap", "run", ONE, "shutdown-drain").err, "", "this is no terminal")
        r = self.echodrill("-o", "tap", "--progress", "always", "-j", "1", "run", ONE, "shutdown-drain")
        lines = [line.strip() for line in r.err.split("\r")]
        self.assertRegex(lines[1], r"\A0/2 done, 1 running, 0 failed, about \d+ s left\Z")
        self.assertTrue(any(line.startswith("1/2 done, 1 running, 0 failed") for line in lines), lines)
        self.assertEqual(lines[-2:], ["", ""], "the last line is wiped")
        self.assertLessEqual(max(map(len, r.err.split("\r"))), 79)
        self.assertEqual(self.echodrill("-o", "tap", "--progress", "never", "run", ONE).err, "")

    def test_a_name_begins_no_directive_of_tap(self):
        drill = self.config_file("").parent / "a#skip.conf"
        self.addCleanup(drill.unlink)
        drill.write_text((self.drills / f"{ONE}.conf").read_text())
        r = self.echodrill("-o", "tap", "run", str(drill))
        self.assertEqual(r.out, "TAP version 13\n1..1\nok 1 - a\\#skip\n", r)

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
        command = [*program("echodrill"), "run", ONE]
        self.assertEqual(run([*command, "--without-fault"]).code, INCONCLUSIVE)
        self.assertIn(run([*command, "--negate"]).code, (VERDICT, INCONCLUSIVE))

    @covers("echodrill", "server", "client")
    def test_other_peoples_servers_take_the_place_of_ours(self):
        """What is on the wire and in the kernels is judged, and how our client ended."""
        for server in ("socat TCP-LISTEN:{port},bind={server},reuseaddr,fork EXEC:cat",
                       "ncat --listen --keep-open --exec /bin/cat {server} {port}",
                       f"/usr/bin/python3 {self.config_file(PYTHON_ECHO)} {{server}} {{port}}"):
            with self.subTest(server=server):
                r = self.echodrill("-o", "json", "--server", server, "run", "host-crashed-keepalive")
                d = json.loads(r.out)
                self.assertEqual(d["verdict"], "pass", (d["reason"], d["timeline"]))
                self.assertIn("on server: sh -c", d["commands"][0])

    @covers("echodrill", "server", "client")
    def test_other_peoples_clients_take_the_place_of_ours(self):
        """What only our JSON knows is skipped by name."""
        path = self.config_file(DRILL + "expect = wire.client.s2c.rst == 1\nexpect = state.before.client.ESTAB == 1\n")
        for client in ("socat -u TCP:{server}:{port} STDOUT", "ncat --recv-only {server} {port}",
                       "/usr/bin/python3 -c 'import socket; socket.create_connection((\"{server}\", {port})).recv(1)'"):
            with self.subTest(client=client):
                r = self.echodrill("-o", "json", "--client", client, "run", str(path))
                d = json.loads(r.out)
                self.assertEqual(d["verdict"], "pass", (d["reason"], d["timeline"]))
                self.assertEqual({e["what"]: e["ruling"] for e in d["expectations"][-3:]},
                                 {"outcome.reset.*.ECONNRESET.count": "skipped", "wire.client.s2c.rst": "ok",
                                  "state.before.client.ESTAB": "ok"})

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


PYTHON_ECHO = """import socketserver, sys

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)

socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""


class Lacking(TestCase):
    """What this machine does not have: one clear line, and exit code 4."""

    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        self.tools = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, self.tools)

    def run_with(self, tools, *args):
        """Runs echodrill where only these tools are. It looks in sbin by itself: there they are, too."""
        for path in self.tools.iterdir():
            path.unlink()
        for tool in tools:
            shutil.copy(shutil.which(tool), self.tools)
        only = f"mount --bind {self.tools} /usr/sbin; PATH={self.tools}; exec \"$@\""
        return conclusive(["unshare", "--mount", "sh", "-ec", only, "sh", *program("echodrill"), "--timeline", "never", "run",
                           *args])

    def test_tools_in_sbin_are_found_with_the_path_of_an_ordinary_user(self):
        r = conclusive([*program("echodrill"), "--drills", without_limits(self, ONE), "run", ONE],
                       dict(clean_env(), PATH="/usr/local/bin:/usr/bin:/bin"))
        self.assertEqual(r.code, OK, r)

    def test_a_tool_that_is_missing_is_named(self):
        every, drill = ("sh", "ip", "nft", "ss", "tc"), {"ss": "sockets-destroyed-server", "tc": "slow-link"}
        for missing in every[1:]:
            r = self.run_with([tool for tool in every if tool != missing], drill.get(missing, ONE))
            self.assertEqual(r.code, ENVIRONMENT, r)
            said = " ".join(r.out.split())
            self.assertTrue(said.startswith("skipped"), r)
            self.assertTrue(said.endswith(f"{missing}: this program is missing"), r)

    def test_programs_that_are_not_there_are_named(self):
        for option in ("--server", "--client"):
            r = self.run_with(("sh", "ip", "nft"), option, "no-such-program", ONE)
            self.assertEqual(r.code, ENVIRONMENT, r)
            self.assertRegex(" ".join(r.out.split()), "^skipped .* no-such-program: not found$")

    @covers("echodrill", "pcap", "server_backend", "client_backend")
    def test_what_cannot_be_done_is_said_before_anything_is_run(self):
        r = self.run_with((), "--pcap", "/no/such/place", ONE)
        self.assertEqual((r.code, r.out, "cannot write to /no/such/place" in r.err), (ENVIRONMENT, "", True), r)
        for option in ("--server-backend", "--client-backend"):
            r = self.run_with((), option, "kqueue", ONE)
            self.assertEqual((r.code, r.out, "has no backend 'kqueue'" in r.err), (USAGE, "", True), r)


class Words(TestCase):
    def echodrill(self, *args, **more):
        return run([*program("echodrill"), *args], **more)

    def test_how_a_program_ended_is_asked_when_it_has(self):
        """A killed one has closed its sockets, which the client sees, some time before it has ended."""
        for path in DRILLS.rglob("*.conf"):
            text = path.read_text()
            for name in set(re.findall(r"(?m)^expect = (\w+)\.(?:signal|exit|ended)\b", text)):
                with self.subTest(drill=path.stem):
                    self.assertRegex(text, rf"(?m)^step = .*\bawait exit {name}\b")

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

    def test_a_folder_of_drills_is_no_pattern_and_may_be_missing_empty_or_too_deep(self):
        place = Path(tempfile.mkdtemp(prefix="echolab-", suffix="[a-z]*?"))
        self.addCleanup(shutil.rmtree, place)
        (place / "one.conf").write_text(DRILL)
        (place / ".hidden.conf").write_text("nonsense")
        (place / "notes.txt").write_text("nonsense")
        self.assertRegex(self.echodrill("--drills", str(place), "list").out, r"\Arelative +one +reset\n\Z")
        empty, deep = place / "empty", place / ("d" * 200)
        empty.mkdir()
        deep.mkdir()
        (deep / f"{'e' * 60}.conf").write_text(DRILL)
        for folder, why in ((empty, "no drills in"), (place / "none", "none': No such file"), (deep, "File name too long")):
            r = self.echodrill("--drills", str(folder), "list")
            self.assertEqual((r.code, r.err.count("\n")), (USAGE, 1), r)
            self.assertIn(why, r.err)

    def test_what_makes_no_sense_is_refused(self):
        for args, why in (([], "no command"), (["jump"], "unknown command"), (["show"], "usage: echodrill show"),
                          (["run", "no-such-drill"], "error: there is no drill 'no-such-drill' (echodrill list names them all)"),
                          (["check", "none.conf"], "none.conf: No such file"), (["list", "x"], "usage")):
            r = self.echodrill(*args)
            self.assertEqual((r.code, why in r.err), (USAGE, True), r)

    @covers("echodrill", "user_timeout", "answer_timeout", "keepalive_idle", "keepalive_interval", "keepalive_count",
            "icmp_errors")
    def test_more_runs_than_it_holds_are_not_left_out(self):
        clients = "ab,curl-haproxy,curl-python,curl,git,h2load"
        r = self.echodrill("--programs", clients, "run", *["connect-refused"] * 192)
        self.assertEqual((r.code, r.out), (USAGE, ""), r)
        self.assertIn("error: more than 1024 runs", r.err)

    def test_explain_computes_when_a_client_notices(self):
        r = self.echodrill("explain")
        self.assertRegex(r.out, r"silent, idle +nothing +never")
        self.assertLessEqual(max(map(len, r.out.splitlines())), 80)
        self.assertRegex(r.out, r"router says unreachable, data in flight +EHOSTUNREACH +\d")
        r = self.echodrill("explain", "--icmp-errors")
        self.assertRegex(r.out, r"router says unreachable, data in flight +EHOSTUNREACH +at once")
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
