# SPDX-License-Identifier: MIT
"""Commands that may take long: each runs for a limited time, its output goes to a file, and when it has ended nothing of
it is left, whatever sessions its processes have made. For tools that go on after one has failed.
"""
import ctypes
import os
import re
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
ENDING_S = 30  # to take away what they have made: namespaces, folders
LIMIT = re.compile(r"(\d+)(s|m|h)")
UNITS = {"s": 1, "m": 60, "h": 3600}
TIME_OVER, NOT_STARTED = "time over", "not started"


def seconds_of(limit):
    """90s, 10m, 2h; ValueError: it is none of these."""
    m = LIMIT.fullmatch(limit)
    if not m:
        raise ValueError(f"'{limit}' is no time: 90s, 10m, 2h")
    return int(m[1]) * UNITS[m[2]]


def clock(seconds):
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


def cut(text, width):
    return text if len(text) <= width else text[:width - 3] + "..."


def interruptible():
    """What is under way is ended when this process is told to end, too."""
    def stop(number, _):
        raise KeyboardInterrupt(number)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    # whoever loses its parent becomes a child of this process, and can be found
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def below(pid):
    """All processes below this one, which may be gone a moment later."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                for child in map(int, f.read().split()):
                    found += [child, *below(child)]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def no_child_is_left():
    """Of this process, who adopts those of its children; takes away those that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def end_all():
    """Ends what is below this process: asks first, kills then. What is another user's stays."""
    for number, patience in ((signal.SIGTERM, ENDING_S), (signal.SIGKILL, ENDING_S)):
        asked, until = set(), time.monotonic() + patience
        while time.monotonic() < until:
            for pid in set(below(os.getpid())) - asked:  # the kernel may leave out some while others end
                try:
                    os.kill(pid, number)
                except (ProcessLookupError, PermissionError):
                    pass
                asked.add(pid)
            if no_child_is_left():
                return
            time.sleep(0.02)


def said(log):
    """What a command has printed there."""
    return log.read_text(errors="replace") if log.is_file() else ""


def run(command, limit_s, log, cwd):
    """Runs it by sh. Returns how it ended and after how many seconds: its exit code, as sh would say it, TIME_OVER, or
    NOT_STARTED, of which the reason is printed."""
    # a make above this one: its jobs are not ours, and its idea of how slow programs are is not that of another variant
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("MAKE", "MFLAGS")) and (k, v) != ("ECHOLAB_SLOW", "1")}
    began, process = time.monotonic(), None
    try:  # a signal may come while it is started, too
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            process = subprocess.Popen(["sh", "-c", command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        code = process.wait(limit_s)
        return code if code >= 0 else 128 - code, time.monotonic() - began
    except subprocess.TimeoutExpired:
        return TIME_OVER, time.monotonic() - began
    except OSError as e:
        print(f"    cannot be run: {e}", flush=True)
        return NOT_STARTED, 0
    finally:
        end_all()
        if process:
            process.poll()  # reaped above, perhaps
