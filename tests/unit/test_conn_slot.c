/* SPDX-License-Identifier: MIT
 * test_conn_slot: slots, tokens and limits of a worker's connections, and their deadlines.
 */
#include "echo/net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"

#include "fake_backend.h"
#include "suites.h"

static uint64_t counted(enum cause cause)
{
	return stats_get(&fake.w.stats.closed[cause]);
}

START_TEST(a_slot_is_not_reused_while_an_operation_names_it)
{
	struct conn *c = fake_accept(), *next;
	uint64_t token = conn_token(c, 7);

	c->inflight = 2;
	conn_close(c, CAUSE_EOF);
	fake_turn(1);
	ck_assert_uint_eq(fake_conn(c)->closes, 1);
	ck_assert_uint_eq(fake.closed, 0);
	ck_assert_ptr_eq(conn_find(&fake.w, token), c); /* its completions find it */
	for (int i = 0; i < FAKE_SLOTS - 2; i++)
		ck_assert_ptr_ne(fake_accept(), c);
	c->inflight = 1;
	fake_turn(2);
	ck_assert_uint_eq(fake.closed, 0);
	c->inflight = 0;
	conn_release(c);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_ptr_null(conn_find(&fake.w, token));
	next = fake_accept();
	ck_assert_ptr_eq(next, c);
	ck_assert_ptr_null(conn_find(&fake.w, token));
	ck_assert_uint_eq(fake_conn(next)->closes, 0); /* its bytes are zeroed */
	ck_assert_uint_eq(fake_role(next)->closed, 0);
}
END_TEST

START_TEST(what_is_in_flight_when_the_backend_has_gone_holds_nobody)
{
	struct conn *c = fake_accept();

	fake_accept();
	c->inflight = 3;
	conn_close(c, CAUSE_SHUTDOWN);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 0);
	conn_abandon(&fake.w);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_uint_eq(fake.w.live, 1);
	conn_abandon(&fake.w);
	ck_assert_uint_eq(fake.closed, 1);
}
END_TEST

START_TEST(tokens_carry_op_slot_and_generation)
{
	struct conn *c = fake_accept();
	uint64_t token = conn_token(c, 255);

	ck_assert_uint_eq(conn_token_op(token), 255);
	ck_assert_ptr_eq(conn_find(&fake.w, token), c);
	ck_assert_ptr_null(conn_find(&fake.w, token + 1));            /* never used */
	ck_assert_ptr_null(conn_find(&fake.w, token + FAKE_SLOTS));   /* no slot */
	ck_assert_ptr_null(conn_find(&fake.w, token + (1ull << 32))); /* another generation */
	conn_close(c, CAUSE_EOF);
	ck_assert_ptr_null(conn_find(&fake.w, token)); /* nothing in flight: events are stale */
	fake_turn(1);
	ck_assert_ptr_null(conn_find(&fake.w, token));
}
END_TEST

START_TEST(generations_go_round_without_confusion)
{
	struct conn *c = fake_accept();

	c->gen = (1u << 24) - 1;
	uint64_t token = conn_token(c, 0);

	conn_close(c, CAUSE_EOF);
	fake_turn(1);
	c = fake_accept();
	ck_assert_uint_eq(c->gen, 0);
	ck_assert_ptr_null(conn_find(&fake.w, token));
	ck_assert_ptr_eq(conn_find(&fake.w, conn_token(c, 0)), c);
}
END_TEST

START_TEST(one_that_is_closing_leaves_its_place)
{
	struct conn *c[FAKE_MAX_CONNS];

	for (unsigned i = 0; i < FAKE_MAX_CONNS; i++)
		c[i] = fake_accept();
	conn_close(c[1], CAUSE_EOF);
	ck_assert_ptr_nonnull(fake_accept());
	fake_turn(1);
	ck_assert_uint_eq(counted(CAUSE_SHED), 0);
	ck_assert_uint_eq(counted(CAUSE_EOF), 1);
	fake_check_balance();
}
END_TEST

START_TEST(the_limit_is_for_all_workers)
{
	int fd = dup(STDERR_FILENO);

	atomic_store(&fake.conns, FAKE_MAX_CONNS);
	ck_assert_ptr_null(shed_accept(&fake.w, fd)); /* this worker has none that could end */
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	ck_assert_uint_eq(counted(CAUSE_SHED), 1);
	ck_assert_uint_eq(atomic_load(&fake.conns), FAKE_MAX_CONNS);
	atomic_store(&fake.conns, 0);
}
END_TEST

START_TEST(without_a_free_slot_it_is_shed_too)
{
	struct conn *c[FAKE_SLOTS];

	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		c[i] = fake_dial();
	ck_assert_ptr_null(fake_dial());
	ck_assert_ptr_null(fake_accept());
	ck_assert_uint_eq(counted(CAUSE_SHED), 1);
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		conn_close(c[i], CAUSE_TIMEOUT_CONNECT);
	fake_turn(1);
	ck_assert_uint_eq(counted(CAUSE_TIMEOUT_CONNECT), 0); /* none of them was open */
	ck_assert_uint_eq(fake.closed, FAKE_SLOTS);
}
END_TEST

START_TEST(a_dialed_connection_counts_when_it_is_open)
{
	struct conn *c = fake_dial();

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(fake_conn(c)->dials, 1);
	ck_assert_uint_eq(stats_get(&fake.w.stats.opened), 0);
	conn_opened(c);
	ck_assert_uint_eq(fake_role(c)->opened, 1);
	ck_assert_uint_eq(stats_get(&fake.w.stats.opened), 1);
	conn_close(c, CAUSE_FINISHED);
	fake_turn(1);
	ck_assert_uint_eq(counted(CAUSE_FINISHED), 1);
}
END_TEST

START_TEST(an_attempt_that_fails_is_closed_and_was_never_open)
{
	struct conn *c = fake_dial();

	conn_fail(c, ECONNREFUSED);
	ck_assert(!c->opened);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_uint_eq(fake.last.opened, 0);
	ck_assert_int_eq(fake.last.cause, CAUSE_REFUSED);
	ck_assert_uint_eq(counted(CAUSE_REFUSED), 0);
}
END_TEST

START_TEST(an_attempt_that_fails_at_once_is_heard_of_later)
{
	struct addr nowhere = { .len = sizeof(nowhere.ss) };
	struct conn *c;

	nowhere.ss.ss_family = AF_UNIX; /* bind and connect do not fit */
	c = conn_dial(&fake.w, &nowhere, NULL);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(fake.closed, 0);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 1);
}
END_TEST

START_TEST(a_deadline_that_moves_forward_sets_no_timer)
{
	struct conn *c = fake_accept();
	int64_t now = fake.w.now_ns;

	conn_deadline(c, now + MSEC(10));
	int64_t armed = c->timer.at_ns;

	for (int i = 1; i <= 5; i++)
		conn_deadline(c, now + MSEC(10) + MSEC(10) * i);
	ck_assert_int_eq(c->timer.at_ns, armed);
	fake_turn(MSEC(15)); /* fires, finds that it is early, is set anew */
	ck_assert_uint_eq(fake_role(c)->expired, 0);
	ck_assert_int_eq(c->timer.at_ns, now + MSEC(60));
	fake_turn(MSEC(59));
	ck_assert_uint_eq(fake_role(c)->expired, 0);
	fake_turn(MSEC(62));
	ck_assert_uint_eq(fake_role(c)->expired, 1);
	fake_turn(SEC(1));
	ck_assert_uint_eq(fake_role(c)->expired, 1);
}
END_TEST

START_TEST(a_deadline_that_moves_back_counts)
{
	struct conn *c = fake_accept();
	int64_t now = fake.w.now_ns;

	conn_deadline(c, now + SEC(10));
	conn_deadline(c, now + MSEC(20));
	fake_turn(MSEC(22));
	ck_assert_uint_eq(fake_role(c)->expired, 1);
}
END_TEST

START_TEST(a_deadline_that_was_taken_away_does_not_come)
{
	struct conn *c = fake_accept();
	int64_t now = fake.w.now_ns;

	conn_deadline(c, now + MSEC(10));
	conn_deadline(c, 0);
	fake_turn(MSEC(20));
	ck_assert_uint_eq(fake_role(c)->expired, 0);
	conn_deadline(c, now + MSEC(30));
	conn_close(c, CAUSE_EOF);
	fake_turn(MSEC(40));
	ck_assert_uint_eq(fake.last.expired, 0);
	ck_assert_uint_eq(fake.w.timers.count, 0);
}
END_TEST

START_TEST(there_may_be_more_slots_than_it_began_with)
{
	enum { MANY = 300 };
	struct conn *first, *last = NULL;

	fake_fini();
	fake.config.slots_max = MANY;
	fake.config.max_conns = MANY;
	ck_assert_int_eq(worker_init(&fake.w), 0);
	first = fake_accept();
	ck_assert_int_eq(conn_table_grow(&fake.w, 2 * MANY), -ENOMEM);
	ck_assert_int_eq(conn_table_grow(&fake.w, MANY), 0);
	ck_assert_int_eq(conn_table_grow(&fake.w, 1), 0); /* no fewer */
	for (int i = 1; i < MANY; i++) {
		last = fake_accept();
		ck_assert_ptr_nonnull(last);
		ck_assert_ptr_ne(last, first);
	}
	ck_assert_ptr_null(conn_adopt(&fake.w, -1));
	ck_assert_ptr_eq(conn_find(&fake.w, conn_token(first, 0)), first);
	ck_assert_ptr_eq(conn_find(&fake.w, conn_token(last, 0)), last);
	ck_assert_uint_eq(last->slot, MANY - 1);
}
END_TEST

START_TEST(without_room_for_more_slots_there_are_none)
{
	ck_assert_int_eq(conn_table_grow(&fake.w, 100000), -ENOMEM);
	ck_assert_uint_eq(fake.w.table.capacity, FAKE_SLOTS);
	fake_accept();
}
END_TEST

static TCase *slots_case(void)
{
	TCase *tc = tcase_create("slots");

	tcase_add_test(tc, a_slot_is_not_reused_while_an_operation_names_it);
	tcase_add_test(tc, what_is_in_flight_when_the_backend_has_gone_holds_nobody);
	tcase_add_test(tc, tokens_carry_op_slot_and_generation);
	tcase_add_test(tc, generations_go_round_without_confusion);
	tcase_add_test(tc, one_that_is_closing_leaves_its_place);
	tcase_add_test(tc, there_may_be_more_slots_than_it_began_with);
	tcase_add_test(tc, without_room_for_more_slots_there_are_none);
	tcase_add_test(tc, the_limit_is_for_all_workers);
	tcase_add_test(tc, without_a_free_slot_it_is_shed_too);
	tcase_add_test(tc, a_dialed_connection_counts_when_it_is_open);
	tcase_add_test(tc, an_attempt_that_fails_is_closed_and_was_never_open);
	tcase_add_test(tc, an_attempt_that_fails_at_once_is_heard_of_later);
	return tc;
}

static TCase *deadlines_case(void)
{
	TCase *tc = tcase_create("deadlines");

	tcase_add_test(tc, a_deadline_that_moves_forward_sets_no_timer);
	tcase_add_test(tc, a_deadline_that_moves_back_counts);
	tcase_add_test(tc, a_deadline_that_was_taken_away_does_not_come);
	return tc;
}

Suite *conn_slot_suite(void)
{
	Suite *s = suite_create("conn_slot");
	TCase *cases[] = { slots_case(), deadlines_case() };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tcase_add_checked_fixture(cases[i], fake_init, fake_fini_balanced);
		suite_add_tcase(s, cases[i]);
	}
	return s;
}
