/* SPDX-License-Identifier: MIT
 * worker_group: the workers of a program, started and stopped together, and the signals that its
 * main waits for beside their end.
 */
#ifndef ECHO_WORKER_GROUP_H
#define ECHO_WORKER_GROUP_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker.h"

struct backend_choice;
struct cpu_list;

struct worker_group {
	struct worker *workers;
	unsigned count, prepared, running, done; /* prepared: those that run are among them */
	_Atomic uint32_t conns;                  /* open connections of all */
	struct limit limit;                      /* who is let in */
	struct acceptor_reserve reserve;         /* of those that share their descriptors */
	int done_fd, signal_fd;
	bool told;       /* a worker has met a limit: worker_group_heard */
	sigset_t found;  /* signals that were blocked before worker_group_signals */
	int signal_code; /* si_code of the signal that worker_group_wait has returned last */
	int *listeners;  /* with own_descriptors: of all workers; closed here when all run */
	unsigned listener_count;
	const int *watched; /* descriptors beside them that end a wait */
	unsigned watched_count;
	void (*tick)(void *arg);
	void *tick_arg;
	int64_t tick_every_ns, tick_ns; /* 0: there is none; when it is due */
};

enum { WORKER_GROUP_WATCHED_MAX = 4 };

/* Reserves @count workers of this configuration and role, pinned in turn to @cpus unless that is
 * all; the processes of a single worker share them. The caller sets role_state and listeners of
 * each. Returns 0 or -errno. */
int worker_group_init(struct worker_group *g, unsigned count, const struct net_config *config,
		      const struct cpu_list *cpus);
void worker_group_fini(struct worker_group *g); /* what was never started is closed */

/* Takes the signals of @mask, and no others, from now on for worker_group_wait, and ignores
 * SIGPIPE: a dead peer is an errno. Returns 0 or -errno. */
int worker_group_signals(struct worker_group *g, const sigset_t *mask);

/* Prepares all: each has its memory, its thread and its backend, and nobody is served yet. With
 * @auto and what its kernel lacks for so many workers the next best backend of @b takes the place
 * of one that cannot be had, in @config too; b->why says what it lacked. Returns 0, or -errno with
 * none prepared and b->why set. */
int worker_group_prepare(struct worker_group *g, struct net_config *config,
			 struct backend_choice *b);

/* Starts all, which are prepared. Returns 0, or -errno when one could not; stop and join the others
 * then. */
int worker_group_start(struct worker_group *g);
void worker_group_stop(struct worker_group *g, enum worker_stop how);

/* From now on worker_group_wait returns when one of these descriptors is readable, too. @fds stays
 * the caller's, and must last. At most WORKER_GROUP_WATCHED_MAX. */
void worker_group_watch(struct worker_group *g, const int *fds, unsigned count);

/* From now on worker_group_wait calls @tick every @every_ns while it waits; 0: not any more. */
void worker_group_tick(struct worker_group *g, int64_t every_ns, void (*tick)(void *arg),
		       void *arg);

/* The same where main waits for something else: calls it if it is due. Returns @timeout_ms (-1: for
 * ever), or less: then it is. */
int worker_group_run_tick(struct worker_group *g, int timeout_ms);

/* Wakes all workers to ask for a sign of life, number @n; whether all that run have given it. */
void worker_group_ask(struct worker_group *g, uint32_t n);
bool worker_group_alive(const struct worker_group *g, uint32_t n);

/* Waits for a signal, the end of a worker, the first limit that one of them has met since
 * worker_group_heard, or @timeout_ms (-1: for ever). Returns the number of a signal that arrived,
 * else 0; g->done says how many workers have ended, g->told that a limit was met. */
int worker_group_wait(struct worker_group *g, int timeout_ms);

/* Before the counters are looked at: the next limit that is met is told again. */
void worker_group_heard(struct worker_group *g);

/* Whether a worker has ended with an error. What it served is not closed before the process ends.
 */
bool worker_group_failed(const struct worker_group *g);

/* Waits for the end of all. Returns 0, or the first error. */
int worker_group_join(struct worker_group *g);

#endif
