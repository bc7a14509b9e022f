# SPDX-License-Identifier: MIT
"""Runs a program under a seccomp filter.

usage: seccomp.py FILTER PROGRAM [ARGUMENT...]

FILTER: the name of an errno (EPERM, ENOSYS, ...) with which io_uring_setup is refused, and nothing else is; or
`container`, what engines do by default (Docker since version 25, containerd, Podman): no io_uring, no new namespaces,
no mounts, no keys, and of root's capabilities those that a container keeps; or `unfiltered`: no further filter.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_CAPBSET_DROP = 38, 22, 2, 24
LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_ANY, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF
ALLOW, ERRNO = 0x7fff0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data, of the lower half
NAMESPACES = 0x7e020000  # CLONE_NEW*, all of them
AF_ALG, AF_VSOCK = 38, 40

# the same number everywhere but on alpha, from the 424th on
IO_URING = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
MOUNTS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
          "mount_setattr": 442}
CLONE3 = 435
OLD = {
    "x86_64": {"clone": 56, "socket": 41, "add_key": 248, "request_key": 249, "keyctl": 250, "bpf": 321,
               "perf_event_open": 298, "userfaultfd": 323, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166,
               "pivot_root": 155, "syslog": 103, "sethostname": 170, "setdomainname": 171, "quotactl": 179,
               "reboot": 169, "swapon": 167, "swapoff": 168, "init_module": 175, "finit_module": 313,
               "delete_module": 176, "acct": 163, "settimeofday": 164, "clock_settime": 227, "kcmp": 312,
               "set_mempolicy": 238, "mbind": 237, "get_mempolicy": 239, "open_by_handle_at": 304, "kexec_load": 246},
    "aarch64": {"clone": 220, "socket": 198, "add_key": 217, "request_key": 218, "keyctl": 219, "bpf": 280,
                "perf_event_open": 241, "userfaultfd": 282, "unshare": 97, "setns": 268, "mount": 40, "umount2": 39,
                "pivot_root": 41, "syslog": 116, "sethostname": 161, "setdomainname": 162, "quotactl": 60,
                "reboot": 142, "swapon": 224, "swapoff": 225, "init_module": 105, "finit_module": 273,
                "delete_module": 106, "acct": 89, "settimeofday": 170, "clock_settime": 112, "kcmp": 272,
                "set_mempolicy": 237, "mbind": 235, "get_mempolicy": 236, "open_by_handle_at": 265, "kexec_load": 104},
}
# chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod,
# audit_write, setfcap
KEPT_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
LAST_CAPABILITY = int(open("/proc/sys/kernel/cap_last_cap").read())


def refuse(number, error):
    return [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]


def refuse_argument(number, jump, values, error):
    """Where the first argument is one of the values, or has one of their bits."""
    tests = [line for v in values for line in ((jump, 0, 1, v), (RETURN, 0, 0, ERRNO | error))]
    return [(JUMP_IF_EQUAL, 0, len(tests) + 2, number), (LOAD_WORD, 0, 0, FIRST_ARGUMENT), *tests,
            (LOAD_WORD, 0, 0, NUMBER)]


def container():
    old = dict(OLD[platform.machine()])
    clone, socket = old.pop("clone"), old.pop("socket")
    lines = refuse(CLONE3, errno.ENOSYS)  # its flags cannot be looked at: libc falls back to clone
    for number in (old | IO_URING | MOUNTS).values():
        lines += refuse(number, errno.EPERM)
    return (lines + refuse_argument(clone, JUMP_IF_ANY, [NAMESPACES], errno.EPERM) +
            refuse_argument(socket, JUMP_IF_EQUAL, [AF_ALG, AF_VSOCK], errno.EPERM))


def check(r, what):
    if r < 0:
        raise OSError(ctypes.get_errno(), what)


def install(libc, lines):
    lines = [(LOAD_WORD, 0, 0, NUMBER), *lines, (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)))
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0), "seccomp")


def drop_capabilities(libc):
    """From the bounding set: exec takes them from root then."""
    for cap in set(range(LAST_CAPABILITY + 1)) - KEPT_CAPABILITIES:
        check(libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), f"capability {cap}")


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.argv[1] == "container":
        if os.geteuid() == 0:
            drop_capabilities(libc)
        install(libc, container())
    elif sys.argv[1] == "unfiltered":
        prctl, seccomp = {"x86_64": (157, 317), "aarch64": (167, 277)}[platform.machine()]
        install(libc, refuse(seccomp, errno.ENOSYS) +
                refuse_argument(prctl, JUMP_IF_EQUAL, [PR_SET_SECCOMP], errno.EINVAL))
    else:
        install(libc, refuse(IO_URING["io_uring_setup"], getattr(errno, sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
