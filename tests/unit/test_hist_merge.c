/* SPDX-License-Identifier: MIT
 * test_hist_merge: histograms that were encoded, read back and merged say what sorted samples say.
 */
#include <math.h>
#include <stdlib.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "echo/base/rng.h"

#include "suites.h"

enum { PARTS = 5, SAMPLES = 3000, ROUNDS = 6 };

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* @h as it comes back from its text; @h is freed. */
static struct hist *there_and_back(struct hist *h)
{
	char *text = hist_codec_encode(h);
	struct hist *back = NULL;

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(hist_codec_decode(text, &back), 0);
	ck_assert_uint_eq(back->count, h->count);
	for (uint32_t i = 0; i < h->len; i++)
		ck_assert_uint_eq(back->counts[i], h->counts[i]);
	free(text);
	hist_free(h);
	return back;
}

START_TEST(percentiles_of_merged_parts_are_those_of_all_samples)
{
	static const double percents[] = { 0, 1, 25, 50, 90, 99, 99.9, 99.99 };
	static int64_t all[PARTS * SAMPLES];
	uint64_t seed = (uint64_t)_i;
	struct hist *sum = hist_new(3);
	size_t n = 0;

	for (int part = 0; part < PARTS; part++) {
		struct hist *h = hist_new(3);

		for (uint64_t left = rng_below(&seed, SAMPLES); left > 0; left--) {
			all[n] = (int64_t)(rng_next(&seed) >> (1 + rng_below(&seed, 63)));
			hist_record(h, all[n++]);
		}
		h = there_and_back(h);
		hist_merge(sum, h);
		hist_free(h);
	}
	qsort(all, n, sizeof(*all), by_value);
	ck_assert_uint_eq(sum->count, n);
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(percents); i++) {
		const double rank = ceil(percents[i] * (1 - 1e-15) / 100 * (double)n);
		const int64_t want = all[rank < 1 ? 0 : (size_t)rank - 1];
		const int64_t got = hist_percentile(sum, percents[i]);

		ck_assert_int_ge(got, want);
		ck_assert_int_le(got - want, want / 1000);
	}
	hist_free(sum);
}
END_TEST

START_TEST(what_is_no_histogram_is_refused)
{
	static const char *const bad[] = { "",
					   "HIST",
					   "====",
					   "HISTFAAAAAA",
					   "!",
					   "HISTFAAAAB4=",
					   "HISTFAAAAAh4nGNgYGBgBAAABgAC" };
	struct hist *h = NULL;

	ck_assert_int_lt(hist_codec_decode(bad[_i], &h), 0);
	ck_assert_ptr_null(h);
}
END_TEST

START_TEST(a_damaged_text_is_refused_or_read_but_breaks_nothing)
{
	uint64_t seed = (uint64_t)_i;
	struct hist *h = hist_new(3), *back = NULL;
	char *text;

	for (int i = 0; i < 200; i++)
		hist_record(h, (int64_t)(rng_next(&seed) >> 40));
	text = hist_codec_encode(h);
	text[rng_below(&seed, 60)] = (char)('A' + (char)rng_below(&seed, 26));
	if (hist_codec_decode(text, &back) == 0)
		hist_free(back);
	free(text);
	hist_free(h);
}
END_TEST

Suite *hist_merge_suite(void)
{
	Suite *s = suite_create("hist_merge");
	TCase *t = tcase_create("hist_merge");

	tcase_add_loop_test(t, percentiles_of_merged_parts_are_those_of_all_samples, 0, ROUNDS);
	tcase_add_loop_test(t, what_is_no_histogram_is_refused, 0, 7);
	tcase_add_loop_test(t, a_damaged_text_is_refused_or_read_but_breaks_nothing, 0, 100);
	suite_add_tcase(s, t);
	return s;
}
