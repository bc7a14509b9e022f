/* SPDX-License-Identifier: MIT
 * backends: which backends a program of ours can run here, asked of the program itself.
 */
#ifndef ECHODRILL_BACKENDS_H
#define ECHODRILL_BACKENDS_H

#include <stdbool.h>

#include "echo/base/opt.h"

struct text_list;

struct backend_list {
	unsigned count;
	char name[8][32];
};

/* There is one at least when this returns 0; else -errno, with the reason in @why: it could not be
 * asked, or none runs. */
int backends_find(struct backend_list *l, const char *program, char why[OPT_ERROR_MAX]);

/* Do these options choose one already? */
bool backends_fixed(const struct text_list *options);

#endif
