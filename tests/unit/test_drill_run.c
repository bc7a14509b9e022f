/* SPDX-License-Identifier: MIT
 * test_drill_run: a run that cannot be opened keeps nothing, and what times count from.
 */
#include "echodrill/stage/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/act.h"
#include "echodrill/verbs/doing.h"
#include "suites.h"

START_TEST(what_was_opened_of_a_run_that_cannot_be_is_closed)
{
	static const struct drill d;
	static const struct run_options o;
	const int next = descriptors_limit(1); /* room for the capture of one side */
	struct run r;

	ck_assert_int_eq(run_open(&r, &d, &o), -EMFILE);
	descriptors_unlimited();
	ck_assert_int_eq(descriptors_limit(0), next);
	descriptors_unlimited();
}
END_TEST

static int64_t answered_ns[2];
static unsigned answered;
static int answers; /* the other end of the client's output */

/* Types, and has no CPU for a while: the answer comes before the drill goes on. */
static int late_act(struct doing *d)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	(void)d;
	answered_ns[answered++] = clock_now_ns();
	ck_assert_int_eq(write(answers, "hello\nmore\nlast\n", 16), 16);
	nanosleep(&ms, NULL);
	return 0;
}

START_TEST(what_came_before_it_was_awaited_counts_from_when_it_came)
{
	static const struct verb verb_late = { .name = "late", .act = late_act, .quiet = true };
	static const char *const awaited[] = { "ready", "", "hello", "more", "", "last" };
	static const struct run_options o;
	static struct drill d;
	char why[OPT_ERROR_MAX], line[64];
	const struct mark *hello, *more, *last;
	const char *text;
	struct run r;
	int fd[2];

	for (unsigned i = 0; i < ARRAY_LEN(awaited); i++) {
		struct step *s = &d.step.at[d.step.count++];

		s->verb = awaited[i][0] ? &verb_await : &verb_late;
		snprintf(s->label, sizeof(s->label), "%s", awaited[i]);
		snprintf(line, sizeof(line), "client /^%s$/", awaited[i]);
		text = line;
		if (awaited[i][0])
			ck_assert_int_eq(verb_await.parse(s, &text, why), 0);
	}
	ck_assert_int_eq(run_open(&r, &d, &o), 0);
	ck_assert_int_eq(pipe2(fd, O_NONBLOCK), 0);
	answers = fd[1];
	r.procs[WHO_CLIENT] = (struct proc){ .who = WHO_CLIENT,
					     .pid = getpid(),
					     .pidfd = -1,
					     .stdin_fd = -1,
					     .out = { .fd = fd[0] },
					     .err = { .fd = -1 } };
	r.deadline_ns = clock_now_ns() + SEC(60);
	ck_assert_int_eq(write(answers, "ready\n", 6), 6);

	act(&r);
	ck_assert_str_eq(r.record->problem, "");
	ck_assert(act_done(&r));
	hello = record_mark(r.record, "hello");
	more = record_mark(r.record, "more");
	last = record_mark(r.record, "last");
	ck_assert(hello && more && last);
	ck_assert_int_le(hello->begin_ns, answered_ns[0]);
	ck_assert_int_ge(hello->end_ns, answered_ns[0]);
	/* nothing was heard between these two: they are two all the same */
	ck_assert_int_eq(more->begin_ns, last->begin_ns);
	ck_assert_int_le(more->end_ns, answered_ns[1]);
	ck_assert_int_gt(last->end_ns, answered_ns[1]);

	run_close(&r);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

Suite *drill_run_suite(void)
{
	Suite *s = suite_create("drill_run");
	TCase *t = tcase_create("run");

	tcase_add_test(t, what_was_opened_of_a_run_that_cannot_be_is_closed);
	tcase_add_test(t, what_came_before_it_was_awaited_counts_from_when_it_came);
	suite_add_tcase(s, t);
	return s;
}
