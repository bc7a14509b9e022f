/* SPDX-License-Identifier: MIT
 * bare_client: what both bare clients owe for each message, whatever moves the bytes: count it,
 * compare it, time it, and say how much may be sent next. Echoload has the same duties, so a bare
 * client with --verify --latency is what it is compared with.
 */
#ifndef BENCH_BARE_CLIENT_H
#define BENCH_BARE_CLIENT_H

#include "bare_gate.h"
#include <sys/timerfd.h>

struct bare_peer {
	int fd;
	uint32_t rx_at, tx_at; /* table positions of the next byte in and out */
	uint32_t part;         /* bytes received of a message that is not yet whole */
	uint32_t head;         /* the oldest message in flight, an index into stamps */
	bool sending;          /* io_uring: a send is in flight */
	uint64_t unsent;       /* bytes that may be sent now */
	int64_t *stamps;       /* when each message in flight was handed over, or NULL */
};

struct bare_client {
	const struct bare_options *o;
	const unsigned char *table;
	struct bare_peer *peers;
	uint64_t owed; /* echoes that have not come back */
	int64_t begin_ns, begin_cpu_ns, begin_server_ns;
	int timer; /* readable when what bare_client_tick knows is over */
	bool measuring, stopping;
	struct bare_result result;
	/* sends what a peer may send, when it may after a pause; the loop's */
	void (*kick)(struct bare_client *cl, struct bare_peer *p);
};

/* Connects all peers, one after the other, and lets each send its first messages. @kick is only
 * called when a gate opens. */
static inline void bare_client_open(struct bare_client *cl, const struct bare_options *o,
				    void (*kick)(struct bare_client *cl, struct bare_peer *p))
{
	bare_raise_files();
	cl->o = o;
	cl->kick = kick;
	cl->table = bare_table();
	cl->peers = calloc(o->conns, sizeof(*cl->peers));
	if (!cl->peers)
		bare_die(BARE_EXIT_ENVIRONMENT, "peers");
	for (unsigned k = 0; k < o->conns; k++) {
		struct bare_peer *p = &cl->peers[k];

		p->fd = bare_dial(o);
		p->rx_at = p->tx_at = bare_start(k);
		p->unsent = (uint64_t)o->size * o->depth;
		p->stamps = o->latency ? calloc(o->depth, sizeof(*p->stamps)) : NULL;
		if (o->latency && !p->stamps)
			bare_die(BARE_EXIT_ENVIRONMENT, "stamps");
	}
	cl->owed = (uint64_t)o->conns * o->depth;
}

static inline void bare_client_arm(const struct bare_client *cl, double seconds)
{
	struct itimerspec at = { .it_interval = { .tv_sec = BARE_GRACE } };

	at.it_value.tv_sec = (time_t)seconds;
	at.it_value.tv_nsec = (long)((seconds - (double)at.it_value.tv_sec) * 1e9);
	if (timerfd_settime(cl->timer, 0, &at, NULL) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "timerfd");
}

/* What came so far is forgotten: now it counts. */
static inline void bare_client_begin(struct bare_client *cl)
{
	cl->result = (struct bare_result){ 0 };
	cl->measuring = true;
	bare_client_arm(cl, cl->o->seconds);
	cl->begin_ns = bare_now_ns();
	cl->begin_cpu_ns = bare_cpu_ns();
	if (cl->o->observe)
		cl->begin_server_ns = bare_process_cpu_ns(cl->o->observe);
}

/* Says what the last slice brought, and begins the next. Returns false when there is none. */
static inline bool bare_gate_next(struct bare_client *cl)
{
	const struct bare_options *o = cl->o;
	int64_t ns;

	bare_gate_answer(o->gate, cl->result.messages,
			 cl->begin_ns ? bare_now_ns() - cl->begin_ns : 0);
	if (!bare_gate_wait(o->gate, &ns))
		return false;
	cl->begin_ns = bare_now_ns();
	cl->result.messages = 0;
	cl->stopping = false;
	cl->owed = (uint64_t)o->conns * o->depth;
	bare_client_arm(cl, (double)ns / 1e9);
	for (unsigned k = 0; k < o->conns; k++) {
		struct bare_peer *p = &cl->peers[k];

		p->unsent = (uint64_t)o->size * o->depth;
		for (unsigned i = 0; p->stamps && i < o->depth; i++)
			p->stamps[i] = cl->begin_ns;
		cl->kick(cl, p);
	}
	return true;
}

/* Nothing is sent until the gate opens. */
static inline void bare_gate_start(struct bare_client *cl)
{
	cl->measuring = cl->stopping = true;
	cl->owed = 0;
	for (unsigned k = 0; k < cl->o->conns; k++)
		cl->peers[k].unsent = 0;
}

/* Whether the loop has more to do. */
static inline bool bare_client_goes_on(struct bare_client *cl)
{
	if (!cl->stopping || cl->owed > 0)
		return true;
	return cl->o->gate && bare_gate_next(cl);
}

/* Starts the clocks. A timer, so that nobody asks for the time in order to know when to stop. */
static inline void bare_client_start(struct bare_client *cl)
{
	int64_t now_ns = bare_now_ns();

	cl->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (cl->timer < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "timerfd");
	for (unsigned k = 0; cl->o->latency && k < cl->o->conns; k++)
		for (unsigned i = 0; i < cl->o->depth; i++)
			cl->peers[k].stamps[i] = now_ns;
	if (cl->o->gate)
		bare_gate_start(cl);
	else if (cl->o->warmup > 0)
		bare_client_arm(cl, cl->o->warmup);
	else
		bare_client_begin(cl);
}

/* The timer ticked: the warm-up is over, then the time for sending, then for what is owed. */
static inline void bare_client_tick(struct bare_client *cl)
{
	uint64_t ticks;

	if (read(cl->timer, &ticks, sizeof(ticks)) < 0)
		return;
	if (cl->stopping && cl->owed > 0) {
		fprintf(stderr, "%llu echoes never came\n", (unsigned long long)cl->owed);
		exit(BARE_EXIT_FAILED);
	}
	if (cl->measuring)
		cl->stopping = true;
	else
		bare_client_begin(cl);
}

static inline void bare_client_message(struct bare_client *cl, struct bare_peer *p, int64_t now)
{
	cl->result.messages++;
	if (p->stamps) {
		cl->result.hist[bare_bucket((uint64_t)(now - p->stamps[p->head]))]++;
		p->stamps[p->head] = now;
		p->head = p->head + 1 < cl->o->depth ? p->head + 1 : 0;
	}
	if (cl->stopping)
		cl->owed--;
	else
		p->unsent += cl->o->size;
}

/* Takes at most BARE_CHUNK bytes that came back; p->unsent then says what may be sent. */
static inline void bare_client_data(struct bare_client *cl, struct bare_peer *p,
				    const unsigned char *data, uint32_t len)
{
	int64_t now = p->stamps ? bare_now_ns() : 0;

	if (cl->o->verify && memcmp(data, cl->table + p->rx_at, len) != 0) {
		fprintf(stderr, "connection %td: a byte came back wrong\n", p - cl->peers);
		exit(BARE_EXIT_FAILED);
	}
	p->rx_at = bare_advance(p->rx_at, len);
	for (p->part += len; p->part >= cl->o->size; p->part -= cl->o->size)
		bare_client_message(cl, p, now);
}

/* The next span to send, at most a chunk long. */
static inline const unsigned char *bare_client_span(const struct bare_client *cl,
						    const struct bare_peer *p, uint32_t *len)
{
	*len = p->unsent < BARE_CHUNK ? (uint32_t)p->unsent : BARE_CHUNK;
	return cl->table + p->tx_at;
}

static inline void bare_client_sent(struct bare_peer *p, uint32_t len)
{
	p->unsent -= len;
	p->tx_at = bare_advance(p->tx_at, len);
}

/* Prints the result, unless it went through the gate; the process exits next, which closes
 * everything. */
static inline void bare_client_report(struct bare_client *cl)
{
	if (cl->o->gate)
		return;
	cl->result.duration_ns = bare_now_ns() - cl->begin_ns;
	cl->result.cpu_ns = bare_cpu_ns() - cl->begin_cpu_ns;
	if (cl->o->observe)
		cl->result.server_cpu_ns =
			bare_process_cpu_ns(cl->o->observe) - cl->begin_server_ns;
	bare_print(cl->o, &cl->result);
}

#endif
