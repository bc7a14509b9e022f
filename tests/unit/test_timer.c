/* SPDX-License-Identifier: MIT
 * test_timer: the wheel against a table of when every timer is due, over times up to years; and the
 * ways in which callbacks may change what is due with them.
 */
#include "echo/base/timer.h"

#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

#include "suites.h"

enum { TIMERS = 100, ROUNDS = 10000, NEVER = -1 };

static const int64_t tick_ns = MSEC(1), start_ns = SEC(1000) + 123456;

struct entry {
	struct timer t;
	int64_t tick; /* in which it is due, NEVER when not set */
	bool fresh;   /* set by a callback of the present run */
};

static struct timers ts;
static struct entry entries[TIMERS];
static int64_t now, last_tick;
static uint64_t seed;
static unsigned fired;

/* A cheap assertion: Check's own writes a message each time, and these come by the million. */
static void must(bool ok, const char *what)
{
	if (!ok)
		ck_abort_msg("after %u timers: %s", fired, what);
}

static int64_t tick_of(int64_t at_ns)
{
	int64_t ns = at_ns - start_ns;

	return ns <= 0 ? 0 : (ns + tick_ns - 1) / tick_ns;
}

/* Anything from nanoseconds to 2^@bits of them. */
static int64_t random_ns(unsigned bits)
{
	return (int64_t)(rng_next(&seed) >> (64 - rng_below(&seed, bits) - 1));
}

static void count_fired(struct timer *t, int64_t now_ns)
{
	must(now_ns >= t->at_ns, "fired early");
	must(!timer_is_set(t), "set while it fires");
	fired++;
}

static void setup(void)
{
	memset(entries, 0, sizeof(entries));
	for (size_t i = 0; i < TIMERS; i++)
		entries[i] = (struct entry){ .t.fire = count_fired, .tick = NEVER };
	now = start_ns;
	fired = 0;
	seed = 1;
	timers_init(&ts, now);
}

static void entry_set(struct entry *e)
{
	int64_t at = rng_below(&seed, 8) == 0 ? now - random_ns(40) : now + random_ns(57);
	int64_t tick = tick_of(at), floor = (now - start_ns) / tick_ns;

	timer_set(&ts, &e->t, at);
	e->tick = tick > floor ? tick : floor;
}

static void random_change(bool fresh)
{
	struct entry *e = &entries[rng_below(&seed, TIMERS)];

	if (rng_below(&seed, 3) == 0) {
		timer_cancel(&ts, &e->t);
		e->tick = NEVER;
	} else {
		entry_set(e);
		e->fresh = fresh;
	}
}

static void fire_and_change(struct timer *t, int64_t now_ns)
{
	struct entry *e = container_of(t, struct entry, t);

	count_fired(t, now_ns);
	must(now_ns == now, "fired at another time");
	must(e->tick != NEVER, "fired though not set");
	must(!e->fresh, "fired in the run that set it");
	must(e->tick >= last_tick, "fired out of order");
	last_tick = e->tick;
	e->tick = NEVER;
	for (uint64_t n = rng_below(&seed, 3); n > 0; n--)
		random_change(true);
}

static int64_t earliest(void)
{
	int64_t tick = INT64_MAX;

	for (size_t i = 0; i < TIMERS; i++)
		if (entries[i].tick != NEVER && entries[i].tick < tick)
			tick = entries[i].tick;
	return tick;
}

/* timers_next is never later than the earliest due tick, and -1 only if there is none. */
static void check_next(void)
{
	int64_t tick = earliest(), next = timers_next(&ts, now);
	int64_t exact = tick == INT64_MAX ? -1 : start_ns + tick * tick_ns - now;

	must((next == -1) == (tick == INT64_MAX), "next knows whether a timer is set");
	must(next <= (tick != INT64_MAX && exact < 0 ? 0 : exact), "next is too late");
}

static void run(void)
{
	unsigned set = 0;

	last_tick = 0;
	for (size_t i = 0; i < TIMERS; i++)
		entries[i].fresh = false;
	timers_run(&ts, now);
	for (size_t i = 0; i < TIMERS; i++) {
		struct entry *e = &entries[i];
		bool expected = e->tick != NEVER;

		must(timer_is_set(&e->t) == expected, "not set as the table says");
		must(!expected || e->fresh || e->t.at_ns > now - tick_ns, "a tick late");
		set += expected;
	}
	must(ts.count == set, "count is wrong");
}

START_TEST(any_sets_and_cancels_fire_on_their_tick_and_in_order)
{
	for (size_t i = 0; i < TIMERS; i++)
		entries[i].t.fire = fire_and_change;
	seed = (uint64_t)_i;
	for (int i = 0; i < ROUNDS; i++) {
		for (uint64_t n = rng_below(&seed, 4); n > 0; n--)
			random_change(false);
		check_next();
		int64_t next = timers_next(&ts, now);
		bool exactly = next >= 0 && rng_below(&seed, 2) == 0;

		/* about an hour at most, so that all rounds end within the int64_t */
		now += exactly ? next : random_ns(rng_below(&seed, 50) == 0 ? 52 : 41);
		run();
		check_next();
	}
	ck_assert_uint_gt(fired, ROUNDS / 10);
}
END_TEST

START_TEST(a_timer_never_fires_early_and_at_most_a_tick_late)
{
	static const int64_t delays[] = { 0,        1,        MSEC(1) - 1, MSEC(1),  MSEC(1) + 1,
					  MSEC(63), MSEC(64), MSEC(65),    SEC(4),   SEC(5),
					  SEC(262), SEC(300), SEC(86400),  1ll << 55 };
	int64_t at = now + delays[_i];

	timer_set(&ts, &entries[0].t, at);
	while (fired == 0) {
		int64_t next = timers_next(&ts, now);

		ck_assert_int_ge(next, 0);
		if (next > 0) { /* a moment before it nothing may happen */
			timers_run(&ts, now + next - 1);
			ck_assert_uint_eq(fired, 0);
		}
		now += next;
		timers_run(&ts, now);
	}
	ck_assert_int_ge(now, at);
	ck_assert_int_lt(now, at + tick_ns);
	ck_assert_int_eq(timers_next(&ts, now), -1);
}
END_TEST

START_TEST(a_time_in_the_past_fires_at_the_next_run)
{
	now += SEC(10) + 7;
	timers_run(&ts, now);
	timer_set(&ts, &entries[0].t, now - SEC(3));
	timer_set(&ts, &entries[1].t, 0);
	timer_set(&ts, &entries[2].t, INT64_MIN);
	ck_assert_int_eq(timers_next(&ts, now), 0);
	timers_run(&ts, now);
	ck_assert_uint_eq(fired, 3);
}
END_TEST

START_TEST(a_jump_of_a_century_costs_only_the_timers)
{
	for (size_t i = 0; i < TIMERS; i++)
		timer_set(&ts, &entries[i].t, now + (1ll << (i * 62 / TIMERS)));
	now += SEC(100ll * 365 * 86400); /* tick by tick this would not end */
	timers_run(&ts, now);
	ck_assert_uint_ge(fired, TIMERS * 9 / 10);
	ck_assert_uint_eq(fired + ts.count, TIMERS);
	now = INT64_MAX - tick_ns;
	timers_run(&ts, now);
	ck_assert_uint_eq(ts.count, 0);
}
END_TEST

START_TEST(a_timer_at_the_end_of_time_waits_and_can_be_cancelled)
{
	timer_set(&ts, &entries[0].t, INT64_MAX);
	ck_assert_int_gt(timers_next(&ts, now), 0);
	timers_run(&ts, now + SEC(86400));
	ck_assert_uint_eq(fired, 0);
	timer_cancel(&ts, &entries[0].t);
	ck_assert_int_eq(timers_next(&ts, now), -1);
}
END_TEST

static void rearm_in_the_past(struct timer *t, int64_t now_ns)
{
	fired++;
	timer_set(&ts, t, now_ns - SEC(1));
}

START_TEST(a_timer_that_rearms_itself_in_the_past_fires_once_a_run)
{
	entries[0].t.fire = rearm_in_the_past;
	timer_set(&ts, &entries[0].t, now);
	for (unsigned i = 1; i <= 5; i++) {
		timers_run(&ts, now);
		ck_assert_uint_eq(fired, i);
		ck_assert_int_eq(timers_next(&ts, now), 0);
		now += i == 3 ? SEC(1000) : 0;
	}
}
END_TEST

static struct entry *heap[3]; /* timers of one tick, the first to fire frees the others */

static void free_the_others(struct timer *t, int64_t now_ns)
{
	(void)now_ns;
	fired++;
	for (size_t i = 0; i < ARRAY_LEN(heap); i++) {
		timer_cancel(&ts, &heap[i]->t);
		if (&heap[i]->t != t)
			free(heap[i]);
	}
	free(container_of(t, struct entry, t));
}

START_TEST(a_callback_may_cancel_and_free_what_is_due_with_it)
{
	for (size_t i = 0; i < ARRAY_LEN(heap); i++) {
		heap[i] = calloc(1, sizeof(*heap[i]));
		ck_assert_ptr_nonnull(heap[i]);
		heap[i]->t.fire = free_the_others;
		/* _i 0: one tick; 1: three ticks of one run; 2: through a cascade */
		timer_set(&ts, &heap[i]->t, now + (_i == 1 ? MSEC(i) : 0) + (_i == 2 ? SEC(9) : 0));
	}
	now += SEC(10);
	timers_run(&ts, now);
	ck_assert_uint_eq(fired, 1);
	ck_assert_uint_eq(ts.count, 0);
	ck_assert_int_eq(timers_next(&ts, now), -1);
}
END_TEST

static void postpone_the_others(struct timer *t, int64_t now_ns)
{
	fired++;
	for (size_t i = 0; i < TIMERS; i++)
		if (&entries[i].t != t && timer_is_set(&entries[i].t))
			timer_set(&ts, &entries[i].t, now_ns + MSEC(1));
}

START_TEST(a_callback_may_move_what_is_due_with_it)
{
	for (size_t i = 0; i < TIMERS; i++) {
		entries[i].t.fire = postpone_the_others;
		timer_set(&ts, &entries[i].t, now);
	}
	for (unsigned i = 1; i <= TIMERS; i++) {
		timers_run(&ts, now);
		ck_assert_uint_eq(fired, i);
		now += MSEC(2);
	}
	ck_assert_uint_eq(ts.count, 0);
}
END_TEST

START_TEST(cancelling_twice_or_what_was_never_set_is_nothing)
{
	timer_cancel(&ts, &entries[0].t);
	timer_set(&ts, &entries[0].t, now + SEC(1));
	timer_set(&ts, &entries[0].t, now + SEC(2));
	ck_assert_uint_eq(ts.count, 1);
	timer_cancel(&ts, &entries[0].t);
	timer_cancel(&ts, &entries[0].t);
	ck_assert_uint_eq(ts.count, 0);
	timers_run(&ts, now + SEC(3));
	ck_assert_uint_eq(fired, 0);
}
END_TEST

Suite *timer_suite(void)
{
	Suite *s = suite_create("timer");
	TCase *tc = tcase_create("timer");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, any_sets_and_cancels_fire_on_their_tick_and_in_order, 0, 4);
	tcase_add_loop_test(tc, a_timer_never_fires_early_and_at_most_a_tick_late, 0, 14);
	tcase_add_test(tc, a_time_in_the_past_fires_at_the_next_run);
	tcase_add_test(tc, a_jump_of_a_century_costs_only_the_timers);
	tcase_add_test(tc, a_timer_at_the_end_of_time_waits_and_can_be_cancelled);
	tcase_add_test(tc, a_timer_that_rearms_itself_in_the_past_fires_once_a_run);
	tcase_add_loop_test(tc, a_callback_may_cancel_and_free_what_is_due_with_it, 0, 3);
	tcase_add_test(tc, a_callback_may_move_what_is_due_with_it);
	tcase_add_test(tc, cancelling_twice_or_what_was_never_set_is_nothing);
	suite_add_tcase(s, tc);
	return s;
}
