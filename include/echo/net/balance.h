/* SPDX-License-Identifier: MIT
 * balance: the kernel spreads connections over SO_REUSEPORT listeners by a hash of their addresses,
 * so that of few connections one worker may have most. With balance = least a worker that has
 * clearly more than another one gives it what it accepts, as a descriptor: neither a privilege nor
 * a program in the kernel is needed, and a message never crosses workers. While connections end
 * about as fast as they come nothing is given: a gift costs three system calls, and pays only for
 * those that stay.
 */
#ifndef ECHO_NET_BALANCE_H
#define ECHO_NET_BALANCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

enum balance_mode {
	BALANCE_KERNEL, /* whoever accepted it serves it */
	BALANCE_LEAST,
};

enum { BALANCE_SLOTS = 64 };

/* Of a worker; zeroed. What others gave it and it has not taken yet. */
struct balance {
	_Atomic int slot[BALANCE_SLOTS]; /* a descriptor plus one; 0: free */
	_Atomic unsigned waiting;        /* slots taken */

	/* the owner's */
	bool closed;     /* every slot says so too */
	bool churning;   /* connections end about as fast as they come */
	unsigned sample; /* accepted since that was found out */
	uint64_t ended;  /* connections, at that time */
};

/* Gives @fd, which @w has accepted, to the worker that has least, if @w has clearly more. Returns
 * whether it is that worker's now. */
bool balance_give(struct worker *w, int fd);

/* Serves what others gave to @w; by whoever empties its wake_fd. */
void balance_take(struct worker *w);

/* The same, and nothing is given to it any more: it stops. */
void balance_close(struct worker *w);

#endif
