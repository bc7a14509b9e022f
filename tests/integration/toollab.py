# SPDX-License-Identifier: MIT
"""What tests of a program in tools/ need: a folder of their own, and to see that nothing goes on behind it."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from echolab import ROOT, TestCase, clean_env, slow

sys.path.append(str(ROOT / "tools"))  # for its modules


class Tool(TestCase):
    tool = None

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, self.place)

    def argv(self, *args):
        return [sys.executable, ROOT / "tools" / self.tool, *args]

    def make(self, *args, **env):
        return subprocess.run(self.argv(*args), capture_output=True, text=True, timeout=slow(120), env=clean_env() | env)

    def asserts_gone(self, mark):
        """Nothing runs any more that has this in its command line."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                self.assertNotIn(mark, Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
            except (FileNotFoundError, ProcessLookupError):
                pass
