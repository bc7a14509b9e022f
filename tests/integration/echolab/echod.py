# SPDX-License-Identifier: MIT
"""An echod that listens, its counters and its configuration."""
import collections
import re
import signal
import tempfile
from pathlib import Path

from .environment import PATIENCE
from .process import Failed, Process, program


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
        return self.accepted + self["connections_adopted"] == self.open + sum(self.closed.values())

    def __str__(self):
        return f"{dict(self)} closed={dict(self.closed)}"


def host_port(text):
    if text.startswith("unix:"):
        return text
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Echod(Process):
    """An echod that listens. Addresses in .addrs ((host, port), or a text unix:PATH), the first of them in .addr, its
    port in .port; .backend and .workers are what it said."""

    LISTENING = r"^echod: listening on (.+?): (\w+), (\d+) workers?([^\n]*)\n"

    def __init__(self, options, env=None, prefix=(), stdout=None, pass_fds=()):
        super().__init__([*prefix, *program("echod"), *options], env, stdout=stdout, pass_fds=pass_fds)
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
        self.addr = self.addrs[0]
        self.port = None if isinstance(self.addr, str) else self.addr[1]
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
