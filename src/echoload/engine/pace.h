/* SPDX-License-Identifier: MIT
 * pace: the schedule of an open loop: when each message is due, whatever the server does. It is
 * pure arithmetic on a seed: a backlog is a number, not a queue.
 */
#ifndef ECHOLOAD_PACE_H
#define ECHOLOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	int64_t start_ns;
	double gap_ns;    /* mean time between two messages */
	double offset_ns; /* of the next one from the start */
	uint64_t count;   /* messages before it */
	uint64_t seed;
	bool poisson;
};

/* @per_second messages, > 0, the first one due after a part @phase (0 to 1) of a gap. Poisson: gaps
 * are exponential (independent arrivals), else all alike. */
void pace_init(struct pace *p, int64_t start_ns, double per_second, double phase);
void pace_set_poisson(struct pace *p, uint64_t seed);

/* When the next message is due. */
static inline int64_t pace_due_ns(const struct pace *p)
{
	return p->start_ns + (int64_t)p->offset_ns;
}

/* The next message has been sent, or given up. */
void pace_advance(struct pace *p);

#endif
