# SPDX-License-Identifier: MIT
"""Somebody who is connected to an echod that may be killed, stop, or hand over to another one."""
import contextlib
import select
import socket
import time

from echolab import PATIENCE, Failed, pattern, recv_exactly, recv_to_end, slow

MORE = b"more" * 20


class Client:
    """Somebody who is connected, and has not read yet what is owed to them."""

    def __init__(self, at, debt=0):
        family = socket.AF_UNIX if isinstance(at, str) else socket.AF_INET
        self.sock, self.owed = socket.socket(family), pattern(debt)
        self.sock.settimeout(slow(PATIENCE))
        if debt:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(at)
        if debt:
            self.sock.sendall(self.owed)
        else:
            self.echoes()

    def echoes(self):
        """Whether what is sent comes back; nothing of it: the end is here."""
        got = b""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(MORE)
            got = recv_exactly(self.sock, len(MORE))
        if got not in (b"", MORE):
            raise Failed(f"{got} has come back for {MORE}")
        return got == MORE

    def outcome(self):
        """"served" still; "ended", with all that it was owed; or "cut" off."""
        got = b""
        with contextlib.suppress(ConnectionError):
            while len(got) < len(self.owed) and (part := self.sock.recv(1 << 16)):
                got += part
        if got != self.owed[:len(got)]:
            raise Failed("other bytes have come back")
        return "cut" if len(got) < len(self.owed) else "served" if self.echoes() else "ended"

    def last(self, server):
        """What a server that stops owes it, and how that ends; it waits for us to go. One that is killed may have left
        somebody else who has us still."""
        poll, end = select.poll(), (b"", "kept")
        poll.register(self.sock, select.POLLIN)
        until = time.monotonic() + slow(PATIENCE)
        while server.running() and not poll.poll(10):
            if time.monotonic() > until:
                raise Failed("nothing comes, and no end")
        if poll.poll(0):
            end = recv_to_end(self.sock)
        self.sock.close()
        return end
