/* SPDX-License-Identifier: MIT
 * expect: what must be seen, as a comparison: WHAT OP VALUE.
 */
#ifndef ECHODRILL_EXPECT_H
#define ECHODRILL_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

struct expect;

/* What was seen. A time is known to lie between two moments, because neither the fault nor our
 * looking took no time. */
struct seen {
	/* SEEN_UNKNOWN: this machine could not look; SEEN_FRAMES: a number that a late machine
	 * makes larger, by retransmissions */
	enum { SEEN_NOTHING, SEEN_UNKNOWN, SEEN_NUMBER, SEEN_FRAMES, SEEN_TIME, SEEN_TEXT } kind;
	int64_t least, most; /* SEEN_NUMBER: the same */
	char text[128];      /* SEEN_TEXT; else as people read it; the first two: why */
};

enum held {
	HELD_NO,
	HELD_YES,
	HELD_LATE /* too late or, of frames, too many: it may be the machine */
};

/* Does it hold? Times are compared so that what holds for either end of `seen` is not called
 * wrong: from below with `most`, from above with `least`. */
enum held expect_holds(const struct expect *e, const struct seen *s);

#endif
