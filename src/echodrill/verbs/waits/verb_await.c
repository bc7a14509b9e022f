/* SPDX-License-Identifier: MIT
 * verb_await: something that must come before the drill goes on.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/pattern.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/launch.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/notice.h"
#include "echodrill/stage/run.h"
#include "echodrill/verbs/doing.h"

/* await client /re/ | noticed | exit PROC | state HOST STATE N | unread HOST N | backlog HOST N
 * | acked HOST | caught N; all: [within T] */
static int await_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *before = *text;
	char word[DRILL_WORD_MAX] = "";
	int r;

	word_next(text, word, sizeof(word));
	s->limit_ns = SEC(5);
	if (strcmp(word, "noticed") == 0) {
		s->what = AWAIT_NOTICED;
		r = 0;
	} else if (strcmp(word, "exit") == 0) {
		s->what = AWAIT_EXIT;
		r = argument_program(s, text, why);
	} else if (strcmp(word, "state") == 0) {
		s->what = AWAIT_STATE;
		r = argument_state(s, text, why);
	} else if (strcmp(word, "unread") == 0 || strcmp(word, "backlog") == 0) {
		s->what = word[0] == 'u' ? AWAIT_UNREAD : AWAIT_BACKLOG;
		r = argument_host(s, text, why);
		r = r < 0 ? r : argument_number(&s->count, text, why);
	} else if (strcmp(word, "acked") == 0) {
		s->what = AWAIT_ACKED;
		r = argument_host(s, text, why);
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

enum { MORE_MS = 2000 };

struct waiting {
	const struct step *s;
	regex_t re;
	int unseen; /* -errno: this machine could not look the last time */
};

/* Returns whether the host's sockets could be looked at. */
static bool see_states(struct run *r, struct waiting *w, struct diag_states *now)
{
	w->unseen = loop_states(r, w->s->host, now);
	return w->unseen == 0;
}

/* Scans only what has not been waited for before: a transcript is awaited in order. */
static bool heard_it(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	const struct timeline *t = &r->record->timeline;
	unsigned *from = &r->heard[w->s->proc];

	while (*from < t->count) {
		const struct event *e = &t->at[(*from)++];

		if (e->who == w->s->proc && pattern_finds(&w->re, e->text))
			return true;
	}
	return false;
}

/* Ours says so; another shows it in one way or another. */
static bool has_noticed(struct run *r, void *arg)
{
	(void)arg;
	return run_is_foreign(r, WHO_CLIENT)
		       ? notice_first(r->record) != NULL
		       : r->procs[WHO_CLIENT].ended || launch_has_said(r, WHO_CLIENT, NOTICE_WORDS);
}

static bool has_ended(struct run *r, void *arg)
{
	const struct waiting *w = arg;

	return r->procs[w->s->proc].ended;
}

static bool has_state(struct run *r, void *arg)
{
	struct waiting *w = arg;
	struct diag_states now;

	if (!see_states(r, w, &now))
		return false;
	/* how many connections another client makes is its own affair: they are counted */
	if (!run_has_words(r, WHO_CLIENT) && w->s->count > 0 && w->s->number != TCP_LISTEN)
		return now.count[w->s->number] > 0;
	return now.count[w->s->number] == w->s->count;
}

static bool has_unread(struct run *r, void *arg)
{
	struct waiting *w = arg;
	struct diag_states now;

	return see_states(r, w, &now) &&
	       now.unread - now.ends >= (run_has_words(r, WHO_CLIENT) ? w->s->count : 1);
}

static bool has_backlog(struct run *r, void *arg)
{
	struct waiting *w = arg;
	struct diag_states now;

	return see_states(r, w, &now) && now.backlog >= w->s->count;
}

/* The peer's kernel has all that was sent. */
static bool has_acked(struct run *r, void *arg)
{
	struct waiting *w = arg;
	struct diag_states now;

	return see_states(r, w, &now) && now.unsent == 0;
}

static bool has_caught(struct run *r, void *arg)
{
	struct waiting *w = arg;
	const int64_t caught = hosts_fault_packets(&r->hosts);

	w->unseen = caught < 0 ? (int)caught : 0;
	return caught >= (int64_t)w->s->count;
}

/* What stands for words of our client when another runs: none, or that it has noticed. */
static int await_foreign(struct doing *d, int64_t began)
{
	const bool notice = d->s->proc == WHO_CLIENT && notice_is_meant(d->s->rest);

	if (!notice) {
		/* it says what it likes: give it time */
		loop_until(d->r, began + MSEC(300), NULL, NULL);
		return 0;
	}
	d->o->noticing = true;
	d->o->came = loop_until(d->r, began + d->s->limit_ns, has_noticed, NULL);
	d->o->took_ns = clock_now_ns() - began;
	return 0; /* the rest of the drill shows more of it */
}

static int await_act(struct doing *d)
{
	static bool (*const done[])(struct run *, void *) = {
		[AWAIT_SAID] = heard_it,     [AWAIT_NOTICED] = has_noticed,
		[AWAIT_EXIT] = has_ended,    [AWAIT_STATE] = has_state,
		[AWAIT_UNREAD] = has_unread, [AWAIT_BACKLOG] = has_backlog,
		[AWAIT_ACKED] = has_acked,   [AWAIT_CAUGHT] = has_caught,
	};
	static const struct step client = { .proc = WHO_CLIENT };
	struct waiting w = { .s = d->s }, more = { .s = &client };
	int64_t began = clock_now_ns();
	bool said = d->s->what == AWAIT_SAID;

	if (d->o->foreign)
		return await_foreign(d, began);
	if (d->s->what == AWAIT_NOTICED && run_is_foreign(d->r, WHO_CLIENT) &&
	    notice_is_too_late(d->r))
		return doing_failed(d, "the client has ended before it could notice");
	if (d->s->what == AWAIT_UNREAD && !d->r->drill->client_lines &&
	    !run_has_words(d->r, WHO_CLIENT))
		launch_request(d->r); /* ours is a load there */
	if (said && pattern_open(&w.re, d->text) < 0)
		return doing_failed(d, "no regular expression");
	d->o->waited = true;
	d->o->came = loop_until(d->r, began + d->s->limit_ns, done[d->s->what], &w);
	d->o->took_ns = clock_now_ns() - began;
	if (said)
		regfree(&w.re);
	if (!d->o->came && w.unseen < 0)
		return doing_failed(d, strerror(-w.unseen));
	if (d->s->what == AWAIT_NOTICED) {
		d->o->waited = false; /* that nothing was noticed is a result */
		if (d->o->came)       /* what else it does, up to its end */
			loop_until(d->r, clock_now_ns() + MSEC(MORE_MS), has_ended, &more);
		notice_any(d->r);
	}
	return d->o->came || d->s->what == AWAIT_NOTICED ? 0 : -ETIMEDOUT;
}

static bool await_is_for_ours(const struct step *s)
{
	return s->what == AWAIT_SAID;
}

const struct verb verb_await = {
	.name = "await",
	.usage =
		"await PROC /RE/ | noticed | exit PROC | state HOST STATE N | unread HOST N | backlog HOST N | acked HOST | caught N [within T]",
	.parse = await_parse,
	.act = await_act,
	.quiet = true,
	.awaits = true,
	.is_for_ours = await_is_for_ours,
};
