/* SPDX-License-Identifier: MIT
 * test_acceptor: batches, errors of one connection, and running out of descriptors.
 */
#include "echo/net/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/net/sock.h"

#include "fake_backend.h"
#include "suites.h"

enum { PEERS = 100 };

static struct addr at;
static struct acceptor a;
static int peers[PEERS];
static unsigned taken, mutes;

static void take(struct worker *w, int fd)
{
	ck_assert_ptr_eq(w, &fake.w);
	taken++;
	close(fd);
}

static void mute(struct acceptor *which)
{
	ck_assert_ptr_eq(which, &a);
	mutes++;
}

static void setup(void)
{
	int fd;

	fake_init();
	ck_assert_int_eq(addr_parse(&at, "127.0.0.1:0"), 0);
	ck_assert_int_eq(sock_listen(&at, &(struct sock_options){ .backlog = 1000 }, &fd, 1), 0);
	a = (struct acceptor){ .take = take, .mute = mute };
	acceptor_init(&a, &fake.w, fd);
	taken = mutes = 0;
}

static void teardown(void)
{
	int fd = a.fd;

	acceptor_fini(&a);
	ck_assert_uint_eq(fake.w.timers.count, 0);
	close(fd);
	fake_fini();
}

/* So many wait in the queue. */
static void peers_connect(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct pollfd p;

		peers[i] = sock_dial(&at, NULL, &(struct sock_options){ .backlog = 0 });
		ck_assert_int_ge(peers[i], 0);
		p = (struct pollfd){ peers[i], POLLOUT, 0 };
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
	}
}

static void peers_close(unsigned count)
{
	while (count > 0)
		close(peers[--count]);
}

START_TEST(batches_grow_in_a_storm_and_are_small_again_after_it)
{
	unsigned runs = 0, last = 0, most = 0;

	peers_connect(PEERS);
	while (taken < PEERS && runs < PEERS) {
		acceptor_run(&a);
		ck_assert_uint_gt(taken, last);
		if (taken - last > most)
			most = taken - last;
		last = taken;
		runs++;
	}
	ck_assert_uint_eq(taken, PEERS);
	ck_assert_uint_gt(most, 1);
	ck_assert_uint_lt(most, PEERS);
	acceptor_run(&a); /* there is nobody */
	ck_assert_uint_eq(taken, PEERS);
	ck_assert_int_eq(a.batch, 1);
	peers_close(PEERS);
}
END_TEST

START_TEST(before_it_closes_all_that_is_queued_is_accepted)
{
	peers_connect(PEERS);
	acceptor_finish(&a);
	ck_assert_uint_eq(taken, PEERS);
	peers_close(PEERS);
}
END_TEST

START_TEST(errors_of_one_connection_do_not_stop_it)
{
	static const int one[] = { EINTR, ECONNABORTED, EPROTO };

	for (size_t i = 0; i < ARRAY_LEN(one); i++)
		ck_assert(acceptor_failed(&a, one[i]));
	ck_assert(!acceptor_failed(&a, EAGAIN));
	ck_assert_uint_eq(mutes, 0);
	ck_assert_uint_eq(stats_get(&fake.w.stats.accept_errors), 0);
}
END_TEST

START_TEST(any_other_error_mutes_it_for_a_while)
{
	static const int hard[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM };

	for (size_t i = 0; i < ARRAY_LEN(hard); i++) {
		int64_t now = (int64_t)i * SEC(1);

		fake_turn(now);
		ck_assert(!acceptor_failed(&a, hard[i]));
		ck_assert(a.muted);
		ck_assert_uint_eq(stats_get(&fake.w.stats.accept_errors), i + 1);
		ck_assert_uint_eq(mutes, 2 * i + 1);
		fake_turn(now + MSEC(50));
		ck_assert(a.muted);
		fake_turn(now + MSEC(150));
		ck_assert(!a.muted);
		ck_assert_uint_eq(mutes, 2 * i + 2);
		ck_assert_int_ge(a.reserve->fd, 0);
	}
}
END_TEST

START_TEST(out_of_descriptors_those_that_wait_are_closed_and_counted)
{
	struct rlimit l;
	int fd = dup(a.fd);
	char byte;

	peers_connect(5);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	l.rlim_cur = (rlim_t)fd; /* no number is left */
	close(fd);
	while ((fd = dup(a.fd)) >= 0 && (rlim_t)fd < l.rlim_cur)
		; /* fill the holes below */
	if (fd >= 0)
		close(fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	acceptor_run(&a);
	ck_assert_uint_eq(taken, 0);
	ck_assert(a.muted);
	ck_assert_int_ge(a.reserve->fd, 0);
	ck_assert_uint_eq(stats_get(&fake.w.stats.closed[CAUSE_LOCAL_LIMIT]), 5);
	ck_assert_uint_eq(stats_get(&fake.w.stats.opened), 5);
	for (unsigned i = 0; i < 5; i++) {
		struct pollfd p = { peers[i], POLLIN, 0 };

		ck_assert_int_eq(poll(&p, 1, 20000), 1);
		ck_assert_int_le(recv(peers[i], &byte, 1, 0), 0); /* they learn it */
	}
	peers_close(5);
}
END_TEST

/* What another thread's accept has done when it got the number of the reserve. */
static void reserve_is_stolen(void)
{
	atomic_store(&a.reserve->given_up, true);
	close(a.reserve->fd);
	a.reserve->fd = -1;
}

START_TEST(whoever_got_the_number_of_the_reserve_gives_it_back)
{
	struct rlimit old, l;
	struct pollfd p;
	char byte;
	int fd, full;

	peers_connect(2);
	fd = accept4(a.fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	reserve_is_stolen();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	while ((full = dup(a.fd)) >= 0 && full < fd)
		; /* no hole is left below */
	l = old;
	l.rlim_cur = (rlim_t)full;
	close(full);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	acceptor_take(&a, fd, take);
	ck_assert_uint_eq(taken, 0);
	ck_assert_int_ge(a.reserve->fd, 0);
	ck_assert_uint_eq(stats_get(&fake.w.stats.closed[CAUSE_LOCAL_LIMIT]), 1);
	p = (struct pollfd){ peers[0], POLLIN, 0 };
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_le(recv(peers[0], &byte, 1, 0), 0);
	acceptor_run(&a); /* the other one is turned away with it */
	ck_assert_uint_eq(stats_get(&fake.w.stats.closed[CAUSE_LOCAL_LIMIT]), 2);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	peers_close(2);
}
END_TEST

START_TEST(where_there_are_numbers_again_a_lost_reserve_costs_nobody)
{
	peers_connect(3);
	reserve_is_stolen();
	for (unsigned i = 0; i < 3; i++)
		acceptor_run(&a);
	ck_assert_uint_eq(taken, 3);
	ck_assert_int_ge(a.reserve->fd, 0);
	ck_assert(!atomic_load(&a.reserve->given_up));
	peers_close(3);
}
END_TEST

Suite *acceptor_suite(void)
{
	const char *fork = getenv("CK_FORK");
	Suite *s = suite_create("acceptor");
	TCase *tc = tcase_create("acceptor");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, batches_grow_in_a_storm_and_are_small_again_after_it);
	tcase_add_test(tc, before_it_closes_all_that_is_queued_is_accepted);
	tcase_add_test(tc, errors_of_one_connection_do_not_stop_it);
	tcase_add_test(tc, any_other_error_mutes_it_for_a_while);
	tcase_add_test(tc, where_there_are_numbers_again_a_lost_reserve_costs_nobody);
	if (!fork || strcmp(fork, "no") != 0) { /* limits stay with the process */
		tcase_add_test(tc, out_of_descriptors_those_that_wait_are_closed_and_counted);
		tcase_add_test(tc, whoever_got_the_number_of_the_reserve_gives_it_back);
	}
	suite_add_tcase(s, tc);
	return s;
}
