/* SPDX-License-Identifier: MIT
 * test_worker_turn: deadlines of a process that did not run for a while, or could not look.
 */
#include "echo/net/worker.h"

#include "echo/base/base.h"
#include "echo/base/clock.h"

#include "fake_backend.h"
#include "suites.h"

enum { LATE_CONNS = 4 };

static struct backend_ops late_backend;
static struct conn *late_conns[LATE_CONNS];
static unsigned late_answers; /* that lie in the sockets */

static void start_and_await_answers(struct worker *w)
{
	for (unsigned i = 0; i < LATE_CONNS; i++) {
		late_conns[i] = fake_dial();
		ck_assert_ptr_nonnull(late_conns[i]);
		conn_opened(late_conns[i]);
		conn_deadline(late_conns[i], w->now_ns + MSEC(20));
	}
}

static enum conn_action answered(struct conn *c, const void *span, size_t len)
{
	(void)span;
	(void)len;
	conn_deadline(c, 0);
	return CONN_NOTHING;
}

/* The first turn is overtaken by a pause in which all deadlines pass; each of the next ones brings
 * one of the answers that arrived meanwhile. */
static int turn_after_a_pause(struct worker *w, int64_t wait_ns)
{
	(void)wait_ns;
	if (fake.turns++ == 0)
		clock_sleep_until(w->now_ns + MSEC(100));
	w->now_ns = clock_now_ns();
	if (fake.turns == 1)
		return 0;
	w->found = late_answers > 0;
	if (late_answers > 0)
		(void)conn_data(late_conns[--late_answers], "x", 1);
	else
		worker_stop(w, WORKER_CLOSE);
	return 0;
}

static void expired_of_late(struct conn *c)
{
	fake_role(c)->expired++;
	fake.stops += 100;
}

START_TEST(what_came_while_we_did_not_run_is_delivered_before_deadlines)
{
	late_backend = fake_backend;
	late_backend.turn = turn_after_a_pause;
	fake.config.backend = &late_backend;
	fake.role.start = start_and_await_answers;
	fake.role.data = answered;
	fake.role.expired = expired_of_late;
	late_answers = 2;
	ck_assert_int_eq(fake_start(), 0);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	/* two had no answer: the turn that finds nothing tells */
	ck_assert_uint_eq(fake.stops, 200 + 1);
}
END_TEST

/* Something comes in every turn. */
static int turn_that_is_always_busy(struct worker *w, int64_t wait_ns)
{
	(void)wait_ns;
	if (fake.turns++ == 0)
		clock_sleep_until(w->now_ns + MSEC(100));
	w->now_ns = clock_now_ns();
	w->found = true;
	return 0;
}

static struct conn *awaited; /* whose deadline ends the worker; NULL: any */

static void expired_and_done(struct conn *c)
{
	if (!awaited || c == awaited)
		worker_stop(c->worker, WORKER_CLOSE);
}

static unsigned turns_until_deadline(int (*turn)(struct worker *, int64_t))
{
	late_backend = fake_backend;
	late_backend.turn = turn;
	fake.config.backend = &late_backend;
	fake.role.start = start_and_await_answers;
	fake.role.expired = expired_and_done;
	ck_assert(fake_start() == 0 && worker_join(&fake.w) == 0);
	return fake.turns;
}

START_TEST(deadlines_do_not_wait_for_ever_where_something_always_comes)
{
	ck_assert_uint_lt(turns_until_deadline(turn_that_is_always_busy), 8);
}
END_TEST

/* And in every turn the backend learns that more is to come. */
static int turn_that_always_brings_news(struct worker *w, int64_t wait_ns)
{
	w->late_turns = 5;
	if (fake.turns == 1000)
		worker_stop(w, WORKER_QUIT);
	return turn_that_is_always_busy(w, wait_ns);
}

START_TEST(deadlines_do_not_wait_for_ever_where_more_is_always_to_come)
{
	ck_assert_uint_lt(turns_until_deadline(turn_that_always_brings_news), 12);
}
END_TEST

static int turn_that_cannot_look(struct worker *w, int64_t wait_ns)
{
	w->blind = fake.turns < 20;
	return turn_that_always_brings_news(w, wait_ns);
}

START_TEST(no_deadline_is_judged_by_turns_that_could_not_look)
{
	ck_assert_uint_gt(turns_until_deadline(turn_that_cannot_look), 20);
}
END_TEST

/* When deadlines have waited for long enough, there is a second pause, which overtakes others. */
static int turn_of_a_second_pause(struct worker *w, int64_t wait_ns)
{
	if (fake.turns == 7) {
		awaited = late_conns[0];
		conn_deadline(awaited, w->now_ns + MSEC(20));
		clock_sleep_until(w->now_ns + MSEC(100));
	}
	return turn_that_always_brings_news(w, wait_ns);
}

START_TEST(what_came_in_a_second_pause_is_delivered_before_its_deadlines)
{
	ck_assert_uint_gt(turns_until_deadline(turn_of_a_second_pause), 8 + 4);
}
END_TEST

static int turn_that_cannot_look_every_other_time(struct worker *w, int64_t wait_ns)
{
	w->blind = fake.turns % 2 == 0;
	return turn_that_always_brings_news(w, wait_ns);
}

static int turn_that_never_can_look(struct worker *w, int64_t wait_ns)
{
	w->blind = true;
	return turn_that_always_brings_news(w, wait_ns);
}

START_TEST(deadlines_do_not_wait_for_ever_for_turns_that_could_not_look)
{
	ck_assert_uint_lt(turns_until_deadline(turn_that_cannot_look_every_other_time), 200);
	fake_init_unprepared();
	ck_assert_uint_lt(turns_until_deadline(turn_that_never_can_look), 100);
}
END_TEST

Suite *worker_turn_suite(void)
{
	Suite *s = suite_create("worker_turn");
	TCase *tc = tcase_create("worker_turn");

	tcase_add_checked_fixture(tc, fake_init_unprepared, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_came_while_we_did_not_run_is_delivered_before_deadlines);
	tcase_add_test(tc, deadlines_do_not_wait_for_ever_where_something_always_comes);
	tcase_add_test(tc, deadlines_do_not_wait_for_ever_where_more_is_always_to_come);
	tcase_add_test(tc, no_deadline_is_judged_by_turns_that_could_not_look);
	tcase_add_test(tc, what_came_in_a_second_pause_is_delivered_before_its_deadlines);
	tcase_add_test(tc, deadlines_do_not_wait_for_ever_for_turns_that_could_not_look);
	suite_add_tcase(s, tc);
	return s;
}
