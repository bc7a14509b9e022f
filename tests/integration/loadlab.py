# SPDX-License-Identifier: MIT
"""What tests of echoload share: a run of it and its result, books that must balance, scripted servers.

    from loadlab import LoadCase, for_each_client

    @for_each_client                        # makes Epoll..., IoUring...: a class for each backend that can dial
    class EachEnding(LoadCase):
        def test_a_server_that_leaves(self):
            peer = self.peer(lambda sock, n: recv_exactly(sock, 64))    # a thread for each connection, then close
            r = self.run_load(peer, connections=1, messages=100, code=NO_ANSWER)
            self.assertEnds(r, {("eof_early", "awaiting", None): 1})

Every result that is read has passed check_result: the identities of docs/results.md, computed here from the JSON alone.
"""
import collections
import contextlib
import functools
import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from echolab import (BIN, ENVIRONMENT, OK, PATIENCE, USAGE, Failed, Process, TestCase, as_options, children,
                     class_name, clean_env, offered, program, run, slow, ss)

INCONCLUSIVE, SIGINT, SIGTERM = 5, 130, 143  # exit codes, beside those of echolab
LONG = {"timeout": "10m", "connect_timeout": "10m"}  # deadlines that no slow machine meets


# --- results ---------------------------------------------------------------------------------------------------

def no_constant(name):
    raise Failed(f"no JSON: {name}")


def once(pairs):
    """An object whose keys are all different."""
    if len(dict(pairs)) != len(pairs):
        raise Failed(f"a key twice: {[k for k, _ in pairs]}")
    return dict(pairs)


def parse(text):
    """A result as JSON, more strictly than Python does."""
    return json.loads(text, parse_constant=no_constant, object_pairs_hook=once)


def identities(j):
    """What must hold in every result: (what, left, right)."""
    c, m, s, b = j["connections"], j["messages"], j["measured"], j["bytes"]
    latency, outside = j["latency_ns"]["count"], j["latency_outside_outage_ns"]["count"]

    def outcomes(connecting, key="count"):
        return sum(o[key] for o in j["outcomes"] if (o["phase"] == "connecting") == connecting)

    yield "attempts", c["attempts"], c["established"] + c["failed"] + c["connecting_at_end"]
    yield "failed", c["failed"], outcomes(True)
    yield "established", c["established"], outcomes(False) + c["open_at_end"]
    yield "planned", m["planned"], m["sent"] + m["missed"]
    if j["config"].get("rate", "0") == "0" and "merged" not in j["context"]:  # a sum has the keys that all have alike
        yield "missed in a closed loop", m["missed"], 0
    yield "sent", m["sent"], m["echoed"] + m["corrupt"] + m["lost"] + m["unfinished"]
    yield "lost", m["lost"], m["lost_unsent"] + m["lost_partial"] + m["lost_unacked"] + m["lost_acked"]
    yield "lost by outcome", m["lost"], outcomes(False, "messages_lost")
    yield "lost while connecting", outcomes(True, "messages_lost"), 0
    yield "measured.sent", s["sent"], s["echoed"] + s["corrupt"] + s["lost"] + s["unfinished"]
    yield "latency", latency, s["echoed"]
    yield "latency uncorrected", j["latency_uncorrected_ns"]["count"], latency
    yield "latency outside", latency, outside + s["echoed_in_outage"]
    for i in j["intervals"]:
        errors = sum(n for cause, n in i["ended"].items() if cause != "finished")
        yield "interval's errors", i["errors"], errors
        yield "interval's buckets", i["latency_ns"]["count"], sum(n for _, n in i["latency_buckets"])
    yield "received", b["received"], b["echoed"] + b["partial"] + b["surplus"]


def of_targets(j):
    """What the targets had is what all had: (what, left, right). What was missed was meant for none of them."""
    for part in ("connections", "messages"):
        for key in j["targets"][0][part]:
            if key not in ("per_second", "planned", "missed"):
                yield f"{part}.{key} of targets", sum(t[part][key] for t in j["targets"]), j[part][key]
    rows = collections.Counter()
    for target in j["targets"]:
        for o in target["outcomes"]:
            rows[o["cause"], o["phase"], o["errno"]] += o["count"]
    yield "outcomes of targets", rows, {(o["cause"], o["phase"], o["errno"]): o["count"] for o in j["outcomes"]}


def orders(j):
    """What must not be greater than what: (what, less, more)."""
    c, m, s = j["connections"], j["messages"], j["measured"]
    end = j["duration_ns"]

    for key in ("sent", "echoed", "corrupt", "lost", "unfinished"):
        yield f"measured.{key}", s[key], m[key]
    yield "echoed in outage", s["echoed_in_outage"], s["echoed"]
    yield "peak", c["peak"], min(c["requested"] + int(j["config"].get("idle", "0")), c["established"])
    yield "measured", s["begin_ns"], s["end_ns"]
    for name in ("latency_ns", "latency_uncorrected_ns", "latency_outside_outage_ns"):
        row = [j[name][k] for k in ("min", "p50", "p90", "p99", "p99_9", "p99_99", "max")]
        yield from ((f"{name} {i}", a, b) for i, (a, b) in enumerate(zip(row, row[1:])))
    for o in j["outcomes"]:
        yield "an outcome has connections", 1, o["count"]
        yield "first", o["first_ns"], o["last_ns"]
        yield "last", o["last_ns"], end
    for o in j["outages"]:
        times = [o[k] for k in ("begin_ns", "noticed_ns", "first_success_ns", "recovered_ns")]
        times = [t for t in times if t is not None]
        yield from (("outage", a, b) for a, b in zip(times, times[1:]))
    for key in ("open_at_end", "connecting_at_end"):
        if not j["interrupted"]:
            yield key, c[key], 0


def numbers(value, path=""):
    """Every number in it with its place."""
    if isinstance(value, dict):
        for key, v in value.items():
            yield from numbers(v, f"{path}.{key}")
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from numbers(v, f"{path}[{i}]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def problems(j):
    """All that is wrong with a result, as sentences."""
    found = [f"{what}: {a} is not {b}" for what, a, b in (*identities(j), *of_targets(j)) if a != b]
    found += [f"{what}: {a} is more than {b}" for what, a, b in orders(j) if a > b]
    found += [f"{path} is {value}" for path, value in numbers(j)
              if value < 0 and not path.endswith((".part.clock_offset_ns", ".part.start_skew_ns"))]
    kinds = [(o["cause"], o["phase"], o["errno"]) for o in j["outcomes"]]
    if len(set(kinds)) != len(kinds):
        found.append(f"an outcome has two rows: {kinds}")
    # the run may end while attempts are under way: given up by us, and failed
    if any(cause == "finished" and phase not in ("closing", "connecting") for cause, phase, _ in kinds):
        found.append(f"finished is in phase closing: {kinds}")
    found += [f"nothing is owed at a clean end, something at an early one: {o}" for o in j["outcomes"]
              if o["cause"] == "eof" and (o["phase"] != "idle" or o["messages_lost"])
              or o["cause"] == "eof_early" and o["phase"] not in ("sending", "awaiting")]
    if j["messages"]["echoed"] and j["messages"]["sent"] and not j["interrupted"] and j["exit"]["code"] == 3:
        found.append("an answer came, and the exit code says that none did")
    if (j["corruption"] is None) != all(cause != "corrupt" for cause, _, _ in kinds):
        found.append(f"corruption is {j['corruption']}, outcomes are {kinds}")
    return found


class LoadResult:
    """What a run of echoload left: .code, .out, .err, and the JSON by its keys."""

    def __init__(self, code, out, err, text):
        self.code, self.out, self.err = code, out, err
        try:
            self.json = parse(text)
        except ValueError as e:
            raise Failed(f"no JSON: {e}: {text[:2000]}\n{self}") from None
        found = problems(self.json)
        if self.json["exit"]["code"] != code:
            found.append(f"the exit code is {code}, the JSON says {self.json['exit']['code']}")
        if re.search(r"\b-?(nan|inf)\b", out, re.I):
            found.append("not a number in the text")
        found += [f"more than 80 columns: {line}" for line in out.splitlines()
                  if not out.startswith("{") and len(line) > 80]
        if found:
            raise Failed("; ".join(found) + f"\n{self}\n{text[:6000]}")

    def __getitem__(self, key):
        return self.json[key]

    def __str__(self):
        shown = {k: self.json[k] for k in ("exit", "connections", "messages", "measured", "bytes", "outcomes",
                                           "outages", "corruption", "duration_ns")} if hasattr(self, "json") else ""
        return f"exit code {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}--- json\n{shown}"

    @property
    def outcomes(self):
        """{(cause, phase, errno): count}"""
        return {(o["cause"], o["phase"], o["errno"]): o["count"] for o in self.json["outcomes"]}

    @property
    def errors(self):
        """The same without connections that echoload closed itself."""
        return {k: n for k, n in self.outcomes.items() if k[0] != "finished"}

    @property
    def causes(self):
        return {cause for cause, _, _ in self.errors}

    @property
    def lost(self):
        """{"acked": 3, ...}: how far lost messages had come."""
        return {k.removeprefix("lost_"): n for k, n in self.json["messages"].items() if k.startswith("lost_") and n}


class Echoload(Process):
    """An echoload that runs."""

    def __init__(self, options, env=None, prefix=(), stdout=None, pass_fds=()):
        fd, self.file = tempfile.mkstemp(prefix="echolab-", suffix=".json")
        os.close(fd)
        env = dict(env or {})
        super().__init__([*prefix, *program("echoload"), "--json", self.file, *options], env, stdout=stdout,
                         pass_fds=pass_fds)

    def done(self, timeout=90):
        """Its result, when it has ended; the books balance."""
        code = self.wait(timeout)
        text = Path(self.file).read_text()
        if not text:
            raise Failed(f"no result: {self.said()}")
        return LoadResult(code, self.out.text if self.out else "", self.err.text, text)

    def interrupted(self, number=signal.SIGINT):
        """Ends it before its time: the result so far."""
        self.send_signal(number)
        r = self.done()
        if r.code != 128 + number or not r["interrupted"]:
            raise Failed(f"signal {number} was not the end: {r}")
        return r

    def end(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.file)
        super().end()

    def workers(self):
        """Threads beside main."""
        return [t for t in self.threads() if t != self.pid]

    # the progress line, with --progress always

    LINE = re.compile(r"(\S+)/s  (\d+) open  (\d+) errors?(  OUTAGE)?")

    def live(self):
        """Lines so far: (rate, open, errors, outage)."""
        return [(float(a), int(b), int(c), bool(d)) for a, b, c, d in self.LINE.findall(self.err.text)]

    def past_end(self):
        """Whether sending is over: it says more time than --duration ("0.4s/0.2s"), by more than it rounds."""
        return any(float(t) > float(end) + 0.15 for t, end in re.findall(r"([\d.]+)s/([\d.]+)s  ", self.err.text))


# --- scripted servers ------------------------------------------------------------------------------------------

class Peer:
    """A server that does what a function says with each connection: script(sock, n), n from 0, in a thread of its
    own; then it is closed. What goes wrong there besides the network fails the test."""

    def __init__(self, script, host="127.0.0.1", backlog=4096, rcvbuf=None, accepts=True):
        self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if rcvbuf:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.listener.bind((host, 0))
        self.listener.listen(backlog)
        self.addr = self.listener.getsockname()[:2]
        self.port = self.addr[1]
        self.script, self.errors, self.accepted, self.socks = script, [], 0, []
        self.stopping = False
        self.threads = []
        if accepts:
            self.start(self.accept)

    def start(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        while not self.stopping:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(slow(3 * PATIENCE))
            self.socks.append(sock)
            self.start(self.serve, sock, self.accepted)
            self.accepted += 1

    def serve(self, sock, n):
        try:
            self.script(sock, n)
        except OSError as e:
            if isinstance(e, TimeoutError):
                self.errors.append(e)
        except Exception as e:
            self.errors.append(e)
        finally:
            sock.close()

    def close(self):
        """Whatever its scripts wait for: they end."""
        self.stopping = True
        for sock in [self.listener, *self.socks]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(slow(PATIENCE))
        if self.errors:
            raise Failed(f"in a script: {self.errors[0]!r}") from self.errors[0]


def echo_all(sock, _=0):
    """The well-behaved server."""
    while True:
        data = sock.recv(1 << 16)
        if not data:
            return
        sock.sendall(data)


def silence(sock, _=0):
    """Takes everything and answers nothing."""
    while sock.recv(1 << 16):
        pass


def readable(sock):
    """Returns when something has arrived, which stays unread."""
    select.select([sock], [], [], slow(PATIENCE))


# --- backends --------------------------------------------------------------------------------------------------

@functools.cache
def clients():
    """{name: why it cannot run here, or ""} of the backends of this build that can dial."""
    found = {}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for name in offered():
            r = subprocess.run([str(BIN / "echoload"), "-c1", "-n1", "-oquiet", "--backend", name,
                                f"127.0.0.1:{closed.getsockname()[1]}"], capture_output=True, text=True,
                               env=clean_env(), stdin=subprocess.DEVNULL, timeout=slow(PATIENCE))
            if not (r.returncode == USAGE and "cannot dial" in r.stderr):
                found[name] = r.stderr.strip() if r.returncode == ENVIRONMENT else ""
    if "epoll" not in found:
        raise Failed("echoload has no epoll backend")
    return found


def classes(cls, names, why, **attributes):
    """Makes one more class of a TestCase called Each..., in its module."""
    made = type("".join(map(class_name, names)) + cls.__name__.removeprefix("Each"), (cls,),
                {"__module__": cls.__module__, "__doc__": cls.__doc__, **attributes})
    setattr(sys.modules[cls.__module__], made.__name__, unittest.skip(why)(made) if why else made)


def for_each_client(cls):
    """A class for each backend that can dial; servers are what the machine likes best."""
    for name, why in clients().items():
        classes(cls, [name], why, client=name)


def for_each_pair(cls):
    """A class for each backend that serves with each that dials: EpollServesEpoll..."""
    for (server, a), (client, b) in itertools.product(offered().items(), clients().items()):
        classes(cls, [server, "serves", client], a or b, backend=server, client=client)


# --- the test case ---------------------------------------------------------------------------------------------

def target_text(to):
    """HOST:PORT of an Echod, a Peer, (host, port) or text."""
    if isinstance(to, str):
        return to
    addr = to if isinstance(to, tuple) else to.addr
    if isinstance(addr, str):
        return addr
    host, port = addr
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class LoadCase(TestCase):
    client = None  # for_each_client sets it

    def load_options(self, to, options):
        if self.client:
            options.setdefault("backend", self.client)
        return [*as_options({k: v for k, v in options.items() if v is not None}), target_text(to)]

    def load(self, to, *argv, env=None, prefix=(), stdout=None, pass_fds=(), **options):
        """Starts echoload with the backend of this class."""
        return self.keep(Echoload([*self.load_options(to, options), *argv], env, prefix, stdout, pass_fds))

    def run_load(self, to, *argv, code=OK, **options):
        """Runs it to its end; None: any exit code. One that shall be OK, and most of which this machine stood still, is
        inconclusive, and says so."""
        r = self.load(to, *argv, **options).done()
        if code == OK and r["exit"]["reason"].startswith("this client could not run for"):
            self.assertGreater(r["generator"]["paused_ns"], r["duration_ns"] / 10, r)
            code = INCONCLUSIVE
        if code is not None:
            self.assertEqual(r.code, code, r)
        return r

    def as_long_as_needed(self, start, happened, seconds):
        """The result of start(duration), an Echoload, with as much time as this machine needs for what must happen
        before the end of the run."""
        for factor in (1, 4, 16):
            r = start(f"{slow(1000 * seconds * factor):.0f}ms").done(seconds * factor + 90)
            if happened(r):
                break
        return r

    def run_echoload(self, *argv, env=None, prefix=(), stdout=None, timeout=PATIENCE):
        """Any command line, no result expected: Result(code, out, err)."""
        return run([*prefix, *program("echoload"), *argv], env, stdout=stdout, timeout=timeout)

    def peer(self, script, **how):
        peer = Peer(script, **how)
        self.addCleanup(peer.close)
        return peer

    def full_peer(self):
        """A listener that never accepts, whose queue is full: SYNs are dropped."""
        peer = self.peer(silence, backlog=0, accepts=False)
        for _ in range(50):
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.setblocking(False)
            sock.connect_ex(peer.addr)
        return peer

    def nothing_leaves(self, port):
        """Whether a connection to that port waits for its peer to read."""
        return "timer:(persist" in "".join(ss("-tno", "state", "established", f"dport = :{port}"))

    def closed_port(self):
        """An address where nothing listens, and nobody else will while the test runs."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="echolab-")
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def wait_open(self, server, count, received=1):
        """Until an echod has that many connections, each of which may have been served. How long so many bytes take
        is the machine's business: patience ends when they stop coming."""
        c, seen = None, 0
        while not c or c.open < count or c.received < received:
            enough = min(received, seen + received // 20 + 1)
            c = self.wait_counters(server, lambda c, n=enough: c.received >= n and (c.open >= count or n < received),
                                   f"{count} are open, {received} bytes received")
            seen = c.received
        return c

    def kill(self, server):
        """SIGKILL for an echod and the processes that serve for it, all at once: they are stopped before."""
        words, ours = Path(f"/proc/{server.pid}/cmdline").read_bytes(), children(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in [server.pid, *server.children()]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        server.kill9()
        for pid in set(children(os.getpid())) - set(ours):  # forked meanwhile, and ours now
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes() == words:
                    os.kill(pid, signal.SIGKILL)

    def assertEnds(self, result, errors):
        """How connections ended that echoload did not close itself."""
        self.assertEqual(result.errors, errors, result)

    def assertAllEchoed(self, result, count):
        """The perfect run of that many messages."""
        m = result["messages"]
        self.assertEqual((m["sent"], m["echoed"], m["corrupt"], m["lost"], m["unfinished"]), (count, count, 0, 0, 0),
                         result)
        self.assertEqual(result.errors, {}, result)
