/* SPDX-License-Identifier: MIT
 * worker: one thread, one loop, one backend's state, and everything they need, reserved at start.
 * Workers share nothing but the count of connections and a descriptor in reserve; the calls from
 * outside are worker_stop, calls (worker_post), and reading its stats.
 */
#ifndef ECHO_WORKER_H
#define ECHO_WORKER_H

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acceptor.h"
#include "balance.h"
#include "busy_poll.h"
#include "conn.h"
#include "echo/base/clock.h"
#include "echo/base/stats.h"
#include "echo/base/timer.h"
#include "echo/base/unsent.h"
#include "limit.h"
#include "role.h"
#include "shed.h"
#include "sock.h"

struct backend_ops;
struct worker_call;

enum { WORKER_LISTENERS_MAX = 256 }; /* its own, and those of workers of processes before */

#define WORKER_ENDED (UINT64_C(1) << 32) /* in worker.done_fd */

/* Who else accepts from the same file. It stays non-blocking then. */
enum listener_share {
	LISTENER_OWN,    /* nobody */
	LISTENER_SHARED, /* other workers */
	LISTENER_KEPT,   /* other workers, and another process keeps it: what waits there when this
			  * one ends waits for the next, and is not drained */
};

struct net_config {
	const struct backend_ops *backend;
	const void *backend_config; /* what backend->opts filled; NULL if it has none */
	struct sock_options sock;
	unsigned workers;   /* how many there are: worker_group_prepare sets it */
	uint32_t max_conns; /* of all workers together */
	uint32_t slots;     /* of one worker, connections that are still closing included */
	uint32_t slots_max; /* so many it may have later (worker_change.h); 0: no more */
	uint32_t max_conns_per_address; /* of all workers; 0: any number; LIMIT_ANY */
	uint32_t accept_rate;           /* a second, of all workers; 0: any number */
	uint64_t max_unsent;            /* bytes of one connection */
	uint64_t max_unsent_total;      /* bytes of one worker */
	int64_t busy_poll_ns;           /* look for events this long before sleeping, or
					 * BUSY_POLL_AUTO */
	enum balance_mode balance;      /* who serves what a worker has accepted */
	bool own_descriptors;     /* a worker's thread has a table of its own: nothing to count */
	int64_t drain_ns;         /* WORKER_DRAIN: then close what is left */
	enum worker_stop on_term; /* what SIGTERM asks for; WORKER_RUN: it is not handled */
	/* What each worker does in its thread when its backend has begun, before it serves; NULL:
	 * nothing. */
	void (*settle)(void);
};

struct worker {
	/* set by the caller of worker_prepare */
	const struct net_config
		*config; /* while it runs its thread alone changes it, and role_state
			  */
	const struct role *role;
	void *role_state;        /* of this worker, the caller's */
	_Atomic uint32_t *conns; /* open connections of all workers */
	struct limit *limit;     /* of all workers; NULL where the configuration limits nobody */
	int listeners[WORKER_LISTENERS_MAX];
	bool resting[WORKER_LISTENERS_MAX];  /* nothing is accepted from it: worker_rest */
	uint8_t share[WORKER_LISTENERS_MAX]; /* enum listener_share */
	bool serves_unix;                    /* some of them are unix sockets */
	bool wary; /* its listeners may be waited on by a process that has died, or accepted from by
		    * another: listens accordingly
		    */
	unsigned listener_count;
	/* with own_descriptors: the listeners of all workers, that it may let go of the others' */
	const int *all_listeners;
	unsigned all_listener_count;
	struct worker *peers; /* all workers, this one too; NULL: there is no other */
	unsigned peer_count;
	struct acceptor_reserve *reserve; /* of all that share its descriptors; NULL: its own */
	int cpu;                          /* to be pinned to, or -1 */
	int done_fd; /* eventfd to which WORKER_ENDED is added when the loop has ended, and 1 by
		      * worker_tell; or -1 */
	unsigned index;

	/* its own */
	/* eventfd that every backend waits on: worker_wake writes it; -1: worker_init makes one */
	int wake_fd;
	int64_t now_ns;  /* when the last wait returned; refreshed every few deliveries */
	int64_t pace_ns; /* the role wants to be called at this very time, not a tick later; 0: none
			  */
	int64_t woke_ns; /* as now_ns was when the last wait returned: worker_woke */
	uint32_t found;  /* by backends: events that this turn delivered, or left for the next */
	uint32_t turn;   /* counts turns, for STATS_TIMED_EVERY */
	uint32_t late_turns; /* timers are late: they wait for a turn that finds nothing, at most so
				many; backends look for all that has come */
	uint32_t held;       /* turns for which they have waited */
	uint32_t blind_turns;      /* that could not look, since timers last ran */
	int64_t late_ns;           /* who was due then is judged when that is over */
	void *state;               /* the backend's */
	uint32_t live;             /* slots taken */
	int error;                 /* -errno that ended the loop */
	enum worker_stop stopping; /* what the loop has acted on */
	bool cuts_off;             /* the time of the drain is over */
	bool blind; /* by backends: the turn could not look, so that it judges no deadline */
	struct conn *closing, **closing_tail;
	struct conn_table table;
	struct unsent_pool pool;
	struct shed shed;
	struct balance balance;
	struct busy_poll busy_poll;
	struct timers timers;
	struct timer drain_timer;
	struct timer role_timer; /* the role's, for all its connections */
	struct acceptor_reserve own_reserve;
	struct stats stats;

	/* shared */
	_Atomic int stop; /* enum worker_stop */
	_Atomic(struct worker_call *) call;
	/* a sign of life: a number that is asked for, and the last one that was answered */
	_Atomic uint32_t life_asked, life_answered;
	_Atomic bool done; /* the loop has ended */
	_Atomic bool told; /* worker_tell has, and nobody has looked since */
	/* of the thread, set when it has ended */
	_Atomic int64_t cpu_ns, wait_ns; /* on a CPU; ready, but without one, -1: not known */
	pthread_t thread;
	pid_t tid;   /* as the kernel calls the thread; set when it is prepared */
	sem_t begun; /* by its thread, when begun_error is set: it is prepared, or it has gone */
	int begun_error;
	sem_t go;
	bool abandoned; /* set before `go`: it is to end instead */
};

/* The role's own bytes of a connection (role->conn_size, zeroed when the slot is taken). */
static inline void *conn_role(const struct conn *c)
{
	return (char *)(uintptr_t)c + c->worker->table.role_at;
}

/* ---- for backends: what every turn and every message passes ---- */

/* The wait of this turn is over. */
static inline void worker_woke(struct worker *w)
{
	w->now_ns = w->woke_ns = clock_now_ns();
}

/* The connection that a token names. NULL: it is gone, or is CLOSING with nothing in flight. */
static inline struct conn *conn_find(const struct worker *w, uint64_t token)
{
	const struct conn_table *t = &w->table;
	uint32_t slot = (uint32_t)token,
		 gen = (uint32_t)(token >> 32) & ((1u << CONN_GEN_BITS) - 1);
	struct conn *c;

	if (slot >= t->capacity - t->fresh)
		return NULL;
	c = conn_slot(t, slot);
	if (c->gen != gen || c->state == CONN_FREE)
		return NULL;
	return c->state == CONN_CLOSING && c->inflight == 0 ? NULL : c;
}

/* A hint that conn_find will be asked for this token soon; any token will do. Of a thousand
 * connections each is cold when its turn comes. */
static inline void conn_prefetch(const struct worker *w, uint64_t token)
{
	const struct conn *c = conn_slot(&w->table, (uint32_t)token);

	__builtin_prefetch(c, 1);
	__builtin_prefetch(conn_backend(c), 1);
}

/* Bytes came on a connection that is OPEN; after a shutdown of ours they are dropped. Unless the
 * answer is CONN_NOTHING it is OPEN still. */
static inline enum conn_action conn_data(struct conn *c, const void *span, size_t len)
{
	struct worker *w = c->worker;

	assert(c->state == CONN_OPEN && len > 0);
	c->received += len;
	stats_add(&w->stats.bytes_in, len);
	return c->fin ? CONN_NOTHING : w->role->data(c, span, len);
}

/* It has been woken, and makes turns. */
static inline void worker_show_life(struct worker *w)
{
	atomic_store_explicit(&w->life_answered,
			      atomic_load_explicit(&w->life_asked, memory_order_relaxed),
			      memory_order_relaxed);
}

void worker_tell_first(struct worker *w);

/* A limit was met, as its counter says: wakes whoever waits for the workers, unless that is to look
 * anyway (worker_group_heard). Either both exchanges meet, and who looks sees the counter, or it is
 * woken. */
static inline void worker_tell(struct worker *w)
{
	if (!atomic_exchange(&w->told, true))
		worker_tell_first(w);
}

/* Reading waits for room in the pool of unsent bytes. */
static inline void worker_starved(struct worker *w)
{
	stats_add(&w->stats.starved, 1);
	worker_tell(w);
}

/* ---- a worker's life ---- */

/* Gives it a listener, before it is prepared or between that and worker_go. Returns 0 or -ENOSPC.
 */
int worker_give_listener(struct worker *w, int fd, enum listener_share share);

/* Of a listener of this worker. The second: at least so. */
enum listener_share worker_listener_share(const struct worker *w, int fd);
void worker_share_listener(struct worker *w, int fd, enum listener_share share);

/* Reserves its memory and starts its thread, which starts the backend and waits. Returns 0, or
 * -errno with nothing left of it; its listeners stay the caller's. */
int worker_prepare(struct worker *w);

/* Lets one that is prepared accept (or dial). Returns 0, or -errno as worker_prepare. What the
 * thread meets later, worker_join returns. */
int worker_go(struct worker *w);

/* The end of one that is prepared and shall not go; its listeners stay the caller's. */
void worker_abandon(struct worker *w);

/* Asks it to end; from any thread. */
void worker_stop(struct worker *w, enum worker_stop how);

/* A function that another thread has run in the worker's, between two turns. */
struct worker_call {
	/* -EAGAIN: again after the next turn, which it sees to itself, by a timer or by what it
	 * waits for. Else the result. */
	int (*run)(struct worker *w, struct worker_call *call);
	int result;
	sem_t done;
};

/* Has @call run; from one thread only, one call of a worker at a time. worker_await must follow. */
void worker_post(struct worker *w, struct worker_call *call);

/* Waits for the end of a call that was posted. Returns its result, or -ECANCELED: the worker's loop
 * had ended, or ended before it was done. */
int worker_await(struct worker_call *call);

/* In its own thread (worker_post). Accepts nothing more from its listener number @i, whose queue it
 * leaves alone, and does not drain it when it stops. */
void worker_rest(struct worker *w, unsigned i);
/* Accepts again from all that rest. Returns 0, or the first -errno; the others accept. */
int worker_wake_listeners(struct worker *w);

/* The same, of a worker that runs. One more listener, which is accepted from at once. Returns 0:
 * @fd is the worker's; or -errno: it stays the caller's. */
int worker_add_listener(struct worker *w, int fd, enum listener_share share);
/* Accepts what waits on listener number @i, and closes it; the last one gets its number. */
void worker_drop_listener(struct worker *w, unsigned i);

/* Makes its turn end soon, so that role->turned is called; from any thread. */
void worker_wake(struct worker *w);

/* Waits for its end. Returns 0 or the -errno that ended the loop. */
int worker_join(struct worker *w);

/* The two halves of start and join that need no thread, for those who turn a backend by hand
 * (tests, benchmarks): reserves the worker's memory, gives it back. 0 or -errno with nothing left.
 */
int worker_init(struct worker *w);
void worker_fini(struct worker *w);

/* Lets its backend wait and deliver once, then runs the timers that are due. w->error is -errno
 * where the backend has failed. */
void worker_turn(struct worker *w);

/* Whether its loop has ended already (worker_join would not wait). */
bool worker_done(const struct worker *w);

#endif
