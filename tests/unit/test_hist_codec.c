/* SPDX-License-Identifier: MIT
 * test_hist_codec: what we write is read back with a decoder that also reads what others wrote.
 */
#include "echo/base/hist_codec.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"

#include "suites.h"

enum { TEXT_BYTES_MAX = 1 << 20, COUNTS_MAX = 1 << 16 };

/* What was decoded. */
static struct {
	uint32_t digits;
	uint64_t lowest, highest;
	uint64_t counts[COUNTS_MAX];
	size_t len;
} got;

static size_t from_base64(const char *text, uint8_t *to)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = 0;
	unsigned bits = 0;
	size_t n = 0;

	ck_assert_uint_eq(strlen(text) % 4, 0);
	for (; *text && *text != '='; text++) {
		const char *d = strchr(digits, *text);

		ck_assert_ptr_nonnull(d);
		v = v << 6 | (uint32_t)(d - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			ck_assert_uint_lt(n, TEXT_BYTES_MAX);
			to[n++] = (uint8_t)(v >> bits);
		}
	}
	ck_assert_uint_le(strlen(text), 2);
	return n;
}

static uint64_t big_endian(const uint8_t *from, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | from[i];
	return v;
}

static int64_t number(const uint8_t **from)
{
	uint64_t z = 0;

	for (unsigned i = 0; i < 9; i++) {
		uint8_t byte = *(*from)++;

		z |= (uint64_t)(i < 8 ? byte & 0x7f : byte) << (7 * i);
		if (i < 8 && byte < 0x80)
			break;
	}
	return (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
}

static void decode_counts(const uint8_t *at, const uint8_t *end)
{
	memset(&got.counts, 0, sizeof(got.counts));
	for (got.len = 0; at < end;) {
		int64_t n = number(&at);

		if (n < 0) {
			got.len += (size_t)-n;
		} else {
			ck_assert_uint_lt(got.len, COUNTS_MAX);
			got.counts[got.len++] = (uint64_t)n;
		}
	}
	ck_assert_ptr_eq(at, end);
}

static void decode(const char *text)
{
	static uint8_t packed[TEXT_BYTES_MAX], plain[TEXT_BYTES_MAX];
	size_t packed_len = from_base64(text, packed);
	uLongf len = sizeof(plain);

	ck_assert_uint_eq(big_endian(packed, 4), 0x1c849314);
	ck_assert_uint_eq(big_endian(packed + 4, 4), packed_len - 8);
	ck_assert_int_eq(uncompress(plain, &len, packed + 8, packed_len - 8), Z_OK);
	ck_assert_uint_eq(big_endian(plain, 4), 0x1c849313);
	ck_assert_uint_eq(big_endian(plain + 4, 4), len - 40);
	ck_assert_uint_eq(big_endian(plain + 8, 4), 0);
	got.digits = (uint32_t)big_endian(plain + 12, 4);
	got.lowest = big_endian(plain + 16, 8);
	got.highest = big_endian(plain + 24, 8);
	ck_assert_uint_eq(big_endian(plain + 32, 8), 0x3ff0000000000000); /* 1.0 */
	decode_counts(plain + 40, plain + len);
}

static void encode_and_decode(const struct hist *h)
{
	char *text = hist_codec_encode(h);

	ck_assert_ptr_nonnull(text);
	decode(text);
	free(text);
}

static void expect_counts(const struct hist *h)
{
	uint64_t total = 0;

	for (size_t i = 0; i < got.len; i++) {
		ck_assert_uint_eq(got.counts[i], h->counts[i]);
		total += got.counts[i];
	}
	ck_assert_uint_eq(total, h->count);
}

START_TEST(the_decoder_of_this_test_reads_what_others_wrote)
{
	/* Java and C, (1, 2048, 3 digits) with one value of 2048, which shares its counter */
	decode("HISTFAAAACB4nJNpmSzMwMDAzAABMJoRQnEw2H+AsP7LMwEARZgDpQ==");
	ck_assert_uint_eq(got.digits, 3);
	ck_assert_uint_eq(got.lowest, 1);
	ck_assert_uint_eq(got.highest, 2048);
	ck_assert_uint_eq(got.len, 2049);
	ck_assert_uint_eq(got.counts[2048], 1);
	/* Vala, (1, 300, 3 digits) with 100, 200 and 250 */
	decode("HISTFAAAACV4nJNpmSzMwMDAwQABzFCaEUrp2H+AsI4zMh1lZEpkAgBdIQSk");
	ck_assert_uint_eq(got.len, 251);
	ck_assert_uint_eq(got.counts[100] + got.counts[200] + got.counts[250], 3);
}
END_TEST

START_TEST(an_empty_histogram_is_written)
{
	struct hist *h = hist_new(3);

	encode_and_decode(h);
	ck_assert_uint_eq(got.len, 1);
	expect_counts(h);
	hist_free(h);
}
END_TEST

START_TEST(digits_and_range_are_written)
{
	struct hist *h = hist_new((unsigned)_i);

	hist_record(h, 1000);
	encode_and_decode(h);
	ck_assert_uint_eq(got.digits, (unsigned)_i);
	ck_assert_uint_eq(got.lowest, 1);
	ck_assert_uint_eq(got.highest, 3600000000000);
	expect_counts(h);
	hist_free(h);
}
END_TEST

START_TEST(every_count_comes_back)
{
	struct hist *h = hist_new(3);

	for (int64_t v = 0; v < 5000; v += 1 + v % 7) {
		for (int64_t n = 0; n <= v % 300; n++)
			hist_record(h, v);
	}
	hist_record(h, 4000000);
	hist_record(h, INT64_MAX);
	h->counts[12] += 1ull << 55; /* numbers of eight and nine bytes */
	h->counts[13] += 1ull << 60;
	h->count += (1ull << 55) + (1ull << 60);
	encode_and_decode(h);
	ck_assert_uint_eq(got.highest, INT64_MAX);
	ck_assert_uint_eq(got.len, h->len);
	expect_counts(h);
	hist_free(h);
}
END_TEST

Suite *hist_codec_suite(void)
{
	Suite *s = suite_create("hist_codec");
	TCase *t = tcase_create("hist_codec");

	tcase_add_test(t, the_decoder_of_this_test_reads_what_others_wrote);
	tcase_add_test(t, an_empty_histogram_is_written);
	tcase_add_loop_test(t, digits_and_range_are_written, 1, HIST_DIGITS_MAX + 1);
	tcase_add_test(t, every_count_comes_back);
	suite_add_tcase(s, t);
	return s;
}
