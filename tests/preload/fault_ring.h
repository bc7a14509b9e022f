/* SPDX-License-Identifier: MIT
 * fault_ring: the part of fault.c that makes requests of io_uring fail.
 *
 *   sqe_send:1:12    a request is not done, and completes with that errno: sqe_recv, sqe_poll,
 *                    sqe_accept, sqe_wake
 *   sqe_close:1:5    one that is done, but says that it failed, as close(2) does
 *   sqe_cancel:1:2   the same: it found nothing (2), or came too late (114)
 *   sqe_send:1:short it moves one byte
 *   sqe_recv:1:once  it is no multishot request: sqe_accept
 *   cqe_send:1:12    what was done completes with that errno: cqe_recv, the last completion of a
 *                    receive, without bytes
 *   io_uring_submit:1:11   and others that are functions of liburing
 */
#ifndef FAULT_RING_H
#define FAULT_RING_H

/* How uring_private.h's enum uring_op stands in what requests carry. */
enum { OP_RECV, OP_SEND, OP_POLL, OP_CANCEL, OP_ACCEPT, OP_WAKE, OP_CLOSE, OPS, OP_SHIFT = 56 };

static const char *const op_names[OPS] = { "sqe_recv",   "sqe_send", "sqe_poll", "sqe_cancel",
					   "sqe_accept", "sqe_wake", "sqe_close" };

/* The request that was replaced by one that does nothing. */
static _Thread_local struct {
	uint64_t token;
	bool waits;
} replaced;

/* What is sent of a message is one byte; the program's own is left alone. */
static void sqe_short_message(struct io_uring_sqe *sqe)
{
	static _Thread_local struct msghdr m;
	static _Thread_local struct iovec v;

	m = *(const struct msghdr *)(uintptr_t)sqe->addr;
	v = (struct iovec){ m.msg_iov->iov_base, 1 };
	m.msg_iov = &v;
	m.msg_iovlen = 1;
	sqe->addr = (uintptr_t)&m;
}

static void sqe_alter(struct io_uring_sqe *sqe, int hit)
{
	if (hit == ONCE && sqe->opcode == IORING_OP_RECV)
		sqe->ioprio &= (uint16_t)~IORING_RECV_MULTISHOT;
	else if (hit == ONCE && sqe->opcode == IORING_OP_ACCEPT)
		sqe->ioprio &= (uint16_t)~IORING_ACCEPT_MULTISHOT;
	else if (hit == SHORT && sqe->opcode == IORING_OP_SENDMSG)
		sqe_short_message(sqe);
	else if (hit == SHORT && (sqe->len > 1 || sqe->opcode == IORING_OP_RECV))
		sqe->len = 1;
	if (hit <= 0)
		return;
	replaced.token = sqe->user_data;
	replaced.waits = true;
	if (sqe->opcode == IORING_OP_ASYNC_CANCEL || sqe->opcode == IORING_OP_CLOSE) {
		sqe->flags &= (uint8_t)~IOSQE_CQE_SKIP_SUCCESS;
		return;
	}
	memset(sqe, 0, sizeof(*sqe)); /* IORING_OP_NOP */
	sqe->fd = -1;
	sqe->user_data = replaced.token;
}

/* Before requests are handed over: each is seen once, in the order of the queue. */
static void fault_sqes(const struct io_uring *ring)
{
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		struct io_uring_sqe *sqe = &ring->sq.sqes[i & *ring->sq.kring_mask];
		const uint64_t op = sqe->user_data >> OP_SHIFT;

		if (op < OPS)
			sqe_alter(sqe, fault_hits(op_names[op]));
	}
}

static void fault_cqe(struct io_uring_cqe *cqe)
{
	const unsigned op = (unsigned)(cqe->user_data >> OP_SHIFT);
	const unsigned goes_on = IORING_CQE_F_MORE | IORING_CQE_F_BUFFER;

	if (replaced.waits && cqe->user_data == replaced.token && !(cqe->flags & goes_on)) {
		replaced.waits = false;
		cqe->res = -fault.what;
	} else if ((op == OP_RECV && !(cqe->flags & goes_on) && fault_hits("cqe_recv") > 0) ||
		   (op == OP_SEND && fault_hits("cqe_send") > 0)) {
		cqe->res = -fault.what;
	}
}

/* liburing's functions return -errno; those that submit. */
#define FAULT_RING(name, params, args)                                                             \
	int name params;                                                                           \
	int name params                                                                            \
	{                                                                                          \
		REAL(name);                                                                        \
		if (fault_hits(#name) > 0)                                                         \
			return -fault.what;                                                        \
		fault_sqes(ring);                                                                  \
		return real args;                                                                  \
	}

FAULT_RING(io_uring_submit, (struct io_uring * ring), (ring))
FAULT_RING(io_uring_submit_and_wait, (struct io_uring * ring, unsigned count), (ring, count))
FAULT_RING(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
FAULT_RING(io_uring_submit_and_wait_timeout,
	   (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned count,
	    struct __kernel_timespec *t, sigset_t *mask),
	   (ring, cqe, count, t, mask))

/* Those that register, which hand no request over. */
#define FAULT_REGISTER(name, params, args)                                                         \
	int name params;                                                                           \
	int name params                                                                            \
	{                                                                                          \
		REAL(name);                                                                        \
		return fault_hits(#name) > 0 ? -fault.what : real args;                            \
	}

FAULT_REGISTER(io_uring_register_files_update,
	       (struct io_uring * ring, unsigned off, const int *files, unsigned count),
	       (ring, off, files, count))
FAULT_REGISTER(io_uring_register_files_sparse, (struct io_uring * ring, unsigned count),
	       (ring, count))
FAULT_REGISTER(io_uring_register_buf_ring,
	       (struct io_uring * ring, struct io_uring_buf_reg *reg, unsigned flags),
	       (ring, reg, flags))
FAULT_REGISTER(io_uring_queue_init_params,
	       (unsigned entries, struct io_uring *ring, struct io_uring_params *p),
	       (entries, ring, p))

/* A completion is seen again by each look that finds it still there: the first look counts. */
unsigned io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count)
{
	static _Thread_local unsigned seen;
	unsigned n, head;

	REAL(io_uring_peek_batch_cqe);
	n = real(ring, cqes, count);
	head = *ring->cq.khead;
	for (unsigned i = 0; i < n; i++) {
		if ((int)(head + i - seen) >= 0) {
			fault_cqe(cqes[i]);
			seen = head + i + 1;
		}
	}
	return n;
}

#endif
