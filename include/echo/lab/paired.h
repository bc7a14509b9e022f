/* SPDX-License-Identifier: MIT
 * paired: is the middle of these differences zero, and how sure is that? The values are ln(B / A),
 * one from each repetition in which both sides met the same machine.
 *
 * The middle is the Hodges-Lehmann estimate, the median of the means of all pairs of values (1963):
 * as hard to disturb as a median where it matters (up to 29 % of the values may be anything), and
 * it needs a third fewer values for the same interval. The interval is the bootstrap's (Efron 1979,
 * percentile method), but never narrower than the exact one of Wilcoxon's signed ranks, because the
 * bootstrap is too narrow when there are few values. A value p belongs to it: the interval at level
 * 1 - alpha leaves out zero exactly when p <= alpha.
 */
#ifndef ECHO_PAIRED_H
#define ECHO_PAIRED_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PAIRED_MAX = 1000, /* values */
	PAIRED_CELLS_MAX = 512,
};

struct paired {
	double middle, low, high; /* as the values: logarithms if they were */
	double p;                 /* 1 when there are too few values for any claim */
	bool bounded;             /* false: too few values for this level; low and high are the
				     least and the greatest of them */
};

/* Median; sorts @v. n > 0. */
double paired_median(double *v, unsigned n);

/* The middle, its interval at level 1 - @alpha, and p. 0 < n <= PAIRED_MAX. @seed makes the
 * bootstrap repeatable; @resamples 0: signed ranks alone, which is fast. Not for threads: it works
 * in static memory. */
void paired_judge(struct paired *out, const double *v, unsigned n, double alpha, unsigned resamples,
		  uint64_t seed);

/* How many values a claim at level 1 - @alpha needs at least. */
unsigned paired_needed(double alpha);

/* Holm's correction (1979): @alpha for all @n hypotheses together. level[i] is the one at which
 * hypothesis i was tested: it is rejected if p[i] <= level[i]. n <= PAIRED_CELLS_MAX. */
void paired_holm(const double *p, unsigned n, double alpha, double *level);

#endif
