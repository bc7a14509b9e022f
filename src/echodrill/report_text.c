/* SPDX-License-Identifier: MIT
 * report_text: the timeline has a column for each place where something can be seen: what was done
 * and what the server said, what went over the wire, what the client said.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "echo/base.h"
#include "echo/units.h"
#include "hosts.h"
#include "judge.h"
#include "report.h"
#include "run.h"

enum { DONE_WIDTH = 44, WIRE_WIDTH = 24 };

static const char *const marks[] = { [RULING_OK] = "ok  ",
				     [RULING_NO] = "NO  ",
				     [RULING_LATE] = "late",
				     [RULING_DOUBT] = "??  ",
				     [RULING_SKIPPED] = "skip" };

static void text_lines(const char *what, const struct text_list *l, FILE *to)
{
	for (unsigned i = 0; i < l->count; i++)
		fprintf(to, "%s%s\n", what, l->at[i]);
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

	fprintf(to, "%s (%s, IPv%u)\n", d->name, drill_groups[d->group], d->family);
	text_lines("  ", &d->story, to);
	text_hosts(d, to);
	fprintf(to, "\n--- programs\n");
	text_lines("echod    ", &d->server_options, to);
	text_lines("echoload ", &d->client_options, to);
	fprintf(to, "\n--- steps\n");
	for (unsigned i = 0; i < d->step.count; i++) {
		const struct step *s = &d->step.at[i];
		char when[32] = "";

		act_expand((int)d->family, s->text, text, sizeof(text));
		if (s->start_ns > 0)
			snprintf(when, sizeof(when), "%s %.3f s ", s->at ? "at" : "after",
				 (double)s->start_ns / 1e9);
		fprintf(to, "%2u  %s%s%s%s%s\n", i + 1, when, s->fault ? "FAULT " : "",
			s->label[0] && s->verb != VERB_LOOK ? s->label : "",
			s->label[0] && s->verb != VERB_LOOK ? ": " : "", text);
	}
	fprintf(to, "\n--- expectations\n");
	for (unsigned i = 0; i < d->expect.count; i++)
		fprintf(to, "%2u  %s\n", i + 1, d->expect.at[i].text);
}

/* The time of its own that the client prints is the same as ours. */
static const char *without_stamp(const char *text)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;

	return end && end[1] == ' ' ? end + 2 : text;
}

static void text_event(const struct event *e, int64_t start_ns, FILE *to)
{
	double t = (double)(e->t_ns - start_ns) / 1e9;
	const char *text = e->text;

	switch (e->who) {
	case WHO_STATES:
		fprintf(to, "%9.4f  sockets (client | server): %s\n", t, text);
		break;
	case WHO_WIRE:
		fprintf(to, "%9.4f  %-*s  %s\n", t, DONE_WIDTH, "", text);
		break;
	case WHO_CLIENT:
		fprintf(to, "%9.4f  %-*s  %-*s  %s\n", t, DONE_WIDTH, "", WIRE_WIDTH, "",
			without_stamp(text));
		break;
	case WHO_SERVER:
	case WHO_SERVER2:
	case WHO_DRILL:
	case WHO_COUNT:
		fprintf(to, "%9.4f  %s%s\n", t, e->who == WHO_DRILL ? "* " : "", text);
		break;
	}
}

/* echod's counters are for programs. */
static bool is_counter(const struct event *e)
{
	return (e->who == WHO_SERVER || e->who == WHO_SERVER2) &&
	       (e->text[0] == '#' || strncmp(e->text, "echod_", 6) == 0);
}

static void text_timeline(const struct record *rec, FILE *to)
{
	const struct timeline *t = &rec->timeline;

	fprintf(to, "\n   second  %-*s  %-*s  %s\n", DONE_WIDTH, "done; server", WIRE_WIDTH,
		"wire at the client", "client");
	for (unsigned i = 0; i < t->count; i++)
		if (!is_counter(&t->at[i]))
			text_event(&t->at[i], rec->start_ns, to);
	if (t->lost > 0)
		fprintf(to, "           (%u more events were not kept)\n", t->lost);
	fprintf(to, "\n");
}

void report_run_text(const struct result *r, bool whole, FILE *to)
{
	const struct record *rec = r->run->record;
	const struct judgement *j = r->judgement;
	const struct run_options *o = r->run->options;
	char took[UNITS_MAX], knew[UNITS_MAX] = "-";

	if (whole) {
		fprintf(to, "\n%s\n", r->drill->name);
		text_lines("  ", &r->drill->story, to);
		for (unsigned i = 0; i < rec->commands; i++)
			fprintf(to, "  %s\n", rec->command[i]);
		text_timeline(rec, to);
		for (unsigned i = 0; i < j->count; i++)
			fprintf(to, "  %s  %s %s: %s\n", marks[j->at[i].ruling], j->at[i].what,
				j->at[i].expected, j->at[i].observed);
		units_time(atomic_load(&rec->canary_ns), 3, took);
		fprintf(to, "  (a timer beside it was late by at most %s)\n", took);
	}
	if (j->knew_ns >= 0)
		units_time(j->knew_ns, 3, knew);
	fprintf(to, "%-12s  %-34s %s%s%s%s%7s  %-9s %s%s%s\n", verdict_name(j->verdict),
		r->drill->name, o->server_backend, o->client_backend[0] ? "/" : "",
		o->client_backend, o->client_backend[0] ? " " : "", units_time(r->took_ns, 2, took),
		knew, j->knew_ns >= 0 ? j->knew : "", j->reason[0] ? "  " : "", j->reason);
}
