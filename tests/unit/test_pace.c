/* SPDX-License-Identifier: MIT
 * test_pace: due times of the open loop are a function of rate, phase and seed alone.
 */
#include "echoload/engine/pace.h"

#include "suites.h"

START_TEST(constant_arrivals_do_not_drift)
{
	struct pace p;

	pace_init(&p, 1000, 3, 0); /* a gap that is no whole number */
	for (int i = 0; i < 3 * 3600; i++)
		pace_advance(&p);
	ck_assert_uint_eq(p.count, 3 * 3600);
	ck_assert_int_ge(pace_due_ns(&p), 1000 + 3600000000000 - 1000000);
	ck_assert_int_le(pace_due_ns(&p), 1000 + 3600000000000 + 1000000);
}
END_TEST

START_TEST(workers_share_the_gap_between_them)
{
	struct pace a, b;

	pace_init(&a, 0, 500, 0);
	pace_init(&b, 0, 500, 0.5);
	ck_assert_int_eq(pace_due_ns(&a), 0);
	ck_assert_int_eq(pace_due_ns(&b), 1000000);
	pace_advance(&a);
	ck_assert_int_eq(pace_due_ns(&a), 2000000);
}
END_TEST

START_TEST(poisson_gaps_have_the_mean_and_the_spread_of_exponential_ones)
{
	enum { N = 100000 };
	struct pace p;
	int64_t last = 0;
	int shorter = 0;

	pace_init(&p, 0, 1000, 0);
	pace_set_poisson(&p, 7);
	for (int i = 0; i < N; i++) {
		ck_assert_int_ge(pace_due_ns(&p), last);
		shorter += pace_due_ns(&p) - last < 1000000;
		last = pace_due_ns(&p);
		pace_advance(&p);
	}
	ck_assert_int_ge(last, 990ll * N * 1000);
	ck_assert_int_le(last, 1010ll * N * 1000);
	/* 1 - 1/e of them are shorter than the mean */
	ck_assert_int_ge(shorter, (int)(0.627 * N));
	ck_assert_int_le(shorter, (int)(0.637 * N));
}
END_TEST

START_TEST(the_same_seed_gives_the_same_times)
{
	struct pace a, b, c;

	pace_init(&a, 5, 100, 0);
	b = c = a;
	pace_set_poisson(&a, 1);
	pace_set_poisson(&b, 1);
	pace_set_poisson(&c, 2);
	ck_assert_int_ne(pace_due_ns(&a), pace_due_ns(&c));
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(pace_due_ns(&a), pace_due_ns(&b));
		pace_advance(&a);
		pace_advance(&b);
	}
}
END_TEST

Suite *pace_suite(void)
{
	Suite *s = suite_create("pace");
	TCase *t = tcase_create("pace");

	tcase_add_test(t, constant_arrivals_do_not_drift);
	tcase_add_test(t, workers_share_the_gap_between_them);
	tcase_add_test(t, poisson_gaps_have_the_mean_and_the_spread_of_exponential_ones);
	tcase_add_test(t, the_same_seed_gives_the_same_times);
	suite_add_tcase(s, t);
	return s;
}
