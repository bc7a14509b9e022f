/* SPDX-License-Identifier: MIT
 * test_listen: what echod can be told about where it listens, as text, and back.
 */
#include <string.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echod/listen/name.h"
#include "echod/opts.h"

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

START_TEST(addresses_paths_and_names_stand_in_one_list)
{
	static const char *const all[] = { "127.0.0.1:7007", "unix:/run/x", "unix:@x", "fd:web" };
	struct addr_list l = { .count = 0 };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		ck_assert_msg(parse(&opt_listen, all[i], &l) == 0, "%s: %s", all[i], why);
	ck_assert_uint_eq(l.count, ARRAY_LEN(all));
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		ck_assert_str_eq(print(&opt_listen, &l, i), all[i]);
		ck_assert_int_eq(name_is(&l.at[i]), i == 3);
	}
	ck_assert_ptr_null(print(&opt_listen, &l, 4));
	while (l.count < ADDR_LIST_MAX)
		ck_assert_int_eq(parse(&opt_listen, "fd:web", &l), 0);
	ck_assert_int_lt(parse(&opt_listen, "fd:web", &l), 0);
	ck_assert_ptr_nonnull(strstr(why, "more than 16 addresses"));
}
END_TEST

START_TEST(names_that_are_none_are_refused)
{
	static const char *const bad[] = { "fd:", "fd:a b", "fd:a:b", "fd:a\n", "fd:\x7f" };
	struct addr_list l = { .count = 0 };
	char name[200];
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(parse(&opt_listen, bad[i], &l) < 0, "'%s' was taken", bad[i]);
		ck_assert_ptr_nonnull(strstr(why, "must be fd:NAME"));
	}
	ck_assert_uint_eq(l.count, 0);
	memset(name, 'n', sizeof(name));
	memcpy(name, "fd:", 3);
	name[3 + 108] = 0;
	ck_assert_int_lt(name_parse(&a, name), 0);
	name[3 + 107] = 0;
	ck_assert_int_eq(name_parse(&a, name), 0);
	ck_assert_str_eq(name_format(&a, text), name);
}
END_TEST

START_TEST(permissions_are_octal)
{
	static const char *const bad[] = { "", "8", "0668", "01000", "rw", "-1", "0x1", "00660" };
	unsigned mode = 1;

	ck_assert_int_eq(parse(&opt_mode, "0660", &mode), 0);
	ck_assert_uint_eq(mode, 0660);
	ck_assert_str_eq(print(&opt_mode, &mode, 0), "0660");
	ck_assert_int_eq(parse(&opt_mode, "7", &mode), 0);
	ck_assert_str_eq(print(&opt_mode, &mode, 0), "0007");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(parse(&opt_mode, bad[i], &mode) < 0, "'%s' was taken", bad[i]);
	ck_assert_uint_eq(mode, 7);
}
END_TEST

START_TEST(an_owner_is_a_name_or_a_number)
{
	static const char *const bad[] = { "",   ":",          "root:", "nobody-here-is-called-so",
					   "-1", ":4294967295" };
	static const struct {
		const char *from, *to;
	} good[] = {
		{ "self", "self" }, { "root", "0" },      { "root:root", "0:0" },
		{ ":root", ":0" },  { "12:34", "12:34" }, { "4294967294", "4294967294" },
	};
	struct sock_owner o = { 5, 6 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(parse(&opt_owner, bad[i], &o) < 0, "'%s' was taken", bad[i]);
	ck_assert(o.uid == 5 && o.gid == 6);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(parse(&opt_owner, good[i].from, &o) == 0, "%s: %s", good[i].from,
			      why);
		ck_assert_str_eq(print(&opt_owner, &o, 0), good[i].to);
	}
}
END_TEST

Suite *listen_suite(void)
{
	Suite *s = suite_create("listen");
	TCase *tc = tcase_create("listen");

	tcase_add_test(tc, addresses_paths_and_names_stand_in_one_list);
	tcase_add_test(tc, names_that_are_none_are_refused);
	tcase_add_test(tc, permissions_are_octal);
	tcase_add_test(tc, an_owner_is_a_name_or_a_number);
	suite_add_tcase(s, tc);
	return s;
}
