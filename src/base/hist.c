/* SPDX-License-Identifier: MIT
 * hist: the slow half of the histogram: hist_index and hist_record are in the header.
 *
 * With h = 2^(k-1), counters 0 .. 2h-1 stand for a value each, and from there every run of h
 * counters stands for one power of two, cut into h equal pieces: counter i lies in run i / h, the
 * values in it are shifted by run - 1. All counters in use lie between those of min and max, so
 * that no walk goes further.
 */
#include "echo/base/hist.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "echo/base/base.h"

enum { VALUE_BITS = 63 }; /* values are below 2^63 */

static size_t counts_size(const struct hist *h)
{
	return h->len * sizeof(*h->counts);
}

struct hist *hist_new(unsigned digits)
{
	struct hist *h = calloc(1, sizeof(*h));
	uint64_t unit_max = 2; /* values up to here are told apart by one */

	assert(digits >= 1 && digits <= HIST_DIGITS_MAX);
	if (!h)
		return NULL;
	for (unsigned i = 0; i < digits; i++)
		unit_max *= 10;
	h->bits = 64u - (unsigned)__builtin_clzll(unit_max - 1);
	h->len = (VALUE_BITS - h->bits + 2) << (h->bits - 1);
	h->min = INT64_MAX;
	h->counts = mmap(NULL, counts_size(h), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (h->counts == MAP_FAILED) {
		free(h);
		return NULL;
	}
	assert(hist_index(h, INT64_MAX) == h->len - 1);
	return h;
}

unsigned hist_digits(const struct hist *h)
{
	uint64_t unit_max = 2; /* see hist.h */
	unsigned digits = 0;

	while (unit_max * 10 < 1ull << h->bits) {
		unit_max *= 10;
		digits++;
	}
	return digits;
}

void hist_free(struct hist *h)
{
	if (!h)
		return;
	munmap(h->counts, counts_size(h));
	free(h);
}

void hist_clear(struct hist *h)
{
	if (h->count == 0)
		return;
	assert(h->min <= h->max);
	uint32_t first = hist_index(h, (uint64_t)h->min), last = hist_index(h, (uint64_t)h->max);

	assert(last < h->len);
	memset(h->counts + first, 0, (last - first + 1) * sizeof(*h->counts));
	h->count = 0;
	h->sum = 0;
	h->min = INT64_MAX;
	h->max = 0;
}

/* By how many bits the values of counter @index are shifted. */
static unsigned index_shift(const struct hist *h, uint32_t index)
{
	unsigned run = index >> (h->bits - 1);

	assert(index < h->len);
	return run > 0 ? run - 1 : 0;
}

int64_t hist_lowest(const struct hist *h, uint32_t index)
{
	unsigned shift = index_shift(h, index);

	return (int64_t)(index - (shift << (h->bits - 1))) << shift;
}

int64_t hist_highest(const struct hist *h, uint32_t index)
{
	return hist_lowest(h, index) + (int64_t)((1ull << index_shift(h, index)) - 1);
}

void hist_merge(struct hist *to, const struct hist *from)
{
	assert(to->bits == from->bits && to->len == from->len);
	assert(to != from);
	if (from->count == 0)
		return;
	uint32_t last = hist_index(from, (uint64_t)from->max);

	for (uint32_t i = hist_index(from, (uint64_t)from->min); i <= last; i++)
		if (from->counts[i] > 0) /* adding 0 would touch memory */
			to->counts[i] += from->counts[i];
	to->count += from->count;
	to->sum += from->sum;
	if (from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
}

/* How many values are at least @percent of all, 1 or more. */
static uint64_t rank(const struct hist *h, double percent)
{
	/* the last bit of @percent is rounding: 99.9% of 1000 are 999, not 999.00000000000006 */
	double exact = percent * (1 - DBL_EPSILON) / 100 * (double)h->count;
	uint64_t n = (uint64_t)exact;

	if ((double)n < exact)
		n++;
	return n > 0 ? n : 1;
}

int64_t hist_percentile(const struct hist *h, double percent)
{
	assert(percent >= 0 && percent <= 100);
	if (h->count == 0)
		return 0;
	if (percent >= 100)
		return h->max;
	uint32_t i = hist_index(h, (uint64_t)h->min), last = hist_index(h, (uint64_t)h->max);
	uint64_t want = rank(h, percent), seen = h->counts[i];

	while (seen < want && i < last)
		seen += h->counts[++i];
	return i < last ? hist_highest(h, i) : h->max;
}

double hist_mean(const struct hist *h)
{
	return h->count > 0 ? (double)h->sum / (double)h->count : 0;
}
