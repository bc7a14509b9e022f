/* SPDX-License-Identifier: MIT
 * knew: the first sign that a client knows, among its words, its result, and what it did.
 */
#include "knew.h"

#include <stdio.h>
#include <string.h>

#include "echo/base/cause.h"
#include "echo/base/units.h"
#include "echodrill/stage/notice.h"
#include "echodrill/stage/run.h"
#include "judge.h"
#include "observe.h"

/* The cause, out of "[ 0.1 s] recv: 0, end of input: the server is gone (eof, phase idle)". */
static void knew_words(const struct run *r, struct judgement *j)
{
	const struct timeline *t = &r->record->timeline;

	snprintf(j->knew, sizeof(j->knew), "an error");
	for (unsigned i = 0; i < t->count; i++) {
		const char *at = strstr(t->at[i].text, "phase ") ? strrchr(t->at[i].text, '(') : 0;

		if (t->at[i].who == WHO_CLIENT && at) {
			snprintf(j->knew, sizeof(j->knew), "%.*s", (int)strcspn(at + 1, ","),
				 at + 1);
			return;
		}
	}
}

/* What the client's knowledge counts from: see judge.h. */
static const char *knew_base(const struct record *rec)
{
	const struct mark *started = record_mark(rec, RECORD_CLIENT_STARTED);
	const struct mark *fault = record_mark(rec, "fault");

	if (record_mark(rec, "from"))
		return "from";
	return started && fault && started->begin_ns > fault->begin_ns ? RECORD_CLIENT_STARTED
								       : "fault";
}

/* Whether @name happened, after @base and sooner than all that the client is known to have noticed:
 * then it is that. What comes of the clean-up does not count. */
static bool knew_sooner(const struct run *r, const char *name, const char *base,
			struct judgement *j, struct seen *first)
{
	const struct mark *from = record_mark(r->record, base);
	struct seen s;
	char full[160];

	snprintf(full, sizeof(full), "%s@%s", name, base);
	if (!from || observe(r, full, &s) != 0 || s.kind != SEEN_TIME || s.most < 0 ||
	    from->begin_ns + s.most > r->record->end_ns ||
	    (j->knew_ns >= 0 && s.most >= j->knew_ns))
		return false;
	*first = s;
	j->knew_ns = s.most;
	return true;
}

/* Another client does not say what it knows: what it did first. */
static struct seen knew_noticed(const struct record *rec, struct judgement *j)
{
	const struct notice *first = notice_first(rec);
	struct seen s = { .kind = SEEN_NOTHING, .text = "never" };
	char text[UNITS_MAX];

	if (!first)
		return s;
	j->knew_ns = first->t_ns - notice_base(rec);
	snprintf(j->knew, sizeof(j->knew), "%.63s",
		 first == &rec->notice[NOTICE_ENDED]
			 ? first->text
			 : notice_name((unsigned)(first - rec->notice)));
	s.kind = SEEN_TIME;
	s.least = s.most = j->knew_ns;
	snprintf(s.text, sizeof(s.text), "%s", units_time(j->knew_ns, 4, text));
	return s;
}

struct seen knew_first(const struct run *r, struct judgement *j)
{
	static const char said[] = "client.when./" NOTICE_WORDS "/";
	const char *base = knew_base(r->record);
	struct seen first = { .kind = SEEN_NOTHING, .text = "never" };
	char name[80];

	if (!run_has_words(r, WHO_CLIENT))
		return knew_noticed(r->record, j);
	if (knew_sooner(r, said, base, j, &first))
		knew_words(r, j);
	for (enum cause cause = CAUSE_NONE; cause < CAUSE_COUNT; cause++) {
		if (!cause_is_peers(cause) && cause != CAUSE_CORRUPT)
			continue;
		snprintf(name, sizeof(name), "outcome.%s.*.*.first", cause_name(cause));
		if (knew_sooner(r, name, base, j, &first))
			snprintf(j->knew, sizeof(j->knew), "%s", cause_name(cause));
	}
	return first;
}
