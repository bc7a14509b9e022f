/* SPDX-License-Identifier: MIT
 * test_worker: a thread that turns its backend until its connections have ended.
 */
#include "echo/net/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/move.h"

#include "fake_backend.h"
#include "suites.h"

static void start_and_dial(struct worker *w)
{
	struct conn *c = fake_dial();

	(void)w;
	ck_assert_ptr_nonnull(c);
	conn_opened(c);
}

START_TEST(it_ends_when_it_is_stopped_and_nobody_is_connected)
{
	for (int how = WORKER_DRAIN; how <= WORKER_QUIT; how++) {
		fake_init_unprepared();
		ck_assert_int_eq(fake_start(), 0);
		ck_assert(!worker_done(&fake.w));
		worker_stop(&fake.w, (enum worker_stop)how);
		ck_assert_int_eq(worker_join(&fake.w), 0);
		ck_assert(worker_done(&fake.w));
		ck_assert_uint_eq(fake.starts, 1);
		ck_assert_uint_eq(fake.stops, 1);
		ck_assert_int_eq((int)fake.how, how);
		ck_assert_uint_eq(fake.inits, 1);
		ck_assert_uint_eq(fake.finis, 1);
	}
}
END_TEST

struct counted_call {
	struct worker_call call;
	unsigned runs, again;
	pthread_t in;
};

static int counted_run(struct worker *w, struct worker_call *call)
{
	struct counted_call *c = container_of(call, struct counted_call, call);

	c->in = pthread_self();
	if (c->runs++ == c->again)
		return 42;
	worker_wake(w); /* for the next turn */
	return -EAGAIN;
}

START_TEST(calls_run_in_its_thread_until_they_are_done)
{
	fake_init_unprepared();
	ck_assert_int_eq(fake_start(), 0);
	for (unsigned again = 0; again < 3; again++) {
		struct counted_call c = { .call.run = counted_run, .again = again };

		worker_post(&fake.w, &c.call);
		ck_assert_int_eq(worker_await(&c.call), 42);
		ck_assert_uint_eq(c.runs, again + 1);
		ck_assert(pthread_equal(c.in, fake.w.thread));
	}
	worker_stop(&fake.w, WORKER_CLOSE);
	ck_assert_int_eq(worker_join(&fake.w), 0);
}
END_TEST

START_TEST(no_call_runs_once_the_loop_has_ended)
{
	struct counted_call unfinished = { .call.run = counted_run, .again = UINT32_MAX },
			    late = { .call.run = counted_run };

	fake_init_unprepared();
	ck_assert_int_eq(fake_start(), 0);
	worker_post(&fake.w, &unfinished.call);
	worker_stop(&fake.w, WORKER_CLOSE);
	ck_assert_int_eq(worker_await(&unfinished.call), -ECANCELED);
	worker_post(&fake.w, &late.call);
	ck_assert_int_eq(worker_await(&late.call), -ECANCELED);
	ck_assert_uint_eq(late.runs, 0);
	ck_assert_int_eq(worker_join(&fake.w), 0);
}
END_TEST

static int close_all_run(struct worker *w, struct worker_call *call)
{
	(void)call;
	conn_close_all(w, CAUSE_FINISHED, false);
	return 0;
}

START_TEST(one_that_leaves_serves_to_the_end)
{
	struct worker_call end = { .run = close_all_run };

	fake_init_unprepared();
	fake.role.start = start_and_dial;
	ck_assert_int_eq(fake_start(), 0);
	worker_stop(&fake.w, WORKER_LEAVE);
	worker_post(&fake.w, &end);
	ck_assert_int_eq(worker_await(&end), 0);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	ck_assert_uint_eq(fake.stops, 0);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_int_eq(fake.last.cause, CAUSE_FINISHED);
}
END_TEST

static void start_and_accept(struct worker *w)
{
	(void)w;
	for (unsigned i = 0; i < FAKE_MAX_CONNS; i++)
		ck_assert_ptr_nonnull(fake_accept());
}

/* At a takeover: all wait for it as long as that, and it is served here again. */
START_TEST(one_that_is_not_quiet_after_a_second_stays)
{
	struct move m = { .data_fd = -1 };
	int64_t began_ns;

	fake_init_unprepared();
	fake.role.start = start_and_accept;
	fake.busy[1] = true;
	ck_assert_int_eq(fake_start(), 0);
	began_ns = clock_now_ns();
	m.data_fd = memfd_create("owed", MFD_CLOEXEC);
	ck_assert_int_ge(m.data_fd, 0);
	ck_assert_int_eq(move_collect(&fake.w, &m), 0);
	ck_assert_int_ge(clock_now_ns() - began_ns, MSEC(MOVE_QUIET_MS));
	ck_assert(m.over);
	ck_assert_uint_eq(m.count, 2);
	ck_assert_uint_eq(m.conns[0]->slot, 0);
	ck_assert_uint_eq(m.conns[1]->slot, 2);
	ck_assert_uint_eq(fake.attached[1], 1);
	m.kept[0] = true;
	ck_assert_int_eq(move_settle(&fake.w, &m), 0);
	worker_stop(&fake.w, WORKER_CLOSE);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	ck_assert_uint_eq(fake.attached[0], 0); /* that one is another's */
	ck_assert_uint_eq(fake.attached[2], 1);
	ck_assert_uint_eq(stats_get(&fake.w.stats.closed[CAUSE_MOVED]), 1);
	close(m.data_fd);
}
END_TEST

START_TEST(every_way_of_stopping_ends_its_connections_once)
{
	for (int how = WORKER_CLOSE; how <= WORKER_QUIT; how++) {
		fake_init_unprepared();
		fake.role.start = start_and_dial;
		ck_assert_int_eq(fake_start(), 0);
		worker_stop(&fake.w, (enum worker_stop)how);
		ck_assert_int_eq(worker_join(&fake.w), 0);
		ck_assert_uint_eq(fake.closed, 1);
		ck_assert_int_eq(fake.last.cause, CAUSE_SHUTDOWN);
		ck_assert_uint_eq(stats_get(&fake.w.stats.open), 0);
		ck_assert_uint_eq(atomic_load(&fake.conns), 0);
	}
}
END_TEST

static void start_with_one_in_flight(struct worker *w)
{
	struct conn *c = fake_dial();

	(void)w;
	ck_assert_ptr_nonnull(c);
	conn_opened(c);
	c->inflight = 1;
}

START_TEST(quit_does_not_wait_for_what_is_in_flight)
{
	fake.role.start = start_with_one_in_flight;
	ck_assert_int_eq(fake_start(), 0);
	worker_stop(&fake.w, WORKER_QUIT);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_uint_eq(stats_get(&fake.w.stats.open), 0);
}
END_TEST

START_TEST(a_drain_that_lasts_too_long_is_cut_off)
{
	int64_t began;

	fake.role.start = start_and_dial;
	ck_assert_int_eq(fake_start(), 0);
	began = clock_now_ns();
	worker_stop(&fake.w, WORKER_DRAIN);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	ck_assert_int_ge(clock_now_ns() - began, fake.config.drain_ns);
	ck_assert_uint_eq(fake.stops, 2);
	ck_assert_int_eq((int)fake.how, WORKER_RESET);
	ck_assert_uint_eq(fake.closed, 1);
}
END_TEST

START_TEST(a_larger_way_of_stopping_overrides_a_smaller_one)
{
	fake.config.drain_ns = SEC(1000);
	fake.role.start = start_and_dial;
	ck_assert_int_eq(fake_start(), 0);
	worker_stop(&fake.w, WORKER_DRAIN);
	worker_stop(&fake.w, WORKER_RESET);
	worker_stop(&fake.w, WORKER_DRAIN);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	ck_assert_int_eq((int)fake.how, WORKER_RESET);
}
END_TEST

START_TEST(an_error_of_init_is_one_of_start)
{
	fake.init_error = -EPERM;
	ck_assert_int_eq(fake_start(), -EPERM);
	ck_assert_uint_eq(fake.starts, 0);
	ck_assert_uint_eq(fake.finis, 0);
}
END_TEST

START_TEST(one_that_is_prepared_waits_and_can_still_be_had_otherwise)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	fake.w.listeners[fake.w.listener_count++] = ends[1];
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(worker_prepare(&fake.w), 0);
		worker_abandon(&fake.w);
	}
	fake.init_error = -ENOMEM;
	ck_assert_int_eq(worker_prepare(&fake.w), -ENOMEM);
	ck_assert_uint_eq(fake.inits, 3);
	ck_assert_uint_eq(fake.finis, 2);
	ck_assert_uint_eq(fake.listens + fake.starts, 0);
	fake.init_error = 0;
	ck_assert_int_eq(worker_prepare(&fake.w), 0);
	ck_assert_int_eq(worker_go(&fake.w), 0);
	worker_stop(&fake.w, WORKER_CLOSE);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	ck_assert_uint_eq(fake.listens, 1); /* its listener was left alone */
	ck_assert_uint_eq(fake.starts, 1);
	close(ends[0]);
}
END_TEST

START_TEST(an_error_of_listen_is_one_of_go)
{
	fake.w.listeners[fake.w.listener_count++] = dup(STDERR_FILENO);
	fake.listen_error = -ENOSPC;
	ck_assert_int_eq(worker_prepare(&fake.w), 0);
	ck_assert_int_eq(worker_go(&fake.w), -ENOSPC);
	ck_assert_uint_eq(fake.finis, 1);
	ck_assert_uint_eq(fake.starts, 0);
	ck_assert_int_eq(close(fake.w.listeners[0]), 0); /* it stays the caller's */
}
END_TEST

START_TEST(an_error_of_a_turn_ends_the_loop_and_is_told)
{
	fake.turn_error = -EIO;
	ck_assert_int_eq(fake_start(), 0);
	ck_assert_int_eq(worker_join(&fake.w), -EIO);
	ck_assert_uint_eq(fake.finis, 1);
}
END_TEST

START_TEST(its_end_is_written_to_the_descriptor)
{
	uint64_t count = 0;

	fake.w.done_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(fake_start(), 0);
	worker_stop(&fake.w, WORKER_CLOSE);
	ck_assert_int_eq(read(fake.w.done_fd, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, WORKER_ENDED);
	ck_assert_int_eq(worker_join(&fake.w), 0);
	close(fake.w.done_fd);
}
END_TEST

START_TEST(a_limit_is_told_once_until_somebody_has_looked)
{
	struct worker w = { .done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	uint64_t count = 0;

	for (int i = 0; i < 3; i++)
		worker_tell(&w);
	ck_assert_int_eq(read(w.done_fd, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, 1);
	atomic_store(&w.told, false);
	worker_tell(&w);
	ck_assert_int_eq(read(w.done_fd, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, 1);
	close(w.done_fd);
}
END_TEST

START_TEST(its_listeners_are_closed_when_it_stops)
{
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	fake.w.listeners[fake.w.listener_count++] = ends[1];
	ck_assert_int_eq(fake_start(), 0);
	worker_stop(&fake.w, WORKER_CLOSE);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* no writer is left */
	ck_assert_int_eq(worker_join(&fake.w), 0);
	close(ends[0]);
}
END_TEST

Suite *worker_suite(void)
{
	Suite *s = suite_create("worker");
	TCase *tc = tcase_create("worker");

	tcase_add_checked_fixture(tc, fake_init_unprepared, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, calls_run_in_its_thread_until_they_are_done);
	tcase_add_test(tc, no_call_runs_once_the_loop_has_ended);
	tcase_add_test(tc, one_that_leaves_serves_to_the_end);
	tcase_add_test(tc, it_ends_when_it_is_stopped_and_nobody_is_connected);
	tcase_add_test(tc, every_way_of_stopping_ends_its_connections_once);
	tcase_add_test(tc, quit_does_not_wait_for_what_is_in_flight);
	tcase_add_test(tc, a_drain_that_lasts_too_long_is_cut_off);
	tcase_add_test(tc, a_larger_way_of_stopping_overrides_a_smaller_one);
	tcase_add_test(tc, one_that_is_not_quiet_after_a_second_stays);
	tcase_add_test(tc, an_error_of_init_is_one_of_start);
	tcase_add_test(tc, one_that_is_prepared_waits_and_can_still_be_had_otherwise);
	tcase_add_test(tc, an_error_of_listen_is_one_of_go);
	tcase_add_test(tc, an_error_of_a_turn_ends_the_loop_and_is_told);
	tcase_add_test(tc, its_end_is_written_to_the_descriptor);
	tcase_add_test(tc, a_limit_is_told_once_until_somebody_has_looked);
	tcase_add_test(tc, its_listeners_are_closed_when_it_stops);
	suite_add_tcase(s, tc);
	return s;
}
