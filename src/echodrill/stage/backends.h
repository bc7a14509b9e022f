/* SPDX-License-Identifier: MIT
 * backends: which backends a program of ours can run here, asked of the program itself.
 */
#ifndef ECHODRILL_BACKENDS_H
#define ECHODRILL_BACKENDS_H

#include <stdbool.h>

struct text_list;

struct backend_list {
	unsigned count;
	char name[8][32];
};

/* Returns 0, or -errno: it could not be asked. */
int backends_find(struct backend_list *l, const char *program);

/* Do these options choose one already? */
bool backends_fixed(const struct text_list *options);

#endif
