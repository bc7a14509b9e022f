/* SPDX-License-Identifier: MIT
 * tasks: what a program and everything it started have used, read from outside, so that any server
 * can be measured.
 */
#ifndef ECHO_TASKS_H
#define ECHO_TASKS_H

#include <stdint.h>
#include <sys/types.h>

struct tasks_usage {
	int64_t cpu_ns;  /* of all threads, living and gone (kernel threads of a ring included), and
			    of children that have been waited for (those in steps of 10 ms) */
	int64_t wait_ns; /* time that living threads were ready, but had no CPU (schedstat) */
	uint64_t switches; /* context switches of living threads */
	unsigned threads;  /* living */
};

/* Adds up a process and its living descendants. Zeros when it is gone. */
void tasks_usage(pid_t pid, struct tasks_usage *u);

/* Counts the system calls of a process, all its threads and descendants, and those they will
 * start. */
struct tasks_syscalls {
	int fds[1024];
	unsigned count;
};

/* Begins to count. Returns 0, or -errno where this kernel does not let us (needs tracefs and the
 * right to use perf's tracepoints). */
int tasks_syscalls_begin(struct tasks_syscalls *s, pid_t pid);

/* How many there have been so far. */
uint64_t tasks_syscalls_sum(const struct tasks_syscalls *s);
void tasks_syscalls_end(struct tasks_syscalls *s);

#endif
