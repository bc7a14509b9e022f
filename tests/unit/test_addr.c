/* SPDX-License-Identifier: MIT
 * test_addr: what is an address, what is none, and that both directions agree.
 */
#include "echo/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "echo/base/base.h"

#include "suites.h"

/* In the form that addr_format gives. */
static const char *const good[] = {
	"127.0.0.1:7007",
	"0.0.0.0:0",
	"255.255.255.255:65535",
	"[::1]:7007",
	"[::]:0",
	"[2001:db8::ff]:80",
	"[fe80::1%lo]:7",
	"[ff02::1%lo]:7",
	"[::ffff:1.2.3.4]:65535",
	"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
	"[fe80::1%4294967295]:7", /* an interface that is gone */
};

static const char *const bad[] = {
	"",
	":",
	":7",
	"7",
	"127.0.0.1",
	"127.0.0.1:",
	"127.0.0.1:65536",
	"127.0.0.1:99999999999999999999",
	"127.0.0.1:-1",
	"127.0.0.1:+1",
	"127.0.0.1: 1",
	"127.0.0.1:1 ",
	" 127.0.0.1:1",
	"127.0.0.1:0x1",
	"127.1:7",
	"127.0.0.01:7",
	"256.0.0.1:7",
	"1.2.3.4.5:7",
	"[127.0.0.1]:7",
	"localhost:7",
	"::1:7007",
	"[::1]",
	"[::1]7",
	"[::1]:",
	"[]:7",
	"[::1:7",
	"::1]:7",
	"[[::1]]:7",
	"unix:",
	"unix:@",
	"unix:a b",
	"unix:a\n",
	"unix:\x7f",
	"[::g]:7",
	"[::1%lo]:7", /* only link-local addresses are of an interface */
	"[fe80::1%]:7",
	"[fe80::1%0]:7",
	"[fe80::1%4294967296]:7",
	"[fe80::1%no-such-if]:7",
	"[fe80::1%lo%lo]:7",
};

START_TEST(an_address_is_read_and_written_back)
{
	struct addr a, again;
	char buf[ADDR_TEXT_MAX];

	ck_assert_int_eq(addr_parse(&a, good[_i]), 0);
	ck_assert_ptr_eq(addr_format(&a, buf), buf);
	ck_assert_str_eq(buf, good[_i]);
	ck_assert_int_eq(addr_parse(&again, buf), 0);
	ck_assert(addr_equal(&a, &again));
	ck_assert_uint_eq(addr_port(&a), (unsigned)strtoul(strrchr(buf, ':') + 1, NULL, 10));
}
END_TEST

START_TEST(what_is_no_address_is_refused_and_changes_nothing)
{
	struct addr a, before;

	memset(&a, 0x55, sizeof(a));
	before = a;
	ck_assert_int_eq(addr_parse(&a, bad[_i]), -EINVAL);
	ck_assert_mem_eq(&a, &before, sizeof(a));
}
END_TEST

START_TEST(text_of_any_length_is_refused_cleanly)
{
	char text[5000];
	struct addr_list l;
	struct addr a;
	const char *why;

	for (size_t len = 1; len < sizeof(text) - 3; len += len < 300 ? 1 : 61) {
		memset(text, 'x', len);
		snprintf(text + len, 3, ":7");
		ck_assert_int_eq(addr_parse(&a, text), -EINVAL);
		text[0] = '[';
		text[len - 1] = ']';
		ck_assert_int_eq(addr_resolve(&l, text, AF_UNSPEC, &why), -EINVAL);
	}
}
END_TEST

START_TEST(the_longest_address_fits_its_text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = 0xffff,
				    .sin6_scope_id = UINT32_MAX };
	struct addr a = { .len = sizeof(in6) };
	char buf[ADDR_TEXT_MAX];

	memset(&in6.sin6_addr, 0xfe, sizeof(in6.sin6_addr));
	memcpy(&a.ss, &in6, sizeof(in6));
	ck_assert_str_eq(addr_format(&a, buf),
			 "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe%4294967295]:65535");
}
END_TEST

START_TEST(other_families_are_printed_as_unknown)
{
	struct addr a = { .ss.ss_family = AF_NETLINK, .len = sizeof(sa_family_t) }, b = a;
	char buf[ADDR_TEXT_MAX];

	ck_assert_str_eq(addr_format(&a, buf), "?");
	ck_assert_uint_eq(addr_port(&a), 0);
	ck_assert(addr_equal(&a, &b));
}
END_TEST

START_TEST(equal_means_same_host_and_port)
{
	static const char *const all[] = { "1.2.3.4:5",     "1.2.3.4:6",   "1.2.3.5:5",
					   "[::1]:5",       "[::1]:6",     "[::2]:5",
					   "[fe80::1%1]:5", "[fe80::1]:5", "[::ffff:1.2.3.4]:5" };
	struct addr a, b;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t j = 0; j < ARRAY_LEN(all); j++) {
			ck_assert_int_eq(addr_parse(&a, all[i]), 0);
			ck_assert_int_eq(addr_parse(&b, all[j]), 0);
			ck_assert_int_eq(addr_equal(&a, &b), i == j);
		}
}
END_TEST

START_TEST(a_port_can_be_changed)
{
	struct addr a;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(addr_parse(&a, i == 0 ? "1.2.3.4:0" : "[::1]:0"), 0);
		addr_set_port(&a, 65535);
		ck_assert_uint_eq(addr_port(&a), 65535);
	}
}
END_TEST

START_TEST(resolving_takes_numbers_and_names)
{
	const char *why = NULL;
	struct addr_list l;
	struct addr b;

	ck_assert_int_eq(addr_resolve(&l, "[::1]:7007", AF_UNSPEC, &why), 0);
	ck_assert_int_eq(addr_parse(&b, "[::1]:7007"), 0);
	ck_assert_uint_eq(l.count, 1);
	ck_assert(addr_equal(&l.at[0], &b));
	ck_assert_int_eq(addr_resolve(&l, "localhost:7007", AF_UNSPEC, &why), 0);
	ck_assert_uint_ge(l.count, 1);
	for (unsigned i = 0; i < l.count; i++) {
		ck_assert_uint_eq(addr_port(&l.at[i]), 7007);
		ck_assert(l.at[i].ss.ss_family == AF_INET || l.at[i].ss.ss_family == AF_INET6);
		for (unsigned k = 0; k < i; k++)
			ck_assert(!addr_equal(&l.at[i], &l.at[k]));
	}
	ck_assert_int_eq(addr_resolve(&l, "localhost:7007", AF_INET, &why), 0);
	ck_assert_int_eq(l.at[0].ss.ss_family, AF_INET);
}
END_TEST

START_TEST(resolving_says_why_it_failed)
{
	static const struct {
		const char *text;
		int family, r;
	} cases[] = {
		{ "", AF_UNSPEC, -EINVAL },
		{ "localhost", AF_UNSPEC, -EINVAL },
		{ "localhost:", AF_UNSPEC, -EINVAL },
		{ "localhost:0", AF_UNSPEC, -EINVAL },
		{ "127.0.0.1:0", AF_UNSPEC, -EINVAL },
		{ ":7007", AF_UNSPEC, -EINVAL },
		{ "::1:7007", AF_UNSPEC, -EINVAL },
		{ "http://host:7", AF_UNSPEC, -EINVAL },
		{ "[name]:7", AF_UNSPEC, -EINVAL },
		{ "a name:7", AF_UNSPEC, -EINVAL },
		{ "[fe80::1]:7", AF_UNSPEC, -EINVAL },
		{ "no..name:7", AF_UNSPEC, -ENOENT },
		{ "127.0.0.1:7", AF_INET6, -EAFNOSUPPORT },
		{ "[::1]:7", AF_INET, -EAFNOSUPPORT },
	};
	struct addr_list l, before;

	memset(&l, 0x55, sizeof(l));
	before = l;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = NULL;

		ck_assert_int_eq(addr_resolve(&l, cases[i].text, cases[i].family, &why),
				 cases[i].r);
		ck_assert(why && *why);
		ck_assert_mem_eq(&l, &before, sizeof(l));
	}
}
END_TEST

START_TEST(a_port_out_of_range_is_called_that)
{
	static const char *const texts[] = { "localhost:99999", "127.0.0.1:65536",
					     "[::1]:4294967297", "127.0.0.1:99999999999999999999" };
	struct addr_list l;
	const char *why = NULL;

	ck_assert_int_eq(addr_resolve(&l, texts[_i], AF_UNSPEC, &why), -EINVAL);
	ck_assert_str_eq(why, addr_why_port);
	ck_assert_int_eq(addr_resolve(&l, "localhost:99999x", AF_UNSPEC, &why), -EINVAL);
	ck_assert_str_ne(why, addr_why_port);
}
END_TEST

START_TEST(a_link_local_address_needs_its_interface)
{
	static const struct {
		const char *text;
		bool needs;
	} cases[] = {
		{ "[fe80::1]:7", true },    { "[ff02::1]:7", true },  { "[fe80::1%lo]:7", false },
		{ "[febf::1]:7", true },    { "[fec0::1]:7", false }, { "[::1]:7", false },
		{ "169.254.0.1:7", false }, { "127.0.0.1:7", false },
	};
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(addr_parse(&a, cases[i].text), 0);
		ck_assert_int_eq(addr_needs_interface(&a), cases[i].needs);
	}
}
END_TEST

START_TEST(a_unix_socket_has_a_path_or_an_abstract_name)
{
	static const struct {
		const char *text, *path;
		unsigned len;
	} cases[] = {
		{ "unix:/run/echod", "/run/echod", 10 + 1 },
		{ "unix:s", "s", 1 + 1 },
		{ "unix:a@b:7", "a@b:7", 5 + 1 },
		{ "unix:@echod", NULL,
		  6 }, /* no 0 behind an abstract name: it would be a part of it */
	};
	char buf[ADDR_TEXT_MAX];
	struct addr a, b;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert(addr_says_unix(cases[i].text));
		ck_assert_int_eq(addr_parse(&a, cases[i].text), 0);
		ck_assert(addr_is_unix(&a));
		ck_assert_uint_eq(a.len, sizeof(sa_family_t) + cases[i].len);
		ck_assert_str_eq(addr_format(&a, buf), cases[i].text);
		ck_assert_pstr_eq(addr_path(&a), cases[i].path);
		ck_assert_uint_eq(addr_port(&a), 0);
		ck_assert(!addr_needs_interface(&a));
		ck_assert_int_eq(addr_parse(&b, cases[(i + 1) % ARRAY_LEN(cases)].text), 0);
		ck_assert(addr_equal(&a, &a));
		ck_assert(!addr_equal(&a, &b));
	}
	ck_assert(!addr_says_unix("127.0.0.1:7007"));
	ck_assert_int_eq(addr_parse(&a, "127.0.0.1:7007"), 0);
	ck_assert(!addr_is_unix(&a));
	ck_assert_ptr_null(addr_path(&a));
}
END_TEST

START_TEST(the_longest_path_fits_and_a_longer_one_is_refused)
{
	static const char *const begin[] = { "unix:/", "unix:@" };
	char text[200], buf[ADDR_TEXT_MAX];
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
		memset(text, 'x', sizeof(text));
		memcpy(text, begin[i], strlen(begin[i]));
		text[strlen("unix:") + 108] = 0;
		ck_assert_int_eq(addr_parse(&a, text), -EINVAL);
		text[strlen("unix:") + 107] = 0;
		ck_assert_int_eq(addr_parse(&a, text), 0);
		ck_assert_uint_le(a.len, sizeof(struct sockaddr_un));
		ck_assert_str_eq(addr_format(&a, buf), text);
	}
}
END_TEST

START_TEST(names_of_others_may_hold_anything)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0a\0b" };
	struct addr a = { .len = offsetof(struct sockaddr_un, sun_path) + 5 };
	char buf[ADDR_TEXT_MAX];

	memcpy(&a.ss, &un, sizeof(un));
	ck_assert_str_eq(addr_format(&a, buf), "unix:@a@b@");
	memset(un.sun_path, 'x', sizeof(un.sun_path)); /* the kernel takes a path without a 0 */
	a.len = sizeof(un);
	memcpy(&a.ss, &un, sizeof(un));
	ck_assert_uint_eq(strlen(addr_format(&a, buf)), strlen("unix:") + 108);
	a.len = sizeof(sa_family_t); /* one that has no name */
	ck_assert_str_eq(addr_format(&a, buf), "unix:");
}
END_TEST

START_TEST(a_unix_socket_is_of_no_family_of_the_internet)
{
	const char *why = NULL;
	struct addr_list l;

	ck_assert_int_eq(addr_resolve(&l, "unix:/run/x", AF_UNSPEC, &why), 0);
	ck_assert_uint_eq(l.count, 1);
	ck_assert(addr_is_unix(&l.at[0]));
	ck_assert_int_eq(addr_resolve(&l, "unix:/run/x", AF_INET, &why), -EAFNOSUPPORT);
	ck_assert_str_eq(why, "no IPv4 address");
	ck_assert_int_eq(addr_resolve(&l, "unix:", AF_UNSPEC, &why), -EINVAL);
	ck_assert_ptr_eq(why, addr_why_unix);
}
END_TEST

/* '4' and '6': the families of a list; of each family the addresses are numbered from 0. */
static void check_interleaved(const char *from, const char *to)
{
	struct addr_list l = { .count = (unsigned)strlen(from) };
	unsigned next[2] = { 0 };
	char text[ADDR_TEXT_MAX], expected[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < l.count; i++) {
		snprintf(text, sizeof(text), from[i] == '4' ? "1.1.1.1:%u" : "[::1]:%u",
			 next[from[i] == '4']++);
		ck_assert_int_eq(addr_parse(&l.at[i], text), 0);
	}
	addr_interleave(&l);
	ck_assert_uint_eq(l.count, strlen(to));
	next[0] = next[1] = 0;
	for (unsigned i = 0; i < l.count; i++) {
		snprintf(expected, sizeof(expected), to[i] == '4' ? "1.1.1.1:%u" : "[::1]:%u",
			 next[to[i] == '4']++);
		ck_assert_str_eq(addr_format(&l.at[i], text), expected);
	}
}

START_TEST(all_addresses_overlap_each_of_their_family)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{ "127.0.0.1:7", "127.0.0.1:7", true }, { "127.0.0.1:7", "127.0.0.2:7", false },
		{ "127.0.0.1:7", "0.0.0.0:7", true },   { "127.0.0.1:7", "0.0.0.0:8", false },
		{ "[::]:7", "[::1]:7", true },          { "[::2]:7", "[::1]:7", false },
		{ "[::]:7", "127.0.0.1:7", false },     { "[::]:7", "0.0.0.0:7", false },
	};
	struct addr a, b;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(addr_parse(&a, cases[i].a), 0);
		ck_assert_int_eq(addr_parse(&b, cases[i].b), 0);
		ck_assert_int_eq(addr_overlaps(&a, &b), cases[i].overlap);
		ck_assert_int_eq(addr_overlaps(&b, &a), cases[i].overlap);
	}
}
END_TEST

START_TEST(families_take_turns_and_keep_their_order)
{
	static const char *const cases[][2] = {
		{ "", "" },         { "4", "4" },           { "66", "66" },
		{ "64", "64" },     { "46", "46" },         { "6644", "6464" },
		{ "4466", "4646" }, { "66664", "64666" },   { "64446", "64644" },
		{ "6464", "6464" }, { "444666", "464646" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_interleaved(cases[i][0], cases[i][1]);
}
END_TEST

Suite *addr_suite(void)
{
	Suite *s = suite_create("addr");
	TCase *tc = tcase_create("addr");

	tcase_set_timeout(tc, 60); /* a resolver may ask the network */
	tcase_add_loop_test(tc, an_address_is_read_and_written_back, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, what_is_no_address_is_refused_and_changes_nothing, 0,
			    ARRAY_LEN(bad));
	tcase_add_test(tc, text_of_any_length_is_refused_cleanly);
	tcase_add_test(tc, the_longest_address_fits_its_text);
	tcase_add_test(tc, other_families_are_printed_as_unknown);
	tcase_add_test(tc, equal_means_same_host_and_port);
	tcase_add_test(tc, a_port_can_be_changed);
	tcase_add_test(tc, resolving_takes_numbers_and_names);
	tcase_add_test(tc, resolving_says_why_it_failed);
	tcase_add_loop_test(tc, a_port_out_of_range_is_called_that, 0, 4);
	tcase_add_test(tc, a_link_local_address_needs_its_interface);
	tcase_add_test(tc, families_take_turns_and_keep_their_order);
	tcase_add_test(tc, all_addresses_overlap_each_of_their_family);
	tcase_add_test(tc, a_unix_socket_has_a_path_or_an_abstract_name);
	tcase_add_test(tc, the_longest_path_fits_and_a_longer_one_is_refused);
	tcase_add_test(tc, names_of_others_may_hold_anything);
	tcase_add_test(tc, a_unix_socket_is_of_no_family_of_the_internet);
	suite_add_tcase(s, tc);
	return s;
}
