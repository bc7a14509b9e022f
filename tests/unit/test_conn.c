/* SPDX-License-Identifier: MIT
 * test_conn: how connections end, on a backend that does what the test says.
 */
#include "echo/net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"

#include "fake_backend.h"
#include "suites.h"

static uint64_t counted(enum cause cause)
{
	return stats_get(&fake.w.stats.closed[cause]);
}

START_TEST(closed_comes_once_and_the_first_cause_wins)
{
	struct conn *c = fake_accept();

	ck_assert_uint_eq(fake_role(c)->opened, 1);
	conn_fail(c, ECONNRESET);
	conn_close(c, CAUSE_EOF);
	conn_abort(c, CAUSE_CORRUPT);
	conn_fail(c, EPIPE);
	ck_assert_uint_eq(fake.closed, 0); /* callbacks do not nest */
	fake_turn(1);
	fake_turn(2);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_int_eq(fake.last.cause, CAUSE_RESET);
	ck_assert_int_eq(fake.last.err, ECONNRESET);
	ck_assert_uint_eq(counted(CAUSE_RESET), 1);
	ck_assert_uint_eq(fake.w.live, 0);
}
END_TEST

START_TEST(a_later_abort_does_not_make_a_close_a_reset)
{
	struct conn *c = fake_accept();

	conn_close(c, CAUSE_EOF);
	conn_abort(c, CAUSE_CORRUPT);
	ck_assert(!c->abort);
	fake_turn(1);

	c = fake_accept();
	conn_abort(c, CAUSE_CORRUPT);
	ck_assert(c->abort);
	fake_turn(2);
}
END_TEST

/* A client that sends when @send has failed, and then finds the end of input, or errno @recv. */
static const struct sent_into_an_end {
	int send, recv;
	enum cause cause;
	int err;
} sent_into_ends[] = {
	{ EPIPE, 0, CAUSE_EOF, 0 }, /* the fake role closes for `eof` */
	{ ECONNRESET, 0, CAUSE_RESET, ECONNRESET },
	{ EPIPE, ECONNRESET, CAUSE_RESET, ECONNRESET },
};

START_TEST(what_the_peer_did_first_names_the_end_of_a_send)
{
	const struct sent_into_an_end *t = &sent_into_ends[_i];
	struct conn *c;

	fake_echoes(false);
	c = fake_accept();
	conn_send_failed(c, t->send);
	ck_assert_int_eq(c->state, CONN_OPEN); /* what was received comes first */
	conn_send_failed(c, EPIPE);            /* the first errno counts */
	if (t->recv)
		conn_fail(c, t->recv);
	else
		conn_eof(c);
	if (c->state == CONN_OPEN && fake_role(c)->eof == 1)
		conn_close(c, CAUSE_EOF);
	fake_turn(1);
	ck_assert_int_eq(fake.last.cause, t->cause);
	ck_assert_int_eq(fake.last.err, t->err);
}
END_TEST

START_TEST(a_send_that_fails_ends_who_receives_no_more)
{
	static const int errnos[] = { EPIPE, ECONNRESET, ENOBUFS, ETIMEDOUT };

	for (unsigned i = 0; i < ARRAY_LEN(errnos); i++) {
		struct conn *c;

		/* a server wants nothing that it cannot send back */
		fake_echoes(errnos[i] == EPIPE);
		c = fake_accept();
		if (errnos[i] == ECONNRESET)
			c->eof = true;
		conn_send_failed(c, errnos[i]);
		ck_assert_int_eq(c->state, CONN_CLOSING);
		ck_assert(c->abort); /* no call fails without the peer being told, should it live */
		fake_turn(i + 1);
		ck_assert_int_eq(fake.last.err, errnos[i]);
	}
}
END_TEST

/* Closes it. Returns whether its descriptor was told to end with a reset. */
static bool close_resets(struct conn *c)
{
	struct linger l = { 0 };
	socklen_t len = sizeof(l);
	int fd = dup(c->fd);

	conn_close(c, CAUSE_SHUTDOWN);
	fake_turn(1);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	close(fd);
	return l.l_onoff && l.l_linger == 0;
}

START_TEST(a_close_that_drops_bytes_is_a_reset)
{
	struct conn *c = fake_accept();

	ck_assert(!close_resets(c));
	c = fake_accept();
	c->owing = true;
	ck_assert(close_resets(c));
	c = fake_accept();
	conn_send(c, "12345", 5);
	ck_assert(close_resets(c));
}
END_TEST

START_TEST(connections_end_in_the_order_in_which_they_were_closed)
{
	struct conn *c[3];
	static const enum cause cause[] = { CAUSE_EOF, CAUSE_SHUTDOWN, CAUSE_RESET };
	static const unsigned order[] = { 2, 0, 1 };

	for (unsigned i = 0; i < 3; i++)
		c[i] = fake_accept();
	for (unsigned i = 0; i < 3; i++)
		conn_close(c[order[i]], cause[i]);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 3);
	ck_assert_int_eq(fake.last.cause, cause[2]);
}
END_TEST

START_TEST(its_descriptor_is_open_until_the_role_has_heard_of_the_end)
{
	struct conn *c = fake_accept();
	int fd = c->fd;

	conn_close(c, CAUSE_EOF);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	fake_turn(1);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}
END_TEST

START_TEST(shutdown_without_unsent_bytes_sends_fin_at_once)
{
	struct conn *c = fake_accept();

	conn_shutdown(c, CAUSE_EOF);
	conn_shutdown(c, CAUSE_RESET);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 1);
	ck_assert_int_eq(c->state, CONN_OPEN); /* the peer's FIN is missing */
	conn_eof(c);
	ck_assert_uint_eq(fake_role(c)->eof, 0);
	fake_turn(1);
	ck_assert_int_eq(fake.last.cause, CAUSE_EOF);
}
END_TEST

/* Shuts a connection with something unsent: FIN only when that has gone. */
static void check_shutdown_waits(struct conn *c, size_t *left)
{
	conn_shutdown(c, CAUSE_EOF);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	*left = 0;
	conn_drained(c);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 1);
	ck_assert_uint_eq(fake_role(c)->drained, 0);
	conn_eof(c);
	fake_turn(1);
	ck_assert_int_eq(fake.last.cause, CAUSE_EOF);
}

START_TEST(shutdown_waits_for_queued_bytes)
{
	struct conn *c = fake_accept();
	char byte = 1;

	ck_assert_int_eq(unsent_push(&fake.w.pool, &c->out, &byte, 1), 0);
	conn_shutdown(c, CAUSE_EOF);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	unsent_pop(&fake.w.pool, &c->out, 1);
	conn_drained(c);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 1);
	conn_close(c, CAUSE_EOF);
	fake_turn(1);
}
END_TEST

START_TEST(shutdown_waits_for_the_span_that_is_sent)
{
	struct conn *c = fake_accept();

	conn_send(c, "x", 1);
	ck_assert_uint_eq(fake_conn(c)->sends, 1);
	ck_assert(!conn_span_sent(c));
	check_shutdown_waits(c, &c->span_len);
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
	conn_shutdown(c, CAUSE_EOF);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	fake_turn(1);
	ck_assert_int_eq(fake.last.cause, CAUSE_EOF);
}
END_TEST

START_TEST(after_shutdown_data_is_counted_and_dropped)
{
	struct conn *c = fake_accept();

	fake_role(c)->next = CONN_ECHO;
	ck_assert_int_eq(conn_data(c, "abc", 3), CONN_ECHO);
	conn_shutdown(c, CAUSE_SHUTDOWN);
	ck_assert_int_eq(conn_data(c, "abcd", 4), CONN_NOTHING);
	ck_assert_uint_eq(fake_role(c)->data, 1);
	ck_assert_uint_eq(c->received, 7);
	ck_assert_uint_eq(stats_get(&fake.w.stats.bytes_in), 7);
}
END_TEST

START_TEST(a_closing_connection_asks_its_backend_for_nothing)
{
	struct conn *c = fake_accept();

	conn_close(c, CAUSE_EOF);
	conn_send(c, "x", 1);
	conn_shutdown(c, CAUSE_EOF);
	ck_assert_uint_eq(fake_conn(c)->sends, 0);
	ck_assert_uint_eq(fake_conn(c)->shutdowns, 0);
	ck_assert_uint_eq(fake_conn(c)->closes, 0);
	fake_turn(1);
}
END_TEST

static void dial_again(struct conn *c)
{
	(void)c;
	ck_assert_ptr_nonnull(fake_dial());
}

START_TEST(closed_may_dial_and_what_it_dials_gets_another_slot)
{
	struct conn *c = fake_accept();

	fake_role(c)->on_closed = dial_again;
	conn_close(c, CAUSE_RESET);
	fake_turn(1);
	ck_assert_uint_eq(fake.w.live, 1);
	ck_assert_uint_eq(fake.closed, 1);
	conn_close_all(&fake.w, CAUSE_FINISHED, false);
	fake_turn(2);
	ck_assert_uint_eq(fake.w.live, 0);
}
END_TEST

START_TEST(closing_all_ends_those_that_dial_too)
{
	struct conn *open = fake_accept(), *dialing = fake_dial();

	conn_close_all(&fake.w, CAUSE_SHUTDOWN, true);
	ck_assert(open->abort);
	ck_assert(dialing->abort);
	fake_turn(1);
	ck_assert_uint_eq(fake.closed, 2);
	ck_assert_uint_eq(counted(CAUSE_SHUTDOWN), 1);
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
	conn_abort(c, CAUSE_RESET);
	fake_turn(1);
	ck_assert_uint_eq(fake.w.pool.blocks_free, before);
}
END_TEST

START_TEST(what_is_sent_after_data_is_for_the_backend_to_send_when_data_returns)
{
	struct conn *c = fake_accept();

	fake_role(c)->next = CONN_SEND;
	conn_send_after(c, "abc", 3);
	ck_assert(!conn_span_sent(c));
	ck_assert_uint_eq(conn_unsent(c), 3);
	ck_assert_uint_eq(fake_conn(c)->sends, 0);
	ck_assert_int_eq(conn_data(c, "x", 1), CONN_SEND);
}
END_TEST

START_TEST(a_deadline_that_moves_forward_leaves_its_timer_alone)
{
	struct conn *c = fake_accept();
	int64_t first_ns = fake.begun_ns + MSEC(10);

	conn_deadline(c, first_ns);
	conn_deadline(c, first_ns + MSEC(50));
	ck_assert_int_eq(c->timer.at_ns, first_ns);
	fake_turn(MSEC(20));
	ck_assert_uint_eq(fake_role(c)->expired, 0); /* set anew when it fired */
	conn_deadline(c, fake.begun_ns + MSEC(30));
	ck_assert_int_eq(c->timer.at_ns, fake.begun_ns + MSEC(30)); /* sooner: moved */
	fake_turn(MSEC(31) + MSEC(1));
	ck_assert_uint_eq(fake_role(c)->expired, 1);
}
END_TEST

Suite *conn_suite(void)
{
	Suite *s = suite_create("conn");
	TCase *tc = tcase_create("ends");

	tcase_add_test(tc, closed_comes_once_and_the_first_cause_wins);
	tcase_add_test(tc, a_later_abort_does_not_make_a_close_a_reset);
	tcase_add_loop_test(tc, what_the_peer_did_first_names_the_end_of_a_send, 0,
			    ARRAY_LEN(sent_into_ends));
	tcase_add_test(tc, a_send_that_fails_ends_who_receives_no_more);
	tcase_add_test(tc, a_close_that_drops_bytes_is_a_reset);
	tcase_add_test(tc, connections_end_in_the_order_in_which_they_were_closed);
	tcase_add_test(tc, its_descriptor_is_open_until_the_role_has_heard_of_the_end);
	tcase_add_test(tc, shutdown_without_unsent_bytes_sends_fin_at_once);
	tcase_add_test(tc, shutdown_waits_for_queued_bytes);
	tcase_add_test(tc, shutdown_waits_for_the_span_that_is_sent);
	tcase_add_test(tc, shutdown_waits_for_lent_bytes);
	tcase_add_test(tc, after_the_peers_fin_close_alone_sends_ours);
	tcase_add_test(tc, after_shutdown_data_is_counted_and_dropped);
	tcase_add_test(tc, a_closing_connection_asks_its_backend_for_nothing);
	tcase_add_test(tc, closed_may_dial_and_what_it_dials_gets_another_slot);
	tcase_add_test(tc, closing_all_ends_those_that_dial_too);
	tcase_add_test(tc, what_is_unsent_at_the_end_goes_back_to_the_pool);
	tcase_add_test(tc, what_is_sent_after_data_is_for_the_backend_to_send_when_data_returns);
	tcase_add_test(tc, a_deadline_that_moves_forward_leaves_its_timer_alone);
	tcase_add_checked_fixture(tc, fake_init, fake_fini_balanced);
	suite_add_tcase(s, tc);
	return s;
}
