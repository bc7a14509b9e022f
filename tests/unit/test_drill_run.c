/* SPDX-License-Identifier: MIT
 * test_drill_run: a run that cannot be opened keeps nothing.
 */
#include "echodrill/stage/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "suites.h"

/* The number that the next descriptor gets. */
static int next_descriptor(void)
{
	const int fd = dup(STDERR_FILENO);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

START_TEST(what_was_opened_of_a_run_that_cannot_be_is_closed)
{
	static const struct drill d;
	static const struct run_options o;
	const int next = next_descriptor();
	struct rlimit limit;
	struct run r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)next + 1; /* room for the capture of one side */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(run_open(&r, &d, &o), -EMFILE);
	ck_assert_int_eq(next_descriptor(), next);
}
END_TEST

Suite *drill_run_suite(void)
{
	Suite *s = suite_create("drill_run");
	TCase *t = tcase_create("run");

	tcase_add_test(t, what_was_opened_of_a_run_that_cannot_be_is_closed);
	suite_add_tcase(s, t);
	return s;
}
