/* SPDX-License-Identifier: MIT
 * test_drill_notice: a connection that could not be looked for is not one that its client has
 * closed.
 */
#include "echodrill/stage/notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echodrill/script/program.h"
#include "echodrill/stage/run.h"

#include "descriptors.h"
#include "suites.h"

static const struct drill d;
static const struct program client;
static const struct run_options options = { .client = &client };
static struct run r;

/* A run after its fault, of a client that has this socket, if any has. The kernel's table is not
 * looked at. */
static void begin(ino_t inode)
{
	memset(&r, 0, sizeof(r));
	r.drill = &d;
	r.options = &options;
	r.record = calloc(1, sizeof(*r.record));
	ck_assert_ptr_nonnull(r.record);
	r.record->marks = 1;
	r.record->mark[0].begin_ns = 1;
	snprintf(r.record->mark[0].label, sizeof(r.record->mark[0].label), "fault");
	r.sockets = 1;
	r.socket[0] = (struct run_socket){ .port = 1234, .inode = (uint32_t)inode };
	r.table_ns = INT64_MAX;
}

static void look(void)
{
	r.looked_ns = 0;
	notice_look(&r);
}

static ino_t inode_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

START_TEST(what_nobody_has_is_closed)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	begin(inode_of(fd));
	look();
	ck_assert(!r.record->notice[NOTICE_CLOSED].seen);
	close(fd);
	look();
	ck_assert(r.record->notice[NOTICE_CLOSED].seen);
	ck_assert_str_eq(r.record->problem, "");
	free(r.record);
}
END_TEST

/* 0: no descriptor is left; 1: one, for the folder of all processes. */
START_TEST(what_could_not_be_looked_for_is_not_closed)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)descriptors_limit((unsigned)_i);
	begin(inode_of(fd));
	look();
	descriptors_unlimited();
	ck_assert(!r.record->notice[NOTICE_CLOSED].seen);
	ck_assert_str_eq(r.record->problem,
			 "a look at the client's connections: Too many open files");
	free(r.record);
	close(fd);
}
END_TEST

Suite *drill_notice_suite(void)
{
	Suite *s = suite_create("drill_notice");
	TCase *t = tcase_create("notice");

	tcase_add_test(t, what_nobody_has_is_closed);
	tcase_add_loop_test(t, what_could_not_be_looked_for_is_not_closed, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
