/* SPDX-License-Identifier: MIT
 * name: fd:NAME, a listener that a supervisor has opened and passes by that name. In a list of
 * addresses it stands as one of no family, until it is known what it is bound to.
 */
#ifndef ECHOD_NAME_H
#define ECHOD_NAME_H

#include <stdbool.h>

#include "echo/base/addr.h"

/* Whether @text is written as such a name, or @a holds one. */
bool name_is_said(const char *text);
bool name_is(const struct addr *a);

/* Reads "fd:NAME": 1 to 107 bytes without blanks, control characters and ':'. Returns 0 or -EINVAL;
 * *a is written only on success. */
int name_parse(struct addr *a, const char *text);

/* As addr_format, for names too. */
char *name_format(const struct addr *a, char buf[ADDR_TEXT_MAX]);

#endif
