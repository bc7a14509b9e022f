/* SPDX-License-Identifier: MIT
 * test_paired: the statistics keep their promises: intervals hold the truth as often as they say,
 * equal sides are called different as rarely as they say, with heavy tails and outliers as well,
 * and what is there is found.
 */
#include "echo/lab/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

#include "suites.h"

enum { RUNS = 1000, FEW_RUNS = 300 };

static double uniform(uint64_t *seed)
{
	return ((double)(rng_next(seed) >> 11) + 0.5) / 9007199254740992.0;
}

/* Box and Muller (1958). */
static double normal(uint64_t *seed)
{
	return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

/* Student's t with 2 degrees of freedom: the variance is infinite. */
static double heavy(uint64_t *seed)
{
	return normal(seed) / sqrt(-log(uniform(seed)));
}

/* One round in ten is disturbed, badly. */
static double spoilt(uint64_t *seed)
{
	return normal(seed) + (rng_below(seed, 10) == 0 ? 20 * normal(seed) : 0);
}

static double (*const shapes[])(uint64_t *) = { normal, heavy, spoilt };

static unsigned misses(double (*shape)(uint64_t *), unsigned n, double alpha, unsigned resamples)
{
	const unsigned runs = resamples ? FEW_RUNS : RUNS;
	unsigned missed = 0;
	uint64_t seed = 42;

	for (unsigned r = 0; r < runs; r++) {
		struct paired p;
		double v[PAIRED_MAX];

		for (unsigned i = 0; i < n; i++)
			v[i] = shape(&seed);
		paired_judge(&p, v, n, alpha, resamples, r + 1);
		ck_assert(p.low <= p.middle && p.middle <= p.high);
		ck_assert(p.p >= 0 && p.p <= 1);
		missed += p.low > 0 || p.high < 0;
	}
	return missed;
}

/* As many misses as a binomial count may have, but for one time in a thousand. */
static unsigned most(unsigned runs, double alpha)
{
	return (unsigned)(runs * alpha + 3.1 * sqrt(runs * alpha * (1 - alpha)) + 1);
}

START_TEST(the_interval_holds_the_truth_as_often_as_it_says)
{
	static const unsigned sizes[] = { 10, 20, 40, 70 };
	double (*shape)(uint64_t *) = shapes[_i % 3];
	unsigned n = sizes[_i / 3];

	ck_assert_uint_le(misses(shape, n, 0.05, 0), most(RUNS, 0.05));
	ck_assert_uint_le(misses(shape, n, 0.01, 0), most(RUNS, 0.01));
	/* and is not so wide that it says nothing */
	ck_assert_uint_ge(misses(shape, n, 0.05, 0), (unsigned)(RUNS * 0.025));
}
END_TEST

START_TEST(with_the_bootstrap_it_is_never_narrower)
{
	ck_assert_uint_le(misses(shapes[_i], 14, 0.05, 500), most(FEW_RUNS, 0.05));
}
END_TEST

START_TEST(p_and_the_interval_agree)
{
	uint64_t seed = 7;

	for (unsigned r = 0; r < 300; r++) {
		unsigned n = 6 + (unsigned)rng_below(&seed, 30);
		double v[64], alpha = r % 2 ? 0.01 : 0.1;
		struct paired p;

		for (unsigned i = 0; i < n; i++)
			v[i] = normal(&seed) + 0.5;
		paired_judge(&p, v, n, alpha, r % 3 ? 0 : 400, r);
		if (p.bounded)
			ck_assert_int_eq(p.p <= alpha, p.low > 0 || p.high < 0);
		else
			ck_assert(p.p > alpha);
	}
}
END_TEST

START_TEST(too_few_values_make_no_claim)
{
	double v[] = { 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7 };
	struct paired p;

	ck_assert_uint_eq(paired_needed(0.01), 8); /* 2 / 2^8 = 0.0078 */
	ck_assert_uint_eq(paired_needed(0.05), 6);
	paired_judge(&p, v, 7, 0.01, 200, 1);
	ck_assert(!p.bounded && p.p > 0.01);
	paired_judge(&p, v, 8, 0.01, 200, 1);
	ck_assert(p.bounded && p.p <= 0.01 && p.low > 0);
	paired_judge(&p, v, 1, 0.01, 200, 1);
	ck_assert(!p.bounded && p.p >= 1 && p.middle >= 1);
}
END_TEST

START_TEST(wilcoxons_p_is_that_of_the_tables)
{
	/* W = 3 of n = 8: two-sided p = 0.0390625 (Wilcoxon 1945) */
	double v[] = { -1, -2, 3, 4, 5, 6, 7, 8 };
	struct paired p;

	paired_judge(&p, v, 8, 0.05, 0, 1);
	ck_assert_double_eq_tol(p.p, 0.0390625, 1e-12);
	/* the normal approximation takes over without a step */
	double many[101];
	struct paired exact, normally;

	for (int i = 0; i < 101; i++)
		many[i] = (i % 3 ? 1 : -1) * (i + 1.0);
	paired_judge(&exact, many, 100, 0.05, 0, 1);
	paired_judge(&normally, many, 101, 0.05, 0, 1);
	ck_assert_double_eq_tol(log(exact.p / normally.p), 0, 0.5);
}
END_TEST

START_TEST(a_few_wild_values_move_the_middle_little)
{
	double v[] = { 1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99, 500, -1e6 };
	struct paired p;

	paired_judge(&p, v, ARRAY_LEN(v), 0.05, 0, 1);
	ck_assert_double_eq_tol(p.middle, 1, 0.01);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_interval)
{
	double v[20];
	uint64_t seed = 3;
	struct paired p, q;

	for (unsigned i = 0; i < 20; i++)
		v[i] = normal(&seed);
	paired_judge(&p, v, 20, 0.05, 300, 9);
	paired_judge(&q, v, 20, 0.05, 300, 9);
	ck_assert(p.low == q.low && p.high == q.high && p.p == q.p);
}
END_TEST

START_TEST(the_median_is_in_the_middle)
{
	double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 }, one[] = { 5 };

	ck_assert_double_eq(paired_median(odd, 3), 2);
	ck_assert_double_eq(paired_median(even, 4), 2.5);
	ck_assert_double_eq(paired_median(one, 1), 5);
}
END_TEST

START_TEST(holm_steps_down_and_stops)
{
	/* Holm 1979: 0.01 <= 0.05/4, 0.0133 <= 0.05/3, 0.04 > 0.05/2 stops it for the last, too */
	double p[] = { 0.04, 0.01, 0.045, 0.0133 }, level[4];

	paired_holm(p, 4, 0.05, level);
	ck_assert_double_eq_tol(level[1], 0.05 / 4, 1e-12);
	ck_assert_double_eq_tol(level[3], 0.05 / 3, 1e-12);
	ck_assert(p[0] > level[0] && p[2] > level[2]);
	paired_holm(p, 1, 0.05, level);
	ck_assert(p[0] <= level[0]);
}
END_TEST

START_TEST(holm_keeps_the_whole_family_honest)
{
	uint64_t seed = 11;
	unsigned wrong = 0;

	for (unsigned r = 0; r < 200; r++) {
		double p[20], level[20];
		bool any = false;

		for (unsigned i = 0; i < 20; i++)
			p[i] = uniform(&seed);
		paired_holm(p, 20, 0.05, level);
		for (unsigned i = 0; i < 20; i++)
			any |= p[i] <= level[i];
		wrong += any;
	}
	ck_assert_uint_le(wrong, most(200, 0.05));
}
END_TEST

Suite *paired_suite(void)
{
	Suite *s = suite_create("paired");
	TCase *t = tcase_create("paired");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, the_interval_holds_the_truth_as_often_as_it_says, 0, 12);
	tcase_add_loop_test(t, with_the_bootstrap_it_is_never_narrower, 0, 3);
	tcase_add_test(t, p_and_the_interval_agree);
	tcase_add_test(t, too_few_values_make_no_claim);
	tcase_add_test(t, wilcoxons_p_is_that_of_the_tables);
	tcase_add_test(t, a_few_wild_values_move_the_middle_little);
	tcase_add_test(t, the_same_seed_gives_the_same_interval);
	tcase_add_test(t, the_median_is_in_the_middle);
	tcase_add_test(t, holm_steps_down_and_stops);
	tcase_add_test(t, holm_keeps_the_whole_family_honest);
	suite_add_tcase(s, t);
	return s;
}
