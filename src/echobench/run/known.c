/* SPDX-License-Identifier: MIT
 * known: a side that is the name of a file in the folder of servers is that server; any other word
 * is a backend of echod, and the rest are commands. Only files that are named are read.
 */
#include "known.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echobench/opts.h"

static_assert(SERVERS_MAX + 2 == KNOWN_MAX, "every side may be a known server");

void known_folder(const struct bench_config *c, char path[OPT_TEXT_MAX])
{
	if (c->servers_dir[0])
		snprintf(path, OPT_TEXT_MAX, "%s", c->servers_dir);
	else if (program_configs("servers", path) < 0)
		snprintf(path, OPT_TEXT_MAX, "configs/servers");
}

bool known_path(const struct bench_config *c, const char *name, char path[PATH_MAX])
{
	char folder[OPT_TEXT_MAX];

	known_folder(c, folder);
	snprintf(path, PATH_MAX, "%s/%s.conf", folder, name);
	return server_file_is_name(name) && access(path, F_OK) == 0;
}

void known_hint(const struct bench_config *c, const char *name, char hint[OPT_TEXT_MAX])
{
	char folder[OPT_TEXT_MAX], stem[SERVER_NAME_MAX];
	size_t best = SIZE_MAX;
	const struct dirent *e;
	DIR *d;

	hint[0] = '\0';
	known_folder(c, folder);
	d = opendir(folder);
	while (d && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');

		if (!dot || strcmp(dot, ".conf") != 0)
			continue;
		snprintf(stem, sizeof(stem), "%.*s", (int)(dot - e->d_name), e->d_name);
		if (opt_is_closer(name, stem, &best))
			snprintf(hint, OPT_TEXT_MAX, "; did you mean the server '%s'?", stem);
	}
	if (d)
		closedir(d);
}

/* A word with a '-' is no backend's: it is a known server's, or a program's. */
static int known_refuse(struct opt_set *s, const struct bench_config *c, const char *key,
			const char *side)
{
	char hint[OPT_TEXT_MAX];

	if (!strchr(side, '-') || program_is_there(side))
		return 0;
	known_hint(c, side, hint);
	return opt_error_at(s, key, "'%s' is no server that echobench list names, and no program%s",
			    side, hint);
}

static int known_add(struct opt_set *s, struct bench_config *c, const char *key, const char *side)
{
	char path[PATH_MAX];

	if (!server_file_is_name(side) || known_find(c, side))
		return 0;
	if (!known_path(c, side, path))
		return known_refuse(s, c, key, side);
	assert(c->known.count < KNOWN_MAX);
	return server_file_read(&c->known.at[c->known.count++], path, s->error);
}

int known_read(struct opt_set *s, struct bench_config *c)
{
	int r;

	c->known.count = 0;
	r = known_add(s, c, "a", c->a);
	if (r == 0)
		r = known_add(s, c, "b", c->b);
	for (unsigned i = 0; i < c->server.count && r == 0; i++)
		r = known_add(s, c, "server", c->server.at[i]);
	return r;
}

const struct server_file *known_find(const struct bench_config *c, const char *side)
{
	for (unsigned i = 0; i < c->known.count; i++)
		if (strcmp(c->known.at[i].name, side) == 0)
			return &c->known.at[i];
	return NULL;
}

int known_check(const struct bench_config *c, const char *side, char *why, size_t size)
{
	const struct server_file *f = known_find(c, side);
	char path[PATH_MAX];

	if (!f || server_file_program(f, path, sizeof(path)) == 0)
		return 0;
	snprintf(why, size, "'%s': %.100s is not here; how it is built says: echobench show %s",
		 side, f->program, side);
	return -ENOENT;
}
