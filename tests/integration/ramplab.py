# SPDX-License-Identifier: MIT
"""What tests of ramps share: connections that come no faster than they may, as a server sees them."""
import time

from loadlab import LONG, echo_all


class Ramps:
    """Part of a LoadCase."""

    def ramp(self, count, **options):
        """A load that is given the time to open so many connections; and when they came, as the server saw it."""
        came = []

        def script(sock, _):
            came.append(time.time())
            echo_all(sock)

        def start(duration):
            peer = self.peer(script)
            came.clear()
            return self.load(peer, warmup="0s", duration=duration, **options, **LONG)
        r = self.as_long_as_needed(start, lambda r: r["connections"]["reached"] == count, 1)
        self.assertEqual((r["connections"]["reached"], len(came)), (count, count), r)
        return r, came

    def assertNotEarly(self, came, r, rate):
        """Not more than so many a second. A busy machine lets the server see them later, never sooner."""
        began = r["context"]["start_unix_ns"] / 1e9
        for i, t in enumerate(sorted(came)):
            self.assertLessEqual(i, rate * (t - began) + 1, f"{[round(t - began, 3) for t in sorted(came)]}")
