/* SPDX-License-Identifier: MIT
 * test_verdict: every exit code with its reason, and which one wins where several would fit.
 */
#include "echoload/result/verdict.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "result_fixture.h"

#include "suites.h"

static void expect(int code, const char *reason)
{
	verdict(&sample);
	ck_assert_str_eq(sample.exit_reason, reason);
	ck_assert_int_eq(sample.exit_code, code);
}

START_TEST(a_run_without_errors_is_ok)
{
	expect(0, "ok");
}
END_TEST

START_TEST(an_error_is_a_no_that_says_what_happened)
{
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 64);
	expect(1, "64 connections ended in reset");
}
END_TEST

START_TEST(causes_are_added_up_over_phases_and_errnos)
{
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 2);
	sample_fails(CAUSE_RESET, PHASE_SENDING, EPIPE, 1);
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 1);
	sample_connect_fails(CAUSE_TIMEOUT_CONNECT, 0, 2);
	expect(1, "3 connections ended in reset, 2 connects ended in timeout_connect, "
		  "1 connect refused");
}
END_TEST

START_TEST(three_causes_are_named_and_the_others_counted)
{
	for (unsigned i = 0; i < 6; i++)
		sample_fails(CAUSE_EOF + i, PHASE_IDLE, 0, 10 - i);
	expect(1, "10 connections ended in eof, 9 connections ended in eof_early, "
		  "8 connections ended in reset, 18 otherwise");
}
END_TEST

START_TEST(unfinished_messages_are_errors_too)
{
	sample.books.all.unfinished++;
	sample.books.all.sent++;
	sample.books.planned++;
	expect(1, "1 message unfinished");
	sample_fails(CAUSE_EOF_EARLY, PHASE_AWAITING, 0, 1);
	expect(1, "1 connection ended in eof_early, 1 message unfinished");
}
END_TEST

START_TEST(ignored_errors_are_ok_but_said)
{
	sample_config.ignore_errors = true;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 1);
	expect(0, "ok, errors ignored: 1 connection ended in reset");
}
END_TEST

START_TEST(a_target_that_never_answered_is_said_with_what_attempts_saw)
{
	sample_clear();
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 10);
	sample_config.ignore_errors = true; /* changes nothing here */
	expect(3, "not one echo: 10 connects refused");
}
END_TEST

START_TEST(silence_has_words_when_nothing_was_attempted_or_sent)
{
	sample_clear();
	expect(3, "not one echo: no connection was attempted");
	sample.books.attempts = sample.books.established = sample.books.open_at_end = 1;
	expect(3, "not one echo: no message was sent");
}
END_TEST

START_TEST(local_limits_alone_are_the_environments_fault)
{
	sample_clear();
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EMFILE, 3);
	expect(4, "this machine could make no connection: 3 connects ended in local_limit");
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 1);
	expect(3, "not one echo: 3 connects ended in local_limit, 1 connect refused");
}
END_TEST

START_TEST(local_limits_beside_connections_are_errors)
{
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EMFILE, 3);
	expect(1, "3 connects ended in local_limit");
}
END_TEST

START_TEST(ports_that_ran_out_come_with_a_way_out)
{
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EADDRNOTAVAIL, 3);
	expect(1, "3 connects ended in local_limit: no local port was free, --source can add "
		  "addresses");
	sample_config.source.count = 14;
	expect(1, "3 connects ended in local_limit: no local port was free on the addresses of "
		  "--source, or one is not this host's");
}
END_TEST

START_TEST(an_interrupted_run_says_by_what)
{
	sample.interrupted = true;
	expect(130, "interrupted by SIGINT");
	sample.interrupted_by = SIGTERM;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 2);
	expect(143, "interrupted by SIGTERM; 2 connections ended in reset");
}
END_TEST

START_TEST(an_interruption_goes_before_silence_and_after_local_limits)
{
	sample.interrupted = true;
	sample_clear();
	expect(130, "interrupted by SIGINT");
	sample_connect_fails(CAUSE_LOCAL_LIMIT, EMFILE, 1);
	expect(4, "this machine could make no connection: 1 connect ended in local_limit");
}
END_TEST

static void nothing_measured(void)
{
	memset(&sample.books.measured, 0, sizeof(sample.books.measured));
	hist_clear((struct hist *)(uintptr_t)sample.latency);
	hist_clear((struct hist *)(uintptr_t)sample.outside);
}

START_TEST(a_run_that_measured_nothing_is_inconclusive)
{
	nothing_measured();
	expect(5, "nothing was measured: all 100 messages were sent in the warm-up");
}
END_TEST

START_TEST(errors_go_before_nothing_measured)
{
	nothing_measured();
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 1);
	sample.books.measured.sent = sample.books.measured.lost = 1;
	expect(1, "1 connection ended in reset");
	sample_config.ignore_errors = true;
	expect(5, "nothing was measured: none of 1 messages after the warm-up was echoed");
}
END_TEST

START_TEST(errors_up_to_the_limit_are_ok_but_said)
{
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 2);
	sample_config.max_errors = 2;
	expect(0, "ok, within --max-errors: 2 connections ended in reset");
	sample_config.max_errors = 1;
	expect(1, "2 connections ended in reset");
}
END_TEST

START_TEST(limits_that_are_missed_are_all_said)
{
	static const struct outage outage = { SEC(2), SEC(3), -1, -1, 0, false };

	sample_config.max_p99 = USEC(80); /* just met */
	expect(0, "ok");
	sample_config.max_p99 = USEC(50);
	sample_config.max_downtime = SEC(1);
	sample_config.min_rate = 1000;
	sample.outages = &outage;
	sample.outage_count = 1;
	expect(1, "p99 80.0 us, over the limit of 50.0 us; downtime 9.00 s, over the limit of "
		  "1.00 s; 8 echoes/s, under the limit of 1000");
}
END_TEST

/* An open loop that had @n more messages due than it could send. */
static void missed(uint64_t n)
{
	sample_config.rate = 10;
	sample.books.missed = n;
	sample.books.planned = sample.books.all.sent + n;
}

START_TEST(a_rate_that_was_not_reached_is_inconclusive)
{
	missed(1);
	expect(0, "ok");
	missed(2);
	expect(5, "the rate of 10/s was not reached: 2 of 102 messages found no connection free "
		  "in their time; the target is too slow for it, or -c times -p too small");
	sample_config.min_rate = 1000;
	expect(1, "8 echoes/s, under the limit of 1000");
}
END_TEST

START_TEST(what_an_outage_made_miss_is_no_question_of_the_rate)
{
	static const struct outage outage = { SEC(2), SEC(3), SEC(4), SEC(5), 0, false };

	sample.outages = &outage;
	sample.outage_count = 1;
	missed(31); /* 3 s of 10/s, and less than 1 % */
	expect(0, "ok");
	missed(33);
	sample_finish();
	ck_assert_int_eq(sample.exit_code, 5);
}
END_TEST

START_TEST(connections_that_were_asked_for_and_never_opened_are_inconclusive)
{
	sample_connect_fails(CAUSE_FINISHED, 0, 3);
	expect(0, "ok"); /* all were open once */
	sample_config.connections = 7;
	expect(5, "only 4 of 7 connections were ever open");
	sample_config.idle = 1;
	sample_config.connect_rate = 2;
	expect(5, "only 4 of 8 connections were ever open, those of --idle included; "
		  "--connect-rate is 2 each second");
	sample_config.idle = 0;
	sample_config.messages = 4; /* no more than four have something to do */
	expect(0, "ok");
	sample_config.messages = 5;
	expect(5, "only 4 of 5 connections were ever open; --connect-rate is 2 each second");
}
END_TEST

START_TEST(one_connection_of_a_hundred_may_be_missing)
{
	sample_config.connections = 100;
	sample.books.reached = sample.books.established = sample.books.attempts = 99;
	sample.books.outcomes[0].count = 99;
	expect(0, "ok");
	sample.books.reached = 98;
	expect(5, "only 98 of 100 connections were ever open");
}
END_TEST

START_TEST(a_run_that_ended_before_its_time_is_inconclusive)
{
	sample_config.ignore_errors = true;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 4);
	sample.measure_end_ns = SEC(3);
	expect(5, "only 2.00 s of 10.0 s were measured: no connection was left");
	sample_config.min_rate = 1000;
	expect(1, "40 echoes/s, under the limit of 1000");
	sample_config.min_rate = 0;
	sample_config.messages = 105;
	expect(5, "only 104 of 105 messages were sent: no connection was left");
	sample_config.messages = 104;
	expect(0, "ok, errors ignored: 4 connections ended in reset");
}
END_TEST

START_TEST(a_churn_that_made_no_connection_is_inconclusive)
{
	sample_config.churn = 1000;
	expect(5, "no connection came to the 1000 messages of --churn: none was made anew, each "
		  "had 25");
	sample.books.reached = 3;
	sample_config.connections = 3;
	expect(0, "ok");
}
END_TEST

START_TEST(a_late_generator_is_inconclusive)
{
	struct hist *late = hist_new(3);

	for (int i = 0; i < 100; i++)
		hist_record(late, MSEC(i));
	sample.lateness = late;
	sample.late_sends = 1;
	expect(0, "ok");
	sample.late_sends = 2;
	expect(5, "the generator was overloaded: 2 of 100 sends were more than 1 ms late");
	hist_free(late);
}
END_TEST

START_TEST(what_is_inconclusive_goes_before_limits_and_after_errors)
{
	nothing_measured();
	sample_config.min_rate = 1e9;
	expect(5, "nothing was measured: all 100 messages were sent in the warm-up");
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 1);
	expect(1, "1 connection ended in reset");
}
END_TEST

START_TEST(broken_books_go_before_everything)
{
	sample.interrupted = true;
	sample.books.attempts++;
	expect(70, "a bug in echoload, its books do not balance: attempts = established + failed + "
		   "connecting_at_end");
}
END_TEST

START_TEST(histograms_that_miss_a_message_break_the_books)
{
	hist_record((struct hist *)(uintptr_t)sample.outside, 1);
	expect(70, "a bug in echoload, its books do not balance: latency_outside_outage_ns.count + "
		   "measured.echoed_in_outage = measured.echoed");
	hist_record((struct hist *)(uintptr_t)sample.latency, 1);
	expect(70, "a bug in echoload, its books do not balance: "
		   "latency_ns.count = measured.echoed");
}
END_TEST

START_TEST(the_longest_reason_fits)
{
	for (unsigned why = CAUSE_EOF; why <= CAUSE_OTHER; why++)
		sample_fails(why, PHASE_IDLE, 0,
			     why == CAUSE_HOST_UNREACHABLE ? 1ull << 40 : 1000000);
	sample.interrupted = true;
	verdict(&sample);
	ck_assert_ptr_nonnull(strstr(sample.exit_reason, " otherwise"));
}
END_TEST

Suite *verdict_suite(void)
{
	Suite *s = suite_create("verdict");
	TCase *t = result_tcase("verdict");

	tcase_add_test(t, a_run_without_errors_is_ok);
	tcase_add_test(t, an_error_is_a_no_that_says_what_happened);
	tcase_add_test(t, causes_are_added_up_over_phases_and_errnos);
	tcase_add_test(t, three_causes_are_named_and_the_others_counted);
	tcase_add_test(t, unfinished_messages_are_errors_too);
	tcase_add_test(t, ignored_errors_are_ok_but_said);
	tcase_add_test(t, a_target_that_never_answered_is_said_with_what_attempts_saw);
	tcase_add_test(t, silence_has_words_when_nothing_was_attempted_or_sent);
	tcase_add_test(t, local_limits_alone_are_the_environments_fault);
	tcase_add_test(t, local_limits_beside_connections_are_errors);
	tcase_add_test(t, ports_that_ran_out_come_with_a_way_out);
	tcase_add_test(t, an_interrupted_run_says_by_what);
	tcase_add_test(t, an_interruption_goes_before_silence_and_after_local_limits);
	tcase_add_test(t, a_run_that_measured_nothing_is_inconclusive);
	tcase_add_test(t, errors_go_before_nothing_measured);
	tcase_add_test(t, errors_up_to_the_limit_are_ok_but_said);
	tcase_add_test(t, limits_that_are_missed_are_all_said);
	tcase_add_test(t, a_rate_that_was_not_reached_is_inconclusive);
	tcase_add_test(t, what_an_outage_made_miss_is_no_question_of_the_rate);
	tcase_add_test(t, connections_that_were_asked_for_and_never_opened_are_inconclusive);
	tcase_add_test(t, one_connection_of_a_hundred_may_be_missing);
	tcase_add_test(t, a_run_that_ended_before_its_time_is_inconclusive);
	tcase_add_test(t, a_churn_that_made_no_connection_is_inconclusive);
	tcase_add_test(t, a_late_generator_is_inconclusive);
	tcase_add_test(t, what_is_inconclusive_goes_before_limits_and_after_errors);
	tcase_add_test(t, broken_books_go_before_everything);
	tcase_add_test(t, histograms_that_miss_a_message_break_the_books);
	tcase_add_test(t, the_longest_reason_fits);
	suite_add_tcase(s, t);
	return s;
}
