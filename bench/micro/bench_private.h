/* SPDX-License-Identifier: MIT
 * bench_private: what the files of the harness share: bench.c decides what runs, bench_run.c
 * measures, bench_report.c writes.
 */
#ifndef BENCH_BENCH_PRIVATE_H
#define BENCH_BENCH_PRIVATE_H

#include "bench.h"

#include <stdio.h>

enum { BENCH_METRICS = 2 + BENCH_COUNTERS, BENCH_NAME_LEN = 120 };

struct bench_metric {
	const char *name;
	double value;
};

/* One row: a repetition, or an aggregate over repetitions. */
struct bench_row {
	char run_name[BENCH_NAME_LEN]; /* fn or fn/arg */
	const char *aggregate;         /* NULL: a repetition; else mean, median, stddev, cv */
	const char *skipped;           /* why, or NULL */
	unsigned family, instance, repetitions, repetition;
	uint64_t iterations;    /* of an aggregate: the repetitions in it */
	double real_ns, cpu_ns; /* for each iteration; of cv: a fraction */
	unsigned metric_count;
	struct bench_metric metrics[BENCH_METRICS]; /* rates first, then the counters */
};

struct bench_rows {
	struct bench_row *rows;
	size_t count, room;
};

/* The function that is given each row as soon as it is known. */
typedef void bench_show_fn(void *ctx, const struct bench_row *row);

/*
 * Runs all repetitions of one benchmark with its arg-th argument, then their aggregates. The row
 * says which one it is; the rest of it is filled in.
 */
struct bench_plan {
	double min_seconds;
	unsigned repetitions;
	bench_show_fn *show;
	void *ctx;
};
void bench_run(const struct bench_plan *plan, const struct bench_case *c, size_t arg,
	       const struct bench_row *like);

void bench_rows_add(struct bench_rows *all, const struct bench_row *row);

/* The table: its head, then a row at a time, while the benchmarks run. */
void bench_console_head(FILE *f, int name_width);
void bench_console_row(FILE *f, int name_width, const struct bench_row *row);

/* The whole result as JSON. Returns 0 or -errno. */
int bench_json(FILE *f, const char *executable, const struct bench_rows *all);

#endif
