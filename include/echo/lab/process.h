/* SPDX-License-Identifier: MIT
 * process: the one place where a program is started. What a program inherits is named here; all
 * else is closed on exec, and no signal is blocked in it; in a group or a network of its own none
 * is ignored either.
 */
#ifndef ECHO_PROCESS_H
#define ECHO_PROCESS_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

enum { PROCESS_SAME = -1 }; /* for any of them: ours */

struct process {
	const char *const *argv; /* NULL-terminated; argv[0] is looked for in PATH */
	int in, out, err;        /* descriptors that become 0, 1 and 2 */
	int netns;               /* a descriptor of its network namespace */
	int keep;                /* one that stays open; PROCESS_SAME: none */
	const cpu_set_t *cpus;   /* NULL: where we may run */
	int parent_death_signal; /* that it gets when its parent ends; 0: none */
	bool group;              /* the first of a new process group */
};

/* Starts it. Returns its pid, or -errno: also that of the exec, -ENOENT when there is no such
 * program. It is the caller's to reap. */
pid_t process_start(const struct process *p);

#endif
