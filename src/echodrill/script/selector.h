/* SPDX-License-Identifier: MIT
 * selector: the name of something that a drill may expect something of, cut at its dots
 * (docs/drills.md lists them).
 */
#ifndef ECHODRILL_SELECTOR_H
#define ECHODRILL_SELECTOR_H

#include <stdbool.h>

#include "drill.h"

enum selector_kind {
	SELECTOR_PROGRAM,
	SELECTOR_LOAD,
	SELECTOR_OUTCOME,
	SELECTOR_OUTAGE,
	SELECTOR_SOCKETS,
	SELECTOR_WIRE,
	SELECTOR_COUNTER,
	SELECTOR_FAULT,
	SELECTOR_DIAL,
	SELECTOR_MISMATCH,
	SELECTOR_COUNT
};

enum { SELECTOR_PARTS_MAX = 8, SELECTOR_PART_MAX = 160 };

struct selector {
	enum selector_kind kind;
	unsigned count;
	char part[SELECTOR_PARTS_MAX][SELECTOR_PART_MAX];
	char base[DRILL_LABEL_MAX]; /* what times count from */
};

/* Cuts @what into @n. Returns 0 or -EINVAL; whether all parts can be looked up is for
 * selector_check. */
int selector_read(struct selector *n, const char *what);

/* enum who of a program, or -1; 0 for the client's host, 1 for the server's, or -1. */
int selector_program(const char *text);
int selector_end(const char *text);

/* Is @what the name of something? Returns 0, or -EINVAL with the reason. */
int selector_check(const char *what, char why[OPT_ERROR_MAX]);

/* Is it a time, which needs a unit? */
bool selector_is_time(const char *what);

/* The label that it names and no step of the drill has, or NULL. Valid until the next call. */
const char *selector_missing(const struct drill *d, const char *what);

#endif
