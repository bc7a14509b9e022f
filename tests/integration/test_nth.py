# SPDX-License-Identifier: MIT
"""A few of the calls that tests/nth makes fail, all of which takes hours: of each scenario those in which faults were."""
import errno

from echolab import SANITIZERS, TestCase, not_in
from nthkinds import SCENARIOS
from nthlab import made, row

# scenario: [(call, errno)]; n is 1, 2, 3, 5, 8, 14, ...
FEW = {
    "merge": [("malloc", errno.ENOMEM), ("rename", errno.EACCES)],
    "merge-parts": [("malloc", errno.ENOMEM)],
    "plot": [("malloc", errno.ENOMEM), ("disk", errno.EFBIG)],
    "report": [("malloc", errno.ENOMEM)],
    "echod-config": [("malloc", errno.ENOMEM)],
    "load-epoll": [("malloc", errno.ENOMEM), ("pthread_create", errno.EAGAIN), ("connect", errno.EADDRNOTAVAIL)],
    "load-io_uring": [("sqe_recv", errno.ECANCELED), ("sqe_send", "short")],
    "textbook": [("write", "short"), ("write_file", errno.ENOSPC)],
    "interactive": [("poll", errno.ENOMEM)],
    "serve-epoll": [("malloc", errno.ENOMEM)],
    "serve-io_uring": [("sqe_accept", "once")],
    "takeover": [("malloc", errno.ENOMEM)],
    "drill": [("malloc", errno.ENOMEM)],
}


class EveryNth(TestCase):
    def few(self, *names):
        for name in names:
            with made(SCENARIOS[name]) as scenario:
                for call, what in FEW[name]:
                    runs, wrong = row(scenario, call, what, "few", most_wrong=1)
                    for fault, why in wrong:
                        self.fail(f"tests/nth {name} {fault}: {why}")
                    self.assertGreater(runs, 0, f"{name} never calls {call}")

    # the sanitizers' runtimes must be loaded first, and valgrind replaces some of these functions itself
    natively = not_in(*SANITIZERS, "valgrind")

    @natively
    def test_readers_of_results(self):
        self.few("merge", "merge-parts", "plot", "report")

    @natively
    def test_loads(self):
        self.few("load-epoll", "load-io_uring")

    @natively
    def test_clients_for_people(self):
        self.few("interactive", "textbook")

    @natively
    def test_servers(self):
        self.few("echod-config", "serve-epoll", "serve-io_uring", "takeover")

    @natively
    def test_a_drill(self):
        self.few("drill")
