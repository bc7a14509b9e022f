/* SPDX-License-Identifier: MIT
 * rounds: runs a cell. When to stop is decided by the width of the interval, never by where it
 * lies: stopping because a winner is in sight would find winners that are not there.
 */
#include "rounds.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "echo/base.h"
#include "echo/clock.h"
#include "echo/rng.h"
#include "measure.h"
#include "server.h"

enum {
	WARM_MAX = 12,       /* rounds of warm-up, both sides together */
	TRIES_MAX = 3,       /* of one round */
	FAILURES_LATER = 20, /* blocks in a row, once some went well: the time limit is nearer */
	FAILURES_MAX = 3,    /* blocks in a row that may fail */
	OVERHEAD_NS = 25 * 1000 * 1000, /* a client's start and end */
	STARTS_NS = 60 * 1000 * 1000,   /* four servers' start and end */
};

/* Two rates that differ by less are the same, to a warm-up. */
static const double still = 0.1;

unsigned schedule_min_blocks(const struct bench_config *c, double alpha)
{
	unsigned needed = cell_blocks_needed(alpha) + 4;

	if (c->min_blocks > needed)
		needed = c->min_blocks;
	return needed < c->max_blocks ? needed : c->max_blocks;
}

int64_t schedule_block_ns(const struct bench_config *c, const struct workload *w)
{
	return BLOCK_ROUNDS * (c->round + round_warmup_ns(c, w) + OVERHEAD_NS) + STARTS_NS;
}

void schedule_order(uint64_t *rng, uint8_t order[BLOCK_ROUNDS])
{
	for (unsigned twin = 0; twin < TWINS; twin++) {
		unsigned first = (unsigned)rng_below(rng, SIDES);

		for (unsigned i = 0; i < SIDES; i++)
			order[twin * SIDES + i] = (uint8_t)((first ^ i) * TWINS + twin);
	}
}

bool rates_stationary(const double *rates, unsigned n)
{
	const double *last;

	if (n < 3)
		return false;
	last = rates + n - 3;
	if (fabs(last[2] - last[1]) > still * last[1] || fabs(last[1] - last[0]) > still * last[0])
		return false;
	/* three in a row that climb are still climbing, unless by next to nothing */
	return !(last[0] < last[1] && last[1] < last[2] && last[2] > (1 + still / 2) * last[0]);
}

static int start_servers(struct server *servers, const struct cell *c, unsigned twins,
			 char why[WHY_MAX])
{
	int r = 0;

	for (unsigned i = 0; i < SIDES * twins && r == 0; i++)
		r = server_start(&servers[i], c->config, c->name[i / twins], c->load.connections,
				 why);
	for (unsigned i = 0; i < SIDES * twins && r == 0; i++)
		r = server_ready(&servers[i], why);
	return r;
}

static void stop_servers(struct server *servers, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		server_stop(&servers[i]);
}

/* A round that failed is tried again: on a busy machine client or server may have starved. */
static int measure(struct round *r, char why[WHY_MAX])
{
	int e = round_measure(r, why);

	for (unsigned i = 1; i < TRIES_MAX && e == -EAGAIN; i++)
		e = round_measure(r, why);
	return e;
}

/* Alternating rounds that nobody judges. System calls are counted in them, because that costs time:
 * the median counts. */
static int warm_up(struct cell *c)
{
	struct server servers[SIDES] = { 0 };
	double rates[SIDES][WARM_MAX], calls[SIDES][WARM_MAX];
	int r = start_servers(servers, c, 1, c->why);

	for (unsigned i = 0; i < WARM_MAX && r == 0 && !c->stationary; i++) {
		unsigned side = i % SIDES, nth = i / SIDES;
		struct round round = { .config = c->config,
				       .load = &c->load,
				       .server = &servers[side],
				       .count_syscalls = true };

		r = measure(&round, c->why);
		calls[side][nth] = round.syscalls;
		rates[side][nth] = round.sample.rate;
		c->warm_rounds++;
		c->stationary = side == SIDE_B && rates_stationary(rates[SIDE_A], nth + 1) &&
				rates_stationary(rates[SIDE_B], nth + 1);
	}
	stop_servers(servers, SIDES);
	for (unsigned side = 0; side < SIDES && c->warm_rounds > side; side++)
		c->syscalls[side] =
			paired_median(calls[side], (c->warm_rounds + SIDES - 1 - side) / SIDES);
	return r;
}

static int run_block(struct cell *c, struct schedule *s, struct block *b)
{
	struct server servers[BLOCK_ROUNDS] = { 0 };
	int r = start_servers(servers, c, TWINS, c->why);

	schedule_order(&s->rng, b->order);
	for (unsigned i = 0; i < BLOCK_ROUNDS && r == 0; i++) {
		unsigned which = b->order[i];
		struct round round = { .config = c->config,
				       .load = &c->load,
				       .server = &servers[which] };

		r = measure(&round, c->why);
		b->at[which / TWINS][which % TWINS] = round.sample;
	}
	stop_servers(servers, BLOCK_ROUNDS);
	return r;
}

/* Blocks until it is enough. A block that failed leaves no trace but its reason. */
static int run_blocks(struct cell *c, struct schedule *s, int64_t begin_ns)
{
	unsigned failures = 0;
	int r = 0;

	while (c->block_count < c->config->max_blocks && !c->narrow && r != -EINTR) {
		int64_t spent_ns = clock_now_ns() - begin_ns;

		if (spent_ns + schedule_block_ns(c->config, &c->load) > c->config->limit &&
		    c->block_count + c->failed_blocks > 0)
			break;
		r = run_block(c, s, &c->blocks[c->block_count]);
		if (r < 0) {
			c->failed_blocks += r != -EINTR;
			if (++failures >= (c->block_count ? FAILURES_LATER : FAILURES_MAX))
				break;
			continue;
		}
		failures = 0;
		c->block_count++;
		if (c->block_count >= s->min_blocks)
			c->narrow = cell_narrow(c, s->alpha, c->config->precision);
		if (s->progress)
			s->progress(s->arg, c);
	}
	return r;
}

int cell_run(struct cell *c, struct schedule *s)
{
	int64_t begin_ns = clock_now_ns();
	int r = warm_up(c);

	if (r == 0)
		r = run_blocks(c, s, begin_ns);
	c->spent_ns = clock_now_ns() - begin_ns;
	if (cell_measured(c, s->alpha))
		c->why[0] = '\0'; /* what failed on the way is counted, and was made up for */
	if (r == -EINTR)
		snprintf(c->why, sizeof(c->why), "interrupted");
	else if (!cell_measured(c, s->alpha) && !c->why[0])
		snprintf(c->why, sizeof(c->why), "%u blocks in the time limit, %u are needed",
			 c->block_count, cell_blocks_needed(s->alpha));
	return r == -EINTR ? r : 0;
}
