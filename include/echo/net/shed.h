/* SPDX-License-Identifier: MIT
 * shed: at max_conns the connection of all workers that has been stalled or idle for longest ends,
 * with cause shed, and a new one takes its place.
 *
 * Nothing is kept up to date while messages pass: the kernel knows when bytes last moved on each
 * connection and is asked for all of them at once when the limit is met. The longest idle ones are
 * remembered, and asked again when their turn comes: one that has moved bytes since stays.
 */
#ifndef ECHO_NET_SHED_H
#define ECHO_NET_SHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct conn;
struct worker;

enum { SHED_KEPT = 256 }; /* candidates that one scan of the table finds */

struct shed_candidate {
	int64_t since_ns; /* no byte has moved since then */
	uint32_t slot, gen;
};

/* Of a worker; zeroed. */
struct shed {
	struct shed_candidate kept[SHED_KEPT]; /* the last has been idle for longest */
	unsigned count;
	int64_t busy_ns; /* until then no connection that is at work ends for a new one */

	/* written by other workers too */
	_Atomic int64_t offer_ns; /* since_ns of its first candidate; 0: none is offered */
	_Atomic uint32_t asked;   /* so many of its connections shall end for others' newcomers */
	_Atomic bool wanted;      /* an offer */
};

/* Takes a slot for an accepted @fd and counts it, if the limits let it in (limit.h). At max_conns
 * another ends for it; NULL: there is none, or no slot; @fd is then closed and counted as shed. The
 * backend registers the descriptor, then calls conn_opened.
 *
 * If even the longest idle one has moved bytes within the last 100 ms, all are at work: to end one
 * loses messages, and its peer will be back as a newcomer. So after a burst of 64 only one in 10 ms
 * ends for a newcomer, and other newcomers are turned away. */
struct conn *shed_accept(struct worker *w, int fd);

/* Takes a slot for @fd, which another process has handed over, and counts it (conn_adopt). NULL:
 * there is no place: nobody ends for it, and @fd stays the caller's. */
struct conn *shed_adopt(struct worker *w, int fd);

/* The worker has another configuration: connections that came while nobody was counted are counted
 * from now on, if it limits those of an address. */
void shed_configured(struct worker *w);

/* For backends: w->wake_fd is readable. Empties it, and does what other workers have asked for. */
void shed_woken(struct worker *w);

#endif
