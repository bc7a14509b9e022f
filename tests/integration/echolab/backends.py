# SPDX-License-Identifier: MIT
"""The backends of this build: a test class for each."""
import functools
import subprocess
import sys
import unittest

from .environment import BIN, ENVIRONMENT, PATIENCE, VARIANT, slow
from .process import Failed, clean_env


@functools.cache
def offered():
    """{name: why it cannot run here, or ""} of the backends of this build that can serve."""
    exe = str(BIN / "echod")
    said = subprocess.run([exe, "--version"], capture_output=True, text=True, env=clean_env(),
                          stdin=subprocess.DEVNULL, timeout=slow(PATIENCE)).stdout
    found = {}
    for name in said.partition("\nbackends:")[2].split():
        r = subprocess.run([exe, "--backend", name, "--check"], capture_output=True, text=True, env=clean_env(),
                           stdin=subprocess.DEVNULL, timeout=slow(PATIENCE))
        found[name] = r.stderr.strip() if r.returncode == ENVIRONMENT else ""
    if "epoll" not in found:
        raise Failed(f"echod names no backends: {said}")
    return found


def backends():
    """Names of those that this kernel runs."""
    return [name for name, why in offered().items() if not why]


def class_name(backend):
    return "".join(word.capitalize() for word in backend.split("_"))


def for_each_backend(cls):
    """Makes of a TestCase called Each... one for each backend: Epoll..., Fork..., IoUring.... Tests marked with
    @only are left out of the others."""
    module = sys.modules[cls.__module__]
    for name, why in offered().items():
        wrong = [t for t, f in vars(cls).items() if name not in getattr(f, "only", [name])]
        made = type(class_name(name) + cls.__name__.removeprefix("Each"), (cls,),
                    {"backend": name, "__module__": cls.__module__, "__doc__": cls.__doc__, **dict.fromkeys(wrong)})
        setattr(module, made.__name__, unittest.skip(why)(made) if why else made)
    return None


def only(*names):
    """A test for these backends: the others cannot do that, by design."""
    def mark(test):
        if test:
            test.only = names
        return test
    return mark


def not_in(*variants):
    """A test that those variants cannot run: there it does not exist."""
    return lambda test: None if VARIANT in variants else test


SANITIZERS = ("asan", "tsan", "ubsan")
