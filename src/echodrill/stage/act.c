/* SPDX-License-Identifier: MIT
 * act: the steps of a drill in their order, each by its verb.
 */
#include "act.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/clock.h"
#include "echodrill/script/verb.h"
#include "echodrill/verbs/doing.h"
#include "loop.h"
#include "notice.h"
#include "run.h"
#include "target.h"

static void act_mark(struct record *rec, const char *label, int64_t begin_ns)
{
	struct mark *m = &rec->mark[rec->marks];

	if (label[0] == '\0' || record_mark(rec, label))
		return;
	assert(rec->marks < RECORD_MARKS_MAX);
	snprintf(m->label, sizeof(m->label), "%s", label);
	m->begin_ns = begin_ns;
	m->end_ns = clock_now_ns();
	rec->marks++;
}

/* What the client does while a step is carried out may be because of it: the step is known from its
 * beginning. */
static void act_begin(struct record *rec, const struct step *s, int64_t begin_ns)
{
	act_mark(rec, s->label, begin_ns);
	if (s->fault)
		act_mark(rec, "fault", begin_ns);
	if (strcmp(s->label, "from") == 0) /* what came before is not what is measured */
		memset(rec->notice, 0, sizeof(rec->notice));
}

/* The marks from @first on are those of this step. */
static void act_end_marks(struct record *rec, unsigned first)
{
	for (unsigned i = first; i < rec->marks; i++)
		rec->mark[i].end_ns = clock_now_ns();
}

/* What a step awaits may have come while the one before it was done, and we were late: at any time
 * since programs were last heard. */
static int64_t act_began(const struct run *r, const struct step *s)
{
	const int64_t now = clock_now_ns();

	return s->verb->awaits && r->heard_ns > 0 ? r->heard_ns : now;
}

static int act_step(struct run *r, unsigned nth)
{
	const struct step *s = &r->drill->step.at[nth];
	struct record *rec = r->record;
	struct doing d = { .r = r, .s = s, .o = &rec->outcome[nth] };
	const bool ran = r->procs[WHO_CLIENT].pid != 0;
	const unsigned marks = rec->marks;
	int64_t begin;
	int result;

	hosts_expand(r->hosts.family, s->rest, d.text, sizeof(d.text));
	if (s->start_ns > 0)
		loop_until(r, (s->at ? rec->start_ns : clock_now_ns()) + s->start_ns, NULL, NULL);
	if (s->fault && !record_mark(rec, "fault"))
		loop_look(r, "before");
	d.o->foreign = target_is_foreign(r, s);
	d.o->faulted = s->fault;
	d.o->active = true;
	if (s->fault && s->verb->before)
		s->verb->before(&d);
	if (s->fault || strcmp(s->label, "from") == 0)
		notice_settle(r);
	begin = act_began(r, s);
	act_begin(rec, s, begin);
	if (!s->verb->quiet)
		timeline_add(&rec->timeline, begin, WHO_DRILL, "%s%s%s", s->fault ? "FAULT " : "",
			     doing_left_out(&d) || d.o->foreign ? "(left out) " : "", s->text);
	result = s->verb->act(&d);
	act_end_marks(rec, marks);
	if (!ran && r->procs[WHO_CLIENT].pid)
		act_mark(rec, RECORD_CLIENT_STARTED, begin);
	if (s->fault && s->verb->after)
		s->verb->after(&d);
	return result;
}

void act(struct run *r)
{
	for (unsigned i = 0; i < r->drill->step.count; i++) {
		if (clock_now_ns() > r->deadline_ns) {
			snprintf(r->record->problem, sizeof(r->record->problem),
				 "the drill's limit of time was over before step %u", i + 1);
			return;
		}
		if (act_step(r, i) < 0)
			return;
		r->steps_done++;
	}
}

bool act_done(const struct run *r)
{
	return r->steps_done == r->drill->step.count;
}

void act_end(struct run *r)
{
	for (unsigned i = 0; i < r->drill->step.count; i++) {
		const struct step *s = &r->drill->step.at[i];
		struct doing d = { .r = r, .s = s, .o = &r->record->outcome[i] };

		if (d.o->faulted && d.o->active && s->verb->end)
			s->verb->end(&d);
	}
}
