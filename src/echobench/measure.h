/* SPDX-License-Identifier: MIT
 * measure: one round, the same client against one server.
 */
#ifndef ECHOBENCH_MEASURE_H
#define ECHOBENCH_MEASURE_H

#include "cell.h"
#include "echo/tasks.h"
#include "server.h"

struct round {
	const struct bench_config *config;
	const struct workload *load;
	struct server *server;
	bool count_syscalls;
	int64_t begin_cpu_ns; /* of the server */
	struct tasks_syscalls *calls;
	/* out */
	struct sample sample;
	double syscalls; /* for a message; < 0: -errno, not measured */
};

/* What the client does before it measures: a connection takes time, too. */
int64_t round_warmup_ns(const struct bench_config *c, const struct workload *w);

/* Runs the client once. Returns 0, -EINTR, -EAGAIN when it failed or nothing came back (on a busy
 * machine the next may go better), or another -errno; with @why. */
int round_measure(struct round *r, char why[WHY_MAX]);

/* The client's command line; @address may be "{addr}". */
void client_command(const struct bench_config *c, const struct workload *w, const char *address,
		    char command[COMMAND_MAX]);

#endif
