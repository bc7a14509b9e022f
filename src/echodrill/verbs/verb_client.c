/* SPDX-License-Identifier: MIT
 * verb_client: brings any client to where a failure meets it: connecting, idle with a connection,
 * with a request under way, in a long transfer. How that is done says its program file; ours is
 * echoload's interactive client.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "doing.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/lab/tasks.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/program.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/launch.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"

enum client_want { CLIENT_START, CLIENT_CONNECT, CLIENT_REQUEST, CLIENT_TRANSFER };

enum {
	CONNECT_MAX_S = 20,
	QUIET_MS = 500,    /* nothing goes over the wire any more: the client is idle */
	SILENT_MS = 2000,  /* ... where nobody has asked, or nobody has answered so far */
	ANSWER_FRAMES = 4, /* a request and its answer, each seen on both sides of the router */
	BUSY_TURNS = 10,   /* so often a client that computes is waited for: some never rest */
	TREE_MAX = 256,
	TRANSFER_FRAMES = 60, /* so many show that a transfer is under way */
};

static int client_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	static const char *const names[] = { "start", "connect", "request", "transfer", NULL };
	char word[DRILL_WORD_MAX] = "";

	word_next(text, word, sizeof(word));
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(names[i], word) == 0) {
			s->number = (int)i;
			return 0;
		}
	return word_refuse(why, "needs one of start, connect, request or transfer");
}

/* When the wire was last seen to carry something. */
struct quiet {
	uint32_t begun, frames, asked, answered;
	unsigned busy;     /* how often the client was not at rest when the wire was */
	bool computes;     /* ... the last time */
	int64_t waited_ns; /* for a CPU, it had until then */
	int64_t since_ns;
};

/* For how long nothing must come. A client that is slow to ask, once it is connected, is not idle.
 */
static int64_t quiet_needed(const struct run *r, const struct quiet *q)
{
	const struct wire_counts *w = &r->record->wire;

	return MSEC(atomic_load(&w->data[0]) != q->asked && atomic_load(&w->data[1]) != q->answered
			    ? QUIET_MS
			    : SILENT_MS);
}

/* Whether nothing of the client wants a CPU: one that has read its answer, and has had none since,
 * is yet to print it. */
static bool is_at_rest(const struct run *r)
{
	pid_t pids[TREE_MAX];
	const int count = proc_tree(r->procs[WHO_CLIENT].pid, pids, TREE_MAX);

	for (int i = 0; i < count; i++)
		if (!proc_sleeps(pids[i]))
			return false;
	return count > 0;
}

/* Another turn. It is not one of those that it has if it was without a CPU most of the time. */
static void wait_for_it(const struct run *r, struct quiet *q, int64_t now_ns)
{
	struct tasks_usage u;

	tasks_usage(r->procs[WHO_CLIENT].pid, &u);
	q->busy += 2 * (u.wait_ns - q->waited_ns) < now_ns - q->since_ns;
	q->waited_ns = u.wait_ns;
	q->since_ns = now_ns;
}

static bool is_idle(struct run *r, void *arg)
{
	struct quiet *q = arg;
	const uint32_t frames = atomic_load(&r->record->wire.frames);
	const int64_t now = clock_now_ns();
	struct diag_states s;

	if (r->procs[WHO_CLIENT].ended)
		return true;
	if (frames != q->frames || frames - q->begun < ANSWER_FRAMES ||
	    loop_states(r, HOST_CLIENT, &s) < 0 || s.count[1] == 0 || s.unread > 0 ||
	    s.unsent > 0) {
		q->frames = frames;
		q->since_ns = now;
		q->computes = false;
	}
	if (now - q->since_ns < quiet_needed(r, q))
		return false;
	q->computes = q->busy < BUSY_TURNS && !is_at_rest(r);
	if (q->computes)
		wait_for_it(r, q, now);
	return !q->computes;
}

static bool transfers(struct run *r, void *arg)
{
	const uint32_t *begun = arg;

	return r->procs[WHO_CLIENT].ended ||
	       atomic_load(&r->record->wire.frames) - *begun >= TRANSFER_FRAMES;
}

/* Starts it, and lets it ask once: many connect only then. */
static int client_connect(struct doing *d)
{
	struct run *r = d->r;
	struct quiet q = { .since_ns = clock_now_ns() };
	int e = launch_program(r, WHO_CLIENT);

	if (e < 0)
		return e;
	if (!launch_is_ready(r, clock_now_ns() + SEC(CONNECT_MAX_S)))
		return doing_failed(d, "the client is not ready");
	q.begun = atomic_load(&r->record->wire.frames);
	q.asked = atomic_load(&r->record->wire.data[0]);
	q.answered = atomic_load(&r->record->wire.data[1]);
	launch_request(r);
	if ((!loop_until(r, clock_now_ns() + SEC(CONNECT_MAX_S), is_idle, &q) && !q.computes) ||
	    r->procs[WHO_CLIENT].ended)
		return doing_failed(d, "the client keeps no connection");
	return 0;
}

/* Some connect only when they have something to ask. */
static int client_start(struct doing *d)
{
	int e = launch_program(d->r, WHO_CLIENT);

	if (e == 0 && launch_keeps_connection(d->r))
		launch_request(d->r);
	return e;
}

static int client_request(struct doing *d)
{
	const bool runs = d->r->procs[WHO_CLIENT].pid != 0;

	if (!launch_keeps_connection(d->r))
		return runs ? 0 : launch_program(d->r, WHO_CLIENT);
	if (!runs && client_connect(d) < 0)
		return -EINVAL;
	launch_request(d->r);
	return 0;
}

static int client_transfer(struct doing *d)
{
	uint32_t begun = atomic_load(&d->r->record->wire.frames);
	int e;

	d->r->transfers = true;
	e = launch_program(d->r, WHO_CLIENT);
	if (e < 0)
		return e;
	if (!loop_until(d->r, clock_now_ns() + SEC(CONNECT_MAX_S), transfers, &begun) ||
	    d->r->procs[WHO_CLIENT].ended)
		return doing_failed(d, "no transfer goes on");
	return 0;
}

static int client_act(struct doing *d)
{
	switch ((enum client_want)d->s->number) {
	case CLIENT_START:
		return client_start(d);
	case CLIENT_CONNECT:
		return launch_keeps_connection(d->r) ? client_connect(d) : 0;
	case CLIENT_REQUEST:
		return client_request(d);
	case CLIENT_TRANSFER:
		return client_transfer(d);
	}
	return 0;
}

const struct verb verb_client = {
	.name = "client",
	.usage = "client start | connect | request | transfer",
	.parse = client_parse,
	.act = client_act,
};
