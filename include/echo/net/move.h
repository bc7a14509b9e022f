/* SPDX-License-Identifier: MIT
 * move: open connections change processes, in batches. The one that has them detaches a batch
 * (move_collect) and sends its descriptors with the bytes that their peers are owed; the other one
 * takes slots for them (move_adopt) and says which it keeps; the first one commits them, and then
 * each side serves its own (move_serve, move_settle). Whoever of the two fails before has touched
 * no byte of theirs.
 *
 * That the peer's FIN has been read need not be told: a receive says so again.
 */
#ifndef ECHO_MOVE_H
#define ECHO_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/base/timer.h"
#include "worker.h"

struct conn;

enum {
	MOVE_MAX = 128,           /* connections of a batch: they rest until it has arrived */
	MOVE_OWED_MAX = 8u << 20, /* bytes that those of a batch are owed, together */
	MOVE_QUIET_MS = 1000,     /* what is in flight of one has so long to end */
};

struct move {
	struct worker_call call;
	int data_fd;   /* a file: what the peers are owed, one after the other */
	uint32_t from; /* the slot where the next batch begins */
	bool over;     /* there are no more */
	unsigned count;
	struct conn *conns[MOVE_MAX];
	uint64_t owed[MOVE_MAX]; /* bytes of each in the file */
	bool kept[MOVE_MAX];     /* by the process that they were sent to */
	/* of those that are not known to be quiet yet */
	bool begun, waiting[MOVE_MAX];
	int64_t until_ns;
	struct timer timer;
	uint64_t total; /* bytes in the file */
};

/* Whether the connections of this worker can be moved at all. */
bool move_can(const struct worker *w);

/* All of these block the caller until the worker has done it, and return 0 or -ECANCELED: its loop
 * has ended. */

/* Collects the next batch of @w into @m, which is zeroed before the first. m->data_fd: an empty
 * file, which is written. Those that are not quiet within MOVE_QUIET_MS, or whose bytes find no
 * room, stay where they are and are not tried again. */
int move_collect(struct worker *w, struct move *m);

/* Ends a batch: those that are m->kept are the other process's; the others are served here again.
 */
int move_settle(struct worker *w, struct move *m);

/* A batch that has arrived. move_adopt has @w take slots for number m->first and every m->step-th
 * from there on, where m->fds[i] >= 0; peer i is owed m->owed[i] bytes at m->data + m->at[i]. Sets
 * m->kept[i]: the descriptor is the worker's then, else it stays the caller's. move_serve, with the
 * same first and step, begins to serve them. */
struct move_in {
	struct worker_call call;
	unsigned count, first, step;
	int fds[MOVE_MAX];
	uint64_t owed[MOVE_MAX], at[MOVE_MAX];
	bool kept[MOVE_MAX];
	struct conn *conns[MOVE_MAX];
	const char *data;
};
int move_adopt(struct worker *w, struct move_in *m);
int move_serve(struct worker *w, struct move_in *m);
/* Instead of move_serve: lets go of them; their sockets live on in the other process. */
int move_drop(struct worker *w, struct move_in *m);

#endif
