/* SPDX-License-Identifier: MIT
 * report_text: the timeline has a column for each place where something can be seen: what was done
 * and what the server said, what went over the wire, what the client said.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/textwrap.h"
#include "echo/base/units.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/judge.h"
#include "report.h"

/* where the columns of the timeline begin */
enum { DONE_AT = 9, WIRE_AT = 38, CLIENT_AT = 54, FINDING_AT = 8, REASON_AT = 13 };

static const char *const marks[] = { [RULING_OK] = "ok  ",
				     [RULING_NO] = "NO  ",
				     [RULING_LATE] = "late",
				     [RULING_DOUBT] = "??  ",
				     [RULING_SKIPPED] = "skip" };

static void text_lines(const char *what, const struct text_list *l, FILE *to)
{
	for (unsigned i = 0; i < l->count; i++)
		escape_line(to, "%s%s", what, l->at[i]);
}

/* A story is one text, however its file has broken it. */
static void text_story(const struct text_list *l, FILE *to)
{
	char text[TEXT_LIST_MAX * OPT_TEXT_MAX];
	size_t len = 0;

	for (unsigned i = 0; i < l->count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
					l->at[i]);
	textwrap_put(to, "", 2, 0, text);
}

static void text_hosts(const struct drill *d, FILE *to)
{
	char text[HOSTS_TEXT_MAX];

	fprintf(to, "\n--- hosts: client c0 -- w0 wire w1 -- r0 router r1 -- s0 server\n");
	for (unsigned i = 0; i < HOST_COUNT; i++)
		fprintf(to, "ip netns add %s\n", host_names[i]);
	hosts_ip_text((int)d->family, HOST_COUNT, text);
	fprintf(to, "ip -batch - <<.\n%s.\n", text);
	for (unsigned i = 0; i < HOST_COUNT; i++) {
		hosts_ip_text((int)d->family, i, text);
		fprintf(to, "ip -n %s -batch - <<.\n%s.\n", host_names[i], text);
	}
	fprintf(to, "ip netns exec router nft -f - <<.\n%s.\n", hosts_nft_text);
	text_lines("sysctl on ", &d->sysctl, to);
}

void report_drill(const struct drill *d, FILE *to)
{
	char text[OPT_TEXT_MAX * 2];

	escape_line(to, "%s (%s, IPv%u)", d->name, drill_groups[d->group], d->family);
	text_story(&d->story, to);
	text_hosts(d, to);
	fprintf(to, "\n--- programs\n");
	text_lines("echod    ", &d->server_options, to);
	text_lines("echoload ", &d->client_options, to);
	fprintf(to, "\n--- steps\n");
	for (unsigned i = 0; i < d->step.count; i++) {
		const struct step *s = &d->step.at[i];
		char when[32] = "";

		hosts_expand((int)d->family, s->text, text, sizeof(text));
		if (s->start_ns > 0)
			snprintf(when, sizeof(when), "%s %.3f s ", s->at ? "at" : "after",
				 (double)s->start_ns / 1e9);
		escape_line(to, "%2u  %s%s%s%s%s", i + 1, when, s->fault ? "FAULT " : "",
			    s->label[0] && s->verb != &verb_look ? s->label : "",
			    s->label[0] && s->verb != &verb_look ? ": " : "", text);
	}
	fprintf(to, "\n--- expectations\n");
	for (unsigned i = 0; i < d->expect.count; i++)
		escape_line(to, "%2u  %s", i + 1, d->expect.at[i].text);
}

static void text_event(const struct event *e, int64_t start_ns, FILE *to)
{
	static const struct {
		unsigned at, end;
		const char *before;
	} places[] = {
		[WHO_CLIENT] = { CLIENT_AT, TEXTWRAP_COLUMNS, "" },
		[WHO_SERVER] = { DONE_AT, WIRE_AT, "" },
		[WHO_SERVER2] = { DONE_AT, WIRE_AT, "" },
		[WHO_DRILL] = { DONE_AT, WIRE_AT, "* " },
		[WHO_STATES] = { DONE_AT, TEXTWRAP_COLUMNS, "sockets, client | server: " },
		[WHO_WIRE] = { WIRE_AT, CLIENT_AT, "" },
	};
	unsigned at = places[e->who].at, end = places[e->who].end;
	char head[32], text[EVENT_TEXT_MAX + 32];

	snprintf(head, sizeof(head), "%8.3f", (double)(e->t_ns - start_ns) / 1e9);
	snprintf(text, sizeof(text), "%s%s", places[e->who].before, timeline_words(e));
	textwrap_put(to, head, at, end - at - (end < TEXTWRAP_COLUMNS), text);
}

static void text_timeline(const struct record *rec, FILE *to)
{
	const struct timeline *t = &rec->timeline;

	fprintf(to, "\n  second %-*s%-*s%s\n", WIRE_AT - DONE_AT, "done; server",
		CLIENT_AT - WIRE_AT, "client's wire", "client");
	for (unsigned i = 0; i < t->count; i++)
		if (!timeline_is_counter(&t->at[i]))
			text_event(&t->at[i], rec->start_ns, to);
	if (t->lost > 0)
		fprintf(to, "         (%u more events were not kept)\n", t->lost);
	fprintf(to, "\n");
}

static void text_finding(const struct result *r, const struct finding *f, FILE *to)
{
	char head[FINDING_AT + 1], text[OPT_TEXT_MAX + 264], missed[REPORT_MISSED_MAX];

	snprintf(head, sizeof(head), "  %s", marks[f->ruling]);
	snprintf(text, sizeof(text), "%s %s: %s", f->what, f->expected, f->observed);
	textwrap_put(to, head, FINDING_AT, 0, text);
	if (f->ruling == RULING_NO && report_missed(r, f, missed)[0])
		textwrap_put(to, "", FINDING_AT, 0, missed);
}

void report_whole(const struct result *r, FILE *to)
{
	const struct record *rec = r->run->record;
	const struct judgement *j = r->judgement;
	char late[UNITS_MAX], wait[UNITS_MAX], wire[UNITS_MAX];

	fputc('\n', to);
	escape_line(to, "%s", r->name);
	text_story(&r->drill->story, to);
	for (unsigned i = 0; i < rec->commands; i++)
		textwrap_put(to, "", 4, 0, rec->command[i]);
	text_timeline(rec, to);
	for (unsigned i = 0; i < j->count; i++)
		text_finding(r, &j->at[i], to);
	fprintf(to, "  (a timer beside it was late by at most %s)\n",
		units_time(atomic_load(&rec->canary_ns), 3, late));
	fprintf(to, "  (its programs waited for a CPU for at most %s)\n",
		units_time(rec->wait_ns, 3, wait));
	fprintf(to, "  (the wire passed a frame on late by at most %s)\n",
		units_time(atomic_load(&rec->wire.late_ns), 3, wire));
}

/* Where a drill that is no file went wrong, and what makes it again. */
static void text_again(const struct result *r)
{
	const struct drill *d = r->drill;
	const unsigned nth = report_step(r);
	unsigned fault = nth > 0 ? nth : d->step.count; /* the last one before it */
	char text[OPT_TEXT_MAX + 64];

	while (fault > 0 && !d->step.at[fault - 1].fault)
		fault--;
	if (nth > 0 && fault > 0)
		snprintf(text, sizeof(text), "at step %u of %u; the last fault, step %u: %s", nth,
			 d->step.count, fault, d->step.at[fault - 1].text);
	else
		snprintf(text, sizeof(text), nth > 0 ? "at step %u of %u" : "at its end", nth,
			 d->step.count);
	textwrap_put(stdout, "", REASON_AT, 0, text);
	snprintf(text, sizeof(text), "again: %s", d->again);
	textwrap_put(stdout, "", REASON_AT, 0, text);
}

static void text_result(const struct result *r, bool whole, unsigned nth)
{
	FILE *to = stdout;
	const struct judgement *j = r->judgement;
	const struct run_options *o = r->run->options;
	char took[UNITS_MAX], knew[UNITS_MAX] = "-", text[400];

	(void)nth;
	if (whole)
		report_whole(r, to);
	if (j->knew_ns >= 0)
		units_time(j->knew_ns, 3, knew);
	snprintf(text, sizeof(text), "%-12s %-31s %7s  %-8s %s", judge_verdict_name(j->verdict),
		 r->name, units_time(r->took_ns, 2, took), knew, j->knew_ns >= 0 ? j->knew : "");
	textwrap_put(to, "", 0, 0, text);
	if (o->server_backend[0] || o->client_backend[0]) {
		snprintf(text, sizeof(text), "server: %s, client: %s",
			 o->server_backend[0] ? o->server_backend : "auto",
			 o->client_backend[0] ? o->client_backend : "auto");
		textwrap_put(to, "", REASON_AT, 0, text);
	}
	if (j->reason[0])
		textwrap_put(to, "", REASON_AT, 0, j->reason);
	if (j->reason[0] && r->drill->again[0])
		text_again(r);
}

static void text_begin(unsigned count)
{
	if (count != 1)
		printf("%-12s %-31s %7s  %s\n", "verdict", "drill", "took",
		       "the client knew after");
}

static void text_end(const struct summary *at, unsigned count)
{
	unsigned verdicts[4] = { 0 };

	report_matrix_text(at, count, stdout);
	for (unsigned i = 0; i < count; i++)
		verdicts[at[i].verdict] += at[i].done;
	if (count > 1)
		printf("%u passed, %u failed, %u inconclusive, %u skipped\n",
		       verdicts[VERDICT_PASS], verdicts[VERDICT_FAIL],
		       verdicts[VERDICT_INCONCLUSIVE], verdicts[VERDICT_SKIPPED]);
}

const struct reporter reporter_text = {
	.name = "text",
	.help = "for people",
	.begin = text_begin,
	.result = text_result,
	.end = text_end,
};
