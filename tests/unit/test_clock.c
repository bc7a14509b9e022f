/* SPDX-License-Identifier: MIT
 * test_clock: time goes forward, and a sleep ends no earlier than it was told.
 */
#include "echo/base/clock.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"

#include "suites.h"

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals = signals + 1;
}

START_TEST(time_never_goes_back)
{
	int64_t last = clock_now_ns();

	ck_assert_int_gt(last, 0);
	for (int i = 0; i < 10000; i++) {
		int64_t now = clock_now_ns();

		ck_assert_int_ge(now, last);
		last = now;
	}
}
END_TEST

START_TEST(a_sleep_ends_no_earlier_though_signals_arrive)
{
	/* not SIGALRM: that is Check's, whose handler kills the process group. The handler stays:
	 * under valgrind the last signal may come late. */
	struct sigaction act = { .sa_handler = on_signal };
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec every = { { 0, MSEC(2) }, { 0, MSEC(2) } };
	int64_t at = clock_now_ns() + MSEC(30);
	timer_t timer;

	signals = 0;
	ck_assert_int_eq(sigaction(SIGUSR1, &act, NULL), 0);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &how, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &every, NULL), 0);
	clock_sleep_until(at);
	int64_t woke = clock_now_ns();

	timer_delete(timer);
	ck_assert_int_ge(woke, at);
	ck_assert_int_lt(woke, at + SEC(5));
	ck_assert_int_gt(signals, 0); /* more, but tsan holds them back */
}
END_TEST

/* The process beside it makes it wait: both may run on one CPU only. */
START_TEST(who_shares_a_cpu_waits_for_it)
{
	int64_t before = clock_thread_wait_ns(), until;
	cpu_set_t one;
	pid_t hog;

	if (before < 0)
		return; /* a kernel without CONFIG_SCHED_INFO */
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	hog = fork();
	if (hog == 0) {
		until = clock_now_ns() + SEC(10);
		while (clock_now_ns() < until)
			;
		_exit(0);
	}
	until = clock_now_ns() + SEC(10);
	while (clock_thread_wait_ns() < before + MSEC(20) && clock_now_ns() < until)
		;
	ck_assert_int_ge(clock_thread_wait_ns(), before + MSEC(20));
	kill(hog, SIGKILL);
	ck_assert_int_eq(waitpid(hog, NULL, 0), hog);
}
END_TEST

START_TEST(a_sleep_until_a_past_time_returns)
{
	clock_sleep_until(clock_now_ns() - 1);
	clock_sleep_until(0);
	clock_sleep_until(-1);
	clock_sleep_until(INT64_MIN);
}
END_TEST

START_TEST(cpu_time_is_spent_by_work_and_not_by_sleep)
{
	int64_t cpu = clock_thread_cpu_ns(), end = clock_now_ns() + MSEC(50);

	clock_sleep_until(end);
	ck_assert_int_lt(clock_thread_cpu_ns() - cpu, MSEC(40));
	cpu = clock_thread_cpu_ns();
	while (clock_thread_cpu_ns() - cpu < MSEC(2) && clock_now_ns() < end + SEC(20))
		;
	ck_assert_int_ge(clock_thread_cpu_ns() - cpu, MSEC(2));
}
END_TEST

START_TEST(unix_time_is_the_calendars)
{
	int64_t s = clock_unix_ns() / SEC(1);

	ck_assert_int_le(s - time(NULL), 1);
	ck_assert_int_ge(s - time(NULL), -1);
}
END_TEST

Suite *clock_suite(void)
{
	Suite *s = suite_create("clock");
	TCase *tc = tcase_create("clock");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, time_never_goes_back);
	tcase_add_test(tc, a_sleep_ends_no_earlier_though_signals_arrive);
	tcase_add_test(tc, who_shares_a_cpu_waits_for_it);
	tcase_add_test(tc, a_sleep_until_a_past_time_returns);
	tcase_add_test(tc, cpu_time_is_spent_by_work_and_not_by_sleep);
	tcase_add_test(tc, unix_time_is_the_calendars);
	suite_add_tcase(s, tc);
	return s;
}
