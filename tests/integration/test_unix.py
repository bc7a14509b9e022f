# SPDX-License-Identifier: MIT
"""Unix sockets: echod serves them and echoload loads them as it does TCP."""
import array
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

from echolab import (ENVIRONMENT, NO_ANSWER, OK, USAGE, Process, Sender, covers, end_of, for_each_backend, half_close,
                     only, pattern, program, recv_exactly, recv_to_end)
from loadlab import LoadCase, for_each_pair
from reloadlab import ReloadCase
from takeoverlab import TakeoverCase, movable


class UnixCase(LoadCase):
    def path(self, name="socket"):
        return f"unix:{self.folder()}/{name}"


@for_each_pair
class EachUnix(UnixCase):
    def test_every_byte_comes_back_over_a_path_and_an_abstract_name(self):
        for listen in (self.path(), f"unix:@echolab-{os.getpid()}-{self.id()[-60:]}"):
            with self.subTest(listen=listen):
                server = self.echod(listen=listen)
                self.assertEqual(server.addr, listen)
                r = self.run_load(server, connections=10, messages=2000, size="1..100k", pipeline=4, churn=50)
                self.assertEqual((r["messages"]["echoed"], r.errors), (2000, {}))
                self.assertEqual(r["targets"][0]["address"], listen)
                self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "all have gone")
                self.assertEqual(server.stop(), OK)
                self.assertEqual(set(server.final.closed), {"eof"})


@for_each_backend
class EachUnixServer(UnixCase):
    def test_what_a_client_is_owed_comes_before_the_end(self):
        server = self.echod(listen=self.path())
        sock = self.connect(server)
        data = pattern(3 << 20)
        sender = Sender(sock, data, then=half_close)
        got, end = recv_to_end(sock)
        sender.done()
        self.assertSame(got, data)
        self.assertEqual(end, "eof")

    def test_descriptors_beside_the_bytes_end_no_stream(self):
        """A receive ends where they are, however much lies behind; they are closed."""
        server = self.echod(listen=self.path())
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        server.send_signal(signal.SIGSTOP)
        for n in range(20):
            sock.sendmsg([b"%02d" % n], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
            sock.sendall(b"..")
        theirs.close()
        server.send_signal(signal.SIGCONT)
        self.assertEqual(recv_exactly(sock, 80), b"".join(b"%02d.." % n for n in range(20)))
        self.assertEqual(end_of(ours), "eof")

    def test_urgent_bytes_are_bytes_of_the_stream(self):
        server = self.echod(listen=self.path())
        sock = self.connect(server)
        for part in (b"before", b"after"):
            sock.sendall(part)
            try:
                sock.send(b"!", socket.MSG_OOB)
            except OSError:  # a kernel without them
                return
        sock.sendall(b".")
        self.assertEqual(recv_exactly(sock, 14), b"before!after!.")

    def test_a_client_that_is_killed_ends_its_connection_and_no_other(self):
        server = self.echod(listen=self.path())
        other = self.connect(server)
        sock = self.connect(server)
        self.assertEcho(sock, b"x")
        sock.sendall(pattern(4096))
        self.wait_counters(server, lambda c: c.sent >= 4097, "the answer waits")
        sock.close()
        self.wait_counters(server, lambda c: c.open == 1, "one has gone")
        self.assertEcho(other, pattern(5000))

    @covers("echod", "unix_mode", "unix_owner")
    def test_mode_and_owner_of_the_file(self):
        owner = {"unix_owner": "12345:23456"} if os.geteuid() == 0 else {"unix_owner": f"{os.geteuid()}"}
        server = self.echod(listen=self.path(), unix_mode="0640", **owner)
        st = os.stat(server.addr.removeprefix("unix:"))
        self.assertEqual(stat.S_IMODE(st.st_mode), 0o640)
        if os.geteuid() == 0:
            self.assertEqual((st.st_uid, st.st_gid), (12345, 23456))

    def test_the_file_goes_with_the_server_and_a_stale_one_is_replaced(self):
        listen = self.path()
        path = Path(listen.removeprefix("unix:"))
        server = self.echod(listen=listen)
        r = self.run_echod(listen=listen)
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertIn(f"cannot listen on {listen}: another process listens there", r.err)
        server.send_signal(signal.SIGKILL)
        server.wait()
        self.assertTrue(path.is_socket())
        server = self.echod(listen=listen, shutdown="close")
        self.assertEcho(self.connect(server), b"x")
        self.assertEqual(server.stop(), OK)
        self.assertFalse(path.exists())
        path.write_text("precious")
        r = self.run_echod(listen=listen)
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertIn("it is there, and no socket", r.err)
        self.assertEqual(path.read_text(), "precious")

    def test_those_that_wait_when_it_stops_are_not_reset(self):
        server = self.echod(listen=self.path(), shutdown="drain 10m")
        server.send_signal(signal.SIGSTOP)
        socks = [self.connect(server) for _ in range(5)]
        for sock in socks:
            half_close(sock)
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGCONT)
        self.assertEqual([end_of(sock) for sock in socks], ["eof"] * 5)
        self.assertEqual(server.wait(), OK)

    @only("epoll", "io_uring")
    def test_all_workers_serve_one_socket(self):
        server = self.echod(listen=self.path(), workers=2)
        socks = [self.connect(server) for _ in range(20)]
        for sock in socks:
            self.assertEcho(sock, b"x")
        shares = [w.open for w in server.counters().workers]
        self.assertEqual(sum(shares), 20)
        self.assertGreater(min(shares), 4)

    def test_an_idle_client_ends_and_one_that_never_reads_is_stalled(self):
        server = self.echod(listen=self.path(), idle_timeout="1s")
        idle, stalled = self.connect(server), self.connect(server)
        self.assertEcho(idle, b"x")
        Sender(stalled, bytes(8 << 20))  # and never reads
        self.assertEqual(end_of(idle), "eof")
        self.wait_counters(server, lambda c: c.closed["stalled"] == 1 and c.closed["idle_timeout"] == 1, "both")

    def test_at_the_limit_the_idle_one_ends(self):
        server = self.echod(listen=self.path(), max_conns=3)
        idle, busy = self.connect(server), [self.connect(server), self.connect(server)]
        for sock in (idle, *busy):
            self.assertEcho(sock, b"x")
        for _ in range(15):  # longer than what counts as busy
            for sock in busy:
                self.assertEcho(sock, b"y")
            time.sleep(0.02)
        self.assertEcho(self.connect(server), b"new")
        self.assertEqual(end_of(idle), "eof")
        for sock in busy:
            self.assertEcho(sock, b"z")

    def test_what_is_of_tcp_alone_is_refused(self):
        for option in ({"keepalive": "30s/5s/3"}, {"user_timeout": "1s"}):
            r = self.run_echod(listen=self.path(), **option)
            self.assertEqual(r.code, USAGE)
            self.assertIn("is of TCP, and every address is a unix socket", r.err)
            self.assertEqual(self.run_echod("--check", listen=[self.path(), "127.0.0.1:0"], **option).code, OK)
        r = self.run_echod(unix_mode="0600")
        self.assertEqual(r.code, USAGE)
        self.assertIn("is of unix:PATH, and no address is one", r.err)
        r = self.run_echod("--check", listen="unix:" + "x" * 108)
        self.assertEqual(r.code, USAGE)
        self.assertIn("1 to 107 bytes", r.err)


class Clients(UnixCase):
    """What echoload says of unix sockets."""

    def test_nobody_there_is_refused(self):
        listen = self.path()
        r = self.run_load(listen, connections=2, messages=10, code=NO_ANSWER)
        self.assertEqual(r.errors, {("refused", "connecting", "ENOENT"): 2})
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(listen.removeprefix("unix:"))
        r = self.run_load(listen, connections=2, messages=10, code=NO_ANSWER)
        self.assertEqual(r.errors, {("refused", "connecting", "ECONNREFUSED"): 2})

    def test_a_killed_server_and_its_return_are_an_outage(self):
        listen = self.path()
        server = self.echod(listen=listen)
        load = self.load(listen, connections=8, duration="10m", reconnect="backoff 5ms..50ms", rate="2k")
        self.wait_counters(server, lambda c: c.received > 64 * 500, "under load")
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = self.echod(listen=listen)
        self.wait_counters(server, lambda c: c.open == 8 and c.received > 64 * 500, "all are back")
        r = load.interrupted()
        self.assertEqual(len(r["outages"]), 1)
        self.assertIsNotNone(r["outages"][0]["recovered_ns"])
        self.assertEqual(r["messages"]["lost_unacked"], 0)  # what the socket took is with the peer's kernel: ours

    def test_a_full_queue_is_waited_for(self):
        """A SYN would be sent again: so an attempt takes its time, and is one attempt."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listen = self.path()
        listener.bind(listen.removeprefix("unix:"))
        listener.listen(1)
        r = self.run_load(listen, connections=6, duration="10m", connect_timeout="300ms", timeout="700ms",
                          code=NO_ANSWER)
        self.assertEqual(r["connections"]["attempts"], 6)
        self.assertEqual(r.errors, {("timeout_connect", "connecting", None): 4,
                                    ("timeout_answer", "awaiting", None): 2})

    def dialed(self, server):
        """Connections that wait to be accepted."""
        names = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()]
        return names.count(server.addr.removeprefix("unix:")) - 1

    def test_a_full_queue_that_empties_connects_all(self):
        server = self.echod(listen=self.path(), backlog=1)
        server.send_signal(signal.SIGSTOP)
        load = self.load(server, connections=20, duration="10m", rate="1k", connect_timeout="10m", timeout="10m")
        self.wait_until(lambda: self.dialed(server) >= 2, "the queue is full")
        server.send_signal(signal.SIGCONT)
        self.wait_counters(server, lambda c: c.open == 20 and c.received > 64 * 20, "all are connected")
        r = load.interrupted()
        self.assertEqual((r["connections"]["attempts"], r.errors), (20, {}), r)

    def test_a_person_connects_to_a_unix_socket(self):
        server = self.echod(listen=self.path())
        for how in ((), ("--textbook",)):
            r = subprocess.run([*program("echoload"), "--interactive", *how, server.addr], input=b"hello\n",
                               capture_output=True, timeout=60)
            self.assertEqual((r.returncode, r.stdout), (OK, b"hello\n"), r.stderr)
            self.assertIn(b"connected to " + server.addr.encode(), r.stderr)

    def test_names_reach_no_terminal_as_they_are(self):
        listen = f"unix:{self.folder()}/\u202eevil\u0080"
        server = self.echod(listen=listen)
        self.assertNotIn("\u202e", server.err.text)
        self.assertIn(r"\xe2\x80\xae", server.err.text)
        r = self.run_echoload("-c1", "-n1", listen)
        self.assertEqual(r.code, OK, r.err)
        self.assertNotIn("\u202e", r.out + r.err)

    def test_what_is_of_tcp_alone_is_refused(self):
        for option in ("--keepalive=30s/5s/3", "--user-timeout=1s", "--icmp-errors"):
            r = self.run_echoload(option, "unix:/nowhere")
            self.assertEqual(r.code, USAGE)
            self.assertIn("is of TCP, and the target is a unix socket", r.err)
        for option, why in (("--close=rst", "cannot be reset"), ("-4", "no IPv4 address"),
                            ("--source=127.0.0.1", "no IPv4 address; --source is one")):
            r = self.run_echoload(option, "unix:/nowhere")
            self.assertEqual(r.code, USAGE)
            self.assertIn(why, r.err)

    def test_other_peoples_programs(self):
        server = self.echod(listen=self.path())
        path = server.addr.removeprefix("unix:")
        r = subprocess.run(["socat", "-t60", "-", f"UNIX-CONNECT:{path}"], input=b"socat\n", capture_output=True, timeout=60)
        self.assertEqual(r.stdout, b"socat\n", r.stderr)
        r = subprocess.run(["ncat", "-U", path], input=b"ncat\n", capture_output=True, timeout=60)
        self.assertEqual(r.stdout, b"ncat\n", r.stderr)
        listen = self.path("socat")
        self.keep(Process(["socat", f"UNIX-LISTEN:{listen.removeprefix('unix:')},fork", "EXEC:cat"]))
        self.wait_until(lambda: Path(listen.removeprefix("unix:")).exists(), "socat listens")
        r = self.run_load(listen, connections=4, messages=100, reconnect="immediate")
        self.assertEqual(r["messages"]["echoed"], 100)


class Takeovers(TakeoverCase):
    def test_unix_sockets_and_their_connections_go_along(self):
        listen = [f"unix:{self.folder()}/socket", f"unix:@echolab-takeover-{os.getpid()}", "127.0.0.1:0"]
        kinds, socks = movable(), []
        server = self.echod(listen=listen, workers=2, backend=kinds[0])
        for n, workers in enumerate((1, 3, 2)):
            socks += [self.connect(addr) for addr in server.addrs]
            for sock in socks:
                self.assertEcho(sock, b"before")
            old, server = server, self.successor(server, listen=listen, workers=workers, backend=kinds[(n + 1) % len(kinds)])
            self.assertGone(old)
            self.assertEqual(old.final.closed["moved"], len(socks))
            socks += [self.connect(addr) for addr in server.addrs]
            for sock in socks:
                self.assertEcho(sock, b"after")
        for sock in socks:
            sock.close()
        path = Path(listen[0].removeprefix("unix:"))
        self.assertTrue(path.is_socket())
        self.assertEqual(server.stop(), OK)
        self.assertFalse(path.exists())

    def test_the_file_of_a_socket_that_is_not_configured_any_more_goes(self):
        path = Path(self.folder()) / "socket"
        old = self.echod(listen=["127.0.0.1:0", f"unix:{path}"])
        sock = self.connect(old.addrs[1])
        new = self.echod(listen=f"127.0.0.1:{old.port}")
        self.assertTrue(new.err.wait_for("took over: "), new.said())
        self.assertGone(old)
        self.assertFalse(path.exists())
        self.assertEcho(sock, b"goes on")

    def test_a_successor_that_fails_takes_no_file_away(self):
        listen = f"unix:{self.folder()}/socket"
        old = self.echod(listen=listen)
        busy = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(busy.close)
        r = self.run_echod(listen=[listen, f"127.0.0.1:{busy.getsockname()[1]}"], takeover=f"unix:{self.path}")
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertServes(old)


@for_each_backend
class EachUnixReload(ReloadCase):
    def test_sockets_come_and_go(self):
        first, second = (Path(self.folder()) / name for name in ("first", "second"))
        server = self.serve(listen=["127.0.0.1:0", f"unix:{first}"])
        tcp = f"127.0.0.1:{server.port}"
        sock = self.connect(f"unix:{first}")
        self.assertEcho(sock, b"x")
        self.assertChanged(server, rf"listen = .*; listening on {tcp}, unix:{first}, unix:{second}",
                           listen=[tcp, f"unix:{first}", f"unix:{second}"])
        self.assertServes(sock, *(self.connect(f"unix:{path}") for path in (first, second, first, second)))
        self.assertUnchanged(server, "192.0.2.1:7: Cannot assign requested address",
                             listen=[tcp, f"unix:{second}", f"unix:{first}.third", "192.0.2.1:7"])
        self.assertFalse(Path(f"{first}.third").exists())
        self.assertChanged(server, rf"listen = .*; listening on {tcp}, unix:{second}",
                           listen=[tcp, f"unix:{second}"])
        self.assertEqual((first.exists(), second.is_socket()), (False, True))
        self.assertServes(sock, self.connect(f"unix:{second}"), self.connect(server))
        self.assertUnchanged(server, "fd:web: a supervisor passes listeners at the start only", listen="fd:web")
