# SPDX-License-Identifier: MIT
"""Where the programs are, how they were built, and how much time they need."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VARIANT = os.environ.get("ECHOLAB_VARIANT") or "release"
BIN = Path(os.environ.get("ECHOLAB_BIN") or ROOT / "build" / VARIANT)
WRAP = (os.environ.get("ECHOLAB_WRAP") or "").split()
SLOW = float(os.environ.get("ECHOLAB_SLOW") or 1)
PATIENCE = 20  # seconds, times SLOW: for what takes milliseconds where nothing else runs

# what makes system calls of its own in the programs, or opens files at their end: echod's sandbox is off there
UNCONFINED = VARIANT in ("asan", "tsan", "valgrind", "coverage")

# exit codes of all programs
OK, VERDICT, USAGE, NO_ANSWER, ENVIRONMENT, INTERNAL = 0, 1, 2, 3, 4, 70


def slow(seconds):
    """A deadline, stretched for valgrind and the sanitizers."""
    return seconds * SLOW
