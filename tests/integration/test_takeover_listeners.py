# SPDX-License-Identifier: MIT
"""Listeners that change processes: nobody who waits in a queue notices."""
import os
import socket
import struct
import subprocess
import threading

from echolab import OK
from takeoverlab import (ADDR_TEXT, COMMIT, DONE, GO, HELLO, LISTENERS, READY, SERVING, TAKEN, TakeoverCase, Talk, backends,
                         movable)


class Listeners(TakeoverCase):
    def resting(self, workers):
        """An echod of so many workers that accepts nothing more, and its listeners: the test is its successor."""
        old = self.echod(backend="epoll", workers=workers)
        talk = Talk.to(self.path)
        fds = talk.listeners()
        self.assertEqual(len(fds), workers)
        talk.ready(len(fds))
        self.addCleanup(talk.close, fds)
        return old, fds

    def hand_over(self, fds, port, to, **options):
        """A real successor that takes these listeners, and nothing else, from the test."""
        at = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(at.close)
        at.bind(str(to))
        at.listen()

        def speak():
            talk = Talk(at.accept()[0])
            talk.receive(HELLO)
            asked = f"127.0.0.1:{port}".encode().ljust(ADDR_TEXT, b"\0")
            talk.send(LISTENERS, struct.pack("=IIII", len(fds), 0, len(fds), 0) + asked * len(fds), fds)
            talk.receive(READY)
            talk.send(GO)
            talk.receive(SERVING)
            talk.send(DONE, fds=[at.fileno()])
            talk.receive(TAKEN)
            talk.send(COMMIT)
            talk.close()
        thread = threading.Thread(target=speak)
        thread.start()
        new = self.echod(takeover=f"unix:{to}", listen=f"127.0.0.1:{port}", **options)
        thread.join()
        return new

    def listening(self, port):
        rows = subprocess.run(["ss", "-tlnH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
        return len(rows.splitlines())

    def test_who_waits_in_any_queue_is_served_by_the_successor(self):
        """Every worker's listener goes along with its queue: fewer workers have several, more join."""
        for backend in movable():
            for workers in (1, 2, 5):
                with self.subTest(backend=backend, workers=workers):
                    self.path = self.folder() / "takeover"
                    old, fds = self.resting(3)
                    socks = [self.connect(old) for _ in range(30)]
                    for sock in socks:
                        sock.sendall(b"early")
                    new = self.hand_over(fds, old.port, self.folder() / "next", backend=backend, workers=workers)
                    self.assertTrue(new.err.wait_for("took over: 3 listeners, 0 connections"), new.said())
                    for sock in socks:
                        self.assertEqual(sock.recv(5), b"early")
                    self.assertEqual(self.listening(old.port), max(3, workers))
                    more = [self.connect(new) for _ in range(60)]
                    self.assertServes(new, *socks, *more)
                    self.assertGreater(min(w.open for w in new.counters().workers), 0)
                    self.assertEqual(old.counters().accepted, 0)
                    old.kill9()

    def test_who_waits_at_an_address_that_goes_is_served_by_the_old_one(self):
        for backend in backends():
            with self.subTest(backend=backend):
                self.path = self.folder() / "takeover"
                old = self.echod(backend=backend, workers=1, listen=["127.0.0.1:0", "127.0.0.2:0"])
                talk = Talk.to(self.path)
                fds = talk.listeners()
                talk.send(READY, struct.pack("=I", 2) + b"\1\0")
                talk.receive(GO)
                talk.send(SERVING)
                fds += talk.receive(DONE)[2]
                with old.held():
                    talk.send(TAKEN)
                    socks = [self.connect(old.addrs[1]) for _ in range(20)]
                talk.receive(COMMIT)
                talk.close(fds[1:])  # the other address is the successor's, as long as it has it
                for sock in socks:
                    self.assertEcho(sock, b"served")
                self.wait_nobody_home(old.addrs[1])
                for sock in socks:
                    sock.close()
                self.assertEqual(old.wait(), OK, old.said())
                os.close(fds[0])

    def test_addresses_come_and_go(self):
        """Those that are configured again are handed over, others are closed or opened."""
        old = self.echod(listen=["127.0.0.1:0", "127.0.0.2:0"], workers=2)
        first, second = (self.connect(a) for a in old.addrs)
        new = self.echod(listen=["127.0.0.3:0", f"127.0.0.1:{old.addrs[0][1]}"], workers=2)
        self.assertTrue(new.err.wait_for("took over: 2 listeners"), new.said())
        self.assertGone(old)
        self.assertEqual(new.addrs[1], old.addrs[0])
        self.assertNobodyHome(old.addrs[1])
        self.assertServes(new, first, second)
        self.assertEcho(self.connect(new.addrs[1]), b"inherited")

    def test_options_of_listeners_are_those_of_the_successor(self):
        def keepalive(server):
            sock = self.connect(server)
            self.assertEcho(sock, b"here")
            rows = subprocess.run(["ss", "-tnoH", f"sport = :{server.port} and dport = :{sock.getsockname()[1]}"],
                                  capture_output=True, text=True, check=True).stdout
            return "keepalive" in rows

        server = self.echod(keepalive="30s/5s/3")
        self.assertTrue(keepalive(server))
        server = self.successor(server)
        self.assertFalse(keepalive(server))
        self.assertTrue(keepalive(self.successor(server, keepalive="30s/5s/3")))
