# SPDX-License-Identifier: MIT
"""Other people's echo servers as targets of echoload, and several targets at once."""
import os
import random
import shutil
import socket
import unittest

from echolab import VERDICT, Process
from loadlab import LONG, LoadCase, echo_all, for_each_client


@for_each_client
class EachServer(LoadCase):
    def server(self, start):
        """Starts other people's server; `start(port)` gives its command line. Returns its address."""
        for _ in range(20):
            port = random.randrange(20000, 32000)
            process = self.keep(Process(start(port)))

            def answers():
                with socket.socket() as sock:
                    return not process.running() or sock.connect_ex(("127.0.0.1", port)) == 0
            self.wait_until(answers, f"{process!r} listens")
            if process.running():
                return "127.0.0.1", port
        self.fail(process.said())

    def load_it(self, addr):
        for options in ({"connections": 1, "size": 1}, {"connections": 20, "size": 64},
                        {"connections": 5, "size": "64Ki", "messages": 50},
                        {"connections": 10, "size": "1..10k", "pipeline": 16, "messages": 500}):
            with self.subTest(**options):
                r = self.run_load(addr, **LONG | {"messages": 1000} | options)
                self.assertAllEchoed(r, options.get("messages", 1000))

    @unittest.skipUnless(shutil.which("socat"), "needs socat")
    def test_socat(self):
        self.load_it(self.server(lambda port: ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=128",
                                               "EXEC:cat"]))

    @unittest.skipUnless(os.geteuid() == 0, "needs root: xinetd")  # this reason first: users do not look in sbin
    @unittest.skipUnless(shutil.which("xinetd"), "needs xinetd")
    def test_xinetd(self):
        def start(port):
            path = self.folder() / "xinetd.conf"
            path.write_text("defaults\n{\n    instances = UNLIMITED\n    cps = 100000 1\n"
                            "    per_source = UNLIMITED\n}\n"
                            "service echo\n{\n    type = INTERNAL UNLISTED\n    id = echo-stream\n"
                            "    socket_type = stream\n    protocol = tcp\n    wait = no\n    user = root\n"
                            f"    bind = 127.0.0.1\n    port = {port}\n    disable = no\n}}\n")
            return ["xinetd", "-dontfork", "-f", str(path), "-pidfile", str(path.parent / "pid"), "-stayalive",
                    "-filelog", str(path.parent / "log")]
        self.load_it(self.server(start))

    def test_several_targets_share_the_connections(self):
        servers = [self.echod() for _ in range(3)]
        text = [f"127.0.0.1:{s.port}" for s in servers]
        r = self.run_load(text[0], *text[1:], connections=9, messages=9000, **LONG)
        self.assertAllEchoed(r, 9000)
        self.assertEqual([s.counters().accepted for s in servers], [3, 3, 3])

    def test_one_of_two_targets_dies(self):
        good, bad = self.echod(), self.peer(lambda sock, n: sock.recv(64))
        r = self.run_load(good, f"127.0.0.1:{bad.port}", connections=10, messages=5000, code=VERDICT, **LONG)
        self.assertEqual((r.causes, sum(r.errors.values())), ({"eof_early"}, 5), r)
        self.assertEqual((r["messages"]["echoed"], r["messages"]["lost"]), (4995, 5), r)
        shown = {t["target"]: ({(o["cause"], o["phase"]): o["count"] for o in t["outcomes"]}, t["messages"]["echoed"],
                               t["messages"]["lost"]) for t in r["targets"]}
        names = [f"127.0.0.1:{port}" for port in (good.port, bad.port)]
        self.assertEqual(shown, {names[0]: ({("finished", "closing"): 5}, 4995, 0),
                                 names[1]: ({("eof_early", "awaiting"): 5}, 0, 5)}, r)
        text = " ".join(r.out.split())
        self.assertRegex(text, rf" {names[1]} 5 0 5 - - silent {names[0]} 5 4,995 0 \S+ us \S+ \w?s ok ")
        self.assertRegex(text, rf"{names[1]} ended by .* eof_early awaiting - 5 5 ")
        self.assertNotIn(f"{names[0]} ended by", text)

    def test_a_pythons_server(self):
        self.load_it(self.peer(echo_all))
