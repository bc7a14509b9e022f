/* SPDX-License-Identifier: MIT
 * busy_poll: whether a worker looks for events for a while before it sleeps. To be woken costs
 * latency (some 20 us in a virtual machine), to look costs CPU time that somebody else may need.
 * `auto` finds out by trying: from time to time a worker does for some milliseconds what it does
 * not do otherwise, in turn with what it does, and goes on with looking only where that passed on
 * more bytes a second, for no more of its own CPU time a byte.
 */
#ifndef ECHO_BUSY_POLL_H
#define ECHO_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

enum { BUSY_POLL_AUTO = -1 }; /* instead of the time to look for */

/* What a trial has seen of one way. */
struct busy_poll_seen {
	int64_t ns, cpu_ns;
	uint64_t bytes;
};

/* All zero at first. */
struct busy_poll {
	bool looks;                     /* what it does, but for trials */
	bool looking;                   /* what it does now */
	uint8_t slice;                  /* of a trial: from 1; 0: there is none */
	uint8_t misses;                 /* looks that found nothing, less those that did */
	int64_t due_ns;                 /* the slice ends, or the pause between two trials */
	int64_t pause_ns;               /* the next one */
	int64_t begun_ns, begun_cpu_ns; /* the slice */
	uint64_t begun_bytes;
	struct busy_poll_seen seen[2]; /* [looking] */
	int64_t looked_ns;             /* in all, whoever chose the time */
};

/* `auto` only. At the end of a turn: @now_ns is the time, @bytes what has been received so far.
 * @cpu_ns returns the CPU time of the thread. Decides about b->looking; a turn between two
 * decisions costs a comparison. */
void busy_poll_turned(struct busy_poll *b, int64_t now_ns, uint64_t bytes, int64_t (*cpu_ns)(void));

/* A look has found something in its time, or not: who mostly does not stops at once. */
void busy_poll_looked(struct busy_poll *b, bool found);

/* For backends, before they sleep for @wait_ns at most (-1: for ever): calls @look until it returns
 * something else than 0 or the time to look in is over. Returns what @look returned; 0: now sleep,
 * for as long. */
int busy_poll_look(struct worker *w, int64_t wait_ns, int (*look)(struct worker *w));

#endif
