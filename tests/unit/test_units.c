/* SPDX-License-Identifier: MIT
 * test_units: what people read, and that rounding never leaves a fourth digit.
 */
#include "echo/base/units.h"

#include <string.h>

#include "echo/base/base.h"

#include "suites.h"

static const struct {
	int64_t ns;
	const char *three, *four;
} times[] = {
	{ 0, "0 s", "0 s" },
	{ 1, "1 ns", "1 ns" },
	{ 999, "999 ns", "999 ns" },
	{ 1000, "1.00 us", "1.000 us" },
	{ 9994, "9.99 us", "9.994 us" },
	{ 9996, "10.0 us", "9.996 us" },
	{ 25678, "25.7 us", "25.68 us" },
	{ 99940, "99.9 us", "99.94 us" },
	{ 99960, "100 us", "99.96 us" },
	{ 999499, "999 us", "999.5 us" },
	{ 999600, "1.00 ms", "999.6 us" },
	{ 999999, "1.00 ms", "1.000 ms" },
	{ MSEC(808), "808 ms", "808.0 ms" },
	{ SEC(1), "1.00 s", "1.000 s" },
	{ SEC(60), "60.0 s", "60.00 s" },
	{ SEC(924) + MSEC(600), "925 s", "924.6 s" },
	{ SEC(86400), "86400 s", "86400 s" },
	{ INT64_MAX, "9223372037 s", "9223372037 s" },
	{ -USEC(1500), "-1.50 ms", "-1.500 ms" },
	{ INT64_MIN, "-9223372037 s", "-9223372037 s" },
};

START_TEST(times_have_the_digits_asked_for)
{
	char text[UNITS_MAX];

	ck_assert_str_eq(units_time(times[_i].ns, 3, text), times[_i].three);
	ck_assert_str_eq(units_time(times[_i].ns, 4, text), times[_i].four);
}
END_TEST

START_TEST(no_time_of_less_than_a_thousand_seconds_is_longer_than_seven_characters)
{
	char text[UNITS_MAX];

	for (int64_t ns = 1; ns < SEC(999); ns += 1 + ns / 977)
		ck_assert_uint_le(strlen(units_time(ns, 3, text)), 7);
}
END_TEST

START_TEST(bytes_grow_by_thousands)
{
	char text[UNITS_MAX];

	ck_assert_str_eq(units_bytes(0, 3, text), "0 B");
	ck_assert_str_eq(units_bytes(64, 3, text), "64 B");
	ck_assert_str_eq(units_bytes(1000, 3, text), "1.00 kB");
	ck_assert_str_eq(units_bytes(7.9e6, 3, text), "7.90 MB");
	ck_assert_str_eq(units_bytes(12.345e9, 3, text), "12.3 GB");
	ck_assert_str_eq(units_bytes(1e30, 3, text), "1000000000000 EB");
}
END_TEST

START_TEST(counts_have_commas)
{
	char text[UNITS_MAX];

	ck_assert_str_eq(units_count(0, text), "0");
	ck_assert_str_eq(units_count(999, text), "999");
	ck_assert_str_eq(units_count(1000, text), "1,000");
	ck_assert_str_eq(units_count(1234567, text), "1,234,567");
	ck_assert_str_eq(units_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}
END_TEST

Suite *units_suite(void)
{
	Suite *s = suite_create("units");
	TCase *t = tcase_create("units");

	tcase_add_loop_test(t, times_have_the_digits_asked_for, 0, ARRAY_LEN(times));
	tcase_add_test(t, no_time_of_less_than_a_thousand_seconds_is_longer_than_seven_characters);
	tcase_add_test(t, bytes_grow_by_thousands);
	tcase_add_test(t, counts_have_commas);
	suite_add_tcase(s, t);
	return s;
}
