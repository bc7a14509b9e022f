/* SPDX-License-Identifier: MIT
 * outage: finds by itself when the service was gone, and times it.
 *
 * An outage opens when within --stall at least half of the requested connections ended in an error
 * of the peer or the path, or when echoes are owed and for --stall neither one came nor bytes of a
 * large one (stall.c). It closes when every requested connection has echoed again, whether that one
 * is open still or was churned. All workers share one watch: what happens seldom (errors, and
 * echoes while an outage is open) takes its lock, an echo in good times costs two stores.
 *
 * All times here are of the monotonic clock; reports subtract the start of the run.
 */
#ifndef ECHOLOAD_OUTAGE_H
#define ECHOLOAD_OUTAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "service.h"

enum {
	OUTAGES_MAX = 64, /* a run that has more lists the first ones and counts the rest */
};

struct outage {
	int64_t begin_ns;         /* the last echo before, or the start of the run; of a silence:
				     the last bytes of a large message, if they were later */
	int64_t noticed_ns;       /* when it opened */
	int64_t first_success_ns; /* -1: none */
	int64_t recovered_ns;     /* every requested connection has echoed since; -1: never */
	uint64_t messages_lost;
	bool by_silence; /* no echo came, rather than errors */
};

/* What one worker tells the others: written by it alone. */
struct outage_worker {
	_Atomic int64_t last_echo_ns;
	_Atomic int64_t last_progress_ns; /* bytes of a message that is not echoed yet came back, or
					     were seen to be acknowledged: no silence either */
	_Atomic int64_t waiting_since_ns; /* the last echo, or when something became owed after none
					     was; INT64_MAX: nothing is owed */
	int64_t checked_ns; /* of the watch, under its lock: outage_check_stall, INT64_MAX: it has
			      retired */
};

/* The last errors that count: as many as make an outage. */
struct outage_ring {
	struct outage_error *at;
	uint32_t size, count;
	uint32_t next; /* the entry to write; when it is full, the oldest */
};

struct outage_watch {
	pthread_mutex_t lock;
	int64_t start_ns, stall_ns;
	int64_t resumed_ns; /* before this we did not run, and know nothing */
	uint32_t requested;
	struct outage_worker *workers;
	unsigned worker_count;
	struct outage_ring ring;
	uint64_t messages_lost; /* by errors, so far */
	uint32_t healthy;       /* connections that have echoed since this outage opened */
	_Atomic uint32_t open;  /* number of the open outage (from 1), or 0 */
	struct outage list[OUTAGES_MAX + 1]; /* the last is of outages that find no room */
	unsigned count;                      /* in the list */
	uint64_t uncounted;                  /* outages that found no room in it */
	struct service service;              /* of this part of a load */
	uint64_t lost_before;                /* messages_lost when the open outage began */
};

/* Reserves what it needs for @requested connections over @workers workers. 0 or -ENOMEM. */
int outage_init(struct outage_watch *o, uint32_t requested, unsigned workers, int64_t stall_ns);
void outage_fini(struct outage_watch *o);

/* The run begins. */
void outage_start(struct outage_watch *o, int64_t start_ns);

/* The number of the open outage, 0 if there is none. */
static inline uint32_t outage_open(const struct outage_watch *o)
{
	return atomic_load_explicit(&o->open, memory_order_relaxed);
}

/* What one requested connection remembers; zeroed at start. */
struct outage_seat {
	bool down;        /* it has ended by an error, or for a reason of this side, and has not
			     echoed since; an echo looks here */
	int64_t error_ns; /* its last error that counted */
	int64_t down_ns;  /* its last error that counted for the whole load */
	uint32_t healthy; /* the outage in which it has echoed again */
};

/* A requested connection's attempt or connection ended in an error of the peer or the path. */
void outage_error(struct outage_watch *o, struct outage_seat *seat, int64_t now_ns,
		  uint64_t messages_lost);

/* It ended for a reason of this side, not because it had finished: it is not healthy any more. */
void outage_closed(struct outage_watch *o, struct outage_seat *seat, int64_t now_ns);

/* It has echoed a message that was sent at @sent_ns while an outage is open, or it was down; call
 * it only then.
 * Where connections died, an echo that was under way when it opened does not show that service is
 * back. */
void outage_echo(struct outage_watch *o, struct outage_seat *seat, int64_t sent_ns, int64_t now_ns);

/* Looks for the silent kind: echoes owed and none for the stall time. Every worker calls it when
 * its own wait has lasted that long: @by has delivered all that had arrived at @now_ns. The last of
 * the workers decides, since what an earlier one waits for may lie unread with a later one. Returns
 * when to look again. */
int64_t outage_check_stall(struct outage_watch *o, struct outage_worker *by, int64_t now_ns);

/* @by looks no more, and is not waited for. */
void outage_retire(struct outage_watch *o, struct outage_worker *by);

/* This program did not run up to @now_ns (it was stopped, or had no CPU): silence counts from then
 * on. */
void outage_resume(struct outage_watch *o, int64_t now_ns);

/* A copy of the @nth outage in the list, from 0. False: there is none yet. */
bool outage_nth(struct outage_watch *o, unsigned nth, struct outage *copy);

/* All outages so far. */
struct outage_summary {
	uint64_t count;
	int64_t ns; /* how long they have lasted, the open one up to now, those that found no room
		       in the list left out */
	bool open;  /* the last has not recovered, even if the run is over */
};
void outage_summarize(struct outage_watch *o, int64_t now_ns, struct outage_summary *s);

/* Its times become those since @start_ns. */
void outage_shift(struct outage *o, int64_t start_ns);

/* The run is over: closes the books of an outage that never ended. */
void outage_finish(struct outage_watch *o);

#endif
