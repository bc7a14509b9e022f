/* SPDX-License-Identifier: MIT
 * test_process: what a program is given, and that one that cannot be started is an error at once.
 */
#include "echo/lab/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/lab/child.h"

#include "suites.h"

static char said[4096];

/* Runs a script of the shell with @keep; what it says is in @said. Returns its status. */
static int run(const char *script, int keep, bool group)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	int status = -1, out = memfd_create("out", MFD_CLOEXEC);
	const struct process p = { .argv = argv,
				   .in = PROCESS_SAME,
				   .out = out,
				   .err = out,
				   .netns = PROCESS_SAME,
				   .keep = keep,
				   .group = group };
	pid_t pid = process_start(&p);

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	memset(said, 0, sizeof(said));
	ck_assert_int_ge(pread(out, said, sizeof(said) - 1, 0), 0);
	close(out);
	return status;
}

START_TEST(a_program_that_is_not_there_leaves_no_child)
{
	static const char *const argv[] = { "/nonexistent/program", NULL };
	const struct process p = { .argv = argv,
				   .in = PROCESS_SAME,
				   .out = PROCESS_SAME,
				   .err = PROCESS_SAME,
				   .netns = PROCESS_SAME,
				   .keep = PROCESS_SAME };

	ck_assert_int_eq(process_start(&p), -ENOENT);
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(streams_are_what_was_named)
{
	int status = run("echo out; echo err >&2; exit 3", PROCESS_SAME, false);

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	ck_assert_str_eq(said, "out\nerr\n");
}
END_TEST

START_TEST(one_descriptor_stays_open)
{
	char script[64];
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	snprintf(script, sizeof(script), "test -e /proc/self/fd/%d || echo closed", fd);
	run(script, PROCESS_SAME, false);
	ck_assert_str_eq(said, "closed\n");
	run(script, fd, false);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC); /* ours still is closed on exec */
	close(fd);
}
END_TEST

START_TEST(signals_are_neither_blocked_nor_ignored)
{
	sigset_t all, old;
	int status;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	signal(SIGPIPE, SIG_IGN);
	run("grep SigBlk /proc/self/status", PROCESS_SAME, false);
	ck_assert_ptr_nonnull(strstr(said, "SigBlk:\t0000000000000000"));
	status = run("kill -PIPE $$", PROCESS_SAME, false);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_IGN); /* as nohup does */
	status = run("kill -HUP $$", PROCESS_SAME, true);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
	status = run("kill -HUP $$", PROCESS_SAME, false); /* a terminal's is for it, too */
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
}
END_TEST

START_TEST(a_group_of_its_own_is_there_when_it_runs)
{
	run("cut -d ' ' -f 5 /proc/$$/stat; echo $$", PROCESS_SAME, true);
	ck_assert_int_eq(strncmp(said, strchr(said, '\n') + 1, strcspn(said, "\n")), 0);
}
END_TEST

static int told[2]; /* by what was forked; its end is that of all of it */
static pid_t doomed;

/* In a process that was forked: goes on when its parent is dead. */
static void outlive(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	if (getppid() != doomed)
		return;
	(void)!write(told[1], "", 1);
	while (getppid() == doomed)
		nanosleep(&ms, NULL);
}

static void start_either(bool keeper)
{
	char script[64];
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct process p = { .argv = argv,
				   .in = PROCESS_SAME,
				   .out = PROCESS_SAME,
				   .err = PROCESS_SAME,
				   .netns = PROCESS_SAME,
				   .keep = PROCESS_SAME,
				   .parent_death_signal = SIGKILL };
	struct child c;

	snprintf(script, sizeof(script), "echo it runs >/proc/self/fd/%d", told[1]);
	if (keeper)
		(void)child_start(&c, script, NULL);
	else
		(void)process_start(&p);
}

START_TEST(what_was_forked_by_one_that_has_died_runs_nothing)
{
	char byte = 0;

	ck_assert_int_eq(pipe(told), 0);
	doomed = fork();
	if (doomed == 0) {
		doomed = getpid();
		(void)pthread_atfork(NULL, NULL, outlive);
		start_either(_i);
		_exit(0);
	}
	close(told[1]);
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	kill(doomed, SIGKILL);
	ck_assert_int_eq(waitpid(doomed, NULL, 0), doomed);
	ck_assert_int_eq(read(told[0], &byte, 1), 0);
	close(told[0]);
}
END_TEST

Suite *process_suite(void)
{
	Suite *s = suite_create("process");
	TCase *t = tcase_create("process");

	tcase_add_test(t, a_program_that_is_not_there_leaves_no_child);
	tcase_add_test(t, streams_are_what_was_named);
	tcase_add_test(t, one_descriptor_stays_open);
	tcase_add_test(t, signals_are_neither_blocked_nor_ignored);
	tcase_add_test(t, a_group_of_its_own_is_there_when_it_runs);
	tcase_add_loop_test(t, what_was_forked_by_one_that_has_died_runs_nothing, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
