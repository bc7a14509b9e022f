/* SPDX-License-Identifier: MIT
 * act: carries out the steps of a drill, and shows that its faults are active.
 */
#ifndef ECHODRILL_ACT_H
#define ECHODRILL_ACT_H

#include <stdbool.h>

struct run;

/* All steps, until one of them cannot be done or what it waits for does not come. */
void act(struct run *r);

/* Was every step done? */
bool act_done(const struct run *r);

/* What only the end can tell about the faults. */
void act_end(struct run *r);

#endif
