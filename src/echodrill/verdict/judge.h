/* SPDX-License-Identifier: MIT
 * judge: from what was recorded to a verdict.
 *
 * A fault that was not shown to be active makes it inconclusive, whatever was seen. So does what
 * came later than it may when a timer beside it was late as well: then nobody knows whose fault it
 * was. Anything else that was expected and not seen is a fail.
 */
#ifndef ECHODRILL_JUDGE_H
#define ECHODRILL_JUDGE_H

#include <stdint.h>

#include "echodrill/script/drill.h"

struct run;

enum verdict { VERDICT_PASS, VERDICT_SKIPPED, VERDICT_INCONCLUSIVE, VERDICT_FAIL };
enum ruling { RULING_OK, RULING_NO, RULING_LATE, RULING_DOUBT, RULING_SKIPPED };

enum { FINDINGS_MAX = DRILL_STEPS_MAX + DRILL_EXPECTS_MAX + 5 };

/* What of the drill it is about. */
enum finding_of { FINDING_OF_RUN, FINDING_OF_STEP, FINDING_OF_EXPECT };

struct finding {
	enum finding_of of;
	unsigned nth;            /* step or expectation, from 0 */
	char what[OPT_TEXT_MAX]; /* "wire.client.s2c.rst" */
	char expected[128];      /* "== 1" */
	char observed[128];
	enum ruling ruling;
};

struct judgement {
	enum verdict verdict;
	char reason[320]; /* "": pass */
	unsigned count;
	struct finding at[FINDINGS_MAX];
	/* Until the client knew, from the step labelled `from`, else from the fault or, if that is
	 * later, from the client's start; -1: it never did. */
	int64_t knew_ns;
	char knew[64]; /* how: "reset awaiting ECONNRESET" */
};

/* @negate: the expectation, counted from 1, that is turned round; 0: none. Between observe_open and
 * observe_close of that run. */
void judge(const struct run *r, unsigned negate, struct judgement *j);

const char *judge_verdict_name(enum verdict v);

/* Exit code of a program that gave all these verdicts: counts[enum verdict]. */
int judge_exit(const unsigned counts[4]);

#endif
