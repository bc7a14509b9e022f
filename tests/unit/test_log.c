/* SPDX-License-Identifier: MIT
 * test_log: stderr is a socket that keeps the bounds of writes: one datagram is one write.
 */
#include "echo/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
	log_configure(&(struct log_options){ LOG_TEXT, LOG_LEVEL_INFO, 0 });
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

static void configure(enum log_format format, enum log_level level, unsigned burst)
{
	log_configure(&(struct log_options){ format, level, burst });
}

START_TEST(less_grave_lines_are_left_out)
{
	for (unsigned level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_INFO; level++) {
		configure(LOG_TEXT, (enum log_level)level, 0);
		log_error("e");
		ck_assert_str_eq(next_write(), "echod: error: e\n");
		log_warn("w");
		ck_assert_str_eq(next_write(),
				 level >= LOG_LEVEL_WARNING ? "echod: warning: w\n" : "");
		log_info("i");
		ck_assert_str_eq(next_write(), level >= LOG_LEVEL_INFO ? "echod: i\n" : "");
	}
}
END_TEST

START_TEST(a_line_of_json_is_one_object_whatever_is_said)
{
	char text[3000], *message;
	size_t n;

	configure(LOG_JSON, LOG_LEVEL_INFO, 0);
	log_warn("%s", "say \"hello\\\" \n caf\xc3\xa9");
	next_write();
	ck_assert_int_eq(strncmp(line, "{\"unix_ns\":", strlen("{\"unix_ns\":")), 0);
	ck_assert_ptr_nonnull(
		strstr(line, ",\"level\":\"warning\",\"program\":\"echod\",\"pid\":"));
	message = strstr(line, ",\"message\":");
	ck_assert_ptr_nonnull(message);
	ck_assert_str_eq(message, ",\"message\":\"say \\\"hello\\\\\\\" \\\\x0a caf\xc3\xa9\"}\n");
	memset(text, _i == 0 ? '"' : '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	n = strlen(next_write());
	ck_assert_uint_le(n, 2048);
	ck_assert_str_eq(&line[n - strlen("...\"}\n")], "...\"}\n");
	ck_assert_str_eq(next_write(), "");
}
END_TEST

START_TEST(lines_beyond_a_burst_are_counted_and_told)
{
	configure(_i == 0 ? LOG_TEXT : LOG_JSON, LOG_LEVEL_INFO, 2);
	for (int i = 0; i < 5; i++)
		log_warn("peer %d", i);
	for (int i = 0; i < 2; i++)
		ck_assert_str_ne(next_write(), "");
	ck_assert_str_eq(next_write(), "");
	ck_assert_int_gt(log_left_out(false), 0);
	log_info("another");
	ck_assert_str_ne(next_write(), "");
	ck_assert_int_eq(log_left_out(true), -1);
	next_write();
	if (_i == 0)
		ck_assert_str_eq(line, "echod: warning: 3 more lines such as: peer 4\n");
	else
		ck_assert_ptr_nonnull(strstr(line, ",\"left_out\":3,\"message\":\"peer 4\"}\n"));
	ck_assert_str_eq(next_write(), "");
}
END_TEST

START_TEST(the_journal_gets_priorities_when_stderr_is_its_stream)
{
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + (_i == 1));
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("echod");
	log_error("e");
	ck_assert_str_eq(next_write(), _i == 0 ? "<3>echod: error: e\n" : "echod: error: e\n");
	log_warn("w");
	ck_assert_str_eq(next_write(), _i == 0 ? "<4>echod: warning: w\n" : "echod: warning: w\n");
	log_info("i");
	ck_assert_str_eq(next_write(), _i == 0 ? "<6>echod: i\n" : "echod: i\n");
	configure(LOG_JSON, LOG_LEVEL_INFO, 0);
	log_info("i");
	ck_assert_int_eq(strncmp(next_write(), _i == 0 ? "<6>{" : "{", _i == 0 ? 4 : 1), 0);
	unsetenv("JOURNAL_STREAM");
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
	tcase_add_test(tc, less_grave_lines_are_left_out);
	tcase_add_loop_test(tc, a_line_of_json_is_one_object_whatever_is_said, 0, 2);
	tcase_add_loop_test(tc, lines_beyond_a_burst_are_counted_and_told, 0, 2);
	tcase_add_loop_test(tc, the_journal_gets_priorities_when_stderr_is_its_stream, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
