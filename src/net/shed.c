/* SPDX-License-Identifier: MIT
 * shed: finds the connection that has been idle for longest. Each worker offers its own; whoever
 * takes an offer withdraws it, so that one connection is asked for once.
 */
#include "echo/net/shed.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/backend.h"
#include "echo/net/conn.h"
#include "echo/net/sock.h"
#include "echo/net/worker.h"

enum {
	BUSY_MS = 100, /* bytes have moved within this time: it is at work */
	BUSY_EVERY_MS = 10,
	BUSY_BURST = 64,
	SLACK_MS = 20, /* two answers of the kernel about one event differ by less */
};

enum { NO_OFFER = 0 };

static struct sock_progress shed_progress(const struct conn *c)
{
	const struct backend_ops *backend = c->worker->config->backend;
	struct sock_progress p = { .quiet_ns = INT64_MAX / 2 }; /* a dead socket may end first */

	if (backend->progress)
		backend->progress(c, &p);
	else if (sock_progress(c->fd, c->sent, &p) == 1)
		p.quiet_ns = clock_now_ns() - c->came_ns;
	return p;
}

static int64_t shed_since_ns(const struct conn *c)
{
	int64_t since_ns = clock_now_ns() - shed_progress(c).quiet_ns;

	return since_ns > 0 ? since_ns : 1;
}

/* Keeps the connection if it has been idle for longer than one of those that are kept. */
static void shed_consider(struct conn *c, void *arg)
{
	struct shed *s = arg;
	const struct shed_candidate it = { shed_since_ns(c), c->slot, c->gen };
	unsigned at = 0;

	if (c->state != CONN_OPEN || (s->count == SHED_KEPT && it.since_ns >= s->kept[0].since_ns))
		return;
	while (at < s->count && s->kept[at].since_ns > it.since_ns)
		at++;
	if (s->count < SHED_KEPT) {
		memmove(&s->kept[at + 1], &s->kept[at], (s->count++ - at) * sizeof(it));
	} else {
		at--; /* the one that was idle for the shortest time goes */
		memmove(&s->kept[0], &s->kept[1], at * sizeof(it));
	}
	s->kept[at] = it;
}

/* The connection of a candidate. NULL: it has ended, or has moved bytes since. */
static struct conn *shed_find(const struct worker *w, const struct shed_candidate *it)
{
	struct conn *c = conn_slot(&w->table, it->slot);

	if (c->gen != it->gen || c->state != CONN_OPEN)
		return NULL;
	return shed_since_ns(c) <= it->since_ns + MSEC(SLACK_MS) ? c : NULL;
}

/* The one of this worker that has been idle for longest: the last that is kept. NULL: there is
 * none. A scan asks the kernel once for each connection; what it keeps stays right, since all
 * others have moved bytes later. */
static struct conn *shed_oldest(struct worker *w)
{
	struct shed *s = &w->shed;
	struct conn *c;

	for (int scans = 0;; scans++) {
		for (; s->count > 0; s->count--) {
			c = shed_find(w, &s->kept[s->count - 1]);
			if (c)
				return c;
		}
		if (scans > 0)
			return NULL;
		conn_each(w, shed_consider, s);
	}
}

static int64_t shed_oldest_ns(struct worker *w)
{
	return shed_oldest(w) ? w->shed.kept[w->shed.count - 1].since_ns : INT64_MAX;
}

/* Ends the last that is kept. With RST if it is owed bytes: they will not come. */
static void shed_end(struct worker *w)
{
	const struct shed_candidate *it = &w->shed.kept[--w->shed.count];
	struct conn *c = conn_slot(&w->table, it->slot);

	assert(c->gen == it->gen && c->state == CONN_OPEN && !c->replaced);
	c->replaced = true;
	if (conn_unsent(c) > 0 || shed_progress(c).owes)
		conn_abort(c, CAUSE_SHED);
	else
		conn_close(c, CAUSE_SHED);
}

/* Whether one that has been idle only since then may end. */
static bool shed_may(struct worker *w, int64_t since_ns)
{
	int64_t now_ns = clock_now_ns(), burst_ns = now_ns - MSEC(BUSY_EVERY_MS * BUSY_BURST);

	if (now_ns - since_ns >= MSEC(BUSY_MS))
		return true;
	if (w->shed.busy_ns > now_ns)
		return false;
	if (w->shed.busy_ns < burst_ns)
		w->shed.busy_ns = burst_ns;
	w->shed.busy_ns += MSEC(BUSY_EVERY_MS);
	return true;
}

static void shed_offer(struct worker *w)
{
	int64_t ns = shed_oldest_ns(w);

	atomic_store_explicit(&w->shed.offer_ns, ns != INT64_MAX ? ns : NO_OFFER,
			      memory_order_relaxed);
}

static void shed_ask(struct worker *of)
{
	atomic_fetch_add_explicit(&of->shed.asked, 1, memory_order_relaxed);
	worker_wake(of);
}

/* The worker whose offer is the best of all others', or NULL. */
static struct worker *shed_best_offer(const struct worker *w, int64_t *since_ns)
{
	struct worker *best = NULL;

	*since_ns = INT64_MAX;
	for (unsigned i = 0; i < w->peer_count; i++) {
		struct worker *p = &w->peers[i];
		int64_t ns = atomic_load_explicit(&p->shed.offer_ns, memory_order_relaxed);

		if (p == w || ns == NO_OFFER || ns >= *since_ns)
			continue;
		*since_ns = ns;
		best = p;
	}
	return best;
}

/* Without an offer: the one of the others that has most connections. */
static struct worker *shed_largest(const struct worker *w)
{
	struct worker *best = NULL;
	uint64_t most = 0;

	for (unsigned i = 0; i < w->peer_count; i++) {
		struct worker *p = &w->peers[i];
		uint64_t n = stats_get(&p->stats.open);

		if (p == w || n <= most)
			continue;
		most = n;
		best = p;
	}
	return best;
}

/* Takes an offer, which nobody else can take then. */
static bool shed_take(struct worker *of, int64_t offer_ns)
{
	return of && atomic_compare_exchange_strong(&of->shed.offer_ns, &offer_ns, NO_OFFER);
}

/* One that ends anyway when this turn is over leaves its place now. */
static bool shed_closing(const struct worker *w)
{
	struct conn *c = w->closing;

	while (c && (!c->opened || c->replaced))
		c = c->next;
	if (c)
		c->replaced = true;
	return c != NULL;
}

/* One connection ends for a newcomer: one of this worker, which is closing then, or one of another
 * worker, which has been asked. Returns whether there was one. */
static bool shed_one(struct worker *w, bool if_busy)
{
	int64_t own_ns, offer_ns;
	struct worker *other;

	if (shed_closing(w))
		return true;
	own_ns = shed_oldest_ns(w);
	other = shed_best_offer(w, &offer_ns);
	if (own_ns == INT64_MAX && offer_ns == INT64_MAX) {
		other = shed_largest(w);
		if (other)
			shed_ask(other);
		return other != NULL;
	}
	if (!if_busy && !shed_may(w, own_ns < offer_ns ? own_ns : offer_ns))
		return false;
	if (offer_ns < own_ns && shed_take(other, offer_ns)) {
		shed_ask(other);
		return true;
	}
	if (own_ns == INT64_MAX)
		return false; /* another was faster: the next one that comes asks anew */
	shed_end(w);
	shed_offer(w);
	return true;
}

/* The last free place was taken: all workers look for the one that ends next. */
static void shed_full(struct worker *w)
{
	shed_offer(w);
	for (unsigned i = 0; i < w->peer_count; i++) {
		struct worker *p = &w->peers[i];

		if (p == w || atomic_exchange(&p->shed.wanted, true))
			continue;
		worker_wake(p);
	}
}

/* Without @may_end nobody ends for it. */
static bool shed_take_place(struct worker *w, bool may_end)
{
	const uint32_t max = w->config->max_conns;
	uint32_t n = atomic_load_explicit(w->conns, memory_order_relaxed);

	do {
		if (n >= max)
			return may_end && shed_one(w, false);
	} while (!atomic_compare_exchange_weak_explicit(w->conns, &n, n + 1, memory_order_relaxed,
							memory_order_relaxed));
	if (n + 1 == max)
		shed_full(w);
	return true;
}

/* A connection was accepted: the first that this worker can offer, if it offers none. */
static void shed_joined(struct worker *w)
{
	int64_t none_ns = NO_OFFER;

	(void)atomic_compare_exchange_strong(&w->shed.offer_ns, &none_ns, clock_now_ns());
}

static struct conn *shed_turn_away(struct worker *w, int fd, enum cause cause)
{
	stats_add(&w->stats.opened, 1);
	stats_add(&w->stats.closed[cause], 1);
	worker_tell(w);
	close(fd);
	return NULL;
}

/* Before anybody ends for it. With RST: who comes too often leaves nothing behind here. */
static bool shed_let_in(struct worker *w, int fd, uint32_t *entry)
{
	const struct net_config *n = w->config;
	enum cause cause = CAUSE_NONE;

	if (n->max_conns_per_address != 0)
		cause = limit_enter(w->limit, n->max_conns_per_address, fd, entry);
	if (cause == CAUSE_NONE && n->accept_rate != 0)
		cause = limit_enter_rate(w->limit, n->accept_rate, w->now_ns);
	if (cause == CAUSE_NONE)
		return true;
	limit_leave(w->limit, *entry);
	sock_abort(fd);
	(void)shed_turn_away(w, fd, cause);
	return false;
}

struct conn *shed_accept(struct worker *w, int fd)
{
	uint32_t entry = 0;
	struct conn *c;
	bool place;

	if (w->limit && !shed_let_in(w, fd, &entry))
		return NULL;
	place = shed_take_place(w, true);
	c = place ? conn_accept(w, fd) : NULL;
	if (c) {
		c->limit = entry;
		shed_joined(w);
		return c;
	}
	if (place)
		atomic_fetch_sub_explicit(w->conns, 1, memory_order_relaxed);
	if (entry)
		limit_leave(w->limit, entry);
	return shed_turn_away(w, fd, CAUSE_SHED);
}

/* One that is open counts for its address, too. */
static void shed_count(struct conn *c, void *arg)
{
	struct worker *w = c->worker;

	(void)arg;
	if (w->config->max_conns_per_address != 0 && c->limit == 0 && c->fd >= 0)
		c->limit = limit_join(w->limit, c->fd);
}

struct conn *shed_adopt(struct worker *w, int fd)
{
	struct conn *c;

	if (!shed_take_place(w, false))
		return NULL;
	c = conn_adopt(w, fd);
	if (!c) {
		atomic_fetch_sub_explicit(w->conns, 1, memory_order_relaxed);
		return NULL;
	}
	shed_count(c, NULL);
	shed_joined(w);
	return c;
}

void shed_configured(struct worker *w)
{
	if (w->config->max_conns_per_address != 0)
		conn_each(w, shed_count, NULL);
}

void shed_woken(struct worker *w)
{
	struct shed *s = &w->shed;
	uint64_t drop;
	uint32_t n;
	bool wanted;

	while (read(w->wake_fd, &drop, sizeof(drop)) < 0 && errno == EINTR)
		;
	worker_show_life(w);
	balance_take(w);
	n = atomic_exchange_explicit(&s->asked, 0, memory_order_relaxed);
	wanted = atomic_exchange_explicit(&s->wanted, false, memory_order_relaxed);
	if (n == 0 && !wanted)
		return;
	shed_offer(w);
	/* the one that was offered may have moved bytes since: then another worker's may be older
	 */
	while (n > 0 && shed_one(w, true))
		n--;
	/* all have left by themselves: the newcomers' places count once more */
	atomic_fetch_add_explicit(w->conns, n, memory_order_relaxed);
}
