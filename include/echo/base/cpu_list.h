/* SPDX-License-Identifier: MIT
 * cpu_list: CPUs as people list them: "0-3,8".
 */
#ifndef ECHO_CPU_LIST_H
#define ECHO_CPU_LIST_H

#include <sched.h>
#include <stdbool.h>

struct opt_type;

/* "all" is every CPU that the process may use, without pinning. */
struct cpu_list {
	cpu_set_t set;
	bool all;
};

extern const struct opt_type opt_cpus; /* struct cpu_list: "all" or a list */

/* Reads a list. Returns 0, or -EINVAL: it is none, or names a CPU of CPU_SETSIZE or above. */
int cpu_list_read(const char *text, cpu_set_t *set);

/* The @nth CPU (from 0, going round) of those that are both in @l and open to this process. Returns
 * -ENOENT if there is none. */
int cpu_list_nth(const struct cpu_list *l, unsigned nth);

/* How many threads of this process can run at once on CPUs of @l: as many as both have in common,
 * but no more than the CPU quota of its control group has room for. 0: none. */
unsigned cpu_list_count(const struct cpu_list *l);

#endif
