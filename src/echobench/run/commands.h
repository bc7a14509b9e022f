/* SPDX-License-Identifier: MIT
 * commands: the command lines that stand for a server and for the client that loads it.
 */
#ifndef ECHOBENCH_COMMANDS_H
#define ECHOBENCH_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "echobench/opts.h"
#include "echobench/verdict/cell.h"

enum { COMMAND_MAX = 1024 };

/* Whether @side names a backend of echod rather than a command. */
bool command_is_backend(const char *side);

/* The command line that stands for @side: "{addr}" and its kin are still in it. */
void command_server(const struct bench_config *c, const char *side, uint64_t connections,
		    char command[COMMAND_MAX]);

/* The client's command line; @address may be "{addr}", and {gate} stays in it. */
void command_client(const struct bench_config *c, const struct workload *w, const char *address,
		    char command[COMMAND_MAX]);

/* How many threads that client has. */
unsigned command_client_threads(const struct bench_config *c);

#endif
