/* SPDX-License-Identifier: MIT
 * load: the client's role. A seat is one requested connection: it is dialed, holds a connection,
 * and after its end is dialed again if the policy says so.
 */
#ifndef ECHOLOAD_LOAD_H
#define ECHOLOAD_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "echo/base/addr.h"
#include "echo/base/list.h"
#include "echo/base/timer.h"
#include "echoload/result/books.h"
#include "echoload/watch/outage.h"
#include "gate.h"
#include "interval.h"
#include "pace.h"
#include "payload.h"

enum { TARGET_DIGITS = 2 }; /* of the latency of one target among many */

enum { LOAD_LATE_NS = 1000 * 1000 };

struct conn;
struct hist;
struct load_config;
struct worker;

struct seat {
	struct load *load;
	struct books *books;  /* of its target; this worker's */
	struct hist *latency; /* the same; NULL: there is only one target */
	unsigned target;      /* it is dialed to this one, every time */
	struct seat *next;    /* of those that wait to be dialed */
	struct timer retry;
	uint32_t failures; /* since its last echo: how far the back-off has grown */
	bool reached;      /* it has had a connection */
	bool idle;         /* is held open beside the load, and checked at the end */
	uint8_t address;   /* of its target: the one that is tried */
	int64_t dialed_ns; /* since when its attempt finds a full queue; 0: it does not */
	struct outage_seat outage;
};

/* All addresses of a target. An attempt tries them in turn until one has worked; from then on that
 * one is the target's. */
struct target {
	struct addr_list addrs;
	_Atomic unsigned chosen; /* the index of that one, plus 1; 0: none has worked yet */
};

/* What all workers share; constant while they run, but for the watch. */
struct load_run {
	const struct load_config *config; /* this process's share */
	const struct load_config *whole;  /* the load that it is a share of; both may be one */
	struct target targets[TARGETS_MAX];
	unsigned target_count;
	struct payload payload;
	struct outage_watch outages;
	struct gate gate;
	uint64_t batch_mask; /* batches that a connection has room for, minus one */
	int64_t start_ns, measure_ns, end_ns; /* monotonic; end_ns INT64_MAX: the messages decide */
};

/* What one worker needs and finds; worker->role_state. */
struct load {
	struct load_run *run;
	struct worker *worker;
	struct outage_worker *watched; /* of the watch: what this worker tells the others */
	struct seat *seats;
	uint32_t seat_count, seats_live;
	struct seat *waiting, **waiting_tail; /* to be dialed */
	uint32_t dialing;
	uint64_t next_number, number_step; /* of connections: every attempt has one of its own */
	uint64_t quota;                    /* messages that may still be sent */
	struct pace pace;                  /* open loop: when the next message is due */
	struct pace_turns turns;           /* connections of the whole load that are its own */
	struct pace_next *pace_heap;       /* room for them, if messages are due at random */
	struct list ready;                 /* open loop: connections that could send now */
	int64_t room_since_ns;             /* when one became so after none was */
	uint64_t missed;                   /* open loop: due, but not sent in their time */
	uint64_t late_sends;               /* more than LOAD_LATE_NS after they could have been */
	int64_t next_dial_ns;              /* --connect-rate */
	uint64_t owed;                     /* messages sent and not answered */
	uint64_t rng;
	struct gate_seen gate;
	bool stopping;    /* nothing more is sent */
	bool interrupted; /* what is open now is counted as open */
	struct timer end, stall, dial, interval;
	struct books *books;      /* one set for each target */
	struct hist **latency;    /* of each of several targets; NULL: no seat has it */
	struct tally *tally;      /* latency of this interval */
	struct handoff handoff;   /* what main has collected, and has not */
	struct hist *uncorrected; /* open loop: from the time of sending */
	struct hist *lateness;    /* open loop: of sends, by this generator's own fault */
	struct hist *connect;     /* how long connects took */
	int64_t last_event_ns;
	/* for the line of progress; others read them while the worker runs */
	_Atomic uint64_t progress_echoed, progress_errors;
};

/* Bytes of a connection's private state with this configuration: the role's conn_size. */
size_t load_conn_size(const struct load_config *c);
/* Batches in it: a power of two. */
uint64_t load_batches(const struct load_config *c);

/* The role; its conn_size is for the caller to set in a copy. */
extern const struct role load_role;

/* Reserves @seats and the histograms of one worker, whose next_number and number_step are set: they
 * number its seats too, so that all workers have some of each kind. Returns 0 or -ENOMEM. */
int load_init(struct load *l, struct load_run *run, uint32_t seats);
void load_fini(struct load *l);

#endif
