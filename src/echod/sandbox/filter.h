/* SPDX-License-Identifier: MIT
 * filter: the system calls that an echod needs which serves, and no other.
 */
#ifndef ECHOD_FILTER_H
#define ECHOD_FILTER_H

#include <stdbool.h>

struct backend_ops;

/* Lets no thread of this process, now or later, make any system call but those that every worker,
 * main, and this backend need, and sets no_new_privs. Cannot be undone. Most other calls fail with
 * EPERM; those that only an intruder makes (exec, ptrace, io_uring_setup, ...) kill the process.
 * Returns 0 or -errno with nothing changed. @takes_over: it may do what a successor has to, until
 * filter_narrow. */
int filter_load(const struct backend_ops *backend, bool takes_over);

/* No thread may do any more what only a successor has to. Returns 0 or -errno. */
int filter_narrow(void);

#endif
