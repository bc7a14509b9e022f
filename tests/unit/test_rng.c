/* SPDX-License-Identifier: MIT
 * test_rng: the published sequence of splitmix64, and bounds.
 */
#include "echo/base/rng.h"

#include "echo/base/base.h"

#include "suites.h"

START_TEST(the_sequence_is_splitmix64s)
{
	static const uint64_t expected[] = { 6457827717110365317ull, 3203168211198807973ull,
					     9817491932198370423ull, 4593380528125082431ull,
					     16408922859458223821ull };
	uint64_t seed = 1234567;

	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		ck_assert_uint_eq(rng_next(&seed), expected[i]);
}
END_TEST

START_TEST(below_stays_below_and_reaches_everything)
{
	unsigned seen[7] = { 0 };
	uint64_t seed = 1;

	for (int i = 0; i < 7000; i++) {
		uint64_t n = rng_below(&seed, ARRAY_LEN(seen));

		ck_assert_uint_lt(n, ARRAY_LEN(seen));
		seen[n]++;
		ck_assert_uint_eq(rng_below(&seed, 1), 0);
		ck_assert_uint_lt(rng_below(&seed, UINT64_MAX), UINT64_MAX);
	}
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		ck_assert(seen[i] > 850 && seen[i] < 1150); /* 1000 +- 5 sigma */
}
END_TEST

START_TEST(a_seed_repeats_its_sequence)
{
	uint64_t a = 42, b = 42;

	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(rng_next(&a), rng_next(&b));
	ck_assert_uint_ne(rng_mix(1), rng_mix(2));
}
END_TEST

Suite *rng_suite(void)
{
	Suite *s = suite_create("rng");
	TCase *tc = tcase_create("rng");

	tcase_add_test(tc, the_sequence_is_splitmix64s);
	tcase_add_test(tc, below_stays_below_and_reaches_everything);
	tcase_add_test(tc, a_seed_repeats_its_sequence);
	suite_add_tcase(s, tc);
	return s;
}
