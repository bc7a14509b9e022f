/* SPDX-License-Identifier: MIT
 * folder: a folder that cannot be read is not one without files. By scandir: glob (glibc 2.36)
 * frees twice what it has read of a folder when memory ends, and takes a folder's own brackets for
 * a pattern.
 */
#include "echo/lab/folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/log.h"
#include "echo/base/program.h"

static const char suffix[] = ".conf";

static int folder_wants(const struct dirent *e)
{
	const size_t len = strlen(e->d_name), tail = sizeof(suffix) - 1;

	return e->d_name[0] != '.' && len >= tail && strcmp(e->d_name + len - tail, suffix) == 0;
}

/* Whether all paths of it have room. */
static bool folder_fits(const struct folder *f)
{
	for (size_t i = 0; i < f->count; i++) {
		const char *name = f->files[i]->d_name;

		if (strlen(f->at) + 1 + strlen(name) >= OPT_TEXT_MAX) {
			log_error("'%s/%s': %s", f->at, name, strerror(ENAMETOOLONG));
			return false;
		}
	}
	return true;
}

int folder_read(struct folder *f, const char *at, const char *what)
{
	const int n = scandir(at, &f->files, folder_wants, alphasort);

	f->at = at;
	f->count = n > 0 ? (size_t)n : 0;
	if (n < 0) {
		log_error("cannot read '%s': %s", at, strerror(errno));
		return program_exit_unread(errno);
	}
	if (n > 0 && folder_fits(f))
		return EXIT_OK;
	if (n == 0)
		log_error("no %s in '%s'", what, at);
	folder_free(f);
	return EXIT_USAGE;
}

void folder_free(struct folder *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->files[i]);
	free(f->files);
	f->count = 0;
}

void folder_path(const struct folder *f, size_t i, char path[OPT_TEXT_MAX])
{
	const int n = snprintf(path, OPT_TEXT_MAX, "%s/%s", f->at, f->files[i]->d_name);

	assert(n < OPT_TEXT_MAX); /* folder_fits */
	(void)n;
}
