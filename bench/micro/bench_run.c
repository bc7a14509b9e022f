/* SPDX-License-Identifier: MIT
 * bench_run: measures one benchmark. How many iterations a run needs nobody can know, so it tries
 * one, guesses the next number from the time that took, and goes on until the loop lasts as long as
 * was asked; repetitions then use the same number, so that their spread is the machine's and not
 * the method's.
 */
#include "bench_private.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static const uint64_t max_iterations = 1000000000;

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_resume(struct bench *b)
{
	assert(!b->running);
	b->running = true;
	b->cpu_ns -= clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->real_ns -= clock_ns(CLOCK_MONOTONIC);
}

void bench_pause(struct bench *b)
{
	assert(b->running);
	b->real_ns += clock_ns(CLOCK_MONOTONIC);
	b->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->running = false;
}

bool bench_step(struct bench *b)
{
	if (b->skipped)
		return false;
	if (b->started) {
		bench_pause(b);
		return false;
	}
	b->started = true;
	b->left = b->iterations - 1;
	bench_resume(b);
	return true;
}

void bench_skip(struct bench *b, const char *why)
{
	b->skipped = why;
	b->left = 0;
}

void bench_items(struct bench *b, double each)
{
	b->items = each;
}

void bench_bytes(struct bench *b, double each)
{
	b->bytes = each;
}

void bench_counter(struct bench *b, const char *name, double value, unsigned flags)
{
	assert(b->counter_count < BENCH_COUNTERS);
	b->counters[b->counter_count++] = (struct bench_counter){ name, value, flags };
}

/* One run. What a run must have done, and a benchmark can do wrong, is said like a skip. */
static void run_once(struct bench *b, const struct bench_case *c, size_t arg, uint64_t iterations)
{
	*b = (struct bench){ .iterations = iterations };
	if (c->arg_count > 0)
		b->arg = c->args[arg];
	c->run(b);
	if (!b->skipped && !b->started)
		b->skipped = "never called bench_next()";
	else if (!b->skipped && b->running)
		b->skipped = "left its loop early";
}

/*
 * The next number to try: what should last 1.4 times as long as asked, but never more than ten
 * times the last one while that lasted less than a tenth. The constants are Google Benchmark's.
 */
static uint64_t next_iterations(const struct bench *b, double min_seconds)
{
	double seconds = (double)b->cpu_ns / 1e9;
	double factor = min_seconds * 1.4 / fmax(seconds, 1e-9);
	double next;

	if (seconds / min_seconds <= 0.1)
		factor = fmin(factor, 10);
	if (factor <= 1)
		factor = 2;
	next = fmax(factor * (double)b->iterations, (double)b->iterations + 1);
	return (uint64_t)fmin(next, (double)max_iterations);
}

static bool long_enough(const struct bench *b, double min_seconds)
{
	return b->skipped || b->iterations >= max_iterations ||
	       (double)b->cpu_ns >= min_seconds * 1e9 || (double)b->real_ns >= min_seconds * 5e9;
}

static void add_metric(struct bench_row *row, const char *name, double value)
{
	row->metrics[row->metric_count++] =
		(struct bench_metric){ name, isfinite(value) ? value : 0 };
}

/* Turns a run into what is reported: times for each iteration, rates by CPU time. */
static void fill_row(struct bench_row *row, const struct bench *b)
{
	double n = (double)b->iterations, seconds = fmax((double)b->cpu_ns, 1) / 1e9;

	row->skipped = b->skipped;
	row->iterations = b->skipped ? 0 : b->iterations;
	row->metric_count = 0;
	if (b->skipped)
		return;
	row->real_ns = (double)b->real_ns / n;
	row->cpu_ns = (double)b->cpu_ns / n;
	if (b->items > 0)
		add_metric(row, "items_per_second", b->items * n / seconds);
	if (b->bytes > 0)
		add_metric(row, "bytes_per_second", b->bytes * n / seconds);
	for (unsigned i = 0; i < b->counter_count; i++) {
		const struct bench_counter *k = &b->counters[i];
		double value = k->value;

		value /= k->flags & BENCH_RATE ? seconds : 1;
		value /= k->flags & BENCH_AVG ? n : 1;
		add_metric(row, k->name, k->flags & BENCH_INVERT ? 1 / value : value);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Mean, median, sample standard deviation and its ratio to the mean. Sorts the values. */
static void aggregate(double *v, unsigned n, double out[4])
{
	double sum = 0, squares = 0;

	qsort(v, n, sizeof(*v), by_value);
	for (unsigned i = 0; i < n; i++)
		sum += v[i];
	out[0] = sum / n;
	out[1] = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
	for (unsigned i = 0; i < n; i++)
		squares += (v[i] - out[0]) * (v[i] - out[0]);
	out[2] = n > 1 ? sqrt(squares / (n - 1)) : 0;
	out[3] = out[0] > 0 ? out[2] / out[0] : 0;
}

/* One column of the repetitions: real time, CPU time, then the metrics. */
static double *column(struct bench_row *row, unsigned i)
{
	return i == 0 ? &row->real_ns : i == 1 ? &row->cpu_ns : &row->metrics[i - 2].value;
}

/* Adds the four rows that sum up n repetitions of one benchmark. */
static void add_aggregates(const struct bench_plan *plan, struct bench_row *rows, unsigned n)
{
	static const char *const names[] = { "mean", "median", "stddev", "cv" };
	struct bench_row sums[4];
	double *values = calloc(n, sizeof(*values)), out[4];

	assert(values);
	for (int s = 0; s < 4; s++) {
		sums[s] = rows[0];
		sums[s].aggregate = names[s];
		sums[s].iterations = n;
	}
	for (unsigned i = 0; i < rows[0].metric_count + 2; i++) {
		for (unsigned r = 0; r < n; r++)
			values[r] = *column(&rows[r], i);
		aggregate(values, n, out);
		for (int s = 0; s < 4; s++)
			*column(&sums[s], i) = out[s];
	}
	for (int s = 0; s < 4; s++)
		plan->show(plan->ctx, &sums[s]);
	free(values);
}

void bench_run(const struct bench_plan *plan, const struct bench_case *c, size_t arg,
	       const struct bench_row *like)
{
	unsigned n = plan->repetitions, done = 0;
	struct bench_row *rows = calloc(n, sizeof(*rows));
	struct bench_row row = *like;
	struct bench b;

	assert(rows);
	run_once(&b, c, arg, 1);
	while (!long_enough(&b, plan->min_seconds))
		run_once(&b, c, arg, next_iterations(&b, plan->min_seconds));
	for (;;) {
		row.repetition = done;
		fill_row(&row, &b);
		rows[done++] = row;
		plan->show(plan->ctx, &row);
		if (done == n || b.skipped)
			break;
		run_once(&b, c, arg, b.iterations);
	}
	if (n > 1 && !b.skipped)
		add_aggregates(plan, rows, n);
	free(rows);
}
