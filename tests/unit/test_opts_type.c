/* SPDX-License-Identifier: MIT
 * test_opts_type: what --reconnect and --start-at take and refuse.
 */
#include <stdlib.h>
#include <time.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/opt.h"
#include "echoload/options/opts.h"

#include "suites.h"

static const struct {
	const char *text;
	struct reconnect_policy policy;
} policies[] = {
	{ "never", { RECONNECT_NEVER, 0, 0 } },
	{ "immediate", { RECONNECT_IMMEDIATE, 0, 0 } },
	{ "backoff 10ms..1s", { RECONNECT_BACKOFF, MSEC(10), SEC(1) } },
	{ "backoff 1ms..1ms", { RECONNECT_BACKOFF, MSEC(1), MSEC(1) } },
	{ "backoff 1ms..1h", { RECONNECT_BACKOFF, MSEC(1), SEC(3600) } },
};

START_TEST(policies_of_reconnecting)
{
	const struct reconnect_policy *want = &policies[_i].policy;
	char why[OPT_ERROR_MAX] = "", text[OPT_TEXT_MAX];
	struct reconnect_policy p;

	ck_assert_msg(opt_reconnect.parse(NULL, policies[_i].text, &p, why) == 0, "%s", why);
	ck_assert_int_eq(p.mode, want->mode);
	ck_assert_int_eq(p.min_ns, want->min_ns);
	ck_assert_int_eq(p.max_ns, want->max_ns);
	ck_assert(opt_reconnect.print(NULL, &p, 0, text));
	ck_assert_str_eq(text, policies[_i].text);
}
END_TEST

START_TEST(what_is_no_policy_is_refused)
{
	static const char *const texts[] = { "",
					     "always",
					     "backoff",
					     "backoff 1s",
					     "backoff 1s..1ms",
					     "backoff 0s..1s",
					     "backoff 1us..1s",
					     "backoff 1ms..2h",
					     "backoff ..1s",
					     "backoff 1ms..",
					     "backoff 1ms...1s",
					     "backoff  1ms..1s",
					     "backoff 1ms..1s ",
					     "BACKOFF 1ms..1s",
					     "backoff off..1s" };
	char why[OPT_ERROR_MAX] = "";
	struct reconnect_policy p = { .min_ns = 77 };

	ck_assert_msg(opt_reconnect.parse(NULL, texts[_i], &p, why) < 0, "%s", texts[_i]);
	ck_assert(why[0]);
	ck_assert_int_eq(p.min_ns, 77);
}
END_TEST

static int64_t start_at(const char *text)
{
	char why[OPT_ERROR_MAX] = "";
	int64_t at = -77;

	if (opt_start_at.parse(NULL, text, &at, why) < 0) {
		ck_assert(why[0]);
		ck_assert_int_eq(at, -77);
		return -1;
	}
	return at;
}

START_TEST(seconds_since_the_epoch_have_nine_decimals)
{
	ck_assert_int_eq(start_at("now"), 0);
	ck_assert_int_eq(start_at("1700000000"), SEC(1700000000));
	ck_assert_int_eq(start_at("1700000000.5"), SEC(1700000000) + MSEC(500));
	ck_assert_int_eq(start_at("1700000000.000000001"), SEC(1700000000) + 1);
	ck_assert_int_eq(start_at("9223372035"), SEC(9223372035));
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
	static const char *const texts[] = {
		"",
		"x",
		"-1",
		"+1",
		"1.0000000001",
		"1e9",
		"9223372036854775807",
		"24:00",
		"12:60",
		"12:00:61",
		"12",
		"12:",
		"12:00:00x",
		":",
		"now ",
		"tomorrow",
	};

	/* 12 is a number of seconds; that it has passed is found later */
	ck_assert_int_eq(start_at(texts[_i]), _i == 10 ? SEC(12) : -1);
}
END_TEST

START_TEST(a_time_of_day_is_the_next_one_unless_it_has_passed)
{
	const time_t now = (time_t)(clock_unix_ns() / SEC(1));

	for (int ahead = -3600 * 23 - 2; ahead <= 3600 * 23; ahead += 3600) {
		time_t then = now + ahead;
		char text[16];
		struct tm tm;
		int64_t at;

		localtime_r(&then, &tm);
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
		at = start_at(text);
		/* an hour more: the clock may be put back or forward */
		ck_assert_int_ge(at, SEC((int64_t)now - 13 * 3600));
		ck_assert_int_le(at, SEC((int64_t)now + 24 * 3600 + 5));
		if (ahead == -2)
			ck_assert_int_lt(at, SEC((int64_t)now));
		then = (time_t)(at / SEC(1));
		localtime_r(&then, &tm);
		strftime(text + 8, sizeof(text) - 8, "%M:%S", &tm);
		ck_assert_mem_eq(text + 3, text + 8, 5);
	}
}
END_TEST

Suite *opts_type_suite(void)
{
	Suite *s = suite_create("opts_type");
	TCase *t = tcase_create("opts_type");

	tcase_add_loop_test(t, policies_of_reconnecting, 0, (int)ARRAY_LEN(policies));
	tcase_add_loop_test(t, what_is_no_policy_is_refused, 0, 15);
	tcase_add_test(t, seconds_since_the_epoch_have_nine_decimals);
	tcase_add_loop_test(t, what_is_no_time_is_refused, 0, 16);
	tcase_add_test(t, a_time_of_day_is_the_next_one_unless_it_has_passed);
	suite_add_tcase(s, t);
	return s;
}
