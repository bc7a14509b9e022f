/* SPDX-License-Identifier: MIT
 * bench_hist: what a latency costs to record, at each precision, and to merge and ask for.
 */
#include "bench.h"

#include "echo/base/hist.h"
#include "echo/base/rng.h"

BENCH(hist_record_same, 3)
{
	struct hist *h = hist_new((unsigned)b->arg);

	while (bench_next(b))
		hist_record(h, 123456);
	bench_items(b, 1);
	hist_free(h);
}

BENCH(hist_record_random, 2, 3, 4)
{
	struct hist *h = hist_new((unsigned)b->arg);
	uint64_t seed = 1;

	while (bench_next(b))
		hist_record(h, (int64_t)(rng_next(&seed) >> 34));
	bench_items(b, 1);
	hist_free(h);
}

/* Latencies of a run lie close together: 20 to 100 us. */
BENCH(hist_record_latency, 3)
{
	struct hist *h = hist_new((unsigned)b->arg);
	uint64_t seed = 1;

	while (bench_next(b))
		hist_record(h, 20000 + (int64_t)(rng_next(&seed) & 0xffff));
	bench_items(b, 1);
	hist_free(h);
}

static struct hist *hist_filled(void)
{
	struct hist *h = hist_new(3);
	uint64_t seed = 1;

	for (int i = 0; i < 100000; i++)
		hist_record(h, 20000 + (int64_t)rng_below(&seed, 1000 * 1000));
	return h;
}

BENCH(hist_merge)
{
	struct hist *h = hist_filled(), *to = hist_new(3);

	while (bench_next(b))
		hist_merge(to, h);
	hist_free(h);
	hist_free(to);
}

BENCH(hist_percentile)
{
	struct hist *h = hist_filled();
	int64_t sum = 0;

	while (bench_next(b))
		sum += hist_percentile(h, 99);
	bench_keep(&sum);
	hist_free(h);
}
