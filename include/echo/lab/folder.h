/* SPDX-License-Identifier: MIT
 * folder: the configuration files of a folder, in order of their names.
 */
#ifndef ECHO_FOLDER_H
#define ECHO_FOLDER_H

#include <stddef.h>

#include "echo/base/opt.h"

struct dirent;

struct folder {
	const char *at; /* the caller's */
	struct dirent **files;
	size_t count;
};

/* Finds all *.conf in the folder @at, but for those whose name begins with a dot; @what are they:
 * "drills". Returns an exit code, said; then there is nothing to free. */
int folder_read(struct folder *f, const char *at, const char *what);
void folder_free(struct folder *f);

/* The path of one of them. */
void folder_path(const struct folder *f, size_t i, char path[OPT_TEXT_MAX]);

#endif
