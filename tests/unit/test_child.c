/* SPDX-License-Identifier: MIT
 * test_child: programs are started, heard, awaited and ended with all they started; and what they
 * use is seen from outside.
 */
#include "echo/lab/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/lab/tasks.h"

#include "suites.h"

static void setup(void)
{
	child_block_signals();
}

START_TEST(what_it_says_is_kept_and_its_exit_code)
{
	struct child c;
	char *text;

	ck_assert_int_eq(child_start(&c, "echo hello; echo oops >&2; exit 7", NULL), 0);
	ck_assert_int_eq(child_wait(&c, SEC(20)), 0);
	ck_assert(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 7);
	text = child_text(c.out);
	ck_assert_str_eq(text, "hello\n");
	free(text);
	text = child_text(c.err);
	ck_assert_str_eq(text, "oops\n");
	free(text);
	child_stop(&c, SEC(1));
	child_stop(&c, SEC(1)); /* harmless */
}
END_TEST

START_TEST(a_command_that_is_not_there_is_an_exit_code)
{
	struct child c;

	ck_assert_int_eq(child_start(&c, "/nonexistent/program", NULL), 0);
	ck_assert_int_eq(child_wait(&c, SEC(20)), 0);
	ck_assert_int_eq(WEXITSTATUS(c.status), 127);
	child_stop(&c, SEC(1));
}
END_TEST

START_TEST(stop_ends_the_stubborn_and_its_children)
{
	static const char *const commands[] = {
		"trap '' TERM; sleep 1000 & echo $$; while :; do sleep 1000; done",
		"setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; done' & wait",
		"(setsid sh -c 'echo $$; exec sleep 1000' &)",
		"X=1 sh -c 'echo $$; exec sleep 1000'",
		"cd / && sh -c 'echo $$; exec sleep 1000'",
		"( sh -c 'echo $$; exec sleep 1000' )",
		"sh -c 'echo $$; exec sleep 1000' | cat 1>&2; echo its end",
	};
	struct child c;
	char *text = NULL;
	pid_t pid = 0;

	/* orphans would come to us: nothing may be left for that */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ck_assert_int_eq(child_start(&c, commands[_i], NULL), 0);
	while (pid == 0) {
		ck_assert_int_eq(child_wait(&c, MSEC(10)), -ETIME);
		text = child_text(_i == 6 ? c.err : c.out);
		pid = strchr(text, '\n') ? (pid_t)strtol(text, NULL, 10) : 0;
		free(text);
	}
	ck_assert_int_eq(kill(pid, 0), 0);
	child_stop(&c, MSEC(50));
	ck_assert_int_eq(c.pid, 0);
	ck_assert(kill(pid, 0) < 0 && errno == ESRCH);
	ck_assert(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}
END_TEST

START_TEST(a_program_takes_the_place_of_its_shell)
{
	static const struct {
		const char *command;
		bool is;
	} rows[] = {
		{ "sleep 1000", true },
		{ " /bin/sleep 1 >/dev/null", true },
		{ "X=1 sleep 1", false },
		{ "cd / && sleep 1", false },
		{ "( sleep 1 )", false },
		{ "exec sleep 1", false },
		{ "sleep 1 | cat", false },
		{ "$SHELL -c x", false },
		{ "'sleep' 1", false },
		{ "/nonexistent 1", false },
		{ "", false },
	};
	struct child c;
	char path[64], exe[64] = "";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(child_is_program(rows[i].command) == rows[i].is, "%s",
			      rows[i].command);
	ck_assert_int_eq(child_start(&c, "sleep 1000", NULL), 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", c.pid);
	while (!strstr(exe, "sleep"))
		ck_assert_int_gt(readlink(path, exe, sizeof(exe) - 1), 0);
	child_stop(&c, SEC(1));
}
END_TEST

START_TEST(it_has_ended_when_all_of_it_has)
{
	struct child c;

	ck_assert_int_eq(child_start(&c, "sleep 0.2 & exit 3", NULL), 0);
	ck_assert_int_eq(child_wait(&c, SEC(20)), 0);
	ck_assert(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 3);
	child_stop(&c, 0);
	ck_assert_int_eq(child_start(&c, "kill -SEGV $$", NULL), 0);
	ck_assert_int_eq(child_wait(&c, SEC(20)), 0);
	ck_assert(WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGSEGV);
	child_stop(&c, 0);
	c = (struct child){ .pid = 0 };
	child_stop(&c, 0); /* nothing was started, and no descriptor 0 is closed */
	ck_assert_int_eq(fcntl(0, F_GETFD) < 0 ? errno : 0, 0);
}
END_TEST

START_TEST(a_signal_ends_the_wait_and_leaves_the_child)
{
	struct child c;

	ck_assert_int_eq(child_stop_signal(), 0);
	ck_assert_int_eq(child_start(&c, "sleep 1000", NULL), 0);
	kill(getpid(), SIGTERM); /* blocked: the wait takes it */
	ck_assert_int_eq(child_wait(&c, SEC(20)), -EINTR);
	ck_assert_int_eq(child_stop_signal(), SIGTERM);
	ck_assert_int_eq(kill(c.pid, 0), 0);
	child_stop(&c, SEC(5));
}
END_TEST

START_TEST(where_it_listens_is_found_on_a_whole_line)
{
	static const struct {
		const char *says, *address;
	} rows[] = {
		{ "echod: listening on 127.0.0.1:7007: epoll, 1 worker\\n", "127.0.0.1:7007" },
		{ "listening [::1]:80\\n", "[::1]:80" },
		{ "listening 127.0.0.1:70", NULL },
		{ "10.0.0.1:5 is not where it is\\n", NULL },
	};
	char command[200], addr[80] = "";
	struct child c;

	snprintf(command, sizeof(command), "printf '%s'", rows[_i].says);
	ck_assert_int_eq(child_start(&c, command, NULL), 0);
	ck_assert_int_eq(child_wait(&c, SEC(20)), 0);
	ck_assert_int_eq(child_address(c.out, addr, sizeof(addr)), rows[_i].address != NULL);
	if (rows[_i].address)
		ck_assert_str_eq(addr, rows[_i].address);
	child_stop(&c, SEC(1));
}
END_TEST

START_TEST(words_are_replaced_everywhere)
{
	char *s = child_replace("{port} and {port}{host}", "{port}", "80");

	ck_assert_str_eq(s, "80 and 80{host}");
	free(s);
}
END_TEST

START_TEST(what_a_tree_of_processes_uses_is_seen)
{
	struct tasks_usage before, after;
	struct child c;

	/* a shell with a child that works */
	ck_assert_int_eq(child_start(&c, "(while :; do :; done) & wait", NULL), 0);
	ck_assert_int_eq(child_wait(&c, MSEC(50)), -ETIME);
	tasks_usage(c.pid, &before);
	for (int i = 0; i < 200; i++) {
		child_wait(&c, MSEC(50));
		tasks_usage(c.pid, &after);
		if (after.cpu_ns - before.cpu_ns > MSEC(30))
			break;
	}
	ck_assert_uint_eq(after.threads, 2);
	ck_assert_int_gt(after.cpu_ns - before.cpu_ns, MSEC(30));
	ck_assert_int_ge(after.wait_ns, before.wait_ns);
	child_stop(&c, SEC(1));
	tasks_usage(1 << 22, &after);
	ck_assert_uint_eq(after.threads, 0);
}
END_TEST

START_TEST(system_calls_are_counted_where_the_kernel_lets_us)
{
	static struct tasks_syscalls s;
	struct child c;
	int r;

	ck_assert_int_eq(child_start(&c, "read x </dev/tty; while :; do kill -0 $$; done", NULL),
			 0);
	child_wait(&c, MSEC(50));
	r = tasks_syscalls_begin(&s, c.pid);
	if (r == 0) {
		child_wait(&c, MSEC(200));
		ck_assert_uint_gt(tasks_syscalls_sum(&s), 10);
		tasks_syscalls_end(&s);
	} else {
		ck_assert(r == -ENOENT || r == -EACCES || r == -EPERM || r == -ENOSYS);
		ck_assert_msg(geteuid() != 0 || r == -EPERM, "root can mount tracefs");
	}
	child_stop(&c, SEC(1));
}
END_TEST

/* Two that want one CPU, one of them with no right to it. */
START_TEST(a_long_wait_for_a_cpu_is_seen)
{
	static struct tasks_waits waits;
	struct child hog, late;
	cpu_set_t all, one;
	int cpu = 0;
	int64_t longest_ns = 0, end_ns = clock_now_ns() + SEC(20);

	sched_getaffinity(0, sizeof(all), &all);
	while (!CPU_ISSET((unsigned)cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET((unsigned)cpu, &one);
	ck_assert_int_eq(child_start(&hog, "while :; do :; done", &one), 0);
	ck_assert_int_eq(child_start(&late, "exec chrt -i 0 sh -c 'while :; do :; done'", &one), 0);
	while (longest_ns < MSEC(50) && clock_now_ns() < end_ns) {
		int64_t wait_ns;

		clock_sleep_until(clock_now_ns() + MSEC(20));
		wait_ns = tasks_longest_wait(&waits, late.pid);
		longest_ns = wait_ns > longest_ns ? wait_ns : longest_ns;
	}
	ck_assert_int_ge(longest_ns, MSEC(50));
	ck_assert_int_le(longest_ns, SEC(20));
	child_stop(&late, SEC(1));
	child_stop(&hog, SEC(1));
	ck_assert_int_eq(tasks_longest_wait(&waits, 1 << 22), 0);
	ck_assert_uint_eq(waits.count, 0);
}
END_TEST

/* A late machine may be late with packets alone: their threads wait as others do. */
START_TEST(the_kernels_threads_that_move_packets_are_sampled)
{
	static struct tasks_waits waits;
	char name[16] = "";
	FILE *f = fopen("/proc/2/comm", "r");
	bool all;

	ck_assert(!f || fgets(name, sizeof(name), f));
	all = strcmp(name, "kthreadd\n") == 0; /* else this is no first process namespace */
	if (f)
		fclose(f);
	tasks_find_softirqs(&waits);
	if (all && sysconf(_SC_NPROCESSORS_ONLN) <= (long)ARRAY_LEN(waits.softirq))
		ck_assert_int_ge(waits.softirqs, sysconf(_SC_NPROCESSORS_ONLN));
	(void)tasks_longest_wait(&waits, 1 << 22);
	for (unsigned i = 0; i < waits.softirqs; i++)
		ck_assert_int_gt(waits.softirq[i].wait.runs, 0);
	tasks_close_softirqs(&waits);
	ck_assert_uint_eq(waits.softirqs, 0);
}
END_TEST

Suite *child_suite(void)
{
	Suite *s = suite_create("child");
	TCase *t = tcase_create("child");

	tcase_set_timeout(t, 60);
	tcase_add_unchecked_fixture(t, setup, NULL);
	tcase_add_test(t, what_it_says_is_kept_and_its_exit_code);
	tcase_add_test(t, a_command_that_is_not_there_is_an_exit_code);
	tcase_add_loop_test(t, stop_ends_the_stubborn_and_its_children, 0, 7);
	tcase_add_test(t, a_program_takes_the_place_of_its_shell);
	tcase_add_test(t, it_has_ended_when_all_of_it_has);
	tcase_add_loop_test(t, where_it_listens_is_found_on_a_whole_line, 0, 4);
	tcase_add_test(t, words_are_replaced_everywhere);
	tcase_add_test(t, what_a_tree_of_processes_uses_is_seen);
	tcase_add_test(t, a_long_wait_for_a_cpu_is_seen);
	tcase_add_test(t, the_kernels_threads_that_move_packets_are_sampled);
	tcase_add_test(t, system_calls_are_counted_where_the_kernel_lets_us);
	tcase_add_test(t, a_signal_ends_the_wait_and_leaves_the_child); /* the flag stays */
	suite_add_tcase(s, t);
	return s;
}
