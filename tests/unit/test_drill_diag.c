/* SPDX-License-Identifier: MIT
 * test_drill_diag: what the kernel says of sockets, and that it could not say it.
 */
#include "echodrill/rig/diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suites.h"

static void count(void *arg, const struct diag_socket *s)
{
	(void)s;
	++*(unsigned *)arg;
}

/* What comes of a dump that the kernel ends so. */
static int dumped(int end)
{
	struct {
		struct nlmsghdr head;
		int end;
	} done = { { .nlmsg_len = sizeof(done), .nlmsg_type = NLMSG_DONE }, end };
	unsigned sockets = 0;
	int pair[2], r;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	ck_assert_int_eq(send(pair[1], &done, sizeof(done), 0), sizeof(done));
	r = diag_each(pair[0], 4, count, &sockets);
	ck_assert_uint_eq(sockets, 0);
	close(pair[0]);
	close(pair[1]);
	return r;
}

START_TEST(a_dump_that_the_kernel_could_not_make_has_not_shown_that_there_is_none)
{
	ck_assert_int_eq(dumped(-ENOENT), -ENOENT); /* there is no tcp_diag */
	ck_assert_int_eq(dumped(-ENOMEM), -ENOMEM);
}
END_TEST

START_TEST(a_dump_of_no_sockets_has_none)
{
	ck_assert_int_eq(dumped(0), 0);
}
END_TEST

Suite *drill_diag_suite(void)
{
	Suite *s = suite_create("drill_diag");
	TCase *t = tcase_create("diag");

	tcase_add_test(t, a_dump_that_the_kernel_could_not_make_has_not_shown_that_there_is_none);
	tcase_add_test(t, a_dump_of_no_sockets_has_none);
	suite_add_tcase(s, t);
	return s;
}
