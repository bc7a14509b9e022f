# SPDX-License-Identifier: MIT
"""What tests of takeovers share: an echod with a successor, and either end of their conversation spoken by the test."""
import array
import os
import signal
import socket
import struct
import time

from echolab import OK, PATIENCE, Echod, offered, pattern, slow
from loadlab import LoadCase

# the protocol (src/echod/takeover/message.h)
MAGIC, VERSION = 0x6563746b, 3
HELLO, LISTENERS, READY, GO, SERVING, CONNS, KEPT, DONE, TAKEN, REFUSE, COMMIT = range(1, 12)
HEAD = struct.Struct("=IHHII")
ADDR_TEXT = 116


def backends():
    """Names of those that this kernel runs."""
    return [name for name, why in offered().items() if not why]


def movable():
    """Those whose connections can change processes."""
    return [name for name in backends() if name != "fork"]


class Talk:
    """One end of the conversation of two echods, spoken by a test."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(slow(PATIENCE))

    @classmethod
    def to(cls, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(str(path))
        return cls(sock)

    def send(self, kind, body=b"", fds=(), version=VERSION, magic=MAGIC, length=None):
        head = HEAD.pack(magic, version, kind, HEAD.size + len(body) if length is None else length, 0)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([head, body], rights)

    def receive(self, *kinds):
        """(type, body, descriptors); None: the other side has closed."""
        try:
            data, rights, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(253 * 4))
        except ConnectionResetError:  # said once, where it has not read all; what it sent comes after
            data, rights, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(253 * 4))
        if not data:
            return None
        fds = array.array("i")
        for _, _, part in rights:
            fds.frombytes(part)
        magic, _, kind, length, _ = HEAD.unpack_from(data)
        assert (magic, length) == (MAGIC, len(data))
        assert not kinds or kind in kinds, (kind, data[HEAD.size:])
        return kind, data[HEAD.size:], list(fds)

    def refusal(self):
        """What REFUSE says."""
        return self.receive(REFUSE)[1].rstrip(b"\0").decode()

    def listeners(self):
        """HELLO, and what it answers: descriptors of all listeners."""
        self.send(HELLO, struct.pack("=I", 1))
        fds, total = [], 1
        while len(fds) < total:
            _, body, more = self.receive(LISTENERS)
            total = struct.unpack_from("=I", body)[0]
            fds += more
        return fds

    def ready(self, count):
        self.send(READY, struct.pack("=I", count) + b"\1" * count)
        self.receive(GO)

    def close(self, fds=()):
        for fd in fds:
            os.close(fd)
        self.sock.close()


class Old:
    """The side that serves, spoken by a test: with a listener, and a connection that it has accepted."""

    def __init__(self, path):
        self.path = path
        self.at = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.at.settimeout(slow(PATIENCE))
        self.at.bind(str(path))
        self.at.listen()
        self.listener = socket.create_server(("127.0.0.1", 0), reuse_port=True)
        self.port = self.listener.getsockname()[1]
        self.client = socket.create_connection(("127.0.0.1", self.port), slow(PATIENCE))
        self.conn = self.listener.accept()[0]
        self.conn.settimeout(slow(PATIENCE))
        self.talk = None

    def go(self):
        """Up to READY, which is answered by the caller."""
        self.talk = Talk(self.at.accept()[0])
        self.talk.receive(HELLO)
        asked = f"127.0.0.1:{self.port}".encode().ljust(ADDR_TEXT, b"\0")
        self.talk.send(LISTENERS, struct.pack("=IIII", 1, 0, 1, 0) + asked, [self.listener.fileno()])
        self.talk.receive(READY)

    def batch(self, times=1):
        """Offers the connection, after SERVING, so many times."""
        owed = os.memfd_create("owed")
        self.talk.send(CONNS, struct.pack("=II", times, 0) + bytes(8 * times), [owed] + [self.conn.fileno()] * times)
        os.close(owed)

    def refuse(self, why):
        self.talk.send(REFUSE, why.encode().ljust(256, b"\0"))

    def close(self):
        if self.talk:
            self.talk.close()
        for sock in (self.at, self.listener, self.client, self.conn):
            sock.close()


class Elsewhere(Echod):
    """An echod that is that file."""

    def __init__(self, program, options):
        self.final = None
        super(Echod, self).__init__([program, *options])
        self.listening()


class TakeoverCase(LoadCase):
    def setUp(self):
        self.path = self.folder() / "takeover"

    def echod(self, *argv, **options):
        options.setdefault("takeover", f"unix:{self.path}")
        return super().echod(*argv, **options)

    def successor(self, old, timeout=PATIENCE, **options):
        """One that has taken over from `old`."""
        new = self.echod(**options)
        self.assertTrue(new.err.wait_for("took over: ", timeout), f"{new.said()}\n{old.said()}")
        self.assertEqual(new.addrs, old.addrs)
        return new

    def assertGone(self, old):
        """It ended by itself, soon."""
        began = time.monotonic()
        self.assertEqual(old.wait(), OK, old.said())
        self.assertLess(time.monotonic() - began, slow(2))

    def assertServes(self, server, *socks):
        """As if nothing had happened: these, and new ones."""
        for i, sock in enumerate((*socks, self.connect(server))):
            self.assertEcho(sock, pattern(5000, i))


class FailureCase(TakeoverCase):
    """Takeovers that fail."""

    def each_backend(self):
        for backend in backends():
            with self.subTest(backend=backend):
                self.path = self.folder() / "takeover"
                server = self.echod(backend=backend, workers=1 if backend == "fork" else 2)
                socks = [self.connect(server) for _ in range(3)]
                for sock in socks:
                    self.assertEcho(sock, b"before")
                yield server, socks

    def assertServingOn(self, server, socks, why):
        self.assertTrue(server.err.wait_for(f"does not take over: {why}; serving on"), server.said())
        self.assertServes(server, *socks)
        self.assertHandsOver(server, socks)

    def assertHandsOver(self, server, socks):
        """The next successor finds all as it was."""
        new = self.successor(server, backend=server.backend, listen=f"127.0.0.1:{server.port}")
        self.assertServes(new, *socks)
        self.assertEqual(new.stop(signal.SIGKILL), -signal.SIGKILL)
        server.end()
