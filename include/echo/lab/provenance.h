/* SPDX-License-Identifier: MIT
 * provenance: what a result must say about the machine and the build it came from, so that two
 * results can be compared. What a machine does not tell is left out.
 */
#ifndef ECHO_PROVENANCE_H
#define ECHO_PROVENANCE_H

#include <stdint.h>

enum {
	PROVENANCE_TEXT_MAX = 128,
	PROVENANCE_MITIGATIONS_MAX = 512,
	PROVENANCE_SYSCTLS_MAX = 32,
};

struct provenance_sysctl {
	const char *name; /* "net.ipv4.tcp_retries2" */
	char value[PROVENANCE_TEXT_MAX];
};

/* "" is: not known. */
struct provenance {
	char version[PROVENANCE_TEXT_MAX], commit[PROVENANCE_TEXT_MAX];
	char kernel[PROVENANCE_TEXT_MAX];       /* name, release, machine */
	char kernel_build[PROVENANCE_TEXT_MAX]; /* its version and date of build */
	char cpu[PROVENANCE_TEXT_MAX];          /* model */
	char governor[PROVENANCE_TEXT_MAX];     /* of the first CPU's frequency */
	char clocksource[PROVENANCE_TEXT_MAX];
	char virtualization[PROVENANCE_TEXT_MAX]; /* "hypervisor", the name of a virtual machine */
	char mitigations[PROVENANCE_MITIGATIONS_MAX]; /* "vulnerable: a, b; mitigated: c" */
	unsigned cpus_online, cpus_allowed;           /* 0: not known */
	struct provenance_sysctl sysctls[PROVENANCE_SYSCTLS_MAX];
	unsigned sysctl_count;
};

/* Reads all of it. @root stands before every path of /proc and /sys: "" for this machine. */
void provenance_read(struct provenance *p, const char *root);

/* Calls @each for everything that is known, the sysctls (their names have dots) last. */
void provenance_each(const struct provenance *p,
		     void (*each)(void *arg, const char *name, const char *value), void *arg);

/* Time that the hypervisor took from this machine's CPUs since it was started, all CPUs together.
 * -1: not known. provenance_steal_at: the same, of the machine whose files are under @root. */
int64_t provenance_steal_ns(void);
int64_t provenance_steal_at(const char *root);

#endif
