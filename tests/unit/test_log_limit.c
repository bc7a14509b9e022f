/* SPDX-License-Identifier: MIT
 * test_log_limit: bursts of lines, and what is told of those that were left out.
 */
#include "echo/base/log_limit.h"

#include <stddef.h>

#include "echo/base/base.h"

#include "suites.h"

static struct log_limit limit;
static struct log_kind told;

static void setup(void)
{
	limit = (struct log_limit){ 0 };
}

static bool may(const char *format, unsigned burst, int64_t at_ms)
{
	return !log_limit_line(&limit, format, burst, MSEC(at_ms));
}

START_TEST(a_burst_passes_and_what_is_beyond_is_told_when_its_window_ends)
{
	static const char kind[] = "kind";

	for (int i = 0; i < 3; i++)
		ck_assert(may(kind, 3, 10 + i));
	ck_assert(!log_limit_take(&limit, MSEC(9000), true, &told));
	ck_assert_int_eq(log_limit_next_ns(&limit), 0);
	for (int i = 0; i < 7; i++)
		ck_assert(!may(kind, 3, 20 + i));
	ck_assert_int_eq(log_limit_next_ns(&limit), MSEC(10 + LOG_LIMIT_WINDOW_MS));
	ck_assert(!log_limit_take(&limit, MSEC(9 + LOG_LIMIT_WINDOW_MS), false, &told));
	ck_assert(log_limit_take(&limit, MSEC(10 + LOG_LIMIT_WINDOW_MS), false, &told));
	ck_assert_uint_eq(told.left_out, 7);
	ck_assert_ptr_eq(told.format, kind);
	ck_assert(!log_limit_take(&limit, INT64_MAX, true, &told));
	ck_assert(may(kind, 3, 6000));
}
END_TEST

START_TEST(those_that_are_slow_are_never_left_out)
{
	for (int i = 0; i < 100; i++)
		ck_assert(may("slow", 2, i * LOG_LIMIT_WINDOW_MS / 2 + i));
	ck_assert_int_eq(log_limit_next_ns(&limit), 0);
}
END_TEST

START_TEST(kinds_do_not_know_of_each_other)
{
	static const char text[LOG_LIMIT_KINDS + 8];

	for (unsigned i = 0; i < LOG_LIMIT_KINDS + 8; i++)
		ck_assert(may(&text[i], 1, 1));
	for (unsigned i = 0; i < LOG_LIMIT_KINDS; i++)
		ck_assert(!may(&text[i], 1, 2));
	ck_assert(may(&text[LOG_LIMIT_KINDS], 1, 2)); /* there is no place for it */
	for (unsigned i = 0; i < LOG_LIMIT_KINDS; i++)
		ck_assert(log_limit_take(&limit, MSEC(3), true, &told));
	ck_assert(!log_limit_take(&limit, MSEC(3), true, &told));
}
END_TEST

START_TEST(without_a_burst_there_is_no_limit)
{
	for (int i = 0; i < 1000; i++)
		ck_assert(may("any", 0, 1));
	ck_assert_uint_eq(limit.count, 0);
}
END_TEST

Suite *log_limit_suite(void)
{
	Suite *s = suite_create("log_limit");
	TCase *tc = tcase_create("log_limit");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_burst_passes_and_what_is_beyond_is_told_when_its_window_ends);
	tcase_add_test(tc, those_that_are_slow_are_never_left_out);
	tcase_add_test(tc, kinds_do_not_know_of_each_other);
	tcase_add_test(tc, without_a_burst_there_is_no_limit);
	suite_add_tcase(s, tc);
	return s;
}
