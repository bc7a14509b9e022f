/* SPDX-License-Identifier: MIT
 * test_drill_explain: the formulas against what kernels were seen to do.
 */
#include "echo/base/base.h"
#include "echodrill/explain.h"
#include "suites.h"

static struct explain_tcp tcp(unsigned retries2)
{
	return (struct explain_tcp){ .retries2 = retries2,
				     .syn_retries = 6,
				     .rto_max_ns = SEC(120) };
}

/* measured at a round trip near 0; timers come late, never early */
static const struct {
	unsigned retries2;
	int64_t rto_max_ms, low_ms, high_ms;
} retries[] = {
	{ 0, 120000, 800, 850 },   { 1, 120000, 1640, 1680 }, { 2, 120000, 3260, 3350 },
	{ 3, 120000, 6500, 6870 }, { 4, 120000, 6500, 6870 }, { 5, 120000, 13000, 13460 },
	{ 3, 1000, 3600, 3720 },   { 4, 1000, 4600, 4760 },   { 5, 1000, 5600, 5780 },
	{ 8, 1000, 8600, 8840 },
};

START_TEST(silence_with_data_in_flight_ends_when_it_was_seen_to_end)
{
	struct explain_tcp t = tcp(retries[_i].retries2);

	t.rto_max_ns = MSEC(retries[_i].rto_max_ms);
	ck_assert_int_ge(explain_retries(&t), MSEC(retries[_i].low_ms));
	ck_assert_int_le(explain_retries(&t), MSEC(retries[_i].high_ms));
}
END_TEST

/* seen on Linux 6.18: codes 0 and 1 take the back-off away */
START_TEST(an_unreachable_host_is_asked_at_every_timeout_until_the_time_is_over)
{
	struct explain_tcp t = tcp(2);

	ck_assert_int_ge(explain_unreachable(&t), MSEC(1800));
	ck_assert_int_le(explain_unreachable(&t), MSEC(1920));
	t.user_timeout_ns = SEC(1);
	ck_assert_int_eq(explain_unreachable(&t), explain_user_timeout(&t));
}
END_TEST

START_TEST(the_default_is_a_quarter_of_an_hour)
{
	struct explain_tcp t = tcp(15);

	ck_assert_int_ge(explain_retries(&t), MSEC(924600));
	ck_assert_int_le(explain_retries(&t), SEC(1045));
}
END_TEST

START_TEST(user_timeout_counts_from_the_first_retransmission)
{
	struct explain_tcp t = tcp(15);

	t.user_timeout_ns = SEC(1);
	ck_assert_int_ge(explain_user_timeout(&t), MSEC(1400));
	ck_assert_int_le(explain_user_timeout(&t), MSEC(1450));
}
END_TEST

static const struct {
	int64_t idle_s, interval_s;
	unsigned count;
	int64_t user_timeout_ms, ms;
} keepalives[] = {
	{ 1, 1, 1, 0, 2000 }, { 1, 1, 2, 0, 3000 },   { 1, 1, 3, 0, 4000 },    { 2, 1, 2, 0, 4000 },
	{ 1, 2, 2, 0, 5000 }, { 1, 1, 5, 500, 2000 }, { 1, 1, 5, 2500, 3000 },
};

START_TEST(keepalive_is_idle_and_count_intervals)
{
	struct explain_tcp t = tcp(15);

	t.keepalive_idle_ns = SEC(keepalives[_i].idle_s);
	t.keepalive_interval_ns = SEC(keepalives[_i].interval_s);
	t.keepalive_count = keepalives[_i].count;
	t.user_timeout_ns = MSEC(keepalives[_i].user_timeout_ms);
	ck_assert_int_eq(explain_keepalive(&t), MSEC(keepalives[_i].ms));
}
END_TEST

START_TEST(an_idle_connection_without_keepalive_never_learns)
{
	struct explain_tcp t = tcp(15);

	ck_assert_int_lt(explain_keepalive(&t), 0);
	t.user_timeout_ns = SEC(1);
	ck_assert_int_lt(explain_keepalive(&t), 0);
}
END_TEST

START_TEST(connecting_doubles_from_a_second)
{
	struct explain_tcp t = tcp(15);

	t.syn_retries = 1;
	ck_assert_int_eq(explain_connect(&t), SEC(3));
	t.syn_retries = 2;
	ck_assert_int_eq(explain_connect(&t), SEC(7));
	t.rto_max_ns = SEC(1);
	t.syn_retries = 3;
	ck_assert_int_eq(explain_connect(&t), SEC(4));
	t.user_timeout_ns = MSEC(2500);
	ck_assert_int_eq(explain_connect(&t), MSEC(2500));
}
END_TEST

Suite *drill_explain_suite(void)
{
	Suite *s = suite_create("drill_explain");
	TCase *c = tcase_create("explain");

	tcase_add_loop_test(c, silence_with_data_in_flight_ends_when_it_was_seen_to_end, 0,
			    ARRAY_LEN(retries));
	tcase_add_test(c, an_unreachable_host_is_asked_at_every_timeout_until_the_time_is_over);
	tcase_add_test(c, the_default_is_a_quarter_of_an_hour);
	tcase_add_test(c, user_timeout_counts_from_the_first_retransmission);
	tcase_add_loop_test(c, keepalive_is_idle_and_count_intervals, 0, ARRAY_LEN(keepalives));
	tcase_add_test(c, an_idle_connection_without_keepalive_never_learns);
	tcase_add_test(c, connecting_doubles_from_a_second);
	suite_add_tcase(s, c);
	return s;
}
