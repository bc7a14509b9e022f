/* SPDX-License-Identifier: MIT
 * rounds: arithmetic on turns.
 */
#include "rounds.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "echo/base/rng.h"

enum {
	CONN_ROUND_NS = 40 * 1000, /* several messages of each connection, on today's machines */
	OPEN_MESSAGES = 50,        /* of a round of an open loop */
	TURNS_LEAST = 7,
};

int64_t round_ns(const struct bench_config *c, const struct workload *w)
{
	int64_t least_ns = (int64_t)w->connections * CONN_ROUND_NS;

	if (w->mode == MODE_OPEN && least_ns < (int64_t)(OPEN_MESSAGES * SEC(1) / c->rate))
		least_ns = (int64_t)(OPEN_MESSAGES * SEC(1) / c->rate);
	return c->round > least_ns ? c->round : least_ns;
}

/* Longer rounds are fewer, but not so few that a median says nothing. */
unsigned round_turns(const struct bench_config *c, const struct workload *w)
{
	int64_t n = c->rounds * c->round / round_ns(c, w);
	unsigned least = c->rounds < TURNS_LEAST ? c->rounds : TURNS_LEAST;

	return n > least ? (unsigned)n : least;
}

unsigned round_warm_turns(const struct bench_config *c, const struct workload *w)
{
	int64_t ns = round_ns(c, w), n = (c->warmup + ns - 1) / ns;

	return n < TURNS_MAX ? (unsigned)n : TURNS_MAX;
}

void round_order(uint64_t *rng, uint8_t order[BLOCK_SERVERS])
{
	for (unsigned replicate = 0; replicate < REPLICATES; replicate++) {
		unsigned first = (unsigned)rng_below(rng, SIDES);

		for (unsigned i = 0; i < SIDES; i++)
			order[replicate * SIDES + i] =
				(uint8_t)((first ^ i) * REPLICATES + replicate);
	}
}

static void set_field(struct sample *s, size_t offset, double v)
{
	memcpy((char *)s + offset, &v, sizeof(v));
}

/* What comes in steps, as the CPU time of processes that have ended does. */
static void combine_mean(const struct sample *s, unsigned turns, size_t offset,
			 struct sample out[BLOCK_SERVERS])
{
	for (unsigned k = 0; k < BLOCK_SERVERS; k++) {
		double sum = 0;

		for (unsigned t = 0; t < turns; t++)
			sum += sample_field(&s[t * BLOCK_SERVERS + k], offset);
		set_field(&out[k], offset, sum / turns);
	}
}

static bool any_zero(const struct sample *s, unsigned count, size_t offset)
{
	for (unsigned i = 0; i < count; i++) {
		if (!(sample_field(&s[i], offset) > 0))
			return true;
	}
	return false;
}

/* What has a ratio: the median of the turns, and the median of what a server differs from them. */
static void combine_ratio(const struct sample *s, unsigned turns, size_t offset,
			  struct sample out[BLOCK_SERVERS])
{
	double turn[TURNS_MAX], mean[TURNS_MAX], v[TURNS_MAX], middle;

	if (any_zero(s, turns * BLOCK_SERVERS, offset)) {
		combine_mean(s, turns, offset, out);
		return;
	}
	for (unsigned t = 0; t < turns; t++) {
		turn[t] = 0;
		for (unsigned k = 0; k < BLOCK_SERVERS; k++)
			turn[t] += log(sample_field(&s[t * BLOCK_SERVERS + k], offset)) /
				   (double)BLOCK_SERVERS;
		mean[t] = turn[t];
	}
	middle = paired_median(mean, turns);
	for (unsigned k = 0; k < BLOCK_SERVERS; k++) {
		for (unsigned t = 0; t < turns; t++)
			v[t] = log(sample_field(&s[t * BLOCK_SERVERS + k], offset)) - turn[t];
		set_field(&out[k], offset, exp(middle + paired_median(v, turns)));
	}
}

static void combine_median(const struct sample *s, unsigned turns, size_t offset,
			   struct sample out[BLOCK_SERVERS])
{
	double v[TURNS_MAX];

	for (unsigned k = 0; k < BLOCK_SERVERS; k++) {
		for (unsigned t = 0; t < turns; t++)
			v[t] = sample_field(&s[t * BLOCK_SERVERS + k], offset);
		set_field(&out[k], offset, paired_median(v, turns));
	}
}

void rounds_combine(const struct sample *s, unsigned turns, struct sample out[BLOCK_SERVERS])
{
	assert(turns > 0 && turns <= TURNS_MAX);
	for (enum figure f = 0; f < FIGURES; f++)
		combine_ratio(s, turns, figures[f].offset, out);
	combine_ratio(s, turns, offsetof(struct sample, p50_ns), out);
	combine_ratio(s, turns, offsetof(struct sample, p99_ns), out);
	combine_median(s, turns, offsetof(struct sample, switches), out);
	combine_median(s, turns, offsetof(struct sample, server_busy), out);
	combine_median(s, turns, offsetof(struct sample, client_busy), out);
	for (unsigned i = 0; i < turns * BLOCK_SERVERS; i++) {
		struct sample *o = &out[i % BLOCK_SERVERS];

		o->rounds += s[i].rounds;
		o->stolen += s[i].stolen;
		o->throttled += s[i].throttled;
		o->disturbed += s[i].disturbed;
	}
}
