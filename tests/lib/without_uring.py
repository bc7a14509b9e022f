# SPDX-License-Identifier: MIT
"""Runs a program under a seccomp filter that refuses io_uring_setup, as containers do.

usage: without_uring.py ERRNO PROGRAM [ARGUMENT...]        ERRNO: EPERM, ENOSYS, ...
"""
import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF
ALLOW, ERRNO = 0x7fff0000, 0x00050000
IO_URING_SETUP = 425  # the same number everywhere but on alpha
MACHINES = ("x86_64", "aarch64")


def filter_program(error):
    """seccomp_data begins with the number of the system call."""
    return b"".join(struct.pack("HBBI", *line) for line in (
        (LOAD_WORD, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, ERRNO | error),
        (RETURN, 0, 0, ALLOW)))


def main():
    assert platform.machine() in MACHINES
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(filter_program(getattr(errno, sys.argv[1])))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)):
        if libc.prctl(*call) < 0:
            raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
