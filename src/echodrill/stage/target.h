/* SPDX-License-Identifier: MIT
 * target: the processes that a step is about.
 *
 * Our server is one process, and what a step does to `server` it does to that one. Another server
 * is a command of a shell, which may be any number of processes: what happens to `server` happens
 * to all of them, as when a service manager or the kernel ends a service. Its children are those
 * that hold connections, wherever the shell has put them.
 */
#ifndef ECHODRILL_TARGET_H
#define ECHODRILL_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

struct run;
struct step;

enum { TARGETS_MAX = 256 };

/* The processes of a step, parents first. Returns how many, or -errno: not all could be looked at.
 */
int target_pids(const struct run *r, const struct step *s, pid_t pids[TARGETS_MAX]);

/* Whether a step asks a program what only ours answers, and another has its place: its words, and
 * signals to which each program gives a meaning of its own (they kill one that has given none). */
bool target_is_foreign(const struct run *r, const struct step *s);

#endif
