/* SPDX-License-Identifier: MIT
 * test_payload: streams are spans of one table, and a mismatch is found at its very offset.
 */
#include "echoload/engine/payload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

#include "suites.h"

enum { TABLE = PAYLOAD_PERIOD + PAYLOAD_SPAN_MAX, LONG = 3 * PAYLOAD_PERIOD };

static struct payload p;

static void setup(void)
{
	ck_assert_int_eq(payload_init(&p, 1), 0);
}

static void teardown(void)
{
	payload_fini(&p);
	ck_assert_ptr_null(p.table);
	payload_fini(&p);
}

/* The byte of a stream as docs/results.md defines it. */
static uint8_t byte_at(uint32_t base, uint64_t offset)
{
	return p.table[(base + offset) % PAYLOAD_PERIOD];
}

START_TEST(the_period_is_the_first_prime_above_a_mebibyte)
{
	for (int n = (1 << 20) + 1; n <= PAYLOAD_PERIOD; n++) {
		bool prime = true;

		for (int d = 2; d * d <= n && prime; d++)
			prime = n % d != 0;
		ck_assert_int_eq(prime, n == PAYLOAD_PERIOD);
	}
}
END_TEST

START_TEST(the_same_seed_makes_the_same_table_and_another_does_not)
{
	struct payload again, other;

	ck_assert_int_eq(payload_init(&again, 1), 0);
	ck_assert_int_eq(payload_init(&other, 2), 0);
	ck_assert(memcmp(p.table, again.table, TABLE) == 0);
	ck_assert_uint_eq(p.step, again.step);
	ck_assert(memcmp(p.table, other.table, 64) != 0);
	payload_fini(&again);
	payload_fini(&other);
}
END_TEST

START_TEST(bytes_are_evenly_distributed)
{
	unsigned count[256] = { 0 };

	for (size_t i = 0; i < PAYLOAD_PERIOD; i++)
		count[p.table[i]]++;
	for (size_t i = 0; i < ARRAY_LEN(count); i++) {
		ck_assert_uint_gt(count[i], PAYLOAD_PERIOD / 256 * 9 / 10);
		ck_assert_uint_lt(count[i], PAYLOAD_PERIOD / 256 * 11 / 10);
	}
}
END_TEST

START_TEST(a_span_at_any_offset_is_the_stream)
{
	static const uint64_t offsets[] = { 0,
					    1,
					    PAYLOAD_PERIOD - 1,
					    PAYLOAD_PERIOD,
					    PAYLOAD_PERIOD + 1,
					    1ull << 32,
					    (1ull << 52) + 12345 };
	uint64_t seed = 3;

	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		uint32_t base = payload_base(&p, i * 1000);
		const uint8_t *span = payload_at(&p, base, offsets[i]);

		for (int n = 0; n < 1000; n++) {
			uint64_t at = n < 500 ? rng_below(&seed, PAYLOAD_SPAN_MAX)
					      : PAYLOAD_SPAN_MAX - 1 - (uint64_t)(n - 500);

			ck_assert_uint_eq(span[at], byte_at(base, offsets[i] + at));
		}
	}
}
END_TEST

START_TEST(connections_begin_at_places_of_their_own)
{
	enum { COUNT = 20000 };
	static bool taken[PAYLOAD_PERIOD];

	for (uint64_t k = 0; k < COUNT; k++) {
		uint32_t base = payload_base(&p, k);

		ck_assert_uint_lt(base, PAYLOAD_PERIOD);
		ck_assert(!taken[base]);
		taken[base] = true;
	}
	ck_assert_uint_eq(payload_base(&p, 5), payload_base(&p, 5 + 3ull * PAYLOAD_PERIOD));
	ck_assert_uint_lt(payload_base(&p, UINT64_MAX), PAYLOAD_PERIOD);
}
END_TEST

static uint8_t *outputs_new(uint32_t base, uint64_t offset, size_t len)
{
	uint8_t *s = malloc(len);

	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < len; i++)
		s[i] = byte_at(base, offset + i);
	return s;
}

START_TEST(a_right_stream_of_any_length_is_right)
{
	static const size_t lengths[] = { 0, 1, 64, PAYLOAD_SPAN_MAX, PAYLOAD_SPAN_MAX + 1, LONG };
	const uint32_t base = payload_base(&p, 7);
	uint8_t *s = outputs_new(base, 1000, LONG);

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		ck_assert_uint_eq(payload_verify(&p, base, 1000, s, lengths[i]), lengths[i]);
	free(s);
}
END_TEST

START_TEST(a_wrong_byte_is_found_where_it_is)
{
	static const size_t at[] = {
		0, 1, 63, PAYLOAD_SPAN_MAX - 1, PAYLOAD_SPAN_MAX, PAYLOAD_PERIOD, LONG - 1
	};
	const uint32_t base = payload_base(&p, 9);
	uint8_t *s = outputs_new(base, 5, LONG);

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		s[at[i]] ^= 1;
		ck_assert_uint_eq(payload_verify(&p, base, 5, s, LONG), at[i]);
		ck_assert_uint_eq(payload_verify(&p, base, 5, s, at[i]), at[i]);
		s[at[i]] ^= 1;
	}
	free(s);
}
END_TEST

START_TEST(a_stream_that_is_shifted_is_wrong)
{
	const uint32_t base = payload_base(&p, 2);
	uint8_t *s = outputs_new(base, 1, 4096);

	ck_assert_uint_lt(payload_verify(&p, base, 0, s, 4096), 16);
	ck_assert_uint_lt(payload_verify(&p, payload_base(&p, 3), 1, s, 4096), 16);
	free(s);
}
END_TEST

Suite *payload_suite(void)
{
	Suite *s = suite_create("payload");
	TCase *tc = tcase_create("payload");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_period_is_the_first_prime_above_a_mebibyte);
	tcase_add_test(tc, the_same_seed_makes_the_same_table_and_another_does_not);
	tcase_add_test(tc, bytes_are_evenly_distributed);
	tcase_add_test(tc, a_span_at_any_offset_is_the_stream);
	tcase_add_test(tc, connections_begin_at_places_of_their_own);
	tcase_add_test(tc, a_right_stream_of_any_length_is_right);
	tcase_add_test(tc, a_wrong_byte_is_found_where_it_is);
	tcase_add_test(tc, a_stream_that_is_shifted_is_wrong);
	suite_add_tcase(s, tc);
	return s;
}
