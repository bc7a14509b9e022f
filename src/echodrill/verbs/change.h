/* SPDX-License-Identifier: MIT
 * change: a tool that said yes has proven nothing. What it was to change is looked at before and
 * after, and what it was to catch is counted until the end.
 */
#ifndef ECHODRILL_CHANGE_H
#define ECHODRILL_CHANGE_H

#include <stdint.h>

struct doing;

enum { CHANGE_STATE_MAX = 16384 };

/* How it is before and after the fault; one fault at a time is looked at. */
extern char change_before[CHANGE_STATE_MAX], change_after[CHANGE_STATE_MAX];

/* Compares them: what has changed becomes what the outcome shows, and if nothing has the fault is
 * not proven. */
void change_show(struct doing *d);

/* @now packets have been caught; d->o->counted were before the fault. */
void change_caught(struct doing *d, int64_t now);

#endif
