/* SPDX-License-Identifier: MIT
 * conn: one connection: a slot of its worker's table, its state, and the one way that it ends.
 *
 *          accepted                 conn_shutdown            FIN sent, peer's FIN seen
 *   FREE -------------> OPEN ------------------> OPEN, fin ----------------> CLOSING --> FREE
 *    |                  ^ |                                                    ^    inflight == 0
 *    +----> DIALING ----+ +------ error, deadline, conn_close, conn_abort -----+
 *
 * From OPEN to MOVING and back, or to the end without an end of the socket, go those that change
 * processes (move.h).
 *
 * The first half of this file is for roles, the second for backends. No callback nests in another:
 * conn_close only queues the connection; the worker ends it when the turn is over.
 */
#ifndef ECHO_CONN_H
#define ECHO_CONN_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "echo/base/cause.h"
#include "echo/base/timer.h"
#include "echo/base/unsent.h"

struct addr;
struct worker;

enum conn_state { CONN_FREE, CONN_DIALING, CONN_OPEN, CONN_CLOSING, CONN_MOVING };

struct conn {
	/* what every message needs: one cache line, where the slot begins */
	struct worker *worker;
	uint64_t received, sent; /* stream bytes read from, and accepted by, the socket */
	size_t span_len;         /* of `span`: not accepted by the socket yet */
	size_t lent_len;         /* lent bytes on their way out of the backend's own buffers */
	int fd;
	uint32_t slot;
	uint32_t gen;          /* of the slot: a token of an earlier connection finds nothing */
	uint8_t inflight;      /* kernel operations that still name this connection */
	uint8_t state;         /* enum conn_state */
	uint8_t backend_flags; /* the backend's own bits that every message needs */
	bool opened : 1;       /* set at the end: it had been open */
	bool dialed : 1;       /* we began it */
	bool fin : 1; /* FIN after the last byte; what is received from now on is dropped */
	bool fin_sent : 1;
	bool eof : 1;   /* the peer's FIN was read */
	bool abort : 1; /* close with RST */
	bool owing : 1; /* the backend holds, or has dropped, bytes that are owed beside unsent ones
			 */
	bool more : 1;  /* bytes or an end that the backend knows of follow what it delivers */
	struct unsent out; /* lent bytes that the socket refused, oldest first */

	const char *span;    /* constant bytes of the role that are being sent */
	int64_t deadline_ns; /* 0: none */
	struct timer timer;  /* for deadline_ns; armed lazily */
	struct conn *next;   /* free list, closing list */
	int err;             /* errno that came with the cause, or 0 */
	int send_err;      /* of the send that failed, while what was received is still delivered */
	uint8_t cause;     /* enum cause: the first cause wins */
	uint8_t fin_cause; /* enum cause: the cause once both FINs have crossed */
	bool replaced;     /* another has its place in the count of connections */
	bool is_unix;      /* its socket; set by who takes the slot */
	uint32_t limit;    /* its entry among the addresses (limit.h) */
	/* of a unix socket, whose kernel keeps no times: when it was last received from */
	int64_t came_ns;
};

enum { CONN_LINE = 64 }; /* slots begin on a cache line */
static_assert(offsetof(struct conn, out) + sizeof(size_t) <= CONN_LINE, "one line for a message");

/* ---- for roles ---- */

/* What a role is and answers stands in role.h; conn_role, its own bytes of a connection, in
 * worker.h. */

/* Takes a slot and begins to connect. The role hears `opened` and later `closed`, or `closed`
 * alone, and neither before this returns. NULL: no slot is free. */
struct conn *conn_dial(struct worker *w, const struct addr *to, const struct addr *from);

/* Sends constant bytes that stay valid and unchanged until the connection is closed. One span at
 * a time: conn_span_sent says whether the last has gone; if it has not, `drained` comes when it
 * has. */
void conn_send(struct conn *c, const void *span, size_t len);
static inline bool conn_span_sent(const struct conn *c)
{
	return c->span_len == 0;
}

/* The same for a connection that is OPEN and whose `data` is running and will return CONN_SEND:
 * sent then, which is cheaper than from within. `drained` comes only if the socket takes less than
 * all. */
static inline void conn_send_after(struct conn *c, const void *span, size_t len)
{
	assert(len > 0 && c->out.len + c->span_len + c->lent_len == 0);
	c->span = span;
	c->span_len = len;
}

/* FIN after the last byte. When the peer's FIN is there too the connection ends with @cause.
 */
void conn_shutdown(struct conn *c, enum cause cause);

/* Ends the connection at the end of this turn; `closed` follows. The first cause wins. The peer
 * gets a FIN, or an RST if bytes are dropped that it was owed: it must not take a part for all. */
void conn_close(struct conn *c, enum cause cause);
/* The same, with an RST, and without sending what is unsent. */
void conn_abort(struct conn *c, enum cause cause);

/* conn_deadline's own: its timer is to fire at c->deadline_ns, which is sooner than it would. */
void conn_arm(struct conn *c);

/* Calls role->expired at @at_ns, unless it is moved before; 0: never. Cheap to move forward. */
static inline void conn_deadline(struct conn *c, int64_t at_ns)
{
	c->deadline_ns = at_ns;
	if (at_ns != 0 && (!timer_is_set(&c->timer) || at_ns < c->timer.at_ns))
		conn_arm(c);
}

/* Stream bytes that we were given to send and the socket has not accepted. */
static inline size_t conn_unsent(const struct conn *c)
{
	return c->out.len + c->span_len + c->lent_len;
}

/* ---- for backends ---- */

/* Takes a slot for an accepted @fd, which has its place in w->conns already: shed_accept calls it.
 * NULL: no slot is free. */
struct conn *conn_accept(struct worker *w, int fd);

/* What happened; each calls the role. None may be called for a connection that is CLOSING. For
 * bytes there is conn_data, in worker.h. */
void conn_opened(struct conn *c);
void conn_eof(struct conn *c);
void conn_drained(struct conn *c); /* conn_unsent has become 0 */
void conn_fin_sent(struct conn *c);

/* A call on its socket failed with errno @err (> 0): ends it with the cause that stands for, and
 * with an RST, should the socket live: this is no clean end. */
void conn_fail(struct conn *c, int err);

/* A send failed with @err (> 0). Where nobody wants what has been received, that is conn_fail. Else
 * the connection stays OPEN with c->send_err set: the backend receives until conn_eof or conn_fail,
 * since what the peer did first names the end. */
void conn_send_failed(struct conn *c, int err);

/* The backend's own bytes of this connection (backend->conn_size), and back. */
static inline void *conn_backend(const struct conn *c)
{
	return (void *)(uintptr_t)(c + 1);
}
static inline struct conn *conn_of_backend(const void *bytes)
{
	return (struct conn *)(uintptr_t)bytes - 1;
}

/* Token for the kernel: op << 56 | generation << 32 | slot. The way back is conn_find, in
 * worker.h. */
enum { CONN_GEN_BITS = 24 };
static inline uint64_t conn_token(const struct conn *c, unsigned op)
{
	return (uint64_t)op << 56 | (uint64_t)c->gen << 32 | c->slot;
}
static inline unsigned conn_token_op(uint64_t token)
{
	return (unsigned)(token >> 56);
}

/* Whether its end must be an RST, lest it look like a clean one. */
static inline bool conn_resets(const struct conn *c)
{
	return c->abort || c->owing || conn_unsent(c) > 0;
}

/* Nothing in flight names it any more: tells the role, closes the descriptor, frees the slot. The
 * worker calls it for backends without operations in flight. */
void conn_release(struct conn *c);

/* ---- for the worker ---- */

/* A move to another process (move.h; move.c alone calls these). While it is MOVING no callback of
 * the role runs, and nothing ends it. */
void conn_detach(struct conn *c); /* OPEN: the backend still has to let go */
void conn_attach(struct conn *c); /* MOVING: is served here, again or from now on */
void conn_moved(struct conn *c);  /* MOVING: frees the slot; its socket lives on elsewhere */

/* A slot for @fd that comes from another process and has its place in w->conns already; MOVING.
 * NULL: no slot is free. */
struct conn *conn_adopt(struct worker *w, int fd);

/* Closes all that are DIALING or OPEN, with FIN or, if @abort, with RST. For roles too. */
void conn_close_all(struct worker *w, enum cause cause, bool abort);

struct conn_table {
	char *slab;               /* mmap'ed: slots are touched on use */
	size_t stride, slab_len;  /* slab_len: with what it may grow into */
	size_t role_at;           /* of a slot: where the role's bytes begin */
	uint32_t capacity, fresh; /* fresh: slots never used */
	struct conn *free;
};

static inline struct conn *conn_slot(const struct conn_table *t, uint32_t slot)
{
	return (struct conn *)(void *)(t->slab + slot * t->stride);
}

/* Reserves @capacity slots, and addresses for w->config->slots_max of them. 0 or -ENOMEM. */
int conn_table_init(struct worker *w, uint32_t capacity);
void conn_table_fini(struct worker *w);

/* In the worker's thread: from now on there are @capacity slots, or as many as before, if those are
 * more. Returns 0, or -ENOMEM with all as it was. */
int conn_table_grow(struct worker *w, uint32_t capacity);

/* Ends what conn_close and conn_abort queued. */
void conn_reap(struct worker *w);

/* The backend is gone, and all that was in flight with it: releases those that waited for that. */
void conn_abandon(struct worker *w);

/* Calls @each for every connection that is DIALING or OPEN. */
void conn_each(struct worker *w, void (*each)(struct conn *c, void *arg), void *arg);

#endif
