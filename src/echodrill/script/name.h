/* SPDX-License-Identifier: MIT
 * name: a name of something that a drill may expect something of, cut at its dots (observe.h).
 */
#ifndef ECHODRILL_NAME_H
#define ECHODRILL_NAME_H

#include "drill.h"

enum name_kind {
	NAME_PROGRAM,
	NAME_LOAD,
	NAME_OUTCOME,
	NAME_OUTAGE,
	NAME_SOCKETS,
	NAME_WIRE,
	NAME_COUNTER,
	NAME_FAULT,
	NAME_DIAL,
	NAME_COUNT
};

enum { NAME_PARTS_MAX = 8, NAME_PART_MAX = 160 };

struct name {
	enum name_kind kind;
	unsigned count;
	char part[NAME_PARTS_MAX][NAME_PART_MAX];
	char base[DRILL_LABEL_MAX]; /* what times count from */
};

/* Returns 0 or -EINVAL; whether all parts can be looked up is for observe_check. */
int name_read(struct name *n, const char *what);

/* enum who of a program, or -1; 0 for the client's host, 1 for the server's, or -1. */
int name_who(const char *text);
int name_host(const char *text);

#endif
