/* SPDX-License-Identifier: MIT
 * interval: what one worker hands over to main at the end of every --interval.
 *
 * A worker counts in a tally and has two of them: at each boundary it hands the one over and goes
 * on with the other, which main has emptied meanwhile. So an interval costs a worker an exchange of
 * pointers under a lock, and a message nothing. When main is late the worker goes on with the same
 * tally, and the next interval is as much longer.
 */
#ifndef ECHOLOAD_INTERVAL_H
#define ECHOLOAD_INTERVAL_H

#include <pthread.h>
#include <stdint.h>

#include "echo/base/cause.h"

struct hist;
struct load;
struct timer;

/* Of one worker since the start of the run. */
struct interval_counts {
	uint64_t sent, echoed;
	uint64_t lost;               /* corrupt ones too */
	uint64_t missed;             /* open loop */
	uint64_t errors;             /* connections and attempts that ended in one */
	uint64_t connects;           /* that succeeded */
	uint64_t ended[CAUSE_COUNT]; /* connections and attempts, by cause */
};

struct tally {
	struct hist *inside, *outside; /* latency of measured messages while an outage was open, and
					  otherwise */
	struct hist *other;            /* of those that are not measured: the warm-up's */
	struct interval_counts counts; /* when it was handed over */
	int64_t end_ns;                /* the boundary; monotonic */
};

struct handoff {
	pthread_mutex_t lock;
	struct tally tallies[2];
	struct tally *full;  /* handed over and not collected; NULL: none */
	struct tally *spare; /* empty; NULL: main has it */
};

/* Reserves the histograms. Returns 0 or -ENOMEM; then, too, interval_tally_fini gives back. */
int interval_tally_init(struct handoff *b);
void interval_tally_fini(struct handoff *b);

/* For main: takes what was handed over, NULL if nothing was. It goes back, emptied, with
 * interval_tally_return. */
struct tally *interval_tally_take(struct handoff *b);
void interval_tally_return(struct handoff *b, struct tally *t);

/* What @l has counted so far; for its own thread, or when that has ended. */
void interval_count(const struct load *l, struct interval_counts *n);

/* The worker's run begins. */
void interval_start(struct load *l);

#endif
