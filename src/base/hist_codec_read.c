/* SPDX-License-Identifier: MIT
 * hist_codec_read: the reader of what hist_codec.c writes, and of what other tools write with as
 * many digits. The text is foreign: nothing in it is used before it was checked.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <zlib.h>

#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"

enum {
	COOKIE_V2 = 0x1c849303,
	COOKIE_COMPRESSED = 0x1c849304,
	COOKIE_BASE = ~0xf0, /* bits 4 to 7 say how wide counters are; V2 has LEB128 anyway */
	HEADER = 40,
	COMPRESSED_HEADER = 8,
	NUMBER_MAX = 9,
};

struct bytes {
	const uint8_t *at, *end;
};

static uint64_t get_be(const uint8_t *from, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | *from++;
	return v;
}

/* The value of a digit of base64, -1: it is none. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the length, or -EINVAL. @to has room for 3/4 of the text. */
static ssize_t unbase64(const char *text, uint8_t *to)
{
	uint8_t *p = to;
	uint32_t bits = 0;
	unsigned n = 0;

	for (; digit(*text) >= 0; text++) {
		bits = bits << 6 | (uint32_t)digit(*text);
		if (++n % 4 != 1)
			*p++ = (uint8_t)(bits >> (6 - 2 * ((n - 1) % 4)));
	}
	while (*text == '=')
		text++;
	return *text || n == 0 || n % 4 == 1 ? -EINVAL : p - to;
}

/* Returns 1, or 0 when nothing whole is left. */
static int get_number(struct bytes *b, int64_t *value)
{
	uint64_t z = 0;

	for (unsigned i = 0; i < NUMBER_MAX && b->at < b->end; i++) {
		const uint8_t byte = *b->at++;
		const bool last = i == NUMBER_MAX - 1;

		z |= (uint64_t)(last ? byte : byte & 0x7f) << (7 * i);
		if (last || byte < 0x80) {
			*value = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
			return 1;
		}
	}
	return 0;
}

/* Adds @n values of counter @i, which are all taken for its middle. */
static int take_counter(struct hist *h, uint64_t i, int64_t n)
{
	const int64_t low = i < h->len ? hist_lowest(h, (uint32_t)i) : 0;
	const int64_t high = i < h->len ? hist_highest(h, (uint32_t)i) : 0;

	if (i >= h->len || __builtin_add_overflow(h->count, (uint64_t)n, &h->count))
		return -EINVAL;
	h->counts[i] += (uint64_t)n;
	h->sum += (unsigned __int128)(low + (high - low) / 2) * (uint64_t)n;
	h->min = low < h->min ? low : h->min;
	h->max = high > h->max ? high : h->max;
	return 0;
}

static int take_counters(struct hist *h, struct bytes b)
{
	uint64_t i = 0;
	int64_t n;

	while (b.at < b.end) {
		if (!get_number(&b, &n) || n < -(int64_t)h->len)
			return -EINVAL;
		if (n < 0) {
			i += (uint64_t)-n;
			continue;
		}
		if (n > 0 && take_counter(h, i, n) < 0)
			return -EINVAL;
		i++;
	}
	return 0;
}

/* Header and counters, unpacked. */
static int decode(struct bytes b, struct hist **out)
{
	const uint64_t digits = b.end - b.at >= HEADER ? get_be(b.at + 12, 4) : 0;
	uint64_t len;
	struct hist *h;

	if (digits < 1 || digits > HIST_DIGITS_MAX ||
	    ((int)get_be(b.at, 4) & COOKIE_BASE) != COOKIE_V2 || get_be(b.at + 8, 4) != 0 ||
	    get_be(b.at + 16, 8) != 1)
		return -EINVAL;
	len = get_be(b.at + 4, 4);
	b.at += HEADER;
	if (len > (uint64_t)(b.end - b.at))
		return -EINVAL;
	b.end = b.at + len;
	h = hist_new((unsigned)digits);
	if (!h)
		return -ENOMEM;
	if (take_counters(h, b) < 0) {
		hist_free(h);
		return -EINVAL;
	}
	*out = h;
	return 0;
}

/* The most that a histogram of any number of digits unpacks to. */
static size_t plain_max(void)
{
	const size_t counters = (size_t)64 << 17;

	return HEADER + counters * NUMBER_MAX;
}

/* Unpacks @packed, which was compressed; no more than the header says, and any histogram needs. */
static int inflate_to(struct bytes packed, struct hist **out)
{
	uLongf room = 1 << 16;
	int r = Z_BUF_ERROR;
	uint8_t *plain = NULL;

	while (r == Z_BUF_ERROR && room <= plain_max() * 2) {
		uLongf len = room;
		uint8_t *more = realloc(plain, room);

		if (!more) {
			free(plain);
			return -ENOMEM;
		}
		plain = more;
		r = uncompress(plain, &len, packed.at, (uLong)(packed.end - packed.at));
		if (r == Z_OK)
			r = decode((struct bytes){ plain, plain + len }, out);
		else if (r != Z_BUF_ERROR)
			r = -EINVAL;
		room *= 4;
	}
	free(plain);
	return r == Z_BUF_ERROR ? -EINVAL : r;
}

int hist_codec_decode(const char *text, struct hist **h)
{
	const size_t room = strlen(text) / 4 * 3 + 3;
	uint8_t *packed = malloc(room);
	ssize_t len;
	int r = -EINVAL;

	if (!packed)
		return -ENOMEM;
	len = unbase64(text, packed);
	if (len >= COMPRESSED_HEADER &&
	    ((int)get_be(packed, 4) & COOKIE_BASE) == COOKIE_COMPRESSED &&
	    get_be(packed + 4, 4) <= (uint64_t)(len - COMPRESSED_HEADER))
		r = inflate_to((struct bytes){ packed + COMPRESSED_HEADER,
					       packed + COMPRESSED_HEADER + get_be(packed + 4, 4) },
			       h);
	free(packed);
	return r;
}
