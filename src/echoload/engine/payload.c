/* SPDX-License-Identifier: MIT
 * payload: a table of seeded bytes, longer than its period by the longest span.
 */
#include "payload.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

enum { TABLE_LEN = PAYLOAD_PERIOD + PAYLOAD_SPAN_MAX };

int payload_init(struct payload *p, uint64_t seed)
{
	uint8_t *t =
		mmap(NULL, TABLE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		return -ENOMEM;
	/* a multiplier in the middle half, so that neighbours' streams begin far apart */
	p->step = PAYLOAD_PERIOD / 4 + rng_below(&seed, PAYLOAD_PERIOD / 2);
	/* the last number goes beyond the period, where the beginning follows next */
	for (size_t i = 0; i < PAYLOAD_PERIOD; i += sizeof(uint64_t)) {
		uint64_t r = rng_next(&seed);

		memcpy(t + i, &r, sizeof(r));
	}
	memcpy(t + PAYLOAD_PERIOD, t, PAYLOAD_SPAN_MAX);
	mprotect(t, TABLE_LEN, PROT_READ);
	p->table = t;
	return 0;
}

void payload_fini(struct payload *p)
{
	if (p->table)
		munmap((void *)(uintptr_t)p->table, TABLE_LEN);
	p->table = NULL;
}

size_t payload_right(const struct payload *p, uint32_t base, uint64_t offset, const uint8_t *seen,
		     size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n = size_min(len - done, PAYLOAD_SPAN_MAX);
		const uint8_t *want = payload_at(p, base, offset + done);

		if (memcmp(want, seen + done, n) != 0) {
			while (*want == seen[done]) {
				want++;
				done++;
			}
			return done;
		}
		done += n;
	}
	return done;
}
