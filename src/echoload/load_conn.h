/* SPDX-License-Identifier: MIT
 * load_conn: what the parts of the client's role share: load.c sends and checks, seat.c dials,
 * ending.c books how connections end.
 */
#ifndef ECHOLOAD_LOAD_CONN_H
#define ECHOLOAD_LOAD_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/conn.h"
#include "echo/rng.h"
#include "echo/worker.h"
#include "load.h"
#include "opts.h"

/* What the role keeps of a connection. Offsets count bytes of its stream. */
struct load_conn {
	struct seat *seat;
	uint64_t number;          /* of all attempts of the run */
	uint64_t begun, answered; /* messages */
	uint64_t begun_end;       /* where the last begun message ends */
	uint64_t answered_end;    /* where the oldest unanswered message begins */
	uint64_t fed;             /* handed to the backend */
	uint64_t surplus;         /* bytes that nobody was owed */
	uint32_t base;            /* of its stream in the payload */
	bool corrupt;             /* the oldest unanswered message came back wrong */
	int64_t sent_ns[];        /* when each unanswered message was handed over, by number */
};

static inline struct load *load_of(const struct conn *c)
{
	return c->worker->role_state;
}

/* The size of message @n of a connection: constant, or a hash of where it is. */
static inline uint64_t load_size(const struct load_conn *lc, uint64_t n)
{
	const struct load_config *config = lc->seat->load->run->config;
	const struct size_range *s = &config->size;

	if (s->min == s->max)
		return s->min;
	return s->min + rng_mix(config->seed ^ (lc->number << 32) ^ n) % (s->max - s->min + 1);
}

static inline int64_t *load_stamp(struct load_conn *lc, uint64_t n)
{
	return &lc->sent_ns[n % lc->seat->load->run->config->pipeline];
}

static inline uint64_t load_owed(const struct load_conn *lc)
{
	return lc->begun - lc->answered;
}

/* Whether a message that was handed over at @sent_ns counts for the measured part. */
static inline bool load_measured(const struct load *l, int64_t sent_ns)
{
	return sent_ns >= l->run->measure_ns;
}

/* Whether messages are still begun. */
static inline bool load_no_more(const struct load *l)
{
	return l->stopping || l->quota == 0;
}

/* seat.c: dials for the seats that wait, as far as attempts may be under way. */
void seat_dial(struct load *l);
/* It waits to be dialed. */
void seat_wait(struct seat *s);
/* Its connection, or an attempt at one, has ended: dials again, or leaves. */
void seat_again(struct seat *s, bool was_open);
/* It will hold no connection any more. When none will, the run is over. */
void seat_leave(struct seat *s);
/* Nothing more is sent: seats without a connection leave. */
void seat_stop_all(struct load *l);
void seat_init(struct seat *s, struct load *l, unsigned target);

/* ending.c: what it is doing, or was doing when it ended. */
enum phase load_phase(const struct conn *c);
/* The role's `closed`, but for what its seat does next. */
void load_book(struct conn *c);
/* @n messages are not owed any more. */
void load_unowe(struct load *l, uint64_t n, int64_t now_ns);

#endif
