/* SPDX-License-Identifier: MIT
 * outfile: files that appear under their names only when they are whole.
 */
#ifndef ECHO_OUTFILE_H
#define ECHO_OUTFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct outfile {
	FILE *f; /* NULL: not open */
	char name[PATH_MAX];
	char temporary[PATH_MAX]; /* "": it is written under its name */
};

/* Opens a file for writing, beside @name until it is closed; @in_place: under it at once. Names
 * that are no plain files (pipes, /dev/stdout) are written as they are. While a file is beside its
 * name stop_signals() are blocked, and after that they stay so. Returns 0 or -errno. */
int outfile_open(struct outfile *r, const char *name, bool in_place);

/* Closes it; it gets its name if @e is 0 and all was written, else it vanishes. Returns the first
 * error, 0 or -errno. */
int outfile_close(struct outfile *r, int e);

#endif
