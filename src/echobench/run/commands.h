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

/* Whether @side names a backend of echod rather than a known server, or a command. */
bool command_is_backend(const struct bench_config *c, const char *side);

/* The command line that stands for @side: "{addr}" and its kin are still in it. */
void command_server(const struct bench_config *c, const char *side, uint64_t connections,
		    char command[COMMAND_MAX]);

/* The same for a client; @own is --client-a or --client-b, "" for echoload. */
void command_client(const struct bench_config *c, const struct workload *w, const char *own,
		    char command[COMMAND_MAX]);

/* Whether a client connects to a server, and whether it works through a gate; "": echoload. */
bool command_needs_server(const char *client);
bool command_is_gated(const char *client);

/* Sets the sides of a cell: A's, and @b. All of it must outlive the cell. */
void command_sides(struct cell *c, const struct bench_config *config, const char *b);

/* A command line with its words replaced, but for {gate}; @address "": not known, and left. The
 * caller frees it. NULL: no memory. */
char *command_fill(const char *command, const struct bench_config *c, const struct workload *w,
		   const char *address);

/* Mistakes in what was said of the sides and of how to compare them. Returns 0, or -EINVAL with
 * s->error. */
int command_check(struct opt_set *s, const struct bench_config *c);

/* How many threads that client has. */
unsigned command_client_threads(const struct bench_config *c);

#endif
