/* SPDX-License-Identifier: MIT
 * test_busy_poll: `auto` looks for events while that pays, in a model of a worker whose messages
 * take a time and CPU time that depend on whether it looks.
 */
#include "echo/base/base.h"
#include "echo/net/busy_poll.h"
#include "suites.h"

enum { BYTES = 64 };

/* What a message takes. */
struct way {
	int64_t ns, cpu_ns;
	bool finds; /* the look finds it before it is over */
};

struct load {
	struct way asleep, awake;
};

/* To be woken takes 20 us longer than to look; of the time a look takes all is CPU time. */
static const struct load one_connection = { { USEC(30), USEC(12), false },
					    { USEC(11), USEC(11), true } };
/* A message a millisecond, whatever the server does: a look is 50 us more for nothing. */
static const struct load sparse = { { MSEC(1), USEC(12), false }, { MSEC(1), USEC(62), false } };
/* Every 40 us: a look finds it, but the rate is the sender's. */
static const struct load paced = { { USEC(40), USEC(12), false }, { USEC(40), USEC(40), true } };
/* There is always something: no wait looks or sleeps. */
static const struct load saturated = { { USEC(5), USEC(5), false }, { USEC(5), USEC(5), true } };
/* Another process has the CPU for as long as it takes, when it is not given up. */
static const struct load contended = { { USEC(30), USEC(12), false },
				       { USEC(60), USEC(30), true } };
/* It gains a little, for more CPU time. */
static const struct load dear = { { USEC(30), USEC(12), false }, { USEC(20), USEC(20), true } };

static struct busy_poll b;
static int64_t now_ns, cpu_ns;
static uint64_t bytes;

static int64_t cpu_used(void)
{
	return cpu_ns;
}

/* Runs for @ns. Returns the time of it in which the worker looked. */
static int64_t run(const struct load *l, int64_t ns)
{
	const int64_t end_ns = now_ns + ns;
	int64_t looked_ns = 0;

	while (now_ns < end_ns) {
		const struct way *way = b.looking ? &l->awake : &l->asleep;

		if (b.looking)
			busy_poll_looked(&b, way->finds);
		looked_ns += way == &l->awake ? way->ns : 0;
		now_ns += way->ns;
		cpu_ns += way->cpu_ns;
		bytes += BYTES;
		busy_poll_turned(&b, now_ns, bytes, cpu_used);
	}
	return looked_ns;
}

static void begin(void)
{
	b = (struct busy_poll){ 0 };
	now_ns = SEC(1000);
	cpu_ns = SEC(1);
	bytes = 0;
}

START_TEST(it_looks_where_that_pays)
{
	ck_assert(!b.looks);
	(void)run(&one_connection, MSEC(200));
	ck_assert(b.looks);
	ck_assert_int_ge(run(&one_connection, SEC(60)), SEC(59));
}
END_TEST

static const struct load *const not_worth_it[] = { &sparse, &paced, &saturated, &contended, &dear };

START_TEST(it_sleeps_where_that_does_not_pay)
{
	(void)run(not_worth_it[_i], SEC(10));
	ck_assert(!b.looks);
	/* a trial has 10 ms of looking, every 6.4 s in the end */
	ck_assert_int_le(run(not_worth_it[_i], SEC(60)), MSEC(120));
}
END_TEST

START_TEST(it_stops_within_some_messages_when_the_load_is_another)
{
	(void)run(&one_connection, SEC(1));
	ck_assert(b.looks);
	ck_assert_int_le(run(&sparse, MSEC(50)), MSEC(18));
	ck_assert(!b.looks);
}
END_TEST

START_TEST(it_begins_again_when_the_load_comes_back)
{
	(void)run(&one_connection, SEC(1));
	(void)run(&sparse, SEC(60));
	ck_assert(!b.looks);
	(void)run(&one_connection, SEC(7));
	ck_assert(b.looks);
}
END_TEST

/* An hour without a message in the middle of a trial is no way's fault. */
START_TEST(a_gap_is_not_held_against_either_way)
{
	for (unsigned i = 0; i < 1000; i++) {
		begin();
		(void)run(&sparse, USEC(100) * i);
		now_ns += SEC(3600);
		(void)run(&sparse, SEC(1));
		ck_assert(!b.looks);
	}
}
END_TEST

Suite *busy_poll_suite(void)
{
	Suite *s = suite_create("busy_poll");
	TCase *c = tcase_create("model");

	tcase_add_checked_fixture(c, begin, NULL);
	tcase_add_test(c, it_looks_where_that_pays);
	tcase_add_loop_test(c, it_sleeps_where_that_does_not_pay, 0, ARRAY_LEN(not_worth_it));
	tcase_add_test(c, it_stops_within_some_messages_when_the_load_is_another);
	tcase_add_test(c, it_begins_again_when_the_load_comes_back);
	tcase_add_test(c, a_gap_is_not_held_against_either_way);
	suite_add_tcase(s, c);
	return s;
}
