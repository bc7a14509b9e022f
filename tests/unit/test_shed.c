/* SPDX-License-Identifier: MIT
 * test_shed: who ends for a newcomer at max_conns, and who does not.
 */
#include "echo/net/shed.h"

#include <stdatomic.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/sock.h"

#include "fake_backend.h"
#include "suites.h"

/* Times that nobody is at work in, and that even a machine has been up for which has just booted.
 */
enum { STEP_MS = 700 };

static struct conn *conns[FAKE_MAX_CONNS];

/* As many as may be: the second has been idle for longest. */
static void setup(void)
{
	static const int64_t quiet_steps[] = { 3, 4, 1 };

	fake_init();
	for (unsigned i = 0; i < FAKE_MAX_CONNS; i++) {
		conns[i] = fake_accept();
		fake_conn(conns[i])->progress.quiet_ns = MSEC(quiet_steps[i] * STEP_MS);
	}
}

static uint64_t shed(void)
{
	return stats_get(&fake.w.stats.closed[CAUSE_SHED]);
}

static void check_full(void)
{
	fake_turn(0);
	ck_assert_uint_eq(atomic_load(&fake.conns), FAKE_MAX_CONNS);
	fake_check_balance();
}

START_TEST(the_one_that_was_idle_longest_ends_for_a_newcomer)
{
	struct conn *next = fake_accept();

	ck_assert_ptr_nonnull(next);
	ck_assert_int_eq(conns[1]->state, CONN_CLOSING);
	ck_assert(!conns[1]->abort);
	check_full();
	ck_assert_int_eq(fake.last.cause, CAUSE_SHED);
	ck_assert_uint_eq(shed(), 1);
	ck_assert_ptr_nonnull(fake_accept());
	ck_assert_int_eq(conns[0]->state, CONN_CLOSING);
	check_full();
}
END_TEST

START_TEST(one_that_has_moved_bytes_since_it_was_found_stays)
{
	ck_assert_int_gt(fake.w.shed.count, 1); /* found when the last place was taken */
	fake_conn(conns[1])->progress.quiet_ns = 0;
	ck_assert_ptr_nonnull(fake_accept());
	ck_assert_int_eq(conns[1]->state, CONN_OPEN);
	ck_assert_int_eq(conns[0]->state, CONN_CLOSING);
	check_full();
}
END_TEST

START_TEST(below_the_limit_nobody_ends)
{
	conn_close(conns[2], CAUSE_EOF);
	fake_turn(0);
	ck_assert_ptr_nonnull(fake_accept());
	check_full();
	ck_assert_uint_eq(shed(), 0);
}
END_TEST

START_TEST(one_that_is_owed_bytes_ends_with_a_reset)
{
	fake_conn(conns[1])->progress.owes = true;
	ck_assert_ptr_nonnull(fake_accept());
	ck_assert(conns[1]->abort);
	check_full();
}
END_TEST

START_TEST(where_all_are_busy_newcomers_are_turned_away_after_a_burst)
{
	int came = 0;

	for (unsigned i = 0; i < FAKE_MAX_CONNS; i++)
		fake_conn(conns[i])->progress.quiet_ns = 0;
	while (fake_accept()) {
		check_full();
		ck_assert_int_lt(++came, 1000); /* its own progress is none yet: it is as busy */
	}
	ck_assert_int_ge(came, 64);
	ck_assert_uint_eq(shed(), (uint64_t)came + 1);
	check_full();
}
END_TEST

/* Another worker, which nobody turns: what it is asked is seen. */
static struct worker *with_a_peer(int64_t idle_ns)
{
	static struct worker both[2];

	both[1].wake_fd = -1;
	atomic_store(&both[0].shed.offer_ns, 0);
	atomic_store(&both[1].shed.asked, 0);
	atomic_store(&both[1].shed.wanted, false);
	atomic_store(&both[1].shed.offer_ns, clock_now_ns() - idle_ns);
	fake.w.peers = both;
	fake.w.peer_count = 2;
	return &both[1];
}

START_TEST(an_older_one_of_another_worker_is_asked_for_once)
{
	struct worker *peer = with_a_peer(MSEC(5 * STEP_MS));

	ck_assert_ptr_nonnull(fake_accept());
	ck_assert_uint_eq(atomic_load(&peer->shed.asked), 1);
	ck_assert_int_eq(atomic_load(&peer->shed.offer_ns), 0);
	ck_assert_uint_eq(atomic_load(&fake.conns), FAKE_MAX_CONNS); /* it has that one's place */
}
END_TEST

START_TEST(a_younger_one_of_another_worker_is_not_asked_for)
{
	struct worker *peer = with_a_peer(MSEC(2 * STEP_MS));

	ck_assert_ptr_nonnull(fake_accept());
	ck_assert_uint_eq(atomic_load(&peer->shed.asked), 0);
	ck_assert_int_eq(conns[1]->state, CONN_CLOSING);
	check_full();
}
END_TEST

START_TEST(whoever_was_asked_ends_its_oldest_and_offers_the_next)
{
	atomic_store(&fake.w.shed.asked, 1);
	shed_woken(&fake.w);
	ck_assert_int_eq(conns[1]->state, CONN_CLOSING);
	fake_turn(0);
	ck_assert_uint_eq(atomic_load(&fake.conns), FAKE_MAX_CONNS); /* the other's newcomer */
	ck_assert_int_gt(atomic_load(&fake.w.shed.offer_ns), clock_now_ns() - MSEC(4 * STEP_MS));
	ck_assert_int_lt(atomic_load(&fake.w.shed.offer_ns), clock_now_ns() - MSEC(2 * STEP_MS));
}
END_TEST

START_TEST(whoever_was_asked_for_one_that_has_moved_since_asks_for_an_older_one)
{
	struct worker *peer = with_a_peer(MSEC(2 * STEP_MS));

	for (unsigned i = 0; i < FAKE_MAX_CONNS; i++)
		fake_conn(conns[i])->progress.quiet_ns = 0;
	atomic_store(&fake.w.shed.asked, 1);
	shed_woken(&fake.w);
	ck_assert_uint_eq(atomic_load(&peer->shed.asked), 1);
	ck_assert_int_gt(atomic_load(&fake.w.shed.offer_ns), clock_now_ns() - MSEC(STEP_MS));
	check_full();
	ck_assert_uint_eq(shed(), 0);
}
END_TEST

START_TEST(the_newcomer_counts_if_those_asked_for_have_left)
{
	conn_close_all(&fake.w, CAUSE_EOF, false);
	fake_turn(0);
	ck_assert_uint_eq(atomic_load(&fake.conns), 0);
	atomic_store(&fake.w.shed.asked, 2);
	shed_woken(&fake.w);
	ck_assert_uint_eq(atomic_load(&fake.conns), 2);
	ck_assert_int_eq(atomic_load(&fake.w.shed.offer_ns), 0);
}
END_TEST

Suite *shed_suite(void)
{
	Suite *s = suite_create("shed");
	TCase *t = tcase_create("shed");

	tcase_add_checked_fixture(t, setup, fake_fini);
	tcase_add_test(t, the_one_that_was_idle_longest_ends_for_a_newcomer);
	tcase_add_test(t, one_that_has_moved_bytes_since_it_was_found_stays);
	tcase_add_test(t, below_the_limit_nobody_ends);
	tcase_add_test(t, one_that_is_owed_bytes_ends_with_a_reset);
	tcase_add_test(t, where_all_are_busy_newcomers_are_turned_away_after_a_burst);
	tcase_add_test(t, an_older_one_of_another_worker_is_asked_for_once);
	tcase_add_test(t, a_younger_one_of_another_worker_is_not_asked_for);
	tcase_add_test(t, whoever_was_asked_ends_its_oldest_and_offers_the_next);
	tcase_add_test(t, whoever_was_asked_for_one_that_has_moved_since_asks_for_an_older_one);
	tcase_add_test(t, the_newcomer_counts_if_those_asked_for_have_left);
	suite_add_tcase(s, t);
	return s;
}
