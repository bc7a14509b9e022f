# SPDX-License-Identifier: MIT
"""Bad input and an environment that does not allow it: one clear line, the exit code, nothing left behind."""
import os
import re
import shutil
import socket
import unittest

from echolab import BIN, ENVIRONMENT, OK, ROOT, USAGE, TestCase, covers, for_each_backend, not_in, program, run


class Errors(TestCase):
    def fails(self, result, code, pattern):
        """One line that says it, and that exit code."""
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, rf"\Aechod: (error: )?[^\n]*{pattern}[^\n]*\n\Z")

    def file(self, text, *argv):
        """What echod says to a config file; its path is FILE in what is expected."""
        path = self.config_file(text)
        r = run([*program("echod"), "-f", str(path), *argv])
        return r._replace(err=r.err.replace(str(path), "FILE"))

    def test_unknown_key_in_a_file(self):
        self.fails(self.file("[server]\nbackend = epoll\nworker = 3\n", "--check"), USAGE, r"FILE:3: .*worker.*workers")

    def test_unknown_section(self):
        self.fails(self.file("[sever]\nworkers = 3\n", "--check"), USAGE, r"FILE:\d: .*sever")

    def test_duplicate_key(self):
        self.fails(self.file("[server]\nworkers = 3\nbacklog = 1\nworkers = 3\n", "--check"), USAGE,
                   r"FILE:4: .*workers")

    def test_value_out_of_range(self):
        self.fails(self.file("[server]\n\nbacklog = 65536\n", "--check"), USAGE, r"FILE:3: .*backlog.*65535")

    def test_value_that_is_none(self):
        for key, value in (("workers", "many"), ("workers", "-1"), ("idle_timeout", "5"), ("max_unsent", "1Q"),
                           ("listen", "localhost"), ("listen", "127.0.0.1:70000"), ("keepalive", "30s"),
                           ("keepalive", "30s/0s/3"), ("shutdown", "later"), ("shutdown", "drain"), ("cpus", "3-1"),
                           ("cpus", "a"), ("congestion", "nosuch"), ("backend", "select"), ("backlog", ""),
                           ("user_timeout", "1us"), ("user_timeout", "25h"), ("max_conns", "0")):
            with self.subTest(key=key, value=value):
                self.fails(self.file(f"[server]\n{key} = {value}\n", "--check"), USAGE, rf"FILE:2: .*{key}")

    def test_over_long_line(self):
        self.fails(self.file("[server]\nworkers = " + "1" * 5000 + "\n", "--check"), USAGE, r"FILE:2: ")

    def test_indented_line(self):
        self.fails(self.file("[server]\nworkers = 1\n  backlog = 3\n", "--check"), USAGE, r"FILE:3: ")

    def test_command_line(self):
        for argv, words in ((["--worker=3"], "worker.*workers"), (["--workers"], "workers"),
                            (["--workers=x"], "workers"), (["file.conf"], "file.conf"), (["--check=1"], "check"),
                            (["-x"], "-x"), (["--epoll-bufer=3"], "epoll-bufer.*epoll-buffer")):
            with self.subTest(argv=argv):
                self.fails(run([*program("echod"), *argv]), USAGE, words)

    def test_environment(self):
        for name, words in (("ECHOD_WORKER", "ECHOD_WORKER.*(?i:workers)"), ("ECHOD_WORKERS", "ECHOD_WORKERS")):
            with self.subTest(name=name):
                self.fails(run([*program("echod"), "--check"], env={name: "many"}), USAGE, words)

    def test_file_that_is_not_there(self):
        r = run([*program("echod"), "-f", "/nonexistent/echod.conf"])
        self.fails(r, USAGE, "/nonexistent/echod.conf.*No such file")

    def test_directory_for_a_file(self):
        r = run([*program("echod"), "-f", "/tmp"])
        self.fails(r, USAGE, "/tmp.*(?i:directory)")

    def test_binary_for_a_file(self):
        self.fails(run([*program("echod"), "-f", str(BIN / "echod"), "--check"]), USAGE, r"echod:1: ")

    def test_address_of_somebody_else(self):
        self.fails(self.run_echod(listen="192.0.2.1:0"), ENVIRONMENT, "192.0.2.1:0.*assign")

    @unittest.skipIf(not shutil.which("setpriv"), "needs setpriv")
    def test_a_port_that_needs_privilege(self):
        """As nobody, and without the sysctl that hands out low ports."""
        first = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read())
        if first == 0:
            self.skipTest("here every port is free for all")
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        argv = program("echod")
        if nobody:  # the tree may be closed to nobody
            copy = self.config_file("").parent / "echod"
            shutil.copy(BIN / "echod", copy)
            copy.parent.chmod(0o755)
            self.addCleanup(copy.unlink)
            argv = [*program("echod")[:-1], str(copy)]
        self.fails(run([*nobody, *argv, f"--listen=127.0.0.1:{first - 1}"]), ENVIRONMENT,
                   rf"127.0.0.1:{first - 1}.*Permission denied")

    def test_out_of_memory_at_start(self):
        """More than this machine can promise."""
        r = self.run_echod(max_unsent_total="1024Gi", workers=64)
        self.fails(r, ENVIRONMENT, "(?i:memory)")

    @not_in("valgrind")
    def test_too_few_descriptors_to_start(self):
        for options in ({"workers": 1}, {"workers": 9, "listen": ["127.0.0.1:0", "[::1]:0"]}, {"backend": "fork"}):
            with self.subTest(options):
                r = self.run_echod(prefix=["prlimit", "--nofile=6:6"], **options)
                self.fails(r, ENVIRONMENT, r"workers? needs? \d+ descriptors, ulimit -n allows 6$")
                need = re.search(r"needs? (\d+)", r.err)[1]
                server = self.echod(prefix=["prlimit", f"--nofile={need}:{need}"], **options)
                self.assertEcho(self.connect(server), b"so many are enough for one peer")


@for_each_backend
class EachPort(TestCase):
    def test_a_port_in_use_by_another_echod(self):
        """SO_REUSEPORT would let two share it silently."""
        server = self.echod()
        r = self.run_echod(listen=f"127.0.0.1:{server.port}")
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertRegex(r.err, rf"\Aechod: error: [^\n]*127.0.0.1:{server.port}[^\n]*in use[^\n]*\n\Z")
        self.assertEcho(self.connect(server), b"the first one goes on")

    def test_a_port_in_use_by_somebody_who_would_share(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            r = self.run_echod(listen=f"127.0.0.1:{other.getsockname()[1]}")
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertIn("in use", r.err)

    def test_the_same_address_twice(self):
        server = self.echod()
        port = server.port
        server.stop()
        r = self.run_echod(listen=[f"127.0.0.1:{port}", f"127.0.0.1:{port}"])
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertNobodyHome(("127.0.0.1", port))

    def test_the_second_of_two_addresses_in_use(self):
        first, second = self.echod(), self.echod()
        first.stop()
        r = self.run_echod(listen=[f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"])
        self.assertEqual(r.code, ENVIRONMENT)
        self.assertNobodyHome(first.addr)


class ForkCannot(TestCase):
    def test_a_key_that_fork_cannot_honour_is_an_error(self):
        for key, value in (("workers", "2"), ("busy_poll", "1ms"), ("own_descriptors", "on"), ("balance", "least"),
                           ("max_unsent", "1Mi"), ("max_unsent_total", "1Mi")):
            r = self.run_echod("--check", backend="fork", **{key: value})
            self.assertEqual(r.code, USAGE, r)
            self.assertRegex(r.err, rf"\Aechod: error: [^\n]*{key.replace('_', '.')}[^\n]*fork[^\n]*\n\Z")


class Answers(TestCase):
    """What echod says about itself."""

    def test_a_file_with_every_key_at_its_default_asks_for_nothing(self):
        """So nothing in it is refused, whatever else is asked for."""
        for also in ({"backend": "io_uring"}, {"backend": "epoll"}, {"backend": "fork"}, {"listen": "unix:/no/such/socket"},
                     {"listen": "127.0.0.1:0"}):
            r = self.run_echod("-f", ROOT / "configs/echod.conf", "--check", **also)
            self.assertEqual(r.code, OK, r)

    @covers("echod", "check")
    def test_check_says_so_and_serves_nobody(self):
        port = self.echod()
        r = self.run_echod("--check", listen=f"127.0.0.1:{port.port}")  # in use: nothing is opened
        self.assertEqual((r.code, r.out), (OK, ""))
        self.assertIn("good", r.err)
        r = self.run_echod("--check", log="json", log_level="error")  # of the server's log, not of this answer
        self.assertEqual((r.code, r.err), (OK, "echod: the configuration is good\n"))

    @covers("echod", "config")
    def test_config_file_by_both_names(self):
        path = str(self.config_file("[server]\nworkers = 3\n"))
        for argv in (["-f", path], [f"-f{path}"], ["--config", path], [f"--config={path}"]):
            self.assertRegex(run([*program("echod"), *argv, "--print-config"]).out, r"(?m)^workers +=  *3 ")

    @covers("echod", "print_config")
    def test_print_config_names_each_source_and_can_be_read_again(self):
        path = self.config_file("[server]\nbacklog = 77\nmax_conns = 10\nworkers = 3\n")
        r = run([*program("echod"), "-f", str(path), "--workers=1", "--print-config"], env={"ECHOD_MAX_CONNS": "20"})
        self.assertEqual((r.code, r.err), (OK, ""))
        for line in (rf"backlog\s*= 77\s*; {path}:2", r"max_conns\s*= 20\s*; ECHOD_MAX_CONNS|.*environment",
                     r"workers\s*= 1\s*; .*(command line|--workers)", r"shutdown\s*= drain 5s\s*; default"):
            self.assertRegex(r.out, line)
        again = run([*program("echod"), "-f", str(self.config_file(r.out)), "--print-config"])
        self.assertEqual((again.code, again.err), (OK, ""))
        self.assertEqual(re.sub(r"\s*;.*", "", again.out), re.sub(r"\s*;.*", "", r.out))

    def test_the_shipped_config_is_the_defaults(self):
        shipped = run([*program("echod"), "-f", str(ROOT / "configs/echod.conf"), "--print-config"])
        plain = run([*program("echod"), "--print-config"])
        self.assertEqual((shipped.code, shipped.err), (OK, ""))
        self.assertEqual(re.sub(r"\s*;.*", "", shipped.out), re.sub(r"\s*;.*", "", plain.out))

    @covers("echod", "help")
    def test_help_fits_a_terminal_and_goes_to_stdout(self):
        for flag in ("--help", "-h"):
            r = run([*program("echod"), flag])
            self.assertEqual((r.code, r.err), (OK, ""))
            self.assertRegex(r.out, "(?i)usage: echod")
            self.assertEqual([line for line in r.out.splitlines() if len(line) > 80], [])

    @covers("echod", "version")
    def test_version(self):
        r = run([*program("echod"), "--version"])
        self.assertEqual((r.code, r.err), (OK, ""))
        self.assertRegex(r.out, r"\Aechod \S+\nbackends: (\w+ )*epoll\b")

    @covers("echod", "man")
    def test_man_page_names_every_key(self):
        r = run([*program("echod"), "--man"])
        self.assertEqual((r.code, r.err), (OK, ""))
        self.assertTrue(r.out.startswith(".\\\"") or r.out.startswith(".Dd"), r.out[:80])
        for key in ("workers", "backlog", "print-config", "epoll"):
            self.assertIn(key, r.out.replace("\\-", "-"))

    def test_output_that_cannot_be_written_is_an_error(self):
        for flag in ("--help", "--version", "--man", "--print-config"):
            with self.subTest(flag=flag), open("/dev/full", "w") as full:
                r = run([*program("echod"), flag], stdout=full)
                self.assertEqual(r.code, ENVIRONMENT)
                self.assertRegex(r.err, r"\Aechod: error: [^\n]*(space|write)[^\n]*\n\Z")

    def test_closed_output_is_an_error(self):
        r = run(["sh", "-c", 'exec "$@" >&-', "sh", *program("echod"), "--help"])
        self.assertEqual(r.code, ENVIRONMENT)

    def test_counters_that_cannot_be_written_are_an_error_at_the_end(self):
        with open("/dev/full", "w") as full:
            server = self.echod(stdout=full)
            sock = self.connect(server)
            self.assertEcho(sock, b"served all the same")
            sock.close()
            self.assertEqual(server.stop(), ENVIRONMENT)

    def test_a_pipe_that_nobody_reads_any_more(self):
        r, w = os.pipe()
        with os.fdopen(w, "w") as to:
            server = self.echod(stdout=to)
        os.close(r)
        server.send_signal(10)  # SIGUSR1: must not die of SIGPIPE
        sock = self.connect(server)
        self.assertEcho(sock, b"alive")
        sock.close()
        self.assertEqual(server.stop(), ENVIRONMENT)
