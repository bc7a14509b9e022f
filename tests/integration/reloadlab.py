# SPDX-License-Identifier: MIT
"""What tests of reloads share: an echod with a file, which is written anew, and what it says to that."""
import os
import re
import signal
import socket
from pathlib import Path

from loadlab import LoadCase


def text_of(addr):
    return f"{addr[0]}:{addr[1]}"


class ReloadCase(LoadCase):
    def lines(self, keys):
        """The text of a configuration file; a key that repeats has a list."""
        rows = [f"{k} = {v}" for k, values in keys.items()
                for v in (values if isinstance(values, list) else [values])]
        return "\n".join(["[server]", *rows, ""])

    def write(self, text=None, **keys):
        """Replaces the file as editors do: whoever reads it gets the old one or the new one."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(self.lines(keys) if text is None else text)
        fresh.rename(self.path)

    def serve(self, *argv, options=None, **keys):
        """An echod with a file of these keys."""
        keys.setdefault("listen", "127.0.0.1:0")
        self.path = self.config_file(self.lines(keys))
        return self.echod("-f", str(self.path), *argv, listen=None, **(options or {}))

    LAST = r"^(?:echod: (?:error: )?|\{[^\n]*)SIGHUP: (now [^\n]*|[^\n]*nothing has changed[^\n]*)\n"

    def reload(self, server, text=None, **keys):
        """Writes the file and sends SIGHUP; what it said when it was done, warnings and all."""
        if keys or text is not None:
            self.write(text, **keys)
        start = len(server.err.data)
        server.send_signal(signal.SIGHUP)
        last = server.err.wait_for(self.LAST, start=start)
        self.assertTrue(last, server.said())
        return server.err.text.encode()[start:].decode().replace(str(self.path), "FILE")

    @staticmethod
    def signals(pid, which):
        """A set of /proc/PID/status: "ShdPnd", "SigBlk"; bit N - 1 is signal N."""
        return int(re.search(rf"{which}:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())[1], 16)

    def wait_taken(self, server, number):
        """Until a signal does not wait any more: one that waits is one, however often it is sent."""
        self.wait_until(lambda: not self.signals(server.pid, "ShdPnd") & 1 << number - 1, "the signal is taken")

    def signal(self, server, number):
        """Sends a signal that echod handles; returns when it has."""
        server.send_signal(number)
        self.wait_taken(server, number)
        server.counters()  # one thing after the other

    def assertChanged(self, server, what, **keys):
        self.assertRegex(self.reload(server, **keys), rf"\Aechod: SIGHUP: now {what}\n\Z")

    def assertUnchanged(self, server, why, text=None, **keys):
        self.assertRegex(self.reload(server, text, **keys), rf"\Aechod: error: SIGHUP: {why}; nothing has changed\n\Z")

    def free(self):
        """An address that is nobody's: of a process of its own, so that no other test comes by it."""
        pid = os.getpid()
        with socket.create_server((f"127.{100 + pid // 65536 % 100}.{pid // 256 % 256}.{pid % 256}", 0)) as sock:
            return sock.getsockname()

    def assertServes(self, *socks):
        for sock in socks:
            self.assertEcho(sock, b"served")
