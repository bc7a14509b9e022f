/* SPDX-License-Identifier: MIT
 * bench_self: what the harness itself costs, so that figures of a few nanoseconds can be read: an
 * empty loop is the price of bench_next(), a pause that of the clocks. Each reporting feature is
 * used once; tests/integration/test_bench.py holds the harness to them.
 */
#include <string.h>
#include <time.h>

#include "bench.h"

BENCH(self_empty)
{
	while (bench_next(b))
		bench_keep(b);
	bench_items(b, 1);
}

BENCH(self_pause)
{
	while (bench_next(b)) {
		bench_pause(b);
		bench_resume(b);
	}
}

BENCH(self_copy, 64, 4096, 65536)
{
	static char from[65536], to[65536];

	while (bench_next(b)) {
		memcpy(to, from, (size_t)b->arg);
		bench_keep(to);
	}
	bench_bytes(b, (double)b->arg);
}

/* Clock 10 was SGI_CYCLE, which Linux has no longer: a benchmark that must say so. */
BENCH(self_clock, CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, 10)
{
	struct timespec t;

	if (clock_gettime((clockid_t)b->arg, &t) < 0)
		bench_skip(b, "this kernel has no such clock");
	while (bench_next(b)) {
		clock_gettime((clockid_t)b->arg, &t);
		bench_keep(&t);
	}
	bench_items(b, 1);
}

/* One iteration is 1000 steps: a mean, a rate, its inverse, and a plain number. */
BENCH(self_counters)
{
	uint64_t steps = 0;

	while (bench_next(b))
		for (int i = 0; i < 1000; i++) {
			steps++;
			BENCH_KEEP(steps);
		}
	bench_counter(b, "steps", (double)steps, BENCH_AVG);
	bench_counter(b, "step_rate", (double)steps, BENCH_RATE);
	bench_counter(b, "step_seconds", (double)steps, BENCH_RATE | BENCH_INVERT);
	bench_counter(b, "fixed", 7, BENCH_PLAIN);
}
