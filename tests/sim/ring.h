/* SPDX-License-Identifier: MIT
 * ring: what the two files of the simulated io_uring share.
 */
#ifndef SIM_RING_H
#define SIM_RING_H

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "sim.h"

enum { OPS_MAX = 128, SPILLED_MAX = 256, RING_FILES = 64, OP_VECTORS = 16 };

/* A request that waits for its file. */
struct ring_op {
	struct file *file;
	uint64_t user_data;
	uint8_t opcode, flags;
	bool multishot, woken;
	uint64_t turn;   /* of those that were woken the least comes first */
	unsigned events; /* that it waits for */
	size_t len;      /* of a receive: at most */
	unsigned count;
	struct iovec v[OP_VECTORS]; /* of a send: copied, the bytes are not */
};

struct ring {
	int fd; /* -1: there is none */
	bool defers, refused;
	bool in_order; /* who was woken first runs first, as in Linux; else anybody */
	uint64_t wakes;
	struct ring_op ops[OPS_MAX];
	unsigned used, spilled;
	struct io_uring_cqe spill[SPILLED_MAX];
	struct file *files[RING_FILES];
	struct io_uring_buf_ring *bufs;
	uint16_t bufs_mask, bufs_head;
};
extern struct ring ring;

/* Makes a completion. Returns whether it found room at once; one that says MORE is not made if it
 * does not. */
bool ring_complete(uint64_t user_data, int res, unsigned flags);
void ring_drop(struct ring_op *op);
void ring_set_file(unsigned slot, struct file *f);

/* A request was submitted; one was woken. */
void ring_issue(const struct io_uring_sqe *sqe);
void ring_run(struct ring_op *op);

/* There is something for it: it is to run. */
void ring_rouse(struct ring_op *op);

#endif
