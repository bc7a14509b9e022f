/* SPDX-License-Identifier: MIT
 * take: the side of a takeover that starts: it gets the listeners of the echod that serves, starts
 * its workers, accepts in the other's place, and adopts the connections that come. If the other one
 * dies on the way this one serves on with what it has.
 */
#ifndef ECHOD_TAKE_H
#define ECHOD_TAKE_H

#include <stdbool.h>

#include "echo/base/addr.h"
#include "message.h"

struct listeners;
struct worker_group;
struct sock_options;

/* A listener of the other process. */
struct take_listener {
	int fd;
	struct addr asked, bound; /* asked: of one that a supervisor has passed, fd:NAME */
	uint64_t cookie;          /* sock_cookie */
	bool taken;
};

struct take {
	const struct sock_options *sock;
	struct take_listener *listeners;
	unsigned count, got;
	/* for each address: so many of the workers, the first ones, have a listener of it */
	unsigned having[ADDR_LIST_MAX];
	bool wary;                 /* worker.wary */
	bool alone;                /* the other process has gone */
	unsigned adopted, refused; /* connections */
	struct talk talk;
	struct move_in in;
};

/* All of these return 0, or -errno with a reason in t->talk.why. They come in this order, the first
 * three before workers run; take_end may come at any time. */

/* Gets the listeners of the process at the other end of @fd. @adopts: connections may come too. */
int take_begin(struct take *t, int fd, bool adopts);

/* Gives the workers the listeners that serve address @i of @l, which becomes the address that they
 * are bound to. Returns how many there were. */
int take_listen(struct take *t, struct listeners *l, unsigned i);

/* The workers could serve: waits until the other process accepts nothing more. Then they may. */
int take_ready(struct take *t, struct worker_group *g, const struct addr_list *l);

/* They serve: adopts connections until there are no more. *path_fd: the socket at PATH, the
 * caller's; -1: the other process has gone, and nobody listens there. t->talk.group is set. */
int take_finish(struct take *t, int *path_fd);

/* Tells the other process, if it is still there, that it has to go on, and why if t->talk.why does
 * not say it. */
void take_refuse(struct take *t, const char *why);

/* The listeners that were taken. */
unsigned take_count(const struct take *t);

/* What was not taken is closed. */
void take_end(struct take *t);

#endif
