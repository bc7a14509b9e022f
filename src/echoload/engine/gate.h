/* SPDX-License-Identifier: MIT
 * gate: another program says when messages are sent, in slices of some milliseconds, so that it can
 * let several clients work in turn (echobench). On a descriptor, a socket, it
 * writes how long: "NANOSECONDS\n"; when the last answer is there it reads how many came,
 * and how long it took: "MESSAGES NANOSECONDS\n". The first such line comes unasked, when all
 * connections have been made: "0 0\n". Its end of file ends the run.
 */
#ifndef ECHOLOAD_GATE_H
#define ECHOLOAD_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "echo/base/timer.h"

enum { GATE_LINE_MAX = 32 };

struct worker_group;
struct load;

/* What all workers share. */
struct gate {
	bool used;
	int fds[2];               /* the other program's, not ours to close; and an eventfd: all
				   * workers are at rest */
	_Atomic unsigned slice;   /* this one is, or was, the last */
	_Atomic int64_t shut_ns;  /* monotonic: when its sending ends */
	_Atomic unsigned working; /* workers that are not at rest */
	_Atomic int64_t rest_ns;  /* when the last one was */
	/* main's */
	bool open, ended;
	int64_t open_ns;
	uint64_t echoed; /* by the end of the last slice */
	char line[GATE_LINE_MAX];
	unsigned length;
};

/* One worker's. */
struct gate_seen {
	unsigned slice;
	bool shut;    /* nothing is begun */
	bool resting; /* and nothing is owed */
	int64_t shut_ns;
	struct timer timer;
};

/* Opens the gate's part of a run with @workers; @fd 0: there is none, which is not an error.
 * Returns 0 or -errno. */
int gate_init(struct gate *g, int fd, unsigned workers);
void gate_fini(struct gate *g);

/* A worker begins, with the gate shut. */
void gate_start(struct load *l);

/* After a worker's turn: opens what main has opened, and tells main when all is quiet. */
void gate_turned(struct load *l);

/* Main, whenever one of the descriptors may be readable: takes a command, or answers one. @loads
 * are the group's. Returns 0, 1 at the end of file, or -EPROTO after a line that is no command, or
 * when the answers are not read. */
int gate_poll(struct gate *g, struct worker_group *group, struct load *loads);

#endif
