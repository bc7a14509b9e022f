# SPDX-License-Identifier: MIT
"""echod, as it is run when the n-th call fails, and how each run is judged."""
import http.client
import re
import signal
import socket
import time

from echolab import (ENVIRONMENT, OK, PATIENCE, USAGE, Echod, Failed, Process, half_close, pattern, program, recv_exactly,
                     recv_to_end, slow)
from echolab.echod import Counters, host_port
from echolab.process import Result
from nthlab import SOCKETS, Made, Scenario

OK_HTTP = 200


class Server(Scenario):
    """An echod with all that it can have. If it starts it serves, whatever has failed: who is new gets an answer within a
    few attempts, nobody is told that it was all when it was not, its counters balance, it ends well."""
    program, backend, attempts, names = "echod", "epoll", 4, None
    common = ["malloc", "mmap", "fopen", "open", "opendir", "fclose", "rename", "disk", "write_file", "socket", "bind",
              "listen", "getsockopt", "getsockname", "setsockopt", "pthread_create", "eventfd", "signalfd", "poll"]

    def options(self):
        return ["--listen", "127.0.0.1:0", "--backend", self.backend, "--shutdown", "drain 20s", "--metrics-listen",
                "127.0.0.1:0", "--metrics-file", str(self.work / "echod.prom"), "--keepalive", "9s/1s/3",
                *([] if self.backend == "fork" else ["--workers", "1"])]

    def make(self, fault):
        echod = Process([*fault.prefix(), *program("echod"), *self.options()], fault.environment(self.log, "echod"))
        try:
            listening = echod.err.wait_for(Echod.LISTENING)
            if listening:
                self.serves(echod, host_port(listening[1]), fault)
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
        except ConnectionError:
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


def server(backend):
    return type(f"Server {backend}", (Server,), {"name": f"serve-{backend}", "backend": backend,
                                                 "calls": Server.common + SOCKETS[backend]})


class Successor(Server):
    """One that takes over, in which something fails: it serves, or the other one does still; who was connected is served
    by either."""
    name = "takeover"
    calls = ["malloc", "mmap", "socket", "connect", "getsockopt", "setsockopt", "getsockname", "sendmsg", "recvmsg",
             "pthread_create", "epoll_ctl", "epoll_create1", "eventfd", "signalfd", "poll", "close"]

    def make(self, fault):
        options = ["--listen", "127.0.0.1:0", "--backend", "epoll", "--workers", "1", "--takeover",
                   f"unix:{self.folder}/takeover"]
        old = Echod(options)
        new = None
        try:
            with socket.create_connection(old.addr, slow(PATIENCE)) as held:
                self.echoes_on(held)
                new = Process([*program("echod"), *options], fault.environment(self.log, "echod"))
                new.err.wait_for(r"took over: |error: ")
                if "took over: " in new.err.text:
                    if old.wait() != OK:
                        raise Failed(f"{old.said()}")
                elif new.wait() != ENVIRONMENT:
                    raise Failed(f"a wrong exit code: {new.said()}")
                serving = new if "took over: " in new.err.text else old
                self.until(serving, "it echoes", lambda: self.echoes(old.addr))
                self.echoes_on(held)
            if serving.stop(signal.SIGTERM) != OK and not re.search(r"^echod: error: ", serving.err.text, re.M):
                raise Failed(f"no good end: {serving.said()}")
        except OSError as e:
            raise Failed(f"{e!r}: {old.said()}\n{new and new.said()}") from e
        finally:
            old.end()
            if new:
                new.end()
        return Made(Result(OK, "", ""), self.work, lambda text: "")

    @staticmethod
    def echoes_on(sock):
        sock.settimeout(slow(PATIENCE))
        sock.sendall(b"held")
        if recv_exactly(sock, 4) != b"held":
            raise ConnectionResetError("who was connected is not served")
