/* SPDX-License-Identifier: MIT
 * schedule: how a cell is measured: warm-up until the rate stands still, then blocks until the
 * answer is as sharp as was asked, or the time is up.
 */
#ifndef ECHOBENCH_SCHEDULE_H
#define ECHOBENCH_SCHEDULE_H

#include "echobench/verdict/cell.h"

struct schedule {
	double alpha; /* of one cell: what is left when all of a run are corrected for */
	unsigned min_blocks;
	uint64_t rng;
	/* called after each block; may be NULL */
	void (*progress)(void *arg, const struct cell *c);
	void *arg;
};

/* How many blocks a claim needs, with room for a few that disagree. */
unsigned schedule_min_blocks(const struct bench_config *c, double alpha);

/* What one block takes, all told; and the warm-up of a cell. */
int64_t schedule_block_ns(const struct bench_config *c, const struct workload *w);
int64_t schedule_warm_ns(const struct bench_config *c, const struct workload *w);

/* Whether the last of @n rates are about the same, with no way left to go. */
bool schedule_is_stationary(const double *rates, unsigned n);

/* Measures a cell. Returns 0, or -EINTR when a signal asks to stop; c->why says why there are no
 * blocks, or too few. */
int schedule_run(struct cell *c, struct schedule *s);

#endif
