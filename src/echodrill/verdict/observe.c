/* SPDX-License-Identifier: MIT
 * observe: one function for each kind of name.
 */
#include "observe.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agree.h"
#include "capture.h"
#include "echo/base/base.h"
#include "echo/base/units.h"
#include "echodrill/rig/diag.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/script/expect.h"
#include "echodrill/script/pattern.h"
#include "echodrill/script/selector.h"
#include "echodrill/stage/notice.h"
#include "echodrill/stage/run.h"

static json_t *observe_load; /* the client's JSON, NULL: none */

static const char unreadable[] = "the capture cannot be read";

static int see_number(struct seen *s, int64_t value)
{
	s->kind = SEEN_NUMBER;
	s->least = s->most = value;
	snprintf(s->text, sizeof(s->text), "%lld", (long long)value);
	return 0;
}

static int see_text(struct seen *s, const char *text)
{
	s->kind = SEEN_TEXT;
	snprintf(s->text, sizeof(s->text), "%s", text);
	return 0;
}

static int see_nothing(struct seen *s, const char *why)
{
	s->kind = SEEN_NOTHING;
	snprintf(s->text, sizeof(s->text), "%s", why);
	return 0;
}

/* It could not be looked at, which says nothing of the programs. */
static int see_unknown(struct seen *s, const char *why)
{
	s->kind = SEEN_UNKNOWN;
	snprintf(s->text, sizeof(s->text), "%s", why);
	return 0;
}

/* What times count from. "heard": when the connections have last heard of the server, before
 * @until_ns, the first and the last of them. Returns whether there is one; if not, *s says why. */
static bool find_base(const struct run *r, const struct selector *n, int64_t until_ns,
		      struct mark *m, struct seen *s)
{
	const struct mark *found = record_mark(r->record, n->base);
	int heard;

	see_nothing(s, "what it counts from did not happen");
	if (found) {
		*m = *found;
	} else if (strcmp(n->base, "start") == 0) {
		m->begin_ns = m->end_ns = r->record->start_ns;
	} else if (strcmp(n->base, "heard") == 0) {
		heard = capture_heard(r->pcap[WIRE_CLIENT], until_ns, &m->begin_ns, &m->end_ns);
		if (heard < 0)
			see_unknown(s, unreadable);
		return heard > 0;
	} else {
		return false;
	}
	return true;
}

/* A moment, as the time since the base. */
static int see_moment(const struct run *r, const struct selector *n, struct seen *s, int64_t at_ns)
{
	struct mark m;
	char text[UNITS_MAX];

	if (!find_base(r, n, at_ns, &m, s))
		return 0;
	s->kind = SEEN_TIME;
	s->most = at_ns - m.begin_ns;
	s->least = at_ns - m.end_ns;
	snprintf(s->text, sizeof(s->text), "%s", units_time(s->most, 4, text));
	return 0;
}

/* client.said./re/, client.when./re/ */
static int see_lines(const struct run *r, const struct selector *n, int who, struct seen *s)
{
	const struct timeline *t = &r->record->timeline;
	char pattern[SELECTOR_PART_MAX];
	int64_t count = 0, first = 0;
	regex_t re;

	snprintf(pattern, sizeof(pattern), "%.*s", (int)strlen(n->part[2]) - 2, n->part[2] + 1);
	if (pattern_open(&re, pattern) < 0)
		return see_nothing(s, "not a regular expression");
	for (unsigned i = 0; i < t->count; i++) {
		const struct event *e = &t->at[i];

		if ((int)e->who != who || e->text[0] == '>' || !pattern_finds(&re, e->text))
			continue;
		first = count++ == 0 ? e->t_ns : first;
	}
	regfree(&re);
	if (strcmp(n->part[1], "said") == 0)
		return see_number(s, count);
	return count ? see_moment(r, n, s, first) : see_nothing(s, "never said");
}

/* Of another client's words that it noticed is all that can be known. Returns 1 where the drill
 * means something else. */
static int see_notice(const struct run *r, const struct selector *n, int who, struct seen *s)
{
	const struct notice *first = notice_first(r->record);
	bool acted = false; /* what it prints may be the answer of a server that serves on */

	see_nothing(s, "somebody else's program has other words");
	if (who != WHO_CLIENT || !strstr(n->part[2], "server is gone"))
		return 1;
	for (unsigned i = 0; i < NOTICE_KINDS; i++)
		acted |= i != NOTICE_SAID && r->record->notice[i].seen;
	if (strcmp(n->part[1], "said") == 0)
		return see_number(s, acted);
	return first ? see_moment(r, n, s, first->t_ns) : see_nothing(s, "it noticed nothing");
}

int observe_signal(const struct run *r, int who)
{
	const int status = r->record->ending[who].status;
	const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	return run_is_foreign(r, (unsigned)who) && code > 128 && sigabbrev_np(code - 128)
		       ? code - 128
		       : 0;
}

static int see_program(const struct run *r, const struct selector *n, struct seen *s)
{
	int who = selector_program(n->part[0]);
	const struct ending *e = &r->record->ending[who];
	char text[32];
	int signal;

	if (n->count == 3) {
		if (run_has_words(r, (unsigned)who))
			return see_lines(r, n, who, s);
		return see_notice(r, n, who, s);
	}
	if (strcmp(n->part[1], "running") == 0)
		return see_number(s, e->started && (!e->ended || e->t_ns > r->record->end_ns));
	if (!e->ended)
		return see_text(s, e->started ? "running" : "never-started");
	if (strcmp(n->part[1], "ended") == 0)
		return see_moment(r, n, s, e->t_ns);
	signal = observe_signal(r, who);
	if (strcmp(n->part[1], "exit") == 0)
		return signal ? see_text(s, "signal") : see_number(s, WEXITSTATUS(e->status));
	snprintf(text, sizeof(text), "%s", signal ? sigabbrev_np(signal) : "none");
	return see_text(s, text);
}

/* What needs the client's JSON. */
static int need_load(const struct run *r, struct seen *s)
{
	if (observe_load)
		return 0;
	see_nothing(s, "the client has written no result");
	return run_is_foreign(r, WHO_CLIENT) ? 1 : -ENOENT;
}

/* Numbers of the JSON, which a foreign client may have written, stay where no sum of
 * some of them overflows. */
static int64_t bounded(int64_t n)
{
	const int64_t most = INT64_MAX / 4;

	return n < -most ? -most : n > most ? most : n;
}

static int64_t load_number(const json_t *value)
{
	return bounded(json_integer_value(value));
}

/* Times in the JSON count from the client's own start. */
static int64_t load_moment(const struct run *r, int64_t ns)
{
	const json_t *c = json_object_get(observe_load, "context");

	return load_number(json_object_get(c, "start_unix_ns")) - r->record->unix_offset_ns +
	       bounded(ns);
}

static int see_load(const struct run *r, const struct selector *n, struct seen *s)
{
	const json_t *at = observe_load;
	int need = need_load(r, s);

	if (need != 0)
		return need > 0;
	for (unsigned i = 1; i < n->count; i++)
		at = json_object_get(at, n->part[i]);
	if (json_is_integer(at))
		return see_number(s, json_integer_value(at));
	if (json_is_string(at))
		return see_text(s, json_string_value(at));
	return see_nothing(s, "there is no such number in the client's result");
}

static bool outcome_matches(const json_t *o, const struct selector *n)
{
	static const char *const keys[] = { "cause", "phase", "errno" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *value = json_string_value(json_object_get(o, keys[i]));

		if (strcmp(n->part[1 + i], "*") != 0 &&
		    strcmp(n->part[1 + i], value ? value : "none") != 0)
			return false;
	}
	return true;
}

static int64_t member(const json_t *o, const char *key)
{
	return load_number(json_object_get(o, key));
}

static int see_outcome(const struct run *r, const struct selector *n, struct seen *s)
{
	int64_t count = 0, lost = 0, first = INT64_MAX, last = 0;
	const json_t *o;
	size_t i;
	int need = need_load(r, s);

	if (need != 0)
		return need > 0;
	json_array_foreach(json_object_get(observe_load, "outcomes"), i, o)
	{
		if (!outcome_matches(o, n))
			continue;
		count = bounded(count + member(o, "count"));
		lost = bounded(lost + member(o, "messages_lost"));
		first = member(o, "first_ns") < first ? member(o, "first_ns") : first;
		last = member(o, "last_ns") > last ? member(o, "last_ns") : last;
	}
	if (strcmp(n->part[4], "count") == 0)
		return see_number(s, count);
	if (strcmp(n->part[4], "lost") == 0)
		return see_number(s, lost);
	if (count == 0)
		return see_nothing(s, "no such outcome");
	return see_moment(r, n, s, load_moment(r, strcmp(n->part[4], "first") == 0 ? first : last));
}

/* outage.1.noticed */
static int see_outage(const struct run *r, const struct selector *n, struct seen *s)
{
	const json_t *all, *o, *value;
	char key[SELECTOR_PART_MAX + 4];
	int need = need_load(r, s);

	if (need != 0)
		return need > 0;
	all = json_object_get(observe_load, "outages");
	if (strcmp(n->part[1], "count") == 0)
		return see_number(s, (int64_t)json_array_size(all));
	o = json_array_get(all, (size_t)(n->part[1][0] - '1'));
	if (!o)
		return see_nothing(s, "no such outage");
	snprintf(key, sizeof(key), "%s_ns", n->part[2]);
	value = json_object_get(o, key);
	if (!json_is_integer(value))
		return see_nothing(s, "never");
	return see_moment(r, n, s, load_moment(r, json_integer_value(value)));
}

static int see_sockets(const struct run *r, const struct selector *n, struct seen *s)
{
	const struct look *l = record_look(r->record, n->part[1]);
	const struct diag_states *of;
	int host;

	if (!l)
		return see_nothing(s, "that look was not reached");
	if (strcmp(n->part[0], "zombies") == 0)
		return l->zombies < 0 ? see_unknown(s, strerror(-l->zombies))
				      : see_number(s, l->zombies);
	host = selector_end(n->part[2]);
	if (l->unknown[host] < 0)
		return see_unknown(s, strerror(-l->unknown[host]));
	of = &l->of[host];
	if (strcmp(n->part[0], "state") == 0)
		return see_number(s, of->count[diag_state(n->part[3])]);
	if (strcmp(n->part[0], "unread") == 0)
		return see_number(s, (int64_t)of->unread);
	if (strcmp(n->part[0], "unsent") == 0)
		return see_number(s, (int64_t)of->unsent);
	return see_number(s, of->backlog);
}

/* wire.client.c2s.rst[.when], wire.server./filter/ */
static int see_wire(const struct run *r, const struct selector *n, struct seen *s)
{
	struct capture_span span = { 0, r->record->end_ns };
	struct mark m;
	bool when = strcmp(n->part[n->count - 1], "when") == 0;
	int64_t first, last, count;
	char what[SELECTOR_PART_MAX * 2];

	if (!find_base(r, n, r->record->end_ns, &m, s))
		return 0;
	span.since_ns = m.begin_ns;
	if (n->part[2][0] == '/')
		snprintf(what, sizeof(what), "%s", n->part[2]);
	else
		snprintf(what, sizeof(what), "%s.%s", n->part[2], n->part[3]);
	count = capture_count(r->pcap[strcmp(n->part[1], "server") == 0], what, &span, &first,
			      &last);
	if (count < 0)
		return see_unknown(s, unreadable);
	if (!when) {
		see_number(s, count);
		s->kind = SEEN_FRAMES;
		return 0;
	}
	return count ? see_moment(r, n, s, first) : see_nothing(s, "never");
}

static int see_counter(const struct run *r, const struct selector *n, struct seen *s)
{
	int host = selector_end(n->part[1]);
	int64_t before, after;

	if (r->record->before[host].unread || r->record->after[host].unread)
		return see_unknown(s, "the kernel's counters cannot be read");
	if (diag_counter(&r->record->before[host], n->part[2], &before) < 0 ||
	    diag_counter(&r->record->after[host], n->part[2], &after) < 0)
		return see_nothing(s, "this kernel has no such counter");
	return see_number(s, after - before);
}

static int see_dial(const struct run *r, const struct selector *n, struct seen *s)
{
	for (unsigned i = 0; i < r->record->dials; i++)
		if (strcmp(r->record->dialed[i].label, n->part[1]) == 0)
			return see_text(s, r->record->dialed[i].result);
	return see_nothing(s, "not reached");
}

static int see_fault(const struct run *r, const struct selector *n, struct seen *s)
{
	(void)n;
	if (r->record->fault_packets < 0)
		return see_unknown(s, "the router does not say what it has caught");
	return see_number(s, r->record->fault_packets);
}

/* mismatch.wire: its result against its wire, from the client's start to its end. */
static int see_mismatch(const struct run *r, const struct selector *n, struct seen *s)
{
	int need = need_load(r, s), off;

	(void)n;
	if (need != 0)
		return need > 0;
	off = agree(r, observe_load, s->text, sizeof(s->text));
	if (off < 0)
		return see_unknown(s, unreadable);
	s->kind = SEEN_NUMBER;
	s->least = s->most = off;
	return 0;
}

int observe(const struct run *r, const char *what, struct seen *s)
{
	static int (*const see[])(const struct run *r, const struct selector *n, struct seen *s) = {
		[SELECTOR_PROGRAM] = see_program, [SELECTOR_LOAD] = see_load,
		[SELECTOR_OUTCOME] = see_outcome, [SELECTOR_OUTAGE] = see_outage,
		[SELECTOR_SOCKETS] = see_sockets, [SELECTOR_WIRE] = see_wire,
		[SELECTOR_COUNTER] = see_counter, [SELECTOR_FAULT] = see_fault,
		[SELECTOR_DIAL] = see_dial,       [SELECTOR_MISMATCH] = see_mismatch,
	};
	struct selector n;

	static_assert(ARRAY_LEN(see) == SELECTOR_COUNT, "every kind can be looked up");
	memset(s, 0, sizeof(*s));
	return selector_read(&n, what) < 0 ? see_nothing(s, "no such name") : see[n.kind](r, &n, s);
}

void observe_open(const struct run *r)
{
	observe_load = r->record->load[0] ? json_loads(r->record->load, 0, NULL) : NULL;
}

void observe_close(void)
{
	json_decref(observe_load);
	observe_load = NULL;
}
