/* SPDX-License-Identifier: MIT
 * explain: when a client notices a fault, computed from this host's sysctls and the socket's
 * options by the formulas of Linux' TCP that the drills check.
 */
#ifndef ECHODRILL_EXPLAIN_H
#define ECHODRILL_EXPLAIN_H

#include <stdint.h>
#include <stdio.h>

struct drill_config;

/* What decides; times in nanoseconds, 0: off or not set. */
struct explain_tcp {
	unsigned retries2, syn_retries;
	int64_t rto_max_ns;
	int64_t rtt_ns;
	int64_t user_timeout_ns;
	int64_t keepalive_idle_ns, keepalive_interval_ns;
	unsigned keepalive_count;
};

/* Data in flight, silence: from the first transmission until ETIMEDOUT. Exact for RTTs that are
 * small against 200 ms. */
int64_t explain_retries(const struct explain_tcp *t);
/* The same with TCP_USER_TIMEOUT. */
int64_t explain_user_timeout(const struct explain_tcp *t);
/* Data in flight, a router says that host or net are unreachable: no timeout is doubled. */
int64_t explain_unreachable(const struct explain_tcp *t);
/* Idle, silence, with keepalive; from the last segment received. */
int64_t explain_keepalive(const struct explain_tcp *t);
/* Connecting, silence. */
int64_t explain_connect(const struct explain_tcp *t);

/* What decides on this host for a client that sets nothing. */
void explain_defaults(struct explain_tcp *t);

/* When TCP tells such a client of a fault (enum drill_explain): -1: never; 1: at once, after a
 * round trip; 0: the drill does not say. */
int64_t explain_fault(const struct explain_tcp *t, unsigned fault);

/* The table for people. */
void explain(const struct drill_config *c, FILE *to);

#endif
