/* SPDX-License-Identifier: MIT
 * gang: the workers of a program, started and stopped together, and the signals that its main waits
 * for beside their end.
 */
#ifndef ECHO_GANG_H
#define ECHO_GANG_H

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "worker.h"

struct backend_choice;
struct cpu_list;

struct gang {
	struct worker *workers;
	unsigned count, prepared, running, done; /* prepared: those that run are among them */
	_Atomic uint32_t conns;                  /* open connections of all */
	struct acceptor_reserve reserve;         /* of those that share their descriptors */
	int done_fd, signal_fd;
	int *listeners; /* with own_descriptors: of all workers; closed here when all run */
	unsigned listener_count;
	const int *watched; /* descriptors beside them that end a wait */
	unsigned watched_count;
};

enum { GANG_WATCHED_MAX = 4 };

/* Reserves @count workers of this configuration and role, pinned in turn to @cpus unless that is
 * all; the processes of a single worker share them. The caller sets role_state and listeners of
 * each. Returns 0 or -errno. */
int gang_init(struct gang *g, unsigned count, const struct net_config *config,
	      const struct cpu_list *cpus);
void gang_fini(struct gang *g); /* what was never started is closed */

/* Takes the signals of @mask from now on for gang_wait, and ignores SIGPIPE: a dead peer is an
 * errno. Returns 0 or -errno. */
int gang_signals(struct gang *g, const sigset_t *mask);

/* Prepares all: each has its memory, its thread and its backend, and nobody is served yet. With
 * @auto and what its kernel lacks for so many workers the next best backend of @b takes the place
 * of one that cannot be had, in @config too; b->why says what it lacked. Returns 0, or -errno with
 * none prepared and b->why set. */
int gang_prepare(struct gang *g, struct net_config *config, struct backend_choice *b);

/* Starts all, which are prepared. Returns 0, or -errno when one could not; stop and join the others
 * then. */
int gang_start(struct gang *g);
void gang_stop(struct gang *g, enum worker_stop how);

/* From now on gang_wait returns when one of these descriptors is readable, too. @fds stays the
 * caller's, and must last. At most GANG_WATCHED_MAX. */
void gang_watch(struct gang *g, const int *fds, unsigned count);

/* Waits for a signal, the end of a worker, or @timeout_ms (-1: for ever). Returns the number of a
 * signal that arrived, else 0; g->done says how many workers have ended. */
int gang_wait(struct gang *g, int timeout_ms);

/* Waits for the end of all. Returns 0, or the first error. */
int gang_join(struct gang *g);

#endif
