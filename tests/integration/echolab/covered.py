# SPDX-License-Identifier: MIT
"""Which test sees the effect of which option."""
import collections


COVERED = collections.defaultdict(list)  # (program, key) -> names of tests


def covers(program_name, *keys):
    """Says that a test sees the effect of these options: keys as in the first section of the config file, those of
    another section with its name before them (epoll_buffer)."""
    def mark(test):
        for key in keys:
            COVERED[program_name, key].append(f"{test.__module__}.{test.__name__}" if test else "not in this variant")
        return test
    return mark
