# SPDX-License-Identifier: MIT
"""The two clients for people, driven by pipes: what each says, and when, of a server that goes."""
import errno
import os
import pty
import signal
import socket
import subprocess
import threading

from echolab import (BIN, ENVIRONMENT, NO_ANSWER, OK, SANITIZERS, VERDICT, Process, covers, not_in, program,
                     recv_exactly, recv_to_end, rst, run, slow, ss)
from loadlab import LoadCase, target_text

MIB = 1 << 20


class InteractiveCase(LoadCase):
    def start(self, server, *argv, env=None, stdin=subprocess.PIPE, stdout=None):
        return self.keep(Process([*program("echoload"), "--interactive", *argv, target_text(server)], env,
                                 stdin=stdin, stdout=stdout))

    def type(self, client, text):
        client.stdin.write(text.encode() + b"\n")

    def says(self, client, pattern):
        self.assertTrue(client.err.wait_for(pattern), client.said())

    def leaves(self, act):
        """A server that echoes one line and then, when the function that is returned has been called, does `act`."""
        go, acted = threading.Event(), threading.Event()

        def script(sock, n):
            sock.sendall(recv_exactly(sock, 6))
            go.wait(slow(60))
            act(sock)
            sock.close()
            acted.set()

        def leave():
            go.set()
            self.assertTrue(acted.wait(slow(60)))
        peer = self.peer(script)
        self.addCleanup(go.set)
        return peer, leave

    def after_a_line(self, act, *argv):
        """A client that has had one line echoed, and what makes the server act."""
        peer, leave = self.leaves(act)
        client = self.start(peer, *argv)
        self.type(client, "hello")
        self.assertTrue(client.out.wait_for("hello\n"), client.said())
        return client, leave


class Terminal(InteractiveCase):
    def test_a_terminal_gets_text_and_nothing_to_obey(self):
        """What the server made of a line is shown; for a program it comes as it is."""
        said = b"caf\xc3\xa9\t\x1b]0;mine\x07\x9b1m\r\n"
        for argv in ([], ["--textbook"]):
            with self.subTest(argv=argv):
                ours, its = pty.openpty()
                self.addCleanup(os.close, ours)
                client = self.start(self.peer(lambda sock, n: sock.sendall(said * bool(recv_exactly(sock, 6)))), *argv,
                                    stdout=its)
                os.close(its)
                self.type(client, "hello")
                text = b""
                while not text.endswith(b"\n"):
                    text += os.read(ours, 4096)
                self.assertEqual(text, b"caf\xc3\xa9\t\\x1b]0;mine\\x07\\x9b1m\\x0d\r\n")  # \r\n: by the terminal


class Input(InteractiveCase):
    def test_an_input_that_cannot_be_read_has_not_ended(self):
        """A directory can be opened, and not read."""
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        for argv in ([], ["--textbook"]):
            with self.subTest(argv=argv):
                client = self.start(self.echod(), *argv, stdin=folder)
                self.assertEqual(client.wait(), ENVIRONMENT, client.said())
                self.says(client, "cannot read standard input: Is a directory")
                self.assertNotIn("end of input", client.err.text)


class Both(InteractiveCase):
    @covers("echoload", "interactive", "textbook")
    def test_lines_come_back(self):
        server = self.echod()
        for argv in ([], ["--textbook"]):
            with self.subTest(argv=argv):
                client = self.start(server, *argv)
                for text in ("hello", "world"):
                    self.type(client, text)
                    self.assertTrue(client.out.wait_for(text + "\n"), client.said())
                client.stdin.close()
                self.assertEqual(client.wait(), OK, client.said())
                self.assertEqual(client.out.text, "hello\nworld\n")

    def test_nobody_there(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            for argv in ([], ["--textbook"]):
                r = run([*program("echoload"), "--interactive", *argv, f"127.0.0.1:{closed.getsockname()[1]}"])
                self.assertEqual(r.code, NO_ANSWER, r)
                self.assertIn("refused", r.err)


class Right(InteractiveCase):
    """It waits for the terminal and the socket at once."""

    def test_the_death_of_an_idle_server_is_seen_at_once(self):
        server = self.echod(backend="epoll")
        client = self.start(server)
        self.type(client, "hello")
        self.assertTrue(client.out.wait_for("hello\n"), client.said())
        server.kill9()
        self.says(client, r"recv: 0, end of input: the server is gone \(eof, phase idle\)")
        self.assertEqual(client.wait(), VERDICT)

    def test_a_reset_while_idle(self):
        client, leave = self.after_a_line(rst)
        leave()
        self.says(client, r"recv: ECONNRESET: the server is gone \(reset, phase idle\)")
        self.assertEqual(client.wait(), VERDICT)

    def test_the_end_instead_of_an_answer(self):
        for act, words in ((lambda sock: recv_exactly(sock, 6),
                            r"recv: 0, end of input: .*\(eof_early, phase awaiting\)"),
                           (lambda sock: (recv_exactly(sock, 6), rst(sock)),
                            r"recv: ECONNRESET: .*\(reset, phase awaiting\)")):
            with self.subTest(words=words):
                client, leave = self.after_a_line(act)
                self.type(client, "again")
                leave()
                self.says(client, words)
                self.assertEqual(client.wait(), VERDICT)

    def test_a_server_that_does_not_answer_is_given_up_if_asked(self):
        client, _ = self.after_a_line(lambda sock: None, "-T", "300ms")
        self.type(client, "again")
        self.says(client, r"no answer in time: the server is given up \(timeout_answer, phase awaiting\)")
        self.assertEqual(client.wait(), VERDICT, client.said())

    def test_silence_is_no_answer_that_is_owed(self):
        client, _ = self.after_a_line(lambda sock: None, "-T", "100ms")
        with self.assertRaises(subprocess.TimeoutExpired):  # nothing was typed, so nothing ends
            client.popen.wait(0.5)

    def test_a_connect_that_is_not_answered_is_given_up_if_asked(self):
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            with socket.create_connection(full.getsockname()):  # the only place in its queue
                argv = [*program("echoload"), "--interactive", "--connect-timeout", "300ms",
                        f"127.0.0.1:{full.getsockname()[1]}"]
                r = run(argv)
        self.assertEqual(r.code, NO_ANSWER, r)
        self.assertIn("connect: no answer in time (timeout_connect, phase connecting)", r.err)

    def test_options_of_a_load_are_refused(self):
        for argv in (["-c", "2"], ["-n", "5"], ["--json", "x"], ["--textbook", "-T", "1s"]):
            r = run([*program("echoload"), "--interactive", *argv, "127.0.0.1:9"])
            self.assertEqual(r.code, 2, r)
            self.assertRegex(r.err, r"means nothing to (--interactive|the textbook's client)\n$")

    def test_a_reset_in_the_middle_of_what_was_typed(self):
        """The socket is full, so that it waits for room, and for the end."""
        go = threading.Event()

        def script(sock, n):
            recv_exactly(sock, 100000)
            go.wait(slow(60))
            rst(sock)
        peer = self.peer(script, rcvbuf=4096)
        self.addCleanup(go.set)
        client = self.start(peer)
        typing = threading.Thread(target=self.type_without_end, args=[client], daemon=True)
        typing.start()
        self.wait_until(lambda: self.nothing_leaves(peer.port), "nothing more leaves", 60)
        go.set()
        self.says(client, r"(recv|send): ECONNRESET: the server is gone \(reset, phase sending\)")
        self.assertEqual(client.wait(), NO_ANSWER)
        typing.join(slow(20))

    @not_in(*SANITIZERS, "valgrind")
    def test_a_line_that_could_not_be_sent_is_followed_by_a_reset(self):
        begun, ends = threading.Event(), []

        def script(sock, n):
            self.assertEqual(recv_exactly(sock, 6), b"hello\n")
            begun.set()
            ends.append(recv_to_end(sock))
        peer = self.peer(script)
        env = {"LD_PRELOAD": BIN / "preload" / "fault.so", "ECHOLAB_FAULT": f"send:2:{errno.ENOBUFS}"}
        client = self.start(peer, env=env)
        self.type(client, "hello")
        self.assertTrue(begun.wait(slow(60)))
        self.type(client, "world")
        self.says(client, r"send: ENOBUFS: the connection is given up \(local_limit, phase sending\)")
        self.assertEqual(client.wait(), NO_ANSWER)
        self.wait_until(lambda: ends, "the server has seen the end")
        self.assertEqual(ends, [(b"", "ECONNRESET")])

    def type_without_end(self, client):
        try:
            while True:
                client.stdin.write(bytes(65536))
        except BrokenPipeError:
            pass

    def test_much_is_typed_faster_than_it_comes_back(self):
        """It reads while it cannot write: neither end waits for the other."""
        server, folder = self.echod(backend="epoll", max_unsent="4Ki"), self.folder()
        data = bytes(range(256)) * (64 * MIB // 256)
        (folder / "in").write_bytes(data)
        with open(folder / "in", "rb") as typed, open(folder / "out", "wb") as back:
            client = self.start(server, stdin=typed, stdout=back)
            self.assertEqual(client.wait(60), OK, client.said())
        self.assertSame((folder / "out").read_bytes(), data)
        self.says(client, rf"all {len(data)} bytes came back \(finished\)")


class Textbook(InteractiveCase):
    """It blocks on the terminal, then in read: it is told when it asks, and what depends on what came first."""

    def test_nothing_tells_it_of_the_death_of_an_idle_server(self):
        server = self.echod(backend="epoll")
        client = self.start(server, "--textbook")
        self.type(client, "hello")
        self.assertTrue(client.out.wait_for("hello\n"), client.said())
        server.kill9()
        # its kernel knows, and has nobody to tell
        self.wait_until(lambda: ss("-tn", "state", "close-wait", f"dport = :{server.port}"), "the FIN is there")
        self.assertNotIn("gone", client.err.text)
        self.assertTrue(client.running())
        self.type(client, "is anybody there?")
        self.says(client, r"write: 18 bytes, accepted.*the server is gone \((eof_early|reset), phase awaiting\)")
        self.dies_of_sigpipe(client)

    def dies_of_sigpipe(self, client):
        self.type(client, "anybody?")
        self.says(client, "write: EPIPE, with SIGPIPE")
        self.assertEqual(client.wait(), -signal.SIGPIPE)

    def test_a_fin_that_came_before_the_line_is_the_end_of_input(self):
        """The write is accepted, and the read finds the FIN, whatever the line is answered with."""
        client, leave = self.after_a_line(lambda sock: None, "--textbook")
        leave()
        self.type(client, "again")
        self.says(client, r"write: 6 bytes, accepted.*read: 0, end of input: .*\(eof_early, phase awaiting\)")
        self.dies_of_sigpipe(client)

    def test_a_reset_that_came_before_the_line_is_told_to_the_write(self):
        client, leave = self.after_a_line(rst, "--textbook")
        leave()
        self.type(client, "again")
        self.says(client, r"write: ECONNRESET")
        self.dies_of_sigpipe(client)

    def test_a_reset_that_answers_the_line_is_told_to_the_read(self):
        client, leave = self.after_a_line(lambda sock: (recv_exactly(sock, 6), rst(sock)), "--textbook")
        self.type(client, "again")
        leave()
        self.says(client, r"write: 6 bytes, accepted.*read: ECONNRESET: .*\(reset, phase awaiting\)")
        self.dies_of_sigpipe(client)
