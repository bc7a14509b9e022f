/* SPDX-License-Identifier: MIT
 * timer: a hierarchical timing wheel (Varghese and Lauck 1987) for deadlines: set and cancel are
 * O(1), and a turn of an idle worker costs a comparison.
 *
 * Ticks are 1 ms: a timer never fires before its time and, if timers_run is called in time, at most
 * a tick late. Timers are members of what they belong to; the wheel allocates nothing.
 */
#ifndef ECHO_TIMER_H
#define ECHO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* levels of 64 ms, 4 s, 4.4 min, 4.7 h, 12 days ...: all of int64_t, nothing is parked */
	TIMER_LEVELS = 8,
	TIMER_SLOTS = 64,
};

/* Zeroed: not set. */
struct timer {
	struct timer **link; /* what points to us; NULL when not set */
	int64_t at_ns;
	struct timer *next;
	void (*fire)(struct timer *t, int64_t now_ns);
};

struct timers {
	struct timer *slots[TIMER_LEVELS][TIMER_SLOTS];
	uint64_t used[TIMER_LEVELS]; /* bits of the slots that are not empty */
	int64_t tick;                /* the present one; all before it were run */
	int64_t base_ns;             /* time of tick 0 */
	uint32_t count;              /* timers that are set */
};

void timers_init(struct timers *ts, int64_t now_ns);

/* Arms @t for @at_ns (monotonic); a time in the past fires at the next timers_run. A timer that is
 * set already is moved. t->fire must be set; it runs inside timers_run, when its timer is not set
 * any more, and may set or cancel any timer, itself included, and free what its timer is part of.
 */
void timer_set(struct timers *ts, struct timer *t, int64_t at_ns);
/* Disarms @t; nothing if it is not set. It may be one that is due in the timers_run that runs. */
void timer_cancel(struct timers *ts, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
	return t->link != 0;
}

/* Nanoseconds from @now_ns until timers_run should be called again: 0 if now, -1 if no timer is
 * set. May be early (a cascade of the wheel is due), never late by more than a tick. */
int64_t timers_next(const struct timers *ts, int64_t now_ns);

/* Fires what is due at @now_ns, in order of ticks (of one tick: in any order). A timer that a
 * callback sets for a time that has passed fires in the next call, not in this one: the call is
 * bounded by the timers that are set when it begins, however far time has jumped. @now_ns never
 * goes back; the call does not nest. */
void timers_run(struct timers *ts, int64_t now_ns);

#endif
