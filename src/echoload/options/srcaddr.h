/* SPDX-License-Identifier: MIT
 * srcaddr: the addresses that connections are made from, when one has not ports enough.
 */
#ifndef ECHOLOAD_SRCADDR_H
#define ECHOLOAD_SRCADDR_H

#include <stdint.h>

#include "echo/base/addr.h"

struct opt_type;

enum { SRCADDR_TEXT_MAX = 64 };

/* Consecutive addresses: 127.0.0.0/28 is 127.0.0.1 to 127.0.0.14. */
struct srcaddr_range {
	struct addr first;
	uint32_t count;              /* 0: the kernel chooses */
	char text[SRCADDR_TEXT_MAX]; /* as it was given */
};

/* "ADDRESS" or "ADDRESS/PREFIX"; struct srcaddr_range; "any" is none. */
extern const struct opt_type opt_srcaddr_range;

/* The address for connection @number: they take turns. @s must not be empty. */
struct addr srcaddr_nth(const struct srcaddr_range *s, uint64_t number);

#endif
