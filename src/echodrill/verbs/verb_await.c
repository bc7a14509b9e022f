/* SPDX-License-Identifier: MIT
 * verb_await: something that must come before the drill goes on.
 */
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include "doing.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"

/* await client /re/ | exit PROC | state HOST STATE N | unread HOST N | backlog HOST N
 * | caught N; all: [within T] */
static int await_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *before = *text;
	char word[DRILL_WORD_MAX] = "";
	int r;

	word_next(text, word, sizeof(word));
	s->limit_ns = SEC(5);
	if (strcmp(word, "exit") == 0) {
		s->what = AWAIT_EXIT;
		r = argument_program(s, text, why);
	} else if (strcmp(word, "state") == 0) {
		s->what = AWAIT_STATE;
		r = argument_state(s, text, why);
	} else if (strcmp(word, "unread") == 0 || strcmp(word, "backlog") == 0) {
		s->what = word[0] == 'u' ? AWAIT_UNREAD : AWAIT_BACKLOG;
		r = argument_host(s, text, why);
		r = r < 0 ? r : argument_number(&s->count, text, why);
	} else if (strcmp(word, "caught") == 0) {
		s->what = AWAIT_CAUGHT;
		r = argument_number(&s->count, text, why);
	} else {
		*text = before;
		s->what = AWAIT_SAID;
		r = argument_program(s, text, why);
		r = r < 0 ? r : argument_regex(s, text, why);
	}
	if (r < 0 || word_next(text, word, sizeof(word)) < 0)
		return r;
	if (strcmp(word, "within") != 0 || word_next(text, word, sizeof(word)) < 0 ||
	    word_time(word, &s->limit_ns) < 0)
		return word_refuse(why, "goes on with something else than 'within TIME'");
	return 0;
}

struct waiting {
	const struct step *s;
	regex_t re;
};

/* Scans only what has not been waited for before: a transcript is awaited in order. */
static bool heard_it(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	const struct timeline *t = &r->record->timeline;
	unsigned *from = &r->heard[w->s->proc];

	while (*from < t->count) {
		const struct event *e = &t->at[(*from)++];

		if (e->who == w->s->proc && regexec(&w->re, e->text, 0, NULL, 0) == 0)
			return true;
	}
	return false;
}

static bool has_ended(struct run *r, void *arg)
{
	const struct waiting *w = arg;

	return r->procs[w->s->proc].ended;
}

static bool has_state(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	struct diag_states now;

	return loop_states(r, w->s->host, &now) == 0 && now.count[w->s->number] == w->s->count;
}

static bool has_unread(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	struct diag_states now;

	return loop_states(r, w->s->host, &now) == 0 && now.unread >= w->s->count;
}

static bool has_backlog(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	struct diag_states now;

	return loop_states(r, w->s->host, &now) == 0 && now.backlog >= w->s->count;
}

static bool has_caught(struct run *r, void *arg)
{
	const struct waiting *w = arg;

	return hosts_fault_packets(&r->hosts) >= (int64_t)w->s->count;
}

static int await_act(struct doing *d)
{
	static bool (*const done[])(struct run *, void *) = {
		[AWAIT_SAID] = heard_it,       [AWAIT_EXIT] = has_ended,
		[AWAIT_STATE] = has_state,     [AWAIT_UNREAD] = has_unread,
		[AWAIT_BACKLOG] = has_backlog, [AWAIT_CAUGHT] = has_caught,
	};
	struct waiting w = { .s = d->s };
	int64_t began = clock_now_ns();
	bool said = d->s->what == AWAIT_SAID;

	if (d->o->foreign) {
		/* it says what it likes: give it time */
		loop_until(d->r, began + MSEC(300), NULL, NULL);
		return 0;
	}
	if (said && regcomp(&w.re, d->text, REG_EXTENDED | REG_NOSUB) != 0)
		return doing_failed(d, "no regular expression");
	d->o->waited = true;
	d->o->came = loop_until(d->r, began + d->s->limit_ns, done[d->s->what], &w);
	d->o->took_ns = clock_now_ns() - began;
	if (said)
		regfree(&w.re);
	return d->o->came ? 0 : -ETIMEDOUT;
}

static bool await_is_for_ours(const struct step *s)
{
	return s->what == AWAIT_SAID;
}

const struct verb verb_await = {
	.name = "await",
	.usage =
		"await PROC /RE/ | exit PROC | state HOST STATE N | unread HOST N | backlog HOST N | caught N [within T]",
	.parse = await_parse,
	.act = await_act,
	.quiet = true,
	.is_for_ours = await_is_for_ours,
};
