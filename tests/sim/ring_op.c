/* SPDX-License-Identifier: MIT
 * ring_op: what a request of the simulated io_uring does when it is submitted, when its file wakes
 * it, and when it is cancelled (io_uring/net.c, poll.c, cancel.c).
 */
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "ring.h"

enum { SKIP = IOSQE_CQE_SKIP_SUCCESS, STALE = 0x5a };

static struct file *file_named(const struct io_uring_sqe *sqe)
{
	struct file *f;

	if (!(sqe->flags & IOSQE_FIXED_FILE))
		f = file_of(sqe->fd);
	else
		f = (unsigned)sqe->fd < RING_FILES ? ring.files[sqe->fd] : NULL;
	if (!f)
		sim_fail("bad-descriptor", "request %u on %d", sqe->opcode, sqe->fd);
	return f;
}

/* The request has ended for good. */
static void op_end(struct ring_op *op, int res, unsigned flags)
{
	const struct ring_op ended = *op;

	ring_drop(op);
	if (res < 0 || !(ended.flags & SKIP))
		(void)ring_complete(ended.user_data, res, flags);
}

/* ---- receive ---- */

/* A buffer that lies in the ring is the kernel's: what somebody still reads there is wrong. */
static struct io_uring_buf *next_buffer(void)
{
	const uint16_t tail = ring.bufs->tail;
	struct io_uring_buf *b = &ring.bufs->bufs[ring.bufs_head & ring.bufs_mask];

	for (uint16_t i = ring.bufs_head; i != tail; i++) {
		const struct io_uring_buf *there = &ring.bufs->bufs[i & ring.bufs_mask];

		memset((void *)(uintptr_t)there->addr, STALE, size_min(there->len, 64));
	}
	return ring.bufs_head == tail ? NULL : b;
}

static bool more_is_there(const struct flow *f)
{
	return f->arrived > f->read || f->fin; /* tcp_inq_hint: a FIN, but no reset */
}

/* One receive. Returns whether it is to be tried again at once. */
static bool receive(struct ring_op *op)
{
	struct flow *f = op->file->flow;
	const struct io_uring_buf *b = next_buffer();
	unsigned flags;
	ssize_t n;

	if (!b) {
		op_end(op, -ENOBUFS, 0);
		return false;
	}
	n = flow_recv(f, (void *)(uintptr_t)b->addr,
		      op->len > 0 ? size_min(op->len, b->len) : b->len, 0);
	if (n > 0 && world_fault(100)) {
		f->fault = ENOMEM; /* never of a receive that took bytes: of one that would */
		f->read -= (uint64_t)n;
		n = -ENOMEM;
	}
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		op_end(op, (int)n, 0);
		return false;
	}
	ring.bufs_head++;
	flags = IORING_CQE_F_BUFFER | (unsigned)b->bid << IORING_CQE_BUFFER_SHIFT |
		(more_is_there(f) ? IORING_CQE_F_SOCK_NONEMPTY : 0);
	if (op->multishot && ring_complete(op->user_data, (int)n, flags | IORING_CQE_F_MORE))
		return more_is_there(f);
	op_end(op, (int)n, flags);
	return false;
}

/* ---- send ---- */

static void send_once(struct ring_op *op)
{
	ssize_t all = 0, n = 0;

	for (unsigned i = 0; i < op->count; i++) {
		n = flow_send(op->file->flow, op->v[i].iov_base, op->v[i].iov_len);
		if (n < 0)
			break;
		all += n;
		if ((size_t)n < op->v[i].iov_len)
			break;
	}
	TRACE("flow %u: ring sends %zd (%zd)", op->file->flow->id, all, n);
	if (all > 0)
		op_end(op, (int)all, 0);
	else if (n != -EAGAIN || op->file->nonblock)
		op_end(op, (int)n, 0);
}

/* ---- accept and poll ---- */

static void accept_all(struct ring_op *op)
{
	for (;;) {
		int fd = file_accept(FD_BASE + (int)(op->count), SOCK_CLOEXEC);

		if (fd == -EAGAIN && !op->file->nonblock)
			return;
		if (fd < 0 || !ring_complete(op->user_data, fd, IORING_CQE_F_MORE)) {
			op_end(op, fd, 0);
			return;
		}
	}
}

static void poll_once(struct ring_op *op)
{
	const unsigned events = file_poll(op->file) & (op->events | POLLERR | POLLHUP);

	if (events)
		op_end(op, (int)events, 0);
}

/* Wakes that come before it runs are one, and what happens meanwhile it has not heard of. */
void ring_run(struct ring_op *op)
{
	op->woken = false;
	switch (op->opcode) {
	case IORING_OP_RECV:
		for (int i = 0; i < 32 && receive(op); i++)
			;
		break;
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		send_once(op);
		break;
	case IORING_OP_ACCEPT:
		accept_all(op);
		break;
	default:
		poll_once(op);
	}
}

/* ---- cancel ---- */

/* A send that has just been woken is not found (Linux 6.18). */
static bool hides(const struct ring_op *op)
{
	return op->woken && (op->opcode == IORING_OP_SEND || op->opcode == IORING_OP_SENDMSG) &&
	       choice_chance(2);
}

static void cancel(const struct io_uring_sqe *sqe)
{
	for (unsigned i = 0; i < ring.used; i++) {
		struct ring_op *op = &ring.ops[i];

		if (op->user_data != sqe->addr || hides(op))
			continue;
		op_end(op, -ECANCELED, 0);
		if (!(sqe->flags & SKIP))
			(void)ring_complete(sqe->user_data, 0, 0);
		return;
	}
	(void)ring_complete(sqe->user_data, -ENOENT, 0);
}

/* ---- submitted ---- */

static void op_fill_send(struct ring_op *op, const struct io_uring_sqe *sqe)
{
	const struct msghdr *m = (const struct msghdr *)(uintptr_t)sqe->addr;

	op->events = POLLOUT;
	op->count = 1;
	op->v[0] = (struct iovec){ (void *)(uintptr_t)sqe->addr, sqe->len };
	if (op->opcode == IORING_OP_SEND)
		return;
	op->count = (unsigned)m->msg_iovlen;
	memcpy(op->v, m->msg_iov, op->count * sizeof(op->v[0]));
}

static struct ring_op *op_new(const struct io_uring_sqe *sqe)
{
	struct ring_op *op = &ring.ops[ring.used++];

	if (ring.used > OPS_MAX)
		sim_fail("ring", "%u requests in flight", ring.used);
	*op = (struct ring_op){ .file = file_named(sqe),
				.user_data = sqe->user_data,
				.opcode = sqe->opcode,
				.flags = sqe->flags };
	return op;
}

/* Waits for its file unless there is something already: then it runs as if it had been woken. */
static void op_wait(struct ring_op *op)
{
	if (file_poll(op->file) & (op->events | POLLERR | POLLHUP))
		ring_rouse(op);
}

static void issue_receive(const struct io_uring_sqe *sqe)
{
	struct ring_op *op = op_new(sqe);

	op->events = POLLIN | POLLRDHUP | POLLPRI;
	op->multishot = (sqe->ioprio & IORING_RECV_MULTISHOT) != 0;
	op->len = op->multishot ? 0 : sqe->len;
	if (sqe->ioprio & IORING_RECVSEND_POLL_FIRST)
		op_wait(op);
	else
		ring_run(op);
}

static void issue_send(const struct io_uring_sqe *sqe)
{
	struct ring_op *op = op_new(sqe);

	op_fill_send(op, sqe);
	ring_run(op);
}

static void issue_accept(const struct io_uring_sqe *sqe)
{
	struct ring_op *op = op_new(sqe);

	op->events = POLLIN;
	op->multishot = true;
	op->count = (unsigned)(sqe->fd - FD_BASE);
	ring_run(op);
}

static void issue_poll(const struct io_uring_sqe *sqe)
{
	struct ring_op *op = op_new(sqe);

	op->events = sqe->poll32_events;
	op_wait(op);
}

void ring_issue(const struct io_uring_sqe *sqe)
{
	TRACE("ring: request %u on %d, %#llx", sqe->opcode, sqe->fd,
	      (unsigned long long)sqe->user_data);
	switch (sqe->opcode) {
	case IORING_OP_RECV:
		issue_receive(sqe);
		break;
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		issue_send(sqe);
		break;
	case IORING_OP_ACCEPT:
		issue_accept(sqe);
		break;
	case IORING_OP_POLL_ADD:
		issue_poll(sqe);
		break;
	case IORING_OP_ASYNC_CANCEL:
		cancel(sqe);
		break;
	case IORING_OP_CLOSE:
		(void)file_close(sqe->fd);
		if (!(sqe->flags & SKIP))
			(void)ring_complete(sqe->user_data, 0, 0);
		break;
	default:
		sim_fail("ring", "request %u is not allowed", sqe->opcode);
	}
}
