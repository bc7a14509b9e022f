/* SPDX-License-Identifier: MIT
 * load_conn: what the parts of the client's role share: load.c sends and checks, seat.c dials,
 * ending.c books how connections end.
 */
#ifndef ECHOLOAD_LOAD_CONN_H
#define ECHOLOAD_LOAD_CONN_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "echo/base/rng.h"
#include "echo/net/conn.h"
#include "echo/net/worker.h"
#include "echoload/options/opts.h"
#include "load.h"

/* Messages that were begun together. */
struct batch {
	int64_t due_ns;  /* when they should have been handed over */
	int64_t sent_ns; /* when they were; the same in a closed loop */
	uint64_t begun;  /* messages of the connection so far, with these */
	uint64_t end;    /* where the last of these ends */
};

/* What the role keeps of a connection. Offsets count bytes of its stream. */
struct load_conn {
	/* what every message needs */
	struct seat *seat;
	uint64_t begun, answered;         /* messages */
	uint64_t begun_end;               /* where the last begun message ends */
	uint64_t answered_end;            /* where the oldest unanswered message begins */
	uint64_t handed;                  /* to the backend */
	uint32_t base;                    /* of its stream in the payload */
	uint32_t batch_first, batch_next; /* of unanswered messages */
	bool corrupt;                     /* the oldest unanswered message came back wrong */

	uint64_t surplus; /* bytes that nobody was owed */
	uint64_t number;  /* of all attempts of the run */
	struct conn *conn;
	struct list ready; /* in load.ready */
	int64_t dialed_ns;
	uint64_t checked_message; /* stall.c: the oldest unanswered message then, from 1; 0: none */
	uint64_t checked_acked;   /* up to where its bytes were acknowledged then */
	struct batch batches[];   /* by number: batch_mask of the run is how many, minus one */
};

static inline struct load *load_of(const struct conn *c)
{
	return c->worker->role_state;
}

/* The size of message @n of a connection: constant, or a hash of where it is. */
static inline uint64_t load_size(const struct load_conn *lc, uint64_t n)
{
	const struct load_config *config = lc->seat->load->run->config;
	const struct sizes *s = &config->size;

	if (s->min == s->max)
		return s->min;
	return size_draw(s, rng_mix(config->seed ^ (lc->number << 32) ^ n));
}

static inline uint64_t load_owed(const struct load_conn *lc)
{
	return lc->begun - lc->answered;
}

/* What the oldest unanswered message, which there is, was begun with. */
static inline const struct batch *load_oldest(const struct load_conn *lc)
{
	return &lc->batches[lc->batch_first & lc->seat->load->run->batch_mask];
}

/* The oldest unanswered message, of @size bytes, is so no longer. */
static inline void load_settle(struct load_conn *lc, uint64_t size)
{
	lc->answered_end += size;
	if (++lc->answered == load_oldest(lc)->begun)
		lc->batch_first++;
}

/* @n messages are not owed any more. */
static inline void load_unowe(struct load *l, uint64_t n, int64_t now_ns)
{
	assert(l->owed >= n);
	l->owed -= n;
	atomic_store_explicit(&l->watched->waiting_since_ns, l->owed > 0 ? now_ns : INT64_MAX,
			      memory_order_relaxed);
}

/* Whether a message that was due at @due_ns counts for the measured part. */
static inline bool load_measured(const struct load_conn *lc, int64_t due_ns)
{
	return due_ns >= lc->seat->load->run->measure_ns && !lc->seat->idle;
}

static inline bool load_is_open_loop(const struct load *l)
{
	return l->run->config->rate > 0;
}

/* Whether none is begun now: it is over, or the gate is shut. */
static inline bool load_is_quiet(const struct load *l)
{
	return l->stopping || l->gate.shut;
}

/* Whether none will be begun any more. */
static inline bool load_no_more(const struct load *l)
{
	return l->stopping || l->quota == 0;
}

/* sending.c: begins at most @n messages that were due at @due_ns, at least one: as many as one span
 * takes. */
void sending_begin(struct load_conn *lc, uint64_t n, int64_t due_ns, int64_t now_ns);
/* Hands what was begun to the backend, and more of it as the window allows; a connection with
 * nothing left to do has finished. */
void sending_pump(struct conn *c);
/* The same for the role's `data`, which has read the clock (@now_ns; 0: it has not) and returns the
 * answer. */
enum conn_action sending_pump_data(struct conn *c, int64_t now_ns);

/* arrivals.c: the open loop. This worker's share of the rate begins. */
void arrivals_start(struct load *l);
/* Sends what is due. */
void arrivals_run(struct load *l);
/* Nothing was sent since @since_ns, on purpose: what is due later is so by as much. */
void arrivals_resume(struct load *l, int64_t since_ns);
/* Sending is over: what is due by now and not sent was missed. */
void arrivals_stop(struct load *l);

/* seat.c: dials for the seats that wait, as far as attempts may be under way. */
void seat_dial(struct load *l);
/* It waits to be dialed. */
void seat_wait(struct seat *s);
/* It has a connection: the address that it was dialed to is its target's from now on. */
void seat_reached(struct seat *s);
/* The queue of a unix listener is full: returns true, the seat tries again soon, and the attempt
 * has not ended. Else it may have taken all its time, which is the cause of its end then. */
bool seat_waits_for_queue(struct seat *s, struct conn *c);
/* What could not be connected was one address of its target, and there is another to try: returns
 * true, the seat waits to be dialed, and the attempt has not ended. */
bool seat_tries_on(struct seat *s, const struct conn *c);
/* Its connection, or an attempt at one, has ended: waits to be dialed again, or leaves. */
void seat_again(struct seat *s, const struct conn *c);
/* Nothing more is sent: seats without a connection leave. */
void seat_stop_all(struct load *l);
/* Seat @number of the whole load; those past --connections are idle ones. */
void seat_init(struct seat *s, struct load *l, uint64_t number);

/* stall.c: looks for silence until it is stopped. */
void stall_start(struct load *l);
void stall_stop(struct load *l);

/* ending.c: what it is doing, or was doing when it ended. */
enum phase ending_phase(const struct conn *c);
/* The role's `closed`, but for what its seat does next. */
void ending_book(struct conn *c);

#endif
