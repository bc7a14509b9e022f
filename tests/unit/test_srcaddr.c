/* SPDX-License-Identifier: MIT
 * test_srcaddr: which addresses a range has, and in which order they are taken.
 */
#include "echoload/options/srcaddr.h"

#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"

#include "suites.h"

static const struct {
	const char *text;
	uint32_t count;
	const char *first, *last;
} ranges[] = {
	{ "127.0.0.1", 1, "127.0.0.1:0", "127.0.0.1:0" },
	{ "127.0.0.9/32", 1, "127.0.0.9:0", "127.0.0.9:0" },
	{ "127.0.0.9/31", 2, "127.0.0.8:0", "127.0.0.9:0" },
	{ "127.0.0.9/30", 2, "127.0.0.9:0", "127.0.0.10:0" },
	{ "127.0.0.0/28", 14, "127.0.0.1:0", "127.0.0.14:0" },
	{ "10.1.2.3/8", (1u << 24) - 2, "10.0.0.1:0", "10.255.255.254:0" },
	{ "::1", 1, "[::1]:0", "[::1]:0" },
	{ "fd00::5/126", 2, "[fd00::5]:0", "[fd00::6]:0" },
};

static struct srcaddr_range parsed(const char *text)
{
	char why[OPT_ERROR_MAX] = "";
	struct srcaddr_range s;

	ck_assert_msg(opt_srcaddr_range.parse(NULL, text, &s, why) == 0, "%s: %s", text, why);
	return s;
}

static void expect_address(const struct srcaddr_range *s, uint64_t number, const char *address)
{
	struct addr a = srcaddr_nth(s, number);
	char text[ADDR_TEXT_MAX];

	addr_format(&a, text);
	ck_assert_str_eq(text, address);
}

START_TEST(a_range_leaves_the_network_and_its_broadcast_out)
{
	const struct srcaddr_range s = parsed(ranges[_i].text);

	ck_assert_uint_eq(s.count, ranges[_i].count);
	expect_address(&s, 0, ranges[_i].first);
	expect_address(&s, s.count - 1, ranges[_i].last);
	expect_address(&s, s.count, ranges[_i].first); /* in turn, for ever */
	expect_address(&s, 5ull * s.count, ranges[_i].first);
}
END_TEST

START_TEST(it_prints_as_it_was_given)
{
	const char *given = _i < 0 ? "any" : ranges[_i].text;
	const struct srcaddr_range s = parsed(given);
	char text[OPT_TEXT_MAX];

	ck_assert(opt_srcaddr_range.print(NULL, &s, 0, text));
	ck_assert_str_eq(text, given);
}
END_TEST

START_TEST(what_is_no_range_is_refused)
{
	static const char *const texts[] = { "",
					     "x",
					     "127.0.0.1:80",
					     "127.0.0.1/",
					     "127.0.0.1/33",
					     "127.0.0.1/-1",
					     "127.0.0.1/8x",
					     "127.0.0.1/7",
					     "::1/129",
					     "[::1]",
					     "1.2.3",
					     "127.0.0.1/ 8",
					     "::1/100",
					     "localhost" };
	char why[OPT_ERROR_MAX] = "";
	struct srcaddr_range s = { .count = 77 };

	ck_assert_msg(opt_srcaddr_range.parse(NULL, texts[_i], &s, why) < 0, "%s", texts[_i]);
	ck_assert(why[0]);
	ck_assert_uint_eq(s.count, 77);
}
END_TEST

Suite *srcaddr_suite(void)
{
	Suite *s = suite_create("srcaddr");
	TCase *t = tcase_create("srcaddr");

	tcase_add_loop_test(t, a_range_leaves_the_network_and_its_broadcast_out, 0,
			    (int)ARRAY_LEN(ranges));
	tcase_add_loop_test(t, it_prints_as_it_was_given, -1, (int)ARRAY_LEN(ranges));
	tcase_add_loop_test(t, what_is_no_range_is_refused, 0, 14);
	suite_add_tcase(s, t);
	return s;
}
