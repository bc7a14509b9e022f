/* SPDX-License-Identifier: MIT
 * test_log: stderr is a socket that keeps the bounds of writes: one datagram is one write.
 */
#include "echo/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"

#include "suites.h"

enum { THREADS = 4, LINES = 50 };

static int sock[2], old_stderr;
static char line[8192];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	old_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_ge(old_stderr, 3);
	ck_assert_int_eq(dup2(sock[1], STDERR_FILENO), STDERR_FILENO);
	log_init("echod");
}

static void teardown(void)
{
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	close(sock[0]);
	close(sock[1]);
}

/* The next write to stderr, "" when there was none. */
static const char *next_write(void)
{
	ssize_t n = recv(sock[0], line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = 0;
	return line;
}

START_TEST(lines_carry_program_and_level)
{
	log_error("cannot bind %s", "127.0.0.1:7007");
	ck_assert_str_eq(next_write(), "echod: error: cannot bind 127.0.0.1:7007\n");
	log_warn("%d of %d", 1, 2);
	ck_assert_str_eq(next_write(), "echod: warning: 1 of 2\n");
	log_info("listening");
	ck_assert_str_eq(next_write(), "echod: listening\n");
	log_info("%s", "");
	ck_assert_str_eq(next_write(), "echod: \n");
	ck_assert_str_eq(next_write(), "");
}
END_TEST

START_TEST(text_of_a_peer_breaks_neither_line_nor_terminal)
{
	log_info("peer said '%s'", "a\nb\r\t\033[2J\177\x01");
	ck_assert_str_eq(next_write(), "echod: peer said 'a\\x0ab\\x0d\\x09\\x1b[2J\\x7f\\x01'\n");
	log_info("%s", "caf\xc3\xa9 \xc2\x9b" /* CSI as one character */ "2J \xc2\xa0.");
	ck_assert_str_eq(next_write(), "echod: caf\xc3\xa9 \\xc2\\x9b2J \xc2\xa0.\n");
	log_info("%s", "\xc2");
	ck_assert_str_eq(next_write(), "echod: \\xc2\n");
}
END_TEST

START_TEST(a_long_line_is_cut_and_says_so)
{
	char text[3000];

	for (size_t len = 900; len < sizeof(text); len += len < 1100 ? 1 : 100) {
		memset(text, _i == 0 ? 'x' : '\n', len);
		text[len] = 0;
		log_warn("%s", text);
		size_t n = strlen(next_write());

		ck_assert_uint_le(n, 1024);
		ck_assert_int_eq(line[n - 1], '\n');
		ck_assert_ptr_eq(strchr(line, '\n'), &line[n - 1]);
		if (_i == 0 && n == strlen("echod: warning: \n") + len)
			continue; /* it fitted */
		ck_assert_uint_ge(n, 1024 - 3);
		ck_assert_str_eq(&line[n - 4], "...\n");
		ck_assert_str_eq(next_write(), "");
	}
}
END_TEST

START_TEST(a_long_name_of_the_program_leaves_room)
{
	static char name[3000];

	memset(name, 'n', sizeof(name) - 1);
	log_init(name);
	log_info("the end");
	ck_assert_str_eq(strchr(next_write(), 't'), "the end\n");
}
END_TEST

START_TEST(errno_is_printed_and_survives)
{
	errno = ENOENT;
	log_error("echod.conf: %m");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(next_write(), "echod: error: echod.conf: No such file or directory\n");
	close(STDERR_FILENO);
	log_error("nobody hears it");
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static void *shout(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("%s", (const char *)arg);
	return NULL;
}

START_TEST(threads_do_not_mix_their_lines)
{
	static char text[THREADS][500];
	pthread_t threads[THREADS];
	unsigned seen[THREADS] = { 0 };

	for (size_t i = 0; i < THREADS; i++) {
		memset(text[i], (int)('0' + i), sizeof(text[i]) - 1);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, shout, text[i]), 0);
	}
	for (int i = 0; i < THREADS * LINES; i++) {
		ssize_t n = recv(sock[0], line, sizeof(line), 0);
		size_t who = (size_t)(line[strlen("echod: ")] - '0');

		ck_assert_uint_lt(who, THREADS);
		ck_assert_int_eq(n, (int)(strlen("echod: \n") + strlen(text[who])));
		ck_assert_int_eq(memcmp(line + strlen("echod: "), text[who], strlen(text[who])), 0);
		seen[who]++;
	}
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(seen[i], LINES);
	}
}
END_TEST

Suite *log_suite(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, lines_carry_program_and_level);
	tcase_add_test(tc, text_of_a_peer_breaks_neither_line_nor_terminal);
	tcase_add_loop_test(tc, a_long_line_is_cut_and_says_so, 0, 2);
	tcase_add_test(tc, a_long_name_of_the_program_leaves_room);
	tcase_add_test(tc, errno_is_printed_and_survives);
	tcase_add_test(tc, threads_do_not_mix_their_lines);
	suite_add_tcase(s, tc);
	return s;
}
