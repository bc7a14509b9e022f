/* SPDX-License-Identifier: MIT
 * measure: a server with the client that loads it in rounds, and what a round cost.
 */
#ifndef ECHOBENCH_MEASURE_H
#define ECHOBENCH_MEASURE_H

#include "cell.h"
#include "echo/lab/lane.h"
#include "server.h"

struct pairing {
	const struct bench_config *config;
	const struct workload *load;
	struct server server;
	struct lane lane;
};

/* Starts the server; more can be started before the first one is ready. @name is a backend or a
 * command. All of these return 0, -EINTR, -EAGAIN (the client failed: the next may do better), or
 * another -errno with @why; pairing_stop() after any of them. */
int pairing_start(struct pairing *p, const struct bench_config *c, const struct workload *w,
		  const char *name, char why[WHY_MAX]);
/* Waits for the server, and starts the client. */
int pairing_serve(struct pairing *p, char why[WHY_MAX]);
/* Waits until the client has its connections. */
int pairing_ready(struct pairing *p, char why[WHY_MAX]);

/* Loads it for @ns. @calls: how many system calls of the server there were for a message, which
 * costs time; < 0: -errno, they cannot be counted; NULL: nobody wants to know. */
int pairing_round(struct pairing *p, int64_t ns, struct sample *out, double *calls,
		  char why[WHY_MAX]);

/* Ends the load, and asks the client for its latencies. */
int pairing_end(struct pairing *p, struct sample *out, char why[WHY_MAX]);

void pairing_stop(struct pairing *p);

/* The client's command line; @address may be "{addr}", and {gate} stays in it. */
void client_command(const struct bench_config *c, const struct workload *w, const char *address,
		    char command[COMMAND_MAX]);

#endif
