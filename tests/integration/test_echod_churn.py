# SPDX-License-Identifier: MIT
"""A hundred thousand connections come and go: nothing piles up."""
import os
import socket
import traceback

from echolab import SLOW, VARIANT, TestCase, for_each_backend, half_close, pattern, recv_exactly, rst

MIB = 1 << 20
PEERS = 4  # processes
EMULATED = 10  # SLOW of a machine that executes every instruction by another program (tools/vm)


def churn(addr, source, count):
    """Connections one after the other, each with an echo; every third is reset."""
    data = pattern(200)
    for i in range(count):
        with socket.socket() as sock:
            sock.settimeout(60)
            sock.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: more ports than one address has
            sock.bind((source, 0))
            sock.connect(addr)
            mine = data[i % 100:]
            sock.sendall(mine)
            assert recv_exactly(sock, len(mine)) == mine
            if i % 3 == 0:
                rst(sock)
            elif i % 3 == 1:
                half_close(sock)
                assert sock.recv(1) == b""


@for_each_backend
class Each(TestCase):
    def rounds(self, server, count, first):
        """That many from each peer, at the same time."""
        pids = []
        for peer in range(PEERS):
            pid = os.fork()
            if pid == 0:
                try:
                    churn(server.addr, f"127.0.{first}.{peer + 1}", count)
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(1)
            pids.append(pid)
        for pid in pids:
            self.assertEqual(os.waitpid(pid, 0)[1], 0, "a peer failed")

    def test_nothing_piles_up(self):
        server = self.echod()
        # a process for each is dear, and dearer with a sanitizer's shadow to copy
        total = 100_000 if self.backend != "fork" else 40_000 if SLOW == 1 else 5_000
        if os.environ.get("ECHOLAB_WRAP"):
            total //= 50
        elif VARIANT == "tsan" or SLOW >= EMULATED:  # the same again would find no more races, and take half an hour
            total = min(total, 20_000)
        tenth = total // PEERS // 10
        self.rounds(server, tenth, 1)
        self.wait_counters(server, lambda c: c.open == 0, "none open")
        self.wait_until(server.sleeps, "what it writes a line with is closed")
        before, descriptors = server.rss(), server.descriptors()
        for i in range(9):
            self.rounds(server, tenth, 2 + i)
        c = self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "none open")
        self.wait_until(server.sleeps, "as before")
        self.assertEqual(server.descriptors(), descriptors)
        # buffers are touched on use, and the thread sanitizer has shadows of what is touched
        self.assertLess(server.rss() - before, 2 * MIB * (4 if VARIANT == "tsan" else 1))
        self.assertEqual(c.accepted, tenth * PEERS * 10)
        resets = -(-tenth // 3) * PEERS * 10
        self.assertEqual(dict(c.closed), {"eof": c.accepted - resets, "reset": resets})
        self.assertEqual(server.children(), [])
        self.assertEqual(server.stop(), 0)
