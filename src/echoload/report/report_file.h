/* SPDX-License-Identifier: MIT
 * report_file: files that appear under their names only when they are whole.
 */
#ifndef ECHOLOAD_REPORT_FILE_H
#define ECHOLOAD_REPORT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct report_file {
	FILE *f; /* NULL: not open */
	char name[PATH_MAX];
	char temporary[PATH_MAX]; /* "": it is written under its name */
};

/* The name that a file of @phase gets: "run.json" is "run.warm.json" in phase "warm", and itself in
 * none (NULL). Returns 0 or -ENAMETOOLONG. */
int report_file_name(char name[PATH_MAX], const char *given, const char *phase);

/* Opens a file for writing, beside @name until it is closed; @in_place: under it at once. Names
 * that are no plain files (pipes, /dev/stdout) are written as they are. While a file is beside its
 * name stop_signals() are blocked, and after that they stay so. Returns 0 or -errno. */
int report_file_open(struct report_file *r, const char *name, bool in_place);

/* Closes it; it gets its name if @e is 0 and all was written, else it vanishes. Returns the first
 * error, 0 or -errno. */
int report_file_close(struct report_file *r, int e);

#endif
