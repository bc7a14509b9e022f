/* SPDX-License-Identifier: MIT
 * tasks: what a program and everything it started have used, read from outside, so that any server
 * can be measured.
 */
#ifndef ECHO_TASKS_H
#define ECHO_TASKS_H

#include <stdbool.h>
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

/* How long threads waited for a CPU at the last sample. */
struct tasks_waits {
	struct tasks_wait {
		pid_t tid;
		bool seen;
		long long wait_ns, runs; /* schedstat of proc(5) */
	} at[256];
	unsigned count;
	struct tasks_softirq {
		int fd; /* its schedstat */
		struct tasks_wait wait;
	} softirq[64]; /* of each CPU, ksoftirqd */
	unsigned softirqs;
	int64_t sampled_ns;
};

/* Finds the kernel's threads that move packets while a CPU is busy, which tasks_longest_wait then
 * samples as well. They can be found where /proc is that of the first process namespace, and may be
 * sampled from others. */
void tasks_find_softirqs(struct tasks_waits *w);
void tasks_close_softirqs(struct tasks_waits *w);

/* Looks at all threads of a process and its living descendants, zombies included. Returns the
 * longest time that one of them was ready without a CPU since the last sample (for a new thread,
 * since it began), as far as it is known: where the waits of a thread fit between two samples,
 * their mean. Begin with an empty struct. Not from two threads at a time. */
int64_t tasks_longest_wait(struct tasks_waits *w, pid_t pid);

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
