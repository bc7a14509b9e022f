/* SPDX-License-Identifier: MIT
 * test_drill_footprint: what programs hold, and which of it has stayed behind.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echodrill/rig/footprint.h"
#include "echodrill/stage/proc.h"

#include "descriptors.h"
#include "suites.h"

static const struct footprint right = { .root = 10, .descriptors = 20, .memory = 1 << 20 };

static const struct {
	struct footprint now;
	const char *why;
} held[] = {
	{ { .root = 10, .descriptors = 20, .memory = 1 << 20 }, "" },
	{ { .root = 10, .descriptors = 19, .memory = 5 << 20 }, "" },
	{ { .root = 10, .descriptors = 21, .memory = 0 }, "21 descriptors, at first 20" },
	{ { .root = 11, .descriptors = 21, .memory = 0 }, "21 descriptors, at first 20" },
	{ { .root = 10, .memory = 6 << 20 }, "6144 KiB of memory, at first 1024 KiB" },
	{ { .root = 11, .memory = 6 << 20 }, "" }, /* another process */
	{ { .root = 10, .io_workers = 1 }, "1 io worker threads" },
	{ { .root = 10, .zombies = 2 }, "2 processes were not reaped" },
};

START_TEST(what_has_grown_is_named)
{
	struct footprint at_first = right;
	char why[FOOTPRINT_WHY_MAX];

	ck_assert_int_eq(footprint_compare(&at_first, &held[_i].now, why), held[_i].why[0] == '\0');
	ck_assert_str_eq(why, held[_i].why);
	ck_assert_int_eq(at_first.root, held[_i].now.root);
}
END_TEST

START_TEST(the_most_that_was_seen_at_first_is_right)
{
	const struct footprint more = { .root = 10, .descriptors = 22, .memory = 1 << 10 };
	struct footprint learnt = { 0 };

	footprint_learn(&learnt, &right);
	footprint_learn(&learnt, &more);
	ck_assert_uint_eq(learnt.descriptors, 22);
	ck_assert_uint_eq(learnt.memory, 1 << 20);
}
END_TEST

START_TEST(a_process_is_seen_with_all_that_it_holds)
{
	struct footprint before, after;
	void *memory;
	int fd;

	ck_assert_int_eq(footprint_read(getpid(), &before), 0);
	fd = dup(STDERR_FILENO);
	memory = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(footprint_read(getpid(), &after), 0);
	ck_assert_uint_gt(before.descriptors, 2);
	ck_assert_uint_eq(after.descriptors, before.descriptors + 1);
	ck_assert_uint_ge(after.memory, before.memory + (7 << 20));
	ck_assert_uint_eq(after.zombies, 0);
	ck_assert_uint_eq(after.io_workers, 0);
	close(fd);
	munmap(memory, 8 << 20);
}
END_TEST

/* 0: none is left; 1: the folder of all processes can be opened, and no file in it. */
START_TEST(what_could_not_be_looked_at_is_not_held_by_nobody)
{
	struct footprint now;
	pid_t pids[4];
	siginfo_t info;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(proc_zombies(getpid()), 1);
	(void)descriptors_limit((unsigned)_i);
	ck_assert_int_eq(proc_zombies(getpid()), -EMFILE);
	ck_assert_int_eq(proc_children(getpid(), pids, ARRAY_LEN(pids)), -EMFILE);
	ck_assert_int_eq(proc_tree(getpid(), pids, ARRAY_LEN(pids)), -EMFILE);
	ck_assert_int_eq(footprint_read(getpid(), &now), -EMFILE);
	ck_assert(_i == 1 || proc_state(child) == PROC_UNKNOWN);
	ck_assert(!proc_sleeps(getpid()));
	descriptors_unlimited();
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(who_is_gone_holds_nothing_and_was_looked_at)
{
	struct footprint now;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_eq(footprint_read(child, &now), 0);
	ck_assert_uint_eq(now.descriptors, 0);
	ck_assert_int_eq(proc_state(child), 0);
	ck_assert(proc_sleeps(child));
}
END_TEST

Suite *drill_footprint_suite(void)
{
	Suite *s = suite_create("drill_footprint");
	TCase *t = tcase_create("footprint");

	tcase_add_loop_test(t, what_has_grown_is_named, 0, ARRAY_LEN(held));
	tcase_add_test(t, the_most_that_was_seen_at_first_is_right);
	tcase_add_test(t, a_process_is_seen_with_all_that_it_holds);
	tcase_add_loop_test(t, what_could_not_be_looked_at_is_not_held_by_nobody, 0, 2);
	tcase_add_test(t, who_is_gone_holds_nothing_and_was_looked_at);
	suite_add_tcase(s, t);
	return s;
}
