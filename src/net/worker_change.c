/* SPDX-License-Identifier: MIT
 * worker_change: two rounds of calls. In the first every worker takes what can fail: memory, new
 * listeners. If one cannot, those before it give that back. The second round cannot fail.
 *
 * A configuration is never written while workers read it: they get another one, each in its own
 * thread.
 */
#include "echo/net/worker_change.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/net/backend.h"
#include "echo/net/conn.h"
#include "echo/net/limit.h"
#include "echo/net/shed.h"
#include "echo/net/sock.h"
#include "echo/net/worker_group.h"

struct change_call {
	struct worker_call call;
	const struct worker_change *change;
	unsigned workers;
};

static struct change_call *change_of(struct worker_call *call)
{
	return container_of(call, struct change_call, call);
}

/* A worker with a table of descriptors of its own gets the listener out of the main thread's. */
static int change_fetch(int fd)
{
	int r, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (pidfd < 0)
		return -errno;
	r = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	r = r < 0 ? -errno : r;
	close(pidfd);
	return r;
}

static int change_add_one(struct worker *w, int fd)
{
	const bool own = w->config->own_descriptors;
	const bool shared = sock_is_unix(fd) && w->peer_count > 1;
	int r, mine = own ? change_fetch(fd) : fd;

	if (mine < 0)
		return mine;
	r = worker_add_listener(w, mine, shared ? LISTENER_SHARED : LISTENER_OWN);
	if (r < 0 && own)
		close(mine);
	return r;
}

/* Those that were added last; the caller has their descriptors still, or others for them. */
static void change_remove(struct worker *w, unsigned count)
{
	while (count-- > 0) {
		const int fd = w->listeners[--w->listener_count];

		w->config->backend->unlisten(w, fd, true);
		if (w->config->own_descriptors)
			close(fd);
	}
}

static int change_add_run(struct worker *w, struct worker_call *call)
{
	const struct change_call *c = change_of(call);
	const struct worker_change *change = c->change;
	unsigned n = 0;
	int r = conn_table_grow(w, change->config->slots);

	for (; r == 0 && n < change->each; n += r == 0)
		r = change_add_one(w, change->fds[n * c->workers + w->index]);
	if (r < 0)
		change_remove(w, n);
	return r;
}

static int change_undo_run(struct worker *w, struct worker_call *call)
{
	change_remove(w, change_of(call)->change->each);
	return 0;
}

static bool change_is_gone(const struct addr_list *gone, int fd)
{
	struct addr at;

	if (sock_listens(fd, &at) < 0)
		return false;
	for (unsigned i = 0; i < gone->count; i++) {
		if (addr_equal(&gone->at[i], &at))
			return true;
	}
	return false;
}

/* Returns 0, or the first -errno of options that a listener that stays did not take. */
static int change_listeners(struct worker *w, const struct worker_change *c)
{
	const bool same = sock_options_equal(&w->config->sock, &c->config->sock);
	int first = 0;

	for (unsigned i = 0; i < w->listener_count;) {
		int r = 0;

		if (change_is_gone(c->gone, w->listeners[i]))
			worker_drop_listener(w, i);
		else if (same)
			i++;
		else
			r = sock_configure(w->listeners[i++], &c->config->sock);
		first = first < 0 ? first : r;
	}
	return first;
}

static int change_run(struct worker *w, struct worker_call *call)
{
	const struct worker_change *c = change_of(call)->change;
	const void *before = w->role_state;
	int r = change_listeners(w, c);

	w->config = c->config;
	w->role_state = c->role_state;
	shed_configured(w);
	if (w->config->backend->configured)
		w->config->backend->configured(w);
	if (w->role->configured)
		w->role->configured(w, before);
	return r;
}

/* Has worker number @i run it. Returns its result, or -ECANCELED: its loop has ended. */
static int change_call(struct worker_group *g, unsigned i, const struct worker_change *c,
		       int (*run)(struct worker *w, struct worker_call *call))
{
	struct change_call call = { .call.run = run, .change = c, .workers = g->count };

	worker_post(&g->workers[i], &call.call);
	return worker_await(&call.call);
}

/* Worker number @i has its listeners, which are not the caller's any more. */
static void change_given(const struct worker_group *g, unsigned i, const struct worker_change *c)
{
	for (unsigned n = 0; n < c->each; n++) {
		int *fd = &c->fds[n * g->count + i];

		if (g->workers[i].config->own_descriptors)
			close(*fd);
		*fd = -1;
	}
}

static int change_add(struct worker_group *g, const struct worker_change *c)
{
	unsigned added = 0;
	int r = 0;

	while (added < g->count && r == 0) {
		r = change_call(g, added, c, change_add_run);
		added += r == 0;
	}
	/* a loop that has ended meanwhile has closed its listeners */
	while (r < 0 && added-- > 0) {
		if (change_call(g, added, c, change_undo_run) == -ECANCELED)
			change_given(g, added, c);
	}
	return r;
}

int worker_group_change(struct worker_group *g, const struct worker_change *c, int *kept_options)
{
	int r = c->config->max_conns_per_address != 0 ? limit_open(&g->limit) : 0;

	if (r == 0)
		r = change_add(g, c);
	if (r < 0)
		return r;
	*kept_options = 0;
	for (unsigned i = 0; i < g->count; i++) {
		change_given(g, i, c);
		r = change_call(g, i, c, change_run);
		*kept_options = *kept_options < 0 ? *kept_options : r;
	}
	return 0;
}
