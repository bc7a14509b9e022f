/* SPDX-License-Identifier: MIT
 * act: one function for each verb. A fault counts only when its effect was seen: the process is
 * gone, the sockets are destroyed, the router's counter has moved.
 */
#include "act.h"

#include <assert.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/rig/sockets.h"
#include "echodrill/stage/run.h"
#include "prove.h"
#include "target.h"

struct doing {
	struct run *r;
	const struct step *s;
	struct outcome *o;
	char text[OPT_TEXT_MAX * 2]; /* s->rest with addresses */
};

static const struct {
	const char *word, *v4, *v6;
} words[] = {
	{ "{server}", "10.77.2.2", "fd77:2::2" },
	{ "{client}", "10.77.1.2", "fd77:1::2" },
	{ "{port}", "7007", "7007" },
	{ "{port2}", "7008", "7008" },
	{ "{ip}", "ip", "ip6" },
};

void act_expand(int family, const char *text, char *to, size_t size)
{
	size_t len = 0;

	assert(size > 0);
	to[0] = '\0';
	while (*text && len + 1 < size) {
		const char *put = NULL;

		for (size_t i = 0; i < ARRAY_LEN(words) && !put; i++)
			if (strncmp(text, words[i].word, strlen(words[i].word)) == 0) {
				put = family == 6 ? words[i].v6 : words[i].v4;
				text += strlen(words[i].word);
			}
		if (put)
			len += (size_t)snprintf(to + len, size - len, "%s", put);
		else
			to[len++] = *text++;
		to[size_min(len, size - 1)] = '\0';
	}
}

static void __attribute__((format(printf, 2, 3))) doubt(struct doing *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(d->o->doubt, sizeof(d->o->doubt), fmt, args);
	va_end(args);
	d->o->active = false;
}

static bool left_out(const struct doing *d)
{
	return d->s->fault && d->r->options->without_fault;
}

/* A step that could not be done ends the drill. */
static int cannot(struct doing *d, const char *why)
{
	snprintf(d->r->record->problem, sizeof(d->r->record->problem), "%.120s: %.120s", d->s->text,
		 why);
	return -EINVAL;
}

/* A tool that said no or, which is no fault of the drill, is missing. */
static int tool_failed(struct doing *d, int r)
{
	d->r->record->environment = r == -ENOENT;
	return cannot(d, d->r->hosts.why);
}

/* ---- waiting ---- */

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

	return run_states(r, w->s->host, &now) == 0 && now.count[w->s->number] == w->s->count;
}

static bool has_unread(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	struct diag_states now;

	return run_states(r, w->s->host, &now) == 0 && now.unread >= w->s->count;
}

static bool has_backlog(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	struct diag_states now;

	return run_states(r, w->s->host, &now) == 0 && now.backlog >= w->s->count;
}

static bool has_caught(struct run *r, void *arg)
{
	const struct waiting *w = arg;

	return hosts_fault_packets(&r->hosts) >= (int64_t)w->s->count;
}

static int do_await(struct doing *d)
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
		run_until(d->r, began + MSEC(300), NULL, NULL);
		return 0;
	}
	if (said && regcomp(&w.re, d->text, REG_EXTENDED | REG_NOSUB) != 0)
		return cannot(d, "no regular expression");
	d->o->waited = true;
	d->o->came = run_until(d->r, began + d->s->limit_ns, done[d->s->what], &w);
	d->o->took_ns = clock_now_ns() - began;
	if (said)
		regfree(&w.re);
	return d->o->came ? 0 : -ETIMEDOUT;
}

/* ---- doing ---- */

static int do_start(struct doing *d)
{
	return run_program(d->r, d->s->proc);
}

static int do_type(struct doing *d)
{
	timeline_add(&d->r->record->timeline, clock_now_ns(), WHO_CLIENT, "> %s", d->text);
	/* a client that is gone cannot be typed to, but the drill goes on: its end is what counts
	 */
	proc_type(&d->r->procs[WHO_CLIENT], d->text);
	return 0;
}

static int do_hangup(struct doing *d)
{
	proc_hangup(&d->r->procs[WHO_CLIENT]);
	return 0;
}

static int do_signal(struct doing *d)
{
	pid_t pids[TARGETS_MAX];
	unsigned count = d->o->foreign ? 0 : target_pids(d->r, d->s, pids);

	if (d->o->foreign)
		return 0;
	if (count == 0)
		return cannot(d, "there is no such process");
	for (unsigned i = 0; i < count; i++) {
		prove_signal_before(d->s, pids[i], d->o);
		/* one of many may have ended with those before it */
		if (!left_out(d) && kill(pids[i], d->s->number) < 0 &&
		    (errno != ESRCH || count == 1))
			return cannot(d, strerror(errno));
	}
	for (unsigned i = 0; i < count; i++)
		prove_signal(d->r, d->s, pids[i], left_out(d), d->o);
	return 0;
}

static int do_share(struct doing *d)
{
	d->r->listener = sockets_share(&d->r->hosts);
	return d->r->listener < 0 ? cannot(d, strerror(-d->r->listener)) : 0;
}

static int do_leak(struct doing *d)
{
	pid_t pids[TARGETS_MAX];

	if (target_pids(d->r, d->s, pids) == 0 || sockets_leak(pids[0]) == 0)
		return cannot(d, "there is no connection to keep");
	return 0;
}

/* Knows a path from the outside: one connection attempt, told by its errno. */
static int do_dial(struct doing *d)
{
	struct dialed *to = &d->r->record->dialed[d->r->record->dials];

	if (d->r->record->dials == RECORD_DIALS_MAX)
		return cannot(d, "is one dial too many");
	snprintf(to->label, sizeof(to->label), "%s", d->s->label);
	snprintf(to->result, sizeof(to->result), "%s", hosts_dial(&d->r->hosts, SEC(1)));
	d->r->record->dials++;
	timeline_add(&d->r->record->timeline, clock_now_ns(), WHO_DRILL,
		     "a new connection from the client's host: %s", to->result);
	return 0;
}

static int do_exhaust(struct doing *d)
{
	pid_t pids[TARGETS_MAX];
	unsigned count = target_pids(d->r, d->s, pids);
	int r = left_out(d) || count == 0 ? -ESRCH : 0;

	for (unsigned i = 0; i < count && r == 0; i++)
		r = proc_exhaust(pids[i]);
	if (r < 0)
		doubt(d, "its descriptors are not limited");
	else
		snprintf(d->o->shown, sizeof(d->o->shown), "no descriptor is left");
	return 0;
}

static int do_look(struct doing *d)
{
	run_look(d->r, d->s->label);
	return 0;
}

/* Knocks from both ends at a port that nobody uses, so that a fault of an idle path is seen too. */
static void knock(struct run *r)
{
	for (unsigned i = 0; i < RECORD_HOSTS; i++)
		if (r->probe[i] >= 0)
			(void)!send(r->probe[i], "?", 1, MSG_DONTWAIT);
}

static int do_nft(struct doing *d)
{
	int r;

	if (left_out(d))
		return 0; /* the counter will show it */
	r = hosts_nft(&d->r->hosts, HOST_ROUTER, d->text);
	if (r < 0)
		return tool_failed(d, r);
	if (d->s->fault)
		knock(d->r);
	return 0;
}

static int do_heal(struct doing *d)
{
	int r = hosts_nft(&d->r->hosts, HOST_ROUTER, "flush chain inet drill forward");

	return r < 0 ? tool_failed(d, r) : 0;
}

static int do_tool(struct doing *d)
{
	static const char *const tc[] = { "tc", "-batch", "-", NULL };
	int r;

	if (left_out(d))
		return 0;
	r = d->s->verb == VERB_IP ? hosts_ip(&d->r->hosts, d->s->host, d->text)
				  : hosts_tool(&d->r->hosts, d->s->host, tc, d->text);
	return r < 0 ? tool_failed(d, r) : 0;
}

static int do_sysctl(struct doing *d)
{
	char *value = strchr(d->text, ' ');

	*value++ = '\0';
	if (left_out(d))
		return 0;
	if (hosts_sysctl(&d->r->hosts, d->s->host, d->text, value) < 0)
		return cannot(d, d->r->hosts.why);
	return 0;
}

static bool no_connections(struct run *r, void *arg)
{
	const struct waiting *w = arg;
	struct diag_states now;
	unsigned count = 0;

	if (run_states(r, w->s->host, &now) < 0)
		return false;
	for (unsigned i = 1; i < DIAG_STATES; i++)
		count += i == 10 /* LISTEN */ ? 0 : now.count[i];
	return count == 0;
}

/* Only connections: a listener of a server that was started again stays. */
static int do_destroy(struct doing *d)
{
	const char *const argv[] = { "ss",    "-K",
				     "-tan",  d->r->hosts.family == 6 ? "-6" : "-4",
				     "state", "connected",
				     NULL };
	struct waiting w = { .s = d->s };
	int r;

	if (no_connections(d->r, &w))
		return cannot(d, "there is nothing to destroy");
	r = left_out(d) ? 0 : hosts_tool(&d->r->hosts, d->s->host, argv, NULL);
	if (r < 0)
		return tool_failed(d, r);
	/* the kernel has done it when ss returns; later they may have ended by themselves */
	if (!run_until(d->r, clock_now_ns() + MSEC(100), no_connections, &w))
		doubt(d, "the sockets are still there (needs CONFIG_INET_DIAG_DESTROY)");
	else
		snprintf(d->o->shown, sizeof(d->o->shown), "no connection is left");
	return 0;
}

static int do_wait(struct doing *d)
{
	run_until(d->r, clock_now_ns() + d->s->limit_ns, NULL, NULL);
	return 0;
}

static int (*const verbs[])(struct doing *) = {
	[VERB_START] = do_start,   [VERB_TYPE] = do_type,     [VERB_HANGUP] = do_hangup,
	[VERB_SIGNAL] = do_signal, [VERB_AWAIT] = do_await,   [VERB_LOOK] = do_look,
	[VERB_NFT] = do_nft,       [VERB_HEAL] = do_heal,     [VERB_IP] = do_tool,
	[VERB_TC] = do_tool,       [VERB_SYSCTL] = do_sysctl, [VERB_DESTROY] = do_destroy,
	[VERB_WAIT] = do_wait,     [VERB_DIAL] = do_dial,     [VERB_EXHAUST] = do_exhaust,
	[VERB_SHARE] = do_share,   [VERB_LEAK] = do_leak,
};

static_assert(ARRAY_LEN(verbs) == VERB_COUNT, "every verb can be done");

static void act_mark(struct record *rec, const char *label, int64_t begin_ns)
{
	struct mark *m = &rec->mark[rec->marks];

	if (label[0] == '\0' || rec->marks == RECORD_MARKS_MAX || record_mark(rec, label))
		return;
	snprintf(m->label, sizeof(m->label), "%s", label);
	m->begin_ns = begin_ns;
	m->end_ns = clock_now_ns();
	rec->marks++;
}

static int act_step(struct run *r, unsigned nth)
{
	const struct step *s = &r->drill->step.at[nth];
	struct record *rec = r->record;
	struct doing d = { .r = r, .s = s, .o = &rec->outcome[nth] };
	int64_t begin;
	int result;

	act_expand(r->hosts.family, s->rest, d.text, sizeof(d.text));
	if (s->start_ns > 0)
		run_until(r, (s->at ? rec->start_ns : clock_now_ns()) + s->start_ns, NULL, NULL);
	if (s->fault && !record_mark(rec, "fault"))
		run_look(r, "before");
	d.o->foreign = target_is_foreign(r, s);
	d.o->faulted = s->fault;
	d.o->active = true;
	if (s->fault)
		prove_before(r, s, d.o);
	begin = clock_now_ns();
	if (s->verb != VERB_AWAIT && s->verb != VERB_LOOK && s->verb != VERB_TYPE &&
	    s->verb != VERB_WAIT && s->verb != VERB_DIAL)
		timeline_add(&rec->timeline, begin, WHO_DRILL, "%s%s%s", s->fault ? "FAULT " : "",
			     left_out(&d) || d.o->foreign ? "(left out) " : "", s->text);
	result = verbs[s->verb](&d);
	act_mark(rec, s->label, begin);
	if (s->verb == VERB_START && s->proc == WHO_CLIENT)
		act_mark(rec, RECORD_CLIENT_STARTED, begin);
	if (s->fault) {
		act_mark(rec, "fault", begin);
		prove_after(r, s, d.o);
	}
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
