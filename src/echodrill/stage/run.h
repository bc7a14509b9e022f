/* SPDX-License-Identifier: MIT
 * run: one drill, from the private machine to the record of what was seen.
 */
#ifndef ECHODRILL_RUN_H
#define ECHODRILL_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "echo/lab/tasks.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/script/drill.h"
#include "proc.h"
#include "record.h"

enum { RUN_PROCS = 3 }; /* client, server, server2: enum who */

/* How a drill is to be run; the same for all of its steps. */
struct run_options {
	bool without_fault;          /* leave the faults out: the verdict must notice */
	const char *server, *client; /* other people's programs: commands for a shell, or "" */
	const char *server_backend, *client_backend; /* "": what the drill or the program says */
	const struct detector *detector;             /* NULL: none beside the drill's own */
};

struct run {
	const struct drill *drill;
	const struct run_options *options;
	struct record *record; /* shared memory */
	int pcap[WIRE_SIDES];

	/* inside */
	struct hosts hosts;
	struct proc procs[RUN_PROCS];
	struct tasks_waits waits;
	unsigned heard[RUN_PROCS]; /* events of the timeline before it are behind us */
	int64_t deadline_ns;
	unsigned steps_done;
	int probe[RECORD_HOSTS]; /* UDP sockets that knock at the other end */
	pid_t wire;
	pid_t listener; /* that shares the server's port; 0: none */
};

/* Whether a foreign program runs in place of ours. @who: enum who of a program */
static inline bool run_is_foreign(const struct run *r, unsigned who)
{
	return (who == WHO_CLIENT ? r->options->client : r->options->server)[0] != '\0';
}

/* Whether what that program prints is what the drill knows: it is ours, or the drill says what any
 * program must print. */
static inline bool run_has_words(const struct run *r, unsigned who)
{
	return r->drill->words || !run_is_foreign(r, who);
}

/* Makes shared memory and files for the captures. Returns 0 or -errno. */
int run_open(struct run *r, const struct drill *d, const struct run_options *o);
void run_close(struct run *r);

/* Starts it in a private machine. Returns the pid to wait for or -errno. */
pid_t run_start(struct run *r);

#endif
