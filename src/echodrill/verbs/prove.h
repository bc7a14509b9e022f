/* SPDX-License-Identifier: MIT
 * prove: is a fault active? That a tool said yes is no proof: what it was to change is looked at
 * before and after, and what it was to catch is counted until the end.
 *
 *     nft      its counter has counted more than before
 *     ip       links, addresses, routes or neighbours of that host are not what they were
 *     tc       the queueing discipline is there, and packets went through it
 *     sysctl   it reads another value than before
 *     signal   the process is gone (KILL), stopped (STOP), goes on (CONT), has taken it (others)
 *     destroy  the sockets are gone
 *     exhaust  the process has no descriptor below its limit left
 */
#ifndef ECHODRILL_PROVE_H
#define ECHODRILL_PROVE_H

#include <stdbool.h>
#include <sys/types.h>

struct outcome;
struct run;
struct step;

/* Looks before a fault is made. */
void prove_before(struct run *r, const struct step *s, struct outcome *o);

/* Looks after it, and says in the outcome what it saw: o->shown, or o->doubt and not o->active. */
void prove_after(struct run *r, const struct step *s, struct outcome *o);

/* What only the end can tell. */
void prove_end(struct run *r);

/* Before and after a signal is sent to a process. @left_out: it was not sent; that is found out
 * sooner. */
void prove_signal_before(const struct step *s, pid_t pid, struct outcome *o);
void prove_signal(struct run *r, const struct step *s, pid_t pid, bool left_out, struct outcome *o);

#endif
