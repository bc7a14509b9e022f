/* SPDX-License-Identifier: MIT
 * cpu_quota: what control groups (versions 1 and 2) let this process use of the CPUs, and how often
 * and how long they have held it up.
 */
#ifndef ECHO_CPU_QUOTA_H
#define ECHO_CPU_QUOTA_H

#include <stdint.h>

struct cpu_quota {
	double cpus;          /* the smallest quota of our group and those around it, in CPUs;
				 0: there is none */
	uint64_t throttled;   /* periods in which a quota was used up, of all these groups */
	int64_t throttled_ns; /* time that they were held up for it, all CPUs together */
};

/* Reads the present state; the two counters run since a group was made, so only their differences
 * mean something. A thread that a group holds up is ready to run: its schedstat counts the same
 * time as waiting for a CPU (clock_thread_wait_ns). What cannot be read is 0.
 * cpu_quota_read_at: of the machine whose files are under @root. */
void cpu_quota_read(struct cpu_quota *q);
void cpu_quota_read_at(const char *root, struct cpu_quota *q);

#endif
