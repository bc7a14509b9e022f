/* SPDX-License-Identifier: MIT
 * test_limit: who is let in.
 */
#include "echo/net/limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"

#include "suites.h"

static struct limit l;
static uint32_t most; /* of one address */

static void begin(uint32_t per_address, uint32_t connections)
{
	most = per_address;
	limit_init(&l, connections);
	ck_assert_int_eq(limit_open(&l), 0);
}

static void teardown(void)
{
	limit_fini(&l);
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage a = { .ss_family = strchr(text, ':') ? AF_INET6 : AF_INET };
	void *at = a.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)(void *)&a)->sin6_addr
					   : (void *)&((struct sockaddr_in *)(void *)&a)->sin_addr;

	ck_assert_int_eq(inet_pton(a.ss_family, text, at), 1);
	return a;
}

/* Returns the entry, 0: it was turned away. */
static uint32_t enter(const char *text)
{
	const struct sockaddr_storage a = address(text);
	uint32_t entry = 0;
	enum cause cause = limit_enter_address(&l, most, &a, &entry);

	ck_assert_int_eq(cause, entry ? CAUSE_NONE : CAUSE_ADDRESS_LIMIT);
	return entry;
}

START_TEST(an_address_has_so_many_and_others_have_theirs)
{
	uint32_t one;

	begin(2, 10);
	one = enter("192.0.2.1");
	ck_assert_uint_ne(one, 0);
	ck_assert_uint_eq(enter("192.0.2.1"), one);
	ck_assert_uint_eq(enter("192.0.2.1"), 0);
	ck_assert_uint_ne(enter("192.0.2.2"), 0);
	limit_leave(&l, one);
	ck_assert_uint_eq(enter("192.0.2.1"), one);
	ck_assert_uint_eq(enter("192.0.2.1"), 0);
}
END_TEST

START_TEST(of_ipv6_all_of_a_64_count_together)
{
	begin(1, 10);
	ck_assert_uint_ne(enter("2001:db8:1:2::1"), 0);
	ck_assert_uint_eq(enter("2001:db8:1:2:ffff::9"), 0);
	ck_assert_uint_ne(enter("2001:db8:1:3::1"), 0);
	ck_assert_uint_ne(enter("192.0.2.1"), 0);
	ck_assert_uint_eq(enter("::ffff:192.0.2.1"), 0);
}
END_TEST

START_TEST(the_number_may_be_another_every_time)
{
	uint32_t one;

	begin(LIMIT_ANY, 10);
	for (unsigned i = 0; i < 5; i++)
		one = enter("192.0.2.1");
	most = 5;
	ck_assert_uint_eq(enter("192.0.2.1"), 0);
	most = 6;
	ck_assert_uint_eq(enter("192.0.2.1"), one);
	most = 3;
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(enter("192.0.2.1"), 0);
		limit_leave(&l, one);
	}
	ck_assert_uint_eq(enter("192.0.2.1"), one);
	ck_assert_int_eq(limit_open(&l), 0); /* it is: nobody is forgotten */
	ck_assert_uint_eq(enter("192.0.2.1"), 0);
}
END_TEST

START_TEST(a_rate_may_be_another_every_time)
{
	const int64_t now_ns = SEC(1000);

	begin(0, 10);
	ck_assert_int_eq(limit_enter_rate(&l, 2, now_ns), CAUSE_NONE);
	ck_assert_int_eq(limit_enter_rate(&l, 2, now_ns), CAUSE_NONE);
	ck_assert_int_eq(limit_enter_rate(&l, 1000, now_ns), CAUSE_RATE_LIMIT);
	ck_assert_int_eq(limit_enter_rate(&l, 1000, now_ns + MSEC(1)), CAUSE_NONE);
	ck_assert_int_eq(limit_enter_rate(&l, 1, now_ns + MSEC(1)), CAUSE_RATE_LIMIT);
}
END_TEST

/* As many as can be open, again and again: no entry is lost, whatever the order of the ends. */
START_TEST(entries_come_back)
{
	enum { N = 200, ROUNDS = 20 };
	uint32_t entries[N];
	char text[32];

	begin(1, N);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < N; i++) {
			snprintf(text, sizeof(text), "10.%u.%u.1", round, i);
			entries[i] = enter(text);
			ck_assert_uint_ne(entries[i], 0);
			ck_assert_uint_eq(enter(text), 0);
		}
		ck_assert_uint_eq(enter("192.0.2.1"), 0); /* more than there can be */
		for (unsigned i = 0; i < N; i++)
			limit_leave(&l, entries[(i * 7 + round) % N]);
	}
}
END_TEST

START_TEST(of_a_rate_a_second_may_come_at_once_and_then_one_an_interval)
{
	enum { RATE = 10 };
	int64_t now_ns = SEC(1000);

	begin(0, 10);
	for (unsigned i = 0; i < RATE; i++)
		ck_assert_int_eq(limit_enter_rate(&l, RATE, now_ns), CAUSE_NONE);
	ck_assert_int_eq(limit_enter_rate(&l, RATE, now_ns), CAUSE_RATE_LIMIT);
	for (unsigned i = 0; i < 3; i++) {
		now_ns += SEC(1) / RATE;
		ck_assert_int_eq(limit_enter_rate(&l, RATE, now_ns), CAUSE_NONE);
		ck_assert_int_eq(limit_enter_rate(&l, RATE, now_ns), CAUSE_RATE_LIMIT);
	}
	now_ns += SEC(100); /* what was not used is not saved for long */
	for (unsigned i = 0; i < RATE; i++)
		ck_assert_int_eq(limit_enter_rate(&l, RATE, now_ns), CAUSE_NONE);
	ck_assert_int_eq(limit_enter_rate(&l, RATE, now_ns), CAUSE_RATE_LIMIT);
}
END_TEST

Suite *limit_suite(void)
{
	Suite *s = suite_create("limit");
	TCase *t = tcase_create("limit");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, an_address_has_so_many_and_others_have_theirs);
	tcase_add_test(t, of_ipv6_all_of_a_64_count_together);
	tcase_add_test(t, the_number_may_be_another_every_time);
	tcase_add_test(t, a_rate_may_be_another_every_time);
	tcase_add_test(t, entries_come_back);
	tcase_add_test(t, of_a_rate_a_second_may_come_at_once_and_then_one_an_interval);
	suite_add_tcase(s, t);
	return s;
}
