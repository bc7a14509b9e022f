/* SPDX-License-Identifier: MIT
 * act: carries out the steps of a drill, and shows that its faults are active.
 */
#ifndef ECHODRILL_ACT_H
#define ECHODRILL_ACT_H

#include <stdbool.h>
#include <stddef.h>

struct hosts;
struct run;

/* All steps, until one of them cannot be done or what it waits for does not come. */
void act(struct run *r);
/* Was every step done? */
bool act_done(const struct run *r);

/* Puts {server}, {client}, {port}, {ip} in a text. */
void act_expand(int family, const char *text, char *to, size_t size);

#endif
