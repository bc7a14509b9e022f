/* SPDX-License-Identifier: MIT
 * fake_backend: a backend that does what a test says. It moves no byte: the test calls conn_opened,
 * conn_data and the others itself, and sees what the connection asked for. Its role records what it
 * was told.
 */
#ifndef ECHO_TESTS_FAKE_BACKEND_H
#define ECHO_TESTS_FAKE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

#include "echo/net/backend.h"
#include "echo/net/conn.h"
#include "echo/net/sock.h"
#include "echo/net/worker.h"

enum { FAKE_SLOTS = 4, FAKE_MAX_CONNS = 3 };

/* How often a connection's backend was asked for something. */
struct fake_conn {
	unsigned dials, sends, shutdowns, closes;
	struct sock_progress progress; /* what the backend says of it */
	bool holds; /* an operation of it stays in flight after close: set c->inflight too */
};

/* What the role heard of a connection: set by the test before, if at all. */
struct fake_role {
	enum conn_action next; /* what `data` returns */
	unsigned opened, data, eof, drained, expired, closed;
	enum cause cause;
	int err;
	void (*on_closed)(struct conn *c);
};

struct fake {
	struct net_config config;
	struct role role;
	struct worker w;
	int64_t begun_ns;
	_Atomic uint32_t conns;
	unsigned turns, starts, stops, inits, finis, listens;
	enum worker_stop how; /* the last that role.stop heard */
	int init_error, listen_error, turn_error;
	bool busy[FAKE_SLOTS]; /* of these something stays in flight: they do not become quiet */
	unsigned attached[FAKE_SLOTS];
	struct fake_role last; /* of the connection that was closed last */
	unsigned closed;       /* connections, in all */
};

/* The worker that a test turns by hand. */
extern struct fake fake;

extern const struct backend_ops fake_backend;

/* For fixtures: reserves the worker's memory, gives it back. */
void fake_init(void);
void fake_fini(void);
/* The same without that memory, which worker_prepare reserves; prepares the worker, and lets it go.
 */
void fake_init_unprepared(void);
int fake_start(void);
/* The same of a role that echoes, held to its contract (contract.h). */
void fake_init_checked(void);

/* Whether the role sends back what it is given; not at first. */
void fake_echoes(bool echoes);

struct fake_conn *fake_conn(const struct conn *c);
struct fake_role *fake_role(const struct conn *c);

/* A connection that was accepted on a socket of its own, and is open; NULL: it was shed. */
struct conn *fake_accept(void);

/* One that is being dialed; NULL: no slot is free. */
struct conn *fake_dial(void);

/* Every connection that was ever open is open still, or closed for one cause. */
void fake_check_balance(void);
void fake_fini_balanced(void); /* both */

/* The end of a turn, so long after fake_init: timers, then connections that were closed. */
void fake_turn(int64_t since_ns);

#endif
