/* SPDX-License-Identifier: MIT
 * role: what decides about connections: the echo server (src/echod/echo.c) or the load client
 * (src/echoload/engine/load.c). A backend moves bytes and tells the connection what happened, the
 * connection calls its worker's role, and the role answers.
 *
 * Callbacks run in the worker's thread and never nest. What a role asks for (conn.h) happens at the
 * latest when the turn is over.
 */
#ifndef ECHO_ROLE_H
#define ECHO_ROLE_H

#include <stdbool.h>
#include <stddef.h>

struct conn;
struct worker;

/* How a worker is asked to end; a later, larger one overrides an earlier one. */
enum worker_stop {
	WORKER_RUN,
	WORKER_LEAVE, /* accept nothing more, serve those that are there to their end */
	WORKER_DRAIN, /* finish what is owed, close cleanly, at most until the deadline */
	WORKER_CLOSE, /* close all now (FIN) */
	WORKER_RESET, /* close all now (RST) */
	WORKER_QUIT,  /* leave the loop at once */
};

/* What the backend does for a connection whose bytes the role has looked at. */
enum conn_action {
	CONN_NOTHING,
	CONN_ECHO, /* sends them back; what the socket refuses is kept. Of a role that `echoes` */
	CONN_SEND, /* sends c->span, which conn_send_after has set */
};

/* What decides: the echo server or the load client. All callbacks run in the worker's thread. */
struct role {
	size_t conn_size; /* private bytes of each connection */
	bool echoes;      /* sends back what it is given: reading must leave room for that */

	/* The loop is about to run: dial, set timers. */
	void (*start)(struct worker *w);
	/* worker_stop was called (but not with WORKER_LEAVE), or a drain has lasted too long
	 * (WORKER_RESET): close connections accordingly. The loop ends when none is left. */
	void (*stop)(struct worker *w, enum worker_stop how);

	/* w->config and role_state are others now, between two turns; the latter was @before. May
	 * be NULL. */
	void (*configured)(struct worker *w, const void *before);

	/* After every turn and its timers; may be NULL. May set w->pace_ns. */
	void (*turned)(struct worker *w);

	void (*opened)(struct conn *c);
	/* It is served again after a move (move.h), or from now on; may be NULL. */
	void (*resumed)(struct conn *c);
	/* The span is lent until it returns. */
	enum conn_action (*data)(struct conn *c, const void *span, size_t len);
	void (*eof)(struct conn *c);     /* the peer's FIN; no end yet: shut down or close */
	void (*drained)(struct conn *c); /* what was pending has all been accepted by the socket */
	void (*expired)(struct conn *c); /* conn_deadline has passed */
	/* The last callback: c->cause, c->err. The descriptor (if >= 0) can still be asked. */
	void (*closed)(struct conn *c);
};

#endif
