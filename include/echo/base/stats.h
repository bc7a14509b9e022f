/* SPDX-License-Identifier: MIT
 * stats: what a worker counts. One thread writes, all may read at any time: relaxed atomic
 * stores and loads, which cost what plain ones do.
 */
#ifndef ECHO_STATS_H
#define ECHO_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "cause.h"

struct stats {
	_Atomic uint64_t opened;              /* accepted or connected */
	_Atomic uint64_t adopted;             /* of another process, open already */
	_Atomic uint64_t open;                /* now */
	_Atomic uint64_t closed[CAUSE_COUNT]; /* by cause */
	_Atomic uint64_t accept_errors;       /* accept(2) failed: descriptors or memory ran out */
	_Atomic uint64_t bytes_in, bytes_out;
	_Atomic uint64_t
		starved; /* times that reading waited for room in the pool of unsent bytes */
};

/* For the one thread that owns the counter. */
static inline void stats_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

static inline uint64_t stats_get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
