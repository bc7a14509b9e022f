/* SPDX-License-Identifier: MIT
 * takeover: a restart that no client sees. An echod that starts takes over from the one that
 * listens at PATH (take.h), and listens there for its own successor (give.h).
 */
#ifndef ECHOD_TAKEOVER_H
#define ECHOD_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/net/path.h"
#include "give.h"
#include "successor.h"
#include "take.h"

struct helper;
struct helper_work;
struct listeners;
struct worker_group;

enum { HANDOVER_MOVE, HANDOVER_SERVE };

struct takeover_config {
	char path[PATH_TEXT_MAX]; /* "": no takeover */
	unsigned handover;        /* what becomes of connections: HANDOVER_MOVE, HANDOVER_SERVE */
	int64_t deadline_ns;      /* for those that stay with the old process; 0: none */
};

struct takeover {
	struct takeover_config config;
	struct worker_group *group;
	struct helper *helper; /* does what needs privileges: takeover_work */
	const struct sock_options *sock;
	struct listeners *listeners;
	/* While it runs workers, of signals: returns whether we are to stop. */
	bool (*signalled)(void *arg, int signal);
	void *arg;

	bool taking;      /* there is an echod to take over from */
	int path_fd;      /* -1: none */
	int64_t retry_ns; /* it could not be accepted from: when that is tried again, or 0 */
	int watched[2];   /* by worker_group_wait */
	struct path_id id;
	struct path_id files[ADDR_LIST_MAX]; /* of listeners that it takes over */
	pid_t started;                       /* the successor that we have started last */
	bool left;                           /* another process serves: */
	pid_t heir;                          /* this one, which has taken over */
	pid_t refused;    /* a successor that has failed, and may serve what it got to its end */
	int64_t until_ns; /* when those that stayed are ended; 0: never */
	struct successor successor;
	struct take take;
	struct give give;
};

/* What the rest returns where it fails is -errno, and the reason has been logged. */

/* Before anything is opened. Finds out whether there is an echod to take over from, and what it
 * listens on, and what names among the addresses stand for. t->config, group, helper, sock and
 * listeners are set. */
int takeover_begin(struct takeover *t);

/* Opens or inherits the listeners of address @i for all workers. */
int takeover_listen(struct takeover *t, unsigned i);

/* All workers are prepared: returns when they may be started. */
int takeover_ready(struct takeover *t);

/* All workers run: adopts the connections of the other process. */
int takeover_finish(struct takeover *t);

/* It has failed, and the other process serves on. What is ours by then, accepted or committed, we
 * serve to its end, as one does that has been taken over from. */
void takeover_withdraw(struct takeover *t);

/* What follows from a wait of the main loop, which watches for it from takeover_watch on. Returns
 * whether a successor has taken over just now. */
void takeover_watch(struct takeover *t);
bool takeover_poll(struct takeover *t);

/* This process ends: who waits at PATH is refused, the next one finds nobody there, and nothing is
 * overdue any more. May be called again. */
void takeover_retire(struct takeover *t);

/* Milliseconds until takeover_overdue may be true, or takeover_poll has to be called; -1: never. */
int takeover_wait_ms(const struct takeover *t);
/* Those that stayed after a takeover have had their time. */
bool takeover_overdue(const struct takeover *t);

/* A reload: what may be another from then on. config and sock are the caller's to set. */
struct takeover_next {
	struct takeover_config config;
	const struct sock_options *sock;
	int path_fd; /* of a path that is another than before; -1: it is not, or there is none */
	struct path_id id;
};

/* Listens at the path of @n, unless that is the one in force. Returns 0, or -errno with a reason in
 * @why: nothing has changed. One of the other two must follow; the listeners are the caller's to
 * change. */
int takeover_prepare(const struct takeover *t, struct takeover_next *n, char why[PATH_WHY_MAX]);
void takeover_change(struct takeover *t, const struct takeover_next *n);
void takeover_discard(const struct takeover *t, struct takeover_next *n);

/* SIGUSR2. */
void takeover_start(struct takeover *t);

void takeover_end(struct takeover *t);

/* In the helper, where there is one: its tasks (helper.work, .watch and .poll). @next_path: of the
 * configuration that was read last. */
void takeover_work(struct takeover *t, const char *next_path, struct helper_work *w);
int takeover_work_fd(const struct takeover *t);
void takeover_work_poll(struct takeover *t);

#endif
