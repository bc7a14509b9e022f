/* SPDX-License-Identifier: MIT
 * fork: what the parent (fork.c) and the child of a connection (fork_child.c) share.
 */
#ifndef BACKEND_FORK_H
#define BACKEND_FORK_H

#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

struct conn;

/* What a child tells, in memory that it shares with its parent: one for each slot, on a cache line
 * of its own. The child alone writes it; the parent looks at any time. */
struct fork_cell {
	alignas(64) _Atomic uint64_t received, sent, echoes;
	_Atomic int64_t moved_ns; /* when the last of these bytes was */
	_Atomic int err, cause;   /* how it ended; cause is CAUSE_NONE for as long as it has not */
};

/* What the backend keeps of a connection. */
struct fork_conn {
	struct conn *next; /* in its bucket */
	pid_t pid;
	bool closing; /* fork_close was called: who reaps the child releases it */
	uint64_t received, sent, echoes; /* of its cell, counted already */
	int64_t cut_off_ns;              /* the child's: it is shutting down, at most until then */
};

/* What the parent sends to a child that shall close now: nothing else can tell whether it owes
 * bytes, which a killed one would hide behind a FIN. A signal that nobody sends to all echods. */
enum { FORK_CLOSE = SIGVTALRM };

/* Serves the connection to its end, in the process that was forked for it. */
noreturn void fork_child(struct conn *c, struct fork_cell *cell);

#endif
