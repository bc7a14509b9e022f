/* SPDX-License-Identifier: MIT
 * schedule: runs a cell. When to stop is decided by the width of the interval, never by where it
 * lies: stopping because a winner is in sight would find winners that are not there.
 */
#include "schedule.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arm.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "rounds.h"

enum {
	WARM_MAX = 12,       /* rounds of warm-up, both sides together */
	FAILURES_LATER = 20, /* blocks in a row, once some went well: the time limit is nearer */
	FAILURES_MAX = 3,    /* blocks in a row that may fail */
	CONN_COST_NS = 60 * 1000,         /* generous: to connect, on a machine like the author's */
	ROUND_COST_NS = 1500 * 1000,      /* to begin one, to end it, to look at its processes */
	STARTS_NS = 120 * 1000 * 1000,    /* four servers' and clients' start and end */
	WARM_ROUND_NS = 50 * 1000 * 1000, /* at least: their rates are compared one by one */
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

static int64_t starts_ns(const struct workload *w)
{
	return STARTS_NS + BLOCK_SERVERS * (int64_t)w->connections * CONN_COST_NS;
}

int64_t schedule_block_ns(const struct bench_config *c, const struct workload *w)
{
	unsigned turns = round_turns(c, w) + round_warm_turns(c, w);

	return turns * BLOCK_SERVERS * (round_ns(c, w) + ROUND_COST_NS) + starts_ns(w);
}

static int64_t warm_round_ns(const struct bench_config *c, const struct workload *w)
{
	int64_t ns = round_ns(c, w);

	return ns > WARM_ROUND_NS ? ns : WARM_ROUND_NS;
}

int64_t schedule_warm_ns(const struct bench_config *c, const struct workload *w)
{
	return starts_ns(w) + WARM_MAX * (warm_round_ns(c, w) + ROUND_COST_NS);
}

bool schedule_is_stationary(const double *rates, unsigned n)
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

/* Starts all of them before it waits for any. */
static int start(struct arm *p, struct cell *c, unsigned replicates)
{
	int r = 0;

	for (unsigned i = 0; i < SIDES * replicates && r == 0; i++)
		r = arm_start(&p[i], c, i / replicates, c->why);
	for (unsigned i = 0; i < SIDES * replicates && r == 0; i++)
		r = arm_serve(&p[i], c->why);
	for (unsigned i = 0; i < SIDES * replicates && r == 0; i++)
		r = arm_ready(&p[i], c->why);
	return r;
}

static void stop(struct arm *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		arm_stop(&p[i]);
}

/* Slices in turn that nobody judges. System calls are counted in them, because that costs time: the
 * median counts. */
static int warm_up(struct cell *c)
{
	struct arm p[SIDES] = { 0 };
	double rates[SIDES][WARM_MAX], calls[SIDES][WARM_MAX];
	int r = start(p, c, 1);

	for (unsigned i = 0; i < WARM_MAX && r == 0 && !c->stationary; i++) {
		unsigned side = i % SIDES, nth = i / SIDES;
		struct sample s = { 0 };

		r = arm_round(&p[side], warm_round_ns(c->config, &c->load), &s, &calls[side][nth],
			      c->why);
		if (r < 0)
			break;
		rates[side][nth] = s.rate;
		c->warm_rounds++;
		c->stationary = side == SIDE_B && schedule_is_stationary(rates[SIDE_A], nth + 1) &&
				schedule_is_stationary(rates[SIDE_B], nth + 1);
	}
	stop(p, SIDES);
	for (unsigned side = 0; side < SIDES && c->warm_rounds > side; side++)
		c->syscalls[side] =
			paired_median(calls[side], (c->warm_rounds + SIDES - 1 - side) / SIDES);
	return r;
}

/* Loads all servers once. */
static int run_turn(struct cell *c, struct schedule *s, struct arm *p,
		    struct sample turn[BLOCK_SERVERS])
{
	int64_t ns = round_ns(c->config, &c->load);
	uint8_t order[BLOCK_SERVERS];
	int r = 0;

	round_order(&s->rng, order);
	for (unsigned i = 0; i < BLOCK_SERVERS && r == 0; i++)
		r = arm_round(&p[order[i]], ns, &turn[order[i]], NULL, c->why);
	return r;
}

static int run_turns(struct cell *c, struct schedule *s, struct arm *p,
		     struct sample all[BLOCK_SERVERS])
{
	static struct sample of_turns[TURNS_MAX * BLOCK_SERVERS];
	unsigned turns = round_turns(c->config, &c->load);
	int r = 0;

	for (unsigned i = round_warm_turns(c->config, &c->load); i > 0 && r == 0; i--)
		r = run_turn(c, s, p, of_turns);
	for (unsigned t = 0; t < turns && r == 0; t++)
		r = run_turn(c, s, p, &of_turns[t * BLOCK_SERVERS]);
	if (r == 0)
		rounds_combine(of_turns, turns, all);
	for (unsigned i = 0; i < BLOCK_SERVERS && r == 0; i++)
		r = arm_end(&p[i], &all[i], c->why);
	return r;
}

static int run_block(struct cell *c, struct schedule *s, struct block *b)
{
	struct arm p[BLOCK_SERVERS] = { 0 };
	struct sample all[BLOCK_SERVERS] = { 0 };
	int r = start(p, c, REPLICATES);

	if (r == 0)
		r = run_turns(c, s, p, all);
	stop(p, BLOCK_SERVERS);
	for (unsigned i = 0; i < BLOCK_SERVERS; i++)
		b->at[i / REPLICATES][i % REPLICATES] = all[i];
	return r == 0 ? cell_block_check(c, b, c->why) : r;
}

/* Blocks until it is enough. A block that failed leaves no trace but its reason. */
static int run_blocks(struct cell *c, struct schedule *s, int64_t begin_ns)
{
	unsigned failures = 0;
	int r = 0;

	while (c->block_count < c->config->max_blocks && !c->precise && r != -EINTR) {
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
			c->precise = cell_precise(c, s->alpha, c->config->precision);
		if (s->progress)
			s->progress(s->arg, c);
	}
	return r;
}

/* A client that failed may have starved on a busy machine: it gets another chance. */
static int warm_up_patiently(struct cell *c)
{
	int r = -EAGAIN;

	for (unsigned i = 0; i < FAILURES_MAX && r == -EAGAIN; i++) {
		c->warm_rounds = 0;
		r = warm_up(c);
	}
	return r;
}

int schedule_run(struct cell *c, struct schedule *s)
{
	int64_t begin_ns = clock_now_ns();
	int r = warm_up_patiently(c);

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
