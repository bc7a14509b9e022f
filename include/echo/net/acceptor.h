/* SPDX-License-Identifier: MIT
 * acceptor: accept(2) for one listener, in bounded batches, that neither spins nor hangs when
 * descriptors run out.
 *
 * Out of descriptors, a listener stays readable for ever and its peers believe that they are
 * connected. So one descriptor is held in reserve: it is given up to accept and close what is
 * queued (the peer learns it), then the listener is muted for a while.
 *
 * Threads that share a table of descriptors share the reserve, and turn away one at a time. While
 * it is given up, the accept of any of them, or of a ring in the kernel, may get its number:
 * each thread that has accepted gives back what it got until the reserve is there again. So the
 * reserve cannot be lost to a connection, after which no peer could be turned away.
 */
#ifndef ECHO_ACCEPTOR_H
#define ECHO_ACCEPTOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "echo/base/timer.h"

struct worker;

struct acceptor_reserve {
	pthread_mutex_t lock;  /* of all but given_up, which only its holder sets */
	_Atomic bool given_up; /* we closed it, and have not got it back */
	int fd;                /* -1 when it could not be had */
	unsigned users;        /* acceptors that share it: the last one closes it */
};

#define ACCEPTOR_RESERVE_INIT                                                                      \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1                                        \
	}

struct acceptor {
	struct worker *worker;
	int fd;                           /* the listener; -1: none */
	bool shared;                      /* others accept from its file, too */
	bool yielded;                     /* the others had their turn: it accepts next */
	bool muted;                       /* until the timer has fired */
	int batch;                        /* of the next run, at most */
	int full;                         /* runs in a row that took as many */
	struct acceptor_reserve *reserve; /* the worker's */
	struct timer retry;
	void (*take)(struct worker *w, int fd); /* gets each accepted descriptor */
	void (*mute)(struct acceptor *a); /* a->muted has changed: watch the listener or do not */
};

/* Prepares @a for @fd; @take and @mute are set by the caller before. */
void acceptor_init(struct acceptor *a, struct worker *w, int fd);
void acceptor_fini(struct acceptor *a);

/* Accepts until nothing is queued or a batch is full: the caller calls it again as long as the
 * listener is readable. Batches grow while they are filled. */
void acceptor_run(struct acceptor *a);

/* @fd has just been accepted: has it served, unless it was the reserve's, whose peer is turned away
 * and counted, or another worker gets it (balance.h). */
void acceptor_take(struct acceptor *a, int fd, void (*serve)(struct worker *w, int fd));

/* accept failed with @err (> 0). Returns whether to go on accepting; if not, nothing is queued or
 * the listener has been muted. */
bool acceptor_failed(struct acceptor *a, int err);

/* Accepts all that is queued now, before the listener is closed. */
void acceptor_finish(struct acceptor *a);

#endif
