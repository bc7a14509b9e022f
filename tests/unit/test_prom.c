/* SPDX-License-Identifier: MIT
 * test_prom: lines that Prometheus can read, and what a value of a histogram is counted in.
 */
#include "echo/base/prom.h"

#include <string.h>

#include "echo/base/stats.h"

#include "suites.h"
#include "written.h"

START_TEST(a_histogram_counts_up_and_ends_in_all)
{
	static const double bounds[] = { 1e-6, 0.25, 1.048576 };
	static const uint64_t counts[] = { 1, 0, 3, 2 };

	prom_head(written_to, "a_seconds", "histogram", "What it is.");
	prom_hist(written_to, "a_seconds",
		  &(struct prom_hist){ "worker=\"7\"", bounds, counts, 3, 2.5 });
	ck_assert_str_eq(written(), "# HELP a_seconds What it is.\n"
				    "# TYPE a_seconds histogram\n"
				    "a_seconds_bucket{worker=\"7\",le=\"1e-06\"} 1\n"
				    "a_seconds_bucket{worker=\"7\",le=\"0.25\"} 1\n"
				    "a_seconds_bucket{worker=\"7\",le=\"1.048576\"} 4\n"
				    "a_seconds_bucket{worker=\"7\",le=\"+Inf\"} 6\n"
				    "a_seconds_sum{worker=\"7\"} 2.500000000\n"
				    "a_seconds_count{worker=\"7\"} 6\n");
}
END_TEST

START_TEST(without_labels_there_are_no_braces)
{
	static const double bound = 1;
	static const uint64_t counts[] = { 0, 1 };

	prom_hist(written_to, "a", &(struct prom_hist){ "", &bound, counts, 1, 9 });
	ck_assert_str_eq(written(), "a_bucket{le=\"1\"} 0\na_bucket{le=\"+Inf\"} 1\n"
				    "a_sum 9.000000000\na_count 1\n");
}
END_TEST

START_TEST(what_would_end_a_label_is_escaped_and_never_cut_in_two)
{
	char text[8];

	ck_assert_str_eq(prom_label("a\"\\\n", text, sizeof(text)), "a\\\"\\\\\\n");
	ck_assert_str_eq(prom_label("abcdefghij", text, sizeof(text)), "abcdef");
	ck_assert_str_eq(prom_label("abcde\"", text, sizeof(text)), "abcde\\\"");
	ck_assert_str_eq(prom_label("", text, sizeof(text)), "");
}
END_TEST

/* The number of the counter that @scaled was counted in. */
static unsigned counter_of(unsigned step, uint64_t scaled)
{
	struct stats_hist h = { 0 };
	unsigned at = 0;

	stats_observe(&h, step, scaled, 7);
	ck_assert_uint_eq(stats_get(&h.sum), 7);
	while (at <= STATS_BOUNDS && stats_get(&h.counts[at]) == 0)
		at++;
	ck_assert_uint_eq(stats_get(&h.counts[at]), 1);
	return at;
}

START_TEST(a_value_is_in_the_first_counter_whose_bound_is_not_less)
{
	static const unsigned steps[] = { STATS_STEP_EVENTS, STATS_STEP_TIME };

	for (unsigned s = 0; s < 2; s++) {
		ck_assert_uint_eq(counter_of(steps[s], 0), 0);
		ck_assert_uint_eq(counter_of(steps[s], 1), 0);
		for (unsigned k = 1; k < STATS_BOUNDS; k++) {
			const uint64_t bound = 1ull << (steps[s] * k);

			ck_assert_uint_eq(counter_of(steps[s], bound), k);
			ck_assert_uint_eq(counter_of(steps[s], bound + 1), k + 1);
			ck_assert_uint_eq(counter_of(steps[s], bound / 2 + 1), k);
		}
		ck_assert_uint_eq(counter_of(steps[s], UINT64_MAX), STATS_BOUNDS);
	}
}
END_TEST

START_TEST(this_process_is_described)
{
	struct prom_process p = { 0 };
	const char *text;

	prom_process_open(&p);
	ck_assert_int_gt(prom_count_fds(p.fds), 3);
	prom_process_print(written_to, &p);
	prom_process_close(&p);
	prom_process_close(&p); /* nothing is left to close, not even descriptor 0 */
	text = written();
	ck_assert_ptr_nonnull(strstr(text, "\nprocess_open_fds "));
	ck_assert_ptr_nonnull(strstr(text, "\nprocess_resident_memory_bytes "));
	ck_assert_ptr_nonnull(strstr(text, "\nprocess_start_time_seconds "));
}
END_TEST

Suite *prom_suite(void)
{
	Suite *s = suite_create("prom");
	TCase *tc = written_tcase("prom"), *values = tcase_create("values");

	tcase_add_test(tc, a_histogram_counts_up_and_ends_in_all);
	tcase_add_test(tc, without_labels_there_are_no_braces);
	tcase_add_test(values, what_would_end_a_label_is_escaped_and_never_cut_in_two);
	tcase_add_test(values, a_value_is_in_the_first_counter_whose_bound_is_not_less);
	tcase_add_test(tc, this_process_is_described);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, values);
	return s;
}
