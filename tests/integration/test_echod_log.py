# SPDX-License-Identifier: MIT
"""What echod says on standard error, to whom, and how much of it."""
import json
import resource
import signal

from echolab import OK, Echod, Process, covers, program
from reloadlab import ReloadCase
from schemas import problems


class Logs(ReloadCase):
    def refuse(self, server, times):
        """Lines of one kind: a successor is asked for, where there cannot be one."""
        for _ in range(times):
            self.signal(server, signal.SIGUSR2)

    @covers("echod", "log")
    def test_json_is_an_object_a_line(self):
        server = self.special(r'"message":"%s"\}' "\n", "--log-burst=2", log="json")
        self.refuse(server, 5)
        self.assertEqual(server.stop(), OK)
        said = [json.loads(line) for line in server.err.text.splitlines()]
        self.assertEqual([p for line in said for p in problems("echod-log-1", line)], [])
        self.assertEqual({line["pid"] for line in said}, {server.pid})
        self.assertEqual([line["level"] for line in said], ["info", "warning", "warning", "warning"])
        self.assertEqual([line.get("left_out") for line in said], [None, None, None, 3])
        self.assertRegex(said[0]["message"], "^listening on ")

    def special(self, line, *argv, prefix=(), **options):
        """An echod whose line about where it listens is another: a pattern with a %s for what it says."""
        class Special(Echod):
            LISTENING = line % r"listening on (.+?): (\w+), (\d+) workers?([^\n\x22]*)"
        return self.keep(Special([*self.echod_options(**options), *argv], prefix=prefix))

    def test_a_file_that_may_not_become_longer_ends_nobody(self):
        path, log = self.folder() / "at", self.folder() / "log"
        options = ["--listen", f"unix:{path}", "--log-burst", "0", "--shutdown", "close"]
        server = self.keep(Process(["sh", "-c", f'exec "$@" 2>{log}', "sh", *program("echod"), *options]))
        self.wait_until(lambda: log.exists() and "listening" in log.read_text(), "it listens")
        sock = self.connect(f"unix:{path}")
        self.assertServes(sock)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        for _ in range(20):
            server.send_signal(signal.SIGUSR2)
            self.wait_taken(server, signal.SIGUSR2)
        self.assertServes(sock, self.connect(f"unix:{path}"))
        self.assertEqual(log.stat().st_size, 1000)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertEqual(server.stop(), OK)

    @covers("echod", "log_burst")
    def test_a_burst_is_cut_and_counted(self):
        server = self.echod("--log-burst=3")
        self.refuse(server, 10)
        server.send_signal(signal.SIGHUP)  # another kind
        self.assertTrue(server.err.wait_for("SIGHUP: "), server.said())
        self.assertTrue(server.err.wait_for(r"^echod: warning: 7 more lines such as: SIGUSR2: no successor can take over"),
                        server.said())  # when 5 s are over, though nothing else happens
        self.assertEqual(server.stop(), OK)
        self.assertEqual(server.err.text.count("warning: SIGUSR2"), 3)
        self.assertEqual(server.err.text.count("more lines"), 1)
        server = self.echod("--log-burst=0")
        self.refuse(server, 110)
        self.assertEqual(server.stop(), OK)
        self.assertEqual(server.err.text.count("SIGUSR2"), 110)

    @covers("echod", "log_level")
    def test_a_level_changes_while_it_runs(self):
        server = self.serve(listen="127.0.0.1:0")
        self.assertChanged(server, "log_level = warning", listen="127.0.0.1:0", log_level="warning")
        self.write(listen="127.0.0.1:0", log_level="warning", max_conns=3)
        self.signal(server, signal.SIGHUP)
        self.refuse(server, 1)
        self.assertTrue(server.err.wait_for("warning: SIGUSR2"), server.said())
        self.assertNotIn("max_conns", server.err.text)  # that was information
        self.write(listen="127.0.0.1:0", log_level="error")
        self.signal(server, signal.SIGHUP)
        self.refuse(server, 1)
        self.assertUnchanged(server, "FILE:1: [^\n]*", "nonsense\n")
        self.assertEqual(server.err.text.count("SIGUSR2"), 1)
        self.assertChanged(server, "log_level = info", listen="127.0.0.1:0")

    def test_the_journal_gets_priorities(self):
        """Which is known by where standard error leads to, not by a variable alone."""
        for stream, mark in (("$(stat -L -c %d:%i /proc/self/fd/2)", "<6>"), ("1:2", "")):
            script = f'JOURNAL_STREAM={stream} exec "$@"'
            server = self.special(f"^{mark}echod: %s\n", prefix=["sh", "-c", script, "sh"])
            self.refuse(server, 1)
            self.assertTrue(server.err.wait_for(f"^{mark and '<4>'}echod: warning: SIGUSR2"), server.said())
