# SPDX-License-Identifier: MIT
"""What tests of echodrill share: runs and their results, an unprivileged user, traces that a run may have left."""
import collections
import json
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from echolab import BIN, ROOT, USAGE, TestCase, clean_env, program, run, sh, stat_fields
from schemas import problems

DRILLS = ROOT / "configs/drills"
INCONCLUSIVE, SKIPPED = 5, 77  # exit codes, beside those of echolab
# The rings of an ordinary user share one limit, which is for the tests beside, since eight drills at a time would take all
# of it: they run with epoll where the backend is left to them.
UNLIMITED = os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
FRUGAL = () if UNLIMITED else ("prlimit", "--memlock=0:0", "--")
Report = collections.namedtuple("Report", "code results err")


def drill(*args, timeout=200, prefix=(), exe=None, env=None):
    """Runs echodrill with -o json: the exit code, {name or name/means: result}, what it said. Every result is what
    docs/echodrill-1.schema.json says."""
    r = run([*(prefix or FRUGAL), *([exe] if exe else program("echodrill")), "-o", "json", *args], env, timeout=timeout)
    results = [json.loads(line) for line in r.out.splitlines()]
    for d in results:
        assert not problems("echodrill-1", d), (d["drill"], problems("echodrill-1", d))
    return Report(r.code, {full_name(d): d for d in results}, r.err)


def conclusive(command, env=None, times=5, **more):
    """Runs echodrill; what a busy machine leaves open is run again."""
    r = run(command, env, **more)
    return conclusive(command, env, times - 1, **more) if r.code == INCONCLUSIVE and times > 1 else r


def full_name(d):
    return f"{d['drill']}/{d['means']}" if d["means"] else d["drill"]


def names(group):
    """Names of the drills of a group, but for those that want rings where FRUGAL leaves none."""
    out = run([*program("echodrill"), "list"]).out
    return [line.split()[1] for line in out.splitlines()
            if line.split()[0] == group and (UNLIMITED or not wants_rings(line.split()[1]))]


def wants_rings(name):
    return "backend = io_uring" in (DRILLS / f"{name}.conf").read_text()


def complaint(results):
    """What did not pass, why, and what was seen: a machine that is busy now may not be when somebody looks."""
    return "\n".join("\n".join((f"{d['verdict']} {name}: {d['reason']}", *history(d)))
                     for name, d in results.items() if d["verdict"] != "pass")


def history(d):
    late = (f"{what} {d[f'{what}_ns'] / 1e6:.1f} ms" for what in ("canary_late", "cpu_wait", "wire_late"))
    outcomes = (f"  {o['count']} {o['cause']} {o['phase']} {o['errno']}" for o in (d["load"] or {}).get("outcomes", []))
    return (f"  ({', '.join(late)})", *(f"  {e['t_ns'] / 1e9:8.3f} {e['who']:6} {e.get('what')}" for e in d["timeline"]),
            *outcomes)


def traces():
    """What this machine shows of anybody's network: links, rules, named namespaces, mounts."""
    return (sh("ip", "-o", "link"), sh("nft", "list", "ruleset") if os.geteuid() == 0 else "", sh("ip", "netns"),
            Path("/proc/self/mounts").read_text())


def alive(pid):
    return stat_fields(pid)[:1] not in ([], ["Z"])


class Runs(TestCase):
    def run_until_conclusive(self, *args, wanted, **more):
        """What a busy machine leaves open is run again: alone, a few times. Returns {name: result}."""
        done, todo = {}, list(wanted)
        for jobs in (8, 2, 1):
            report = drill("run", "-j", str(jobs), *args, *todo, **more)
            self.assertNotIn(report.code, (USAGE, SKIPPED), report.err)
            self.assertEqual({d["drill"] for d in report.results.values()}, set(todo), report.err)
            done |= report.results
            todo = sorted({d["drill"] for d in done.values() if d["verdict"] == "inconclusive"})
            if not todo:
                break
        return done

    def assertAllPass(self, results):
        self.assertFalse(complaint(results), complaint(results))


class NobodyCase(Runs):
    """User 65534, without any privilege: self.prefix becomes it, self.exe is an echodrill that it can read."""
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root: becomes another user")
        probe = subprocess.run([*self.prefix, "unshare", "-Urn", "true"], capture_output=True, text=True, env=clean_env())
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
        self.exe = str(self.place / "build/x/echodrill")
