# SPDX-License-Identifier: MIT
"""SIGHUP: the configuration is read again, and what can change while echod runs does: all of it, or nothing."""
import errno
import os
import re
import resource
import signal
import socket
import subprocess

from echolab import (BIN, OK, SANITIZERS, USAGE, WRAP, covers, end_of, for_each_backend, not_in, only, program,
                     recv_to_end, run)
from reloadlab import ReloadCase, text_of


@for_each_backend
class EachReload(ReloadCase):
    def test_a_limit_of_connections_rises_and_falls(self):
        server = self.serve(listen="127.0.0.1:0", max_conns=2)
        first = [self.connect(server) for _ in range(2)]
        self.assertServes(*first)
        self.assertChanged(server, "max_conns = 4", listen="127.0.0.1:0", max_conns=4)
        more = [self.connect(server) for _ in range(2)]
        self.assertServes(*first, *more)
        self.assertChanged(server, "max_conns = 3", listen="127.0.0.1:0", max_conns=3)
        self.assertServes(*first, *more)  # nobody ends for it
        last = self.connect(server)
        self.assertServes(last)
        c = self.wait_counters(server, lambda c: c.closed["shed"] == 1 and c.open == 4, "one ends for a newcomer")
        self.assertEqual(c.accepted, 5)

    def test_an_idle_timeout_comes_and_goes(self):
        server = self.serve(listen="127.0.0.1:0")
        before = self.connect(server)
        self.assertServes(before)
        self.assertChanged(server, "idle_timeout = 100ms", listen="127.0.0.1:0", idle_timeout="100ms")
        late = before if self.backend != "fork" else self.connect(server)  # a process has what it was forked with
        self.assertEqual(recv_to_end(late), (b"", "eof"))
        self.wait_counters(server, lambda c: c.closed["idle_timeout"] == 1, "it was idle for too long")
        self.assertChanged(server, "idle_timeout = 1h", listen="127.0.0.1:0", idle_timeout="1h")
        sock = self.connect(server)
        self.assertServes(sock)
        self.assertChanged(server, "idle_timeout = off", listen="127.0.0.1:0")
        self.assertServes(sock, *([before] if late is not before else []))

    @only("epoll", "io_uring")
    def test_a_timeout_that_is_switched_off_ends_nobody(self):
        server = self.serve(listen="127.0.0.1:0", idle_timeout="1s")
        sock = self.connect(server)
        self.assertServes(sock)
        self.assertChanged(server, "idle_timeout = off", listen="127.0.0.1:0")
        sock.settimeout(1.5)
        with self.assertRaises(TimeoutError):  # it was due 500 ms ago
            sock.recv(1)

    def test_a_policy_of_the_end_changes(self):
        server = self.serve(listen="127.0.0.1:0", shutdown="drain 60s")
        self.assertChanged(server, "shutdown = reset", listen="127.0.0.1:0", shutdown="reset")
        sock = self.connect(server)
        self.assertServes(sock)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(end_of(sock), "ECONNRESET")
        self.assertEqual(server.wait(), OK)

    def test_signals_follow_the_policy(self):
        server = self.serve(listen="127.0.0.1:0", shutdown="ignore")
        self.assertChanged(server, "shutdown = drain 5s", listen="127.0.0.1:0")
        self.assertChanged(server, "shutdown = ignore", listen="127.0.0.1:0", shutdown="ignore")
        server.send_signal(signal.SIGTERM)
        self.assertServes(self.connect(server))
        self.assertChanged(server, "shutdown = default", listen="127.0.0.1:0", shutdown="default")
        self.assertEqual(server.stop(), -signal.SIGTERM)

    @covers("echod", "listen")
    def test_listeners_come_and_go(self):
        """Those that have been accepted stay, those that stay keep their port, and the order is nobody's business."""
        server = self.serve(listen=["127.0.0.1:0", "127.0.0.2:0"])
        first, second = server.addrs
        on_first, on_second = self.connect(first), self.connect(second)
        self.assertServes(on_first, on_second)
        new = self.free()
        text = text_of(new)
        self.assertChanged(server, rf"listen = 127.0.0.2:0, {text}; listening on 127.0.0.2:{second[1]}, {text}",
                           listen=["127.0.0.2:0", text])
        self.assertNobodyHome(first)
        third = self.connect(new)
        self.assertServes(on_first, on_second, third, self.connect(second))
        self.assertChanged(server, rf"listen = {text}; listening on {text}", listen=text)
        self.assertNobodyHome(second)
        self.assertServes(on_first, on_second, third, self.connect(new))

    def test_who_waits_on_a_listener_that_goes_is_served(self):
        server = self.serve(listen=["127.0.0.1:0", "127.0.0.2:0"])
        self.write(listen=["127.0.0.1:0"])
        start = len(server.err.data)
        with server.held():
            socks = [self.connect(server.addrs[1]) for _ in range(20)]
            server.send_signal(signal.SIGHUP)
        self.assertTrue(server.err.wait_for(self.LAST, start=start), server.said())
        self.assertNobodyHome(server.addrs[1])
        self.assertServes(*socks)

    def test_a_port_moves_to_all_addresses_and_back(self):
        server = self.serve(listen="127.0.0.1:0")
        sock = self.connect(server)
        for host in ("0.0.0.0", "127.0.0.1"):
            addr = f"{host}:{server.port}"
            world = rf"echod: warning: {addr} may be open to the world, [^\n]*\n" if host == "0.0.0.0" else ""
            self.assertRegex(self.reload(server, listen=addr),
                             rf"\A{world}echod: SIGHUP: now listen = {addr}; listening on {addr}\n\Z")
            self.assertServes(sock, self.connect(server))
        self.assertNobodyHome(("127.0.0.2", server.port))

    def test_what_cannot_be_bound_leaves_everything_as_it_was(self):
        server = self.serve(listen="127.0.0.1:0", max_conns=2)
        free = self.free()
        socks = [self.connect(server) for _ in range(2)]
        self.assertServes(*socks)
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            self.assertUnchanged(server, rf"127.0.0.1:{taken}: Address already in use", max_conns=9,
                                 listen=[text_of(free), f"127.0.0.1:{taken}"])
        self.assertNobodyHome(free)
        self.assertServes(self.connect(server))
        self.wait_counters(server, lambda c: c.closed["shed"] == 1, "two is the limit still")
        descriptors = server.descriptors()
        self.assertUnchanged(server, "192.0.2.1:7: Cannot assign requested address",
                             listen=["127.0.0.1:0", text_of(free), "192.0.2.1:7"])
        self.wait_until(lambda: server.descriptors() <= descriptors, "none of them is open")

    def test_a_bad_file_changes_nothing(self):
        server = self.serve(listen="127.0.0.1:0", max_conns=1)
        head = "[server]\nlisten = 127.0.0.1:0\nmax_conns = 7\n"
        for text, why in ((head + "worker = 3\n", "FILE:4: unknown key 'worker'; did you mean 'workers'.?"),
                          (head + "idle_timeout = soon\n", "FILE:4: idle_timeout: 'soon' is not a time [^\n]*"),
                          (head + "takeover = unix:/t\nown_descriptors = on\n", "FILE:5: own_descriptors: [^\n]*"),
                          ("max_conns = 7\n", "FILE:1: key stands before the first .section.")):
            self.assertUnchanged(server, why, text)
        self.path.rename(self.path.with_suffix(".away"))
        self.assertUnchanged(server, "FILE: cannot be opened: No such file or directory")
        self.path.with_suffix(".away").rename(self.path)
        first = self.connect(server)
        self.assertServes(first)
        self.assertServes(self.connect(server))
        self.assertEqual(end_of(first), "eof")  # one is the limit still

    def test_what_takes_a_restart_is_named(self):
        server = self.serve(listen="127.0.0.1:0", max_conns=1)
        said = self.reload(server, f"[server]\nlisten = 127.0.0.1:0\nmax_conns = 2\ncpus = 0\n[{self.backend}]\n" +
                           {"fork": "reap = once", "epoll": "buffer = 4Ki", "io_uring": "buffers = 64"}[self.backend])
        self.assertRegex(said, r"(?m)^echod: warning: SIGHUP: FILE:4: cpus: 0 takes a restart, until then all stays in "
                               r"force$")
        self.assertRegex(said, rf"(?m)^echod: warning: SIGHUP: FILE:6: {self.backend}\.\w+: \S+ takes a restart, until")
        self.assertRegex(said, r"(?m)^echod: SIGHUP: now max_conns = 2$")
        self.assertServes(self.connect(server), self.connect(server))

    def test_the_command_line_wins(self):
        server = self.serve("--max-conns=2", listen="127.0.0.1:0")
        self.assertIn("echod: SIGHUP: nothing has changed\n", self.reload(server, listen="127.0.0.1:0", max_conns=1))
        self.assertServes(*[self.connect(server) for _ in range(2)])

    def test_clients_see_nothing_of_reloads(self):
        """Load and churn while limits, timeouts and listeners change, and files are bad."""
        extra = text_of(self.free())
        server = self.serve(listen="127.0.0.1:0")
        busy = self.load(server, connections=20, duration="10m", rate="2k")
        coming = self.load(server, connections=4, duration="10m", churn=5, rate="400")
        self.wait_open(server, 20, 64 * 20)
        for n in range(12):
            self.wait_counters(server, lambda c, n=n: c.accepted >= 24 + 4 * n, "new ones keep coming")
            if n % 4 == 3:
                self.assertUnchanged(server, "FILE:1: [^\n]*", "nonsense\n")
                continue
            self.reload(server, max_conns=1000 + n, idle_timeout=f"{10 + n}s",
                        listen=["127.0.0.1:0", *([extra] if n % 2 else [])])
        for load in (busy, coming):
            r = load.interrupted()
            self.assertEqual(r.errors, {}, r)
            self.assertEqual((r["connections"]["failed"], r["messages"]["lost"], r["messages"]["corrupt"]), (0, 0, 0), r)
        self.wait_counters(server, lambda c: c.open == 0 and c.balanced(), "all are accounted for")

    @only("epoll", "io_uring")
    def test_more_connections_than_it_began_with(self):
        """A limit that rises beyond the slots that there were."""
        server = self.serve(listen="127.0.0.1:0", max_conns=1, workers=1)
        self.assertChanged(server, "max_conns = 5k", listen="127.0.0.1:0", max_conns="5k", workers=1)
        socks = [self.connect(server) for _ in range(700)]
        self.assertServes(*socks)
        self.assertEqual(server.counters().open, 700)

    @only("epoll", "io_uring")
    @not_in("tsan", "valgrind")  # the one believes in one table of descriptors, the other knows no pidfd
    def test_a_listener_for_threads_with_tables_of_their_own(self):
        new = self.free()
        server = self.serve(listen="127.0.0.1:0", own_descriptors="on", workers=2)
        sock = self.connect(server)
        self.assertChanged(server, "[^\n]*", own_descriptors="on", workers=2,
                           listen=["127.0.0.1:0", text_of(new)])
        self.assertServes(sock, *[self.connect(new) for _ in range(8)])
        self.assertChanged(server, "[^\n]*", listen="127.0.0.1:0", own_descriptors="on", workers=2)
        self.assertNobodyHome(new)
        self.assertServes(sock, self.connect(server))

    @only("epoll", "io_uring")
    @covers("echod", "keepalive", "backlog")
    def test_options_of_sockets_hold_for_those_that_come(self):
        server = self.serve(listen="127.0.0.1:0")

        def keepalive():
            sock = self.connect(server)
            self.assertServes(sock)
            rows = subprocess.run(["ss", "-tnoH", f"sport = :{server.port} and dport = :{sock.getsockname()[1]}"],
                                  capture_output=True, text=True, check=True).stdout
            return "keepalive" in rows

        self.assertFalse(keepalive())
        self.assertChanged(server, "backlog = 77, keepalive = 30s/5s/3", listen="127.0.0.1:0", backlog=77,
                           keepalive="30s/5s/3")
        self.assertTrue(keepalive())
        listening = subprocess.run(["ss", "-tlnH", f"sport = :{server.port}"], capture_output=True, text=True, check=True)
        self.assertEqual({row.split()[2] for row in listening.stdout.splitlines()}, {"77"})
        self.assertChanged(server, "backlog = 4096, keepalive = off", listen="127.0.0.1:0")
        self.assertFalse(keepalive())

    def test_hangups_of_all_kill_no_child(self):
        """pkill -HUP echod"""
        server = self.serve(listen="127.0.0.1:0")
        socks = [self.connect(server) for _ in range(3)]
        self.assertServes(*socks)
        for pid in server.children():
            os.kill(pid, signal.SIGHUP)
        self.assertIn("nothing has changed", self.reload(server))
        self.assertServes(*socks)


class Workers(ReloadCase):
    """What fails in one of them changes none."""

    @not_in(*SANITIZERS, "valgrind")  # whose runtimes must be loaded first
    def test_a_worker_that_cannot_listen(self):
        listens = 4  # calls until two workers wait for their listeners and to be woken
        for failing in (1, 2):
            env = {"ECHOLAB_FAULT": f"epoll_ctl:{listens + failing}:{errno.ENOMEM}", "ECHOLAB_FAULT_LOG": "/dev/null",
                   "LD_PRELOAD": BIN / "preload" / "fault.so"}
            server = self.serve(options={"backend": "epoll", "env": env}, workers=2, max_conns=10)
            new, descriptors = self.free(), server.descriptors()
            keys = {"workers": 2, "max_conns": 7, "listen": ["127.0.0.1:0", text_of(new)]}
            self.assertUnchanged(server, "the workers cannot change: Cannot allocate memory", **keys)
            self.assertNobodyHome(new)
            self.wait_until(lambda: server.descriptors() <= descriptors, "what was opened is closed")
            self.assertServes(self.connect(server))
            self.assertChanged(server, "listen = [^\n]*, max_conns = 7; listening on [^\n]*", **keys)
            self.assertServes(*[self.connect(new) for _ in range(4)])


class Rows(ReloadCase):
    """Every row of the tables: that it is live, its help says, and SIGHUP does as it says."""
    TRIED = ("on", "off", "serve", "drain 1s", "epoll", "once", "0", "1000", "3", "64", "3s", "1ms", "30s/5s/3", "4Ki", "1Mi", "reno",
             "cubic", "json", "error", "unix:/run/echolab-nowhere/t", "echolab.prom")

    def rows(self):
        """{(section, key): (value, whether it is live, the words of its help)}"""
        out, found, section = run([*program("echod"), "--print-config"]).out, {}, None
        text = run([*program("echod"), "--help"]).out
        blocks = dict(re.findall(r"^ +(?:-\w,)? +--(?:\[no-\])?([\w-]+)(.*?)(?=^ +(?:-\w,)? +--|^\S|\Z)", text, re.M | re.S))
        for line in out.splitlines():
            if head := re.match(r"\[(\w+)\]", line):
                section = head[1]
            elif row := re.match(r";? ?(\w+)\s*= ?(.*?)\s*;", line):
                name = row[1].replace("_", "-") if section == "server" else f"{section}-{row[1].replace('_', '-')}"
                block = blocks.get(name)
                self.assertIsNotNone(block, name)
                block = " ".join(block.split())
                found[section, row[1]] = (row[2], bool(re.search(r"\blive\)", block)), re.findall(r"[\w-]+", block))
        return found

    def another(self, section, key, value, words):
        """A value that this key takes, other than the one that it has."""
        if key == "listen":
            return text_of(self.free())
        for tried in (*self.TRIED, *words):  # its help names the values of one that is a word
            path = self.config_file(f"[{section}]\n{key} = {tried}\n")
            r = run([*program("echod"), "-f", str(path), "--print-config"])
            if r.code == OK and tried != value and not re.search(rf"(?m)^{key}\s*= {re.escape(value)}\s*;", r.out):
                return tried
        return self.fail(f"{key}: none of the values that are tried fits, add one")

    def test_every_row_keeps_its_word(self):
        rows = self.rows()
        self.assertGreater(len(rows), 20)
        self.assertTrue(len({live for _, live, _ in rows.values()}) == 2)
        server = self.serve("--listen=127.0.0.1:0", f"--listen=unix:{self.folder()}/s", options={"backend": None},
                            max_conns=100, listen=[])
        for (section, key), (value, live, words) in rows.items():
            with self.subTest(section=section, key=key):
                if key == "listen":
                    continue  # of the command line here: EachReload has it
                other = self.another(section, key, value, words)
                if key == "takeover":
                    other = f"unix:{self.folder()}/t"
                name = key if section == "server" else f"{section}.{key}"
                beside = "user = nobody\n" if key == "group" else ""
                said = self.reload(server, f"[{section}]\n{key} = {other}\n{beside}")
                if live:
                    self.assertRegex(said, rf"SIGHUP: now ([^\n]*, )?{name} = ")
                    self.assertNotIn("takes a restart", said)
                else:
                    self.assertRegex(said, rf"(?m)^echod: warning: SIGHUP: FILE:2: {name}: [^\n]* takes a restart")
                self.assertServes(self.connect(server))
        self.reload(server, "[server]\n")


class Files(ReloadCase):
    def test_without_a_file_there_is_nothing_to_read(self):
        server = self.echod()
        self.path = "no file at all"
        self.assertUnchanged(server, "no configuration file .-f.: cannot be read again")
        self.assertServes(self.connect(server))

    def test_a_pipe_is_not_waited_for(self):
        server = self.serve(listen="127.0.0.1:0")
        self.path.unlink()
        os.mkfifo(self.path)
        self.assertUnchanged(server, "FILE: cannot be read again")
        self.assertServes(self.connect(server))

    def test_a_relative_path_is_one_from_where_it_was_started(self):
        if WRAP:
            self.skipTest("what runs is not echod")
        self.path = self.config_file("[server]\nlisten = 127.0.0.1:0\n")
        server = self.echod("-f", self.path.name, listen=None, prefix=["env", "-C", str(self.path.parent)])
        self.write(listen="127.0.0.1:0", max_conns=5)
        self.assertRegex(self.reload(server), r"SIGHUP: now max_conns = 5\n")
        self.write("worker = 1\n")
        self.assertRegex(self.reload(server), rf"SIGHUP: {self.path.name}:1: ")

    def test_a_host_name_is_all_its_addresses_and_is_looked_up_anew(self):
        known = {a[4][0] for a in socket.getaddrinfo("localhost", 7007, type=socket.SOCK_STREAM)}
        ns = self.namespace("ip link set lo up")
        server = self.serve(listen="localhost:7007", options={"prefix": ns.prefix})
        self.assertEqual({host for host, _ in server.addrs}, known)
        with ns:
            socks = [self.connect(addr) for addr in server.addrs]
            self.assertChanged(server, "listen = [^\n]*, 127.0.0.2:7007; listening on [^\n]*",
                               listen=["localhost:7007", "127.0.0.2:7007"])
            self.assertServes(*socks, *[self.connect(addr) for addr in server.addrs], self.connect(("127.0.0.2", 7007)))

    @covers("echod", "check")
    def test_a_file_is_checked_before_it_is_used(self):
        server = self.serve(listen="127.0.0.1:0")
        self.write("[server]\nworker = 1\n")
        r = run([*program("echod"), "-f", str(self.path), "--check"])
        self.assertEqual((r.code, r.out), (USAGE, ""))
        self.assertRegex(r.err, r"\Aechod: error: \S+:2: unknown key 'worker'[^\n]*\n\Z")
        self.write(listen="127.0.0.1:0", max_conns=5)
        self.assertEqual(run([*program("echod"), "-f", str(self.path), "--check"]).code, OK)
        self.assertServes(self.connect(server))

    @not_in("valgrind")  # which has a limit of its own
    def test_without_descriptors_nothing_changes(self):
        server = self.serve(options={"backend": "epoll"}, listen="127.0.0.1:0", workers=2, max_conns=10)
        sock, host = self.connect(server), self.free()[0]
        self.assertServes(sock)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, [server.descriptors() + 1] * 2)
        self.assertUnchanged(server, rf"{host}:0: Too many open files", workers=2, max_conns=10,
                             listen=["127.0.0.1:0", *[f"{host}:0"] * 12])
        self.assertServes(sock)
