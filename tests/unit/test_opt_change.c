/* SPDX-License-Identifier: MIT
 * test_opt_change: what differs between the configuration in force and one that was read again.
 */
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "opt_fixture.h"

enum { CHANGES_MAX = 8 };

static struct opt_test_config next_config;
static struct opt_test_uring next_uring;
static struct opt_set next;
static char told[CHANGES_MAX][128];
static unsigned told_count;

static void tell(void *arg, const struct opt_change *c)
{
	ck_assert_ptr_eq(arg, &next);
	ck_assert_uint_lt(told_count, CHANGES_MAX);
	snprintf(told[told_count++], sizeof(told[0]), "%s%s %s -> %s%s", c->place, c->name,
		 c->before, c->after, c->live ? " live" : "");
}

/* The set of the fixture runs with @now; the other one has read @text. */
static void merge(const char *now, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	opt_test_reset();
	ck_assert_msg(opt_test_read(now) == 0, "%s", opt_test.error);
	next = opt_test;
	next.sections[0].base = &next_config;
	next.sections[1].base = &next_uring;
	ck_assert_int_eq(opt_read_defaults(&next), 0);
	ck_assert_ptr_nonnull(f);
	ck_assert_msg(opt_read_file(&next, f, "next.conf") == 0, "%s", next.error);
	fclose(f);
	told_count = 0;
	opt_merge(&next, &opt_test, tell, &next);
}

START_TEST(each_key_that_differs_is_told_with_its_place)
{
	merge("[server]\nmax_conns = 20\nlisten = a\nlisten = b\nrate = 1",
	      "[server]\nlisten = a\nlisten = c\nworkers = 3\nmax_conns = 0.02k\n"
	      "[io_uring]\nsqpoll = on");
	ck_assert_uint_eq(told_count, 4);
	ck_assert_str_eq(told[0], "next.conf:3: listen: listen a, b -> a, c live");
	ck_assert_str_eq(told[1], "next.conf:4: workers: workers 0 -> 3");
	ck_assert_str_eq(told[2], "default of rate: rate 1 -> 0.5 live");
	ck_assert_str_eq(told[3], "next.conf:7: io_uring.sqpoll: io_uring.sqpoll off -> on");
}
END_TEST

START_TEST(what_is_not_live_stays)
{
	merge("[server]\nworkers = 2\nrate = 1", "[server]\nworkers = 3\nrate = 2");
	ck_assert_uint_eq(next_config.workers, 2);
	ck_assert_double_eq(next_config.rate, 2);
	ck_assert_uint_eq(opt_origin_of(&next, "rate")->line, 3);
	opt_take(&opt_test, &next);
	ck_assert_uint_eq(opt_test_config.workers, 2);
	ck_assert_double_eq(opt_test_config.rate, 2);
	ck_assert_str_eq(opt_test.file, "next.conf");
	told_count = 0;
	opt_merge(&next, &opt_test, tell, &next);
	ck_assert_uint_eq(told_count, 0);
}
END_TEST

START_TEST(fewer_or_more_values_differ)
{
	merge("[server]\nlisten = a\nlisten = b", "[server]\nlisten = a");
	ck_assert_str_eq(told[0], "next.conf:2: listen: listen a, b -> a live");
	merge("[server]\nlisten = a", "[server]\nlisten = a\nlisten = b");
	ck_assert_str_eq(told[0], "next.conf:3: listen: listen a -> a, b live");
	merge("[server]\nlisten = a", "[server]\nlisten = a");
	ck_assert_uint_eq(told_count, 0);
}
END_TEST

START_TEST(what_has_its_default_asks_for_nothing)
{
	static const char *const keys[] = { "workers",        "max_conns", "max_unsent",
					    "idle_timeout",   "rate",      "verify",
					    "io_uring.sqpoll" };

	opt_test_reset();
	ck_assert(!opt_differs(&opt_test, keys[_i]));
	/* each of them as it is by default, said in another way than in its row */
	ck_assert_msg(opt_test_read("[server]\nworkers = 00\nmax_conns = 10000\n"
				    "max_unsent = 262144\nidle_timeout = off\nrate = 0.50\n"
				    "verify = yes\n[io_uring]\nsqpoll = no\n") == 0,
		      "%s", opt_test.error);
	ck_assert_int_eq(opt_origin_of(&opt_test, keys[_i])->level, OPT_FILE);
	ck_assert(!opt_differs(&opt_test, keys[_i]));
	opt_test_reset();
	ck_assert_msg(opt_test_read("[server]\nworkers = 1\nmax_conns = 1\nmax_unsent = 1\n"
				    "idle_timeout = 1s\nrate = 1\nverify = no\n"
				    "[io_uring]\nsqpoll = yes\n") == 0,
		      "%s", opt_test.error);
	ck_assert(opt_differs(&opt_test, keys[_i]));
	ck_assert(!opt_differs(&opt_test, "nothing"));
}
END_TEST

START_TEST(live_is_said_where_a_program_reloads)
{
	char *text;

	opt_test.reloads = _i == 1;
	text = opt_test_print(opt_print_help);
	ck_assert_int_eq(strstr(text, "live)") != NULL, _i == 1);
	free(text);
}
END_TEST

TCase *opt_change_tests(void)
{
	TCase *t = opt_tcase("change");

	tcase_add_test(t, each_key_that_differs_is_told_with_its_place);
	tcase_add_test(t, what_is_not_live_stays);
	tcase_add_test(t, fewer_or_more_values_differ);
	tcase_add_loop_test(t, what_has_its_default_asks_for_nothing, 0, 7);
	tcase_add_loop_test(t, live_is_said_where_a_program_reloads, 0, 2);
	return t;
}
