/* SPDX-License-Identifier: MIT
 * tcp_counters: the kernel's own counters of TCP (of this network namespace) that explain results:
 * whatever program's sockets moved them.
 */
#ifndef ECHO_LAB_TCP_COUNTERS_H
#define ECHO_LAB_TCP_COUNTERS_H

#include <stdint.h>

enum tcp_counter {
	TCP_LISTEN_OVERFLOWS, /* connections that a full queue of a listener turned away */
	TCP_LISTEN_DROPS,     /* the same, and those dropped for other reasons */
	TCP_MEMORY_PRESSURES, /* times that TCP's memory (tcp_mem) became scarce */
	TCP_ABORT_ON_MEMORY,  /* connections ended for want of it */
	TCP_RETRANSMITS,      /* segments that were sent again */
	TCP_COUNTERS,
};

/* -1: not known. */
struct tcp_counters {
	int64_t of[TCP_COUNTERS];
};

/* The present values, since the namespace was made; tcp_counters_read_at: of the machine whose
 * files are under @root. */
void tcp_counters_read(struct tcp_counters *c);
void tcp_counters_read_at(const char *root, struct tcp_counters *c);

/* By how much they have moved since @before, in place. */
void tcp_counters_since(struct tcp_counters *c, const struct tcp_counters *before);

/* "ListenOverflows", as nstat(8) shows it; static. */
const char *tcp_counter_name(enum tcp_counter n);

#endif
