/* SPDX-License-Identifier: MIT
 * bottleneck: what kept the generator from working, and whether that, the target or neither limited
 * what came of a run.
 */
#ifndef ECHOLOAD_BOTTLENECK_H
#define ECHOLOAD_BOTTLENECK_H

#include <stdbool.h>

struct result;

enum bottleneck { BOTTLENECK_UNKNOWN, BOTTLENECK_CLIENT, BOTTLENECK_SERVER };

/* Why it is. Its name is that of JSON. */
enum bottleneck_reason {
	REASON_MIXED,       /* unknown: neither was busy, or idle, for most of the time */
	REASON_IDLE,        /* server: our threads mostly had nothing to do */
	REASON_BUSY,        /* client: they ran nearly all the time */
	REASON_WAITING,     /* client: they were ready to run, but others had the CPU */
	REASON_THROTTLED,   /* client: the CPU quota of its control group was used up */
	REASON_PAUSED,      /* client: it did not run, and nobody had its CPU */
	REASON_STOLEN,      /* client: the hypervisor took the CPUs */
	REASON_LATE,        /* client: an open loop that sent late */
	REASON_PORTS,       /* client: no local port was free */
	REASON_DESCRIPTORS, /* client: no descriptor was free */
	REASON_MEMORY,      /* client: its kernel had no memory for a socket */
	REASONS,
};

const char *bottleneck_reason_name(enum bottleneck_reason r);

/* "its CPU quota was used up": words for people; "" where there is nothing to say. */
const char *bottleneck_reason_text(enum bottleneck_reason r);

/* Sets r->bottleneck and r->bottleneck_reason from all else in the result. */
void bottleneck_find(struct result *r);

/* The part of its threads' time (0 to 1) in which this program could not run though it had work, as
 * far as that is known: waiting for a CPU, throttled, paused, stolen. */
double bottleneck_starved_share(const struct result *r);

/* Whether every error falls into a pause of this program, or ends within a moment after it: then it
 * may be the cause. */
bool bottleneck_explains_errors(const struct result *r);

/* Whether it was kept from running for so much of what was measured that this says nothing of the
 * target: paused for more than 10 %, or throttled for more than 75 %. */
bool bottleneck_spoils(const struct result *r);

#endif
