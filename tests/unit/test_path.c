/* SPDX-License-Identifier: MIT
 * test_path: unix sockets: their files, and what a socket that is no TCP knows.
 */
#include "echo/net/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/net/sock.h"

#include "suites.h"

static const struct sock_options plain = { .backlog = 1,
					   .unix_mode = 0640,
					   .unix_owner = { (uid_t)-1, (gid_t)-1 } };

static char folder[32], path[64], why[PATH_WHY_MAX];
static struct addr at;
static int none; /* no descriptor is to be had */

static void setup(void)
{
	char text[ADDR_TEXT_MAX];

	snprintf(folder, sizeof(folder), "/tmp/echolab-path-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(text, sizeof(text), "unix:%s", path);
	ck_assert_int_eq(addr_parse(&at, text), 0);
	why[0] = 0;
}

static void teardown(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static int listen_there(const struct sock_options *o)
{
	int fd;

	ck_assert_msg(sock_listen_unix(&at, o, &fd, 1, why) == 0, "%s", why);
	return fd;
}

static unsigned mode_of(const char *file)
{
	struct stat st;

	ck_assert_int_eq(lstat(file, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

START_TEST(the_mode_is_what_was_asked_for_whatever_the_umask_says)
{
	static const unsigned modes[] = { 0600, 0640, 0666, 0777 };
	const mode_t before = umask(077);

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct sock_options o = plain;

		o.unix_mode = modes[i];
		int fd = listen_there(&o);

		ck_assert_uint_eq(mode_of(path), modes[i]);
		close(fd);
	}
	umask(before);
}
END_TEST

START_TEST(what_a_dead_process_left_is_replaced_and_what_is_served_is_not)
{
	struct path_id first, second;
	int fd = listen_there(&plain), dialed;

	first = path_identify(path);
	ck_assert_int_eq(sock_listen_unix(&at, &plain, &none, 1, why), -EADDRINUSE);
	ck_assert_str_eq(why, "another process listens there");
	ck_assert(first.ino == path_identify(path).ino);
	close(fd);
	fd = listen_there(&plain);
	second = path_identify(path);
	dialed = sock_dial(&at, NULL, &plain);
	ck_assert_int_ge(dialed, 0);
	path_remove(path, (struct path_id){ second.dev, second.ino + 1 }); /* another's */
	ck_assert_uint_eq(mode_of(path), 0640);
	path_remove(path, second);
	ck_assert_int_eq(access(path, F_OK), -1);
	close(dialed);
	close(fd);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(sock_listen_unix(&at, &plain, &none, 1, why), -ENOTSOCK);
	ck_assert_str_eq(why, "it is there, and no socket");
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(an_owner_that_cannot_be_given_is_an_error_and_leaves_nothing)
{
	struct sock_options o = plain;
	struct stat st;
	int r, fd;

	o.unix_owner = (struct sock_owner){ 12345, 23456 };
	r = sock_listen_unix(&at, &o, &fd, 1, why);
	if (r == 0) { /* root may */
		ck_assert_int_eq(lstat(path, &st), 0);
		ck_assert_uint_eq(st.st_uid, 12345);
		ck_assert_uint_eq(st.st_gid, 23456);
		ck_assert_uint_eq(mode_of(path), 0640);
		close(fd);
		return;
	}
	ck_assert_int_eq(r, -EPERM);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(an_abstract_name_has_one_listener_and_no_file)
{
	char text[ADDR_TEXT_MAX];
	int fd, dialed;

	snprintf(text, sizeof(text), "unix:@echolab-test-path-%d", (int)getpid());
	ck_assert_int_eq(addr_parse(&at, text), 0);
	fd = listen_there(&plain);
	dialed = sock_dial(&at, NULL, &plain);
	ck_assert_int_ge(dialed, 0);
	ck_assert_int_eq(sock_listen_unix(&at, &plain, &none, 1, why), -EADDRINUSE);
	close(dialed);
	close(fd);
}
END_TEST

START_TEST(a_full_queue_is_told_at_once)
{
	int dialed[8], n = 0, r = 0, fd = listen_there(&plain);

	while (n < 8 && r >= 0) {
		r = sock_dial(&at, NULL, &plain);
		if (r >= 0)
			dialed[n++] = r;
	}
	ck_assert_int_eq(r, -EAGAIN);
	while (n > 0)
		close(dialed[--n]);
	close(fd);
	ck_assert_int_eq(sock_dial(&at, NULL, &plain), -ECONNREFUSED);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(sock_dial(&at, NULL, &plain), -ENOENT);
}
END_TEST

START_TEST(a_unix_socket_tells_what_it_can)
{
	struct sock_progress p = { .quiet_ns = 77 };
	struct addr seen;
	uint64_t acked = 0;
	char bytes[100] = { 0 };
	int fd = listen_there(&plain), dialed = sock_dial(&at, NULL, &plain), accepted;

	ck_assert_int_ge(dialed, 0);
	ck_assert_int_eq(sock_connected(dialed), 0);
	accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(accepted, 0);
	ck_assert_int_eq(sock_listens(fd, &seen), 0);
	ck_assert(addr_equal(&seen, &at));
	ck_assert_int_eq(sock_listens(accepted, &seen), -ENOTSOCK);
	ck_assert(sock_is_open(accepted));
	ck_assert(!sock_is_open(fd));
	ck_assert(sock_is_unix(fd) && sock_is_unix(accepted));
	ck_assert_uint_ne(sock_cookie(fd), 0);
	ck_assert_uint_ne(sock_cookie(fd), sock_cookie(accepted));
	ck_assert_int_eq(sock_queued(fd), -EOPNOTSUPP);
	ck_assert_int_eq(sock_join(&at, &plain), -EOPNOTSUPP);
	ck_assert_int_eq(sock_inherit(fd, &plain), 0);

	ck_assert_int_eq(send(accepted, bytes, 100, 0), 100);
	ck_assert_int_eq(sock_acked(accepted, false, 100, &acked), 0);
	ck_assert_uint_eq(acked, 100);
	ck_assert_int_eq(sock_progress(accepted, 100, &p), 1);
	ck_assert(p.owes);
	ck_assert_int_eq(p.quiet_ns, 77);
	acked = p.acked;
	ck_assert_int_eq(recv(dialed, bytes, 100, 0), 100);
	ck_assert_int_eq(sock_progress(accepted, 100, &p), 1);
	ck_assert(!p.owes);
	ck_assert_uint_ne(p.acked, acked);
	close(dialed);
	close(accepted);
	close(fd);
}
END_TEST

Suite *path_suite(void)
{
	Suite *s = suite_create("path");
	TCase *tc = tcase_create("path");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_mode_is_what_was_asked_for_whatever_the_umask_says);
	tcase_add_test(tc, what_a_dead_process_left_is_replaced_and_what_is_served_is_not);
	tcase_add_test(tc, what_is_no_socket_is_left_alone);
	tcase_add_test(tc, an_owner_that_cannot_be_given_is_an_error_and_leaves_nothing);
	tcase_add_test(tc, an_abstract_name_has_one_listener_and_no_file);
	tcase_add_test(tc, a_full_queue_is_told_at_once);
	tcase_add_test(tc, a_unix_socket_tells_what_it_can);
	suite_add_tcase(s, tc);
	return s;
}
