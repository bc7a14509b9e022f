/* SPDX-License-Identifier: MIT
 * give: hands over to a successor, step by step.
 */
#include "give.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/net/backend.h"
#include "echo/net/sock.h"
#include "echo/net/worker_group.h"
#include "echod/listen/listeners.h"
#include "echod/listen/name.h"

enum {
	ANSWER_MS = 5 * 1000, /* to what takes a successor no time */
	START_MS = 30 * 1000, /* for its workers, until they could serve */
	WARY_S = 60,          /* by then the kernel has taken away what a dead process left */
};

static int give_say(struct give *g, enum message_type type)
{
	g->talk.m.fd_count = 0;
	return message_send(&g->talk, type);
}

/* ---- the listeners ---- */

static unsigned give_count(const struct give *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->group->count; i++)
		n += g->group->workers[i].listener_count;
	return n;
}

/* What the configuration calls the address that a listener is bound to: another one for port 0. */
static const struct addr *give_asked(const struct give *g, const struct addr *bound)
{
	const struct listeners *l = g->listeners;

	for (unsigned i = 0; i < l->bound->count; i++) {
		if (addr_equal(&l->bound->at[i], bound))
			return &l->asked.at[i];
	}
	return bound;
}

static int give_flush_listeners(struct talk *t)
{
	struct message_listeners *l = &t->m.listeners;
	int r = message_send(t, MESSAGE_LISTENERS_ARE);

	l->first += l->count;
	l->count = 0;
	t->m.fd_count = 0;
	return r;
}

static int give_listener(struct give *g, int fd)
{
	struct message *m = &g->talk.m;
	struct message_listeners *l = &m->listeners;
	struct addr bound;
	int r = sock_listens(fd, &bound);

	if (r < 0)
		return r;
	memset(l->asked[l->count], 0, ADDR_TEXT_MAX);
	name_format(give_asked(g, &bound), l->asked[l->count++]);
	m->fds[m->fd_count++] = fd;
	return l->count == MESSAGE_LISTENERS ? give_flush_listeners(&g->talk) : 0;
}

static int give_listeners(struct give *g)
{
	struct message_listeners *l = &g->talk.m.listeners;
	int r = 0;

	*l = (struct message_listeners){ .total = give_count(g) };
	l->wary = g->died_ns != 0 && clock_now_ns() - g->died_ns < SEC(WARY_S);
	g->talk.m.fd_count = 0;
	for (unsigned i = 0; i < g->group->count && r == 0; i++) {
		const struct worker *w = &g->group->workers[i];

		for (unsigned k = 0; k < w->listener_count && r == 0; k++)
			r = give_listener(g, w->listeners[k]);
	}
	if (r == 0 && (l->count > 0 || l->total == 0))
		r = give_flush_listeners(&g->talk);
	return r;
}

struct give_call {
	struct worker_call call;
	const uint8_t *taken; /* of the listeners of this worker */
};

static int give_rest_run(struct worker *w, struct worker_call *call)
{
	const struct give_call *c = container_of(call, struct give_call, call);

	for (unsigned i = 0; i < w->listener_count; i++) {
		if (c->taken[i])
			worker_rest(w, i);
	}
	return 0;
}

static int give_wake_run(struct worker *w, struct worker_call *call)
{
	(void)call;
	return worker_wake_listeners(w);
}

/* Those that the successor takes are accepted from no more. What waits on them waits for it. */
static int give_rest(struct give *g)
{
	const uint8_t *taken = g->talk.m.ready.taken;
	int r = 0;

	for (unsigned i = 0; i < g->group->count && r == 0; i++) {
		struct give_call c = { .call.run = give_rest_run, .taken = taken };

		taken += g->group->workers[i].listener_count;
		worker_post(&g->group->workers[i], &c.call);
		r = worker_await(&c.call);
	}
	return r;
}

/* A successor that gave up late may have set its own options. */
static void give_restore_options(const struct worker *w)
{
	char text[ADDR_TEXT_MAX];
	struct addr at;

	for (unsigned i = 0; i < w->listener_count; i++) {
		/* the others never left, and a ring may have them block */
		int r = w->resting[i] ? sock_inherit(w->listeners[i], &w->config->sock) : 0;

		if (r < 0 && sock_listens(w->listeners[i], &at) == 0)
			log_warn("the listener on %s may have options of the successor: %s",
				 addr_format(&at, text), strerror(-r));
	}
}

static void give_wake(struct give *g)
{
	g->died_ns = clock_now_ns();
	for (unsigned i = 0; i < g->group->count; i++) {
		struct give_call c = { .call.run = give_wake_run };
		int r;

		give_restore_options(&g->group->workers[i]);
		worker_post(&g->group->workers[i], &c.call);
		r = worker_await(&c.call);
		if (r < 0)
			log_error("worker %u cannot accept again: %s", i, strerror(-r));
	}
}

/* ---- the connections ---- */

static int give_send_batch(struct give *g)
{
	struct talk *t = &g->talk;
	const struct move *m = &g->move;

	t->m.conns = (struct message_conns){ .count = m->count };
	t->m.fd_count = 0;
	t->m.fds[t->m.fd_count++] = m->data_fd;
	for (unsigned i = 0; i < m->count; i++) {
		t->m.conns.owed[i] = m->owed[i];
		t->m.fds[t->m.fd_count++] = m->conns[i]->fd;
	}
	return message_send(t, MESSAGE_CONNS);
}

static int give_batch_answer(struct give *g)
{
	const struct message_kept *k = &g->talk.m.kept;
	int r = message_receive(&g->talk, ANSWER_MS, MESSAGE_KEPT, 0);

	if (r < 0)
		return r;
	if (k->count != g->move.count) {
		snprintf(g->talk.why, sizeof(g->talk.why), "it keeps %u of %u connections",
			 k->count, g->move.count);
		return -EPROTO;
	}
	return 0;
}

/* COMMIT is the last that happens to a batch while it rests: sent, the successor has what it keeps
 * of it; not sent, it has nothing. */
static int give_commit_batch(struct give *g)
{
	struct message_kept kept = g->talk.m.kept;
	int r = give_say(g, MESSAGE_COMMIT);

	for (unsigned i = 0; i < kept.count && r == 0; i++) {
		g->move.kept[i] = kept.kept[i];
		g->moved += kept.kept[i] != 0;
	}
	return r;
}

/* Without a file for what is owed none of them can be moved: those of this worker that are left
 * stay. To give up instead would end those that have been committed already. */
static int give_no_batch(struct give *g, int err)
{
	log_warn("connections stay here at a takeover: %s", strerror(err));
	g->move.over = true;
	return 0;
}

static int give_batch(struct give *g, struct worker *w)
{
	struct move *m = &g->move;
	int r, settled;

	m->data_fd = memfd_create("owed", MFD_CLOEXEC);
	if (m->data_fd < 0)
		return give_no_batch(g, errno);
	r = move_collect(w, m);
	if (r == 0 && m->count > 0) {
		r = give_send_batch(g);
		if (r == 0)
			r = give_batch_answer(g);
		if (r == 0)
			r = give_commit_batch(g);
		settled = move_settle(w, m);
		r = r < 0 ? r : settled;
	}
	close(m->data_fd);
	return r;
}

static int give_nothing(struct worker *w, struct worker_call *call)
{
	(void)w;
	(void)call;
	return 0;
}

/* When a worker has come to run this, what moved before is not counted as open any more. */
static int give_settle(struct give *g)
{
	int r = 0;

	for (unsigned i = 0; i < g->group->count && r == 0; i++) {
		struct worker_call call = { .run = give_nothing };

		worker_post(&g->group->workers[i], &call);
		r = worker_await(&call);
	}
	return r;
}

static int give_conns(struct give *g)
{
	int r = 0;

	for (unsigned i = 0; i < g->group->count && r == 0; i++) {
		memset(&g->move, 0, sizeof(g->move));
		while (r == 0 && !g->move.over)
			r = give_batch(g, &g->group->workers[i]);
	}
	return r < 0 ? r : give_settle(g);
}

/* Of a unix socket that the successor has taken the file is its own. */
static void give_files(const struct give *g)
{
	struct listeners *l = g->listeners;

	for (unsigned i = 0; i < g->group->count; i++) {
		const struct worker *w = &g->group->workers[i];

		for (unsigned k = 0; k < w->listener_count; k++) {
			struct addr bound;

			if (!w->resting[k] || sock_listens(w->listeners[k], &bound) < 0)
				continue;
			for (unsigned n = 0; n < l->bound->count; n++) {
				if (addr_equal(&l->bound->at[n], &bound))
					listeners_own_path(l, n, (struct path_id){ 0 });
			}
		}
	}
}

/* ---- the conversation ---- */

static int give_receive(struct give *g, int timeout_ms, enum message_type type)
{
	int r = message_receive(&g->talk, timeout_ms, type, 0);

	return r < 0 ? r : 0;
}

/* The successor is told what there is, and starts. Nothing has changed when this returns. */
static int give_offer(struct give *g, bool *adopts)
{
	int r = give_receive(g, ANSWER_MS, MESSAGE_HELLO);

	if (r < 0)
		return r;
	*adopts = g->talk.m.hello.adopts == 1;
	r = give_listeners(g);
	if (r == 0)
		r = give_receive(g, START_MS, MESSAGE_READY);
	if (r == 0 && g->talk.m.ready.total != give_count(g)) {
		snprintf(g->talk.why, sizeof(g->talk.why), "it takes %u of %u listeners",
			 g->talk.m.ready.total, give_count(g));
		r = -EPROTO;
	}
	return r;
}

/* When this returns 0 the successor has all: COMMIT has been sent. */
static int give_done(struct give *g)
{
	int r;

	g->talk.m.fds[0] = g->path_fd;
	g->talk.m.fd_count = 1;
	r = message_send(&g->talk, MESSAGE_DONE);
	if (r == 0)
		r = give_receive(g, ANSWER_MS, MESSAGE_TAKEN);
	return r < 0 ? r : give_say(g, MESSAGE_COMMIT);
}

/* From the first step that changes anything to the last that can be undone. */
static int give_change(struct give *g, bool adopts)
{
	int r = give_rest(g);

	if (r == 0)
		r = give_say(g, MESSAGE_GO);
	if (r == 0)
		r = give_receive(g, START_MS, MESSAGE_SERVING);
	if (r == 0 && adopts && g->moves && move_can(&g->group->workers[0]))
		r = give_conns(g);
	if (r == 0)
		r = give_done(g);
	return r;
}

bool give_run(struct give *g, int fd, pid_t pid)
{
	bool adopts = false;
	int r;

	g->talk.fd = fd;
	g->talk.group = g->group;
	g->talk.why[0] = '\0';
	g->moved = 0;
	r = give_offer(g, &adopts);
	if (r == 0) {
		r = give_change(g, adopts);
		if (r < 0)
			give_wake(g);
	}
	if (r < 0) {
		char why[MESSAGE_TEXT_MAX];

		snprintf(why, sizeof(why), "%s", g->talk.why[0] ? g->talk.why : strerror(-r));
		log_warn("process %d does not take over: %s; serving on", (int)pid, why);
		message_refuse(&g->talk, why);
		return false;
	}
	give_files(g);
	worker_group_stop(g->group, WORKER_LEAVE);
	close(fd);
	return true;
}
