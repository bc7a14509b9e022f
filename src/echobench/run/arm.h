/* SPDX-License-Identifier: MIT
 * arm: a server with the client that loads it in rounds, and what a round cost.
 */
#ifndef ECHOBENCH_ARM_H
#define ECHOBENCH_ARM_H

#include "client.h"
#include "echobench/verdict/cell.h"
#include "server.h"

struct arm {
	const struct cell *cell;
	enum side side;
	struct server server; /* if the side has one */
	struct client client;
};

/* Starts the server; more can be started before the first one is ready. All of these return 0,
 * -EINTR, -EAGAIN (the client failed: the next may do better), or another -errno with @why;
 * arm_stop() after any of them. */
int arm_start(struct arm *p, const struct cell *c, enum side side, char why[WHY_MAX]);
/* Waits for the server, and starts the client. */
int arm_serve(struct arm *p, char why[WHY_MAX]);
/* Waits until the client has its connections. */
int arm_ready(struct arm *p, char why[WHY_MAX]);

/* Loads it for @ns. @calls: how many system calls of the server there were for a message, which
 * costs time; < 0: -errno, they cannot be counted; NULL: they are not counted. */
int arm_round(struct arm *p, int64_t ns, struct sample *out, double *calls, char why[WHY_MAX]);

/* Ends the load, and asks the client for its latencies. */
int arm_end(struct arm *p, struct sample *out, char why[WHY_MAX]);

void arm_stop(struct arm *p);

#endif
