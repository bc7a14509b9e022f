# SPDX-License-Identifier: MIT
"""The n-th call of a function fails, n = 1, 2, 3 ... until a run is clean: echod survives, what it echoes is exact,
every connection ends for a cause that is counted, and who does not get all that is theirs is not told that it was all:
that is a reset, never a FIN. If it cannot start, it says so in one line."""
import contextlib
import ctypes
import errno
import itertools
import os
import signal
import struct

from echolab import (BIN, ENVIRONMENT, OK, SANITIZERS, Echod, Failed, Reader, Sender, TestCase, as_options,
                     end_of, fill, for_each_backend, half_close, not_in, only, pattern, recv_exactly, rst)

PRELOAD = BIN / "preload" / "fault.so"
SMALL, LARGE = pattern(150000, 1), pattern(1 << 20, 2)


class Starting(Echod):
    """An echod that may as well end before it listens."""
    addr = None

    def listening(self):
        with contextlib.suppress(Failed):
            super().listening()


SYS_IO_URING_SETUP, RW_ATTR = 425, 1 << 16  # IORING_FEAT_RW_ATTR: Linux 6.14


def ring_features():
    """IORING_FEAT_* of this kernel (struct io_uring_params, linux/io_uring.h)."""
    params = ctypes.create_string_buffer(120)
    ring = ctypes.CDLL(None).syscall(SYS_IO_URING_SETUP, 1, params)
    if ring < 0:
        return 0
    os.close(ring)
    return struct.unpack_from("I", params, 20)[0]


# the sanitizers' runtimes must be loaded first, and valgrind replaces some of these functions itself
natively = not_in(*SANITIZERS, "valgrind")


@for_each_backend
class Each(TestCase):
    options = {}

    def fault(self, what):
        """One run with that fault. Returns whether it happened."""
        log, self.what = self.config_file(""), what
        env = {"ECHOLAB_FAULT": what, "ECHOLAB_FAULT_LOG": log, "LD_PRELOAD": PRELOAD, "ECHOLAB_SNDBUF": 16384}
        options = {"backend": self.backend, "listen": "127.0.0.1:0", "shutdown": "drain 20s"} | self.options
        server = Starting(as_options(options | ({} if self.backend == "fork" else {"workers": 1})), env)
        try:
            if server.addr:
                self.serves(server)
            else:
                self.assertEqual(server.wait(), ENVIRONMENT, server.said())
                self.assertRegex(server.err.text, r"\Aechod: error: [^\n]*\n\Z")
        except OSError as e:
            raise Failed(f"{e!r}: {server.said()}") from e
        finally:
            server.end()
        return log.read_text().startswith(what.partition(":")[0])

    def serves(self, server):
        """What it must do, whether the fault has happened or is to come."""
        incomplete = self.peers(server)
        last = self.wait_until(lambda: self.served(server), "it serves the next")
        c = self.wait_counters(server, lambda c: c.open <= 1 and c.balanced(), "all but the last are gone")
        if c.open == 0:  # the fault came after its answer
            self.assertEqual(end_of(last), "ECONNRESET")
            last = self.wait_until(lambda: self.served(server), "it serves the next")
        self.assertGreaterEqual(sum(c.closed.values()) - c.closed["eof"], incomplete)
        server.send_signal(signal.SIGTERM)
        self.assertIn(end_of(last), ("eof", "ECONNRESET"))
        last.close()
        self.assertEqual(server.wait(), OK, server.said())
        self.assertTrue(server.final.balanced())
        self.assertEqual(len(server.err.text.splitlines()), 1, server.err.text)

    def reach(self, server, **how):
        """A connection; a second one, if the first was reset before connect had returned."""
        try:
            return self.connect(server, **how)
        except ConnectionResetError:
            return self.connect(server, **how)

    def peers(self, server):
        """One that reads, one that reads late, one that resets. Returns how many did not get all that was theirs."""
        early, late, gone = self.reach(server), self.reach(server, rcvbuf=4096), self.reach(server)
        went, sent, failed = 0, Sender(early, SMALL, then=half_close), []
        with self.noting(failed):
            went = fill(server, late, LARGE, quiet=0.01)
        reads = [Reader(early), Reader(late)]
        with self.noting(failed):
            late.sendall(LARGE[went:])
            half_close(late)
        rst(gone)
        ends = [read.done() for read in reads]
        sent.join(10)
        for sock in (early, late):
            sock.close()
        incomplete = 0
        for mine, (got, how), error in zip((SMALL, LARGE), ends, (sent.error, failed and failed[0])):
            self.assertSame(got, mine[:len(got)])
            if len(got) < len(mine):
                incomplete += 1
                # a reset is told once, to whichever call comes first
                reset = how != "eof" or isinstance(error, ConnectionResetError)
                self.assertTrue(reset or self.turned_away(got), f"a clean end after {len(got)} bytes, {error!r}")
        return incomplete

    @staticmethod
    @contextlib.contextmanager
    def noting(failed):
        """Appends how a send failed."""
        try:
            yield
        except OSError as e:
            if not isinstance(e, ConnectionError) and e.errno != errno.ENOTCONN:
                raise
            failed.append(e)

    def turned_away(self, got):
        """Whether it may be one that was closed at once, without descriptors: by a FIN, as over every limit."""
        return not got and self.what.startswith("accept4:") and int(self.what.rpartition(":")[2]) in (errno.EMFILE,
                                                                                                       errno.ENFILE)

    def served(self, server):
        """A new connection that works; None: that was the one which had to fail."""
        sock = self.reach(server)
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"next")
            got = recv_exactly(sock, 4)
            if got == b"next":
                return sock
            self.assertTrue(self.turned_away(got), f"a clean end after {got}")
        sock.close()
        return None

    def each_call(self, function, *names):
        """Each of the first calls fails in every way, later ones in turn."""
        ways = [getattr(errno, name, name) for name in names]
        for n in itertools.count(1):
            happened = False
            for what in ways if n <= 4 else [ways[n % len(ways)]]:
                with self.subTest(fault=f"{function}:{n}:{errno.errorcode.get(what, what)}"):
                    happened |= self.fault(f"{function}:{n}:{what}")
                self.doCleanups()
            if not happened or n == 300:
                self.assertGreater(n, 1, f"{function} is never called")
                return

    @only("epoll", "fork")
    @natively
    def test_accept(self):
        self.each_call("accept4", "EINTR", "ECONNABORTED", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EPROTO", "EPERM",
                       "ENETDOWN")

    @only("io_uring")
    @natively
    def test_completions(self):
        """Of a receive that ends and of a send, whose bytes have gone nevertheless."""
        self.each_call("cqe_recv", "ENOMEM", "ECONNRESET")
        self.each_call("cqe_send", "ENOBUFS", "ENOMEM", "EPIPE")

    @only("io_uring")
    @natively
    def test_submissions(self):
        """A queue of two is full all the time: memory for what is in it may come later."""
        self.options = {"io_uring_entries": 2}
        self.each_call("io_uring_submit", "EAGAIN", "EBUSY", "EINTR")
        self.each_call("io_uring_submit_and_wait", "EAGAIN", "EBUSY", "EINTR")

    @only("io_uring")
    @natively
    def test_files_of_the_ring(self):
        """A file that enters the table is closed by its end there, and nothing else: whoever is not taken out of it
        gets its FIN, or its reset, all the same."""
        if not ring_features() & RW_ATTR:
            self.skipTest("echod keeps no files in the ring of a kernel before 6.14")
        self.each_call("io_uring_register_files_update", "ENOMEM", "EINVAL")

    @only("epoll")
    @natively
    def test_receive(self):
        self.each_call("recv", "EINTR", "ECONNRESET", "ETIMEDOUT", "ENOMEM")

    @only("epoll")
    @natively
    def test_send(self):
        self.each_call("send", "EINTR", "EPIPE", "ENOBUFS", "ECONNRESET")

    @only("epoll")
    @natively
    def test_send_what_waited(self):
        self.each_call("sendmsg", "EINTR", "EPIPE", "ENOMEM")

    @only("epoll")
    @natively
    def test_wait(self):
        self.each_call("epoll_wait", "EINTR")

    @only("epoll")
    @natively
    def test_register(self):
        self.each_call("epoll_ctl", "ENOMEM", "ENOSPC")
        self.each_call("epoll_create1", "EMFILE", "ENOMEM")

    @only("fork")
    @natively
    def test_read(self):
        self.each_call("read", "EINTR", "short", "ECONNRESET", "ETIMEDOUT", "ENOMEM")

    @only("fork")
    @natively
    def test_write(self):
        self.each_call("write", "EINTR", "short", "EPIPE", "ENOBUFS")

    @only("fork")
    @natively
    def test_fork(self):
        self.each_call("fork", "EAGAIN", "ENOMEM")
        self.each_call("ppoll", "EINTR")

    @natively
    def test_close(self):
        self.each_call("close", "EINTR", "EIO")

    @natively
    def test_what_a_start_needs(self):
        for function, names in (("socket", ["EMFILE", "ENOBUFS"]), ("bind", ["EACCES", "EADDRNOTAVAIL"]),
                                ("listen", ["EADDRINUSE"]), ("setsockopt", ["ENOPROTOOPT"]), ("eventfd", ["EMFILE"]),
                                ("signalfd", ["EMFILE"]), ("mmap", ["ENOMEM"]), ("pthread_create", ["EAGAIN"]),
                                ("open", ["EMFILE"])):
            self.each_call(function, *names)

    @natively
    def test_signals_and_wakeups(self):
        self.each_call("poll", "EINTR")
        self.each_call("shutdown", "ENOTCONN")
