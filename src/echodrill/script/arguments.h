/* SPDX-License-Identifier: MIT
 * arguments: what may follow a verb in a step of a drill. Each fills its fields of the step and
 * returns 0, or -EINVAL with @why.
 */
#ifndef ECHODRILL_ARGUMENTS_H
#define ECHODRILL_ARGUMENTS_H

#include <stdint.h>

#include "echo/base/opt.h"

struct step;

int argument_host(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
/* client, server or server2 */
int argument_program(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
/* those, and child, children, listener */
int argument_process(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
/* all that is left: at least a word */
int argument_rest(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
int argument_host_rest(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
/* "/regular expression/", which is kept without its slashes */
int argument_regex(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
int argument_number(uint64_t *n, const char **text, char why[OPT_ERROR_MAX]);
/* HOST STATE N */
int argument_state(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
int argument_label(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
int argument_nothing(struct step *s, const char **text, char why[OPT_ERROR_MAX]);

#endif
