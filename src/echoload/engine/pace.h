/* SPDX-License-Identifier: MIT
 * pace: the schedule of an open loop: when each message is due, whatever the server does. It is
 * pure arithmetic on a seed: a backlog is a number, not a queue.
 *
 * There is one schedule for the whole load, however many threads, processes and hosts make it:
 * every due time belongs to one of the requested connections, and whoever has that connection sends
 * the message (on whichever of its connections has been ready the longest). So those who share a
 * load need not speak with each other, and all together are due exactly when one alone would be.
 * Evenly spaced times take turns among the connections. At random, each connection has a Poisson
 * process of its own; all of them together are one (the superposition of independent ones).
 */
#ifndef ECHOLOAD_PACE_H
#define ECHOLOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* The connections of a whole load whose times these are: @first, @first + @step, ... below @of. */
struct pace_turns {
	uint64_t first, step, of;
};

/* When the next message of one connection is due. */
struct pace_next {
	double offset_ns;
	uint64_t seed; /* the state of its process */
};

struct pace {
	int64_t start_ns;
	double gap_ns;    /* mean time between two messages of the whole load */
	double offset_ns; /* of the next one from the start */
	uint64_t count;   /* messages before it */
	struct pace_turns turns;
	uint64_t turn, round;   /* evenly spaced: whose turn is next, and turns of all before it */
	struct pace_next *heap; /* at random: the earliest first; NULL: evenly spaced */
	uint32_t heap_size;
};

/* @per_second messages of the whole load, > 0, evenly spaced; @turns are not empty. */
void pace_init(struct pace *p, int64_t start_ns, double per_second, const struct pace_turns *turns);

/* How many connections @turns are: what pace_set_poisson needs room for. */
uint32_t pace_connections(const struct pace_turns *turns);

/* At random instead (gaps are exponential, arrivals independent), with room in @heap for all
 * connections of its turns. */
void pace_set_poisson(struct pace *p, uint64_t seed, struct pace_next *heap);

/* When the next message is due. */
static inline int64_t pace_due_ns(const struct pace *p)
{
	return p->start_ns + (int64_t)p->offset_ns;
}

/* The next message has been sent, or given up. */
void pace_advance(struct pace *p);

#endif
