/* SPDX-License-Identifier: MIT
 * size: how many bytes messages have: all alike, evenly spread over a range, or a mix of such, each
 * with its share.
 */
#ifndef ECHOLOAD_SIZE_H
#define ECHOLOAD_SIZE_H

#include <stdint.h>

enum { SIZE_PARTS_MAX = 8 };

struct size_part {
	uint64_t min, max;
	uint64_t weight; /* its share is weight / total */
};

struct sizes {
	uint64_t min, max;                      /* of all parts */
	unsigned count;                         /* of parts; up to 1: min and max say it all */
	uint64_t total;                         /* of weights */
	struct size_part parts[SIZE_PARTS_MAX]; /* when there are several */
};

/* The size that the random number @r stands for; the same one every time. */
uint64_t size_draw(const struct sizes *s, uint64_t r);

extern const struct opt_type opt_sizes;

#endif
