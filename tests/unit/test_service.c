/* SPDX-License-Identifier: MIT
 * test_service: what a part keeps of its losses, and how it gets coarser when there are many. The
 * times are ours.
 */
#include "echoload/watch/service.h"

#include "echo/base/base.h"

#include "suites.h"

static const int64_t start = SEC(1000);
static struct service s;

static int64_t us(int64_t n)
{
	return start + USEC(n);
}

static void lost(int64_t at_ns, int64_t last_echo_ns)
{
	service_lost(&s, at_ns,
		     &(struct service_loss){ .last_echo_ns = last_echo_ns,
					     .messages_lost = 2,
					     .counts = true,
					     .was_up = true });
}

START_TEST(what_happens_within_a_millisecond_is_one_row)
{
	const struct service_row *r = s.rows;

	service_start(&s, start);
	lost(us(5100), us(4000));
	lost(us(5900), us(5500));
	service_back(&s, us(5950));
	service_back(&s, us(7000));
	ck_assert_uint_eq(s.count, 2);
	ck_assert(r[0].first_ns == us(5100) && r[0].last_ns == us(5950));
	ck_assert(r[0].errors == 2 && r[0].messages_lost == 4 && r[0].down == 1);
	ck_assert(r[0].last_echo_ns == us(4000) && r[0].back_ns == us(5950));
	ck_assert(r[1].down == 0 && r[1].errors == 0 && r[1].last_echo_ns == -1);
}
END_TEST

START_TEST(a_connection_that_fails_again_is_down_once)
{
	service_start(&s, start);
	lost(us(100), us(1));
	service_lost(&s, us(5000), &(struct service_loss){ .last_echo_ns = us(1) });
	ck_assert_uint_eq(s.count, 2);
	ck_assert(s.rows[1].errors == 0 && s.rows[1].down == 1 && s.rows[1].last_echo_ns == -1);
	service_back(&s, us(6000));
	ck_assert_uint_eq(s.rows[2].down, 0);
}
END_TEST

START_TEST(what_a_slower_worker_tells_of_earlier_comes_into_the_last_row)
{
	service_start(&s, start);
	lost(us(5100), us(1));
	lost(us(4900), us(1));
	ck_assert_uint_eq(s.count, 1);
	ck_assert(s.rows[0].first_ns == us(5100) && s.rows[0].last_ns == us(5100));
}
END_TEST

START_TEST(many_rows_become_longer_ones_and_nothing_is_lost)
{
	enum { MANY = 10 * SERVICE_ROWS_MAX };
	uint64_t errors = 0, messages = 0;

	service_start(&s, start);
	for (int i = 0; i < MANY; i++)
		lost(us(1000 * i), us(1000 * i - 1));
	ck_assert_uint_le(s.count, SERVICE_ROWS_MAX);
	ck_assert_uint_ge(s.count, SERVICE_ROWS_MAX / 2);
	for (unsigned i = 0; i < s.count; i++) {
		errors += s.rows[i].errors;
		messages += s.rows[i].messages_lost;
		ck_assert_uint_eq(s.rows[i].down, errors);
		ck_assert_int_eq(s.rows[i].last_echo_ns, s.rows[i].first_ns - USEC(1));
		ck_assert(i == 0 || s.rows[i].first_ns > s.rows[i - 1].last_ns);
	}
	ck_assert_uint_eq(errors, MANY);
	ck_assert_uint_eq(messages, 2 * MANY);
	ck_assert_int_eq(s.length_ns, MSEC(16));
}
END_TEST

START_TEST(long_after_an_outage_a_row_is_still_short)
{
	service_start(&s, start);
	lost(us(1), us(0));
	lost(start + SEC(86400), start);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_int_eq(s.length_ns, MSEC(1));
	service_shift(&s.rows[1], start);
	ck_assert(s.rows[1].first_ns == SEC(86400) && s.rows[1].back_ns == -1);
}
END_TEST

Suite *service_suite(void)
{
	Suite *s_ = suite_create("service");
	TCase *t = tcase_create("service");

	tcase_add_test(t, what_happens_within_a_millisecond_is_one_row);
	tcase_add_test(t, a_connection_that_fails_again_is_down_once);
	tcase_add_test(t, what_a_slower_worker_tells_of_earlier_comes_into_the_last_row);
	tcase_add_test(t, many_rows_become_longer_ones_and_nothing_is_lost);
	tcase_add_test(t, long_after_an_outage_a_row_is_still_short);
	suite_add_tcase(s_, t);
	return s_;
}
