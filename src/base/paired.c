/* SPDX-License-Identifier: MIT
 * paired: the means of all pairs (Walsh averages) serve everything here: their median is the
 * estimate, their order statistics are the ends of the signed-rank interval, and how many of them
 * are positive is Wilcoxon's statistic.
 */
#include "echo/paired.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base.h"
#include "echo/rng.h"

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

static unsigned walsh(const double *v, unsigned n, double *to)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i; j < n; j++)
			to[count++] = (v[i] + v[j]) / 2;
	}
	return count;
}

static void swap(double *a, double *b)
{
	double c = *a;

	*a = *b;
	*b = c;
}

/* The k-th smallest; partly sorts @v so that all before it are no greater (Hoare 1961). */
static double select_nth(double *v, int n, int k)
{
	int low = 0, high = n - 1;

	while (low < high) {
		double pivot = v[low + (high - low) / 2];
		int i = low, j = high;

		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i <= j)
				swap(&v[i++], &v[j--]);
		}
		if (k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			break; /* between the parts stand pivots only */
	}
	return v[k];
}

static double walsh_median(const double *v, unsigned n)
{
	static double w[WALSH_MAX];
	unsigned count = walsh(v, n, w);
	double upper = select_nth(w, (int)count, (int)count / 2), lower;

	if (count % 2)
		return upper;
	lower = w[0];
	for (unsigned i = 1; i < count / 2; i++)
		lower = fmax(lower, w[i]);
	return (lower + upper) / 2;
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

static void judge_ranks(struct paired *out, const double *v, unsigned n, double alpha)
{
	static double w[WALSH_MAX];
	unsigned count = walsh(v, n, w), negative = 0, positive = 0, least;
	int cut = signed_rank_cut(n, alpha);

	qsort(w, count, sizeof(*w), by_value);
	for (unsigned i = 0; i < count; i++) {
		negative += w[i] <= 0; /* a zero speaks against both sides */
		positive += w[i] >= 0;
	}
	least = negative < positive ? negative : positive;
	out->middle = count % 2 ? w[count / 2] : (w[count / 2 - 1] + w[count / 2]) / 2;
	out->bounded = cut >= 0;
	cut = cut < 0 ? 0 : cut;
	out->low = w[cut];
	out->high = w[count - 1 - (unsigned)cut];
	out->p = fmin(1, 2 * signed_rank_below(n, least));
}

static void judge_bootstrap(struct paired *out, const double *v, unsigned n, double alpha,
			    unsigned resamples, uint64_t seed)
{
	static double middles[RESAMPLES_MAX];
	double sample[PAIRED_MAX];
	unsigned cut, negative = 0, positive = 0;

	for (unsigned b = 0; b < resamples; b++) {
		for (unsigned i = 0; i < n; i++)
			sample[i] = v[rng_below(&seed, n)];
		middles[b] = walsh_median(sample, n);
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
	assert(n > 0 && n <= PAIRED_MAX);
	assert(resamples <= RESAMPLES_MAX);
	judge_ranks(out, v, n, alpha);
	if (resamples > 0)
		judge_bootstrap(out, v, n, alpha, resamples, seed);
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
