/* SPDX-License-Identifier: MIT
 * known: sides that are the names of server files.
 */
#ifndef ECHOBENCH_KNOWN_H
#define ECHOBENCH_KNOWN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "echo/base/opt.h"
#include "echobench/run/server_file.h"

struct bench_config;

enum { KNOWN_MAX = 10 }; /* sides of one configuration */

/* Those that its sides name. */
struct known {
	struct server_file at[KNOWN_MAX];
	unsigned count;
};

/* The folder of server files: --servers-dir, else what came with echobench. */
void known_folder(const struct bench_config *c, char path[OPT_TEXT_MAX]);

/* The file of a server's name. Returns false: it is no such name, or there is none. */
bool known_path(const struct bench_config *c, const char *name, char path[PATH_MAX]);

/* Reads the files of the sides that have one. Returns 0, or -errno with s->error: the place of a
 * mistake in a file, or a name that is neither a server's nor a command's. */
int known_read(struct opt_set *s, struct bench_config *c);

/* The server that a side names; NULL: it names none. */
const struct server_file *known_find(const struct bench_config *c, const char *side);

/* Whether the program of @side can be started. Returns 0, or -ENOENT with @why: what to do. */
int known_check(const struct bench_config *c, const char *side, char *why, size_t size);

/* Writes "; did you mean the server 'x'?" of the folder's names, or "". */
void known_hint(const struct bench_config *c, const char *name, char hint[OPT_TEXT_MAX]);

#endif
