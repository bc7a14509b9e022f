/* SPDX-License-Identifier: MIT
 * test_conn: the life of connections, on a backend that does what the test says.
 */
#include "echo/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "echo/addr.h"
#include "echo/base.h"

#include "fake_backend.h"
#include "suites.h"

static uint64_t counted(enum fail why)
{
	return stats_get(&fake.w.stats.closed[why]);
}

/* Every connection that was ever open is open still, or closed for one cause. */
static void check_balance(void)
{
	uint64_t closed = 0;

	for (unsigned i = 0; i < FAIL_COUNT; i++)
		closed += counted((enum fail)i);
	ck_assert_uint_eq(stats_get(&fake.w.stats.opened), stats_get(&fake.w.stats.open) + closed);
	ck_assert_uint_eq(stats_get(&fake.w.stats.open), atomic_load(&fake.conns));
}

static void teardown(void)
{
	check_balance();
	fake_fini();
}

static struct conn *dial(void)
{
	struct addr to;

	ck_assert_int_eq(addr_parse(&to, "127.0.0.1:1"), 0);
	return conn_dial(&fake.w, &to, NULL);
}

START_TEST(closed_comes_once_and_the_first_cause_wins)
{
	struct conn *c = fake_accept();

	ck_assert_uint_eq(fake_role(c)->opened, 1);
	conn_fail(c, ECONNRESET);
	conn_close(c, FAIL_EOF);
	conn_abort(c, FAIL_CORRUPT);
	conn_fail(c, EPIPE);
	ck_assert_uint_eq(fake.closed, 0); /* callbacks do not nest */
	fake_turn(1);
	fake_turn(2);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_int_eq(fake.last.why, FAIL_RESET);
	ck_assert_int_eq(fake.last.err, ECONNRESET);
	ck_assert_uint_eq(counted(FAIL_RESET), 1);
	ck_assert_uint_eq(fake.w.live, 0);
}
END_TEST

START_TEST(a_later_abort_does_not_make_a_close_a_reset)
{
	struct conn *c = fake_accept();

	conn_close(c, FAIL_EOF);
	conn_abort(c, FAIL_CORRUPT);
	ck_assert(!c->abort);
	fake_turn(1);

	c = fake_accept();
	conn_abort(c, FAIL_CORRUPT);
	ck_assert(c->abort);
	fake_turn(2);
}
END_TEST

START_TEST(connections_end_in_the_order_in_which_they_were_closed)
{
	struct conn *c[3];
	static const enum fail why[] = { FAIL_EOF, FAIL_SHUTDOWN, FAIL_RESET };
	static const unsigned order[] = { 2, 0, 1 };

	for (unsigned i = 0; i < 3; i++)
		c[i] = fake_accept();
	for (unsigned i = 0; i < 3; i++)
		conn_close(c[order[i]], why[i]);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 3);
	ck_assert_int_eq(fake.last.why, why[2]);
}
END_TEST

START_TEST(its_descriptor_is_open_until_the_role_has_heard_of_the_end)
{
	struct conn *c = fake_accept();
	int fd = c->fd;

	conn_close(c, FAIL_EOF);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	fake_turn(1);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}
END_TEST

START_TEST(a_slot_is_not_reused_while_an_operation_names_it)
{
	struct conn *c = fake_accept(), *next;
	uint64_t token = conn_token(c, 7);

	c->inflight = 2;
	conn_close(c, FAIL_EOF);
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
	conn_close(c, FAIL_SHUTDOWN);
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
	conn_close(c, FAIL_EOF);
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

	conn_close(c, FAIL_EOF);
	fake_turn(1);
	c = fake_accept();
	ck_assert_uint_eq(c->gen, 0);
	ck_assert_ptr_null(conn_find(&fake.w, token));
	ck_assert_ptr_eq(conn_find(&fake.w, conn_token(c, 0)), c);
}
END_TEST

START_TEST(one_over_the_limit_is_shed_and_counted)
{
	struct conn *c[FAKE_MAX_CONNS];
	int fd;

	for (unsigned i = 0; i < FAKE_MAX_CONNS; i++)
		c[i] = fake_accept();
	fd = dup(STDERR_FILENO);
	ck_assert_ptr_null(conn_accept(&fake.w, fd));
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	ck_assert_uint_eq(counted(FAIL_SHED), 1);
	check_balance();
	conn_close(c[1], FAIL_EOF);
	ck_assert_ptr_null(fake_accept()); /* it still counts */
	fake_turn(1);
	ck_assert_ptr_nonnull(fake_accept());
	ck_assert_uint_eq(counted(FAIL_SHED), 2);
}
END_TEST

START_TEST(the_limit_is_for_all_workers)
{
	atomic_store(&fake.conns, FAKE_MAX_CONNS);
	ck_assert_ptr_null(fake_accept());
	ck_assert_uint_eq(atomic_load(&fake.conns), FAKE_MAX_CONNS);
	atomic_store(&fake.conns, 0);
}
END_TEST

START_TEST(without_a_free_slot_it_is_shed_too)
{
	struct conn *c[FAKE_SLOTS];

	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		c[i] = dial();
	ck_assert_ptr_null(dial());
	ck_assert_ptr_null(fake_accept());
	ck_assert_uint_eq(counted(FAIL_SHED), 1);
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		conn_close(c[i], FAIL_TIMEOUT_CONNECT);
	fake_turn(1);
	ck_assert_uint_eq(counted(FAIL_TIMEOUT_CONNECT), 0); /* none of them was open */
	ck_assert_uint_eq(fake.closed, FAKE_SLOTS);
}
END_TEST

START_TEST(a_dialed_connection_counts_when_it_is_open)
{
	struct conn *c = dial();

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(fake_conn(c)->dials, 1);
	ck_assert_uint_eq(stats_get(&fake.w.stats.opened), 0);
	conn_opened(c);
	ck_assert_uint_eq(fake_role(c)->opened, 1);
	ck_assert_uint_eq(stats_get(&fake.w.stats.opened), 1);
	conn_close(c, FAIL_FINISHED);
	fake_turn(1);
	ck_assert_uint_eq(counted(FAIL_FINISHED), 1);
}
END_TEST

START_TEST(an_attempt_that_fails_is_closed_and_was_never_open)
{
	struct conn *c = dial();

	conn_fail(c, ECONNREFUSED);
	ck_assert(!c->opened);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_uint_eq(fake.last.opened, 0);
	ck_assert_int_eq(fake.last.why, FAIL_REFUSED);
	ck_assert_uint_eq(counted(FAIL_REFUSED), 0);
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
	conn_close(c, FAIL_EOF);
	fake_turn(MSEC(40));
	ck_assert_uint_eq(fake.last.expired, 0);
	ck_assert_uint_eq(fake.w.timers.count, 0);
}
END_TEST

START_TEST(shutdown_without_unsent_bytes_sends_fin_at_once)
{
	struct conn *c = fake_accept();

	conn_shutdown(c, FAIL_EOF);
	conn_shutdown(c, FAIL_RESET);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 1);
	ck_assert_int_eq(c->state, CONN_OPEN); /* the peer's FIN is missing */
	conn_eof(c);
	ck_assert_uint_eq(fake_role(c)->eof, 0);
	fake_turn(1);
	ck_assert_int_eq(fake.last.why, FAIL_EOF);
}
END_TEST

/* Shuts a connection with something unsent: FIN only when that has gone. */
static void check_shutdown_waits(struct conn *c, size_t *left)
{
	conn_shutdown(c, FAIL_EOF);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	*left = 0;
	conn_drained(c);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 1);
	ck_assert_uint_eq(fake_role(c)->drained, 0);
	conn_eof(c);
	fake_turn(1);
	ck_assert_int_eq(fake.last.why, FAIL_EOF);
}

START_TEST(shutdown_waits_for_queued_bytes)
{
	struct conn *c = fake_accept();
	char byte = 1;

	ck_assert_int_eq(unsent_push(&fake.w.pool, &c->out, &byte, 1), 0);
	conn_shutdown(c, FAIL_EOF);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	unsent_pop(&fake.w.pool, &c->out, 1);
	conn_drained(c);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 1);
	conn_close(c, FAIL_EOF);
	fake_turn(1);
}
END_TEST

START_TEST(shutdown_waits_for_fed_bytes)
{
	struct conn *c = fake_accept();

	conn_feed(c, "x", 1);
	ck_assert_uint_eq(fake_conn(c)->feeds, 1);
	ck_assert(!conn_fed(c));
	check_shutdown_waits(c, &c->feed_len);
}
END_TEST

START_TEST(shutdown_waits_for_lent_bytes)
{
	struct conn *c = fake_accept();

	c->lent_len = 5;
	ck_assert_uint_eq(conn_unsent(c), 5);
	check_shutdown_waits(c, &c->lent_len);
}
END_TEST

START_TEST(after_the_peers_fin_close_alone_sends_ours)
{
	struct conn *c = fake_accept();

	conn_eof(c);
	ck_assert_uint_eq(fake_role(c)->eof, 1);
	ck_assert_int_eq(c->state, CONN_OPEN); /* the end of input is no close */
	conn_shutdown(c, FAIL_EOF);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	fake_turn(1);
	ck_assert_int_eq(fake.last.why, FAIL_EOF);
}
END_TEST

START_TEST(after_shutdown_data_is_counted_and_dropped)
{
	struct conn *c = fake_accept();

	conn_data(c, "abc", 3);
	conn_pause(c, true);
	conn_shutdown(c, FAIL_SHUTDOWN);
	ck_assert_uint_eq(fake_conn(c)->pauses, 2); /* reading goes on */
	conn_data(c, "abcd", 4);
	conn_pause(c, true);
	ck_assert_uint_eq(fake_conn(c)->pauses, 2);
	ck_assert_uint_eq(fake_role(c)->data, 1);
	ck_assert_uint_eq(c->received, 7);
	ck_assert_uint_eq(stats_get(&fake.w.stats.bytes_in), 7);
}
END_TEST

START_TEST(pause_tells_the_backend_of_changes_only)
{
	struct conn *c = fake_accept();

	conn_pause(c, false);
	conn_pause(c, true);
	conn_pause(c, true);
	ck_assert_uint_eq(fake_conn(c)->pauses, 1);
	conn_pause(c, false);
	ck_assert_uint_eq(fake_conn(c)->pauses, 2);
}
END_TEST

START_TEST(a_closing_connection_asks_its_backend_for_nothing)
{
	struct conn *c = fake_accept();

	conn_close(c, FAIL_EOF);
	conn_send(c, "x", 1);
	conn_feed(c, "x", 1);
	conn_pause(c, true);
	conn_shutdown(c, FAIL_EOF);
	ck_assert_uint_eq(fake_conn(c)->sends, 0);
	ck_assert_uint_eq(fake_conn(c)->feeds, 0);
	ck_assert_uint_eq(fake_conn(c)->pauses, 0);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	ck_assert_uint_eq(fake_conn(c)->closes, 0);
	fake_turn(1);
}
END_TEST

static void dial_again(struct conn *c)
{
	(void)c;
	ck_assert_ptr_nonnull(dial());
}

START_TEST(closed_may_dial_and_what_it_dials_gets_another_slot)
{
	struct conn *c = fake_accept();

	fake_role(c)->on_closed = dial_again;
	conn_close(c, FAIL_RESET);
	fake_turn(1);
	ck_assert_uint_eq(fake.w.live, 1);
	ck_assert_uint_eq(fake.closed, 1);
	conn_close_all(&fake.w, FAIL_FINISHED, false);
	fake_turn(2);
	ck_assert_uint_eq(fake.w.live, 0);
}
END_TEST

START_TEST(closing_all_ends_those_that_dial_too)
{
	struct conn *open = fake_accept(), *dialing = dial();

	conn_close_all(&fake.w, FAIL_SHUTDOWN, true);
	ck_assert(open->abort);
	ck_assert(dialing->abort);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 2);
	ck_assert_uint_eq(counted(FAIL_SHUTDOWN), 1);
	ck_assert_uint_eq(fake.w.live, 0);
}
END_TEST

START_TEST(what_is_unsent_at_the_end_goes_back_to_the_pool)
{
	struct conn *c = fake_accept();
	char bytes[1000] = { 0 };
	uint32_t before = fake.w.pool.blocks_free;

	ck_assert_int_eq(unsent_push(&fake.w.pool, &c->out, bytes, sizeof(bytes)), 0);
	ck_assert_uint_lt(fake.w.pool.blocks_free, before);
	conn_abort(c, FAIL_RESET);
	fake_turn(1);
	ck_assert_uint_eq(fake.w.pool.blocks_free, before);
}
END_TEST

static TCase *ends_case(void)
{
	TCase *tc = tcase_create("ends");

	tcase_add_test(tc, closed_comes_once_and_the_first_cause_wins);
	tcase_add_test(tc, a_later_abort_does_not_make_a_close_a_reset);
	tcase_add_test(tc, connections_end_in_the_order_in_which_they_were_closed);
	tcase_add_test(tc, its_descriptor_is_open_until_the_role_has_heard_of_the_end);
	tcase_add_test(tc, shutdown_without_unsent_bytes_sends_fin_at_once);
	tcase_add_test(tc, shutdown_waits_for_queued_bytes);
	tcase_add_test(tc, shutdown_waits_for_fed_bytes);
	tcase_add_test(tc, shutdown_waits_for_lent_bytes);
	tcase_add_test(tc, after_the_peers_fin_close_alone_sends_ours);
	tcase_add_test(tc, after_shutdown_data_is_counted_and_dropped);
	tcase_add_test(tc, pause_tells_the_backend_of_changes_only);
	tcase_add_test(tc, a_closing_connection_asks_its_backend_for_nothing);
	tcase_add_test(tc, closed_may_dial_and_what_it_dials_gets_another_slot);
	tcase_add_test(tc, closing_all_ends_those_that_dial_too);
	tcase_add_test(tc, what_is_unsent_at_the_end_goes_back_to_the_pool);
	return tc;
}

static TCase *slots_case(void)
{
	TCase *tc = tcase_create("slots");

	tcase_add_test(tc, a_slot_is_not_reused_while_an_operation_names_it);
	tcase_add_test(tc, what_is_in_flight_when_the_backend_has_gone_holds_nobody);
	tcase_add_test(tc, tokens_carry_op_slot_and_generation);
	tcase_add_test(tc, generations_go_round_without_confusion);
	tcase_add_test(tc, one_over_the_limit_is_shed_and_counted);
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

Suite *conn_suite(void)
{
	Suite *s = suite_create("conn");
	TCase *cases[] = { ends_case(), slots_case(), deadlines_case() };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tcase_add_checked_fixture(cases[i], fake_init, teardown);
		suite_add_tcase(s, cases[i]);
	}
	return s;
}
