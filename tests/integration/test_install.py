# SPDX-License-Identifier: MIT
"""What packagers rely on: the archive of a commit is always the same, and `make install` puts things where they belong."""
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import unittest
from pathlib import Path

from echolab import BIN, ROOT, VARIANT, TestCase, run

PROGRAMS = [name for name in ("echod", "echoload", "echodrill", "echobench") if (BIN / name).exists()]


def make(*argv, cwd=ROOT, umask=0o022, **env):
    """With the variables that the make above the tests was given (CC=clang), but no part of it: its jobs are not ours."""
    given = os.environ.get("MAKEFLAGS", "").partition(" -- ")[2] if cwd == ROOT else ""
    clean = {k: v for k, v in os.environ.items() if k not in ("MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    clean["MAKEFLAGS"] = f" -- {given}" if given else ""
    r = subprocess.run(["make", "--no-print-directory", *argv], cwd=cwd, env={**clean, **env}, umask=umask,
                       capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


@unittest.skipUnless((ROOT / ".git").exists(), "needs a git checkout")
class Dist(TestCase):
    def archive(self, umask, **env):
        """Of a clone of its own, as somebody else makes it."""
        place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))
        home = place / "home"
        home.mkdir()
        (home / ".gitconfig").write_text("[core]\n\tabbrev = 30\n\tautocrlf = true\n[tar]\n\tumask = 0077\n"
                                         "[safe]\n\tdirectory = *\n" if env else "[safe]\n\tdirectory = *\n")
        subprocess.run(["git", "clone", "-q", ROOT, place / "clone"], check=True, timeout=60,
                       env={**os.environ, "HOME": str(home), "GIT_CONFIG_COUNT": "1",
                            "GIT_CONFIG_KEY_0": "core.autocrlf", "GIT_CONFIG_VALUE_0": "false"})
        name = make("dist", cwd=place / "clone", umask=umask, HOME=str(home), **env).split()[-1]
        return place / "clone" / name

    def test_two_people_make_the_same_archive(self):
        one = self.archive(0o022)
        self.wait_until(lambda: time.time() > int(one.stat().st_mtime) + 1, "another second")
        two = self.archive(0o077, TZ="Asia/Tokyo", LC_ALL="C.UTF-8", GZIP="")
        self.assertEqual(one.name, two.name)
        self.assertEqual(hashlib.sha256(one.read_bytes()).hexdigest(), hashlib.sha256(two.read_bytes()).hexdigest())
        with tarfile.open(one) as tar:
            members = tar.getmembers()
        top = one.name.removesuffix(".tar.gz")
        self.assertEqual({m.name.split("/")[0] for m in members}, {top})
        self.assertIn(f"{top}/VERSION", [m.name for m in members])
        self.assertEqual({(m.uid, m.gid) for m in members}, {(0, 0)})
        self.assertEqual({oct(m.mode) for m in members if m.isfile()}, {"0o644", "0o755"})


    def test_none_is_made_where_git_fails(self):
        """Half an archive would be packed as if it were all."""
        place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))
        git = place / "git"
        git.write_text(f'#!/bin/sh\ncase "$*" in *archive*) exit 3 ;; esac\nexec {shutil.which("git")} "$@"\n')
        git.chmod(0o755)
        with self.assertRaisesRegex(AssertionError, "dist. Error 3"):
            self.archive(0o022, PATH=f"{place}:{os.environ['PATH']}")


class Install(TestCase):
    def install(self, *argv):
        place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))
        make(f"VARIANT={VARIANT}", f"DESTDIR={place}", *argv, "install")
        return place

    def files(self, place):
        return {str(p.relative_to(place)) for p in place.rglob("*") if not p.is_dir()}

    def test_everything_is_where_its_reader_looks(self):
        place = self.install("PREFIX=/usr")
        wanted = {where.format(p) for p in PROGRAMS for where in (
            "usr/bin/{}", "usr/share/man/man1/{}.1", "usr/share/bash-completion/completions/{}",
            "usr/share/zsh/site-functions/_{}", "usr/share/fish/vendor_completions.d/{}.fish")}
        found = self.files(place)
        self.assertEqual(wanted - found, set())
        for p in (ROOT / "configs").rglob("*.conf"):
            self.assertIn(f"usr/share/echolab/{p.relative_to(ROOT)}", found)
        runs = {p for p in found if p.startswith("usr/bin/")} | {f"usr/share/echolab/{p.relative_to(ROOT)}" for p in
                                                                 (ROOT / "configs/hosts").glob("*.*") if os.access(p, os.X_OK)}
        self.assertEqual({p for p in found if (place / p).stat().st_mode & 0o777 == 0o755}, runs)
        self.assertEqual({p for p in found if (place / p).stat().st_mode & 0o777 == 0o644}, found - runs)
        self.assertIn("server-killed", run([place / "usr/bin/echodrill", "list"]).out)  # it finds those beside it
        self.assertTrue((place / "usr/share/man/man1/echod.1").read_text().startswith(".Dd "))

    def test_folders_can_be_named_and_uninstall_takes_everything_out(self):
        places = ("PREFIX=/opt", "BINDIR=/opt/sbin", "ZSHDIR=/opt/zsh/vendor-completions")
        place = self.install(*places)
        found = self.files(place)
        self.assertLessEqual({f"opt/sbin/{p}" for p in PROGRAMS} | {f"opt/zsh/vendor-completions/_{p}" for p in PROGRAMS}, found)
        make(f"VARIANT={VARIANT}", f"DESTDIR={place}", *places, "uninstall")
        self.assertEqual(self.files(place), {"opt/etc/echolab/echod.conf"})  # whoever runs it may have changed it
