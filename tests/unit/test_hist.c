/* SPDX-License-Identifier: MIT
 * test_hist: the layout is HdrHistogram's, and what it reports is right against sorted samples.
 */
#include "echo/base/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

#include "suites.h"

enum { SAMPLES = 5000 };

static int64_t samples[SAMPLES];
static uint64_t seed;

static void setup(void)
{
	seed = 7;
}

/* Any magnitude is as likely as any other. */
static int64_t random_value(void)
{
	return (int64_t)(rng_next(&seed) >> (1 + rng_below(&seed, 63)));
}

static struct hist *new_hist(int digits)
{
	struct hist *h = hist_new((unsigned)digits);

	ck_assert_ptr_nonnull(h);
	return h;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The promise of @digits: a reported value is less than this above a real one. */
static double error_of(int64_t value, int digits)
{
	return (double)value * pow(10, -digits);
}

START_TEST(the_layout_is_hdr_histograms)
{
	/* subBucketCount and countsArrayLength of HdrHistogram(1, Long.MAX_VALUE, digits) */
	static const struct {
		uint32_t sub_buckets, len;
	} expected[] = {
		{ 32, 960 }, { 256, 7296 }, { 2048, 55296 }, { 32768, 819200 }, { 262144, 6160384 }
	};
	struct hist *h = new_hist(_i);

	ck_assert_uint_eq(1u << h->bits, expected[_i - 1].sub_buckets);
	ck_assert_uint_eq(h->len, expected[_i - 1].len);
	hist_free(h);
}
END_TEST

START_TEST(counters_tile_all_values_within_the_precision)
{
	struct hist *h = new_hist(_i);

	for (uint32_t i = 0; i < h->len; i++) {
		int64_t low = hist_lowest(h, i), high = hist_highest(h, i);

		/* no ck_assert for each of six million */
		if (hist_index(h, (uint64_t)low) != i || hist_index(h, (uint64_t)high) != i)
			ck_abort_msg("counter %u does not hold its own bounds", i);
		if (i + 1 < h->len && high + 1 != hist_lowest(h, i + 1))
			ck_abort_msg("a gap after counter %u", i);
		if (high != low && (double)(high - low) > error_of(low, _i))
			ck_abort_msg("counter %u is too wide", i);
	}
	ck_assert_int_eq(hist_lowest(h, 0), 0);
	ck_assert_int_eq(hist_highest(h, h->len - 1), INT64_MAX);
	hist_free(h);
}
END_TEST

START_TEST(the_index_is_monotone)
{
	struct hist *h = new_hist(_i);

	for (int i = 0; i < 100000; i++) {
		uint64_t a = (uint64_t)random_value(), b = (uint64_t)random_value();

		if (a > b ? hist_index(h, a) < hist_index(h, b)
			  : hist_index(h, a) > hist_index(h, b))
			ck_abort_msg("%lu and %lu", a, b);
	}
	hist_free(h);
}
END_TEST

static void check_percentile(const struct hist *h, double percent, int digits)
{
	double exact = percent / 100 * SAMPLES;
	size_t rank = (size_t)ceil(exact - 1e-9);
	int64_t want = samples[rank > 0 ? rank - 1 : 0], got = hist_percentile(h, percent);

	ck_assert_int_ge(got, want);
	ck_assert_int_le(got, h->max);
	ck_assert_double_le((double)(got - want), error_of(want, digits));
}

START_TEST(percentiles_agree_with_sorted_samples)
{
	static const double percents[] = { 0,  0.01, 1,  5,    10,    25,    50,     75,
					   90, 95,   99, 99.9, 99.98, 99.99, 99.999, 100 };
	struct hist *h = new_hist(_i);

	for (size_t i = 0; i < SAMPLES; i++) {
		samples[i] = random_value();
		hist_record(h, samples[i]);
	}
	qsort(samples, SAMPLES, sizeof(samples[0]), compare);
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		check_percentile(h, percents[i], _i);
	for (int i = 0; i <= 100; i++)
		check_percentile(h, i, _i);
	ck_assert_int_eq(hist_percentile(h, 100), samples[SAMPLES - 1]);
	hist_free(h);
}
END_TEST

START_TEST(small_values_have_exact_percentiles)
{
	struct hist *h = new_hist(3);

	for (int64_t i = 1; i <= 1000; i++)
		hist_record(h, i);
	for (int64_t i = 1; i <= 1000; i++) /* 99.9 % of 1000 values are 999 of them */
		ck_assert_int_eq(hist_percentile(h, (double)i / 10), i);
	ck_assert_int_eq(hist_percentile(h, 0), 1);
	ck_assert_int_eq(hist_percentile(h, 50.01), 501);
	ck_assert(hist_mean(h) == 500.5);
	hist_free(h);
}
END_TEST

START_TEST(count_sum_min_and_max_are_exact)
{
	struct hist *h = new_hist(_i);
	unsigned __int128 sum = 0;
	int64_t min = INT64_MAX, max = 0;

	for (int i = 0; i < SAMPLES; i++) {
		int64_t v = random_value();

		hist_record(h, v);
		sum += (uint64_t)v;
		min = v < min ? v : min;
		max = v > max ? v : max;
	}
	ck_assert_uint_eq(h->count, SAMPLES);
	ck_assert(h->sum == sum);
	ck_assert_int_eq(h->min, min);
	ck_assert_int_eq(h->max, max);
	ck_assert(hist_mean(h) == (double)sum / SAMPLES);
	hist_free(h);
}
END_TEST

START_TEST(the_ends_of_the_range_are_counted)
{
	static const int64_t values[] = { 0, 1, 1ll << 62, INT64_MAX };
	struct hist *h = new_hist(_i);

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		hist_record(h, values[i]);
		ck_assert_int_eq(hist_percentile(h, 100), values[i]);
		ck_assert_int_eq(hist_percentile(h, 0), 0);
	}
	ck_assert_int_eq(hist_percentile(h, 50), 1);
	ck_assert_int_ge(hist_percentile(h, 75), 1ll << 62);
	ck_assert_double_le((double)(hist_percentile(h, 75) - (1ll << 62)),
			    error_of(1ll << 62, _i));
	ck_assert(h->sum == (unsigned __int128)1 + (1ull << 62) + INT64_MAX);
	hist_free(h);
}
END_TEST

START_TEST(an_empty_histogram_reports_zeroes)
{
	struct hist *h = new_hist(3), *other = new_hist(3);

	hist_clear(h);
	hist_merge(other, h);
	ck_assert_int_eq(hist_percentile(h, 50), 0);
	ck_assert_int_eq(hist_percentile(other, 100), 0);
	ck_assert(hist_mean(h) == 0);
	ck_assert_int_eq(other->min, INT64_MAX);
	ck_assert_int_eq(other->max, 0);
	hist_free(h);
	hist_free(other);
	hist_free(NULL);
}
END_TEST

static void check_same(const struct hist *a, const struct hist *b)
{
	ck_assert_uint_eq(a->count, b->count);
	ck_assert(a->sum == b->sum);
	ck_assert_int_eq(a->min, b->min);
	ck_assert_int_eq(a->max, b->max);
	ck_assert_int_eq(memcmp(a->counts, b->counts, a->len * sizeof(*a->counts)), 0);
}

START_TEST(merging_is_recording_in_one_in_any_order)
{
	struct hist *part[3], *all = new_hist(3), *left = new_hist(3), *right = new_hist(3);

	for (int i = 0; i < 3; i++) {
		part[i] = new_hist(3);
		for (int n = 0; n < 1000 * i; n++) { /* the first one is empty */
			int64_t v = random_value();

			hist_record(part[i], v);
			hist_record(all, v);
		}
	}
	for (int i = 0; i < 3; i++)
		hist_merge(left, part[i]); /* (a + b) + c */
	hist_merge(part[1], part[2]);
	hist_merge(right, part[1]); /* (b + c) + a */
	hist_merge(right, part[0]);
	check_same(left, all);
	check_same(right, all);
	for (int i = 0; i < 3; i++)
		hist_free(part[i]);
	hist_free(all);
	hist_free(left);
	hist_free(right);
}
END_TEST

START_TEST(a_cleared_histogram_is_a_new_one)
{
	struct hist *h = new_hist(2), *fresh = new_hist(2);

	for (int i = 0; i < 1000; i++)
		hist_record(h, random_value());
	hist_clear(h);
	check_same(h, fresh);
	hist_free(h);
	hist_free(fresh);
}
END_TEST

Suite *hist_suite(void)
{
	Suite *s = suite_create("hist");
	TCase *tc = tcase_create("hist");
	const int all = HIST_DIGITS_MAX + 1;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, the_layout_is_hdr_histograms, 1, all);
	tcase_add_loop_test(tc, counters_tile_all_values_within_the_precision, 1, all);
	tcase_add_loop_test(tc, the_index_is_monotone, 1, all);
	tcase_add_loop_test(tc, percentiles_agree_with_sorted_samples, 1, all);
	tcase_add_test(tc, small_values_have_exact_percentiles);
	tcase_add_loop_test(tc, count_sum_min_and_max_are_exact, 1, all);
	tcase_add_loop_test(tc, the_ends_of_the_range_are_counted, 1, all);
	tcase_add_test(tc, an_empty_histogram_reports_zeroes);
	tcase_add_test(tc, merging_is_recording_in_one_in_any_order);
	tcase_add_test(tc, a_cleared_histogram_is_a_new_one);
	suite_add_tcase(s, tc);
	return s;
}
