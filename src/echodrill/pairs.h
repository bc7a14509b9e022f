/* SPDX-License-Identifier: MIT
 * pairs: which client and which server every drill is run with: ours, two commands, or any number
 * of program files.
 */
#ifndef ECHODRILL_PAIRS_H
#define ECHODRILL_PAIRS_H

#include <stdio.h>

struct drill_config;
struct program;

enum { PAIRS_MAX = 96 };

struct pair {
	const struct program *client, *server; /* NULL: ours. What they point to lives on. */
};

struct pair_list {
	unsigned count;
	struct pair at[PAIRS_MAX];
};

/* What the options ask for; at least one pair. Returns an exit code, and has said why if it is not
 * EXIT_OK. */
int pairs_read(struct pair_list *l, const struct drill_config *c);

/* Prints all program files: what they are, and what is missing here. Returns an exit code. */
int pairs_list(const struct drill_config *c, FILE *to);

#endif
