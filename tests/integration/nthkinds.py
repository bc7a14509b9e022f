# SPDX-License-Identifier: MIT
"""Every program, as it is run when the n-th call fails, and how each run is judged."""
import errno
import functools
import json
import re
import signal
import tempfile
import time
from pathlib import Path

import jsonschema

from drilllab import SKIPPED
from echolab import ENVIRONMENT, NO_ANSWER, OK, ROOT, USAGE, VERDICT, Echod, Failed, Process, program, run
from loadlab import INCONCLUSIVE, LoadResult, problems
from nthlab import FILES, NETWORK, RING, SOCKETS, Made, Scenario
from nthservers import ServerWithFullRing, Successor, SuccessorByRing, server
from nthsignals import INTERRUPTED
from schemas import problems as schema_problems, schema

FOREVER = 60  # seconds for what takes milliseconds
OURS = {errno.EMFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC, errno.EADDRNOTAVAIL}  # nothing that a peer could help


class Tool(Scenario):
    """Files in, files out: nothing but the fault makes a difference."""
    argv = ()
    changing = ()  # patterns of what differs from run to run

    def same(self, text):
        for pattern in self.changing:
            text = re.sub(pattern, "~", text)
        return text

    def make(self, fault):
        r = run([*program(self.program), *self.argv], fault.environment(self.log, self.program),
                timeout=FOREVER)
        made = Made(r, self.work, self.same)
        if not self.expected:
            if r.err or r.code != OK:
                raise Failed(f"without a fault: {r}")
            return made
        if made.code == self.expected.code:
            if made.out != self.expected.out:
                raise Failed(f"it prints something else, and says nothing: {r}")
            for name, text in self.expected.files.items():
                if made.files.get(name) != text:
                    raise Failed(f"{name} is not what it should be, and it says nothing: {r}")
        elif made.code == ENVIRONMENT or (made.code == USAGE and fault.call in ("fopen", "open")):
            self.said_why(r)
            for name, text in made.files.items():
                if text != self.expected.files.get(name, text) and not self.tells(name, text):
                    raise Failed(f"half of {name} is left: {r}")
        else:
            raise Failed(f"a wrong exit code: {r}")
        self.no_halves(r)
        return made

    def tells(self, name, text):
        """Whether this file is whole, and another one only because it tells of the fault."""
        return False


@functools.cache
def recordings():
    """A folder with results of two runs and of two parts of a load, made once."""
    folder = tempfile.TemporaryDirectory(prefix="echolab-nth-")
    server = Echod(["--listen", "127.0.0.1:0", "--workers", "1", "--backend", "epoll"])
    if not any(recorded(folder.name, f"127.0.0.1:{server.port}", seconds) for seconds in (1, 5, 20)):
        raise Failed("no load ends as it should: this machine is too slow")
    server.stop(signal.SIGTERM)
    server.end()
    return folder


def recorded(folder, at, seconds):
    """Whether all went well: on a busy machine a client may have been too slow, or have come too late."""
    begin = f"{time.time() + seconds:.3f}"  # parts of one load run at the same time
    loads = [Process([*program("echoload"), "-c", "4", "-n", "20k", "-w", "0s", "--interval", "20ms", *more,
                      "--jsonl", f"{folder}/{name}.jsonl", "--json", f"{folder}/{name}.json", at])
             for name, more in (("run1", []), ("run2", []),
                                *((f"part{k}", ["--part", f"{k}/2", "--start-at", begin]) for k in (1, 2)))]
    codes = {load.wait(FOREVER) for load in loads}
    for load in loads:
        load.end()
    return codes == {OK}


class ToolOfRuns(Tool):
    """One that reads results of echoload."""
    program = "echoload"

    def prepare(self):
        self.inputs = Path(recordings().name)

    def given(self, *names):
        return [str(self.inputs / name) for name in names]


class Merge(ToolOfRuns):
    name = "merge"

    def tells(self, name, text):
        return name == "sum.json" and json.loads(text)["exit"]["code"] == ENVIRONMENT

    @property
    def argv(self):
        return ["merge", "--json", str(self.work / "sum.json"), "--hist", str(self.work / "sum.hgrm"),
                *self.given("run1.json", "run2.json")]


class MergeParts(ToolOfRuns):
    name = "merge-parts"

    @property
    def argv(self):
        return ["merge", "-o", "json", *self.given("part1.jsonl", "part2.jsonl")]


class Plot(ToolOfRuns):
    name = "plot"
    calls = [*FILES, "tmpfile", "waitpid", "fork"]

    @property
    def argv(self):
        return ["plot", *self.given("run1.jsonl"), "-o", str(self.work / "run.svg")]


class Report(ToolOfRuns):
    name = "report"
    calls = [*FILES, "tmpfile", "waitpid", "fork"]
    changing = [r"nonce(=\"|-)[0-9a-f]{32}"]

    @property
    def argv(self):
        return ["report", *self.given("run1.jsonl", "run2.json"), "-o", str(self.work / "run.html")]


class Words(Tool):
    """What each program says of itself."""
    calls = ["malloc", "fopen", "open", "fflush", "write_file", "poll"]


class Drill(Scenario):
    """A drill with all that it can write. It passes, or says in what it could not be run."""
    name, program = "drill", "echodrill"
    calls = [*FILES, "socket", "bind", "connect", "setsockopt", "getsockopt", "getsockname", "send", "recv", "fork",
             "waitpid", "pipe2", "socketpair", "pthread_create", "ppoll", "signalfd", "eventfd", "recvmsg", "sendmsg"]
    never = {"send": ["EPIPE"], "recv": ["ECONNRESET"], "sendmsg": ["EPIPE"]}  # the kernel and devices have no end

    def make(self, fault):
        r = run([*program("echodrill"), "-o", "json", "--json", str(self.work / "drill.json"), "--svg",
                 str(self.work / "drill.svg"), "run", "connect-refused"], fault.environment(self.log, "echodrill"),
                timeout=FOREVER)
        made = Made(r, self.work, lambda text: text)
        if r.code == ENVIRONMENT and not r.err:
            self.told(r, made)  # it could not be run, for the reason that it has
        elif r.code in (ENVIRONMENT, USAGE) and (r.code != USAGE or fault.call in ("fopen", "open")):
            self.said_why(r)
        elif r.code not in (OK, INCONCLUSIVE, SKIPPED):
            raise Failed(f"a wrong exit code: {r}")
        else:
            self.told(r, made)
        for name, end in (("drill.json", "}\n"), ("drill.svg", "</svg>\n")):
            if not made.files.get(name, end).endswith(end) and made.files[name]:
                raise Failed(f"half of {name} is left: {r}\n{made.files[name][-300:]}")
        if self.expected:
            self.no_halves(r)
        return made

    def told(self, r, made):
        result, = [json.loads(line) for line in r.out.splitlines()] or [None]
        if not result or schema_problems("echodrill-1", result):
            raise Failed(f"no result: {r}")
        if made.files.get("drill.json") != made.out or not made.files.get("drill.svg"):
            raise Failed(f"a file is missing, and it says nothing: {r}")
        if (r.code == OK) != (result["verdict"] == "pass") or not (result["reason"] or r.code == OK):
            raise Failed(f"verdict and exit code: {r}")
        if self.expected:
            wanted = json.loads(self.expected.out)
            if r.code == OK and [e["what"] for e in wanted["expectations"]] != [e["what"] for e in result["expectations"]]:
                raise Failed(f"expectations are missing, and it says nothing: {r}")


class Bench(Scenario):
    """A comparison with its file."""
    name, program = "bench", "echobench"
    calls = [*FILES, "tmpfile", "fork", "waitpid", "pipe2", "socketpair", "socket", "connect", "setsockopt", "getsockopt",
             "send", "recv", "sendmsg", "recvmsg"]
    never = {"send": ["EPIPE"], "recv": ["ECONNRESET"], "sendmsg": ["EPIPE"]}  # who is spoken to lives

    def make(self, fault):
        r = run([*program("echobench"), "run", "--b", "epoll", "--rounds", "3", "--warmup", "10ms", "-c",
                 "4", "--precision", "100", "--confidence", "80", "--max-blocks", "3", "-o", "json", "--json",
                 str(self.work / "bench.json")], fault.environment(self.log, "echobench"), timeout=FOREVER)
        made = Made(r, self.work, lambda text: text)
        if r.code == ENVIRONMENT or r.code == USAGE and fault.call in ("fopen", "open"):
            self.said_why(r)
        elif r.code not in (OK, VERDICT, INCONCLUSIVE):
            raise Failed(f"a wrong exit code: {r}")
        else:
            result = json.loads(r.out)
            jsonschema.validate(result, schema("echobench-1"))
            if made.files.get("bench.json") != made.out:
                raise Failed(f"no result, and it says nothing: {r}")
            if result["exit"]["code"] != r.code or len(result["cells"]) != 1:
                raise Failed(f"not the whole result: {r}")
        if made.files.get("bench.json"):
            json.loads(made.files["bench.json"])
        if self.expected:
            self.no_halves(r)
        return made


def words(name, of, *argv, **more):
    return type(name, (Words,), {"name": name, "program": of, "argv": argv, **more})


class Served(Scenario):
    """A client, of an echod in which nothing fails."""
    program = "echoload"

    def prepare(self):
        self.server = Echod(["--listen", "127.0.0.1:0", "--workers", "1", "--backend", "epoll"])
        self.kept = (self.server.pid,)
        self.at = f"127.0.0.1:{self.server.port}"

    def close(self):
        self.server.end()
        super().close()


class Load(Served):
    """A load with every file that it can write. Its books balance, its exit code is that of its JSON; what was not lost
    on the network all came back."""
    backend = "epoll"
    calls = [*FILES, "pthread_create", "socket", "connect", "getsockopt", "setsockopt", "getsockname", "bind", "eventfd",
             "signalfd", *SOCKETS["epoll"]]
    argv = ("-c", "3", "-n", "20", "-p", "2", "-s", "100", "-w", "0s", "--connect-timeout", "20s", "-o", "json")

    def make(self, fault):
        files = [f"--{option}={self.work}/{name}" for option, name in
                 (("json", "run.json"), ("jsonl", "run.jsonl"), ("hist", "run.hlog"), ("csv", "run.csv"))]
        (self.folder / "targets").write_text(f"# one\n{self.at}\n")
        r = run([*program("echoload"), "--backend", self.backend, *self.argv, *files,
                 "--targets", str(self.folder / "targets"), self.at], fault.environment(self.log, "echoload"),
                timeout=FOREVER)
        made = Made(r, self.work, lambda text: text)
        if not self.expected:
            if r.err or r.code != OK:
                raise Failed(f"without a fault: {r}")
            return made
        if made.code == OK:
            self.whole(r, made)
        elif made.code == ENVIRONMENT or made.code == USAGE and fault.call in ("fopen", "open"):
            self.said_why(r)
            self.parts_of_it(r, made)
        elif made.code in (VERDICT, NO_ANSWER, INCONCLUSIVE) and fault.call in NETWORK:
            reason = self.judged(r, made)["exit"]["reason"]
            if fault.what in OURS and made.code != INCONCLUSIVE and "local_limit" not in reason:
                raise Failed(f"it blames the peer: {reason}: {r}")
        else:
            raise Failed(f"a wrong exit code: {r}")
        self.no_halves(r)
        return made

    def judged(self, r, made):
        """The results, which all say the same."""
        result = LoadResult(r.code, r.out, r.err, r.out)
        if made.files["run.json"] != made.out:
            raise Failed(f"run.json is not what was printed: {r}\n{made.files['run.json']}")
        events = [json.loads(line) for line in made.files["run.jsonl"].splitlines()]
        if [e["event"] for e in events][::len(events) - 1] != ["start", "end"] or events[-1]["result"] != result.json:
            raise Failed(f"run.jsonl is not what was printed: {r}\n{made.files['run.jsonl']}")
        rows = [e for e in events if e["event"] == "interval"]
        for key in ("sent", "echoed", "lost"):
            if sum(row[key] for row in rows) != result["messages"][key]:
                raise Failed(f"the intervals' {key} is not {result['messages'][key]}: {r}")
        for name, count in (("run.hlog", len(rows)), ("run.csv", len(rows) + 1)):
            lines = [line for line in made.files[name].splitlines() if not line.startswith(("#", '"StartTimestamp'))]
            if len(lines) != count or not made.files[name].endswith("\n"):
                raise Failed(f"{name} has {len(lines)} lines for {count}: {r}\n{made.files[name]}")
        return result

    def whole(self, r, made):
        result = self.judged(r, made)
        counts = {key: result["messages"][key] for key in ("sent", "echoed", "lost")}
        if counts != {"sent": 20, "echoed": 20, "lost": 0}:
            raise Failed(f"messages are missing: {counts}: {r}")

    def parts_of_it(self, r, made):
        """It could not be run, or its results not be written."""
        for text in (made.files.get("run.json"), made.out):
            if text:
                self.written(r, text)

    @staticmethod
    def written(r, text):
        try:
            result = json.loads(text)
        except ValueError:
            if text == r.out:
                return  # standard output is lost: it says so
            raise Failed(f"half of run.json is left: {r}") from None
        if problems(result):
            raise Failed(f"{problems(result)}: {r}")


class LoadByRing(Load):
    backend = "io_uring"
    calls = [*FILES, "pthread_create", "socket", "connect", "getsockopt", "setsockopt", *RING]


for load in (Load, LoadByRing):
    load.name = f"load-{load.backend}"


class LoadByFullRing(LoadByRing):
    """One whose queue of completions is always too small: they wait in the kernel."""
    name = "load-overflow"
    calls = RING
    argv = (*Load.argv, "--io_uring-cq-entries", "2")


class Interactive(Served):
    """Somebody who types."""
    name = "interactive"
    calls = ["malloc", "mmap", "socket", "connect", "getsockopt", "setsockopt", "getsockname", "poll", "ppoll", "recv",
             "send", "read", "write", "write_file", "signalfd", "fflush"]
    argv = ("--interactive",)
    why = (r"^\[.*s\] (cannot |poll: |connect: |send: |recv: |read: |write: |no answer|end of input; the server was gone)"
           r"|^echoload: error: ")
    typed = b"one\ntwo\n" + b"x" * 5000 + b"\n"

    def came(self, out):
        return self.typed.decode().startswith(out)

    def make(self, fault):
        r = run([*program("echoload"), *self.argv, self.at], fault.environment(self.log, "echoload"),
                stdin=self.typed, timeout=FOREVER)
        made = Made(r, self.work, lambda text: text)
        if not self.expected and (r.code != OK or r.out.encode() != self.typed):
            raise Failed(f"without a fault: {r}")
        if not self.came(r.out):
            raise Failed(f"it prints what did not come: {r}"[:3000])
        if r.code == OK and r.out.encode() != self.typed:
            raise Failed(f"it prints less than came, and says nothing: {r}")
        if r.code not in (OK, VERDICT, NO_ANSWER, ENVIRONMENT) or r.code == VERDICT and fault.call not in NETWORK:
            raise Failed(f"a wrong exit code: {r}")
        if r.code != OK and not re.search(self.why, r.err, re.M):
            raise Failed(f"it does not say why: {r}")
        return made


class Textbook(Interactive):
    name = "textbook"
    argv = ("--interactive", "--textbook")

    def came(self, out):
        """After a write that failed it goes on with the next line, as people do."""
        typed = iter(self.typed.decode().splitlines(keepends=True))
        lines = out.splitlines(keepends=True)
        return all(any(line.startswith(got) for line in typed) for got in lines)


SCENARIOS = {s.name: s for s in (Merge, MergeParts, Plot, Report, Load, LoadByRing, LoadByFullRing, Interactive, Textbook,
                                 *map(server, SOCKETS), ServerWithFullRing, Successor, SuccessorByRing, Drill, Bench,
                                 words("echod-config", "echod", "-f", str(ROOT / "configs/echod.conf"), "--print-config"),
                                 words("echoload-config", "echoload", "--print-config"),
                                 words("drill-list", "echodrill", "list"), *INTERRUPTED)}
