/* SPDX-License-Identifier: MIT
 * payload: what is sent, and what must come back: the byte at stream offset o of connection k is
 * T[(a * k + o) mod P] for a seeded table T of prime length P. Sending is a span of T, checking a
 * comparison with it, at any size and without state; a mismatch knows its offset.
 */
#ifndef ECHOLOAD_PAYLOAD_H
#define ECHOLOAD_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	/* the first prime above 1 MiB: no two connections and no size of message meet in step */
	PAYLOAD_PERIOD = (1 << 20) + 7,
	/* the table is longer than its period, so that no span of this length wraps */
	PAYLOAD_SPAN_MAX = 1 << 20,
};

struct payload {
	const uint8_t *table; /* PAYLOAD_PERIOD + PAYLOAD_SPAN_MAX bytes, read-only */
	uint64_t step;        /* a */
};

/* Fills the table from @seed. Returns 0 or -ENOMEM. */
int payload_init(struct payload *p, uint64_t seed);
void payload_fini(struct payload *p);

/* Where in the table the stream of connection @number begins. */
static inline uint32_t payload_base(const struct payload *p, uint64_t number)
{
	return (uint32_t)((p->step * (number % PAYLOAD_PERIOD)) % PAYLOAD_PERIOD);
}

/* The bytes at @offset of the stream that begins at @base: at least PAYLOAD_SPAN_MAX of them. */
static inline const uint8_t *payload_at(const struct payload *p, uint32_t base, uint64_t offset)
{
	return p->table + (base + offset) % PAYLOAD_PERIOD;
}

/* payload_verify's own: for when one comparison does not answer it. */
size_t payload_right(const struct payload *p, uint32_t base, uint64_t offset, const uint8_t *seen,
		     size_t len);

/* Compares @len received bytes, of any length, with the stream. Returns how many are right. */
static inline size_t payload_verify(const struct payload *p, uint32_t base, uint64_t offset,
				    const uint8_t *seen, size_t len)
{
	if (len <= PAYLOAD_SPAN_MAX && memcmp(payload_at(p, base, offset), seen, len) == 0)
		return len;
	return payload_right(p, base, offset, seen, len);
}

#endif
