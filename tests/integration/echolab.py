# SPDX-License-Identifier: MIT
"""What integration tests share: programs of ours as processes, sockets, waiting, strace, namespaces.

    from echolab import TestCase, covers, for_each_backend

    @for_each_backend                       # makes Epoll, Fork, ...: a class for each backend of this build
    class Each(TestCase):
        @covers("echod", "max_conns")       # this test sees the effect of that option
        def test_one_too_many_is_turned_away(self):
            server = self.echod(max_conns=1)            # listens when this returns; cleaned up by itself
            first = self.connect(server)
            ...
            self.wait_until(lambda: server.counters().closed["shed"] == 1, "one shed")

Nothing sleeps for a while and hopes: every wait is for an event, with a deadline that only a failure meets.
slow(seconds) stretches a deadline for the variant that is being tested. What a sanitizer or valgrind reports in a
program fails the test that ran it. Every process is a descendant of the test's, and none outlives the test.
"""
import collections
import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIANT = os.environ.get("ECHOLAB_VARIANT") or "release"
BIN = Path(os.environ.get("ECHOLAB_BIN") or ROOT / "build" / VARIANT)
WRAP = (os.environ.get("ECHOLAB_WRAP") or "").split()
SLOW = float(os.environ.get("ECHOLAB_SLOW") or 1)
PATIENCE = 20  # seconds, times SLOW: for what takes milliseconds where nothing else runs

# exit codes of all programs
OK, VERDICT, USAGE, NO_ANSWER, ENVIRONMENT, INTERNAL = 0, 1, 2, 3, 4, 70


def slow(seconds):
    """A deadline, stretched for valgrind and the sanitizers."""
    return seconds * SLOW


# --- processes -------------------------------------------------------------------------------------------------

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
        time.sleep(0.001)
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
            time.sleep(0.001)


def clean_env(extra=None):
    env = {k: v for k, v in os.environ.items() if not re.match(r"ECHO(D|LOAD|DRILL|BENCH)_", k)}
    return env | {"LC_ALL": "C"} | {k: str(v) for k, v in (extra or {}).items()}


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
            time.sleep(0.001)

    @contextlib.contextmanager
    def held(self):
        """While the `with` block runs it and its children stand still: what is sent to them lies there at once."""
        self.hold()
        others = self.children()
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
            while stat_fields(pid)[:1] not in (["T"], ["Z"], []):
                time.sleep(0.001)
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


def run(argv, env=None, stdin=b"", stdout=None, timeout=PATIENCE):
    """Runs to its end, which must come in time: Result(code, out, err), texts."""
    process = Process(argv, env, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=stdout)
    if stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(stdin)
        process.stdin.close()
    try:
        code = process.wait(timeout)
    finally:
        process.end()
    return Result(code, process.out.text if process.out else "", process.err.text)


# --- echod -----------------------------------------------------------------------------------------------------

class Counters(dict):
    """Counters of echod, summed over its workers: c["connections_accepted"], c["received_bytes"], ... (the names in
    the text without echod_ and _total); c.closed["reset"] by cause, 0 for what has not happened; c.workers: a list
    of the same for each worker."""

    LINE = re.compile(r'^echod_(\w+?)(?:_total)?\{worker="(\d+)"(?:,cause="(\w+)")?\} (\d+)$')

    def __init__(self, text=""):
        super().__init__()
        self.closed = collections.Counter()
        self.workers = []
        for line in text.splitlines():
            match = self.LINE.match(line)
            if match:
                self.add(*match.groups())
            elif line and not line.startswith("#"):
                raise Failed(f"not a line of counters: {line!r}")

    def add(self, name, worker, cause, value):
        while self.workers is not None and len(self.workers) <= int(worker):
            self.workers.append(Counters.of_worker())
        for to in (self, self.workers[int(worker)]):
            if cause:
                to.closed[cause] += int(value)
            else:
                to[name] = to.get(name, 0) + int(value)

    @classmethod
    def of_worker(cls):
        counters = cls()
        counters.workers = None
        return counters

    accepted = property(lambda self: self["connections_accepted"])
    open = property(lambda self: self["connections_open"])
    received = property(lambda self: self["received_bytes"])
    sent = property(lambda self: self["sent_bytes"])

    def balanced(self):
        """Every connection is accounted for exactly once. They are read while workers run: wait for it."""
        return self.accepted == self.open + sum(self.closed.values())

    def __str__(self):
        return f"{dict(self)} closed={dict(self.closed)}"


def host_port(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Echod(Process):
    """An echod that listens. Addresses in .addrs, the first of them in .addr, its port in .port; .backend and
    .workers are what it said."""

    LISTENING = r"^echod: listening on (.+?): (\w+), (\d+) workers?([^\n]*)\n"

    def __init__(self, options, env=None, prefix=(), stdout=None):
        super().__init__([*prefix, *program("echod"), *options], env, stdout=stdout)
        self.final = None
        self.listening()

    def listening(self):
        match = self.err.wait_for(self.LISTENING)
        if not match:
            running = self.running()
            self.popen.kill()
            self.popen.wait()
            self.err.settle()
            raise Failed(f"{'never said' if running else 'ended before it said'} where it listens: {self.said()}")
        self.addrs = [host_port(a) for a in match[1].split(", ")]
        self.addr, self.port = self.addrs[0], self.addrs[0][1]
        self.backend, self.workers, self.remark = match[2], int(match[3]), match[4].removeprefix("; ")

    def counters(self):
        """Asks with SIGUSR1; the counters as they were when it answered."""
        start = len(self.out.data)
        self.send_signal(signal.SIGUSR1)
        match = self.out.wait_for(r"^# HELP.*?^# EOF$", start=start)
        if not match:
            raise Failed(f"no counters: {self.said()}")
        return Counters(match[0])

    def wait(self, timeout=PATIENCE):
        """Keeps the counters that it prints at its end in .final."""
        code = super().wait(timeout)
        last = self.out.text.rpartition("# HELP echod_connections_accepted_total")[2] if self.out else ""
        self.final = Counters("# HELP " + last)
        return code


def config_file(text):
    """Path of a new file with that text; the TestCase removes the directory."""
    directory = tempfile.mkdtemp(prefix="echolab-")
    path = Path(directory) / "echod.conf"
    path.write_text(text)
    return path


def as_options(options):
    """{"max_conns": 3, "listen": ["127.0.0.1:0", "[::1]:0"]} as a command line."""
    argv = []
    for key, value in options.items():
        for v in value if isinstance(value, (list, tuple)) else [value]:
            argv += ["--" + key.replace("_", "-")] + ([] if v is True else [str(v)])
    return argv


# --- backends --------------------------------------------------------------------------------------------------

@functools.cache
def offered():
    """{name: why it cannot run here, or ""} of the backends of this build that can serve."""
    exe = str(BIN / "echod")
    said = subprocess.run([exe, "--version"], capture_output=True, text=True, env=clean_env(),
                          stdin=subprocess.DEVNULL, timeout=slow(PATIENCE)).stdout
    found = {}
    for name in said.partition("\nbackends:")[2].split():
        r = subprocess.run([exe, "--backend", name, "--check"], capture_output=True, text=True, env=clean_env(),
                           stdin=subprocess.DEVNULL, timeout=slow(PATIENCE))
        found[name] = r.stderr.strip() if r.returncode == ENVIRONMENT else ""
    if "epoll" not in found:
        raise Failed(f"echod names no backends: {said}")
    return found


def backends():
    """Names of those that this kernel runs."""
    return [name for name, why in offered().items() if not why]


def class_name(backend):
    return "".join(word.capitalize() for word in backend.split("_"))


def for_each_backend(cls):
    """Makes of a TestCase called Each... one for each backend: Epoll..., Fork..., IoUring.... Tests marked with
    @only are left out of the others."""
    module = sys.modules[cls.__module__]
    for name, why in offered().items():
        wrong = [t for t, f in vars(cls).items() if name not in getattr(f, "only", [name])]
        made = type(class_name(name) + cls.__name__.removeprefix("Each"), (cls,),
                    {"backend": name, "__module__": cls.__module__, "__doc__": cls.__doc__, **dict.fromkeys(wrong)})
        setattr(module, made.__name__, unittest.skip(why)(made) if why else made)
    return None


def only(*names):
    """A test for these backends: the others cannot do that, by design."""
    def mark(test):
        if test:
            test.only = names
        return test
    return mark


def not_in(*variants):
    """A test that those variants cannot run: there it does not exist."""
    return lambda test: None if VARIANT in variants else test


SANITIZERS = ("asan", "tsan", "ubsan")

# --- which test sees which option ------------------------------------------------------------------------------

COVERED = collections.defaultdict(list)  # (program, key) -> names of tests


def covers(program_name, *keys):
    """Says that a test sees the effect of these options: keys as in the first section of the config file, those of
    another section with its name before them (epoll_buffer)."""
    def mark(test):
        for key in keys:
            COVERED[program_name, key].append(f"{test.__module__}.{test.__name__}" if test else "not in this variant")
        return test
    return mark


# --- sockets ---------------------------------------------------------------------------------------------------

def pattern(size, seed=1):
    """Bytes that do not repeat."""
    return random.Random(seed).randbytes(size)


def rst(sock):
    """Closes with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_close(sock):
    """We send no more: FIN."""
    sock.shutdown(socket.SHUT_WR)


def recv_exactly(sock, size):
    """That many bytes; fewer only if the stream ends before."""
    parts, left = [], size
    while left > 0:
        part = sock.recv(min(left, 1 << 20))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def recv_to_end(sock):
    """All bytes until the end, and how that came: "eof", or the name of the errno."""
    parts = []
    try:
        while True:
            part = sock.recv(1 << 20)
            if not part:
                return b"".join(parts), "eof"
            parts.append(part)
    except ConnectionError as e:
        return b"".join(parts), errno.errorcode[e.errno]


def end_of(sock):
    """How the connection ends: "eof" or the name of the errno; bytes that come before are dropped."""
    return recv_to_end(sock)[1]


class Sender(threading.Thread):
    """Sends from a thread of its own, in the pieces that `sizes` gives, so that the test can read meanwhile."""

    def __init__(self, sock, data, sizes=None, then=None):
        super().__init__(daemon=True)
        self.sock, self.data, self.sizes, self.then, self.error = sock, memoryview(data), sizes, then, None
        self.start()

    def run(self):
        at = 0
        try:
            while at < len(self.data):
                end = at + (next(self.sizes) if self.sizes else 1 << 20)
                self.sock.sendall(self.data[at:end])
                at = end
            if self.then:
                self.then(self.sock)
        except OSError as e:
            self.error = e

    def done(self):
        self.join(slow(PATIENCE))
        if self.error:
            raise self.error
        if self.is_alive():
            raise Failed("still sending")


class Reader(threading.Thread):
    """Reads to the end from a thread of its own."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.result = sock, None
        self.start()

    def run(self):
        try:
            self.result = recv_to_end(self.sock)
        except OSError as e:
            self.result = e

    def done(self):
        """What recv_to_end said."""
        self.join(slow(2 * PATIENCE))
        if self.is_alive() or isinstance(self.result, Exception):
            raise self.result or Failed("still reading")
        return self.result


def fill(server, sock, data, quiet=0.5):
    """Sends until an Echod has taken nothing for `quiet` seconds and sleeps: one that waits for a CPU would take more.
    Returns how much has gone."""
    at, poll, last = 0, select.poll(), time.monotonic()
    poll.register(sock, select.POLLOUT)
    sock.setblocking(False)
    try:
        while at < len(data):
            if poll.poll(slow(quiet) * 1000):
                with contextlib.suppress(BlockingIOError):
                    at += sock.send(memoryview(data)[at:at + (1 << 20)])
                last = time.monotonic()
            elif server.sleeps():
                break
            elif time.monotonic() - last > slow(2 * PATIENCE):
                raise Failed(f"it takes nothing, and does not sleep: {server.said()}")
    finally:
        sock.settimeout(slow(PATIENCE))
    return at


def ss(*args):
    """Lines of ss, without the head."""
    return subprocess.run(["ss", "-nH", *args], capture_output=True, text=True, check=True).stdout.splitlines()


# --- strace ----------------------------------------------------------------------------------------------------

class Strace:
    """System calls of running processes while the `with` block runs:

        with self.strace(server, "epoll_wait") as trace: ...
        trace.calls["epoll_wait"]          # how often
        trace.lines                        # with counts=False: one line for each call
    """

    def __init__(self, pids, calls="all", counts=True):
        self.file = tempfile.NamedTemporaryFile(prefix="echolab-strace-", mode="r")
        pids = [p for pid in pids for p in ("-p", str(pid))]
        self.process = Process(["strace", "-f", *(["-c"] if counts else []), "-e", f"trace={calls}",
                                "-o", self.file.name, *pids])
        self.wanted, self.counts, self.calls, self.lines = len(pids) // 2, counts, collections.Counter(), []

    def __enter__(self):
        if not self.process.err.wait_for(r"(strace: Process \d+ attached.*?\n.*?){%d}" % self.wanted):
            raise Failed(f"strace: {self.process.said()}")
        return self

    def __exit__(self, *_):
        self.process.stop(signal.SIGINT)
        self.lines = self.file.read().splitlines()
        self.file.close()
        if self.counts:
            for line in self.lines:
                match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
                if match and match[2] != "total":
                    self.calls[match[2]] += int(match[1])


@functools.cache
def clock_is_a_call():
    """Whether reading the clock is a system call: not every clock source of the kernel is in the vDSO."""
    r = subprocess.run(["strace", "-qq", "-e", "trace=clock_gettime", sys.executable, "-IS", "-c",
                        "import time; time.monotonic()"], capture_output=True, text=True, check=True)
    return "clock_gettime(" in r.stderr


# --- network namespaces ----------------------------------------------------------------------------------------

def sh(*argv):
    """Runs a command that must work."""
    r = subprocess.run(argv, capture_output=True, text=True)
    if r.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit code {r.returncode}: {r.stderr}")
    return r.stdout


@functools.cache
def no_namespaces():
    """Why there are none, or ""."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    r = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return f"no network namespaces: {r.stderr.strip()}" if r.returncode else ""


class Namespace:
    """A network of its own, which lives as long as the process that holds it: nothing can be left behind.
    `with namespace:` sockets are made in it; `prefix` starts a program in it."""

    def __init__(self):
        self.holder = Process(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"])
        if not self.holder.out.wait_for("up"):
            raise Failed(f"no network namespace: {self.holder.said()}")
        self.pid, self.path = self.holder.pid, f"/proc/{self.holder.pid}/ns/net"
        self.prefix = ["nsenter", f"--net={self.path}", "--"]

    def run(self, *commands):
        """Shell lines, each of which must work: "ip addr add ..."."""
        for command in commands:
            sh(*self.prefix, *command.split())

    def sysctl(self, name, value):
        with self:
            Path("/proc/sys", name.replace(".", "/")).write_text(value)

    @staticmethod
    def enter(path):
        with open(path) as ns:
            if LIBC.setns(ns.fileno(), CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")

    def __enter__(self):
        self.home = open("/proc/thread-self/ns/net")
        self.enter(self.path)
        return self

    def __exit__(self, *_):
        LIBC.setns(self.home.fileno(), CLONE_NEWNET)
        self.home.close()


class Lab:
    """client 10.77.1.2 -- router -- server 10.77.2.2: what the router drops is lost for both, as on a real path."""

    def __init__(self):
        self.client, self.router, self.server = Namespace(), Namespace(), Namespace()
        for host, dev, net in ((self.client, "c0", 1), (self.server, "s0", 2)):
            self.router.run(f"ip link add r{net} type veth peer name {dev} netns {host.pid}",
                            f"ip addr add 10.77.{net}.1/24 dev r{net}", f"ip link set r{net} up")
            host.run(f"ip addr add 10.77.{net}.2/24 dev {dev}", f"ip link set {dev} up",
                     f"ip route add default via 10.77.{net}.1")
        self.router.run("sysctl -q -w net.ipv4.ip_forward=1")

    def blackhole(self):
        """From now on nothing passes, and nobody is told."""
        self.router.run("ip route add blackhole 10.77.1.2/32", "ip route add blackhole 10.77.2.2/32")

    def reject(self, how):
        """From now on the router answers all that goes to the server with an ICMP error ("host-unreachable")."""
        self.router.run("sysctl -q -w net.ipv4.icmp_ratelimit=0", "nft add table ip told",
                        "nft add chain ip told way { type filter hook forward priority 0; }",
                        f"nft add rule ip told way ip daddr 10.77.2.2 reject with icmp {how}")

    def heal(self):
        self.router.run("ip route del blackhole 10.77.1.2/32", "ip route del blackhole 10.77.2.2/32")


# --- the test case ---------------------------------------------------------------------------------------------

class TestCase(unittest.TestCase):
    backend = None  # for_each_backend sets it: echod() asks for that one
    shared = ()  # pids of what setUpClass started for all tests, and a class cleanup ends

    def run(self, result=None):
        """Whatever happens, nothing that the test started outlives it, and what it cost is counted as the test's."""
        self.addCleanup(end_descendants, self.shared)
        try:
            return super().run(result)
        finally:
            end_descendants(self.shared)

    def keep(self, process):
        """Ends a process after the test, and looks at what it said."""
        self.addCleanup(process.end)
        return process

    def echod_options(self, config=None, listen="127.0.0.1:0", **options):
        """A command line. `config`: text of a config file; `listen` None: what the file says."""
        if self.backend and "backend" not in options:
            options["backend"] = self.backend
        if options.get("backend", "") is None:
            del options["backend"]
        if listen is not None:
            options["listen"] = listen
        return (["-f", str(self.config_file(config))] if config is not None else []) + as_options(options)

    def config_file(self, text):
        path = config_file(text)
        self.addCleanup(lambda: (path.unlink(missing_ok=True), path.parent.rmdir()))
        return path

    def echod(self, *argv, config=None, env=None, prefix=(), stdout=None, **options):
        """Starts echod on a free port of 127.0.0.1 unless told otherwise, with the backend of this class. More words
        of the command line in `argv`, options as keywords: echod(max_conns=3, listen=["127.0.0.1:0", "[::1]:0"])."""
        return self.keep(Echod([*self.echod_options(config, **options), *argv], env, prefix, stdout))

    def run_echod(self, *argv, config=None, env=None, prefix=(), stdout=None, timeout=PATIENCE, **options):
        """For an echod that is expected to end by itself: Result(code, out, err)."""
        argv = [*prefix, *program("echod"), *self.echod_options(config, **options), *argv]
        return run(argv, env, stdout=stdout, timeout=timeout)

    def connect(self, to, rcvbuf=None, sndbuf=None):
        """A blocking socket to an Echod or (host, port), with a deadline for each call."""
        addr = to.addr if isinstance(to, Echod) else to
        sock = socket.socket(socket.AF_INET6 if ":" in addr[0] else socket.AF_INET)
        self.addCleanup(sock.close)
        sock.settimeout(slow(PATIENCE))
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if sndbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        sock.connect(addr)
        return sock

    def wait_until(self, predicate, what, timeout=PATIENCE):
        """Until predicate() is true, for what no event announces. Returns what it returned."""
        deadline = time.monotonic() + slow(timeout)
        pause = 0.001
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                raise self.failureException(f"not within {slow(timeout):.0f} s: {what}; last: {value!r}")
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    def wait_counters(self, server, predicate, what, timeout=PATIENCE):
        """Until the counters of an echod are so. Returns them."""
        last = Counters()

        def ask():
            nonlocal last
            last = server.counters()
            return predicate(last)
        try:
            self.wait_until(ask, what, timeout)
        except self.failureException as e:
            sockets = "\n".join(ss("-tanoeiO", f"sport = :{server.port}")[:20])
            raise self.failureException(f"{e}\n{last}\nits sockets:\n{sockets}") from None
        return last

    def assertEcho(self, sock, data):
        """What is sent comes back, byte for byte."""
        sender = Sender(sock, data)
        self.assertSame(recv_exactly(sock, len(data)), data)
        sender.done()

    def assertSame(self, got, expected):
        """Equal bytes; says where they differ rather than printing megabytes."""
        if got == expected:
            return
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
        self.fail(f"{len(got)} bytes for {len(expected)}, different from byte {at} on: "
                  f"{bytes(got[at:at + 16])!r} for {bytes(expected[at:at + 16])!r}")

    def assertNobodyHome(self, addr):
        """Nothing listens there any more."""
        with self.assertRaises(ConnectionRefusedError):
            self.connect(addr)

    def strace(self, processes, calls="all", counts=True):
        """Strace of an Echod, or of pids."""
        pids = [processes.pid] if isinstance(processes, Process) else processes
        trace = Strace(pids, calls, counts)
        self.keep(trace.process)
        return trace

    def namespace(self, *commands):
        """A network of its own, in which these commands have run; skips the test where that is impossible."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        ns = Namespace()
        self.keep(ns.holder)
        ns.run(*commands)
        return ns

    def lab(self):
        """Three hosts, for faults on the path; skips the test where that is impossible."""
        if no_namespaces():
            self.skipTest(no_namespaces())
        lab = Lab()
        for ns in (lab.client, lab.router, lab.server):
            self.keep(ns.holder)
        return lab
