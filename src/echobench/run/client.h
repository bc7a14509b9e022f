/* SPDX-License-Identifier: MIT
 * client: what loads a server in rounds. Behind a gate it runs on between them, and says at its end
 * what it saw; a command without one is run whole in each round, and says it then.
 */
#ifndef ECHOBENCH_CLIENT_H
#define ECHOBENCH_CLIENT_H

#include "echo/lab/gated_client.h"
#include "echo/lab/tasks.h"
#include "echobench/verdict/cell.h"

struct client {
	const struct cell *cell;
	bool gated, own;                 /* own: a command instead of echoload */
	char *command;                   /* of one without a gate */
	struct gated_client behind_gate; /* of one that has it */
};

/* Starts it. All of these return 0, -EINTR, -EAGAIN (it failed: the next may do better), or another
 * -errno with @why; client_stop() after any of them. */
int client_start(struct client *l, const struct cell *c, enum side side, const char *address,
		 char why[WHY_MAX]);

/* Waits until it has its connections. */
int client_ready(struct client *l, char why[WHY_MAX]);

/* Lets it send for @ns. Without a gate: runs it, and @out gets what it says. */
int client_round(struct client *l, int64_t ns, struct gated_client_slice *slice, struct sample *out,
		 char why[WHY_MAX]);

/* Ends it; @out gets what it says, unless it has no gate. @out NULL: it has ended too early. */
int client_end(struct client *l, struct sample *out, char why[WHY_MAX]);

void client_stop(struct client *l);

/* What it has used so far. */
void client_usage(const struct client *l, struct tasks_usage *u);

#endif
