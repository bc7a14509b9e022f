# SPDX-License-Identifier: MIT
"""The system calls of a program."""
import collections
import functools
import re
import signal
import subprocess
import sys
import tempfile

from .process import Failed, Process


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
