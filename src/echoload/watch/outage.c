/* SPDX-License-Identifier: MIT
 * outage: a watch over all workers. The errors that count are kept in a ring of as many entries as
 * make an outage, so "half of the connections within the stall time" is one comparison: is the
 * entry that is about to be overwritten still young?
 */
#include "outage.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "echo/base/base.h"

struct outage_error {
	int64_t at_ns;
	int64_t last_echo_ns; /* of all workers, when it happened */
	uint64_t lost_before; /* messages lost by all earlier errors */
};

static void ring_clear(struct outage_ring *r)
{
	r->count = r->next = 0;
}

/* A full ring forgets its oldest entry. */
static void ring_push(struct outage_ring *r, struct outage_error e)
{
	r->at[r->next] = e;
	r->next = (r->next + 1) % r->size;
	if (r->count < r->size)
		r->count++;
}

/* The oldest entry of a full ring, which is written next; NULL: it is not full. */
static const struct outage_error *ring_oldest(const struct outage_ring *r)
{
	return r->count == r->size ? &r->at[r->next] : NULL;
}

int outage_init(struct outage_watch *o, uint32_t requested, unsigned workers, int64_t stall_ns)
{
	assert(requested > 0 && workers > 0);
	*o = (struct outage_watch){ .requested = requested,
				    .worker_count = workers,
				    .stall_ns = stall_ns,
				    .ring.size = (requested + 1) / 2 };
	o->ring.at = calloc(o->ring.size, sizeof(*o->ring.at));
	o->workers = calloc(workers, sizeof(*o->workers));
	if (!o->ring.at || !o->workers) {
		outage_fini(o);
		return -ENOMEM;
	}
	pthread_mutex_init(&o->lock, NULL);
	return 0;
}

void outage_fini(struct outage_watch *o)
{
	free(o->ring.at);
	free(o->workers);
	o->ring.at = NULL;
	o->workers = NULL;
}

void outage_start(struct outage_watch *o, int64_t start_ns)
{
	o->start_ns = o->resumed_ns = start_ns;
	service_start(&o->service, start_ns);
	for (unsigned i = 0; i < o->worker_count; i++) {
		o->workers[i].checked_ns = start_ns;
		atomic_store(&o->workers[i].last_echo_ns, start_ns);
		atomic_store(&o->workers[i].last_progress_ns, start_ns);
		atomic_store(&o->workers[i].waiting_since_ns, INT64_MAX);
	}
}

static int64_t outage_last_echo(const struct outage_watch *o)
{
	int64_t last = o->start_ns;

	for (unsigned i = 0; i < o->worker_count; i++) {
		int64_t t = atomic_load_explicit(&o->workers[i].last_echo_ns, memory_order_relaxed);

		last = t > last ? t : last;
	}
	return last;
}

/* The last echo, the last progress of one, or when we began to run again after them. */
static int64_t outage_last_sign(const struct outage_watch *o)
{
	int64_t last = outage_last_echo(o);

	for (unsigned i = 0; i < o->worker_count; i++) {
		int64_t t =
			atomic_load_explicit(&o->workers[i].last_progress_ns, memory_order_relaxed);

		last = t > last ? t : last;
	}
	return last > o->resumed_ns ? last : o->resumed_ns;
}

static struct outage *outage_current(struct outage_watch *o)
{
	assert(o->count > 0);
	return &o->list[o->uncounted > 0 ? OUTAGES_MAX : o->count - 1];
}

static void outage_begin(struct outage_watch *o, int64_t begin_ns, int64_t noticed_ns)
{
	assert(!outage_open(o));
	if (o->count < OUTAGES_MAX)
		o->count++;
	else
		o->uncounted++;
	/* another worker's echo may carry a later time than this one's error */
	*outage_current(o) =
		(struct outage){ .begin_ns = begin_ns < noticed_ns ? begin_ns : noticed_ns,
				 .noticed_ns = noticed_ns,
				 .first_success_ns = -1,
				 .recovered_ns = -1 };
	o->healthy = 0;
	atomic_store(&o->open, (uint32_t)(o->count + o->uncounted));
}

static void outage_end(struct outage_watch *o)
{
	outage_current(o)->messages_lost = o->messages_lost - o->lost_before;
	ring_clear(&o->ring); /* errors of this outage do not count for another */
	atomic_store(&o->open, 0);
}

static void outage_unhealthy(struct outage_watch *o, struct outage_seat *seat)
{
	if (outage_open(o) && seat->healthy == outage_open(o)) {
		assert(o->healthy > 0);
		o->healthy--;
		seat->healthy = 0;
	}
}

/* For the whole load, of which this may be a part: it does not know when one is open there. */
static void outage_down(struct outage_watch *o, struct outage_seat *seat, int64_t now_ns,
			uint64_t messages_lost)
{
	const struct service_loss loss = {
		.last_echo_ns = outage_last_echo(o),
		.messages_lost = messages_lost,
		.counts = seat->down_ns == 0 || now_ns - seat->down_ns > o->stall_ns,
		.was_up = !seat->down,
	};

	if (loss.counts)
		seat->down_ns = now_ns;
	seat->down = true;
	service_lost(&o->service, now_ns, &loss);
}

void outage_error(struct outage_watch *o, struct outage_seat *seat, int64_t now_ns,
		  uint64_t messages_lost)
{
	const struct outage_error *oldest = NULL;
	uint64_t lost_before;

	pthread_mutex_lock(&o->lock);
	lost_before = o->messages_lost;
	o->messages_lost += messages_lost;
	outage_unhealthy(o, seat);
	outage_down(o, seat, now_ns, messages_lost);
	/* a connection that fails again and again is still one connection */
	if (!outage_open(o) && (seat->error_ns == 0 || now_ns - seat->error_ns > o->stall_ns)) {
		seat->error_ns = now_ns;
		ring_push(&o->ring,
			  (struct outage_error){ now_ns, outage_last_echo(o), lost_before });
		oldest = ring_oldest(&o->ring);
	}
	if (oldest && now_ns - oldest->at_ns <= o->stall_ns) {
		o->lost_before = oldest->lost_before;
		outage_begin(o, oldest->last_echo_ns, now_ns);
	}
	pthread_mutex_unlock(&o->lock);
}

void outage_closed(struct outage_watch *o, struct outage_seat *seat, int64_t now_ns)
{
	const struct service_loss loss = { .last_echo_ns = -1, .was_up = !seat->down };

	pthread_mutex_lock(&o->lock);
	outage_unhealthy(o, seat);
	seat->down = true;
	service_lost(&o->service, now_ns, &loss);
	pthread_mutex_unlock(&o->lock);
}

/* In the open outage. */
static void outage_healthy(struct outage_watch *o, struct outage_seat *seat, int64_t sent_ns,
			   int64_t now_ns)
{
	struct outage *at = outage_current(o);

	if (seat->healthy == outage_open(o) || (at->by_silence ? now_ns : sent_ns) < at->noticed_ns)
		return;
	seat->healthy = outage_open(o);
	o->healthy++;
	if (at->first_success_ns < 0)
		at->first_success_ns = now_ns;
	if (o->healthy == o->requested) {
		at->recovered_ns = now_ns;
		outage_end(o);
	}
}

void outage_echo(struct outage_watch *o, struct outage_seat *seat, int64_t sent_ns, int64_t now_ns)
{
	pthread_mutex_lock(&o->lock);
	if (seat->down) {
		seat->down = false;
		service_back(&o->service, now_ns);
	}
	if (outage_open(o))
		outage_healthy(o, seat, sent_ns, now_ns);
	pthread_mutex_unlock(&o->lock);
}

/* Since when echoes have been owed while none came; INT64_MAX: none is owed. */
static int64_t outage_silent_since(const struct outage_watch *o)
{
	int64_t since = INT64_MAX, last = outage_last_sign(o);

	for (unsigned i = 0; i < o->worker_count; i++) {
		int64_t t =
			atomic_load_explicit(&o->workers[i].waiting_since_ns, memory_order_relaxed);

		since = t < since ? t : since;
	}
	return since == INT64_MAX || since > last ? since : last;
}

/* Messages lost before the first error since @begin_ns; all of them if there was none. */
static uint64_t outage_lost_before(const struct outage_watch *o, int64_t begin_ns)
{
	uint64_t lost = o->messages_lost;

	for (uint32_t i = 0; i < o->ring.count; i++) {
		const struct outage_error *e = &o->ring.at[i];

		if (e->at_ns >= begin_ns && e->lost_before < lost)
			lost = e->lost_before;
	}
	return lost;
}

/* All that arrived before this time, every worker has delivered. */
static int64_t outage_all_checked(const struct outage_watch *o)
{
	int64_t at_ns = INT64_MAX;

	for (unsigned i = 0; i < o->worker_count; i++) {
		int64_t t = o->workers[i].checked_ns;

		at_ns = t < at_ns ? t : at_ns;
	}
	return at_ns;
}

int64_t outage_check_stall(struct outage_watch *o, struct outage_worker *by, int64_t now_ns)
{
	int64_t since;

	pthread_mutex_lock(&o->lock);
	by->checked_ns = now_ns;
	since = outage_silent_since(o);
	if (outage_open(o) || since == INT64_MAX) {
		since = now_ns; /* nothing to find now */
	} else if (now_ns - since >= o->stall_ns && outage_all_checked(o) - since < o->stall_ns) {
		since = now_ns + MSEC(1) - o->stall_ns; /* the others will have looked soon */
	} else if (now_ns - since >= o->stall_ns) {
		const int64_t begin_ns = outage_last_sign(o);

		o->lost_before = outage_lost_before(o, begin_ns);
		outage_begin(o, begin_ns, since + o->stall_ns);
		outage_current(o)->by_silence = true;
		since = now_ns;
	}
	pthread_mutex_unlock(&o->lock);
	return since + o->stall_ns;
}

void outage_retire(struct outage_watch *o, struct outage_worker *by)
{
	pthread_mutex_lock(&o->lock);
	by->checked_ns = INT64_MAX;
	pthread_mutex_unlock(&o->lock);
}

void outage_resume(struct outage_watch *o, int64_t now_ns)
{
	pthread_mutex_lock(&o->lock);
	o->resumed_ns = now_ns > o->resumed_ns ? now_ns : o->resumed_ns;
	pthread_mutex_unlock(&o->lock);
}

bool outage_nth(struct outage_watch *o, unsigned nth, struct outage *copy)
{
	bool there;

	pthread_mutex_lock(&o->lock);
	there = nth < o->count;
	if (there)
		*copy = o->list[nth];
	pthread_mutex_unlock(&o->lock);
	return there;
}

void outage_summarize(struct outage_watch *o, int64_t now_ns, struct outage_summary *s)
{
	pthread_mutex_lock(&o->lock);
	*s = (struct outage_summary){ .count = o->count + o->uncounted };
	s->open = o->count > 0 && outage_current(o)->recovered_ns < 0;
	for (unsigned i = 0; i < o->count; i++) {
		const struct outage *at = &o->list[i];

		s->ns += (at->recovered_ns < 0 ? now_ns : at->recovered_ns) - at->begin_ns;
	}
	pthread_mutex_unlock(&o->lock);
}

void outage_shift(struct outage *o, int64_t start_ns)
{
	int64_t *times[] = { &o->begin_ns, &o->noticed_ns, &o->first_success_ns, &o->recovered_ns };

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		*times[i] = *times[i] < 0 ? -1 : *times[i] - start_ns;
}

void outage_finish(struct outage_watch *o)
{
	if (outage_open(o))
		outage_end(o);
}
