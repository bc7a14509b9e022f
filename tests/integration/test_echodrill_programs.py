# SPDX-License-Identifier: MIT
"""Other people's clients and servers by program files, what they notice, and the probe."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from drilllab import INCONCLUSIVE, SKIPPED, NobodyCase, Runs, drill
from echolab import ROOT, USAGE, clean_env, covers, no_namespaces, program, run

PROGRAMS = ROOT / "configs/programs"
SERVER = """[program]
kind   = server
needs  = socat
[server]
start  = exec socat TCP-LISTEN:{port},bind={server},fork,reuseaddr EXEC:cat
"""


# computes for a second once it has its answer, and says it then
SLOW = """import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(sys.stdin.readline().encode())
s.recv(99)
end = time.process_time() + 1
while time.process_time() < end:
    pass
print("answer")
s.recv(99)
"""


class Programs(Runs):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        self.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, self.place)
        for name in ("programs/files", "drills", "pcap"):
            (self.place / name).mkdir(parents=True)
        (self.place / "programs/cat.conf").write_text(SERVER)

    def add_client(self, name="mine", start="exec socat - TCP:{server}:{port}", more="", program="", cure=""):
        (self.place / f"programs/{name}.conf").write_text(
            f"[program]\nserver = cat\n{program}\n[client]\nstart = {start}\n{more}\n{cure}")

    def add_drill(self, name, within="2s", **changes):
        """A drill for any client that does not wait for a minute."""
        text = (ROOT / f"configs/drills/{name}.conf").read_text().replace("within 60s", f"within {within}")
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.place / f"drills/{name}.conf").write_text(text)

    def of_mine(self, *args, folder=None, **more):
        """Runs until a busy machine leaves nothing open: what was found."""
        for _ in range(3):
            report = drill("--programs-dir", str(folder or self.place / "programs"), *args, **more)
            if report.code != INCONCLUSIVE:
                break
        return report

    def one(self, *args, **more):
        result, = self.of_mine(*args, **more).results.values()
        return result

    def kinds(self, result):
        return [n["how"] for n in result["noticed"]]


class Files(Programs):
    def test_every_program_file_is_one_and_is_listed(self):
        r = run([*program("echodrill"), "programs"])
        self.assertEqual(r.code, 0, r.err)
        listed = dict(line.split()[1::-1] for line in r.out.splitlines() if line[0] != " ")
        self.assertEqual(set(listed), {p.stem for p in PROGRAMS.glob("*.conf")})
        self.assertEqual({listed["curl"], listed["nginx"], listed["haproxy-proxy"]}, {"client", "server", "proxy"})

    def test_every_file_that_they_copy_is_there_and_none_is_left_over(self):
        named = {line.split("=")[1].strip() for p in PROGRAMS.glob("*.conf") for line in p.read_text().splitlines()
                 if re.match(r"file *=", line)}
        self.assertEqual(named, {p.name for p in (PROGRAMS / "files").iterdir()})

    @covers("echodrill", "programs", "programs_dir")
    def test_what_is_wrong_is_one_line_with_its_place(self):
        self.add_client("one", more="reqest = x")
        self.add_client("two", program="file = ../x")
        self.add_client("three", more="chatter = (")
        self.add_client("four")
        self.add_client("seven", program="uncured = silent-idle")
        (self.place / "programs/five.conf").write_text("[program]\nserver = cat\n")
        for names, words in (("one", "one.conf:6: unknown key 'reqest'; did you mean 'request'?"),
                             ("two", "two.conf:3: file: '../x' is no NAME"), ("three", "is no regular expression"),
                             ("four:cure", "four: has no section [cure]"), ("cat", "cat is a server: name a client of it"),
                             ("four/four", "four is no server"), ("five", "a client needs one"), ("six", "No such file"),
                             ("seven", "seven.conf:3: uncured: 'silent-idle' must be FAULT...: why"),
                             ("four:x", "':cure' or nothing")):
            with self.subTest(names=names):
                r = run([*program("echodrill"), "--programs-dir", str(self.place / "programs"), "--programs", names, "run", "server-killed"])
                self.assertEqual((r.code, r.err.count("\n")), (USAGE, 1), r.err)
                self.assertIn(words, r.err)
        r = run([*program("echodrill"), "--programs", "nc", "--client", "true", "run"])
        self.assertEqual(r.code, USAGE, r.err)

    def test_a_file_that_cannot_be_read_is_no_empty_file(self):
        (self.place / "programs/files/mine.d").mkdir()
        self.add_client(program="file = mine.d")
        result, = drill("--programs-dir", str(self.place / "programs"), "--programs", "mine", "run", "program-killed-busy").results.values()
        self.assertEqual(result["reason"], f"{self.place}/programs/files/mine.d: Is a directory")

    def test_what_is_not_installed_is_skipped_with_the_package_to_install(self):
        self.add_client(program="needs = /nonexistent/rclient\npackage = rclient-tools")
        report = self.of_mine("--programs", "mine", "run", "program-killed-busy")
        result, = report.results.values()
        self.assertEqual((report.code, result["verdict"], result["not_applicable"]), (SKIPPED, "skipped", False))
        self.assertEqual(result["reason"], "/nonexistent/rclient is not here: install rclient-tools")
        self.assertIn("install rclient-tools", run([*program("echodrill"), "--programs-dir", str(self.place / "programs"), "programs"]).out)


# A client that does to /dev what programs of root do to the name of a file that they are given. Without a /dev of its
# own it only says so: MARK is then there.
HARM = """[ -e /dev/MARK ] && { echo shared; exit 1; }
set -e
touch /dev/MARK.made
echo thrown away >/dev/null
[ $(head -c 3 /dev/zero | wc -c) = 3 ]
[ $(head -c 3 /dev/urandom | wc -c) = 3 ]
/usr/bin/python3 -c 'import multiprocessing as m, os, pty; pty.openpty(); m.Lock(); os.stat("/dev/fd/0")'
chmod 600 /dev/null || echo no change
touch {dir}/plain
mv -f {dir}/plain /dev/null || echo no replacement
echo done
exec socat - TCP:$1:$2
"""


class Devices(Programs):
    """What a program does to /dev ends with the drill."""
    prefix, exe = (), None

    def test_a_program_may_do_to_its_devices_what_it_likes(self):
        mark = Path(f"/dev/{self.place.name}")
        if os.geteuid() == 0:
            mark.touch()
            self.addCleanup(mark.unlink)
        before = os.stat("/dev/null")
        (self.place / "programs/files/harm.sh").write_text(HARM.replace("MARK", mark.name))
        self.add_client(start="exec sh {dir}/harm.sh {server} {port}", more="ready = ^done$\nrequest = hello", program="file = harm.sh")
        for path in (self.place, *self.place.rglob("*")):
            path.chmod(0o755)
        r = self.one("--programs", "mine", "run", "program-rebooted-idle", prefix=self.prefix, exe=self.exe)
        said = [e["what"] for e in r["timeline"] if e["who"] == "client"]
        self.assertIn("done", said, r)
        self.assertEqual(r["verdict"], "pass", r)
        self.assertFalse(Path(f"{mark}.made").exists())
        after = os.stat("/dev/null")
        self.assertEqual((after.st_mode, after.st_ino, after.st_rdev), (before.st_mode, before.st_ino, before.st_rdev))


class DevicesOfNobody(NobodyCase, Devices):
    def setUp(self):
        NobodyCase.setUp(self)
        (self.place / "programs/files").mkdir(parents=True)
        (self.place / "programs/cat.conf").write_text(SERVER)


class NotRoot(NobodyCase):
    def test_a_program_with_users_of_its_own_runs_only_as_root(self):
        (self.place / "cat.conf").write_text(SERVER.replace("needs", "root = on\nneeds"))
        (self.place / "mine.conf").write_text("[program]\nserver = cat\n[client]\nstart = socat - TCP:{server}:{port}\n")
        for name in ("cat.conf", "mine.conf"):
            (self.place / name).chmod(0o644)
        report = drill("--programs-dir", str(self.place), "--programs", "mine", "run", "server-killed", prefix=self.prefix, exe=self.exe)
        result, = report.results.values()
        self.assertEqual((report.code, result["reason"]), (SKIPPED, "cat has users of its own: it runs only as root"))


class Notices(Programs):
    """What counts as noticing, each kind by a client that does it and nothing else."""

    def test_a_client_that_ends_and_says_why(self):
        r = self.one("--programs", "ncat", "run", "program-refused", folder=PROGRAMS)
        self.assertEqual((r["verdict"], r["client_end"]), ("pass", "exit code 1"), r)
        self.assertEqual((r["client_program"], r["server_program"], r["tcp_tells"]), ("ncat", "echo", "at_once"))
        said, = (n for n in r["noticed"] if n["how"] == "said")
        self.assertIn("Connection refused", said["what"])
        self.assertEqual(r["knew_ns"], r["noticed"][0]["after_ns"])
        self.assertEqual(sorted(n["after_ns"] for n in r["noticed"]), [n["after_ns"] for n in r["noticed"]])

    def test_one_that_closes_shuts_or_connects_anew_and_lives(self):
        script = ("import socket, sys, time\n"
                  "at = (sys.argv[1], int(sys.argv[2]))\n"
                  "s = socket.create_connection(at)\n"
                  "sys.stdin.readline()\n"
                  "s.send(b'hello\\n')\n"
                  "s.recv(99)\n"
                  "sys.stdin.readline()\n"
                  "if sys.argv[3] == 'close': s.close()\n"
                  "if sys.argv[3] == 'shut': s.shutdown(1)\n"
                  "if sys.argv[3] == 'dial': socket.create_connection(at)\n"
                  "time.sleep(60)\n")
        (self.place / "programs/files/way.py").write_text(script)
        self.add_drill("program-silent-request", "3s")
        for way, kind in (("close", "closed"), ("shut", "shut"), ("dial", "dialed")):
            with self.subTest(way=way):
                self.add_client(way, f"exec {sys.executable} -u {{dir}}/way.py {{server}} {{port}} {way}", "request = hello", "file = way.py")
                r = self.one("--drills", str(self.place / "drills"), "--programs", way, "run", "program-silent-request")
                self.assertEqual((r["verdict"], self.kinds(r), r["client_end"]), ("pass", [kind], "running"), r)

    def test_what_a_client_does_while_the_fault_is_made_is_because_of_it(self):
        self.add_client(start="socat -u TCP:{server}:{port} -; echo gone; exec sleep 60", more="request = hello")
        self.add_drill("program-killed-idle", **{"client connect": "client start\nstep = await state client ESTAB 1",
                                                 "signal KILL server": "nft add rule inet drill forward counter name fault drop",
                                                 "step = kill": "step = slow: fault signal KILL server\nstep = kill"})
        r = self.one("--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-killed-idle")
        self.assertIn("gone", [n["what"] for n in r["noticed"]])

    def test_one_that_is_slow_to_ask_once_it_is_connected_is_not_idle(self):
        """It would ask into the fault."""
        ask = "exec 3<&0; socat TCP:{server}:{port} SYSTEM:'read -r _ <&3; sleep 1; echo hello; cat >&2'"
        self.add_client(start=ask, more="request = go")
        self.add_drill("program-silent-idle", "1s")
        r = self.one("--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-silent-idle")
        fault = next(e["t_ns"] for e in r["timeline"] if e["what"].startswith("FAULT"))
        asked = next(e["t_ns"] for e in r["timeline"] if e["who"] == "wire" and "bytes" in e["what"])
        self.assertEqual((r["verdict"], asked < fault), ("pass", True), r)

    def test_one_that_computes_before_it_says_its_answer_is_not_idle(self):
        """As a virtual machine does that begins: its first line would be said behind the fault, and count for it."""
        (self.place / "programs/files/slow.py").write_text(SLOW)
        self.add_client(start=f"exec {sys.executable} -u {{dir}}/slow.py {{server}} {{port}}", more="request = hello", program="file = slow.py")
        self.add_drill("program-silent-idle", "1s")
        r = self.one("--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-silent-idle")
        when = {what: e["t_ns"] for e in r["timeline"] for what in ("FAULT", "answer") if e["what"].startswith(what)}
        self.assertEqual((r["verdict"], r["noticed"], list(when)), ("pass", [], ["answer", "FAULT"]), r)

    def test_one_that_has_computed_and_then_keeps_no_connection_is_not_idle(self):
        leaves = SLOW.rpartition("s.recv(99)")[0] + "s.close()\ntime.sleep(99)\n"
        (self.place / "programs/files/slow.py").write_text(leaves)
        self.add_client(start=f"exec {sys.executable} -u {{dir}}/slow.py {{server}} {{port}}", more="request = hello", program="file = slow.py")
        self.add_drill("program-silent-idle", "1s")
        r, = drill("--programs-dir", str(self.place / "programs"), "--drills", str(self.place / "drills"), "--programs", "mine",
                   "run", "program-silent-idle").results.values()
        self.assertEqual((r["verdict"], "keeps no connection" in r["reason"]), ("inconclusive", True), r)

    def test_a_connection_that_is_closed_before_it_is_measured_is_no_notice(self):
        """As wrk does, which tries whether there is a server. Its FIN, unread, is no request that is under way."""
        one = "socat -u OPEN:/dev/null TCP:{server}:{port}"
        self.add_client(start=f"{one}; {one}; echo hello | socat -t 99 - TCP:{{server}}:{{port}}")
        self.add_drill("program-hung", "1s")
        r = self.one("--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-hung")
        self.assertEqual((r["verdict"], r["noticed"]), ("pass", []), r)

    def test_one_that_has_ended_before_it_is_measured_is_no_result(self):
        """What it does not notice because it is gone would be called never."""
        self.add_client(start="exec socat -T 1 - TCP:{server}:{port}", more="request = hello")
        self.add_drill("program-silent-idle", **{"step = await noticed": "step = await exit client within 10s\nstep = from: wait 10ms\nstep = await noticed"})
        report = drill("--programs-dir", str(self.place / "programs"), "--drills", str(self.place / "drills"), "--programs", "mine", "run",
                       "program-silent-idle")
        r, = report.results.values()
        self.assertEqual((report.code, r["verdict"]), (INCONCLUSIVE, "inconclusive"), r)
        self.assertIn("the client has ended before it could notice", r["reason"])

    def test_that_nothing_is_noticed_is_a_result_and_the_clean_up_is_no_notice(self):
        self.add_drill("program-hung")
        self.add_client(more="request = hello")
        r = self.one("--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-hung")
        self.assertEqual((r["verdict"], r["noticed"], r["knew_ns"], r["client_end"], r["tcp_tells"]),
                         ("pass", [], None, "running", "never"), r)

    def test_a_client_without_a_connection_that_it_keeps_is_not_drilled_idle(self):
        self.add_client(start="echo hello | socat - TCP:{server}:{port}")
        report = self.of_mine("--programs", "mine", "run", "program-killed-idle", "program-silent-transfer", "program-killed-busy")
        self.assertEqual({name: (r["verdict"], r["not_applicable"]) for name, r in report.results.items()},
                         {"program-killed-idle": ("skipped", True), "program-silent-transfer": ("skipped", True),
                          "program-killed-busy": ("pass", False)})
        self.assertEqual(report.code, 0)

    def test_a_client_that_is_asked_by_another_command(self):
        """The request is a line for the shell around both."""
        self.add_client(start="touch {dir}/asks; tail -f {dir}/asks | socat - TCP:{server}:{port} & while read -r _; do echo hello >>{dir}/asks; done",
                        more="request = ask")
        r = self.one("--programs", "mine", "run", "program-rebooted-idle")
        self.assertEqual(r["verdict"], "pass", r)
        self.assertIn("closed", self.kinds(r))

    def test_many_connections_are_counted_and_not_refused(self):
        one = "socat - TCP:{server}:{port}"
        self.add_client(start=f"(sleep 9 | {one}) & (sleep 9 | {one}) & exec {one}", more="request = hello")
        r = self.one("--programs", "mine", "run", "server-killed-whole")
        self.assertEqual(r["connections"], 3, r)
        looked, = (e for e in r["expectations"] if e["what"] == "wire.client.s2c.fin")
        self.assertEqual((looked["ruling"], looked["expected"]), ("ok", "== 1 (ours; at least 1)"))

    def test_a_long_transfer_a_reload_and_the_end_of_a_service(self):
        self.add_client(more="request = hello\ntransfer = exec socat -u /dev/zero TCP:{server}:{port}")
        # newer socats count on SIGUSR1
        (self.place / "programs/cat.conf").write_text(SERVER + "end = USR2\nreload = WINCH\n")
        for name in ("program-silent-transfer", "program-drained-idle", "program-reload"):
            self.add_drill(name)
        results = self.of_mine("-j", "3", "--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-silent-transfer",
                               "program-drained-idle", "program-reload").results
        self.assertAllPass(results)
        self.assertIn("socat -u /dev/zero", " ".join(results["program-silent-transfer"]["commands"]))
        ends = {name: [e["what"] for e in r["timeline"] if e["who"] == "server" and e["what"].startswith("(")]
                for name, r in results.items()}
        self.assertEqual(ends["program-drained-idle"][:1], ["(killed by SIGUSR2)"])
        self.assertIn("hello", [n["what"] for n in results["program-reload"]["noticed"]])

    def test_a_drill_for_any_client_measures_ours_too(self):
        self.add_drill("program-killed-idle")
        r = self.one("--drills", str(self.place / "drills"), "run", "program-killed-idle")
        self.assertEqual((r["verdict"], r["knew"], r["client_program"], r["noticed"]), ("pass", "eof", None, []), r)


class Says(Programs):
    """Which of its lines show that a client has noticed something."""

    def test_what_a_client_says_on_and_on_is_no_notice(self):
        """Numbers aside, it is what it said when all was well; what is new, a file must call chatter."""
        loop = "exec sh -c '(n=1; while sleep 0.1 && echo $n {}; do n=$((n + 1)); done) & exec socat -u TCP:{{server}}:{{port}} -'"
        later = loop.format("tick $([ $n -gt 20 ] && echo tock)")
        self.add_client("ticks", loop.format("tick"), "request = x")
        self.add_client("later", later, "request = x")
        self.add_client("chats", later, "request = x\nchatter = ^[0-9]+ tick tock$")
        self.add_drill("program-killed-idle", "4s", **{"client connect": "client start\nstep = await client /^5 tick/",
                                                       "kill: fault signal KILL server": "kill: fault nft add rule inet drill forward counter name fault drop"})
        drill = self.place / "drills/program-killed-idle.conf"
        drill.write_text(drill.read_text().replace("[drill]", "[drill]\nwords = on"))
        for name, kinds in (("ticks", []), ("later", ["said"]), ("chats", [])):
            with self.subTest(name=name):
                r = self.one("--drills", str(self.place / "drills"), "--programs", name, "run", "program-killed-idle")
                self.assertEqual((r["verdict"], self.kinds(r)), ("pass", kinds), r)

    def test_what_a_client_says_before_it_connects_is_no_notice(self):
        """It is started into the fault: what it does first it would do without one, and its time counts from its SYN."""
        self.add_client(start="echo starting; sleep 1; exec socat - TCP:{server}:{port}", more="request = hello")
        self.add_drill("program-connect-silent")
        results = self.of_mine("-j", "2", "--drills", str(self.place / "drills"), "--programs", "mine", "run", "program-connect-silent").results
        r = results["program-connect-silent"]
        self.assertEqual((r["verdict"], r["noticed"], r["client_end"]), ("pass", [], "running"), r)
        r = self.one("--programs", "mine", "run", "program-refused")
        said, = (n for n in r["noticed"] if n["how"] == "said")
        self.assertIn("Connection refused", said["what"])
        syn = next(e["t_ns"] for e in r["timeline"] if e["who"] == "wire" and "SYN" in e["what"])
        ended, = (e["t_ns"] for e in r["timeline"] if e["what"] == "(exit code 1)")
        counted, = (n["after_ns"] for n in r["noticed"] if n["how"] == "ended")
        self.assertAlmostEqual(counted, ended - syn, delta=2_000_000)

    def test_one_that_ends_without_connecting_has_noticed_something(self):
        self.add_client(start="echo no route; exit 3", more="request = hello")
        r = self.one("--programs", "mine", "run", "program-refused")
        self.assertEqual((r["verdict"], self.kinds(r), r["client_end"]), ("pass", ["said", "ended"], "exit code 3"), r)

    def test_text_of_a_program_reaches_no_terminal_as_it_is(self):
        self.add_client(start="printf '\\033[31mred\\n'; exec socat - TCP:{server}:{port}", more="request = x")
        self.add_drill("program-hung", "1s")
        args = ["--programs-dir", str(self.place / "programs"), "--drills", str(self.place / "drills"), "--programs", "mine"]
        for command in ("run", "probe"):
            r = run([*program("echodrill"), *args, "--timeline", "always", command, "program-hung"])
            self.assertNotIn("\x1b", r.out + r.err)


class Probe(Programs):
    server = "socat TCP-LISTEN:{port},bind={server},fork,reuseaddr EXEC:cat"

    def probe(self, *args, drills=("program-killed-busy", "program-silent-idle"), request="hello"):
        for name in drills:
            self.add_drill(name)
        return run([*program("echodrill"), "--drills", str(self.place / "drills"), "--server", self.server, "--client",
                    "ncat {server} {port}", *(["--request", request] if request else []), *args, "probe"], timeout=120)

    @covers("echodrill", "request")
    def test_it_prints_what_is_never_noticed_first_and_what_to_set(self):
        r = self.probe()
        self.assertEqual(r.code, 1, r.out + r.err)
        text = " ".join(r.out.split())
        self.assertRegex(text, "^Never noticed while the drill lasted program-silent-idle never The server's host vanishes.*"
                               "To set: keepalive.* Noticed program-killed-busy .*1 of 2 faults are never noticed$")

    def test_what_no_setting_cures_is_said_with_its_reason(self):
        self.add_client(more="request = hello", program="uncured = hung silent-idle: it looks at nothing")
        self.add_drill("program-silent-idle")
        r = run([*program("echodrill"), "--drills", str(self.place / "drills"), "--programs-dir", str(self.place / "programs"),
                 "--programs", "mine", "probe", "program-silent-idle"], timeout=120)
        text = " ".join(r.out.split())
        self.assertIn("TCP alone says it never. Nothing to set: it looks at nothing", text)
        self.assertNotIn("To set:", text)

    def test_it_passes_a_client_that_notices_everything(self):
        r = self.probe(drills=["program-killed-busy"])
        self.assertEqual(r.code, 0, r.out + r.err)
        self.assertIn("0 of 1 faults are never noticed", r.out)

    def test_json_and_tap_are_for_ci(self):
        r = self.probe("-o", "tap")
        self.assertEqual(r.code, 1, r.out)
        self.assertRegex(r.out, r"(?m)^ok \d - program-killed-busy$")
        self.assertRegex(r.out, r"(?m)^not ok \d - program-silent-idle # the client notices when it does: never")
        r = self.probe("-o", "json")
        self.assertEqual({d["drill"]: d["verdict"] for d in map(json.loads, r.out.splitlines())},
                         {"program-killed-busy": "pass", "program-silent-idle": "fail"})

    def test_a_client_that_asks_by_itself_is_not_probed_idle(self):
        r = run([*program("echodrill"), "--server", self.server, "--client", "echo x | ncat {server} {port}", "probe",
                 "program-killed-busy", "program-killed-idle"], timeout=120)
        self.assertRegex(r.out, r"(?s)Not applicable\n  program-killed-idle.*it keeps no connection")

    def test_it_needs_a_client(self):
        r = run([*program("echodrill"), "probe"])
        self.assertEqual((r.code, r.err.strip()), (USAGE, "echodrill: error: probe needs --client CMD, or --programs NAME"))

    def test_the_job_of_the_documents_runs_as_it_is(self):
        """docs/probe-ci.sh, for a service that is socat here."""
        self.add_drill("program-killed-busy")
        self.add_drill("program-silent-idle")
        env = clean_env() | {"ECHODRILL": " ".join([*program("echodrill"), "--drills", str(self.place / "drills")]),
                             "SERVICE": self.server, "CLIENT": "ncat {server} {port}", "REQUEST": "hello"}
        for known, code in (("", 1), ("program-silent-idle", 0)):
            with self.subTest(known=known):
                r = subprocess.run(["sh", ROOT / "docs/probe-ci.sh"], env=env | {"KNOWN": known}, cwd=self.place,
                                   capture_output=True, text=True, timeout=120)
                self.assertEqual(r.returncode, code, r.stdout + r.stderr)
                self.assertEqual("never noticed: program-silent-idle" in r.stdout, not known, r.stdout)


class Evidence(Programs):
    def test_wireshark_reads_the_capture_and_sees_what_the_timeline_says(self):
        r = self.one("--programs", "ncat", "--pcap", str(self.place / "pcap"), "run", "program-killed-busy", folder=PROGRAMS)
        self.assertEqual(r["verdict"], "pass", r)
        capture, = (self.place / "pcap").glob("program-killed-busy-ncat.client.pcap")
        out = subprocess.run(["tshark", "-n", "-r", capture, "-Y", "tcp", "-T", "fields", "-e", "tcp.flags.syn", "-e", "tcp.flags.reset",
                              "-e", "tcp.len", "-e", "tcp.checksum.status"], capture_output=True, text=True, timeout=60, check=True,
                             env=clean_env() | {"HOME": str(self.place)}).stdout
        frames = [line.split("\t") for line in out.splitlines()]
        seen = [e["what"] for e in r["timeline"] if e["who"] == "wire"]
        self.assertEqual(sum(f[0] in ("1", "True") for f in frames), sum("SYN" in what for what in seen), out)
        self.assertEqual(sum(f[1] in ("1", "True") for f in frames), sum("RST" in what for what in seen), out)
        self.assertEqual(sum(int(f[2]) > 0 for f in frames), sum("bytes" in what for what in seen), out)


class Table(Programs):
    """tools/programs, which makes docs/programs.md"""

    def result(self, fault, noticed, end="running", **more):
        r = self.one("--programs", "ncat", "run", f"program-{fault}", folder=PROGRAMS) if not hasattr(self, "like") else dict(self.like)
        self.like = r
        return {**r, "drill": f"program-{fault}", "verdict": "pass", "reason": "", "noticed": noticed, "client_end": end,
                "not_applicable": False, **more}

    def test_a_cell_says_when_and_how_and_leads_to_its_timeline(self):
        evil = "<script>a|b`c` [x](y) \x1b[31m \u202e"
        said = {"how": "said", "after_ns": 12_300_000, "what": evil}
        ended = {"how": "ended", "after_ns": 14_000_000, "what": "exit code 0"}
        event = {"t_ns": 1, "who": "client", "what": evil}
        results = [self.result("refused", [said], timeline=[event]), self.result("killed-busy", [said, ended], "exit code 0"),
                   self.result("hung", [], "exit code 143", tcp_tells="never"), self.result("drained-busy", [said, ended], "exit code 0"),
                   self.result("silent-transfer", [], not_applicable=True, verdict="skipped"),
                   self.result("reload", [], verdict="inconclusive")]
        (self.place / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in results) + '{"drill": "brok')
        r = subprocess.run([ROOT / "tools/programs", "--render", "--out", self.place, "--docs", self.place], capture_output=True,
                           text=True, timeout=60, env=clean_env())
        self.assertEqual(r.returncode, 0, r.stderr)
        table, page = (self.place / "programs.md").read_text(), (self.place / "programs/ncat.md").read_text()
        row = next(line for line in table.splitlines() if line.startswith("| ncat |")).split(" | ")
        head = next(line for line in table.splitlines() if line.startswith("| client | refused")).split(" | ")
        cells = dict(zip(head, row))
        self.assertEqual({name.strip(" |"): cell.strip(" |") for name, cell in cells.items() if cell.strip(" |")}, {
            "client": "ncat", "refused": "[12.3 ms, prints](programs/ncat.md#refused)",
            "killed-busy": "[12.3 ms, prints, exit 0 \u26a0](programs/ncat.md#killed-busy)",
            "hung": "[**never**](programs/ncat.md#hung)", "silent-transfer": "n/a",
            "drained-busy": "[12.3 ms, prints, exit 0](programs/ncat.md#drained-busy)"})
        for anchor in re.findall(r"ncat\.md#([a-z-]+)", table):
            self.assertIn(f"\n## {anchor}\n", page)
        self.assertIn("\\<script\\>a\\|b\\`c\\` \\[x\\](y)", page)
        self.assertNotRegex(page + table, "(?m)[\x1b\u202e]|^[^ \\n].*[^\\\\]<script>")
