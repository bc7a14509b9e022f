# SPDX-License-Identifier: MIT
"""A supervisor as systemd is one, spoken by a test: it passes listeners, and hears what it is told."""
import os
import re
import select
import socket
import sys
import time

from echolab import PATIENCE, TestCase, slow

# puts descriptors where LISTEN_FDS wants them, says whom they are for, and becomes the program
PASS = """
import fcntl, os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[1].split(",") if fd]
fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for n, fd in enumerate(fds):
    os.dup2(fd, 3 + n)
if "LISTEN_PID" not in os.environ:
    os.environ["LISTEN_PID"] = str(os.getpid())
os.closerange(3 + len(fds), 200)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """Hears datagrams at a path or an abstract name."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + address[1:] if address[0] == "@" else address)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.address, self.said = address, []  # (time, pid, {key: value})

    def hear(self, timeout):
        """One datagram, or None."""
        if not select.select([self.sock], [], [], timeout)[0]:
            return None
        data, rights, _, _ = self.sock.recvmsg(65536, 1024)
        pid = next(int.from_bytes(d[:4], sys.byteorder) for _, kind, d in rights if kind == socket.SCM_CREDENTIALS)
        pairs = dict(line.split("=", 1) for line in data.decode().split("\n"))
        self.said.append((time.monotonic(), pid, pairs))
        return self.said[-1]

    def wait_for(self, key, value=r".*", timeout=PATIENCE):
        """The next datagram that has this: (time, pid, pairs)."""
        end = time.monotonic() + slow(timeout)
        while True:
            it = self.hear(max(0, end - time.monotonic()))
            if it is None:
                raise AssertionError(f"nobody said {key}={value}; {self.said}")
            if re.fullmatch(value, it[2].get(key, "\0")):
                return it

    def all_said(self, key):
        """What has come, with that of it which has this key."""
        while self.hear(0):
            pass
        return [it for it in self.said if key in it[2]]

    def close(self):
        self.sock.close()


class SupervisorCase(TestCase):
    def supervisor(self, address):
        it = Supervisor(address)
        self.addCleanup(it.close)
        return it

    def passed(self, fds, names=None, env=None, **options):
        """An echod that these listeners (sockets or descriptors) are passed to."""
        return self.echod(**self.passing(fds, names, env), **options)

    def passing(self, fds, names=None, env=None):
        fds = [fd if isinstance(fd, int) else fd.fileno() for fd in fds]
        env = {"LISTEN_FDS": str(len(fds)), **({"LISTEN_FDNAMES": names} if names else {}), **(env or {})}
        prefix = [sys.executable, "-IS", "-c", PASS, ",".join(map(str, fds))]
        return {"env": env, "prefix": prefix, "pass_fds": fds}

    def tcp(self, host="127.0.0.1", port=0, reuse=False, backlog=100):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, reuse_port=reuse, backlog=backlog)
        sock.setblocking(False)
        self.addCleanup(sock.close)
        return sock

    def unix(self, path, kind=socket.SOCK_STREAM):
        sock = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(sock.close)
        sock.setblocking(False)
        sock.bind(path)
        if kind != socket.SOCK_DGRAM:
            sock.listen(100)
        return sock
