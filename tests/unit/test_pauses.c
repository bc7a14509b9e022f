/* SPDX-License-Identifier: MIT
 * test_pauses: what is a pause, and what it explains. The times are ours.
 */
#include "echoload/watch/pauses.h"

#include "echo/base/base.h"

#include "suites.h"

static struct pauses p;

static void setup(void)
{
	pauses_start(&p, MSEC(50));
}

START_TEST(who_wakes_up_late_was_paused)
{
	pauses_tick(&p, SEC(1), SEC(1) + MSEC(1), MSEC(50));
	ck_assert_uint_eq(p.count, 0);
	pauses_tick(&p, SEC(2), SEC(5), MSEC(51));
	ck_assert_uint_eq(p.count, 1);
	ck_assert_int_eq(p.list[0].begin_ns, SEC(2) + MSEC(1));
	ck_assert_int_eq(p.list[0].end_ns, SEC(5));
	ck_assert_int_eq(p.total_ns, SEC(3) - MSEC(1));
}
END_TEST

START_TEST(who_waited_for_a_cpu_was_not)
{
	pauses_tick(&p, SEC(2), SEC(3), MSEC(50) + MSEC(950));
	ck_assert_uint_eq(p.count, 0);
	pauses_tick(&p, SEC(4), SEC(5), MSEC(50) + MSEC(950));
	ck_assert_uint_eq(p.count, 1);
}
END_TEST

START_TEST(where_the_kernel_does_not_tell_all_that_is_late_is_one)
{
	pauses_start(&p, -1);
	pauses_tick(&p, SEC(2), SEC(3), -1);
	ck_assert_int_eq(p.total_ns, SEC(1));
}
END_TEST

START_TEST(those_that_find_no_room_count)
{
	for (int i = 0; i < PAUSES_MAX + 3; i++)
		pauses_tick(&p, SEC(2 * i), SEC(2 * i + 1), MSEC(50));
	ck_assert_uint_eq(p.count, PAUSES_MAX);
	ck_assert_uint_eq(p.unlisted, 3);
	ck_assert_int_eq(p.total_ns, SEC(PAUSES_MAX + 3));
}
END_TEST

START_TEST(it_explains_what_happens_in_it_or_just_after)
{
	pauses_tick(&p, SEC(2), SEC(5), MSEC(50));
	ck_assert(!pauses_explain(&p, SEC(2) - 1, MSEC(10)));
	ck_assert(pauses_explain(&p, SEC(2), MSEC(10)));
	ck_assert(pauses_explain(&p, SEC(5) + MSEC(10), MSEC(10)));
	ck_assert(!pauses_explain(&p, SEC(5) + MSEC(10) + 1, MSEC(10)));
	ck_assert_int_eq(pauses_between(&p, SEC(1), SEC(10)), SEC(3));
	ck_assert_int_eq(pauses_between(&p, SEC(3), SEC(4)), SEC(1));
	ck_assert_int_eq(pauses_between(&p, SEC(5), SEC(9)), 0);
}
END_TEST

START_TEST(an_outage_begins_no_earlier_than_it_ended)
{
	pauses_tick(&p, SEC(2), SEC(5), MSEC(50));
	ck_assert_int_eq(pauses_after(&p, SEC(1), SEC(6)), SEC(5));
	ck_assert_int_eq(pauses_after(&p, SEC(3), SEC(5)), SEC(5));
	ck_assert_int_eq(pauses_after(&p, SEC(1), SEC(4)), SEC(1)); /* it was noticed before */
	ck_assert_int_eq(pauses_after(&p, SEC(7), SEC(8)), SEC(7));
	pauses_shift(&p, SEC(1));
	ck_assert_int_eq(p.list[0].begin_ns, SEC(1));
	ck_assert_int_eq(p.list[0].end_ns, SEC(4));
}
END_TEST

Suite *pauses_suite(void)
{
	Suite *s = suite_create("pauses");
	TCase *t = tcase_create("pauses");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, who_wakes_up_late_was_paused);
	tcase_add_test(t, who_waited_for_a_cpu_was_not);
	tcase_add_test(t, where_the_kernel_does_not_tell_all_that_is_late_is_one);
	tcase_add_test(t, those_that_find_no_room_count);
	tcase_add_test(t, it_explains_what_happens_in_it_or_just_after);
	tcase_add_test(t, an_outage_begins_no_earlier_than_it_ended);
	suite_add_tcase(s, t);
	return s;
}
