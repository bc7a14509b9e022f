/* SPDX-License-Identifier: MIT
 * acceptor: accept(2) for one listener, in bounded batches, that neither spins nor hangs when
 * descriptors run out.
 *
 * Out of descriptors, a listener stays readable for ever and its peers believe that they are
 * connected. So one descriptor is held in reserve: it is given up to accept and close what is
 * queued (the peer learns it), then the listener is muted for a while.
 */
#ifndef ECHO_ACCEPTOR_H
#define ECHO_ACCEPTOR_H

#include <stdbool.h>

#include "echo/base/timer.h"

struct worker;

struct acceptor {
	struct worker *worker;
	int fd;      /* the listener; -1: none */
	int reserve; /* descriptor to give up, -1 when it could not be had */
	bool muted;  /* until the timer has fired */
	int batch;   /* of the next run, at most */
	int full;    /* runs in a row that took as many */
	struct timer retry;
	void (*take)(struct worker *w, int fd); /* gets each accepted descriptor */
	void (*mute)(struct acceptor *a); /* a->muted has changed: watch the listener or do not */
};

/* Prepares @a for @fd; @take and @mute are set by the caller before. */
void acceptor_init(struct acceptor *a, struct worker *w, int fd);
void acceptor_fini(struct acceptor *a);

/* Accepts until nothing is queued or a batch is full: whoever calls it does so again as long as the
 * listener is readable. Batches grow while they are filled. */
void acceptor_run(struct acceptor *a);

/* accept failed with @err (> 0). Returns whether to go on accepting; if not, nothing is queued or
 * the listener has been muted. */
bool acceptor_failed(struct acceptor *a, int err);

/* Accepts all that is queued now, before the listener is closed. */
void acceptor_finish(struct acceptor *a);

#endif
