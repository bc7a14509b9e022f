/* SPDX-License-Identifier: MIT
 * verb_settled: the service is back and nothing has stayed behind: all connections are there on
 * both hosts, each is answered again, and server and client hold no more than they did when this
 * was asked first.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"
#include "echodrill/verbs/doing.h"
#include "owed.h"

enum { SETTLED_S = 30, LEAKED_S = 5, LEAKED_LOOKS = 50, LEARNS_MS = 300 };

struct settling {
	unsigned connections;
	bool learns; /* what is right: it is asked for the first time */
	bool settled;
	bool leaks;       /* this alone is missing */
	unsigned leaked;  /* looks at which that was so */
	uint32_t answers; /* of the server on the wire, when this began */
	int unseen;       /* -errno: this machine could not look */
	int64_t there_ns; /* when all of them were there and answered first; 0: not yet */
	char why[FOOTPRINT_WHY_MAX + 16];
};

/* settled N [within T] */
static int settled_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX];
	int r = argument_number(&s->count, text, why);

	s->limit_ns = SEC(SETTLED_S);
	if (r == 0 && (s->count == 0 || s->count > UINT32_MAX))
		return word_refuse(why, "needs the number of connections of the client");
	if (r < 0 || word_next(text, word, sizeof(word)) < 0)
		return r;
	if (strcmp(word, "within") != 0 || word_next(text, word, sizeof(word)) < 0 ||
	    word_time(word, &s->limit_ns) < 0)
		return word_refuse(why, "goes on with something else than 'within TIME'");
	return 0;
}

/* Whether all connections are there, on both hosts, and none waits to be accepted. */
static bool has_connections(struct run *r, struct settling *w)
{
	struct diag_states client, server;

	w->unseen = loop_states(r, HOST_CLIENT, &client);
	if (w->unseen == 0)
		w->unseen = loop_states(r, HOST_SERVER, &server);
	if (w->unseen != 0)
		return false;
	snprintf(w->why, sizeof(w->why), "%u connections at the client, %u at the server",
		 client.count[TCP_ESTABLISHED], server.count[TCP_ESTABLISHED]);
	return client.count[TCP_ESTABLISHED] == w->connections &&
	       server.count[TCP_ESTABLISHED] == w->connections && server.backlog == 0;
}

/* As many answers as there are connections, since this began, and on each all that was asked
 * before: one on which a segment was lost waits for its retransmission, and others answer. */
static bool is_answered(struct run *r, struct settling *w)
{
	const uint32_t came = atomic_load(&r->record->wire.data[1]) - w->answers;
	int owed;

	snprintf(w->why, sizeof(w->why), "%u answers", came);
	if (came < w->connections)
		return false;
	owed = owed_count(r);
	w->unseen = owed < 0 ? owed : 0;
	if (owed < 0)
		return false;
	snprintf(w->why, sizeof(w->why), "%d connections that have not been answered", owed);
	return owed == 0;
}

/* Connections that come and go meanwhile would show as descriptors: they are looked at on both
 * sides of it. */
static bool holds_no_more(struct run *r, enum who who, struct settling *w)
{
	char why[FOOTPRINT_WHY_MAX];
	struct footprint now;

	w->leaks = false;
	if (r->procs[who].pid == 0 || r->procs[who].ended) {
		snprintf(w->why, sizeof(w->why), "%s does not run", timeline_who(who));
		return false;
	}
	w->unseen = footprint_read(r->procs[who].pid, &now);
	if (w->unseen < 0 || !has_connections(r, w))
		return false;
	if (w->learns)
		footprint_learn(&r->footprint[who], &now);
	w->leaks = !footprint_compare(&r->footprint[who], &now, why);
	if (w->leaks)
		snprintf(w->why, sizeof(w->why), "%s: %s", timeline_who(who), why);
	return !w->leaks;
}

/* What is closed or reaped a moment later is no leak; what is there at LEAKED_LOOKS looks and for
 * LEAKED_S is. The first time that a drill settles it learns what is right, for LEARNS_MS. */
static bool is_settled(struct run *r, void *arg)
{
	struct settling *w = arg;
	const int64_t now = clock_now_ns();

	w->settled = w->leaks = false;
	if (!has_connections(r, w) || !is_answered(r, w))
		return false;
	if (w->there_ns == 0)
		w->there_ns = now;
	w->settled = holds_no_more(r, WHO_SERVER, w) && holds_no_more(r, WHO_CLIENT, w) &&
		     (!w->learns || now - w->there_ns > MSEC(LEARNS_MS));
	w->leaked += w->leaks;
	return w->settled ||
	       (w->leaks && w->leaked >= LEAKED_LOOKS && now - w->there_ns > SEC(LEAKED_S));
}

static int settled_act(struct doing *d)
{
	struct settling w = { .connections = (unsigned)d->s->count,
			      .learns = d->r->footprint[WHO_SERVER].root == 0,
			      .answers = atomic_load(&d->r->record->wire.data[1]) };
	const int64_t began = clock_now_ns();
	const int noted = owed_note(d->r);

	if (noted < 0)
		return doing_failed(d, strerror(-noted));
	d->o->waited = true;
	loop_until(d->r, began + d->s->limit_ns, is_settled, &w);
	d->o->came = w.settled;
	d->o->took_ns = clock_now_ns() - began;
	if (!d->o->came && w.unseen < 0)
		return doing_failed(d, strerror(-w.unseen));
	if (!d->o->came)
		snprintf(d->o->doubt, sizeof(d->o->doubt), "%.120s", w.why);
	return d->o->came ? 0 : -ETIMEDOUT;
}

const struct verb verb_settled = {
	.name = "settled",
	.usage = "settled N [within T]",
	.parse = settled_parse,
	.act = settled_act,
	.quiet = true,
};
