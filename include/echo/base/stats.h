/* SPDX-License-Identifier: MIT
 * stats: what a worker counts. One thread writes, all may read at any time: relaxed atomic
 * stores and loads, which cost what plain ones do.
 */
#ifndef ECHO_STATS_H
#define ECHO_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "cause.h"

/* A histogram whose bounds are powers: a value v belongs to the first counter whose bound is not
 * less, and the last has no bound. */
enum { STATS_BOUNDS = 11 };
struct stats_hist {
	_Atomic uint64_t counts[STATS_BOUNDS + 1]; /* of each bound alone, not of those below it */
	_Atomic uint64_t sum;                      /* in the unit of the caller */
};

/* Bounds: 1, 2, 4, ... 1024 events, and 1, 4, 16, ... 1048576 times STATS_TIME_NS. */
enum { STATS_STEP_EVENTS = 1, STATS_STEP_TIME = 2, STATS_TIME_NS = 250 };

enum { STATS_TIMED_EVERY = 16 }; /* of so many turns one is timed: reading the clock costs */

struct stats {
	/* what messages write, close to each other */
	_Atomic uint64_t bytes_in, bytes_out;
	_Atomic uint64_t echoes;              /* receives whose bytes go back; of a server */
	_Atomic uint64_t opened;              /* accepted or connected */
	_Atomic uint64_t adopted;             /* of another process, open already */
	_Atomic uint64_t given;               /* to a worker that had fewer */
	_Atomic uint64_t open;                /* now */
	_Atomic uint64_t closed[CAUSE_COUNT]; /* by cause */
	_Atomic uint64_t cut_off;             /* of those: the time of a drain was over */
	_Atomic uint64_t accept_errors;       /* accept(2) failed: descriptors or memory ran out */
	_Atomic uint64_t
		starved; /* times that reading waited for room in the pool of unsent bytes */
	_Atomic uint64_t paused;     /* times that reading waited for a peer that takes nothing */
	_Atomic uint64_t no_buffer;  /* io_uring: receives that found no buffer in the ring */
	_Atomic uint64_t overflowed; /* io_uring: turns that found more completions than had room */
	struct stats_hist events;    /* that a turn of the loop delivered; sum: events */
	struct stats_hist turns;     /* how long a turn took, without its wait; of one in
					STATS_TIMED_EVERY; sum: nanoseconds */
};

/* For the one thread that owns the counter. */
static inline void stats_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

/* Counts @value, which belongs to the first bound (1 << step * k) that is not less than @scaled. */
static inline void stats_observe(struct stats_hist *h, unsigned step, uint64_t scaled,
				 uint64_t value)
{
	/* the smallest power of two that is not less, as its exponent */
	unsigned bits = scaled <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(scaled - 1);
	unsigned k = (bits + step - 1) / step;

	stats_add(&h->counts[k < STATS_BOUNDS ? k : STATS_BOUNDS], 1);
	stats_add(&h->sum, value);
}

static inline uint64_t stats_get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
