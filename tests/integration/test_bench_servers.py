# SPDX-License-Identifier: MIT
"""The echo servers of bench/servers, other people's loops: whatever a peer does they echo it, and they are built where
their library is and nowhere else."""
import shutil
import subprocess

from echolab import (BIN, ENVIRONMENT, USAGE, Process, Reader, Sender, TestCase, end_of, fill, half_close, pattern,
                     recv_to_end, rst, run)

HEADERS = {"libev_echo": ("cc", "c", "ev.h"), "libuv_echo": ("cc", "c", "uv.h"),
           "asio_echo": ("g++", "c++", "asio/version.hpp")}


def is_here(compiler, language, header):
    if not shutil.which(compiler):
        return False
    r = subprocess.run([compiler, "-x", language, "-E", "-"], input=f"#include <{header}>\n", text=True, timeout=60,
                       capture_output=True)
    return r.returncode == 0


BUILT = [name for name in HEADERS if (BIN / "bench" / name).exists()]


class Programs(TestCase):
    def each(self, test, *prefix):
        """Calls the test with each of them, started."""
        for name in BUILT:
            with self.subTest(program=name):
                p = self.keep(Process([*prefix, BIN / "bench" / name, "0"]))
                said = p.out.wait_for(r"^listening ([\d.]+):(\d+)$")
                self.assertTrue(said, p.said())
                p.addr = said[1], int(said[2])
                test(p)
                self.assertTrue(p.running(), p.said())

    def echo_one(self, server):
        c = self.connect(server.addr)
        self.assertEcho(c, b"one")
        half_close(c)
        self.assertEqual(end_of(c), "eof")

    def test_one_is_built_where_its_library_is(self):
        self.assertEqual(BUILT, [name for name, header in HEADERS.items() if is_here(*header)])

    def test_a_mebibyte_comes_back_after_a_half_close(self):
        data = pattern(1 << 20)

        def test(server):
            for size in (0, 1, 64, 4096, len(data)):
                c = self.connect(server.addr)
                sender = Sender(c, data[:size], then=half_close)
                got, end = Reader(c).done()
                sender.done()
                self.assertSame(got, data[:size])
                self.assertEqual(end, "eof")
        self.each(test)

    def test_a_slow_reader_gets_all_and_is_not_stored(self):
        """It sends in parts, and takes no more from a peer that does not read."""
        data = pattern(1 << 20) * 64

        def test(server):
            before = server.rss()
            c = self.connect(server.addr, rcvbuf=1 << 16)
            sent = fill(server, c, data)
            self.assertLess(sent, len(data), "it took everything from a peer that reads nothing")
            self.assertLess(server.rss() - before, 4 << 20)
            self.echo_one(server)
            half_close(c)
            got, end = recv_to_end(c)
            self.assertSame(got, data[:sent])
            self.assertEqual(end, "eof")
        self.each(test)

    def test_resets_end_their_connections_alone(self):
        def test(server):
            other = self.connect(server.addr)
            self.assertEcho(other, b"before")
            few = server.descriptors()
            for data in (b"", b"x", pattern(1 << 20) * 32):
                c = self.connect(server.addr, rcvbuf=1 << 16)
                fill(server, c, data, quiet=0.05)
                rst(c)
            self.assertEcho(other, b"after")
            self.wait_until(lambda: server.descriptors() == few, "those that were reset are closed")
        self.each(test)

    def test_without_descriptors_it_serves_those_it_has_and_goes_on_later(self):
        def test(server):
            connections = [self.connect(server.addr) for _ in range(40)]
            self.assertEcho(connections[0], b"first")
            self.wait_until(lambda: server.descriptors() >= 20, "it has about as many as it may")
            self.wait_until(server.sleeps, "it does not ask for ever")
            self.assertEcho(connections[1], b"second")
            for c in connections:
                c.close()
            self.echo_one(server)
        self.each(test, "prlimit", "--nofile=24:24")

    def test_a_port_that_is_taken_and_a_wrong_command_line_are_errors(self):
        def test(server):
            r = run([*server.argv[:-1], server.addr[1]])
            self.assertEqual((r.code, r.out), (ENVIRONMENT, ""))
            self.assertRegex(r.err, "port [0-9]+: .*address already in use|port [0-9]+: .*Address already in use")
            r = run(server.argv[:-1])
            self.assertEqual((r.code, r.out), (USAGE, ""))
            self.assertRegex(r.err, "^usage: [a-z_]+ PORT$")
        self.each(test)
