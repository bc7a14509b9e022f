# SPDX-License-Identifier: MIT
"""Every drill: it passes, it does not pass with its fault left out, and no expectation of it holds turned round."""
import collections
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from echolab import (BIN, OK, ROOT, SANITIZERS, USAGE, VARIANT, VERDICT, TestCase, clean_env, not_in, program, run, slow)

DRILLS = ROOT / "configs/drills"
ENVIRONMENT, INCONCLUSIVE, SKIPPED = 4, 5, 77
Report = collections.namedtuple("Report", "code results err")


def drill(*args, timeout=200, prefix=(), env=None):
    """Runs echodrill with -o json: the exit code, {name or name/means: result}, what it said."""
    r = run([*prefix, *program("echodrill"), "-o", "json", *args], env, timeout=timeout)
    return Report(r.code, {full_name(d): d for d in map(json.loads, r.out.splitlines())}, r.err)


def full_name(d):
    return f"{d['drill']}/{d['means']}" if d["means"] else d["drill"]


def names(group):
    """Names of the drills of a group."""
    out = run([*program("echodrill"), "list"]).out
    return [line.split()[1] for line in out.splitlines() if line.split()[0] == group]


def everything():
    return names("classic") + names("relative") + names("matrix")


def complaint(results):
    return "\n".join(f"{d['verdict']} {name}: {d['reason']}" for name, d in results.items() if d["verdict"] != "pass")


class Runs(TestCase):
    def run_until_conclusive(self, *args, wanted, prefix=()):
        """What a busy machine leaves open is run again: alone, a few times. Returns {name: result}."""
        done, todo = {}, list(wanted)
        for jobs in (6, 2, 1):
            report = drill("run", "-j", str(jobs), *args, *todo, prefix=prefix)
            self.assertNotIn(report.code, (USAGE, SKIPPED), report.err)
            self.assertEqual({d["drill"] for d in report.results.values()}, set(todo), report.err)
            done |= report.results
            todo = sorted({d["drill"] for d in done.values() if d["verdict"] == "inconclusive"})
            if not todo:
                break
        return done

    def assertAllPass(self, results):
        self.assertFalse(complaint(results), complaint(results))


class Passes(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_every_classic_drill_passes(self):
        self.assertAllPass(self.run_until_conclusive(wanted=names("classic")))

    @not_in("valgrind", *SANITIZERS)
    def test_every_relative_passes(self):
        self.assertAllPass(self.run_until_conclusive(wanted=names("relative")))


class Matrix(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_every_fault_is_noticed_when_its_means_say(self):
        results = self.run_until_conclusive(wanted=names("matrix"))
        self.assertAllPass(results)
        self.assertGreaterEqual(len(results), 5 * 15)
        # never is what it says: the drill watched for longer than any of the means would have taken
        silent = {d["means"]: d["knew"] for d in results.values() if d["drill"] == "grid-silent-idle"}
        self.assertEqual(silent, {"none": None, "limit": None, "user": None, "keepalive": "timeout_tcp", "icmp": None})

    @not_in("valgrind", *SANITIZERS)
    def test_the_table_is_drills_by_means(self):
        r = run([*program("echodrill"), "--timeline", "never", "-j", "5", "run", "grid-refused-connect"])
        self.assertRegex(r.out, r"(?m)^fault +none +limit +user +keepalive +icmp$")
        self.assertRegex(r.out, r"(?m)^refused-connect( +[\d.]+ m?s!?){5}$")
        self.assertRegex(r.out, r"(?m)^  keepalive +-T off --connect-timeout off --keepalive 1s/1s/2$")
        r = run([*program("echodrill"), "-o", "markdown", "-j", "5", "run", "grid-refused-connect"])
        self.assertRegex(r.out, r"\| Nobody listens when the client connects\. \|( [\d.]+ m?s!?, `ECONNREFUSED` \|){5}\n")


class Sanitized(Runs):
    def test_some_drills_of_each_kind_pass(self):
        """In every variant: the programs are slower there, the drills are the same."""
        self.assertAllPass(self.run_until_conclusive(wanted=[
            "server-killed", "server-killed-ipv6", "host-crashed-keepalive", "host-rebooted", "shutdown-drain"]))


class LeftOut(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_no_drill_passes_without_its_fault(self):
        report = drill("run", "-j", "12", "--without-fault", timeout=110)
        self.assertEqual({d["verdict"] for d in report.results.values()} - {"fail"}, {"inconclusive"},
                         complaint(report.results))
        self.assertIn(report.code, (VERDICT, INCONCLUSIVE))
        self.assertEqual({d["drill"] for d in report.results.values()}, set(everything()))


class Negated(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_no_expectation_holds_turned_round(self):
        results = self.run_until_conclusive("--negate", wanted=everything())
        self.assertEqual({d["verdict"] for d in results.values()}, {"fail"},
                         [name for name, d in results.items() if d["verdict"] != "fail"])
        for name, d in results.items():
            self.assertIn("not ", d["reason"], name)


class Nobody(Runs):
    """User 65534, without any privilege."""
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("cannot become another user")
        probe = subprocess.run([*self.prefix, "unshare", "-Urn", "true"], capture_output=True, text=True)
        if probe.returncode:
            self.skipTest(f"no namespaces for users here: {probe.stderr.strip()}")
        # the build may lie where others cannot look
        self.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, self.place)
        for part in ("build/x", "configs/drills"):
            (self.place / part).mkdir(parents=True)
        for name in ("echod", "echoload", "echodrill"):
            shutil.copy(BIN / name, self.place / "build/x")
        for path in DRILLS.glob("*.conf"):
            shutil.copy(path, self.place / "configs/drills")
        for path in (self.place, *self.place.rglob("*")):
            path.chmod(0o755)

    @not_in("valgrind", *SANITIZERS)
    def test_the_classic_drills_pass(self):
        exe, done, todo = str(self.place / "build/x/echodrill"), {}, names("classic")
        for jobs in ("4", "1", "1"):
            r = run([*self.prefix, exe, "-o", "json", "-j", jobs, "run", *todo], timeout=110)
            done |= {d["drill"]: d for d in map(json.loads, r.out.splitlines())}
            todo = [name for name, d in done.items() if d["verdict"] == "inconclusive"]
            if not todo:
                break
        self.assertEqual(sorted(done), sorted(names("classic")), r.err)
        self.assertAllPass(done)

    def test_without_namespaces_drills_are_skipped_and_say_why(self):
        exe = str(self.place / "build/x/echodrill")
        r = run(["unshare", "-U", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_user_namespaces && "
                 f"exec setpriv --bounding-set=-sys_admin --inh-caps=-all --no-new-privs {exe} run server-killed"])
        self.assertEqual(r.code, ENVIRONMENT, r)
        self.assertRegex(r.out, r"(?m)^skipped +server-killed .*\n +this kernel gives no private namespaces")


class Everything(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_all_runs_every_pair_of_backends(self):
        r = run([*program("echodrill"), "--all", "-o", "json", "-j", "2", "run", str(self.one_drill())])
        pairs = {(d["server_backend"], d["client_backend"]): d["verdict"] for d in map(json.loads, r.out.splitlines())}
        self.assertEqual(set(pairs.values()), {"pass"}, r)
        self.assertEqual(r.code, OK)
        self.assertLessEqual({("epoll", "epoll"), ("fork", "epoll")}, set(pairs))

    def one_drill(self):
        return self.config_file("""[drill]
story = reset
delay = 5ms
[server]
fork = on
options = --shutdown default
[client]
options = -c 2 -d 3s -w 0s
[steps]
step = await state client ESTAB 2
step = after 200ms fault destroy server
step = await exit client
[expect]
expect = outcome.reset.*.ECONNRESET.count == 2
""")
