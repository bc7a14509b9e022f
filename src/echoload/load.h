/* SPDX-License-Identifier: MIT
 * load: the client's role. A seat is one requested connection: it is dialed, holds a connection,
 * and after its end is dialed again if the policy says so.
 */
#ifndef ECHOLOAD_LOAD_H
#define ECHOLOAD_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "books.h"
#include "echo/addr.h"
#include "echo/timer.h"
#include "outage.h"
#include "payload.h"

struct conn;
struct hist;
struct load_config;
struct worker;

struct seat {
	struct load *load;
	struct books *books; /* of its target; this worker's */
	unsigned target;     /* it is dialed to this one, every time */
	struct seat *next;   /* of those that wait to be dialed */
	struct timer retry;
	uint32_t failures; /* since its last echo: how far the back-off has grown */
	bool live;         /* has a connection, or will have one */
	struct outage_seat outage;
};

/* What all workers share; constant while they run, but for the watch. */
struct load_run {
	const struct load_config *config;
	struct addr targets[TARGETS_MAX];
	unsigned target_count;
	struct payload payload;
	struct outage_watch outages;
	int64_t start_ns, measure_ns, end_ns; /* monotonic; end_ns INT64_MAX: the messages decide */
};

/* What one worker needs and finds; worker->role_state. */
struct load {
	struct load_run *run;
	struct worker *worker;
	struct outage_source *source; /* of the watch: what this worker tells the others */
	struct seat *seats;
	uint32_t seat_count, seats_live;
	struct seat *waiting, **waiting_tail; /* to be dialed */
	uint32_t dialing;
	uint64_t next_number, number_step; /* of connections: every attempt has one of its own */
	uint64_t quota;                    /* messages that may still be sent */
	uint64_t owed;                     /* messages sent and not answered */
	uint64_t rng;
	bool stopping;    /* nothing more is sent */
	bool interrupted; /* what is open now is counted as open */
	struct timer end, stall, dial;
	struct books books[TARGETS_MAX]; /* one set for each target */
	struct hist *inside, *outside;   /* latency while an outage was open, and otherwise */
	int64_t last_event_ns;
	/* for the live line; others read them while the worker runs */
	_Atomic uint64_t live_echoed, live_errors;
};

/* Bytes of a connection's private state with this configuration: the role's conn_size. */
size_t load_conn_size(const struct load_config *c);

/* The role; its conn_size is for the caller to set in a copy. */
extern const struct role load_role;

/* Reserves @seats and the histograms of one worker; its seats are the @first ones of the run, and
 * the targets take turns. Returns 0 or -ENOMEM. */
int load_init(struct load *l, struct load_run *run, uint32_t first, uint32_t seats);
void load_fini(struct load *l);

#endif
