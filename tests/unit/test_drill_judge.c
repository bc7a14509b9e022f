/* SPDX-License-Identifier: MIT
 * test_drill_judge: what this machine could not look at says nothing of the programs: a drill that
 * expects something of it has no verdict.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/capture.h"
#include "echodrill/verdict/judge.h"
#include "echodrill/verdict/observe.h"

#include "suites.h"

static struct drill d;
static const struct run_options options;

/* A run of a drill with this expectation that came to its end, and of which nothing was recorded
 * but that its fault was active; its captures are no captures. */
static struct run ran(const char *expect)
{
	struct run r = { .drill = &d, .options = &options };
	char text[512], error[OPT_ERROR_MAX];
	FILE *f;

	snprintf(text, sizeof(text),
		 "[drill]\nstory = s\n[steps]\nstep = fault signal KILL server\n"
		 "[expect]\nexpect = %s\n",
		 expect);
	f = fmemopen(text, strlen(text), "r");
	ck_assert_msg(drill_read_stream(&d, f, "drill", error) == 0, "%s", error);
	fclose(f);
	r.record = calloc(1, sizeof(*r.record));
	ck_assert_ptr_nonnull(r.record);
	r.record->complete = true;
	r.record->outcome[0] = (struct outcome){ .faulted = true, .active = true, .shown = "it" };
	r.record->marks = r.record->looks = 1;
	snprintf(r.record->mark[0].label, sizeof(r.record->mark[0].label), "fault");
	snprintf(r.record->look[0].label, sizeof(r.record->look[0].label), "end");
	r.record->end_ns = SEC(1);
	for (unsigned i = 0; i < WIRE_SIDES; i++)
		r.pcap[i] = memfd_create("none", MFD_CLOEXEC);
	return r;
}

/* Judges it. Its parts are gone then. */
static const struct judgement *judged(struct run *r)
{
	static struct judgement j;

	observe_open(r);
	judge(r, 0, &j);
	observe_close();
	for (unsigned i = 0; i < WIRE_SIDES; i++)
		close(r->pcap[i]);
	free(r->record);
	return &j;
}

static const struct {
	const char *expect, *reason; /* where nothing could be looked at */
} unknown[] = {
	{ "wire.client.s2c.rst == 0", "wire.client.s2c.rst == 0: the capture cannot be read" },
	{ "wire.server.s2c.rst == 4", "wire.server.s2c.rst == 4: the capture cannot be read" },
	{ "client.ended@heard in 1s..2s",
	  "client.ended@heard in 1s..2s: the capture cannot be read" },
	{ "state.end.client.ESTAB == 0", "state.end.client.ESTAB == 0: Too many open files" },
	{ "unread.end.server == 0", "unread.end.server == 0: No buffer space available" },
	{ "zombies.end.server == 0", "zombies.end.server == 0: Too many open files" },
	{ "fault.packets >= 1", "fault.packets >= 1: the router does not say what it has caught" },
	{ "counter.client.TcpRetransSegs == 0",
	  "counter.client.TcpRetransSegs == 0: the kernel's counters cannot be read" },
};

START_TEST(what_could_not_be_looked_at_has_no_verdict)
{
	struct run r = ran(unknown[_i].expect);
	struct look *l = &r.record->look[0];
	const struct judgement *j;

	l->unknown[0] = l->zombies = -EMFILE;
	l->unknown[1] = -ENOBUFS;
	r.record->fault_packets = -EIO;
	r.record->before[0].unread = true;
	r.record->ending[WHO_CLIENT] = (struct ending){ .started = true, .ended = true, .t_ns = 1 };
	j = judged(&r);
	ck_assert_str_eq(j->reason, unknown[_i].reason);
	ck_assert_int_eq(j->verdict, VERDICT_INCONCLUSIVE);
}
END_TEST

START_TEST(what_was_looked_at_and_is_not_so_fails)
{
	struct run r = ran("state.end.client.ESTAB == 0");
	const struct judgement *j;

	r.record->look[0].of[0].count[diag_state("ESTAB")] = 1;
	r.record->look[0].unknown[1] = -EMFILE; /* the other end does not matter */
	j = judged(&r);
	ck_assert_str_eq(j->reason, "state.end.client.ESTAB == 0: 1");
	ck_assert_int_eq(j->verdict, VERDICT_FAIL);
}
END_TEST

START_TEST(what_no_capture_has_is_not_told)
{
	struct run r = ran("client.exit == 0");

	ck_assert_int_eq(capture_tell(r.pcap[WIRE_CLIENT], &r.record->timeline, "", 1), -EIO);
	judged(&r);
}
END_TEST

Suite *drill_judge_suite(void)
{
	Suite *s = suite_create("drill_judge");
	TCase *t = tcase_create("judge");

	tcase_add_loop_test(t, what_could_not_be_looked_at_has_no_verdict, 0, ARRAY_LEN(unknown));
	tcase_add_test(t, what_was_looked_at_and_is_not_so_fails);
	tcase_add_test(t, what_no_capture_has_is_not_told);
	suite_add_tcase(s, t);
	return s;
}
