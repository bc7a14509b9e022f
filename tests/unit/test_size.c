/* SPDX-License-Identifier: MIT
 * test_size: what a mix of sizes takes and refuses, and that it comes out in its shares.
 */
#include "echoload/options/size.h"

#include <stdlib.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/base/rng.h"

#include "suites.h"

enum { DRAWS = 100000 };

static struct sizes parsed(const char *text)
{
	char why[OPT_ERROR_MAX] = "";
	struct sizes s;

	ck_assert_msg(opt_sizes.parse(NULL, text, &s, why) == 0, "%s: %s", text, why);
	return s;
}

static void expect_prints_as(const char *given)
{
	const struct sizes s = parsed(given);
	char text[OPT_TEXT_MAX];

	ck_assert(opt_sizes.print(NULL, &s, 0, text));
	ck_assert_str_eq(text, given);
	ck_assert(!opt_sizes.print(NULL, &s, 1, text));
}

START_TEST(sizes_print_as_they_were_given)
{
	static const char *const texts[] = { "64", "64..4Ki", "1/1:1Gi/1000000",
					     "64/70:512..1Ki/25:64Ki/5" };

	expect_prints_as(texts[_i]);
}
END_TEST

START_TEST(the_longest_mix_fits)
{
	char text[OPT_TEXT_MAX] = "";
	size_t len = 0;

	for (int i = 0; i < SIZE_PARTS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? ":" : "",
					"1073741823..1Gi/1000000");
	expect_prints_as(text);
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
	static const char *const texts[] = {
		"",
		"0",
		"x",
		"9..1",
		"1..",
		"..1",
		"64/",
		"64/0",
		"64/x",
		"64/1:",
		":64/1",
		"64:128",
		"64/1:2",
		"64/1000001",
		"2Gi",
		"64/1/1",
		"64/-1:2/2",
		"64/1:9..1/1",
		"1/1:1/1:1/1:1/1:1/1:1/1:1/1:1/1:1/1",
	};
	char why[OPT_ERROR_MAX] = "";
	struct sizes s = { .count = 77 };

	ck_assert_msg(opt_sizes.parse(NULL, texts[_i], &s, why) < 0, "%s", texts[_i]);
	ck_assert_msg(why[0], "%s", texts[_i]);
	ck_assert_uint_eq(s.count, 77);
}
END_TEST

START_TEST(every_part_gets_its_share)
{
	const struct sizes s = parsed("64/70:512..1Ki/25:64Ki/5");
	uint64_t seed = 1, count[3] = { 0 }, sum = 0;

	ck_assert_uint_eq(s.min, 64);
	ck_assert_uint_eq(s.max, 65536);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t r = rng_next(&seed), n = size_draw(&s, r);

		ck_assert_uint_eq(size_draw(&s, r), n);
		ck_assert(n == 64 || (n >= 512 && n <= 1024) || n == 65536);
		count[n == 64 ? 0 : n <= 1024 ? 1 : 2]++;
		sum += n <= 1024 && n > 64 ? n : 0;
	}
	/* more than ten standard deviations off is no chance */
	ck_assert_int_lt(llabs((long long)count[0] - DRAWS / 100 * 70), 1500);
	ck_assert_int_lt(llabs((long long)count[1] - DRAWS / 100 * 25), 1400);
	ck_assert_int_lt(llabs((long long)count[2] - DRAWS / 100 * 5), 700);
	ck_assert_int_lt(llabs((long long)(sum / count[1]) - 768), 10);
}
END_TEST

START_TEST(a_range_has_all_of_its_sizes)
{
	const struct sizes s = parsed("3..6");
	unsigned seen = 0;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		uint64_t n = size_draw(&s, rng_mix(seed));

		ck_assert(n >= 3 && n <= 6);
		seen |= 1u << n;
	}
	ck_assert_uint_eq(seen, 0x78);
}
END_TEST

Suite *size_suite(void)
{
	Suite *s = suite_create("size");
	TCase *t = tcase_create("size");

	tcase_add_loop_test(t, sizes_print_as_they_were_given, 0, 4);
	tcase_add_test(t, the_longest_mix_fits);
	tcase_add_loop_test(t, what_is_no_size_is_refused, 0, 19);
	tcase_add_test(t, every_part_gets_its_share);
	tcase_add_test(t, a_range_has_all_of_its_sizes);
	suite_add_tcase(s, t);
	return s;
}
