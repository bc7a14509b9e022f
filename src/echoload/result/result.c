/* SPDX-License-Identifier: MIT
 * result: figures that follow from a result, and whether all of its parts agree.
 */
#include "result.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"

void result_latency(const struct hist *h, struct latency *l)
{
	*l = (struct latency){
		.count = h->count,
		.min = h->count > 0 ? h->min : 0,
		.mean = (int64_t)llround(hist_mean(h)),
		.p50 = hist_percentile(h, 50),
		.p90 = hist_percentile(h, 90),
		.p99 = hist_percentile(h, 99),
		.p99_9 = hist_percentile(h, 99.9),
		.p99_99 = hist_percentile(h, 99.99),
		.max = h->max,
	};
}

enum {
	FIRST_DOUBLING = 10, /* of nanoseconds, as a power of two */
	BUCKETS_LOG2 = 2,
};
static_assert(1 << BUCKETS_LOG2 == BUCKETS_PER_DOUBLING, "quarters are told by two bits");

int64_t result_bucket_ns(unsigned i)
{
	unsigned doubling, quarter;

	assert(i < BUCKETS);
	if (i == 0)
		return 0;
	doubling = (i - 1) / BUCKETS_PER_DOUBLING;
	quarter = (i - 1) % BUCKETS_PER_DOUBLING;
	return (int64_t)(BUCKETS_PER_DOUBLING + quarter)
	       << (FIRST_DOUBLING + doubling - BUCKETS_LOG2);
}

/* The bucket of @value. */
static unsigned bucket_of(int64_t value)
{
	const unsigned log2 = 63 - (unsigned)__builtin_clzll((uint64_t)value | 1);
	unsigned i;

	if (log2 < FIRST_DOUBLING)
		return 0;
	i = 1 + (log2 - FIRST_DOUBLING) * BUCKETS_PER_DOUBLING +
	    ((unsigned)(value >> (log2 - BUCKETS_LOG2)) - BUCKETS_PER_DOUBLING);
	return i < BUCKETS ? i : BUCKETS - 1;
}

void result_buckets(const struct hist *h, uint64_t buckets[BUCKETS])
{
	memset(buckets, 0, BUCKETS * sizeof(*buckets));
	if (h->count == 0)
		return;
	for (uint32_t i = hist_index(h, (uint64_t)h->min), last = hist_index(h, (uint64_t)h->max);
	     i <= last; i++)
		buckets[bucket_of(hist_lowest(h, i))] += h->counts[i];
}

double result_interval_rate(const struct interval *i)
{
	int64_t ns = i->end_ns - i->begin_ns;

	return ns > 0 ? (double)i->counts.echoed * 1e9 / (double)ns : 0;
}

double result_rate(const struct result *r)
{
	int64_t ns = r->measure_end_ns - r->measure_begin_ns;

	return ns > 0 ? (double)r->books.measured.echoed * 1e9 / (double)ns : 0;
}

double result_connect_rate(const struct result *r)
{
	return r->duration_ns > 0 ? (double)r->books.established * 1e9 / (double)r->duration_ns : 0;
}

double result_byte_rate(const struct result *r)
{
	const struct books *b = &r->books;

	if (b->all.echoed == 0)
		return 0;
	return result_rate(r) * ((double)b->bytes_echoed / (double)b->all.echoed);
}

const char *result_check(const struct result *r)
{
	const struct books *b = &r->books;
	const char *broken = books_check(b);

	if (broken)
		return broken;
	if (r->latency->count != b->measured.echoed)
		return "latency_ns.count = measured.echoed";
	if (r->uncorrected->count != b->measured.echoed)
		return "latency_uncorrected_ns.count = measured.echoed";
	if (r->outside->count + b->echoed_in_outage != b->measured.echoed)
		return "latency_outside_outage_ns.count + measured.echoed_in_outage = "
		       "measured.echoed";
	return NULL;
}
