/* SPDX-License-Identifier: MIT
 * test_arrivals: what becomes of messages that are due while no connection has room: they wait, are
 * given up after the time that an answer may take, and at the end all of them are counted.
 */
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echoload/engine/load_conn.h"

#include "suites.h"

enum { WORKERS = 3, CONNECTIONS = 7 };

static struct load_config config;
static struct load_run run;
static struct worker workers[WORKERS];
static struct load loads[WORKERS];

/* As run.c shares it out; the run began @ago_ns ago. */
static void begin(double rate, int64_t ago_ns)
{
	memset(loads, 0, sizeof(loads));
	memset(workers, 0, sizeof(workers));
	config = (struct load_config){ .connections = CONNECTIONS,
				       .rate = rate,
				       .seed = 1,
				       .part = { .number = 1, .count = 1 } };
	run = (struct load_run){ .config = &config, .whole = &config, .target_count = 1 };
	run.start_ns = clock_now_ns() - ago_ns;
	run.measure_ns = run.start_ns;
	run.end_ns = run.start_ns + SEC(3600);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct load *l = &loads[i];

		l->run = &run;
		l->worker = &workers[i];
		l->next_number = i;
		l->number_step = WORKERS;
		l->turns = (struct pace_turns){ i, WORKERS, CONNECTIONS };
		l->quota = UINT64_MAX;
		list_init(&l->ready);
		arrivals_start(l);
	}
}

static void each(void (*act)(struct load *l))
{
	for (unsigned i = 0; i < WORKERS; i++)
		act(&loads[i]);
}

static uint64_t missed(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		sum += loads[i].missed;
	return sum;
}

START_TEST(the_rate_is_shared_by_connections)
{
	begin(7000, 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		while (loads[i].pace.offset_ns < 10e9)
			pace_advance(&loads[i].pace);
		ck_assert_double_eq_tol((double)loads[i].pace.count, i == 0 ? 30e3 : 20e3, 2);
	}
}
END_TEST

START_TEST(what_is_due_waits_while_an_answer_may_still_come)
{
	begin(1000, SEC(1));
	config.timeout = SEC(3600);
	each(arrivals_run);
	ck_assert_uint_eq(missed(), 0);
	config.timeout = 0; /* for ever */
	each(arrivals_run);
	ck_assert_uint_eq(missed(), 0);
	ck_assert_int_eq(workers[0].pace_ns, 0); /* nobody could send: it need not wake up */
}
END_TEST

START_TEST(what_was_due_for_longer_is_given_up)
{
	begin(1000, SEC(3600));
	config.timeout = SEC(3590);
	each(arrivals_run);
	ck_assert_uint_ge(missed(), 10000 - WORKERS);
	ck_assert_uint_lt(missed(), 100000); /* of 3,600,000 */
}
END_TEST

START_TEST(at_the_end_all_that_was_due_and_not_sent_was_missed)
{
	begin(1000, SEC(3600));
	run.end_ns = run.start_ns + SEC(100);
	each(arrivals_stop);
	ck_assert_uint_ge(missed(), 100000 - WORKERS);
	ck_assert_uint_le(missed(), 100000 + WORKERS);
}
END_TEST

START_TEST(what_is_due_after_the_end_is_not_ours_however_late_we_are)
{
	begin(1000, SEC(3600));
	config.timeout = SEC(1);
	run.end_ns = run.start_ns + SEC(100);
	each(arrivals_run);
	each(arrivals_stop);
	ck_assert_uint_ge(missed(), 100000 - WORKERS);
	ck_assert_uint_le(missed(), 100000 + WORKERS);
}
END_TEST

START_TEST(no_more_is_missed_than_was_asked_for)
{
	begin(1000, SEC(3600));
	for (unsigned i = 0; i < WORKERS; i++)
		loads[i].quota = 10;
	each(arrivals_stop);
	ck_assert_uint_eq(missed(), 10 * WORKERS);
}
END_TEST

Suite *arrivals_suite(void)
{
	Suite *s = suite_create("arrivals");
	TCase *t = tcase_create("arrivals");

	tcase_add_test(t, the_rate_is_shared_by_connections);
	tcase_add_test(t, what_is_due_waits_while_an_answer_may_still_come);
	tcase_add_test(t, what_was_due_for_longer_is_given_up);
	tcase_add_test(t, at_the_end_all_that_was_due_and_not_sent_was_missed);
	tcase_add_test(t, what_is_due_after_the_end_is_not_ours_however_late_we_are);
	tcase_add_test(t, no_more_is_missed_than_was_asked_for);
	suite_add_tcase(s, t);
	return s;
}
