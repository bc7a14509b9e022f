/* SPDX-License-Identifier: MIT
 * loop: lets time pass for a drill that runs.
 */
#ifndef ECHODRILL_LOOP_H
#define ECHODRILL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "echodrill/rig/diag.h"
#include "echodrill/rig/hosts.h"

struct run;

/* Turns the loop until @done says so or the time is over. Returns what @done said last. */
bool loop_until(struct run *r, int64_t until_ns, bool (*done)(struct run *r, void *arg), void *arg);

/* States of a host's sockets. Returns 0 or -errno. */
int loop_states(struct run *r, enum host host, struct diag_states *s);

/* Calls @each for the sockets of a host. Returns 0 or -errno. */
int loop_sockets(struct run *r, enum host host,
		 void (*each)(void *arg, const struct diag_socket *s), void *arg);

/* Takes down those of both hosts, under a label. */
void loop_look(struct run *r, const char *label);

/* Writes why the drill cannot go on, if nothing was written before. Returns @err. */
int loop_problem(struct run *r, int err, const char *what, const char *why);

#endif
