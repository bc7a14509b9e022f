# SPDX-License-Identifier: MIT
"""echod, as it is run when the n-th call fails, and how each run is judged."""
import errno
import http.client
import os
import re
import signal
import socket
import time
from pathlib import Path

from echolab import (ENVIRONMENT, OK, PATIENCE, USAGE, Echod, Failed, Process, half_close, pattern, program, recv_exactly,
                     recv_to_end, slow)
from echolab.echod import Counters, host_port
from echolab.process import Result
from nthlab import SOCKETS, Made, Scenario

OK_HTTP = 200
LISTENS = "0A"  # in /proc/net/tcp
PACKETS = ["recv", "send", "recvmsg", "sendmsg"]  # of echod and its helper too, and of whoever shows metrics


class Server(Scenario):
    """An echod with all that it can have. If it starts it serves, whatever has failed: who is new gets an answer within a
    few attempts, nobody is told that it was all when it was not, its counters balance, it ends well."""
    program, backend, attempts, names = "echod", "epoll", 4, None
    common = ["malloc", "mmap", "fopen", "open", "opendir", "fclose", "rename", "disk", "write_file", "socket", "bind",
              "listen", "getsockopt", "getsockname", "setsockopt", "pthread_create", "eventfd", "signalfd", "poll", *PACKETS]

    def options(self):
        return ["--listen", "127.0.0.1:0", "--backend", self.backend, "--shutdown", "drain 20s", "--metrics-listen",
                "127.0.0.1:0", "--metrics-file", str(self.work / "echod.prom"), "--keepalive", "9s/1s/3",
                *([] if self.backend == "fork" else ["--workers", "1"])]

    def make(self, fault):
        echod = Process([*program("echod"), *self.options()], fault.environment(self.log, "echod"))
        try:
            listening = echod.err.wait_for(self.ready(fault))
            if listening:
                self.serves(echod, host_port(listening[1]) if listening[1] else listens(echod), fault)
            elif echod.wait() not in (ENVIRONMENT, *([USAGE] if fault.call in ("fopen", "open") else [])):
                raise Failed(f"a wrong exit code: {echod.said()}")
            elif not re.search(r"^echod: error: .*\n\Z", echod.err.text, re.M):
                raise Failed(f"it does not say why: {echod.said()}")
            metrics = self.work / "echod.prom"
            if metrics.exists() and not self.all_metrics(metrics.read_text()):
                raise Failed(f"half of the metrics is left: {metrics.read_text()[-300:]}")
        except OSError as e:
            raise Failed(f"{e!r}: {echod.said()}") from e
        finally:
            echod.end()
        return Made(Result(OK, "", ""), self.work, lambda text: "")

    @staticmethod
    def ready(fault):
        """What it says when it serves. A line that cannot be written is lost: the next one tells, too."""
        return Echod.LISTENING + (r"|metrics at (?=\S+\n)()" if fault.call == "write_file" else "")

    def serves(self, echod, at, fault):
        self.until(echod, "it echoes", lambda: self.echoes(at))
        self.until(echod, "it echoes again", lambda: self.echoes(at))
        metrics = re.search(r"metrics at http://(\S+):(\d+)/", echod.err.text)
        if metrics:
            self.until(echod, "metrics are shown", lambda: self.metrics((metrics[1], int(metrics[2]))))
        self.until(echod, "SIGHUP is answered", lambda: self.answers(echod, signal.SIGHUP, r"SIGHUP: "))
        self.until(echod, "SIGUSR1 is answered", lambda: self.answers(echod, signal.SIGUSR1, r"standard output"))
        code = echod.stop(signal.SIGTERM)
        last = Counters("# HELP echod_connections_accepted_total" + echod.out.text.rpartition(
            "# HELP echod_connections_accepted_total")[2]) if echod.out.text.endswith("# EOF\n") else None
        if code == ENVIRONMENT and re.search(r"^echod: error: ", echod.err.text, re.M):
            return
        if code != OK or not last or not last.balanced() or last.open:
            raise Failed(f"no good end: {code}, {last}: {echod.said()}")

    def until(self, echod, what, act):
        """A few attempts: what failed once must work then."""
        for _ in range(self.attempts):
            if act():
                return
        raise Failed(f"not in {self.attempts} attempts: {what}: {echod.said()}")

    def answers(self, echod, number, words):
        """A signal: with all counters, or by words that say why not."""
        out, err = len(echod.out.data), len(echod.err.data)
        echod.send_signal(number)
        until = time.monotonic() + slow(PATIENCE)
        while time.monotonic() < until:
            if re.search(words, echod.err.text[err:]) or echod.out.text[out:].endswith("# EOF\n"):
                return True
            time.sleep(0.002)  # either of two streams: no event tells of both
        raise Failed(f"signal {number} is not answered: {echod.said()}")

    @staticmethod
    def echoes(at):
        """Whether all came back; what does not ends in a reset, unless nothing came at all."""
        data, got = pattern(3000), b""
        try:
            with socket.create_connection(at, slow(PATIENCE)) as sock:
                sock.sendall(data)
                half_close(sock)
                got, how = recv_to_end(sock)
        except OSError as e:  # shutdown of what was reset says ENOTCONN
            if not isinstance(e, ConnectionError) and e.errno != errno.ENOTCONN:
                raise
            return False
        if got != data[:len(got)] or got and how == "eof" and got != data:
            raise Failed(f"{len(got)} bytes of {len(data)} came back, and then {how}")
        return got == data

    def metrics(self, at):
        connection = http.client.HTTPConnection(*at, timeout=slow(PATIENCE))
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read().decode()
        except (ConnectionError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if answer.status == OK_HTTP and not self.all_metrics(text):
            raise Failed(f"half of the metrics: {text[-300:]}")
        return answer.status == OK_HTTP

    def all_metrics(self, text):
        """Whether they are those of the run in which nothing failed. What /proc says may be missing."""
        names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE echod_")}
        self.names = self.names or names
        return text.endswith("\n") and names == self.names


def listens(echod):
    """Where it serves, when it could not say so: all that it listens on but what shows metrics."""
    metrics = int(re.search(r"metrics at http://\S+:(\d+)/", echod.err.text)[1])
    files = [os.readlink(f"/proc/{echod.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{echod.pid}/fd")]
    lines = [line.split() for line in Path(f"/proc/{echod.pid}/net/tcp").read_text().splitlines()[1:]]
    port, = {int(line[1].partition(":")[2], 16) for line in lines
             if line[3] == LISTENS and f"socket:[{line[9]}]" in files} - {metrics}
    return "127.0.0.1", port


def server(backend):
    calls = list(dict.fromkeys(Server.common + SOCKETS[backend]))
    return type(f"Server {backend}", (Server,), {"name": f"serve-{backend}", "backend": backend, "calls": calls})


class ServerWithFullRing(Server):
    """One whose queue of completions is always too small: they wait in the kernel."""
    name, backend = "serve-overflow", "io_uring"
    calls = SOCKETS["io_uring"]

    def options(self):
        return [*super().options(), "--io_uring-cq-entries", "2"]


class Successor(Server):
    """One that takes over, in which something fails: it serves, or the other one does still; who was connected is served
    by either. Only one whose own call has failed is reset, and counted as that."""
    name = "takeover"
    taking = ["malloc", "mmap", "socket", "connect", "getsockopt", "setsockopt", "getsockname", *PACKETS, "pthread_create",
              "eventfd", "signalfd", "poll", "close"]
    calls = [*taking, "epoll_ctl", "epoll_create1"]
    never = {"sendmsg": ["EPIPE"]}  # who is spoken to lives
    ending = ["epoll_ctl", "recv", "send", "sqe_recv", "sqe_send"]

    def make(self, fault):
        options = ["--listen", "127.0.0.1:0", "--backend", self.backend, "--workers", "1", "--takeover",
                   f"unix:{self.folder}/takeover"]
        old = Echod(options)
        new = None
        try:
            with socket.create_connection(old.addr, slow(PATIENCE)) as held:
                self.echoes_on(held)
                new = Process([*program("echod"), *options], fault.environment(self.log, "echod"))
                serving, other = self.taken(old, new)
                self.until(serving, "it echoes", lambda: self.echoes(old.addr))
                reset = self.is_reset(held, fault)
            if other and other.wait() != (OK if other is old else ENVIRONMENT):
                raise Failed(f"a wrong exit code: {other.said()}")
            if serving.stop(signal.SIGTERM) != OK and not re.search(r"^echod: error: ", serving.err.text, re.M):
                raise Failed(f"no good end: {serving.said()}")
            if reset and not re.search(r'closed_total.*cause="(local_limit|reset|broken_pipe|other)"} 1$', new.out.text, re.M):
                raise Failed(f"who was connected is not served, and not counted: {new.said()}")
        except OSError as e:
            raise Failed(f"{e!r}: {old.said()}\n{new and new.said()}") from e
        finally:
            old.end()
            if new:
                new.end()
        return Made(Result(OK, "", ""), self.work, lambda text: "")

    @staticmethod
    def taken(old, new):
        """Who serves new ones now, and the other one if that has the connection, for as long as it goes on."""
        new.err.wait_for(r"took over: |error: ")
        if "took over: " not in new.err.text:
            if new.err.wait_for(r"this process's already stay here"):
                return old, new
            if new.wait() != ENVIRONMENT:
                raise Failed(f"a wrong exit code: {new.said()}")
            return old, None
        said = old.err.wait_for(r"has taken over: \d connections moved, (\d) stay here")
        if not said:
            raise Failed(f"two serve: {old.said()}\n{new.said()}")
        if said[1] != "0":
            return new, old
        if old.wait() != OK:
            raise Failed(f"no good end: {old.said()}")
        return new, None

    def is_reset(self, held, fault):
        """Whether who was connected is not served any more: only if that may be."""
        try:
            self.echoes_on(held)
        except ConnectionResetError:
            if fault.call not in self.ending:
                raise
            return True
        return False

    @staticmethod
    def echoes_on(sock):
        sock.settimeout(slow(PATIENCE))
        sock.sendall(b"held")
        if recv_exactly(sock, 4) != b"held":
            raise Failed("who was connected is told that it was all")


class SuccessorByRing(Successor):
    name, backend = "takeover-io_uring", "io_uring"
    calls = [*Successor.taking, *SOCKETS["io_uring"]]
