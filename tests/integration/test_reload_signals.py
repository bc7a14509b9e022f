# SPDX-License-Identifier: MIT
"""SIGHUP beside other things that happen: a terminal that goes, a takeover."""
import os
import pty
import signal
import sys

from echolab import OK, PATIENCE, Process, covers, not_in, program, recv_to_end, slow
from reloadlab import ReloadCase, text_of
from takeoverlab import Talk


class Hangups(ReloadCase):
    """SIGHUP of a terminal that has gone is no wish of anybody."""
    LEADER = ("import os, sys\n"
              "os.setsid()\n"
              "os.set_inheritable(os.open(sys.argv[1], os.O_RDWR), True)\n"
              "os.execvp(sys.argv[2], sys.argv[2:])\n")

    def in_terminal(self, *prefix, **keys):
        """An echod in the foreground of a terminal of its own, and the other end of that."""
        self.path = self.config_file(self.lines({"listen": "127.0.0.1:0", **keys}))
        master, slave = pty.openpty()
        prefix = [sys.executable, "-c", self.LEADER, os.ttyname(slave), *prefix]
        server = self.echod("-f", str(self.path), listen=None, prefix=prefix)
        os.close(slave)
        return server, master

    def test_a_terminal_that_goes_ends_it_as_its_policy_says(self):
        server, master = self.in_terminal()
        sock = self.connect(server)
        self.assertServes(sock)
        os.close(master)
        self.assertEqual(recv_to_end(sock), (b"", "eof"))
        sock.close()
        self.assertEqual(server.wait(), OK)
        self.assertNotIn("SIGHUP", server.err.text)
        server, master = self.in_terminal(shutdown="default")
        os.close(master)
        self.assertEqual(server.wait(), -signal.SIGHUP)

    def test_with_nohup_a_terminal_may_go_and_kill_reloads(self):
        for prefix, keys in ((["nohup"], {}), ([], {"shutdown": "ignore"})):
            server, master = self.in_terminal(*prefix, **keys)
            sock = self.connect(server)
            os.close(master)
            self.wait_taken(server, signal.SIGHUP)
            self.assertNotIn("SIGHUP", server.err.text)
            self.assertIn("SIGHUP: nothing has changed\n", self.reload(server))
            self.assertServes(sock)

    def test_with_nohup_a_terminal_may_go_during_a_takeover(self):
        """With the successor spoken by the test, which fails at last."""
        for prefix, keys in ((["nohup"], {}), ([], {"shutdown": "ignore"})):
            socket = self.folder() / "takeover"
            server, master = self.in_terminal(*prefix, takeover=f"unix:{socket}", **keys)
            sock = self.connect(server)
            self.assertServes(sock)
            talk = Talk.to(socket)
            fds = talk.listeners()
            os.close(master)
            self.wait_taken(server, signal.SIGHUP)
            talk.close(fds)
            self.assertTrue(server.err.wait_for("serving on\n"), server.said())
            self.assertServes(sock, self.connect(server))


class Starts(ReloadCase):
    @not_in("valgrind")  # which blocks signals on its own account
    def test_what_is_asked_for_too_early_waits(self):
        """While the configuration is read, which here is a pipe that nobody has written yet."""
        asked = signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2
        self.path = self.config_file("")
        self.path.unlink()
        os.mkfifo(self.path)
        starting = self.keep(Process([*program("echod"), "-f", str(self.path)]))
        self.wait_until(lambda: self.signals(starting.pid, "SigBlk") & 1 << signal.SIGHUP - 1, "it holds hang-ups back")
        for number in asked:
            starting.send_signal(number)
        self.path.write_text("[server]\nlisten = 127.0.0.1:0\n")
        for said in ("SIGHUP: .* cannot be read again; nothing has changed", "SIGUSR2: no successor can take over"):
            self.assertTrue(starting.err.wait_for("listening on .*" + said), starting.said())
        self.assertTrue(starting.out.wait_for("echod_connections_open.*# EOF"), starting.said())


class Takeovers(ReloadCase):
    """A reload beside restarts that no client sees."""

    def with_path(self, **keys):
        self.socket = self.folder() / "takeover"
        return self.serve(takeover=f"unix:{self.socket}", **keys)

    def successor(self, server):
        start = len(server.err.data)
        server.send_signal(signal.SIGUSR2)
        pid = int(server.err.wait_for(r"SIGUSR2: process (\d+) is to take over", start=start)[1])
        self.assertTrue(server.err.wait_for(rf"process {pid} has taken over", start=start), server.said())
        self.assertEqual(server.popen.wait(slow(PATIENCE)), OK)
        return pid

    def test_a_restart_after_a_reload(self):
        """The successor gets the listeners that are there now, and reads the file that the reload has read."""
        new = self.free()
        server = self.with_path(listen="127.0.0.1:0", workers=2)
        keys = {"takeover": f"unix:{self.socket}", "workers": 1, "listen": ["127.0.0.1:0", text_of(new)]}
        said = self.reload(server, **keys)
        self.assertRegex(said, r"workers: 1 takes a restart, until then 2 stays in force; SIGUSR2 makes one that no "
                               r"client sees\n")
        socks = [self.connect(server), self.connect(new)]
        self.assertServes(*socks)
        self.successor(server)
        self.assertTrue(server.err.wait_for(rf"listening on {server.addr[0]}:{server.port}, {text_of(new)}: \w+, "
                                            "1 worker"), server.said())
        self.assertServes(*socks, self.connect(server), self.connect(new))

    def test_a_reload_after_a_restart(self):
        server = self.with_path(listen="127.0.0.1:0")
        sock = self.connect(server)
        pid = self.successor(server)
        start = len(server.err.data)
        self.write(listen="127.0.0.1:0", takeover=f"unix:{self.socket}", max_conns=5)
        os.kill(pid, signal.SIGHUP)
        self.assertTrue(server.err.wait_for("^echod: SIGHUP: now max_conns = 5$", start=start), server.said())
        self.assertServes(sock, self.connect(server))

    def test_the_old_process_reads_nothing(self):
        server = self.with_path(listen="127.0.0.1:0", handover="serve")
        sock = self.connect(server)
        self.assertServes(sock)
        server.send_signal(signal.SIGUSR2)
        self.assertTrue(server.err.wait_for("has taken over: 0 connections moved"), server.said())
        server.send_signal(signal.SIGHUP)
        self.assertTrue(server.err.wait_for("warning: SIGHUP: nothing is read: another process serves"), server.said())
        self.assertServes(sock)

    def test_during_a_takeover_it_waits(self):
        """With the successor spoken by the test, which fails at last."""
        server = self.with_path(listen="127.0.0.1:0")
        sock = self.connect(server)
        self.assertServes(sock)
        self.write(listen="127.0.0.1:0", takeover=f"unix:{self.socket}", max_conns=5)
        talk = Talk.to(self.socket)
        fds = talk.listeners()
        server.send_signal(signal.SIGHUP)
        talk.ready(len(fds))
        self.assertNotIn("SIGHUP", server.err.text)
        talk.close(fds)
        self.assertTrue(server.err.wait_for("serving on\n.*SIGHUP: now max_conns = 5"), server.said())
        self.assertServes(sock, self.connect(server))

    def test_who_is_told_to_end_during_a_takeover_reads_nothing_before(self):
        """It ends by the policy that was in force then."""
        for policy in ("ignore", "default"):
            server = self.with_path(listen="127.0.0.1:0", shutdown="drain 5s")
            sock = self.connect(server)
            self.assertServes(sock)
            self.write(listen="127.0.0.1:0", takeover=f"unix:{self.socket}", shutdown=policy)
            talk = Talk.to(self.socket)
            fds = talk.listeners()
            server.send_signal(signal.SIGHUP)
            self.wait_taken(server, signal.SIGHUP)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(recv_to_end(sock), (b"", "eof"), server.said())
            sock.close()
            self.assertEqual(server.wait(), OK)
            self.assertIn("SIGHUP: nothing is read: this process is ending\n", server.err.text)
            talk.close(fds)

    @covers("echod", "takeover")
    def test_the_path_comes_moves_and_goes(self):
        server = self.serve(listen="127.0.0.1:0")
        here, there = (self.folder() / "takeover" for _ in range(2))
        self.assertChanged(server, f"takeover = unix:{here}", listen="127.0.0.1:0", takeover=f"unix:{here}")
        self.assertTrue(here.exists())
        self.assertChanged(server, f"takeover = unix:{there}", listen="127.0.0.1:0", takeover=f"unix:{there}")
        self.assertFalse(here.exists())
        self.assertUnchanged(server, f"{here.parent}/nowhere/t: No such file or directory", listen="127.0.0.1:0",
                             takeover=f"unix:{here.parent}/nowhere/t", max_conns=3)
        self.assertTrue(there.exists())
        sock = self.connect(server)
        self.write(listen="127.0.0.1:0", takeover=f"unix:{there}")
        pid = self.successor(server)
        start = len(server.err.data)
        self.write(listen="127.0.0.1:0")
        os.kill(pid, signal.SIGHUP)
        self.assertTrue(server.err.wait_for("SIGHUP: now takeover = off", start=start), server.said())
        self.assertFalse(there.exists())
        self.assertServes(sock, self.connect(server))
