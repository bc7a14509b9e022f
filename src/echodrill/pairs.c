/* SPDX-License-Identifier: MIT
 * pairs: program files are read once, however many pairs they are in.
 */
#include "pairs.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echo/lab/folder.h"
#include "echodrill/report/report.h"
#include "echodrill/script/program.h"
#include "opts.h"

enum { NAME_MAX_LEN = DRILL_NAME_MAX };

struct pool {
	char directory[OPT_TEXT_MAX];
	unsigned count;
	int code;
	struct program at[PAIRS_MAX * 2];
};

static void pool_open(struct pool *p, const struct drill_config *c)
{
	p->count = 0;
	if (c->programs_dir[0])
		snprintf(p->directory, sizeof(p->directory), "%s", c->programs_dir);
	else if (program_directory(p->directory) < 0)
		snprintf(p->directory, sizeof(p->directory), "configs/programs");
}

/* The program of that name or file, read if it was not. NULL: it was said why, and p->code is
 * the exit code. */
static struct program *pool_read(struct pool *p, const char *name)
{
	char path[OPT_TEXT_MAX], error[OPT_ERROR_MAX];
	struct program *to = &p->at[p->count];
	int r;

	p->code = EXIT_USAGE;
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->at[i].name, name) == 0)
			return &p->at[i];
	if (p->count == ARRAY_LEN(p->at)) {
		log_error("more than %zu programs", ARRAY_LEN(p->at));
		return NULL;
	}
	drill_path(p->directory, name, path);
	r = program_read(to, path, error);
	if (r < 0) {
		log_error("%s", error);
		p->code = program_exit_unread(-r);
		return NULL;
	}
	p->count++;
	return to;
}

/* A copy with its settings of [cure]. */
static struct program *pool_cure(struct pool *p, const struct program *of)
{
	struct program *to = &p->at[p->count];

	if (p->count == ARRAY_LEN(p->at)) {
		log_error("more than %zu programs", ARRAY_LEN(p->at));
		return NULL;
	}
	*to = *of;
	if (program_cure(to) < 0) {
		log_error("%s: has no section [cure]", of->name);
		return NULL;
	}
	p->count++;
	return to;
}

/* NULL is one that @p could not read. */
static int pairs_add(struct pair_list *l, const struct pool *p, const struct program *client,
		     const struct program *server)
{
	if (!client || !server)
		return p->code;
	if (client->kind == PROGRAM_SERVER) {
		log_error("%s is a server: name a client of it", client->name);
		return EXIT_USAGE;
	}
	if (server->kind != PROGRAM_SERVER) {
		log_error("%s is no server", server->name);
		return EXIT_USAGE;
	}
	if (l->count == PAIRS_MAX) {
		log_error("more than %d programs", PAIRS_MAX);
		return EXIT_USAGE;
	}
	l->at[l->count++] = (struct pair){ client, server };
	return EXIT_OK;
}

/* NAME[:cure][/SERVER] */
static int pairs_add_named(struct pair_list *l, struct pool *p, const char *word, size_t len)
{
	char name[NAME_MAX_LEN * 2];
	const struct program *client;
	const char *server;
	char *slash, *cure;

	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	slash = strchr(name, '/');
	if (slash)
		*slash = '\0';
	cure = strchr(name, ':');
	if (cure)
		*cure++ = '\0';
	if (cure && strcmp(cure, "cure") != 0) {
		log_error("--programs: '%s:%s': what follows a name is ':cure' or nothing", name,
			  cure);
		return EXIT_USAGE;
	}
	client = pool_read(p, name);
	if (client && cure)
		client = pool_cure(p, client);
	if (!client)
		return p->code;
	server = slash ? slash + 1 : client->partner;
	if (client->kind == PROGRAM_SERVER)
		return pairs_add(l, p, client, client);
	return pairs_add(l, p, client, pool_read(p, server));
}

/* Every client of the directory, and with what cures it. */
static int pairs_add_all(struct pair_list *l, struct pool *p)
{
	struct folder f;
	int code = folder_read(&f, p->directory, "programs");

	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < f.count && code == EXIT_OK; i++) {
		const char *name = f.files[i]->d_name;
		char stem[NAME_MAX_LEN];
		const struct program *client;

		snprintf(stem, sizeof(stem), "%.*s", (int)strcspn(name, "."), name);
		client = pool_read(p, stem);
		if (client && client->kind == PROGRAM_SERVER)
			continue;
		code = pairs_add(l, p, client, client ? pool_read(p, client->partner) : NULL);
		if (client && code == EXIT_OK && client->cure.what[0])
			code = pairs_add(l, p, pool_cure(p, client), l->at[l->count - 1].server);
	}
	folder_free(&f);
	return code;
}

/* --server and --client */
static int pairs_commands(struct pair_list *l, const struct drill_config *c)
{
	static struct program server, client;
	struct pair *p = &l->at[0];

	*p = (struct pair){ NULL, NULL };
	if (c->server[0]) {
		program_from_command(&server, PROGRAM_SERVER, c->server, "");
		p->server = &server;
	}
	if (c->client[0]) {
		program_from_command(&client, PROGRAM_CLIENT, c->client, c->request);
		p->client = &client;
	}
	l->count = 1;
	return EXIT_OK;
}

int pairs_read(struct pair_list *l, const struct drill_config *c)
{
	static struct pool pool;
	const char *at = c->programs;
	int code = EXIT_OK;

	l->count = 0;
	if (!at[0])
		return pairs_commands(l, c);
	if (c->server[0] || c->client[0]) {
		log_error(
			"--programs says which server and client run: --server and --client have no place beside it");
		return EXIT_USAGE;
	}
	pool_open(&pool, c);
	while (*at && code == EXIT_OK) {
		const size_t len = strcspn(at, ",");

		code = len == 3 && strncmp(at, "all", 3) == 0 ? pairs_add_all(l, &pool)
							      : pairs_add_named(l, &pool, at, len);
		at += len + (at[len] == ',');
	}
	return code;
}

int pairs_list(const struct drill_config *c, FILE *to)
{
	static struct pool pool;
	struct folder f;
	int code;

	pool_open(&pool, c);
	code = folder_read(&f, pool.directory, "programs");
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < f.count && code == EXIT_OK; i++) {
		char path[OPT_TEXT_MAX];
		const struct program *p;

		folder_path(&f, i, path);
		p = pool_read(&pool, path);
		code = p ? EXIT_OK : pool.code;
		if (p)
			report_program(p, to);
	}
	folder_free(&f);
	return code;
}
