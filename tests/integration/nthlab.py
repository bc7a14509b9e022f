# SPDX-License-Identifier: MIT
"""Runs of programs in which the n-th call of a function fails, and what must be true of each: the exit code is the right
one, and its words are there; or the program carries on, and nothing that it made differs from a run in which
nothing failed. It does not crash, hang, leak, or leave half a file under a name.

    scenario = SCENARIOS["merge"]()         # of nthkinds: made once, with the files that it reads
    scenario.run(Fault("malloc", errno.ENOMEM, 3))      # whether it happened; Failed says what was wrong
"""
import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from echolab import BIN, PATIENCE, ROOT, Failed, descendants, stat_fields
from echolab.process import end_descendants

PRELOAD = BIN / "preload" / "fault.so"


class Fault:
    """`what` happens at the n-th call, or at all that can be divided by n if `each`. "disk": files of the program end at
    n bytes, those of what it starts do not. "main": a signal comes before any call of the thread that runs main, the n-th."""

    def __init__(self, call, what, n, each=False):
        self.call, self.what, self.n, self.each = call, what, n, each

    def __str__(self):
        return f"{self.call} {errno.errorcode.get(self.what, self.what)} {'/' if self.each else ''}{self.n}"

    def environment(self, log, only):
        """What fault.so wants to know."""
        what = f"signal{signal.Signals[f'SIG{self.what}'].value}" if self.call == "main" else self.what
        return {"ECHOLAB_FAULT": f"{self.call}:{'/' if self.each else ''}{self.n}:{what}",
                "ECHOLAB_FAULT_IN": only, "ECHOLAB_FAULT_LOG": log, "ECHOLAB_FAULT_TRACE": f"{log}.trace", "LD_PRELOAD": PRELOAD,
                "LSAN_OPTIONS": f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0"}


NOTHING = Fault("nothing", 0, 0)
# errnos that each call can plausibly have
ERRNOS = {
    "malloc": ["ENOMEM"], "mmap": ["ENOMEM"], "fopen": ["EMFILE", "EACCES"], "open": ["EMFILE", "EACCES"],
    "fdopen": ["ENOMEM"], "tmpfile": ["ENOSPC"], "open_memstream": ["ENOMEM"], "opendir": ["EMFILE"],
    "fflush": ["ENOSPC", "EIO"], "fclose": ["EIO", "ENOSPC"], "close": ["EIO", "EINTR"],
    "rename": ["EACCES", "ENOSPC"], "disk": ["EFBIG"], "write_file": ["EINTR", "ENOSPC", "short"],
    "socket": ["EMFILE", "ENOBUFS"], "connect": ["EINTR", "EADDRNOTAVAIL", "ENETUNREACH", "EAGAIN"],
    "bind": ["EADDRINUSE"], "listen": ["EADDRINUSE"], "getsockopt": ["ENOBUFS", "ENOPROTOOPT"],
    "getsockname": ["ENOBUFS"], "setsockopt": ["ENOPROTOOPT", "ENOBUFS"], "socketpair": ["EMFILE"],
    "pthread_create": ["EAGAIN"], "fork": ["EAGAIN", "ENOMEM"], "waitpid": ["EINTR"], "pipe2": ["EMFILE"],
    "poll": ["EINTR", "ENOMEM"], "ppoll": ["EINTR", "ENOMEM"], "eventfd": ["EMFILE"], "signalfd": ["EMFILE"],
    "epoll_create1": ["EMFILE"], "epoll_ctl": ["ENOMEM", "ENOSPC"], "epoll_wait": ["EINTR"],
    "recv": ["EINTR", "short", "ECONNRESET", "ENOMEM"], "send": ["EINTR", "short", "EPIPE", "ENOBUFS"],
    "read": ["EINTR", "short", "ECONNRESET"], "write": ["EINTR", "short", "EPIPE"],
    "sendmsg": ["EINTR", "ENOMEM", "EPIPE"], "recvmsg": ["EINTR", "ENOMEM"],
    "io_uring_queue_init_params": ["ENOMEM", "EPERM", "EMFILE"], "io_uring_register_buf_ring": ["ENOMEM"],
    "io_uring_register_files_sparse": ["ENOMEM", "EMFILE"], "io_uring_register_files_update": ["ENOMEM"],
    "io_uring_submit": ["EAGAIN", "EBUSY", "EINTR"], "io_uring_submit_and_wait": ["EAGAIN", "EBUSY", "EINTR"],
    "io_uring_submit_and_get_events": ["EAGAIN", "EBUSY", "EINTR"],
    "io_uring_submit_and_wait_timeout": ["EAGAIN", "EBUSY", "EINTR"],
    "sqe_recv": ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS", "ECANCELED", "EBADF", "ECONNRESET", "short", "once"],
    "sqe_send": ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS", "ECANCELED", "EBADF", "EPIPE", "short"],
    "sqe_poll": ["EINTR", "EAGAIN", "ENOMEM", "ECANCELED", "EBADF"],
    "sqe_cancel": ["ENOENT", "EALREADY"],
    "sqe_accept": ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS", "EMFILE", "ECONNABORTED", "once"],
    "sqe_wake": ["EINTR", "EAGAIN", "ENOMEM", "ECANCELED"], "sqe_close": ["EINTR", "EIO"],
    # a signal comes before any call of the thread that runs main; after STOP comes CONT
    "main": ["HUP", "USR1", "USR2", "TERM", "INT", "QUIT", "PIPE", "CHLD", "ALRM", "WINCH", "URG", "CONT", "STOP"],
}
FILES = ["malloc", "fopen", "open", "fdopen", "open_memstream", "fflush", "fclose", "rename", "disk", "write_file",
         "close", "mmap", "poll"]
RING = [call for call in ERRNOS if call.startswith(("io_uring_", "sqe_"))]
SOCKETS = {"epoll": ["epoll_create1", "epoll_ctl", "epoll_wait", "recv", "send", "sendmsg"], "io_uring": RING,
           "fork": ["fork", "read", "write", "waitpid", "ppoll"]}
NETWORK = {"connect", "recv", "send", "sendmsg", "read", "write", "getsockopt", "setsockopt", "socket", "epoll_ctl",
           "io_uring_register_files_update", "sqe_recv", "sqe_send", "sqe_poll", "bind"}


class Scenario:
    """A kind of run. Each run has an empty folder, and is held against one in which nothing failed."""
    name = program = ""
    calls = FILES
    never = {}  # {call: [errno or word]}: what cannot happen to it

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="echolab-nth-"))
        self.work, self.log, self.trace = (self.folder / name for name in ("work", "log", "log.trace"))
        self.expected = None
        self.kept = ()  # pids that live on from run to run
        self.prepare()
        _, self.expected = self.once(NOTHING)

    def prepare(self):
        """What is needed once."""

    def ways(self):
        """[(call, errno or a word)]"""
        return [(call, getattr(errno, name, name)) for call in self.calls for name in ERRNOS[call]
                if name not in self.never.get(call, [])]

    def once(self, fault):
        """One run: whether it happened, and what was made."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.log.write_text("")
        self.trace.unlink(missing_ok=True)
        try:
            made = self.make(fault)
            left = self.left()
            if left:
                raise Failed(f"processes are left: {[Path(f'/proc/{p}/cmdline').read_bytes() for p in left]}")
            return self.happened(fault), made
        except Failed as e:
            raise Failed(f"{e}\n{self.where()}") from None
        finally:
            end_descendants(self.kept)

    def left(self):
        """Processes that do not end although the program has: its helpers end when they see that it has."""
        for _ in range(PATIENCE * 100):
            left = [p for p in descendants(os.getpid(), self.kept) if stat_fields(p)[:1] not in ([], ["Z"])]
            if not left:
                break
            time.sleep(0.01)  # orphans tell nobody of their end but who reaps them
        return left

    def happened(self, fault):
        if fault.call == "disk":
            return any(size > fault.n for size in self.expected.sizes)
        return self.log.read_bytes()[:1] not in (b"", b"\0")

    def where(self):
        """Who made the call that failed, the innermost first."""
        trace = self.trace.read_text() if self.trace.exists() else ""
        frames = re.findall(rf"{self.program}\(\+(0x[0-9a-f]+)\)", trace)
        if not frames:
            return trace
        return "at " + subprocess.run(["addr2line", "-fps", "-e", str(BIN / self.program), *frames],
                                      capture_output=True, text=True, check=True).stdout.replace("\n", "\n   ")

    def run(self, fault):
        return self.once(fault)[0]

    def close(self):
        end_descendants(())
        shutil.rmtree(self.folder)

    def make(self, fault):
        """The run and its judgement."""
        raise NotImplementedError

    def said_why(self, r, who=None):
        """It failed, and says so in whole lines, at least one of them an error."""
        lines = r.err.splitlines(keepends=True)
        who = who or self.program
        if not any(line.startswith(f"{who}: error: ") for line in lines) or not r.err.endswith("\n"):
            raise Failed(f"it does not say why: {r}")

    def no_halves(self, r):
        """What is there is whole, and nothing is there that was on its way."""
        for path in self.work.iterdir():
            if path.name not in self.expected.files:
                raise Failed(f"{path.name} is left: {r}")


class Made:
    """What a run made: its exit code, what it printed, its files, of which `same` leaves out what changes."""

    def __init__(self, r, folder, same):
        self.code, self.out = r.code, same(r.out)
        self.files = {p.name: same(p.read_bytes().decode(errors="replace")) for p in folder.iterdir()}
        self.sizes = [p.stat().st_size for p in folder.iterdir()]


# --- n, as it goes up ------------------------------------------------------------------------------------------

def numbers(call, every):
    """From 1 on: "all"; "most", which are all up to 40, and then less and less of them; "few". Or a list of them."""
    if isinstance(every, list):
        yield from every
        return
    n = 0 if call == "disk" else 1  # there it is the size that a file can have
    while True:
        yield n
        n += {"all": 1, "most": max(1, n // 20 if n >= 40 else 1), "few": max(1, n * 3 // 4)}[every] if call != "disk" \
            else max(1, n * (3 if every == "few" else 1))


def row(scenario, call, what, every="most", limit=600, most_wrong=10):
    """Until a run is clean, or time is up. Returns how many runs there were, and [(fault, what was wrong)]."""
    runs, wrong, until = 0, [], time.monotonic() + limit
    for n in numbers(call, every):
        fault, happened = Fault(call, what, n), True
        try:
            happened = scenario.run(fault)
        except Failed as e:
            wrong.append((fault, str(e)))
        if not happened or len(wrong) == most_wrong:
            break
        runs += 1
        if time.monotonic() > until:
            break
    return runs, wrong


@contextlib.contextmanager
def made(kind):
    """A scenario, which is closed at the end."""
    scenario = kind()
    try:
        yield scenario
    finally:
        scenario.close()
