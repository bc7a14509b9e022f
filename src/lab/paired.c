/* SPDX-License-Identifier: MIT
 * paired: the means of all pairs (Walsh averages) serve everything here: their median is the
 * estimate, their order statistics are the ends of the signed-rank interval, and how many of them
 * are positive is Wilcoxon's statistic. They are sorted once; a bootstrap sample only says how
 * often each counts.
 */
#include "echo/lab/paired.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

enum {
	WALSH_MAX = PAIRED_MAX * (PAIRED_MAX + 1) / 2,
	EXACT_MAX = 100, /* beyond, the normal approximation is right to three digits */
	RANKS_MAX = EXACT_MAX * (EXACT_MAX + 1) / 2,
	RESAMPLES_MAX = 100 * 1000,
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double paired_median(double *v, unsigned n)
{
	assert(n > 0);
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* The mean of two values, and which they are. */
struct walsh {
	double mean;
	uint16_t i, j;
};

static int by_mean(const void *a, const void *b)
{
	return by_value(&((const struct walsh *)a)->mean, &((const struct walsh *)b)->mean);
}

/* All of them, in order. */
static void walsh_all(const double *v, unsigned n, struct walsh *to)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i; j < n; j++)
			to[count++] = (struct walsh){ (v[i] + v[j]) / 2, (uint16_t)i, (uint16_t)j };
	}
	qsort(to, count, sizeof(*to), by_mean);
}

/* The median of the means that a sample has in which value i comes times[i] times: each pair of
 * different values as often as one can be taken with the other, and so for equal ones. */
static double walsh_median(const struct walsh *w, const unsigned *times, unsigned n)
{
	unsigned count = n * (n + 1) / 2, seen = 0;
	const struct walsh *lower;

	for (;; w++) {
		unsigned i = times[w->i], j = times[w->j];

		seen += w->i == w->j ? i * (i + 1) / 2 : i * j;
		if (seen >= (count + 1) / 2)
			break;
	}
	lower = w;
	while (seen < count / 2 + 1) { /* an even count: two of them are in the middle */
		w++;
		seen += w->i == w->j ? times[w->i] * (times[w->i] + 1) / 2
				     : times[w->i] * times[w->j];
	}
	return (lower->mean + w->mean) / 2;
}

/* P(W <= k) of Wilcoxon's signed ranks for @n values without ties, all k at once. */
static const double *signed_rank_cdf(unsigned n)
{
	static double cdf[RANKS_MAX + 1];
	static unsigned cached;
	unsigned top = 0;

	if (cached == n)
		return cdf;
	cached = n;
	memset(cdf, 0, sizeof(cdf));
	cdf[0] = 1;
	for (unsigned rank = 1; rank <= n; rank++) { /* each rank counts or not, evenly likely */
		top += rank;
		for (unsigned s = top;; s--) {
			cdf[s] = (cdf[s] + (s >= rank ? cdf[s - rank] : 0)) / 2;
			if (s == 0)
				break;
		}
	}
	for (unsigned s = 1; s <= top; s++)
		cdf[s] += cdf[s - 1];
	return cdf;
}

/* P(W <= k). */
static double signed_rank_below(unsigned n, unsigned k)
{
	double m = (double)n, mean = m * (m + 1) / 4, sd = sqrt(m * (m + 1) * (2 * m + 1) / 24);

	if (n <= EXACT_MAX)
		return fmin(signed_rank_cdf(n)[k], 1);
	return erfc(-(k + 0.5 - mean) / sd / M_SQRT2) / 2;
}

/* How many Walsh averages lie outside at each end of the interval; -1: too few values for any. */
static int signed_rank_cut(unsigned n, double alpha)
{
	int k = -1;

	while ((unsigned)(k + 1) < n * (n + 1) / 4 &&
	       2 * signed_rank_below(n, (unsigned)(k + 1)) <= alpha)
		k++;
	return k;
}

unsigned paired_needed(double alpha)
{
	unsigned n = 1;

	assert(alpha > 0);
	while (n < PAIRED_MAX && ldexp(1, 1 - (int)n) > alpha)
		n++;
	return n;
}

static void judge_ranks(struct paired *out, const struct walsh *w, unsigned n, double alpha)
{
	unsigned count = n * (n + 1) / 2, negative = 0, positive = 0, least;
	int cut = signed_rank_cut(n, alpha);

	for (unsigned i = 0; i < count; i++) {
		negative += w[i].mean <= 0; /* a zero speaks against both sides */
		positive += w[i].mean >= 0;
	}
	least = negative < positive ? negative : positive;
	out->middle = (w[count / 2].mean + w[(count - 1) / 2].mean) / 2;
	out->bounded = cut >= 0;
	cut = cut < 0 ? 0 : cut;
	out->low = w[cut].mean;
	out->high = w[count - 1 - (unsigned)cut].mean;
	out->p = fmin(1, 2 * signed_rank_below(n, least));
}

static void judge_bootstrap(struct paired *out, const struct walsh *w, unsigned n, double alpha,
			    unsigned resamples, uint64_t seed)
{
	static double middles[RESAMPLES_MAX];
	unsigned cut, negative = 0, positive = 0;

	for (unsigned b = 0; b < resamples; b++) {
		unsigned times[PAIRED_MAX] = { 0 };

		for (unsigned i = 0; i < n; i++)
			times[rng_below(&seed, n)]++;
		middles[b] = walsh_median(w, times, n);
		negative += middles[b] <= 0;
		positive += middles[b] >= 0;
	}
	qsort(middles, resamples, sizeof(*middles), by_value);
	cut = (unsigned)(alpha / 2 * resamples); /* that many may lie outside, at each end */
	out->low = fmin(out->low, middles[cut]);
	out->high = fmax(out->high, middles[resamples - 1 - cut]);
	out->p = fmax(out->p, 2.0 * (negative < positive ? negative : positive) / resamples);
	out->p = fmin(out->p, 1);
}

void paired_judge(struct paired *out, const double *v, unsigned n, double alpha, unsigned resamples,
		  uint64_t seed)
{
	static struct walsh all[WALSH_MAX];

	assert(n > 0 && n <= PAIRED_MAX);
	assert(resamples <= RESAMPLES_MAX);
	walsh_all(v, n, all);
	judge_ranks(out, all, n, alpha);
	if (resamples > 0)
		judge_bootstrap(out, all, n, alpha, resamples, seed);
}

void paired_holm(const double *p, unsigned n, double alpha, double *level)
{
	bool done[PAIRED_CELLS_MAX] = { false };
	unsigned left = n;

	assert(n <= PAIRED_CELLS_MAX);
	while (left > 0) {
		unsigned best = n;

		for (unsigned i = 0; i < n; i++) {
			if (!done[i] && (best == n || p[i] < p[best]))
				best = i;
		}
		if (p[best] > alpha / left)
			break;
		done[best] = true;
		level[best] = alpha / left--;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!done[i])
			level[i] = alpha / left;
	}
}
