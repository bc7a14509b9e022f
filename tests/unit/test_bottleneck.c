/* SPDX-License-Identifier: MIT
 * test_bottleneck: who limited a run, and what a generator without a CPU may say of a target. The
 * sample took 11 s with 2 threads that ran for half of it.
 */
#include "echoload/result/bottleneck.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "result_fixture.h"

#include "suites.h"

static void expect(enum bottleneck who, const char *why)
{
	bottleneck_find(&sample);
	ck_assert_int_eq(sample.bottleneck, who);
	ck_assert_str_eq(bottleneck_reason_name(sample.bottleneck_reason), why);
}

static void verdict_is(int code, const char *part)
{
	bottleneck_find(&sample);
	sample_finish();
	if (!strstr(sample.exit_reason, part))
		ck_abort_msg("'%s' is not in '%s'", part, sample.exit_reason);
	ck_assert_int_eq(sample.exit_code, code);
}

/* The whole program, for so long, at the begin of the measured part. */
static void pause_for(int64_t ns)
{
	sample.pauses.list[0] = (struct pause){ SEC(1), SEC(1) + ns };
	sample.pauses.count = 1;
	sample.pauses.total_ns = ns;
}

START_TEST(threads_that_sleep_are_not_it)
{
	expect(BOTTLENECK_SERVER, "idle");
	sample.cpu_ns = SEC(19);
	expect(BOTTLENECK_UNKNOWN, "mixed");
	sample.cpu_ns = SEC(22);
	expect(BOTTLENECK_CLIENT, "busy");
}
END_TEST

START_TEST(threads_that_look_for_events_are_not_it_either)
{
	sample.cpu_ns = SEC(22);
	sample.busy_poll_ns = SEC(2);
	expect(BOTTLENECK_UNKNOWN, "mixed");
	sample.busy_poll_ns = SEC(11);
	expect(BOTTLENECK_SERVER, "idle");
	sample.busy_poll_ns = SEC(23); /* they had no CPU in some of it */
	expect(BOTTLENECK_SERVER, "idle");
}
END_TEST

START_TEST(waiting_for_a_cpu_is_no_sleep)
{
	sample.cpu_ns = SEC(2);
	sample.wait_ns = SEC(8);
	expect(BOTTLENECK_SERVER, "idle");
	sample.wait_ns = SEC(12);
	expect(BOTTLENECK_CLIENT, "waiting");
	sample.throttled = 100;
	sample.throttled_ns = SEC(11);
	expect(BOTTLENECK_CLIENT, "throttled");
	sample.wait_ns = -1; /* not known */
	expect(BOTTLENECK_SERVER, "idle");
}
END_TEST

START_TEST(nor_are_pauses_and_what_the_hypervisor_takes)
{
	pause_for(SEC(1));
	expect(BOTTLENECK_SERVER, "idle");
	pause_for(SEC(2));
	expect(BOTTLENECK_CLIENT, "paused");
	pause_for(0);
	sample.cpu_ns = SEC(1);
	sample.steal_ns = SEC(10) * sysconf(_SC_NPROCESSORS_ONLN);
	expect(BOTTLENECK_CLIENT, "stolen");
}
END_TEST

START_TEST(what_this_host_ran_out_of_is_named)
{
	static const struct {
		int err;
		const char *why;
	} of[] = { { EADDRNOTAVAIL, "ports" },
		   { EMFILE, "descriptors" },
		   { ENFILE, "descriptors" },
		   { ENOBUFS, "memory" } };

	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		sample.books.outcome_count = 0;
		sample_connect_fails(CAUSE_LOCAL_LIMIT, of[i].err, 3);
		expect(BOTTLENECK_CLIENT, of[i].why);
	}
}
END_TEST

START_TEST(waiting_alone_fails_no_run)
{
	sample.cpu_ns = SEC(1);
	sample.wait_ns = SEC(21);
	verdict_is(0, "ok");
	sample.throttled = 1;
	sample.throttled_ns = SEC(21);
	verdict_is(5, "could not run for 95% of its time: its CPU quota was used up");
}
END_TEST

START_TEST(a_pause_of_a_tenth_is_too_much)
{
	pause_for(SEC(1));
	verdict_is(0, "ok");
	pause_for(SEC(1) + MSEC(1));
	verdict_is(5, "could not run for 9% of its time");
}
END_TEST

/* It had 8 echoes a second. */
START_TEST(a_rate_is_in_doubt_by_the_time_that_was_missing)
{
	sample_config.min_rate = 9;
	verdict_is(1, "8 echoes/s, under the limit of 9");
	sample.wait_ns = SEC(22) / 10;
	verdict_is(1, "8 echoes/s, under the limit of 9");
	sample.wait_ns = SEC(22) / 8;
	verdict_is(5, "under the limit of 9; but this client could not run for 12% of its time");
}
END_TEST

/* Latencies are 1 to 80 us. */
START_TEST(a_latency_is_in_doubt_unless_the_shortest_is_too_long)
{
	sample_config.max_p99 = USEC(10);
	verdict_is(1, "p99");
	sample.wait_ns = SEC(3);
	verdict_is(5, "p99");
	sample_config.max_p99 = 500;
	verdict_is(1, "p99");
}
END_TEST

START_TEST(a_downtime_is_in_doubt_by_the_pauses)
{
	sample.outages = sample_outages; /* 956 ms, and 6 s to the end */
	sample.outage_count = SAMPLE_OUTAGES;
	sample_config.max_downtime = SEC(6);
	verdict_is(1, "downtime");
	pause_for(MSEC(955));
	verdict_is(1, "downtime");
	pause_for(MSEC(956));
	verdict_is(5, "downtime");
}
END_TEST

START_TEST(errors_at_the_end_of_a_pause_prove_nothing)
{
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 2); /* at 2 s, and 3 ms later */
	verdict_is(1, "2 connections ended in reset");
	pause_for(SEC(1));
	verdict_is(5, "2 connections ended in reset; but this client had just been paused, 1.00 s");
	pause_for(MSEC(300));
	verdict_is(1, "2 connections ended in reset");
	pause_for(MSEC(900));
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 1); /* at 0 s */
	verdict_is(1, "1 connect refused");
}
END_TEST

Suite *bottleneck_suite(void)
{
	Suite *s = suite_create("bottleneck");
	TCase *t = result_tcase("bottleneck");

	tcase_add_test(t, threads_that_sleep_are_not_it);
	tcase_add_test(t, threads_that_look_for_events_are_not_it_either);
	tcase_add_test(t, waiting_for_a_cpu_is_no_sleep);
	tcase_add_test(t, nor_are_pauses_and_what_the_hypervisor_takes);
	tcase_add_test(t, what_this_host_ran_out_of_is_named);
	tcase_add_test(t, waiting_alone_fails_no_run);
	tcase_add_test(t, a_pause_of_a_tenth_is_too_much);
	tcase_add_test(t, a_rate_is_in_doubt_by_the_time_that_was_missing);
	tcase_add_test(t, a_latency_is_in_doubt_unless_the_shortest_is_too_long);
	tcase_add_test(t, a_downtime_is_in_doubt_by_the_pauses);
	tcase_add_test(t, errors_at_the_end_of_a_pause_prove_nothing);
	suite_add_tcase(s, t);
	return s;
}
