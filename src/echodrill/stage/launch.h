/* SPDX-License-Identifier: MIT
 * launch: the programs of a drill are started.
 */
#ifndef ECHODRILL_LAUNCH_H
#define ECHODRILL_LAUNCH_H

#include "timeline.h"

struct run;

enum { LAUNCH_NOT_RUN = 126 }; /* this and the next: exit codes of what could not be executed */

/* Starts a program, and waits until a server listens. Returns 0, or -errno with record->problem. */
int launch_program(struct run *r, enum who who);

/* A program that is not up: writes why, in its own last words. Returns -ECONNREFUSED. */
int launch_failed(struct run *r, enum who who, const char *shown);

#endif
