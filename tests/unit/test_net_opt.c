/* SPDX-License-Identifier: MIT
 * test_net_opt: addresses, CPUs, keepalive, busy polling and congestion control as text, and back.
 */
#include "echo/net/net_opt.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/cpu_list.h"
#include "echo/base/opt.h"
#include "echo/net/sock.h"

#include "suites.h"

static char why[OPT_ERROR_MAX], text[OPT_TEXT_MAX];

static int parse(const struct opt_type *type, const char *from, void *field)
{
	const struct opt row = { .key = "key", .type = type };

	why[0] = 0;
	return type->parse(&row, from, field, why);
}

static const char *print(const struct opt_type *type, const void *field, unsigned nth)
{
	const struct opt row = { .key = "key", .type = type };

	return type->print(&row, field, nth, text) ? text : NULL;
}

/* Refused, with a reason, and nothing is written. */
static void check_refused(const struct opt_type *type, const char *from, void *field, size_t size)
{
	char before[sizeof(struct addr_list)];

	ck_assert_uint_le(size, sizeof(before));
	memcpy(before, field, size);
	ck_assert_msg(parse(type, from, field) < 0, "'%s' was taken", from);
	ck_assert_uint_gt(strlen(why), 5);
	ck_assert_ptr_null(strchr(why, '\n'));
	ck_assert_msg(memcmp(before, field, size) == 0, "'%s' was written", from);
}

START_TEST(addresses_repeat_in_their_order_up_to_a_limit)
{
	struct addr_list l = { .count = 0 };

	ck_assert_int_eq(parse(&opt_addr, "127.0.0.1:7007", &l), 0);
	ck_assert_int_eq(parse(&opt_addr, "[::1]:0", &l), 0);
	ck_assert_uint_eq(l.count, 2);
	ck_assert_str_eq(print(&opt_addr, &l, 0), "127.0.0.1:7007");
	ck_assert_str_eq(print(&opt_addr, &l, 1), "[::1]:0");
	ck_assert_ptr_null(print(&opt_addr, &l, 2));
	while (l.count < ADDR_LIST_MAX)
		ck_assert_int_eq(parse(&opt_addr, "127.0.0.2:1", &l), 0);
	check_refused(&opt_addr, "127.0.0.3:1", &l, sizeof(l));
}
END_TEST

START_TEST(a_name_stands_for_all_of_its_addresses)
{
	struct addr_list l = { .count = 0 };
	const char *from;

	ck_assert_int_eq(parse(&opt_addr, "127.0.0.1:7007", &l), 0);
	ck_assert_int_eq(parse(&opt_addr, "localhost:7008", &l), 0);
	ck_assert_uint_ge(l.count, 2);
	ck_assert_str_eq(print(&opt_addr, &l, 0), "127.0.0.1:7007");
	for (unsigned i = 1; i < l.count; i++) {
		from = print(&opt_addr, &l, i);
		ck_assert(strcmp(from, "127.0.0.1:7008") == 0 || strcmp(from, "[::1]:7008") == 0);
	}
}
END_TEST

START_TEST(addresses_that_are_none_are_refused)
{
	static const char *const wrong[] = {
		"",         "localhost:0",   "127.0.0.1",  "127.0.0.1:",
		":7",       "127.0.0.1:x",   "1.2.3.4:-1", "::1:7",
		"[::1]:7 ", "1.2.3.4:65536", "no..name:7", "[fe80::1]:7"
	};
	struct addr_list l = { .count = 0 };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_refused(&opt_addr, wrong[i], &l, sizeof(l));
}
END_TEST

START_TEST(cpus_are_read_and_written_as_ranges)
{
	static const char *const cases[][2] = {
		{ "all", "all" },       { "0", "0" },
		{ "0-3,8", "0-3,8" },   { "3,1,2", "1-3" },
		{ "5-5", "5" },         { "0-1,1-2", "0-2" },
		{ "1023", "1023" },     { "0,2,4,6", "0,2,4,6" },
		{ "0-1023", "0-1023" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cpu_list l, again;

		ck_assert_int_eq(parse(&opt_cpus, cases[i][0], &l), 0);
		ck_assert_str_eq(print(&opt_cpus, &l, 0), cases[i][1]);
		ck_assert_int_eq(parse(&opt_cpus, text, &again), 0);
		ck_assert_int_eq(l.all, again.all);
		ck_assert(CPU_EQUAL(&l.set, &again.set));
		ck_assert_ptr_null(print(&opt_cpus, &l, 1));
	}
}
END_TEST

START_TEST(cpus_that_are_none_are_refused)
{
	static const char *const wrong[] = {
		"",     "x",     "-1",  "1-",    "3-1",
		"1,,2", ",1",    "1,",  "1024",  "0-1024",
		"1 ",   "all,1", "0x1", "1-2-3", "99999999999999999999"
	};
	struct cpu_list l = { .all = true };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_refused(&opt_cpus, wrong[i], &l, sizeof(l));
}
END_TEST

START_TEST(cpus_go_round_among_those_that_we_may_use)
{
	struct cpu_list all = { .all = true }, none = { .all = false }, one = { .all = false };
	unsigned count = cpu_list_count(&all);
	int first = cpu_list_nth(&all, 0);

	ck_assert_uint_gt(count, 0);
	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(cpu_list_nth(&all, count), first);
	for (unsigned i = 0; i + 1 < count; i++)
		ck_assert_int_lt(cpu_list_nth(&all, i), cpu_list_nth(&all, i + 1));
	ck_assert_uint_eq(cpu_list_count(&none), 0);
	ck_assert_int_eq(cpu_list_nth(&none, 0), -ENOENT);
	CPU_SET((unsigned)first, &one.set);
	ck_assert_uint_eq(cpu_list_count(&one), 1);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(cpu_list_nth(&one, i), first);
}
END_TEST

START_TEST(keepalive_is_read_and_written)
{
	static const char *const cases[][2] = { { "off", "off" },
						{ "30s/5s/3", "30s/5s/3" },
						{ "1m/1s/127", "60s/1s/127" },
						{ "32767s/2m/1", "32767s/120s/1" },
						{ "1000ms/1s/1", "1s/1s/1" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sock_keepalive k = { 1, 2, 3 };

		ck_assert_int_eq(parse(&opt_keepalive, cases[i][0], &k), 0);
		ck_assert_str_eq(print(&opt_keepalive, &k, 0), cases[i][1]);
	}
}
END_TEST

START_TEST(keepalives_that_the_kernel_would_not_take_are_refused)
{
	static const char *const wrong[] = {
		"",         "on",          "30s",         "30s/5s",
		"30/5/3",   "30s/5s/0",    "30s/5s/128",  "0s/5s/3",
		"30s/0s/3", "1500ms/1s/3", "32768s/1s/1", "1s/1s/1/1",
		"1s/1s/1 ", "//",          "1s//3",       "11111111111111111111111s/1s/1"
	};
	struct sock_keepalive k = { 1, 2, 3 };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_refused(&opt_keepalive, wrong[i], &k, sizeof(k));
}
END_TEST

START_TEST(congestion_control_is_what_this_kernel_has)
{
	char name[SOCK_CONGESTION_MAX] = "before";

	ck_assert_int_eq(parse(&opt_congestion, "default", name), 0);
	ck_assert_str_eq(print(&opt_congestion, name, 0), "default");
	ck_assert_int_eq(parse(&opt_congestion, "reno", name), 0);
	ck_assert_str_eq(name, "reno");
	check_refused(&opt_congestion, "nosuch", name, sizeof(name));
	check_refused(&opt_congestion, "fifteen_letters_and_more", name, sizeof(name));
}
END_TEST

START_TEST(busy_poll_is_read_and_written)
{
	static const char *const good[][2] = {
		{ "auto", "auto" }, { "off", "off" }, { "50us", "50us" }, { "1s", "1s" }
	};
	static const char *const wrong[] = { "", "Auto", "on", "50", "1001ms", "-1ns", "auto " };
	int64_t ns = 7;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_int_eq(parse(&opt_busy_poll, good[i][0], &ns), 0);
		ck_assert_str_eq(print(&opt_busy_poll, &ns, 0), good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_refused(&opt_busy_poll, wrong[i], &ns, sizeof(ns));
}
END_TEST

Suite *net_opt_suite(void)
{
	Suite *s = suite_create("net_opt");
	TCase *tc = tcase_create("net_opt");

	tcase_add_test(tc, addresses_repeat_in_their_order_up_to_a_limit);
	tcase_add_test(tc, a_name_stands_for_all_of_its_addresses);
	tcase_add_test(tc, addresses_that_are_none_are_refused);
	tcase_add_test(tc, cpus_are_read_and_written_as_ranges);
	tcase_add_test(tc, cpus_that_are_none_are_refused);
	tcase_add_test(tc, cpus_go_round_among_those_that_we_may_use);
	tcase_add_test(tc, keepalive_is_read_and_written);
	tcase_add_test(tc, busy_poll_is_read_and_written);
	tcase_add_test(tc, keepalives_that_the_kernel_would_not_take_are_refused);
	tcase_add_test(tc, congestion_control_is_what_this_kernel_has);
	suite_add_tcase(s, tc);
	return s;
}
