/* SPDX-License-Identifier: MIT
 * take: takes over from the echod that serves, step by step.
 */
#include "take.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/net/backend.h"
#include "echo/net/sock.h"
#include "echo/net/worker_group.h"
#include "echod/listen/listeners.h"
#include "echod/listen/name.h"

enum {
	ANSWER_MS = 5 * 1000,
	GO_MS = 10 * 1000,          /* until its workers have ended what they were doing */
	NEXT_MS = 10 * 1000,        /* between two batches: MOVE_QUIET_MS, and a busy machine */
	LAST_MS = 24 * 3600 * 1000, /* it serves all meanwhile, and would end it if it gave up */
};

static int take_fail(struct take *t, int r, const char *why)
{
	snprintf(t->talk.why, sizeof(t->talk.why), "%s", why);
	return r;
}

/* Says this. That nobody reads it any more is no failure yet: what the other process said last is
 * still to be read, and tells whether it has refused or died. */
static int take_say(struct take *t, enum message_type type)
{
	int r;

	t->talk.m.fd_count = 0;
	r = message_send(&t->talk, type);
	if (r != -EPIPE && r != -ECONNRESET)
		return r;
	t->talk.why[0] = '\0';
	return 0;
}

/* From READY on: as message_receive, but the death of the other process is no failure: 0, and
 * t->alone. */
static int take_receive(struct take *t, int timeout_ms, enum message_type a, enum message_type b)
{
	int r = message_receive(&t->talk, timeout_ms, a, b);

	t->alone = r == -ECONNRESET;
	return t->alone ? 0 : r;
}

/* Waits until it is decided who owns what was offered last. Returns whether it is ours. *r: 0, or
 * why the takeover has failed nevertheless. */
static bool take_committed(struct take *t, int timeout_ms, int *r)
{
	*r = take_receive(t, timeout_ms, MESSAGE_COMMIT, 0);
	if (*r < 0)
		return message_abort(&t->talk);
	*r = 0;
	return true;
}

/* ---- the listeners ---- */

static int take_one(struct take *t, int fd, const char asked[ADDR_TEXT_MAX])
{
	struct take_listener *l = &t->listeners[t->got];
	char text[ADDR_TEXT_MAX];

	snprintf(text, sizeof(text), "%.*s", ADDR_TEXT_MAX - 1, asked);
	if (sock_listens(fd, &l->bound) < 0 ||
	    (name_parse(&l->asked, text) < 0 && addr_parse(&l->asked, text) < 0))
		return take_fail(t, -EPROTO, "a listener that it sent is none");
	l->cookie = sock_cookie(fd);
	l->fd = fd;
	t->got++;
	return 0;
}

/* One message of them. Their descriptors are t's, or closed. */
static int take_some(struct take *t)
{
	struct message *m = &t->talk.m;
	const struct message_listeners *l = &m->listeners;
	unsigned n = 0;
	int r = 0;

	t->wary = l->wary;
	if (m->fds_lost)
		r = take_fail(t, -EMFILE, "too few descriptors for its listeners (ulimit -n)");
	else if (l->total != t->count || l->first != t->got || l->count > t->count - t->got)
		r = take_fail(t, -EPROTO, "its listeners do not add up");
	while (r == 0 && n < l->count) {
		r = take_one(t, m->fds[n], l->asked[n]);
		n += r == 0;
	}
	while (n < m->fd_count)
		close(m->fds[n++]);
	m->fd_count = 0;
	return r;
}

int take_begin(struct take *t, int fd, bool adopts)
{
	int r;

	t->talk.fd = fd;
	t->talk.m.hello = (struct message_hello){ .adopts = adopts };
	r = message_send(&t->talk, MESSAGE_HELLO);
	do {
		if (r == 0)
			r = message_receive(&t->talk, ANSWER_MS, MESSAGE_LISTENERS_ARE, 0);
		if (r < 0)
			return r;
		if (!t->listeners) {
			t->count = t->talk.m.listeners.total;
			if (t->count <= MESSAGE_LISTENERS_MAX)
				t->listeners = calloc(t->count + 1, sizeof(*t->listeners));
		}
		if (!t->listeners) {
			message_close_fds(&t->talk.m);
			return take_fail(t, -ENOMEM, "it has too many listeners");
		}
		r = take_some(t);
	} while (r == 0 && t->got < t->count);
	return r;
}

/* The first that serves this address and is not taken, beginning with number @from. With @bound, of
 * that port. NULL: there is none. */
static struct take_listener *take_find(struct take *t, const struct addr *asked,
				       const struct addr *bound)
{
	for (unsigned i = 0; i < t->got; i++) {
		struct take_listener *l = &t->listeners[i];

		if (l->taken || (bound && !addr_equal(&l->bound, bound)))
			continue;
		if (addr_equal(&l->asked, asked) || addr_equal(&l->bound, asked))
			return l;
	}
	return NULL;
}

/* A supervisor keeps it; several workers of the other process had one socket; or nobody else has
 * it.
 */
static enum listener_share take_share(const struct take *t, const struct take_listener *l)
{
	unsigned same = 0;

	for (unsigned i = 0; i < t->got; i++)
		same += t->listeners[i].cookie == l->cookie;
	if (name_is(&l->asked))
		return LISTENER_KEPT;
	return same > 1 ? LISTENER_SHARED : LISTENER_OWN;
}

static int take_give_worker(struct take *t, struct worker *w, int fd, enum listener_share share)
{
	if (worker_give_listener(w, fd, share) < 0)
		return take_fail(t, -ENOSPC,
				 "more listeners than these workers can have: more workers?");
	return 0;
}

int take_listen(struct take *t, struct listeners *l, unsigned i)
{
	struct addr *at = &l->bound->at[i];
	const struct addr asked = *at;
	struct take_listener *it = take_find(t, &asked, NULL);
	struct worker_group *g = l->group;
	unsigned n = 0;
	int r = 0;

	for (; it && r == 0; it = take_find(t, &asked, at)) {
		*at = it->bound;
		if (name_is(&it->asked))
			l->asked.at[i] = it->asked;
		r = take_give_worker(t, &g->workers[n++ % g->count], it->fd, take_share(t, it));
		it->taken = r == 0;
	}
	t->having[i] = n < g->count ? n : g->count;
	return r < 0 ? r : (int)n;
}

/* The listener of worker @w at this address. */
static int take_listener_at(const struct worker *w, const struct addr *at)
{
	struct addr bound;

	for (unsigned i = 0; i < w->listener_count; i++) {
		if (sock_listens(w->listeners[i], &bound) == 0 && addr_equal(&bound, at))
			return w->listeners[i];
	}
	return -1;
}

/* A listener for @to where @from has one: of its own or, where it may not join, from the same
 * queue. What a supervisor keeps has no other beside it. */
static int take_join_one(struct take *t, struct worker *from, struct worker *to,
			 const struct addr *at)
{
	const int first = take_listener_at(from, at);
	enum listener_share share = worker_listener_share(from, first);
	int fd = share == LISTENER_KEPT ? -1 : sock_join(at, t->sock);

	if (fd >= 0)
		return take_give_worker(t, to, fd, LISTENER_OWN);
	fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return take_fail(t, -errno, strerror(errno));
	worker_share_listener(from, first, LISTENER_SHARED);
	return take_give_worker(t, to, fd, worker_listener_share(from, first));
}

/* Workers that got none of this address join, now that nothing can come in between. */
static int take_join(struct take *t, struct worker_group *g, const struct addr *at, unsigned having)
{
	int r = 0;

	for (unsigned i = having; having > 0 && i < g->count && r == 0; i++)
		r = take_join_one(t, &g->workers[i % having], &g->workers[i], at);
	return r;
}

static void take_inherit(const struct take *t)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < t->got; i++) {
		const struct take_listener *l = &t->listeners[i];
		int r = l->taken ? sock_inherit(l->fd, t->sock) : 0;

		if (r < 0)
			log_warn("the listener on %s keeps the options that it had: %s",
				 addr_format(&l->bound, text), strerror(-r));
	}
}

int take_ready(struct take *t, struct worker_group *g, const struct addr_list *l)
{
	struct message_ready *ready = &t->talk.m.ready;
	int r;

	ready->total = t->got;
	for (unsigned i = 0; i < t->got; i++)
		ready->taken[i] = t->listeners[i].taken;
	r = take_say(t, MESSAGE_READY);
	if (r == 0)
		r = take_receive(t, GO_MS, MESSAGE_GO, 0);
	if (r < 0)
		return r;
	/* until it is decided who serves: the other one may have to accept from them again, and
	 * could not stand that its listeners block */
	for (unsigned i = 0; i < g->count; i++)
		g->workers[i].wary = true;
	take_inherit(t);
	r = 0;
	for (unsigned i = 0; i < l->count && r == 0; i++)
		r = take_join(t, g, &l->at[i], t->having[i]);
	return r;
}

/* ---- the connections ---- */

/* Where the bytes of each lie in the file. */
static int take_measure(struct take *t)
{
	const struct message *m = &t->talk.m;
	uint64_t at = 0;

	for (unsigned i = 0; i < m->conns.count; i++) {
		t->in.at[i] = at;
		if (m->conns.owed[i] > MOVE_OWED_MAX - at)
			return take_fail(t, -EPROTO, "its connections are owed too much");
		at += m->conns.owed[i];
	}
	return 0;
}

/* Reads what they are owed. Returns the bytes, NULL when there is no memory, or they are not there.
 */
static char *take_read(const struct take *t)
{
	const struct message *m = &t->talk.m;
	const unsigned last = m->conns.count - 1;
	const size_t len = m->conns.count > 0 ? t->in.at[last] + m->conns.owed[last] : 0;
	char *data = malloc(len + 1);
	size_t got = 0;

	while (data && got < len) {
		ssize_t n = pread(m->fds[0], data + got, len - got, (off_t)got);

		if (n <= 0) {
			free(data);
			return NULL;
		}
		got += (size_t)n;
	}
	return data;
}

static void take_answer(struct take *t)
{
	struct message_kept *k = &t->talk.m.kept;

	*k = (struct message_kept){ .count = t->in.count };
	for (unsigned i = 0; i < t->in.count; i++)
		k->kept[i] = t->in.kept[i];
}

/* Those that have ended are passed over: the others have their part. Returns 0, or the first
 * failure. */
static int take_each_worker(struct take *t, int (*step)(struct worker *w, struct move_in *m))
{
	const struct worker_group *g = t->talk.group;
	int first = 0;

	t->in.step = g->count;
	for (unsigned i = 0; i < g->count; i++) {
		int r;

		t->in.first = i;
		r = step(&g->workers[i], &t->in);
		first = first < 0 ? first : r;
	}
	return first;
}

/* Takes slots for a batch whose bytes are read, tells the other process which it keeps, and only
 * when that has committed them begins to serve them: until then neither touches them. */
static int take_adopt(struct take *t)
{
	struct move_in *in = &t->in;
	bool ours = false;
	int served, r = take_each_worker(t, move_adopt);

	if (r == 0) {
		take_answer(t);
		r = take_say(t, MESSAGE_KEPT);
	}
	if (r == 0)
		ours = take_committed(t, ANSWER_MS, &r);
	for (unsigned i = 0; i < in->count; i++) {
		t->adopted += ours && in->kept[i];
		t->refused += !in->kept[i];
		if (in->fds[i] >= 0 && !in->kept[i])
			close(in->fds[i]);
	}
	served = take_each_worker(t, ours ? move_serve : move_drop);
	return r < 0 ? r : served;
}

/* A batch of connections has come. Its descriptors go to the workers, or are closed. */
static int take_batch(struct take *t)
{
	struct message *m = &t->talk.m;
	struct move_in *in = &t->in;
	char *data;
	int r;

	in->count = m->conns.count;
	for (unsigned i = 0; i < in->count; i++) {
		in->fds[i] = -1;
		in->kept[i] = false;
		in->conns[i] = NULL;
	}
	r = m->fds_lost ? 0 : take_measure(t);
	data = r == 0 && !m->fds_lost ? take_read(t) : NULL;
	if (!data)
		message_close_fds(m);
	if (r < 0)
		return r;
	if (!data) /* they stay where they are; to give up would end those that came before */
		return take_adopt(t);
	close(m->fds[0]);
	for (unsigned i = 0; i < in->count; i++) {
		if (sock_is_open(m->fds[1 + i]))
			in->fds[i] = m->fds[1 + i];
		else
			close(m->fds[1 + i]);
		in->owed[i] = m->conns.owed[i];
	}
	in->data = data;
	r = take_adopt(t);
	free(data);
	return r;
}

static int take_trust_run(struct worker *w, struct worker_call *call)
{
	(void)call;
	w->wary = false;
	return 0;
}

/* Nobody else accepts from the listeners any more, or is about to. */
static void take_trust(const struct take *t)
{
	const struct worker_group *g = t->talk.group;

	for (unsigned i = 0; i < g->count && !t->wary; i++) {
		struct worker_call call = { .run = take_trust_run };

		worker_post(&g->workers[i], &call);
		(void)worker_await(&call); /* -ECANCELED: it has ended */
	}
}

/* It has sent the last: the socket at PATH. From the COMMIT that answers TAKEN on it serves no
 * more, and this process has succeeded, even if it is told to stop at the same time. */
static int take_done(struct take *t, int *path_fd)
{
	const int fd = t->talk.m.fd_count == 1 ? t->talk.m.fds[0] : -1;
	int r = take_say(t, MESSAGE_TAKEN);

	if (r == 0 && take_committed(t, LAST_MS, &r)) {
		*path_fd = fd;
		if (!t->alone)
			take_trust(t);
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

int take_finish(struct take *t, int *path_fd)
{
	int r = t->alone ? 0 : take_say(t, MESSAGE_SERVING);

	*path_fd = -1;
	while (r == 0 && !t->alone) {
		r = take_receive(t, NEXT_MS, MESSAGE_CONNS, MESSAGE_DONE);
		if (r == MESSAGE_DONE)
			return take_done(t, path_fd);
		if (r == MESSAGE_CONNS)
			r = take_batch(t);
	}
	return r;
}

void take_refuse(struct take *t, const char *why)
{
	char text[MESSAGE_TEXT_MAX];

	if (t->talk.fd < 0)
		return;
	snprintf(text, sizeof(text), "%s", t->talk.why[0] ? t->talk.why : why);
	message_refuse(&t->talk, text);
}

unsigned take_count(const struct take *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->got; i++)
		n += t->listeners[i].taken;
	return n;
}

void take_end(struct take *t)
{
	for (unsigned i = 0; i < t->got; i++) {
		if (!t->listeners[i].taken)
			close(t->listeners[i].fd);
	}
	free(t->listeners);
	t->listeners = NULL;
	t->count = t->got = 0;
	if (t->talk.fd >= 0)
		close(t->talk.fd);
	t->talk.fd = -1;
}
