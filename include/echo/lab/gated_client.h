/* SPDX-License-Identifier: MIT
 * gated_client: a load client that works in slices, when we say so, so that several can take turns
 * of some milliseconds each: what the machine does to one it does to all of them. The client is a
 * program with a gate (echoload --gate, the bare clients of bench/); what is said through it stands
 * in src/echoload/engine/gate.h.
 */
#ifndef ECHO_GATED_CLIENT_H
#define ECHO_GATED_CLIENT_H

#include <sched.h>
#include <stdint.h>

#include "child.h"

enum { GATED_CLIENT_LINE_MAX = 64 };

struct gated_client {
	struct child child;
	int gate; /* our end; -1: shut for ever */
};

/* What a client did in a slice. */
struct gated_client_slice {
	uint64_t messages; /* that came back */
	int64_t took_ns;   /* until the last one did */
};

/* Starts a client's command line, in which {gate} is replaced, on @cpus (NULL: where we may run).
 * Returns 0 or -errno. child_block_signals() must have been called. */
int gated_client_start(struct gated_client *g, const char *command, const cpu_set_t *cpus);

/* Waits until it has all its connections. Returns 0, or -ETIME, -EINTR (a signal asks to stop),
 * -EPIPE (it has ended, or will say nothing any more), -EPROTO (what it said was no answer). */
int gated_client_ready(struct gated_client *g, int64_t patience_ns);

/* Lets it send for @ns, and waits for the last answer. Returns as gated_client_ready. */
int gated_client_slice(struct gated_client *g, int64_t ns, int64_t patience_ns,
		       struct gated_client_slice *out);

/* Ends its load, and waits for the client to end and to say what it found (child.out,
 * child.status). Returns 0, -ETIME or -EINTR. */
int gated_client_end(struct gated_client *g, int64_t patience_ns);

/* Ends it if it still runs, and forgets it. Does nothing to one that was never started. */
void gated_client_stop(struct gated_client *g);

#endif
