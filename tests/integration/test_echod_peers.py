# SPDX-License-Identifier: MIT
"""Other people's programs as clients of echod."""
import shutil
import unittest

from echolab import OK, Process, TestCase, for_each_backend, pattern, run

MIB = 1 << 20


@for_each_backend
class Each(TestCase):
    def setUp(self):
        self.server = self.echod(listen=["127.0.0.1:0", "[::1]:0"])

    def exchange(self, argv, data):
        """Runs a client with data on its stdin: all of it must be on its stdout."""
        with open(self.data_file(b""), "r+b") as out, open(self.data_file(data), "rb") as source:
            process = self.keep(Process(argv, stdin=source, stdout=out))
            self.assertEqual(process.wait(60), 0, process.said())
            out.seek(0)
            self.assertSame(out.read(), data)

    def data_file(self, data):
        path = self.config_file("")
        path.write_bytes(data)
        return path

    def ends(self, **closed):
        c = self.wait_counters(self.server, lambda c: c.open == 0 and c.balanced(), "none open")
        self.assertEqual(dict(c.closed), closed)
        return c

    @unittest.skipUnless(shutil.which("ncat"), "needs ncat")
    def test_ncat(self):
        for host, port in self.server.addrs:
            self.exchange(["ncat", host, str(port)], pattern(4 * MIB))
        c = self.ends(eof=2)
        self.assertEqual((c.received, c.sent), (8 * MIB, 8 * MIB))

    @unittest.skipUnless(shutil.which("socat"), "needs socat")
    def test_socat(self):
        for family, (host, port) in zip(("TCP4", "TCP6"), self.server.addrs):
            host = f"[{host}]" if family == "TCP6" else host
            # -t: without it socat drops what comes half a second after its input has ended
            self.exchange(["socat", "-t", "60", "STDIO", f"{family}:{host}:{port}"], pattern(4 * MIB))
        c = self.ends(eof=2)
        self.assertEqual((c.received, c.sent), (8 * MIB, 8 * MIB))

    @unittest.skipUnless(shutil.which("redis-benchmark"), "needs redis-benchmark")
    def test_redis_benchmark(self):
        """Its ping is no reply of redis, but it is well-formed, and that is all it looks at."""
        r = run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.server.port), "-t", "ping_mbulk", "-n", "20000",
                 "-c", "50", "-P", "4", "-q"], timeout=100)
        self.assertEqual(r.code, OK, r)
        self.assertIn("requests per second", r.out)
        c = self.wait_counters(self.server, lambda c: c.open == 0 and c.balanced(), "none open")
        self.assertEqual(set(c.closed) - {"eof", "reset"}, set())
        self.assertGreaterEqual(c.sent, 20000 * len("*1\r\n$4\r\nPING\r\n"))
