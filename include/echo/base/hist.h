/* SPDX-License-Identifier: MIT
 * hist: a latency histogram: log-linear counters over all of [0, 2^63), constant relative error.
 *
 * The layout is HdrHistogram's (Gil Tene, public domain): values below 2^k have a counter each,
 * above that every power of two has 2^(k-1), where 2^k is the first power of two >= 2 * 10^digits.
 * So percentiles are exact to @digits significant digits, merging is addition, and no value is
 * clamped or lost. Count, sum, minimum and maximum are exact.
 */
#ifndef ECHO_HIST_H
#define ECHO_HIST_H

#include <assert.h>
#include <stdint.h>

enum { HIST_DIGITS_MAX = 5 };

struct hist {
	uint64_t count;
	int64_t min, max; /* exact; min is INT64_MAX and max is 0 when empty */
	unsigned __int128 sum;
	unsigned bits;    /* k above */
	uint32_t len;     /* counters */
	uint64_t *counts; /* mmap'ed: untouched ones cost no memory */
};

/* Reserves an empty histogram for values of @digits (1..5) significant digits. NULL: no memory. */
struct hist *hist_new(unsigned digits);
void hist_free(struct hist *h);
/* Those digits. */
unsigned hist_digits(const struct hist *h);
void hist_clear(struct hist *h);

/* The counter that @value belongs to. */
static inline uint32_t hist_index(const struct hist *h, uint64_t value)
{
	/* bucket 0 holds values below 2^k; |1 << (k-1)| keeps the shift at 0 for them */
	unsigned shift =
		63u - (unsigned)__builtin_clzll(value | (1ull << (h->bits - 1))) - (h->bits - 1);

	return (shift << (h->bits - 1)) + (uint32_t)(value >> shift);
}

/* Smallest and largest value that counter @index stands for. */
int64_t hist_lowest(const struct hist *h, uint32_t index);
int64_t hist_highest(const struct hist *h, uint32_t index);

/* Counts @value (nanoseconds, or anything else >= 0) @n times. At most 5 ns. */
static inline void hist_record_many(struct hist *h, int64_t value, uint64_t n)
{
	assert(value >= 0 && n > 0);
	h->counts[hist_index(h, (uint64_t)value)] += n;
	h->count += n;
	h->sum += (unsigned __int128)(uint64_t)value * n;
	if (value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
}

static inline void hist_record(struct hist *h, int64_t value)
{
	hist_record_many(h, value, 1);
}

/* Adds all of @from to @to. Both must have the same digits. */
void hist_merge(struct hist *to, const struct hist *from);

/* The smallest recorded value v (to the precision) such that at least @percent (0..100) of all
 * values are <= v, as HdrHistogram defines it: the highest value equivalent to that counter, but
 * never more than max. So 0 gives what is equivalent to min, 100 gives max. 0 when empty. */
int64_t hist_percentile(const struct hist *h, double percent);

/* Mean of the exact values; 0 when empty. */
double hist_mean(const struct hist *h);

#endif
