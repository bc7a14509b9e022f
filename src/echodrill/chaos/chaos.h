/* SPDX-License-Identifier: MIT
 * chaos: rounds of random faults on a running load, for some minutes.
 */
#ifndef ECHODRILL_CHAOS_H
#define ECHODRILL_CHAOS_H

#include <stdio.h>

struct drill_config;

/* `echodrill chaos`: runs rounds until the minutes are over, or the one that is asked for; or
 * prints the drill of that one to @to. A seed that was not given is chosen and becomes a part of
 * *c. Says what is wrong and returns the exit code. */
int chaos(struct drill_config *c, FILE *to);

#endif
