/* SPDX-License-Identifier: MIT
 * launch: the programs of a drill are started.
 */
#ifndef ECHODRILL_LAUNCH_H
#define ECHODRILL_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "timeline.h"

struct run;

/* Whether a program of this status (of wait) could not be executed, as shells say it. */
bool launch_not_run(int status);

/* Starts a program, and waits until a server listens. Returns 0, or -errno with record->problem. */
int launch_program(struct run *r, enum who who);

/* Copies the files of both programs to PROGRAM_FOLDER, {server} and its like replaced. Returns 0,
 * or -errno with record->problem. */
int launch_files(struct run *r);

/* Whether a program has printed such a line since it was started. */
bool launch_has_said(const struct run *r, enum who who, const char *pattern);

/* Waits until the client has said that it is ready; one that has no such line is. */
bool launch_is_ready(struct run *r, int64_t until_ns);

/* Whether the client keeps a connection between its requests. */
bool launch_keeps_connection(const struct run *r);

/* Makes the client ask, by a line of its input. */
void launch_request(struct run *r);

/* @who has ended and left a process behind that listens, which is the program from now on. Returns
 * whether there is one; what helped the one that has ended may be there too, for a moment. */
bool launch_adopt(struct run *r, enum who who);

/* A program that is not up: writes why, in its own last words. Returns -ECONNREFUSED. */
int launch_failed(struct run *r, enum who who, const char *shown);

#endif
