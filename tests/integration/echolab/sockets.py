# SPDX-License-Identifier: MIT
"""Raw sockets as clients: bytes, resets, ends, and what ss says of them."""
import contextlib
import errno
import random
import select
import socket
import struct
import subprocess
import threading
import time

from .environment import PATIENCE, slow
from .process import Failed


def socket_address(addr):
    """(family, address) as Python's sockets take it, of (host, port) or a text unix:PATH, unix:@NAME."""
    if isinstance(addr, str):
        path = addr.removeprefix("unix:")
        return socket.AF_UNIX, "\0" + path[1:] if path[0] == "@" else path
    return (socket.AF_INET6 if ":" in addr[0] else socket.AF_INET), addr


def pattern(size, seed=1):
    """Bytes that do not repeat."""
    return random.Random(seed).randbytes(size)


def rst(sock):
    """Closes with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_close(sock):
    """We send no more: FIN."""
    sock.shutdown(socket.SHUT_WR)


def recv_exactly(sock, size):
    """That many bytes; fewer only if the stream ends before."""
    parts, left = [], size
    while left > 0:
        part = sock.recv(min(left, 1 << 20))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def recv_to_end(sock):
    """All bytes until the end, and how that came: "eof", or the name of the errno."""
    parts = []
    try:
        while True:
            part = sock.recv(1 << 20)
            if not part:
                return b"".join(parts), "eof"
            parts.append(part)
    except ConnectionError as e:
        return b"".join(parts), errno.errorcode[e.errno]


def end_of(sock):
    """How the connection ends: "eof" or the name of the errno; bytes that come before are dropped."""
    return recv_to_end(sock)[1]


class Sender(threading.Thread):
    """Sends from a thread of its own, in the pieces that `sizes` gives, so that the test can read meanwhile."""

    def __init__(self, sock, data, sizes=None, then=None):
        super().__init__(daemon=True)
        self.sock, self.data, self.sizes, self.then, self.error = sock, memoryview(data), sizes, then, None
        self.start()

    def run(self):
        at = 0
        try:
            while at < len(self.data):
                end = at + (next(self.sizes) if self.sizes else 1 << 20)
                self.sock.sendall(self.data[at:end])
                at = end
            if self.then:
                self.then(self.sock)
        except OSError as e:
            self.error = e

    def done(self):
        self.join(slow(PATIENCE))
        if self.error:
            raise self.error
        if self.is_alive():
            raise Failed("still sending")


class Reader(threading.Thread):
    """Reads to the end from a thread of its own."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.result = sock, None
        self.start()

    def run(self):
        try:
            self.result = recv_to_end(self.sock)
        except OSError as e:
            self.result = e

    def done(self):
        """What recv_to_end said."""
        self.join(slow(2 * PATIENCE))
        if self.is_alive() or isinstance(self.result, Exception):
            raise self.result or Failed("still reading")
        return self.result


def fill(server, sock, data, quiet=0.5):
    """Sends until an Echod has taken nothing for `quiet` seconds and sleeps: one that waits for a CPU would take more.
    Returns how much has gone."""
    at, poll, last, wait = 0, select.poll(), time.monotonic(), quiet
    poll.register(sock, select.POLLOUT)
    sock.setblocking(False)
    try:
        while at < len(data):
            if poll.poll(slow(wait) * 1000):
                with contextlib.suppress(BlockingIOError):
                    at += sock.send(memoryview(data)[at:at + (1 << 20)])
                last, wait = time.monotonic(), quiet
            elif server.sleeps():
                break
            elif time.monotonic() - last > slow(2 * PATIENCE):
                raise Failed(f"it takes nothing, and does not sleep: {server.said()}")
            else:
                wait = 0.01
    finally:
        sock.settimeout(slow(PATIENCE))
    return at


def ss(*args):
    """Lines of ss, without the head."""
    return subprocess.run(["ss", "-nH", *args], capture_output=True, text=True, check=True).stdout.splitlines()
