/* SPDX-License-Identifier: MIT
 * test_series: whatever the order in which workers hand over and main collects, rows follow each
 * other without a gap and add up to the run. The workers are ours: no thread runs.
 */
#include "echoload/engine/series.h"

#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/hist.h"
#include "echo/base/rng.h"
#include "echoload/engine/load.h"
#include "echoload/engine/run.h"
#include "echoload/options/opts.h"

#include "suites.h"

enum { WORKERS = 3 };

/* Nobody is waited for: main would have to be late by half of it. And a machine that has booted not
 * long ago has been up for one and a half. */
#define INTERVAL SEC(16)

static struct run run;
static struct load_config config;
static struct worker workers[WORKERS];
static struct load loads[WORKERS];
static struct books books[WORKERS];
static int64_t start_ns;

static void setup(void)
{
	memset(&run, 0, sizeof(run));
	memset(workers, 0, sizeof(workers));
	memset(loads, 0, sizeof(loads));
	memset(books, 0, sizeof(books));
	config = (struct load_config){ .interval = INTERVAL, .connections = WORKERS };
	start_ns = clock_now_ns();
	run.shared.config = &config;
	run.shared.start_ns = start_ns;
	run.shared.target_count = 1;
	run.loads = loads;
	run.group.workers = workers;
	run.group.count = run.group.running = WORKERS;
	ck_assert_int_eq(outage_init(&run.shared.outages, WORKERS, WORKERS, SEC(1)), 0);
	outage_start(&run.shared.outages, start_ns);
	for (unsigned i = 0; i < WORKERS; i++) {
		timers_init(&workers[i].timers, start_ns);
		loads[i].run = &run.shared;
		loads[i].books = &books[i];
		loads[i].worker = &workers[i];
		loads[i].tally = &loads[i].handoff.tallies[0];
		ck_assert_int_eq(interval_tally_init(&loads[i].handoff), 0);
		interval_start(&loads[i]);
	}
	ck_assert_int_eq(series_init(&run.series, &run), 0);
	series_start(&run.series, NULL);
}

static void teardown(void)
{
	series_fini(&run.series);
	for (unsigned i = 0; i < WORKERS; i++)
		interval_tally_fini(&loads[i].handoff);
	outage_fini(&run.shared.outages);
}

/* When interval @n, from 1, ends. */
static int64_t boundary(int64_t n)
{
	return start_ns + n * INTERVAL;
}

/* Worker @i gets an echo after @latency_ns. */
static void echo(unsigned i, int64_t latency_ns)
{
	loads[i].books[0].all.sent++;
	loads[i].books[0].all.echoed++;
	hist_record(loads[i].tally->outside, latency_ns);
}

/* Worker @i lives to see that time, @late_ns after the boundary. */
static void reach(unsigned i, int64_t n, int64_t late_ns)
{
	timers_run(&workers[i].timers, boundary(n) + late_ns);
}

static void end_all(int64_t duration_ns)
{
	for (unsigned i = 0; i < WORKERS; i++)
		atomic_store(&workers[i].done, true);
	series_finish(&run.series, duration_ns);
}

START_TEST(a_row_ends_when_all_workers_have_handed_over)
{
	const struct series *s = &run.series;

	for (unsigned i = 0; i < WORKERS; i++)
		echo(i, USEC(10 * (i + 1)));
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_uint_eq(s->count, 0);
		reach(i, 1, MSEC(1));
		series_poll(&run.series);
	}
	ck_assert_uint_eq(s->count, 1);
	ck_assert_int_eq(s->rows[0].begin_ns, 0);
	ck_assert_int_eq(s->rows[0].end_ns, INTERVAL);
	ck_assert_uint_eq(s->rows[0].counts.echoed, WORKERS);
	ck_assert_uint_eq(s->rows[0].latency.count, WORKERS);
	ck_assert_int_eq(s->rows[0].latency.min, USEC(10));
	ck_assert_int_eq(s->rows[0].latency.max, USEC(30));
}
END_TEST

START_TEST(a_row_has_the_ends_of_its_time_by_cause_and_its_latency_in_buckets)
{
	const struct outcome reset = { .cause = CAUSE_RESET, .at = PHASE_AWAITING, .count = 2 };
	const struct outcome refused = { .cause = CAUSE_REFUSED,
					 .at = PHASE_CONNECTING,
					 .count = 1 };
	const struct interval *rows = run.series.rows;

	books_outcome(&loads[0].books[0], &reset);
	echo(0, 1023);
	echo(1, 1024);
	echo(1, 1279);
	for (unsigned i = 0; i < WORKERS; i++)
		reach(i, 1, 0);
	series_poll(&run.series);
	books_outcome(&loads[1].books[0], &reset);
	books_outcome(&loads[2].books[0], &refused);
	end_all(INTERVAL + 1);
	ck_assert_uint_eq(run.series.count, 2);
	ck_assert_uint_eq(rows[0].counts.ended[CAUSE_RESET], 2);
	ck_assert_uint_eq(rows[0].counts.ended[CAUSE_REFUSED], 0);
	ck_assert_uint_eq(rows[1].counts.ended[CAUSE_RESET], 2);
	ck_assert_uint_eq(rows[1].counts.ended[CAUSE_REFUSED], 1);
	ck_assert_uint_eq(rows[0].buckets[0], 1);
	ck_assert_uint_eq(rows[0].buckets[1], 2);
	ck_assert_uint_eq(rows[1].buckets[0], 0);
}
END_TEST

START_TEST(a_bucket_holds_what_is_between_its_bound_and_the_next)
{
	struct hist *h = hist_new(3);
	uint64_t buckets[BUCKETS];

	ck_assert_int_eq(result_bucket_ns(0), 0);
	ck_assert_int_eq(result_bucket_ns(1), 1024);
	for (unsigned i = 1; i < BUCKETS; i++) {
		const int64_t from_ns = result_bucket_ns(i);

		ck_assert_int_gt(from_ns, result_bucket_ns(i - 1));
		hist_clear(h);
		hist_record(h, from_ns);
		hist_record_many(h, from_ns - 1, 2);
		result_buckets(h, buckets);
		ck_assert_uint_eq(buckets[i], 1);
		ck_assert_uint_eq(buckets[i - 1], 2);
	}
	hist_clear(h);
	hist_record(h, INT64_MAX);
	result_buckets(h, buckets);
	ck_assert_uint_eq(buckets[BUCKETS - 1], 1);
	hist_free(h);
}
END_TEST

START_TEST(a_worker_that_is_late_is_not_waited_for_and_comes_in_the_next_row)
{
	const struct series *s = &run.series;

	/* the boundary passed more than half of an interval ago */
	run.shared.start_ns = start_ns -= INTERVAL + INTERVAL / 2 + MSEC(1);
	series_start(&run.series, NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		echo(i, USEC(10));
		timers_init(&workers[i].timers, start_ns);
		loads[i].interval = (struct timer){ 0 };
		interval_start(&loads[i]);
	}
	reach(0, 1, 0);
	series_poll(&run.series);
	ck_assert_uint_eq(s->count, 1);
	ck_assert_uint_eq(s->rows[0].counts.echoed, 1);
	reach(1, 1, MSEC(900));
	series_poll(&run.series);
	end_all(2 * INTERVAL);
	ck_assert_uint_eq(s->count, 2);
	ck_assert_int_eq(s->rows[1].begin_ns, INTERVAL);
	ck_assert_uint_eq(s->rows[1].counts.echoed, 2);
	ck_assert_uint_eq(s->rows[1].latency.count, 2);
}
END_TEST

START_TEST(a_run_without_anything_has_no_row)
{
	end_all(MSEC(3));
	ck_assert_uint_eq(run.series.count, 0);
}
END_TEST

START_TEST(the_warm_up_is_in_rows_but_not_in_the_run)
{
	hist_record(loads[0].tally->other, USEC(7));
	loads[0].books[0].all.sent = loads[0].books[0].all.echoed = 1;
	echo(1, USEC(5));
	hist_record(loads[2].tally->inside, USEC(6)); /* while an outage was open */
	end_all(MSEC(3));
	ck_assert_uint_eq(run.series.count, 1);
	ck_assert_int_eq(run.series.rows[0].end_ns, MSEC(3));
	ck_assert_uint_eq(run.series.rows[0].latency.count, 3);
	ck_assert_uint_eq(run.series.latency->count, 2);
	ck_assert_uint_eq(run.series.outside->count, 1);
}
END_TEST

START_TEST(main_sleeps_until_the_next_boundary_and_no_longer)
{
	int ms = series_wait_ms(&run.series);

	ck_assert_int_gt(ms, 1000);
	ck_assert_int_le(ms, 60 * 1000);
	run.series.begin_ns = clock_now_ns() - INTERVAL - SEC(1); /* somebody is late */
	ck_assert_int_le(series_wait_ms(&run.series), 3);
}
END_TEST

/* What the workers did by chance, beside what the series made of it. */
static struct hist *all_latency;
static uint64_t echoes, missed, connects;

static void do_something(unsigned i, uint64_t *seed)
{
	struct load *l = &loads[i];
	int64_t latency_ns = (int64_t)(rng_next(seed) >> (20 + rng_below(seed, 40)));

	switch (rng_below(seed, 4)) {
	case 0:
		l->missed++;
		missed++;
		break;
	case 1:
		l->books[0].established++;
		connects++;
		break;
	default:
		echo(i, latency_ns);
		hist_record(all_latency, latency_ns);
		echoes++;
	}
}

static void expect_sums(void)
{
	const struct series *s = &run.series;
	struct interval_counts sum = { 0 };
	uint64_t latencies = 0;
	int64_t end_ns = 0;

	for (unsigned i = 0; i < s->count; i++) {
		ck_assert_int_eq(s->rows[i].begin_ns, end_ns);
		end_ns = s->rows[i].end_ns;
		ck_assert_int_gt(end_ns, s->rows[i].begin_ns);
		sum.echoed += s->rows[i].counts.echoed;
		sum.missed += s->rows[i].counts.missed;
		sum.connects += s->rows[i].counts.connects;
		latencies += s->rows[i].latency.count;
	}
	ck_assert_uint_eq(sum.echoed, echoes);
	ck_assert_uint_eq(latencies, echoes);
	ck_assert_uint_eq(sum.missed, missed);
	ck_assert_uint_eq(sum.connects, connects);
	ck_assert_uint_eq(s->latency->count, all_latency->count);
	ck_assert(s->latency->sum == all_latency->sum);
	ck_assert_mem_eq(s->latency->counts, all_latency->counts,
			 all_latency->len * sizeof(*all_latency->counts));
}

START_TEST(rows_add_up_to_the_run_whatever_the_order)
{
	uint64_t seed = (uint64_t)_i;
	int64_t reached[WORKERS] = { 0 };

	all_latency = hist_new(3);
	echoes = missed = connects = 0;
	for (int step = 0; step < 2000; step++) {
		unsigned i = (unsigned)rng_below(&seed, WORKERS);

		switch (rng_below(&seed, 12)) {
		case 0: /* sometimes past more than one boundary */
			reached[i] += 1 + (int64_t)rng_below(&seed, 2);
			reach(i, reached[i], (int64_t)rng_below(&seed, INTERVAL));
			break;
		case 1:
			series_poll(&run.series);
			break;
		default:
			do_something(i, &seed);
		}
	}
	end_all(300 * INTERVAL);
	expect_sums();
	hist_free(all_latency);
}
END_TEST

START_TEST(more_rows_than_a_result_lists_are_counted)
{
	for (int64_t n = 1; n <= SERIES_ROWS_MAX + 5; n++) {
		for (unsigned i = 0; i < WORKERS; i++)
			reach(i, n, 0);
		series_poll(&run.series);
	}
	ck_assert_uint_eq(run.series.count, SERIES_ROWS_MAX);
	ck_assert_uint_eq(run.series.unlisted, 5);
}
END_TEST

Suite *series_suite(void)
{
	Suite *s = suite_create("series");
	TCase *t = tcase_create("series");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_row_ends_when_all_workers_have_handed_over);
	tcase_add_test(t, a_row_has_the_ends_of_its_time_by_cause_and_its_latency_in_buckets);
	tcase_add_test(t, a_bucket_holds_what_is_between_its_bound_and_the_next);
	tcase_add_test(t, a_worker_that_is_late_is_not_waited_for_and_comes_in_the_next_row);
	tcase_add_test(t, a_run_without_anything_has_no_row);
	tcase_add_test(t, the_warm_up_is_in_rows_but_not_in_the_run);
	tcase_add_test(t, main_sleeps_until_the_next_boundary_and_no_longer);
	tcase_add_loop_test(t, rows_add_up_to_the_run_whatever_the_order, 0, 30);
	tcase_add_test(t, more_rows_than_a_result_lists_are_counted);
	suite_add_tcase(s, t);
	return s;
}
