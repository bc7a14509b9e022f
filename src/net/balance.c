/* SPDX-License-Identifier: MIT
 * balance: a few slots that givers fill and the owner empties, without a lock. What a worker has is
 * its open connections and what waits for it.
 */
#include "echo/net/balance.h"

#include <stdint.h>
#include <sys/eventfd.h>

#include "echo/net/backend.h"
#include "echo/net/worker.h"

enum {
	FREE = 0,
	CLOSED = -1,
	/* A worker gives when it has so many more than another, and a sixteenth of those: of 64
	 * connections on two workers one has 34 at most, and what comes and goes at random, which
	 * evens itself out, is rarely given. */
	CLEARLY = 3,
	PART = 16,
	SAMPLE = 64, /* accepted connections: if half as many have ended meanwhile, it is churn */
};

static uint64_t balance_load(const struct worker *w)
{
	return stats_get(&w->stats.open) +
	       atomic_load_explicit(&w->balance.waiting, memory_order_relaxed);
}

/* The one of the others that has least. */
static struct worker *balance_least(const struct worker *w, uint64_t *load)
{
	struct worker *least = NULL;

	*load = UINT64_MAX;
	for (unsigned i = 0; i < w->peer_count; i++) {
		uint64_t n =
			w->peers[i].index == w->index ? UINT64_MAX : balance_load(&w->peers[i]);

		if (n >= *load)
			continue;
		*load = n;
		least = &w->peers[i];
	}
	return least;
}

static bool balance_put(struct balance *b, int fd)
{
	atomic_fetch_add_explicit(&b->waiting, 1, memory_order_relaxed);
	for (unsigned i = 0; i < BALANCE_SLOTS; i++) {
		int is_free = FREE;

		if (atomic_compare_exchange_strong(&b->slot[i], &is_free, fd + 1))
			return true;
	}
	atomic_fetch_sub_explicit(&b->waiting, 1, memory_order_relaxed);
	return false;
}

static bool balance_churns(struct worker *w)
{
	struct balance *b = &w->balance;
	uint64_t ended;

	if (++b->sample == SAMPLE) {
		ended = stats_get(&w->stats.opened) - stats_get(&w->stats.open);
		b->churning = ended - b->ended > SAMPLE / 2;
		b->ended = ended;
		b->sample = 0;
	}
	return b->churning;
}

bool balance_give(struct worker *w, int fd)
{
	struct worker *to;
	uint64_t least;

	if (w->config->balance != BALANCE_LEAST || w->stopping != WORKER_RUN || balance_churns(w))
		return false;
	to = balance_least(w, &least);
	if (!to || balance_load(w) < least + CLEARLY + least / PART ||
	    !balance_put(&to->balance, fd))
		return false;
	stats_add(&w->stats.given, 1);
	(void)eventfd_write(to->wake_fd, 1); /* fails when it is readable anyway */
	return true;
}

/* Serves what is in the slots, and leaves @then there. */
static void balance_empty(struct worker *w, int then)
{
	struct balance *b = &w->balance;

	for (unsigned i = 0; i < BALANCE_SLOTS; i++) {
		int got = atomic_exchange(&b->slot[i], then);

		if (got == FREE)
			continue;
		w->config->backend->serve(w, got - 1);
		atomic_fetch_sub_explicit(&b->waiting, 1, memory_order_relaxed);
	}
}

void balance_take(struct worker *w)
{
	const struct balance *b = &w->balance;

	if (!b->closed && atomic_load_explicit(&b->waiting, memory_order_relaxed) > 0)
		balance_empty(w, FREE);
}

void balance_close(struct worker *w)
{
	if (w->balance.closed)
		return;
	w->balance.closed = true;
	balance_empty(w, CLOSED);
}
