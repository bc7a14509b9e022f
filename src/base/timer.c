/* SPDX-License-Identifier: MIT
 * timer: a hierarchical timing wheel whose levels are the base-64 digits of the tick.
 *
 * A timer lies in the level of the highest digit in which its tick differs from the present one, in
 * the slot of that digit. So nothing wraps: everything in a level is due after everything in the
 * levels below, the lowest bit of the lowest level in use is the next event, and however far time
 * jumps, the work is that of the timers and slots in use. When a slot of a higher level is reached,
 * its timers move down (a cascade).
 *
 * What is due is first taken out into a list and only then fired: a callback may set or cancel any
 * timer, also one that waits in that list, and what it sets anew never fires in the same call.
 */
#include "echo/base/timer.h"

#include <assert.h>
#include <stddef.h>

#include "echo/base/base.h"

enum {
	TICK_NS = 1000000,
	DIGIT = 6, /* bits of the tick that one level looks at */
};

static_assert(TIMER_SLOTS == 1 << DIGIT, "a digit selects a slot");
static_assert(INT64_MAX / TICK_NS >> (DIGIT * TIMER_LEVELS) == 0, "the levels hold every tick");

/* A slot whose timers are due, or move down, at a tick. */
struct event {
	int64_t tick; /* INT64_MAX: no timer is set */
	unsigned level, slot;
};

void timers_init(struct timers *ts, int64_t now_ns)
{
	assert(now_ns >= 0);
	*ts = (struct timers){ .base_ns = now_ns };
}

/* The first tick that is not before @at_ns and was not left behind. */
static int64_t due_tick(const struct timers *ts, int64_t at_ns)
{
	/* the clock never comes there, and base_ns + tick * TICK_NS must not overflow */
	int64_t latest = INT64_MAX - TICK_NS;
	int64_t ns = at_ns < latest ? at_ns : latest;

	if (ns <= ts->base_ns + ts->tick * TICK_NS)
		return ts->tick;
	ns -= ts->base_ns;
	return ns / TICK_NS + (ns % TICK_NS != 0);
}

static void link_at(struct timer **head, struct timer *t)
{
	t->next = *head;
	t->link = head;
	if (t->next)
		t->next->link = &t->next;
	*head = t;
}

static void put(struct timers *ts, struct timer *t)
{
	int64_t tick = due_tick(ts, t->at_ns);
	uint64_t differs = (uint64_t)(tick ^ ts->tick) | 1;
	unsigned level = (63u - (unsigned)__builtin_clzll(differs)) / DIGIT;
	unsigned slot = (unsigned)(tick >> (DIGIT * level)) & (TIMER_SLOTS - 1);

	link_at(&ts->slots[level][slot], t);
	ts->used[level] |= 1ull << slot;
}

/* Takes @t out of its list; if that list was a slot that is empty now, its bit goes too. */
static void take(struct timers *ts, struct timer *t)
{
	struct timer **link = t->link;
	uintptr_t nth = ((uintptr_t)link - (uintptr_t)ts->slots) / sizeof(*link);

	*link = t->next;
	if (t->next)
		t->next->link = link;
	else if (nth < TIMER_LEVELS * TIMER_SLOTS) /* else @link is in a timer, or in timers_run */
		ts->used[nth / TIMER_SLOTS] &= ~(1ull << nth % TIMER_SLOTS);
	t->next = NULL;
	t->link = NULL;
}

void timer_set(struct timers *ts, struct timer *t, int64_t at_ns)
{
	assert(t->fire);
	timer_cancel(ts, t);
	t->at_ns = at_ns;
	put(ts, t);
	ts->count++;
	assert(timer_is_set(t));
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	if (!timer_is_set(t))
		return;
	assert(*t->link == t);
	assert(ts->count > 0);
	take(ts, t);
	ts->count--;
}

static struct event next_event(const struct timers *ts)
{
	struct event e = { .tick = INT64_MAX };

	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		unsigned shift = DIGIT * level;

		if (!ts->used[level])
			continue;
		e.level = level;
		e.slot = (unsigned)__builtin_ctzll(ts->used[level]);
		e.tick = (ts->tick >> shift >> DIGIT << DIGIT | (int64_t)e.slot) << shift;
		break;
	}
	assert(e.tick >= ts->tick);
	return e;
}

int64_t timers_next(const struct timers *ts, int64_t now_ns)
{
	struct event e = next_event(ts);

	if (e.tick == INT64_MAX)
		return -1;
	int64_t at_ns = ts->base_ns + e.tick * TICK_NS;

	return at_ns > now_ns ? at_ns - now_ns : 0;
}

static struct timer *empty_slot(struct timers *ts, const struct event *e)
{
	struct timer *first = ts->slots[e->level][e->slot];

	assert(first && first->link == &ts->slots[e->level][e->slot]);
	ts->slots[e->level][e->slot] = NULL;
	ts->used[e->level] &= ~(1ull << e->slot);
	return first;
}

static void cascade(struct timers *ts, struct timer *t)
{
	while (t) {
		struct timer *next = t->next;

		put(ts, t);
		t = next;
	}
}

/* Appends the list that begins with @t at *@end. Returns the new end. */
static struct timer **append(struct timer **end, struct timer *t)
{
	*end = t;
	t->link = end;
	while (t->next)
		t = t->next;
	return &t->next;
}

void timers_run(struct timers *ts, int64_t now_ns)
{
	struct timer *due = NULL, **end = &due;
	int64_t now = (now_ns - ts->base_ns) / TICK_NS;
	struct event e;

	assert(now_ns >= ts->base_ns && now >= ts->tick); /* the clock is monotonic */
	for (e = next_event(ts); e.tick <= now; e = next_event(ts)) {
		ts->tick = e.tick;
		if (e.level == 0)
			end = append(end, empty_slot(ts, &e));
		else
			cascade(ts, empty_slot(ts, &e));
	}
	ts->tick = now;
	while (due) {
		struct timer *t = due;

		assert(t->at_ns <= now_ns && ts->count > 0);
		timer_cancel(ts, t);
		t->fire(t, now_ns);
	}
}
