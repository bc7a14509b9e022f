/* SPDX-License-Identifier: MIT
 * cell: from samples to verdicts. Nothing here runs anything: it is tested with invented ones.
 */
#include "cell.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/units.h"

enum { RESAMPLES = 20000 };

const struct figure_info figures[FIGURES] = {
	[FIGURE_RATE] = { "rate", "rate", "ratio", "messages", offsetof(struct sample, rate),
			  true },
	[FIGURE_CPU] = { "cpu", "CPU", "cpu_ratio", "CPU time of the server",
			 offsetof(struct sample, cpu_ns), false },
	[FIGURE_CLIENT_CPU] = { "client_cpu", "cCPU", "client_cpu_ratio", "CPU time of the client",
				offsetof(struct sample, client_cpu_ns), false },
	[FIGURE_KEY] = { "key", "key", "key_ratio",
			 "number above 0 at this key of the client's JSON",
			 offsetof(struct sample, key), false },
};

int cell_figure(const char *compare)
{
	if (strcmp(compare, "auto") == 0)
		return FIGURES;
	if (compare[0] == '.' && compare[1])
		return FIGURE_KEY;
	for (int i = 0; i < FIGURE_KEY; i++) {
		if (strcmp(figures[i].name, compare) == 0)
			return i;
	}
	return -EINVAL;
}

/* From this share on a side is called the bottleneck. */
static const double busy_limit = 0.9;

unsigned cell_blocks_needed(double alpha)
{
	return (paired_needed(alpha) + REPLICATES - 1) / REPLICATES;
}

bool cell_measured(const struct cell *c, double alpha)
{
	return c->block_count >= cell_blocks_needed(alpha);
}

int cell_uncounted(const struct cell *c)
{
	const double *calls = c->syscalls;

	return (int)(calls[SIDE_A] < 0 ? calls[SIDE_A] : calls[SIDE_B] < 0 ? calls[SIDE_B] : 0);
}

static double median_of(const struct cell *c, enum side side, size_t offset)
{
	double v[BLOCKS_MAX * REPLICATES];
	unsigned n = 0;

	for (unsigned i = 0; i < c->block_count; i++) {
		for (unsigned t = 0; t < REPLICATES; t++) {
			v[n] = sample_field(&c->blocks[i].at[side][t], offset);
			if (isnan(v[n++]))
				return NAN;
		}
	}
	return paired_median(v, n);
}

static void count_flags(struct cell *c)
{
	c->rounds = c->stolen = c->throttled = c->disturbed = 0;
	for (unsigned i = 0; i < c->block_count; i++) {
		for (unsigned k = 0; k < BLOCK_SERVERS; k++) {
			const struct sample *s = &c->blocks[i].at[k / REPLICATES][k % REPLICATES];

			c->rounds += s->rounds;
			c->stolen += s->stolen;
			c->throttled += s->throttled;
			c->disturbed += s->disturbed;
		}
	}
}

/* Who had no time left. Both sides get the same client, so one word is enough: if either of them
 * was limited by the client, their rates cannot be compared. */
static enum bottleneck bottleneck(const struct cell *c)
{
	enum bottleneck b = BOTTLENECK_SERVER;

	for (unsigned s = 0; s < SIDES; s++) {
		const struct sample *m = &c->middle[s];

		if (m->client_busy >= busy_limit && m->client_busy >= m->server_busy)
			return BOTTLENECK_CLIENT;
		if (m->server_busy < busy_limit)
			b = BOTTLENECK_UNKNOWN;
	}
	return b;
}

/* A rate that the client limits, or the schedule of an open loop, or other programs that want the
 * same CPUs, says nothing about the server; what it spends on a message still does. */
static bool rate_decides(const struct cell *c)
{
	return c->bottleneck != BOTTLENECK_CLIENT && c->load.mode != MODE_OPEN &&
	       c->disturbed <= c->rounds / 2;
}

void cell_summarise(struct cell *c)
{
	static const size_t offsets[] = {
		offsetof(struct sample, rate),        offsetof(struct sample, cpu_ns),
		offsetof(struct sample, switches),    offsetof(struct sample, server_busy),
		offsetof(struct sample, client_busy), offsetof(struct sample, p50_ns),
		offsetof(struct sample, p99_ns),      offsetof(struct sample, client_cpu_ns),
		offsetof(struct sample, key),
	};
	int asked = cell_figure(c->config->compare);

	assert(c->block_count > 0);
	for (unsigned s = 0; s < SIDES; s++) {
		for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
			double v = median_of(c, s, offsets[i]);

			memcpy((char *)&c->middle[s] + offsets[i], &v, sizeof(v));
		}
	}
	count_flags(c);
	c->bottleneck = bottleneck(c);
	if (asked != FIGURES)
		c->decided_by = (enum figure)asked;
	else
		c->decided_by = rate_decides(c) ? FIGURE_RATE : FIGURE_CPU;
}

/* ln of one quantity of a block's servers. */
static void block_logs(const struct block *b, size_t offset, double log_of[SIDES][REPLICATES])
{
	for (unsigned s = 0; s < SIDES; s++)
		for (unsigned t = 0; t < REPLICATES; t++)
			log_of[s][t] = log(sample_field(&b->at[s][t], offset));
}

static void compare_ratio(const struct cell *c, size_t offset, struct paired *out, double alpha,
			  unsigned resamples, uint64_t seed)
{
	double v[BLOCKS_MAX * REPLICATES], l[SIDES][REPLICATES];
	unsigned n = 0;

	for (unsigned i = 0; i < c->block_count; i++) {
		block_logs(&c->blocks[i], offset, l);
		for (unsigned t = 0; t < REPLICATES; t++)
			v[n++] = l[SIDE_B][t] - l[SIDE_A][t];
	}
	paired_judge(out, v, n, alpha, resamples, seed);
}

static void compare_noise(const struct cell *c, size_t offset, struct paired *out, double alpha)
{
	double v[BLOCKS_MAX * REPLICATES], l[SIDES][REPLICATES];
	unsigned n = 0;

	for (unsigned i = 0; i < c->block_count; i++) {
		block_logs(&c->blocks[i], offset, l);
		v[n++] = (l[SIDE_A][0] - l[SIDE_A][1] + l[SIDE_B][0] - l[SIDE_B][1]) / 2;
		v[n++] = (l[SIDE_A][0] - l[SIDE_A][1] - l[SIDE_B][0] + l[SIDE_B][1]) / 2;
	}
	paired_judge(out, v, n, alpha, 0, 1);
}

static bool block_knows(const struct block *b, enum figure f)
{
	for (unsigned i = 0; i < BLOCK_SERVERS; i++) {
		if (!(sample_field(&b->at[i / REPLICATES][i % REPLICATES], figures[f].offset) > 0))
			return false;
	}
	return true;
}

int cell_block_check(const struct cell *c, const struct block *b, char why[WHY_MAX])
{
	int asked = cell_figure(c->config->compare);

	for (enum figure f = 0; f < FIGURES; f++) {
		bool needed = asked == FIGURES ? f == FIGURE_RATE || f == FIGURE_CPU
					       : f == (enum figure)asked;

		if (needed && !block_knows(b, f)) {
			snprintf(why, WHY_MAX, "there was no %s, or none that can be seen",
				 figures[f].what);
			return -ENODATA;
		}
	}
	return 0;
}

void cell_compare(struct cell *c, double alpha, unsigned resamples, uint64_t seed)
{
	const struct paired unknown = { NAN, NAN, NAN, NAN, false };

	for (enum figure f = 0; f < FIGURES; f++) {
		bool known = true;

		for (unsigned i = 0; i < c->block_count; i++)
			known &= block_knows(&c->blocks[i], f);
		c->of[f] = (struct comparison){ unknown, unknown };
		if (!known)
			continue;
		compare_ratio(c, figures[f].offset, &c->of[f].ratio, alpha, resamples, seed);
		compare_noise(c, figures[f].offset, &c->of[f].noise, alpha);
	}
}

const struct comparison *cell_decider(const struct cell *c)
{
	return &c->of[c->decided_by];
}

bool cell_precise(struct cell *c, double alpha, double percent)
{
	struct paired r;

	cell_summarise(c);
	compare_ratio(c, figures[c->decided_by].offset, &r, alpha, 0, 1);
	return r.bounded && r.high - r.low <= 2 * log1p(percent / 100);
}

/* The winner is named only where the interval leaves out both 1 and everything that A against A
 * might be. */
static enum winner winner(const struct cell *c)
{
	const struct comparison *d = cell_decider(c);
	bool more = d->ratio.low > 0 && d->ratio.low > d->noise.high;
	bool less = d->ratio.high < 0 && d->ratio.high < d->noise.low;

	if (!d->ratio.bounded || (!more && !less))
		return WINNER_NONE;
	return more == figures[c->decided_by].more_is_better ? WINNER_B : WINNER_A;
}

/* The intervals at this level, unless they are there already: cells are judged again whenever
 * another one is done, and a bootstrap takes its time. */
static void judge_at(struct cell *c, double alpha, uint64_t seed)
{
	if (c->judged_blocks == c->block_count && c->judged_level == alpha)
		return;
	cell_compare(c, alpha, RESAMPLES, seed);
	c->judged_blocks = c->block_count;
	c->judged_level = alpha;
}

void cells_judge(struct cell *cells, unsigned count, double alpha, uint64_t seed)
{
	double p[PAIRED_CELLS_MAX] = { 0 }, level[PAIRED_CELLS_MAX] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		struct cell *c = &cells[i];

		p[i] = 1;
		c->winner = WINNER_NONE;
		if (!cell_measured(c, alpha))
			continue;
		if (c->judged_blocks != c->block_count) { /* p is the same at every level */
			cell_summarise(c);
			judge_at(c, alpha / count, seed + i);
			c->p = cell_decider(c)->ratio.p;
		}
		p[i] = c->p;
	}
	paired_holm(p, count, alpha, level);
	for (unsigned i = 0; i < count; i++) {
		struct cell *c = &cells[i];

		c->level = level[i];
		if (!cell_measured(c, alpha))
			continue;
		judge_at(c, level[i], seed + i);
		c->winner = winner(c);
	}
}

/* Whether @name wins or loses any cell. */
static bool ever(const struct cell *cells, unsigned count, const char *name, bool wins)
{
	for (unsigned i = 0; i < count; i++) {
		enum side winner = cells[i].winner == WINNER_B ? SIDE_B : SIDE_A;

		if (cells[i].winner != WINNER_NONE &&
		    strcmp(cells[i].name[wins ? winner : !winner], name) == 0)
			return true;
	}
	return false;
}

/* Why there is no winner at all. */
static void explain_none(const struct cell *cells, unsigned count, double alpha, char why[WHY_MAX])
{
	unsigned open = 0;
	double most = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct cell *c = &cells[i];
		const struct paired *p = &cell_decider(c)->ratio;

		if (!cell_measured(c, alpha) || !c->precise)
			open++;
		else
			most = fmax(most, fmax(fabs(p->low), fabs(p->high)));
	}
	if (open > 0)
		snprintf(why, WHY_MAX, "cannot say: %u of %u cells not measured, or too noisy",
			 open, count);
	else
		snprintf(why, WHY_MAX,
			 "it does not matter: nowhere do they differ by more than %.1f %%",
			 expm1(most) * 100);
}

const char *cells_recommend(const struct cell *cells, unsigned count, double alpha,
			    char why[WHY_MAX])
{
	const char *best = NULL;
	bool any = false;

	for (unsigned i = 0; i < count * SIDES; i++) {
		const char *name = cells[i / SIDES].name[i % SIDES];

		any |= ever(cells, count, name, true);
		if (!ever(cells, count, name, true) || ever(cells, count, name, false) ||
		    (best && strcmp(best, name) == 0))
			continue;
		if (best) {
			snprintf(why, WHY_MAX,
				 "several win, and were not compared with each other");
			return "either";
		}
		best = name;
	}
	if (best)
		snprintf(why, WHY_MAX, "wins where there is a difference, loses nowhere");
	else if (any)
		snprintf(why, WHY_MAX, "it depends on the workload: each wins somewhere");
	else
		explain_none(cells, count, alpha, why);
	return best ? best : "either";
}

char *cell_workload_text(const struct workload *w, char *text, size_t size)
{
	char bytes[UNITS_MAX];

	snprintf(text, size, "%llu connection%s, %s, %llu in flight, %s",
		 (unsigned long long)w->connections, w->connections == 1 ? "" : "s",
		 units_bytes((double)w->size, 3, bytes), (unsigned long long)w->pipeline,
		 bench_mode_names[w->mode]);
	return text;
}
