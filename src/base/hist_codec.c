/* SPDX-License-Identifier: MIT
 * hist_codec: HdrHistogram's V2 encoding (github.com/HdrHistogram, public domain).
 *
 * A header of 40 bytes, then the counters in order as ZigZag LEB128 numbers, where a negative one
 * is a run of zeros; all of it compressed by zlib, behind a header of its own, and in base64. Our
 * counters have HdrHistogram's layout, so they are written as they are. Numbers in headers are
 * big-endian.
 */
#include "echo/base/hist_codec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "echo/base/base64.h"
#include "echo/base/hist.h"

enum {
	COOKIE_V2 = 0x1c849303 | 0x10,         /* 0x10: the counters are LEB128 */
	COOKIE_COMPRESSED = 0x1c849304 | 0x10, /* the same inside */
	HEADER = 40,
	COMPRESSED_HEADER = 8,
	NUMBER_MAX = 9, /* bytes of a LEB128 number: 8 times 7 bits, then 8 */
};

/* The range that readers reserve: what most tools use for nanoseconds, an hour, if it is enough. */
static const int64_t range_ns = 3600ll * 1000 * 1000 * 1000;

static uint8_t *put_be(uint8_t *to, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		*to++ = (uint8_t)(value >> (8 * bytes));
	return to;
}

static uint8_t *put_number(uint8_t *to, int64_t value)
{
	uint64_t z = ((uint64_t)value << 1) ^ -(uint64_t)(value < 0);

	for (unsigned i = 1; i < NUMBER_MAX && z >= 0x80; i++) {
		*to++ = (uint8_t)(z | 0x80);
		z >>= 7;
	}
	*to++ = (uint8_t)z;
	return to;
}

/* Writes the first @len counters, the last of which is not zero unless it is the only one. */
static uint8_t *put_counts(uint8_t *to, const struct hist *h, uint32_t len)
{
	uint32_t zeros = 0;

	for (uint32_t i = 0; i < len; i++) {
		if (h->counts[i] == 0) {
			zeros++;
			continue;
		}
		if (zeros > 0)
			to = put_number(to, zeros == 1 ? 0 : -(int64_t)zeros);
		to = put_number(to, (int64_t)h->counts[i]);
		zeros = 0;
	}
	if (zeros > 0) /* an empty histogram: readers want one counter */
		to = put_number(to, 0);
	return to;
}

/* Writes header and counters. Returns the length. */
static size_t encode(uint8_t *to, const struct hist *h, uint32_t len)
{
	uint8_t *end = put_counts(to + HEADER, h, len), *p = to;
	const double ratio = 1; /* of values to integers: nanoseconds are integers */
	int64_t highest = hist_highest(h, len - 1);
	uint64_t ratio_bits;

	memcpy(&ratio_bits, &ratio, sizeof(ratio_bits));
	p = put_be(p, COOKIE_V2, 4);
	p = put_be(p, (uint64_t)(end - to) - HEADER, 4);
	p = put_be(p, 0, 4); /* normalizing index offset */
	p = put_be(p, hist_digits(h), 4);
	p = put_be(p, 1, 8); /* lowest value told from 0 */
	p = put_be(p, (uint64_t)(highest > range_ns ? highest : range_ns), 8);
	p = put_be(p, ratio_bits, 8);
	assert(p == to + HEADER);
	return (size_t)(end - to);
}

char *hist_codec_encode(const struct hist *h)
{
	uint32_t len = hist_index(h, (uint64_t)h->max) + 1;
	size_t plain_len;
	uLongf packed_len;
	uint8_t *plain = malloc(HEADER + (size_t)len * NUMBER_MAX), *packed = NULL;
	char *text = NULL;

	if (!plain)
		return NULL;
	plain_len = encode(plain, h, len);
	packed_len = compressBound(plain_len);
	packed = malloc(COMPRESSED_HEADER + packed_len);
	if (packed && compress(packed + COMPRESSED_HEADER, &packed_len, plain, plain_len) == Z_OK) {
		put_be(packed, COOKIE_COMPRESSED, 4);
		put_be(packed + 4, packed_len, 4);
		text = base64_encode(packed, COMPRESSED_HEADER + packed_len);
	}
	free(packed);
	free(plain);
	return text;
}
