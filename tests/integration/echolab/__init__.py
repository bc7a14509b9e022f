# SPDX-License-Identifier: MIT
"""What integration tests share: programs of ours as processes, sockets, waiting, strace, namespaces.

    from echolab import TestCase, covers, for_each_backend

    @for_each_backend                       # makes Epoll, Fork, ...: a class for each backend of this build
    class Each(TestCase):
        @covers("echod", "max_conns")       # this test sees the effect of that option
        def test_one_too_many_is_turned_away(self):
            server = self.echod(max_conns=1)            # listens when this returns; cleaned up by itself
            first = self.connect(server)
            ...
            self.wait_until(lambda: server.counters().closed["shed"] == 1, "one shed")

Nothing sleeps for a while and hopes: every wait is for an event, with a deadline that only a failure meets.
slow(seconds) stretches a deadline for the variant that is being tested. What a sanitizer or valgrind reports in a
program fails the test that ran it. Every process is a descendant of the test's, and none outlives the test.
"""

from .environment import BIN, ENVIRONMENT, NO_ANSWER, OK, PATIENCE, ROOT, SLOW, UNCONFINED, USAGE, VARIANT, VERDICT, WRAP, slow
from .process import HEEDLESS, Failed, Process, children, clean_env, descendants, program, run, stat_fields
from .echod import Echod, as_options
from .backends import SANITIZERS, class_name, for_each_backend, not_in, offered, only
from .covered import COVERED, covers
from .sockets import Reader, Sender, end_of, fill, half_close, pattern, recv_exactly, recv_to_end, rst, ss
from .strace import clock_is_a_call
from .netns import Namespace, no_namespaces, sh
from .case import TestCase

__all__ = [
    "BIN", "COVERED", "ENVIRONMENT", "Echod", "Failed", "HEEDLESS", "NO_ANSWER", "Namespace", "OK", "PATIENCE", "Process",
    "ROOT", "Reader", "SANITIZERS", "SLOW", "Sender", "TestCase", "UNCONFINED", "USAGE", "VARIANT", "VERDICT", "WRAP",
    "as_options", "children", "class_name", "clean_env", "clock_is_a_call", "covers", "descendants", "end_of",
    "fill", "for_each_backend", "half_close", "no_namespaces", "not_in", "offered", "only", "pattern", "program",
    "recv_exactly", "recv_to_end", "rst", "run", "sh", "slow", "ss", "stat_fields",
]
