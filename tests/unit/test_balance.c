/* SPDX-License-Identifier: MIT
 * test_balance: which of two workers serves what the first one accepts.
 */
#include "echo/net/balance.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/net/backend.h"
#include "echo/net/worker.h"

#include "suites.h"

enum { FD = 1000 };

static int served[2 * BALANCE_SLOTS];
static unsigned served_count;

static void serve(struct worker *w, int fd)
{
	ck_assert_uint_eq(w->index, 1);
	served[served_count++] = fd;
}

static const struct backend_ops backend = { .name = "fake", .serve = serve };
static struct net_config config;
static struct worker workers[2];

static void setup(void)
{
	config = (struct net_config){ .backend = &backend, .balance = BALANCE_LEAST };
	memset(workers, 0, sizeof(workers));
	served_count = 0;
	for (unsigned i = 0; i < ARRAY_LEN(workers); i++) {
		struct worker *w = &workers[i];

		w->config = &config;
		w->peers = workers;
		w->peer_count = ARRAY_LEN(workers);
		w->index = i;
		w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ck_assert_int_ge(w->wake_fd, 0);
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(workers); i++)
		close(workers[i].wake_fd);
}

static void holds(unsigned i, unsigned open)
{
	atomic_store(&workers[i].stats.open, open);
	atomic_store(&workers[i].stats.opened, open);
}

/* The first worker accepts; what it keeps it has. */
static bool accepts(int fd)
{
	if (balance_give(&workers[0], fd))
		return true;
	holds(0, (unsigned)stats_get(&workers[0].stats.open) + 1);
	return false;
}

START_TEST(who_has_clearly_more_gives)
{
	uint64_t woken = 0;

	for (int i = 0; i < 64; i++)
		(void)accepts(FD + i);
	ck_assert_uint_ge(stats_get(&workers[0].stats.open), 32);
	ck_assert_uint_le(stats_get(&workers[0].stats.open), 35);
	ck_assert_uint_eq(stats_get(&workers[0].stats.given),
			  64 - stats_get(&workers[0].stats.open));
	ck_assert_int_eq(read(workers[1].wake_fd, &woken, sizeof(woken)), sizeof(woken));
	ck_assert_uint_eq(woken, stats_get(&workers[0].stats.given));
	balance_take(&workers[1]);
	ck_assert_uint_eq(served_count, woken);
	balance_take(&workers[1]);
	ck_assert_uint_eq(served_count, woken);
}
END_TEST

START_TEST(the_kernels_choice_stands_unless_told_otherwise)
{
	config.balance = BALANCE_KERNEL;
	holds(0, 1000);
	ck_assert(!accepts(FD));
	config.balance = BALANCE_LEAST;
	ck_assert(accepts(FD));
}
END_TEST

START_TEST(nothing_is_given_to_one_that_stops_and_what_it_was_given_is_served)
{
	holds(0, 1000);
	ck_assert(accepts(FD));
	balance_close(&workers[1]);
	ck_assert_uint_eq(served_count, 1);
	ck_assert_int_eq(served[0], FD);
	ck_assert(!accepts(FD + 1));
	balance_take(&workers[1]);
	balance_close(&workers[1]);
	ck_assert_uint_eq(served_count, 1);
	ck_assert(!accepts(FD + 2));
}
END_TEST

START_TEST(one_that_stops_gives_nothing)
{
	holds(0, 1000);
	workers[0].stopping = WORKER_DRAIN;
	ck_assert(!accepts(FD));
}
END_TEST

START_TEST(no_more_is_given_than_there_are_slots)
{
	holds(0, 100000);
	for (int i = 0; i < BALANCE_SLOTS; i++)
		ck_assert(accepts(FD + i));
	ck_assert(!accepts(FD + BALANCE_SLOTS));
	balance_take(&workers[1]);
	ck_assert_uint_eq(served_count, BALANCE_SLOTS);
	for (int i = 0; i < BALANCE_SLOTS; i++)
		ck_assert_int_eq(served[i], FD + i);
	ck_assert(accepts(FD));
}
END_TEST

START_TEST(while_connections_end_as_fast_as_they_come_nothing_is_given)
{
	unsigned given = 0;

	for (int i = 0; i < 1000; i++) {
		if (accepts(FD))
			given++;
		balance_take(&workers[1]);
		served_count = 0;
		atomic_store(&workers[0].stats.opened, 1000 + (unsigned)i);
		atomic_store(&workers[0].stats.open, 20);
	}
	ck_assert_uint_le(given, 64);
	/* those that come now stay */
	for (int i = 0; i < 128 && !accepts(FD); i++)
		;
	ck_assert_uint_gt(atomic_load(&workers[1].balance.waiting), 0);
}
END_TEST

Suite *balance_suite(void)
{
	Suite *s = suite_create("balance");
	TCase *t = tcase_create("balance");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, who_has_clearly_more_gives);
	tcase_add_test(t, the_kernels_choice_stands_unless_told_otherwise);
	tcase_add_test(t, nothing_is_given_to_one_that_stops_and_what_it_was_given_is_served);
	tcase_add_test(t, one_that_stops_gives_nothing);
	tcase_add_test(t, no_more_is_given_than_there_are_slots);
	tcase_add_test(t, while_connections_end_as_fast_as_they_come_nothing_is_given);
	suite_add_tcase(s, t);
	return s;
}
