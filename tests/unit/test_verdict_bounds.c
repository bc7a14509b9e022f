/* SPDX-License-Identifier: MIT
 * test_verdict_bounds: where each answer of a verdict begins and ends: the last figure that is
 * still well, and the first that is not; and how exit codes of several runs become one.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echoload/result/targets.h"
#include "echoload/result/verdict.h"
#include "result_fixture.h"

#include "suites.h"

static void expect(int code, const char *reason)
{
	verdict(&sample);
	ck_assert_str_eq(sample.exit_reason, reason);
	ck_assert_int_eq(sample.exit_code, code);
}

/* The sample took 11 s with two threads. */
static void starve(int64_t tenths_of_a_percent)
{
	sample.wait_ns = SEC(22) / 1000 * tenths_of_a_percent;
}

/* 1000 messages, of 1, 2, 3 ... 1000 ns. */
static void thousand(void)
{
	struct hist *latency = (struct hist *)(uintptr_t)sample.latency;
	struct hist *outside = (struct hist *)(uintptr_t)sample.outside;
	struct books *b = &sample.books;

	hist_clear(latency);
	hist_clear(outside);
	for (int ns = 1; ns <= 1000; ns++) {
		hist_record(latency, ns);
		hist_record(outside, ns);
	}
	b->planned = b->all.sent = b->all.echoed = 1000;
	b->measured.sent = b->measured.echoed = 1000;
}

static void sent(uint64_t n, uint64_t missed)
{
	sample_config.rate = 10;
	sample.books.all.sent = sample.books.all.echoed = n;
	sample.books.missed = missed;
	sample.books.planned = n + missed;
}

/* --- errors --- */

START_TEST(as_many_errors_of_each_kind_have_a_fixed_order)
{
	sample_connect_fails(CAUSE_TIMEOUT_TCP, ETIMEDOUT, 2);
	sample_fails(CAUSE_TIMEOUT_TCP, PHASE_AWAITING, ETIMEDOUT, 2);
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 2);
	expect(1, "2 connections ended in reset, 2 connections ended in timeout_tcp, 2 connects "
		  "ended in timeout_tcp");
}
END_TEST

START_TEST(one_error_that_is_not_named_is_counted)
{
	for (unsigned i = 0; i < 4; i++)
		sample_fails(CAUSE_EOF + i, PHASE_IDLE, 0, 4 - i);
	expect(1, "4 connections ended in eof, 3 connections ended in eof_early, 2 connections "
		  "ended in reset, 1 otherwise");
}
END_TEST

START_TEST(every_row_of_a_full_table_of_ends_is_judged)
{
	sample_clear();
	for (int err = 1; sample.books.outcome_count < BOOKS_OUTCOMES_MAX - PHASE_COUNT; err++)
		sample_connect_fails(CAUSE_LOCAL_LIMIT, err == EADDRNOTAVAIL ? EIO : err, 1);
	for (unsigned at = 0; at < PHASE_COUNT; at++)
		books_outcome(&sample.books, &(struct outcome){ CAUSE_OTHER, at, 0, .count = 1 });
	sample.books.attempts += PHASE_COUNT;
	sample.books.failed++;
	sample.books.established = PHASE_COUNT - 1;
	ck_assert_uint_eq(sample.books.outcome_count, BOOKS_OUTCOMES_MAX);
	sample.books.all.echoed = sample.books.all.sent = sample.books.planned = 1;
	verdict(&sample);
	ck_assert_ptr_nonnull(strstr(sample.exit_reason, " connects ended in local_limit, "));
	ck_assert_int_eq(sample.exit_code, 1);
}
END_TEST

START_TEST(local_limits_of_two_kinds_are_the_environments_fault_too)
{
	sample_clear();
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EMFILE, 3);
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EADDRNOTAVAIL, 2);
	sample_config.source.count = 1;
	expect(4, "this machine could make no connection: 5 connects ended in local_limit: no "
		  "local port was free on the addresses of --source, or one is not this host's");
}
END_TEST

START_TEST(an_interruption_tells_of_one_error_and_of_a_signal_without_a_name)
{
	sample.interrupted = true;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 1);
	expect(130, "interrupted by SIGINT; 1 connection ended in reset");
	sample.interrupted_by = 0;
	expect(128, "interrupted; 1 connection ended in reset");
}
END_TEST

/* --- targets --- */

/* The others, half of which never answered, and the other half of which died. */
static void targets_fail(void)
{
	static char names[SAMPLE_TARGETS][48];

	sample.target_count = SAMPLE_TARGETS;
	for (unsigned i = 0; i < SAMPLE_TARGETS; i++) {
		struct target_result *t = &sample.targets[i];

		snprintf(names[i], sizeof(names[i]), "a-host-with-a-name-of-forty-characters%u", i);
		t->name = names[i];
		t->books.all.sent = 2;
		t->books.all.echoed = i % 2;
		t->books.last_echo_ns = i % 2;
		books_outcome(&t->books,
			      &(struct outcome){ CAUSE_RESET, PHASE_IDLE, ECONNRESET, .count = 1 });
	}
}

START_TEST(targets_are_told_of_up_to_half_of_the_sentence)
{
	char told[RESULT_REASON_MAX / 2], reason[RESULT_REASON_MAX];

	targets_fail();
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 1);
	targets_say(&sample, told, sizeof(told));
	ck_assert_uint_eq(strlen(told), sizeof(told) - 1);
	snprintf(reason, sizeof(reason), "1 connection ended in reset%s", told);
	expect(1, reason);
}
END_TEST

START_TEST(targets_are_told_of_where_connections_were_never_open)
{
	char told[RESULT_REASON_MAX / 2], reason[RESULT_REASON_MAX];

	targets_fail();
	sample_config.connections = 7;
	sample_config.connect_rate = 1;
	targets_say(&sample, told, sizeof(told));
	snprintf(reason, sizeof(reason),
		 "only 4 of 7 connections were ever open%s; --connect-rate is 1 each second", told);
	expect(5, reason);
}
END_TEST

START_TEST(a_sentence_that_is_too_long_is_cut_where_its_room_ends)
{
	static const char whole[] =
		"1000000000000000003 connects ended in local_limit, "
		"1000000000000000002 connections ended in host_unreachable, "
		"1000000000000000001 connections ended in timeout_connect, "
		"1000000000000000000 otherwise, 12 of 12 targets gave no echo: "
		"a-host-with-a-name-of-forty-characters0 and 11 more: no local port was free, "
		"--source can add addresses";
	char cut[RESULT_REASON_MAX];

	targets_fail();
	for (unsigned i = 0; i < SAMPLE_TARGETS; i++)
		sample.targets[i].books.all.echoed = 0;
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EADDRNOTAVAIL, 1000000000000000003);
	sample_fails(CAUSE_HOST_UNREACHABLE, PHASE_IDLE, 0, 1000000000000000002);
	sample_fails(CAUSE_TIMEOUT_CONNECT, PHASE_IDLE, 0, 1000000000000000001);
	sample_fails(CAUSE_RESET, PHASE_IDLE, 0, 1000000000000000000);
	snprintf(cut, sizeof(cut), "%.*s", RESULT_REASON_MAX - 1, whole);
	ck_assert_uint_gt(strlen(whole), strlen(cut));
	expect(1, cut);
}
END_TEST

/* --- what was asked for --- */

START_TEST(a_hundredth_of_the_time_may_be_missing)
{
	sample.measure_end_ns = sample.measure_begin_ns + MSEC(9900);
	expect(0, "ok");
	sample.measure_end_ns = sample.measure_begin_ns + MSEC(9899);
	expect(5, "only 9.90 s of 10.0 s were measured: no connection was left");
}
END_TEST

START_TEST(one_message_needs_one_connection)
{
	sample_config.messages = 1;
	sample.books.reached = 1;
	expect(0, "ok");
}
END_TEST

START_TEST(a_churn_that_made_none_is_said_behind_a_time_that_was_short)
{
	sample_config.churn = 1;
	expect(5, "no connection came to the 1 message of --churn: none was made anew, each had "
		  "25");
	sample.measure_end_ns = SEC(3);
	expect(5, "only 2.00 s of 10.0 s were measured: no connection was left; no connection "
		  "came to the 1 message of --churn: none was made anew, each had 25");
}
END_TEST

START_TEST(one_message_of_a_hundred_may_be_missed)
{
	sent(99, 1);
	expect(0, "ok");
	sent(197, 2); /* of 199 */
	verdict(&sample);
	ck_assert_int_eq(sample.exit_code, 5);
}
END_TEST

START_TEST(who_is_to_blame_for_a_missed_rate_is_told_by_a_tenth_of_the_time)
{
	sent(100, 50);
	starve(100);
	expect(5, "the rate of 10/s was not reached: 50 of 150 messages found no connection free "
		  "in their time; the target is too slow for it, or -c times -p too small");
	starve(101);
	expect(5, "the rate of 10/s was not reached: 50 of 150 messages found no connection free "
		  "in their time; this client could not run for 10% of its time");
}
END_TEST

START_TEST(a_late_generator_says_why_it_was)
{
	struct hist *late = hist_new(3);

	hist_record_many(late, MSEC(2), 199);
	sample.lateness = late;
	sample.late_sends = 1;
	expect(0, "ok");
	sample.late_sends = 2; /* more than 1 % of them */
	starve(150);
	sample.bottleneck = BOTTLENECK_CLIENT;
	sample.bottleneck_reason = REASON_WAITING;
	expect(5, "the generator was overloaded: 2 of 199 sends were more than 1 ms late; this "
		  "client could not run for 15% of its time: it waited for a CPU");
	sample.bottleneck_reason = REASON_BUSY; /* has no words of its own */
	expect(5, "the generator was overloaded: 2 of 199 sends were more than 1 ms late; this "
		  "client could not run for 15% of its time");
	hist_free(late);
}
END_TEST

/* --- limits --- */

START_TEST(a_latency_that_is_just_met_is_met)
{
	thousand();
	sample_config.max_p99 = 990;
	expect(0, "ok");
	sample_config.max_p99 = 989;
	expect(1, "p99 990 ns, over the limit of 989 ns");
	sample_config.max_p99 = 985; /* no starved client explains it: it had all of its time */
	expect(1, "p99 990 ns, over the limit of 985 ns");
	sample_config.max_p99 = 1;
	expect(1, "p99 990 ns, over the limit of 1 ns");
	starve(500); /* the shortest is as long as the limit: in its own time all could be */
	verdict(&sample);
	ck_assert_int_eq(sample.exit_code, 5);
}
END_TEST

START_TEST(a_limit_below_the_shortest_latency_is_missed_for_certain)
{
	sample_config.max_p99 = 1; /* the shortest is 1 us */
	starve(500);
	verdict(&sample);
	ck_assert_int_eq(sample.exit_code, 1);
}
END_TEST

START_TEST(a_downtime_that_is_just_met_is_met)
{
	static const struct outage outage = { SEC(2), SEC(3), SEC(4), SEC(5), 0, false };

	sample.outages = &outage;
	sample.outage_count = 1;
	sample_config.max_downtime = SEC(3);
	expect(0, "ok");
	sample_config.max_downtime = SEC(3) - 1;
	expect(1, "downtime 3.00 s, over the limit of 3.00 s");
	sample_config.max_downtime = 1;
	expect(1, "downtime 3.00 s, over the limit of 1 ns");
}
END_TEST

/* It had 8 echoes a second. */
START_TEST(a_rate_that_is_just_met_is_met)
{
	sample_config.min_rate = 8;
	expect(0, "ok");
	sample_config.min_rate = 9;
	expect(1, "8 echoes/s, under the limit of 9");
	sample_config.min_rate = 16;
	starve(500); /* in the half of its time that it had it was as fast */
	verdict(&sample);
	ck_assert_int_eq(sample.exit_code, 5);
	starve(0);
	sample_config.min_rate = 1;
	sample.measure_end_ns = SEC(201);
	expect(1, "0 echoes/s, under the limit of 1");
}
END_TEST

/* A rate that is in doubt, beside limits of which there is no doubt. */
START_TEST(a_limit_that_was_met_or_not_set_gives_no_certainty)
{
	static const struct outage outage = { SEC(2), SEC(3), SEC(4), SEC(5), 0, false };

	thousand();
	sample_config.min_rate = 105; /* it had 100 in nine tenths of its time */
	sample_config.max_p99 = 990;
	starve(100);
	sample.outages = &outage;
	sample.outage_count = 1;
	expect(5, "100 echoes/s, under the limit of 105; but this client could not run for 10% of "
		  "its time");
}
END_TEST

/* --- several runs --- */

/* README.md, "exit code", the worse one first; 129, 130 and 143 in this order. */
static const int worst_first[] = { 70, 2, 4, 129, 130, 143, 3, 1, 5, 0 };

START_TEST(of_two_exit_codes_the_worse_stands_for_both)
{
	for (size_t i = 0; i < ARRAY_LEN(worst_first); i++) {
		for (size_t k = i; k < ARRAY_LEN(worst_first); k++) {
			ck_assert_int_eq(verdict_of_two(worst_first[i], worst_first[k]),
					 worst_first[i]);
			ck_assert_int_eq(verdict_of_two(worst_first[k], worst_first[i]),
					 worst_first[i]);
		}
	}
	ck_assert_int_eq(verdict_of_two(9, 12), 12);
	ck_assert_int_eq(verdict_of_two(12, 9), 12);
}
END_TEST

START_TEST(an_exit_code_that_no_run_has_is_not_known)
{
	for (int code = -1; code < 256; code++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(worst_first); i++)
			known |= code == worst_first[i];
		ck_assert_int_eq(verdict_known(code), known);
	}
}
END_TEST

Suite *verdict_bounds_suite(void)
{
	Suite *s = suite_create("verdict_bounds");
	TCase *t = result_tcase("verdict_bounds");

	tcase_add_test(t, as_many_errors_of_each_kind_have_a_fixed_order);
	tcase_add_test(t, one_error_that_is_not_named_is_counted);
	tcase_add_test(t, every_row_of_a_full_table_of_ends_is_judged);
	tcase_add_test(t, local_limits_of_two_kinds_are_the_environments_fault_too);
	tcase_add_test(t, an_interruption_tells_of_one_error_and_of_a_signal_without_a_name);
	tcase_add_test(t, targets_are_told_of_up_to_half_of_the_sentence);
	tcase_add_test(t, targets_are_told_of_where_connections_were_never_open);
	tcase_add_test(t, a_sentence_that_is_too_long_is_cut_where_its_room_ends);
	tcase_add_test(t, a_hundredth_of_the_time_may_be_missing);
	tcase_add_test(t, one_message_needs_one_connection);
	tcase_add_test(t, a_churn_that_made_none_is_said_behind_a_time_that_was_short);
	tcase_add_test(t, one_message_of_a_hundred_may_be_missed);
	tcase_add_test(t, who_is_to_blame_for_a_missed_rate_is_told_by_a_tenth_of_the_time);
	tcase_add_test(t, a_late_generator_says_why_it_was);
	tcase_add_test(t, a_latency_that_is_just_met_is_met);
	tcase_add_test(t, a_limit_below_the_shortest_latency_is_missed_for_certain);
	tcase_add_test(t, a_downtime_that_is_just_met_is_met);
	tcase_add_test(t, a_rate_that_is_just_met_is_met);
	tcase_add_test(t, a_limit_that_was_met_or_not_set_gives_no_certainty);
	tcase_add_test(t, of_two_exit_codes_the_worse_stands_for_both);
	tcase_add_test(t, an_exit_code_that_no_run_has_is_not_known);
	suite_add_tcase(s, t);
	return s;
}
