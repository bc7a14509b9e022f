/* SPDX-License-Identifier: MIT
 * test_drill_progress: how far a run of drills is, and how long it will still take.
 */
#include "echo/base/base.h"
#include "echo/base/progress_line.h"
#include "echodrill/script/drill.h"
#include "echodrill/suite_progress.h"

#include "suites.h"

static struct suite_progress p;
static struct drill drill;

/* Four drills of ten seconds each, two at a time; that begins at 1 s. */
static void setup(void)
{
	drill = (struct drill){ .step = { .count = 3,
					  .at = { { .at = true, .start_ns = SEC(8) },
						  { .at = true, .start_ns = SEC(2) },
						  { .start_ns = SEC(2) - MSEC(300) } } } };
	suite_progress_begin(&p, PROGRESS_NEVER, 2, 0);
	for (int i = 0; i < 4; i++)
		suite_progress_add(&p, &drill);
	suite_progress_started(&p, SEC(1));
	suite_progress_started(&p, SEC(1));
}

static void expect_text(int64_t now_ns, const char *expected)
{
	char text[128];

	ck_assert_str_eq(suite_progress_text(&p, now_ns, text), expected);
}

START_TEST(before_anything_is_done_the_files_say_how_long_it_takes)
{
	expect_text(SEC(1), "0/4 done, 2 running, 0 failed, about 20 s left");
	expect_text(SEC(6), "0/4 done, 2 running, 0 failed, about 15 s left");
}
END_TEST

START_TEST(what_is_done_says_how_much_longer_than_that_it_takes)
{
	suite_progress_ended(&p, &drill, SEC(20), true, SEC(21));
	suite_progress_started(&p, SEC(21));
	expect_text(SEC(21), "1/4 done, 2 running, 1 failed, about 30 s left");
	suite_progress_ended(&p, &drill, SEC(20), false, SEC(21));
	suite_progress_ended(&p, &drill, SEC(20), false, SEC(41));
	expect_text(SEC(41), "3/4 done, 0 running, 1 failed, about 20 s left");
}
END_TEST

START_TEST(what_takes_longer_than_thought_is_never_over_already)
{
	expect_text(SEC(500), "0/4 done, 2 running, 0 failed, about 1 s left");
}
END_TEST

START_TEST(what_ends_at_a_time_says_how_long_that_is)
{
	p.until_ns = SEC(181);
	expect_text(SEC(1), "0 done, 2 running, 0 failed, about 3 min 0 s left");
	suite_progress_ended(&p, &drill, SEC(30), true, SEC(31));
	expect_text(SEC(176), "1 done, 1 running, 1 failed, about 5 s left");
	expect_text(SEC(200), "1 done, 1 running, 1 failed, about 1 s left");
}
END_TEST

START_TEST(spans_have_two_parts_at_most)
{
	char text[PROGRESS_LINE_SPAN_MAX];

	ck_assert_str_eq(progress_line_span(SEC(44) + 1, text), "45 s");
	ck_assert_str_eq(progress_line_span(SEC(200), text), "3 min 20 s");
	ck_assert_str_eq(progress_line_span(SEC(7500), text), "2 h 5 min");
}
END_TEST

Suite *drill_progress_suite(void)
{
	Suite *s = suite_create("drill_progress");
	TCase *t = tcase_create("drill_progress");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, before_anything_is_done_the_files_say_how_long_it_takes);
	tcase_add_test(t, what_is_done_says_how_much_longer_than_that_it_takes);
	tcase_add_test(t, what_takes_longer_than_thought_is_never_over_already);
	tcase_add_test(t, what_ends_at_a_time_says_how_long_that_is);
	tcase_add_test(t, spans_have_two_parts_at_most);
	suite_add_tcase(s, t);
	return s;
}
