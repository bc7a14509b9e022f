# SPDX-License-Identifier: MIT
"""Programs as processes: what they say, how they end, and that none outlives its test."""
import collections
import contextlib
import ctypes
import fcntl
import functools
import os
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

from .environment import BIN, PATIENCE, UNCONFINED, WRAP, slow


# starts what follows as some do, with SIGCHLD ignored: nobody is told then how a child has ended
HEEDLESS = [sys.executable, "-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
            "os.execvp(sys.argv[1], sys.argv[1:])"]
SANITIZER = re.compile(r"Sanitizer: |Sanitizer has |runtime error: |: Assertion `|(definitely|possibly) lost: [^0]"
                       r"|Invalid (read|write|free)|uninitialised|Process terminating", re.A)
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER, CLONE_NEWNET = 36, 0x40000000


class Failed(AssertionError):
    """A program did what no test allows: a report of a sanitizer, no end, no word of where it listens."""


@functools.cache
def adopt_orphans():
    """Children of programs that are killed become ours, so that they are found and ended too."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stat_fields(pid):
    """/proc/PID/stat after the name: state, ppid, ...; [] when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def parents():
    """{pid: its parent's} of all processes, zombies included."""
    found = {}
    for entry in os.listdir("/proc"):
        fields = stat_fields(entry) if entry.isdigit() else []
        if fields:
            found[int(entry)] = int(fields[1])
    return found


def children(pid):
    """Pids of its living children and zombies."""
    return [child for child, parent in parents().items() if parent == pid]


def descendants(pid, but=()):
    """From one look at /proc, however many they are: a look for each of a thousand would take half a minute. Processes
    of `but` and what is below them are left out."""
    below = collections.defaultdict(list)
    for child, parent in parents().items():
        if child not in but:
            below[parent].append(child)
    found = below[pid][:]
    for child in found:
        found += below[child]
    return found


def childless():
    """Whether nobody has to be waited for: asked without reading all of /proc."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def end_descendants(but=()):
    """Kills every process below this one; their zombies are reaped too. Those of `but` live on."""
    for _ in range(1000):
        if childless():
            return
        pids = descendants(os.getpid(), but)  # may miss who changes parents meanwhile
        if but and not pids:
            return
        time.sleep(0.001)  # nothing tells of one that changed its parent
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


class Output:
    """What arrives on a pipe: read by a thread as it comes, to be waited for."""

    def __init__(self, pipe):
        self.pipe, self.data, self.ended = pipe, b"", False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        fd, poll = self.pipe.fileno(), select.poll()
        poll.register(fd, select.POLLIN)
        while not self.ended:
            poll.poll()
            with self.changed:
                data = os.read(fd, 65536)
                self.data += data
                self.ended = not data
                self.changed.notify_all()
        self.pipe.close()

    @property
    def text(self):
        return self.data.decode(errors="replace")

    def wait_for(self, pattern, timeout=PATIENCE, start=0):
        """The match of a regular expression in what comes after the first `start` bytes; None if the output ends or
        the time is over before."""
        search = re.compile(pattern.encode(), re.M | re.S).search
        with self.changed:
            self.changed.wait_for(lambda: search(self.data, start) or self.ended, slow(timeout))
            match = search(self.data, start)
        return match and [g.decode(errors="replace") if g is not None else "" for g in (match.group(), *match.groups())]

    def settle(self):
        """Returns when all that was written by now is here: a process that lives on may hold the pipe."""
        while not self.ended:
            with self.changed:
                if self.ended or fcntl.ioctl(self.pipe.fileno(), termios.FIONREAD, bytes(4)) == bytes(4):
                    return
            time.sleep(0.001)  # nothing tells that the other thread has emptied the pipe


def clean_env(extra=None):
    env = {k: v for k, v in os.environ.items() if not re.match(r"ECHO(D|LOAD|DRILL|BENCH)_", k)}
    confined = {"ECHOD_SANDBOX": "off"} if UNCONFINED else {}
    return env | {"LC_ALL": "C"} | confined | {k: str(v) for k, v in (extra or {}).items()}


class Process:
    """A running program, with what it prints. Use it through a TestCase, which ends it."""

    def __init__(self, argv, env=None, stdin=subprocess.DEVNULL, stdout=None, pass_fds=()):
        """`stdout` None: collected in .out; else given to the program."""
        adopt_orphans()
        self.argv = [str(a) for a in argv]
        self.popen = subprocess.Popen(self.argv, stdin=stdin, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE,
                                      env=clean_env(env), bufsize=0, pass_fds=pass_fds)
        self.pid = self.popen.pid
        self.out = None if stdout else Output(self.popen.stdout)
        self.err = Output(self.popen.stderr)
        self.stdin = self.popen.stdin

    def __repr__(self):
        return f"{' '.join(self.argv)} [{self.pid}]"

    def said(self):
        """For messages of failures."""
        out = self.out.text[-4000:] if self.out else ""
        return f"{self!r}, exit code {self.popen.returncode}\n--- stdout\n{out}\n--- stderr\n{self.err.text[-8000:]}"

    def running(self):
        return self.popen.poll() is None

    def send_signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """Its exit code (-N: killed by signal N), when it has ended and all it printed is there."""
        try:
            code = self.popen.wait(slow(timeout))
        except subprocess.TimeoutExpired:
            raise Failed(f"did not end within {slow(timeout):.0f} s: {self.said()}") from None
        self.err.settle()
        if self.out:
            self.out.settle()
        self.check()
        return code

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE):
        """Sends a signal and returns the exit code (-N: killed by signal N)."""
        self.send_signal(number)
        return self.wait(timeout)

    def hold(self):
        """SIGSTOP; returns when all its threads stand still."""
        self.send_signal(signal.SIGSTOP)
        until = time.monotonic() + slow(PATIENCE)
        while any(stat_fields(f"{self.pid}/task/{t}")[:1] != ["T"] for t in self.threads()):
            if time.monotonic() > until:
                raise Failed(f"it does not stop: {self.said()}")
            time.sleep(0.001)  # nothing tells of a thread that stands still, but of all, and to the parent alone

    @contextlib.contextmanager
    def held(self):
        """While the `with` block runs it and its children stand still: what is sent to them lies there at once."""
        self.hold()
        others = self.children()
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
            while stat_fields(pid)[:1] not in (["T"], ["Z"], []):
                time.sleep(0.001)  # we are not its parent: nothing tells us
        try:
            yield
        finally:
            for pid in (*others, self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def kill9(self):
        """SIGKILL; returns when it is gone (its children are not)."""
        return self.stop(signal.SIGKILL)

    def check(self):
        """Fails on what a sanitizer, valgrind or an assertion said."""
        code = self.popen.poll()
        if code in (99, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS) or SANITIZER.search(self.err.text):
            raise Failed(f"sanitizer, valgrind or assertion: {self.said()}")

    def end(self):
        """Whatever its state: afterwards it is gone."""
        if self.running():
            self.popen.kill()
            self.popen.wait()
            self.err.settle()
        if self.stdin:
            self.stdin.close()
        self.check()

    # what /proc knows of it

    def rss(self):
        """Resident bytes."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sockets(self, thread=None):
        """Descriptors of sockets, of one thread if it has a table of its own."""
        at = f"/proc/{self.pid}/task/{thread or self.pid}/fd"
        links = []
        for fd in os.listdir(at):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"{at}/{fd}"))
        return sum(link.startswith("socket:") for link in links)

    def threads(self):
        return [int(t) for t in os.listdir(f"/proc/{self.pid}/task")]

    def switches(self, thread):
        """How often a thread has given up its CPU or lost it: once for each time that it was woken, at least."""
        text = Path(f"/proc/{self.pid}/task/{thread}/status").read_text()
        return sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", text)))

    def children(self):
        """Pids of its children, zombies included."""
        return children(self.pid)

    def sleeps(self):
        """Whether no thread of it or its children runs, waits for a CPU, or is held by strace."""
        states = []
        for pid in (self.pid, *self.children()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                states += [stat_fields(f"{pid}/task/{t}")[:1] for t in os.listdir(f"/proc/{pid}/task")]
        return not any(state in states for state in (["R"], ["D"], ["t"]))

    def zombies(self):
        return [p for p in self.children() if stat_fields(p)[:1] == ["Z"]]

    def cpu_seconds(self):
        """User and system time of all its threads."""
        fields = stat_fields(self.pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


Result = collections.namedtuple("Result", "code out err")


def program(name):
    """How to start one of our programs in this variant."""
    return [*WRAP, str(BIN / name)]


def run(argv, env=None, stdin=b"", stdout=None, pass_fds=(), timeout=PATIENCE):
    """Runs to its end, which must come in time: Result(code, out, err), texts."""
    process = Process(argv, env, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=stdout, pass_fds=pass_fds)
    if stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(stdin)
        process.stdin.close()
    try:
        code = process.wait(timeout)
    finally:
        process.end()
    return Result(code, process.out.text if process.out else "", process.err.text)
