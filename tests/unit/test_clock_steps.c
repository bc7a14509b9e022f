/* SPDX-License-Identifier: MIT
 * test_clock_steps: a clock that is set while a run goes on is told from one whose rate is
 * corrected. The clocks are ours.
 */
#include "echoload/watch/clock_steps.h"

#include "echo/base/base.h"

#include "suites.h"

/* A look at @mono_ns that took a microsecond, while the clock of the day was @apart_ns ahead. */
static void look(struct clock_steps *s, int64_t mono_ns, int64_t apart_ns)
{
	clock_steps_look(s, mono_ns - 500, mono_ns + apart_ns, mono_ns + 500);
}

START_TEST(a_clock_that_runs_on_has_not_stepped)
{
	struct clock_steps s = { .known = false };

	for (int64_t i = 0; i < 100; i++)
		look(&s, SEC(i), SEC(1700000000) + i * USEC(500)); /* 500 ppm too fast */
	ck_assert_int_eq(s.total_ns, 0);
}
END_TEST

START_TEST(a_step_is_counted_whatever_its_direction)
{
	struct clock_steps s = { .known = false };

	look(&s, SEC(1), SEC(1700000000));
	look(&s, SEC(2), SEC(1700000000) + MSEC(20));
	look(&s, SEC(3), SEC(1700000000) + MSEC(20));
	look(&s, SEC(4), SEC(1700000000) - MSEC(10));
	ck_assert_int_eq(s.total_ns, MSEC(50));
}
END_TEST

START_TEST(a_look_that_was_interrupted_tells_nothing)
{
	struct clock_steps s = { .known = false };

	look(&s, SEC(1), SEC(1700000000));
	clock_steps_look(&s, SEC(2), SEC(1700000002), SEC(2) + MSEC(40));
	ck_assert_int_eq(s.total_ns, 0);
	look(&s, SEC(3), SEC(1700000000));
	ck_assert_int_eq(s.total_ns, 0);
}
END_TEST

START_TEST(after_a_long_pause_the_rate_may_have_moved_it_as_far)
{
	struct clock_steps s = { .known = false };

	look(&s, SEC(1), SEC(1700000000));
	look(&s, SEC(101), SEC(1700000000) + MSEC(50));
	ck_assert_int_eq(s.total_ns, 0);
	look(&s, SEC(102), SEC(1700000000) + MSEC(53));
	ck_assert_int_eq(s.total_ns, MSEC(3));
}
END_TEST

Suite *clock_steps_suite(void)
{
	Suite *s = suite_create("clock_steps");
	TCase *t = tcase_create("clock_steps");

	tcase_add_test(t, a_clock_that_runs_on_has_not_stepped);
	tcase_add_test(t, a_step_is_counted_whatever_its_direction);
	tcase_add_test(t, a_look_that_was_interrupted_tells_nothing);
	tcase_add_test(t, after_a_long_pause_the_rate_may_have_moved_it_as_far);
	suite_add_tcase(s, t);
	return s;
}
