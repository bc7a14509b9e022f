/* SPDX-License-Identifier: MIT
 * pair_stats: what a key of two commands' results tells. The answer is the median over rounds of
 * ln(B / A) with a bootstrap interval (Efron 1979, percentile method): it asks nothing of the
 * distribution, and a round that somebody disturbed moves the median by one place only.
 */
#ifndef BENCH_PAIR_STATS_H
#define BENCH_PAIR_STATS_H

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 10000, RESAMPLES = 2000 };

struct key {
	const char *label;                   /* as given: PATH or PATH_A=PATH_B */
	const char *path[2];                 /* in A's JSON and in B's */
	double value[2][MAX_ROUNDS];         /* of each whole round */
	double ratio[MAX_ROUNDS];            /* ln(B / A) */
	double middle[2], median, low, high; /* medians of A and B; B / A and its interval */
};

/* The number at a dotted path, or NAN. A path that ends at an object means its "echoed". */
static inline double key_number(const json_t *json, const char *path)
{
	char name[128];

	while (*path && json) {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		json = json_is_array(json) ? json_array_get(json, (size_t)strtol(name, NULL, 10))
					   : json_object_get(json, name);
		path += len + (path[len] == '.');
	}
	if (json_is_object(json))
		json = json_object_get(json, "echoed"); /* messages of echoload/1 */
	return json_is_number(json) ? json_number_value(json) : (double)NAN;
}

/* xorshift64* (Vigna 2014): the seed makes order and interval repeatable. */
static inline uint64_t pair_draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1d;
}

static inline int key_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values in place. */
static inline double key_sort_median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), key_by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static inline double key_median(const double *v, unsigned n)
{
	static double copy[MAX_ROUNDS];

	memcpy(copy, v, n * sizeof(*v));
	return key_sort_median(copy, n);
}

/* Resamples rounds with replacement; the 2.5 and 97.5 % points of the medians are the interval. */
static inline void key_judge(struct key *k, unsigned n, uint64_t seed)
{
	static double sample[MAX_ROUNDS], medians[RESAMPLES];

	for (unsigned b = 0; b < RESAMPLES; b++) {
		for (unsigned i = 0; i < n; i++)
			sample[i] = k->ratio[(pair_draw(&seed) >> 32) * n >> 32];
		medians[b] = key_sort_median(sample, n);
	}
	qsort(medians, RESAMPLES, sizeof(*medians), key_by_value);
	k->low = exp(medians[RESAMPLES / 40]);
	k->high = exp(medians[RESAMPLES - 1 - RESAMPLES / 40]);
	k->median = exp(key_median(k->ratio, n));
	for (int s = 0; s < 2; s++)
		k->middle[s] = key_median(k->value[s], n);
}

/* What may be said: no winner while the interval holds 1. */
static inline const char *key_winner(const struct key *k)
{
	return k->low > 1 ? "B higher" : k->high < 1 ? "B lower" : "no difference";
}

#endif
