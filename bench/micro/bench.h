/* SPDX-License-Identifier: MIT
 * bench: Google Benchmark's model for C. A benchmark is a function with a loop; the harness calls
 *it with more and more iterations until a run is long enough to be believed. Set-up stands before
 *the loop, reports and cleaning up behind it; only the loop is timed.
 *
 *	BENCH(hist_record_random, 2, 3, 4) // one run for each argument; none: one run, arg 0
 *	{
 *		struct hist *h = hist_new(b->arg);
 *
 *		while (bench_next(b))
 *			hist_record(h, 7);
 *		bench_items(b, 1);
 *		hist_free(h);
 *	}
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_COUNTERS = 8 };

enum bench_flag {
	BENCH_PLAIN = 0,
	BENCH_RATE = 1 << 0,   /* divided by the seconds of CPU time of the run */
	BENCH_AVG = 1 << 1,    /* divided by the iterations of the run */
	BENCH_INVERT = 1 << 2, /* 1 / that, e.g. seconds per item */
};

struct bench_counter {
	const char *name;
	double value;
	unsigned flags;
};

struct bench {
	int64_t arg;
	/* the rest belongs to the harness */
	uint64_t left; /* iterations to come; here, so that bench_next() is one decrement */
	uint64_t iterations;
	double items, bytes; /* per iteration */
	const char *skipped;
	int64_t real_ns, cpu_ns; /* of the loop; while running: minus the time of its start */
	bool started, running;
	unsigned counter_count;
	struct bench_counter counters[BENCH_COUNTERS];
};

struct bench_case {
	const char *name;
	void (*run)(struct bench *b);
	const int64_t *args;
	size_t arg_count;
	struct bench_case *next;
};

/* Called before main by BENCH(). Keeps the order of registration. */
void bench_register(struct bench_case *c);

/* Starts the clocks at the first call, stops them after the last iteration. */
bool bench_step(struct bench *b);

static inline bool bench_next(struct bench *b)
{
	if (__builtin_expect(b->left > 0, true)) {
		b->left--;
		return true;
	}
	return bench_step(b);
}

/* Takes what follows out of the measurement, inside the loop; each pair adds some 0.4 us of CPU
 * time. */
void bench_pause(struct bench *b);
void bench_resume(struct bench *b);

/* This benchmark cannot run here: leave the loop or do not enter it. The text must live on. */
void bench_skip(struct bench *b, const char *why);

/* What one iteration did: reported as items_per_second and bytes_per_second of CPU time. */
void bench_items(struct bench *b, double each);
void bench_bytes(struct bench *b, double each);

/* A figure of one's own: a total of the run, made into a rate or mean by the flags. */
void bench_counter(struct bench *b, const char *name, double value, unsigned flags);

/* Makes the compiler believe that the value is read, so that it must be computed. */
#define BENCH_KEEP(value) __asm__ volatile("" : : "r,m"(value) : "memory")

/* The same for what lies behind a pointer. */
static inline void bench_keep(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* Defines and registers a benchmark; the function's body follows. A leading 0 allows no argument.
 */
#define BENCH(fn, ...)                                                                             \
	static void bench_run_##fn(struct bench *b);                                               \
	static const int64_t bench_args_##fn[] = { 0, ##__VA_ARGS__ };                             \
	static struct bench_case bench_case_##fn = {                                               \
		.name = #fn,                                                                       \
		.run = bench_run_##fn,                                                             \
		.args = bench_args_##fn + 1,                                                       \
		.arg_count = sizeof(bench_args_##fn) / sizeof(int64_t) - 1,                        \
	};                                                                                         \
	__attribute__((constructor)) static void bench_add_##fn(void)                              \
	{                                                                                          \
		bench_register(&bench_case_##fn);                                                  \
	}                                                                                          \
	static void bench_run_##fn(struct bench *b)

#endif
