/* SPDX-License-Identifier: MIT
 * test_output: a pipe of two pages stands for every reader that stops reading.
 */
#include "echo/base/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/stop.h"

#include "suites.h"

static int ends[2];
static sigset_t stop;

static void setup(void)
{
	signal(SIGHUP, SIG_DFL); /* nohup ignores it, and so would we */
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(ends[1], F_SETPIPE_SZ, 2 * PIPE_BUF), 2 * PIPE_BUF);
	stop_signals(&stop);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &stop, NULL), 0);
}

static void teardown(void)
{
	static const struct timespec now;

	while (sigtimedwait(&stop, NULL, &now) > 0)
		;
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	close(ends[0]);
	close(ends[1]);
}

/* Lines of 16 bytes, three pages of them. */
static const char *lines(void)
{
	static char text[3 * PIPE_BUF + 1];

	for (size_t i = 0; i < 3 * PIPE_BUF; i += 16)
		snprintf(text + i, sizeof(text) - i, "0123456789abcde\n");
	return text;
}

START_TEST(a_reader_that_reads_gets_everything)
{
	char got[16] = "";

	ck_assert_int_eq(output_write(ends[1], lines(), 16, OUTPUT_NO_WAIT), 0);
	ck_assert_int_eq(read(ends[0], got, sizeof(got)), 16);
	ck_assert_int_eq(memcmp(got, lines(), 16), 0);
}
END_TEST

START_TEST(patience_ends_and_what_was_taken_are_whole_lines)
{
	char got[4 * PIPE_BUF];
	const int64_t began_ns = clock_now_ns();
	ssize_t n;

	ck_assert_int_eq(output_write(ends[1], lines(), 3 * PIPE_BUF, MSEC(50)), -ETIME);
	ck_assert_int_ge(clock_now_ns() - began_ns, MSEC(50));
	n = read(ends[0], got, sizeof(got));
	ck_assert_int_ge(n, PIPE_BUF);
	ck_assert_int_eq(n % 16, 0);
}
END_TEST

START_TEST(a_pending_signal_ends_a_wait_without_end_and_stays_pending)
{
	sigset_t pending;

	ck_assert_int_eq(kill(getpid(), _i), 0);
	ck_assert_int_eq(output_write(ends[1], lines(), 3 * PIPE_BUF, OUTPUT_FOREVER), -ETIME);
	sigpending(&pending);
	ck_assert_int_eq(sigismember(&pending, _i), 1);
}
END_TEST

START_TEST(the_flags_of_the_open_file_are_left_alone)
{
	ck_assert_int_eq(output_write(ends[1], lines(), 3 * PIPE_BUF, MSEC(1)), -ETIME);
	ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(a_stream_fails_at_once_when_it_has_failed)
{
	FILE *f = output_stream(ends[1]);
	int64_t began_ns;

	ck_assert_ptr_nonnull(f);
	kill(getpid(), SIGTERM);
	fputs(lines(), f);
	ck_assert_int_eq(fflush(f), EOF);
	ck_assert_str_eq(output_strerror(errno), "nobody reads it");
	began_ns = clock_now_ns();
	ck_assert_int_ne(ferror(f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_lt(clock_now_ns() - began_ns, SEC(1));
	ck_assert_int_ge(fcntl(ends[1], F_GETFD), 0);
}
END_TEST

START_TEST(what_is_ignored_asks_for_nothing)
{
	sigset_t set;

	signal(_i, SIG_IGN);
	stop_signals(&set);
	ck_assert_int_eq(sigismember(&set, _i), 0);
	signal(_i, SIG_DFL);
	stop_signals(&set);
	ck_assert_int_eq(sigismember(&set, _i), 1);
}
END_TEST

Suite *output_suite(void)
{
	Suite *s = suite_create("output");
	TCase *t = tcase_create("output");

	static_assert(SIGINT == SIGHUP + 1, "the loop below");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_reader_that_reads_gets_everything);
	tcase_add_test(t, patience_ends_and_what_was_taken_are_whole_lines);
	tcase_add_loop_test(t, a_pending_signal_ends_a_wait_without_end_and_stays_pending, SIGHUP,
			    SIGINT + 1);
	tcase_add_test(t, the_flags_of_the_open_file_are_left_alone);
	tcase_add_test(t, a_stream_fails_at_once_when_it_has_failed);
	tcase_add_loop_test(t, what_is_ignored_asks_for_nothing, SIGHUP, SIGINT + 1);
	suite_add_tcase(s, t);
	return s;
}
