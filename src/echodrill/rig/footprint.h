/* SPDX-License-Identifier: MIT
 * footprint: what a program and all that it has started hold: what has grown when a service is back
 * is a leak.
 */
#ifndef ECHODRILL_FOOTPRINT_H
#define ECHODRILL_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct footprint {
	pid_t root;           /* 0: not read yet */
	unsigned descriptors; /* of all its processes */
	/* bytes of the root that no file backs (RssAnon and RssShmem of proc(5)): what a child has
	 * forgotten goes with it, and how much it needs its connection decides */
	uint64_t memory;
	unsigned io_workers; /* threads that the kernel has started for its io_uring requests */
	unsigned zombies;    /* processes that have ended and were not reaped */
};

/* Reads those of @root and its descendants (at most 256 processes); zeros of what is gone. Returns
 * 0, or -errno: not all could be looked at. */
int footprint_read(pid_t root, struct footprint *h);

/* Makes what is held @now a part of what is right: the most counts. */
void footprint_learn(struct footprint *right, const struct footprint *now);

/* Compares what is held @now with what is right. The memory of a process of another pid may be
 * another, and what it has now is right from now on. Returns false, with the reason in @why, where
 * there is a zombie, an io worker, a descriptor more, or more memory than FOOTPRINT_MEMORY_SLACK
 * above what is right. */
enum { FOOTPRINT_WHY_MAX = 128, FOOTPRINT_MEMORY_SLACK = 4 << 20 };
bool footprint_compare(struct footprint *right, const struct footprint *now,
		       char why[FOOTPRINT_WHY_MAX]);

#endif
