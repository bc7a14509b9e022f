# SPDX-License-Identifier: MIT
"""echod, as it is run when a signal comes before the n-th call of the thread that runs main: while it starts, stops, reads
its configuration again, hands over, and takes over. It carries on and serves, or it has ended as the signal means; nobody
is lost who need not be, and nothing is left."""
import contextlib
import os
import re
import signal
import socket
import struct
import threading
import time
from types import SimpleNamespace

from echolab import ENVIRONMENT, OK, PATIENCE, Echod, Failed, Process, program, slow, stat_fields
from echolab.echod import Counters
from nthclient import MORE, Client
from nthlab import NOTHING, PRELOAD, Fault, Scenario

LOG_LEN, ASKED_AT, STEPS_AT = 64, 63, 56  # as in tests/preload/fault_signal.h
BEFORE_IT_READS = 10  # calls: its name, its streams, and the signals that it found
DEBT = 60_000  # bytes that somebody has sent and not read: more than the sockets hold
ENDS, REQUESTS, KILLS = {"TERM", "INT"}, {"HUP", "USR1", "USR2"}, {"ALRM", "QUIT"}


def number(fault):
    return signal.Signals[f"SIG{fault.what}"]


class Interrupted(Scenario):
    program, calls, backend = "echod", ["main"], "epoll"

    def prepare(self):
        pid, self.steps = os.getpid(), 0
        with socket.create_server((f"127.{100 + pid // 65536 % 100}.{pid // 256 % 256}.{pid % 256}", 0)) as free:
            self.at = free.getsockname()

    def options(self):
        return ["--listen", "{}:{}".format(*self.at), "--listen", f"unix:{self.work}/listen", "--backend", self.backend,
                "--shutdown", "drain 20s", "--takeover", f"unix:{self.work}/takeover",
                *([] if self.backend == "fork" else ["--workers", "2"])]

    def once(self, fault):
        self.clients, self.processes = [], []
        happened, made = super().once(fault)
        self.steps = max(self.steps, struct.unpack_from("=I", self.log.read_bytes(), STEPS_AT)[0])
        return happened, made

    def make(self, fault):
        self.log.write_bytes(bytes(LOG_LEN))
        try:
            return SimpleNamespace(descriptors=self.script(fault))
        except OSError as e:
            raise Failed(f"{e!r}: {self.said()}") from e
        except Failed as e:
            raise Failed(f"{e}\nat {self.hit()}: {self.said()}") from None
        finally:
            for client in self.clients:
                client.sock.close()
            for process in self.processes:
                process.end()

    def script(self, fault):
        """The run and its judgement. Returns how many descriptors there were, None: nobody could count them."""
        raise NotImplementedError

    def said(self):
        return "\n".join(process.said() for process in self.processes)

    # --- steps of scripts ---

    def start(self, fault=None):
        """An echod, to which a fault may happen."""
        env = {"LD_PRELOAD": PRELOAD, "ECHOLAB_SNDBUF": 16384}
        if fault:
            fault = Fault("main", "CONT", 0) if fault is NOTHING else fault
            env |= fault.environment(self.log, "echod") | {"ECHOLAB_FAULT_FROM": "asked"}
        process = Process([*program("echod"), *self.options()], env)
        self.processes.append(process)
        if fault and fault.what == "STOP":
            threading.Thread(target=self.wake, args=[process.pid], daemon=True).start()
        return process

    @staticmethod
    def wake(pid):
        """Whenever it stands still it goes on; until it has ended."""
        with contextlib.suppress(ChildProcessError):
            while os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED:
                os.waitid(os.P_PID, pid, os.WSTOPPED)
                os.kill(pid, signal.SIGCONT)

    def listening(self, process):
        if not self.says(process, Echod.LISTENING):
            raise Failed("it does not listen")

    def connect(self, at=None, debt=0):
        self.clients.append(Client(at or self.at, debt))
        return self.clients[-1]

    def owing(self, echod):
        """Somebody who is idle, and, where connections have no process each, somebody who reads nothing."""
        self.connect()
        if self.backend == "fork":
            return
        self.connect(debt=DEBT)
        until = time.monotonic() + slow(PATIENCE)
        while self.counters(echod).received < DEBT + len(MORE):
            if time.monotonic() > until:
                raise Failed("it does not receive all")

    def idle(self, echod):
        """It has begun to wait for what is next."""
        self.counters(echod)
        until = time.monotonic() + slow(PATIENCE)
        while not echod.sleeps():
            if time.monotonic() > until:
                raise Failed("it does not become idle")
            time.sleep(0.001)  # nothing tells of a thread that waits

    def ask(self, yes=True):
        """From now on calls count, or do not."""
        with open(self.log, "r+b") as log:
            log.seek(ASKED_AT)
            log.write(bytes([yes]))

    @staticmethod
    def says(process, pattern, start=0, to="err"):
        """The match of what it says, None: it has ended. Its children may have the pipe still."""
        stream, until = getattr(process, to), time.monotonic() + slow(PATIENCE)
        while process.running():
            if found := stream.wait_for(pattern, 0.02, start):
                return found
            if time.monotonic() > until:
                raise Failed(f"it does not say {pattern}")
        stream.settle()
        return stream.wait_for(pattern, 0, start)

    def counters(self, echod):
        """Its answer to SIGUSR1, None: it has ended."""
        start = len(echod.out.data)
        echod.send_signal(signal.SIGUSR1)
        answer = self.says(echod, r"^# HELP.*?^# EOF$", start, "out")
        return answer and Counters(answer[0])

    def settle(self, echod):
        """Calls count until it waits again for what is next, if it lives."""
        self.counters(echod)
        self.ask(False)
        self.counters(echod)

    def hit(self):
        """(call, what becomes of the signal), (): no call was the n-th."""
        line, ended, _ = self.log.read_bytes()[:STEPS_AT].partition(b"\n")
        return tuple(line.decode().split()) if ended else ()

    def signal_is(self, fault, victim, begins=False):
        """What it means: "end", "kill", "HUP", "USR1", "USR2", None for nothing. What can be obeyed kills nobody but one that
        `begins` and has nothing yet, neither a request nor a listener."""
        hit = self.hit()
        if not hit:
            return None
        if fault.what in KILLS:
            return "kill"  # at once, or as soon as nothing holds it back
        if hit[1] == "default" and fault.what in ENDS | REQUESTS | {"PIPE"}:
            if not begins or "listening on" in victim.err.text or fault.what in REQUESTS and fault.n > BEFORE_IT_READS:
                raise Failed("it is killed, and could have obeyed")
            return "kill"
        return "end" if fault.what in ENDS else fault.what if fault.what in REQUESTS else None

    def exits(self, process, *codes):
        code = process.wait()
        if code not in codes:
            raise Failed(f"exit code {code}, not {codes}")
        return code

    def killed(self, process, fault):
        """By the signal; whoever starts then finds nothing in the way."""
        self.exits(process, -number(fault))
        self.let_go()
        again = self.start()
        self.listening(again)
        self.connect()
        self.let_go()
        self.exits_clean(again)

    def let_go(self):
        for client in self.clients:
            client.sock.close()
        self.clients = []

    def exits_clean(self, process):
        process.send_signal(signal.SIGTERM)
        self.exits(process, OK)
        self.nothing_left()

    def nothing_left(self, *but):
        left = {path.name for path in self.work.iterdir()} - {*but}
        if left:
            raise Failed(f"files are left: {left}")

    def served(self, *more):
        """Those who are connected, and newcomers."""
        for client in (*self.clients, self.connect(), *map(self.connect, more)):
            if client.outcome() != "served":
                raise Failed("somebody is not served any more")

    def descriptors(self, process, more=0):
        """How many there are, which are as many as in a run without a signal."""
        want = self.expected and self.expected.descriptors
        until = time.monotonic() + slow(PATIENCE)
        while (got := process.descriptors()) != want and want is not None:
            if time.monotonic() > until:
                raise Failed(f"{got} descriptors, not {want}")
            time.sleep(0.002)  # nothing tells of those of connections that end
        return got

    def successor(self, *sayers):
        """Who was started by SIGUSR2, and serves now. Those who say so end."""
        pid = 0
        for sayer in sayers:
            for found in re.finditer(r"SIGUSR2: process (\d+) is to take over", sayer.err.text):
                pid = int(found[1])
        if not pid:
            return None
        until = time.monotonic() + slow(PATIENCE)
        while not any(f"process {pid} has taken over" in sayer.err.text for sayer in sayers):
            if time.monotonic() > until:
                raise Failed("the successor does not take over")
            time.sleep(0.002)  # one of several streams: no event tells of all
        return pid

    def successor_ends(self, pid):
        os.kill(pid, signal.SIGTERM)
        code = self.reap(pid)
        if code != OK:
            raise Failed(f"the successor ends with {code}")
        self.nothing_left()

    @staticmethod
    def reap(pid):
        """The exit code of one whose parent ends, so that we adopt it. OK: that one has waited for it."""
        until = time.monotonic() + slow(PATIENCE)
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    return os.waitstatus_to_exitcode(status)
            if not stat_fields(pid):
                return OK
            time.sleep(0.002)  # we have no descriptor of it
        raise Failed(f"process {pid} does not end")

    def hands_over(self, echod):
        """A successor of SIGUSR2 serves instead, and `echod` has ended."""
        if not self.says(echod, r"SIGUSR2: process \d+ is to take over"):
            raise Failed("SIGUSR2 is not obeyed")
        pid = self.successor(echod)
        self.served()
        self.let_go()
        self.exits(echod, OK)
        self.served()
        self.let_go()
        self.successor_ends(pid)


class Starts(Interrupted):
    """From its first call until it has answered somebody."""

    def script(self, fault):
        self.ask()
        echod = self.start(fault)
        listens = self.says(echod, Echod.LISTENING)
        if listens:
            self.settle(echod)
        what = self.signal_is(fault, echod, begins=True)
        if what == "kill":
            if fault.what not in KILLS:
                self.nothing_left()
            self.killed(echod, fault)
        elif what == "end":
            self.exits(echod, OK)
            self.nothing_left()
        elif what == "USR2":
            self.hands_over(echod)
        else:
            if what == "HUP" and not self.says(echod, r"SIGHUP: [^\n]*\n"):
                raise Failed("SIGHUP is not answered")
            self.served(f"{self.work}/listen")
            count = self.descriptors(echod)
            self.let_go()
            self.exits_clean(echod)
            return count
        return None


class Stops(Interrupted):
    """From SIGTERM until it has ended; somebody is owed more than was sent."""

    def script(self, fault):
        echod = self.start(fault)
        self.listening(echod)
        self.owing(echod)
        self.idle(echod)
        self.ask()
        echod.send_signal(signal.SIGTERM)
        clients, self.clients = self.clients, []
        ends = [client.last(echod) for client in clients]
        code = echod.wait()
        what = self.signal_is(fault, echod)
        allowed = {"kill": [-number(fault)], "end": [OK, 128 + signal.SIGTERM, 128 + number(fault)]}.get(what, [OK]) if what else [OK]
        if code not in allowed:
            raise Failed(f"exit code {code}, not {allowed}")
        for client, (got, how) in zip(clients, ends):
            whole = got == client.owed and how == "eof"
            if got != client.owed[:len(got)] or not whole and (code == OK or code > OK and how == "eof"):
                raise Failed(f"{len(got)} of {len(client.owed)} bytes have come back, then {how}")
        if what == "kill":
            self.killed(echod, fault)
        else:
            if what != "USR2" or not self.starts_afresh(echod):
                self.nothing_left()
            last = Counters("# HELP " + echod.out.text.rpartition("# HELP echod_connections_accepted_total")[2])
            if code == OK and (not last.balanced() or last.open):
                raise Failed(f"its books do not balance: {last}")


    def starts_afresh(self, echod):
        """Who was asked to take over before it was told to stop has found nobody, or was refused. Returns whether there
        was such a one."""
        asked = re.search(r"SIGUSR2: process (\d+) is to take over\n", echod.err.text)
        if not asked:
            return False
        found = echod.err.wait_for(Echod.LISTENING + "|(cannot take over)", start=asked.end())
        if not found:
            raise Failed("whoever was to take over neither serves nor says why")
        if not found[-1]:
            self.served()
            self.let_go()
            os.kill(int(asked[1]), signal.SIGTERM)
        code = self.reap(int(asked[1]))
        if code != (ENVIRONMENT if found[-1] else OK):
            raise Failed(f"whoever was to take over ends with {code}")
        self.nothing_left()
        return True


class Reloads(Interrupted):
    """From SIGHUP until it is answered: a unix socket goes, one comes, the path of takeovers is another."""

    def options(self):
        return ["-f", str(self.folder / "echod.conf")]

    def write(self, listen, takeover, conns):
        lines = ["listen = {}:{}".format(*self.at), f"listen = unix:{self.work}/{listen}",
                 f"takeover = unix:{self.work}/{takeover}", f"max_conns = {conns}", f"backend = {self.backend}", "shutdown = drain 20s",
                 *([] if self.backend == "fork" else ["workers = 2"])]
        (self.folder / "echod.conf").write_text("\n".join(["[server]", *lines, ""]))

    def script(self, fault):
        self.write("old", "takeover", 100)
        echod = self.start(fault)
        self.listening(echod)
        self.connect()
        self.connect(f"{self.work}/old")
        self.write("new", "next", 50)
        self.idle(echod)
        self.ask()
        echod.send_signal(signal.SIGHUP)
        answer = self.says(echod, r"SIGHUP: [^\n]*\n")
        if answer:
            self.settle(echod)
        what = self.signal_is(fault, echod)
        if what == "kill":
            self.exits(echod, -number(fault))
            for path in self.work.iterdir():  # some of them are nobody's who starts now
                if path.name in ("old", "takeover"):
                    path.unlink()
            self.killed(echod, fault)
            return None
        if not answer or "SIGHUP: now " not in echod.err.text and what != "end":
            raise Failed("SIGHUP is not obeyed")
        if what == "end":
            for client in self.clients:
                if client.last(echod) != (b"", "eof"):
                    raise Failed("somebody is reset")
            self.exits(echod, OK)
            self.nothing_left()
            return None
        if {path.name for path in self.work.iterdir()} != {"new", "next"}:
            raise Failed(f"it does not have what it should have: {[*self.work.iterdir()]}")
        if what == "USR2":
            self.hands_over(echod)
            return None
        self.served(f"{self.work}/new")
        count = self.descriptors(echod)
        self.let_go()
        self.exits_clean(echod)
        return count


class TakesOver(Interrupted):
    """From the first call of a successor until it serves alone."""
    giver = False  # whether the signals come to the one whom it takes over from

    def script(self, fault):
        old = self.start(fault if self.giver else None)
        self.listening(old)
        self.owing(old)
        self.idle(old)
        self.ask()
        new = self.start(None if self.giver else fault)
        took = bool(self.says(new, r"took over: |error: cannot take over") and "took over: " in new.err.text)
        outcomes = {client.outcome() for client in self.clients}
        victim, other = (old, new) if self.giver else (new, old)
        if not self.giver:
            self.settle(new)
        self.let_go()
        if took:
            old.wait()  # its last calls count
        what = self.signal_is(fault, victim, begins=not self.giver)
        self.judge(what, outcomes, fault)
        pid = self.successor(old, new) if what == "USR2" and self.says(victim, r"SIGUSR2: [^\n]*\n") else None
        if pid:
            self.exits(old, OK)
            self.exits(new, OK)
            self.served()
            self.let_go()
            self.successor_ends(pid)
            return None
        if what == "kill":
            self.exits(victim, -number(fault))
        elif what == "end":
            self.exits(victim, OK, *([] if took or self.giver else [ENVIRONMENT]))
        gone = [victim] if what in ("kill", "end") else []
        if took:
            self.exits(old, -number(fault) if old in gone and what == "kill" else OK)
        elif new not in gone:
            self.exits(new, ENVIRONMENT)
        serving = new if took else old
        if not took and what not in ("kill", "end"):
            raise Failed("nobody takes over")
        if serving in gone or "has taken over" in old.err.text and not took:
            self.nobody_serves()
            return None
        self.served()
        count = self.descriptors(serving) if took and what is None else None
        self.let_go()
        self.exits_clean(serving)
        return count

    def judge(self, what, outcomes, fault):
        """Whether nobody was lost who need not be."""
        allowed = {"served"}
        if what == "end":
            allowed |= {"ended"}
        elif what == "kill" and (self.giver or fault.what in KILLS):
            allowed |= {"ended", "cut"}
        if outcomes - allowed:
            raise Failed(f"somebody is {outcomes - allowed}")

    def nobody_serves(self):
        for process in self.processes:
            process.wait()
        with contextlib.suppress(ConnectionError):  # a ring's listeners live on for a moment
            if self.connect().outcome() == "served":
                raise Failed("somebody serves still")


class HandsOver(TakesOver):
    """From the start of a successor until the one that has served has ended."""
    giver = True


def interrupted(kind, what, backend):
    return type(f"{kind.__name__} {backend}", (kind,), {"name": f"signal-{what}-{backend}", "what": what,
                                                             "backend": backend})


KINDS = {"start": Starts, "stop": Stops, "reload": Reloads, "takeover": TakesOver, "handover": HandsOver}
INTERRUPTED = [interrupted(kind, what, backend) for what, kind in KINDS.items() for backend in ("epoll", "io_uring", "fork")]
