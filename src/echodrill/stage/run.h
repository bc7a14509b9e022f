/* SPDX-License-Identifier: MIT
 * run: one drill, from the private machine to the record of what was seen.
 */
#ifndef ECHODRILL_RUN_H
#define ECHODRILL_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "echo/lab/tasks.h"
#include "echodrill/rig/footprint.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/script/drill.h"
#include "proc.h"
#include "record.h"

struct program;

enum { RUN_SOCKETS_MAX = 128 };
enum { RUN_PROCS = 3 }; /* client, server, server2: enum who */

/* How a drill is to be run; the same for all of its steps. */
struct run_options {
	bool must_notice;   /* a client that never notices the fault has failed */
	bool without_fault; /* leave the faults out: the verdict must notice */
	const struct program *server, *client;       /* other people's; NULL: ours */
	const char *server_backend, *client_backend; /* "": what the drill or the program says */
	const struct detector *detector;             /* NULL: none beside the drill's own */
};

/* A connection of a client that is not ours (notice.h). */
struct run_socket {
	unsigned port;
	uint32_t inode;
	bool closed, shut;
	char holder[48]; /* the descriptor that was seen to be it */
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
	int64_t heard_ns; /* what programs had said by then has been taken; 0: not yet */
	unsigned steps_done;
	int probe[RECORD_HOSTS]; /* UDP sockets that knock at the other end */
	struct run_socket socket[RUN_SOCKETS_MAX];
	unsigned sockets;
	uint32_t table_frames; /* on the wire when the kernel's table was read, and when that was */
	int64_t table_ns;
	int client_diag;      /* asks the kernel of the client's host; 0: not opened yet */
	bool transfers;       /* the client runs its long transfer */
	unsigned noticed;     /* events of the timeline before it have been looked at */
	int64_t noticed_base; /* ... as to what was said since then */
	int64_t looked_ns;
	pid_t wire;
	struct footprint
		footprint[RUN_PROCS]; /* of the programs when the drill had settled first */
	pid_t listener;               /* that shares the server's port; 0: none */
};

/* Whether a foreign program runs in place of ours. @who: enum who of a program */
static inline bool run_is_foreign(const struct run *r, unsigned who)
{
	return (who == WHO_CLIENT ? r->options->client : r->options->server) != NULL;
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
