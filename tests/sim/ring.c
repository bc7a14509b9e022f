/* SPDX-License-Identifier: MIT
 * ring: io_uring as Linux has it: a queue of requests that is emptied by a submit, requests that
 * wait for their file to wake them, and completions that are made when the process waits (or, by a
 * kernel that does not defer them, in any call). What a request does is in ring_op.c. Takes the
 * place of the functions of liburing that are not inline; those that are see its memory.
 */
#include "ring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "wrap.h"

enum {
	ENTRIES_MAX = 256,
	GLANCE = 20, /* requests that a call which does not wait lets run (Linux 6.14) */
	LET_GO = 1 << 16,
};

struct ring ring;

/* What both queues are made of. */
static struct {
	unsigned sq_head, sq_tail, sq_mask, sq_entries, sq_flags;
	unsigned cq_head, cq_tail, cq_mask, cq_entries;
	struct io_uring_sqe sqes[ENTRIES_MAX];
	struct io_uring_cqe cqes[ENTRIES_MAX];
} shared;

void ring_begin(void)
{
	memset(&ring, 0, sizeof(ring));
	ring.fd = -1;
}

bool ring_in_use(void)
{
	return ring.fd >= 0;
}

/* ---- completions ---- */

static bool cq_has_room(void)
{
	return shared.cq_tail - shared.cq_head < shared.cq_entries;
}

static void cq_put(const struct io_uring_cqe *cqe)
{
	shared.cqes[shared.cq_tail & shared.cq_mask] = *cqe;
	shared.cq_tail++;
}

bool ring_complete(uint64_t user_data, int res, unsigned flags)
{
	const struct io_uring_cqe cqe = { .user_data = user_data, .res = res, .flags = flags };

	TRACE("ring: %#llx ends with %d, flags %#x", (unsigned long long)user_data, res, flags);
	if (ring.spilled == 0 && cq_has_room()) {
		cq_put(&cqe);
		return true;
	}
	if (flags & IORING_CQE_F_MORE)
		return false; /* one that goes on ends instead */
	if (ring.spilled == SPILLED_MAX)
		sim_fail("ring", "%d completions have no room", ring.spilled);
	ring.spill[ring.spilled++] = cqe;
	shared.sq_flags |= IORING_SQ_CQ_OVERFLOW;
	return false;
}

/* What found no room comes when there is. */
static void cq_flush(void)
{
	unsigned n = 0;

	while (n < ring.spilled && cq_has_room())
		cq_put(&ring.spill[n++]);
	ring.spilled -= n;
	memmove(ring.spill, ring.spill + n, ring.spilled * sizeof(ring.spill[0]));
	if (ring.spilled == 0)
		shared.sq_flags &= ~IORING_SQ_CQ_OVERFLOW;
}

static bool cq_is_ready(void)
{
	return shared.cq_tail != shared.cq_head;
}

/* ---- requests that wait ---- */

void ring_rouse(struct ring_op *op)
{
	if (!op->woken)
		op->turn = ring.wakes++;
	op->woken = true;
}

void ring_wake(const struct file *f, unsigned events)
{
	for (unsigned i = 0; i < ring.used; i++) {
		struct ring_op *op = &ring.ops[i];

		if (op->file == f && (events & (op->events | POLLERR | POLLHUP)))
			ring_rouse(op);
	}
}

unsigned ring_pending(const struct file *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ring.used; i++)
		n += ring.ops[i].file == f;
	return n;
}

bool ring_owes(const struct file *f)
{
	for (unsigned i = 0; i < ring.used; i++) {
		if (ring.ops[i].file == f && ring.ops[i].woken)
			return true;
	}
	return false;
}

bool ring_keeps_order(void)
{
	return ring.in_order;
}

void ring_drop(struct ring_op *op)
{
	*op = ring.ops[--ring.used];
}

/* The one of those that were woken whose turn it is; NULL: there is none. */
static struct ring_op *next_woken(void)
{
	const unsigned from = ring.in_order || ring.used == 0 ? 0 : choice_below(ring.used);
	struct ring_op *next = NULL;

	for (unsigned i = 0; i < ring.used && !(next && !ring.in_order); i++) {
		struct ring_op *op = &ring.ops[(from + i) % ring.used];

		if (op->woken && (!next || op->turn < next->turn))
			next = op;
	}
	return next;
}

/* Runs one of those that were woken. Returns whether there was one. */
static bool run_one(void)
{
	struct ring_op *op = next_woken();

	if (op)
		ring_run(op);
	return op;
}

static void run_some(unsigned most)
{
	cq_flush();
	while (most-- > 0 && run_one())
		;
}

void ring_tick(void)
{
	if (ring.fd >= 0 && !ring.defers && ring.used > 0 && choice_chance(3))
		run_some(1 + choice_below(4));
}

/* ---- submits ---- */

static int submit(struct io_uring *r)
{
	unsigned ready = r->sq.sqe_tail - shared.sq_head, n = 0;

	world_tick();
	if (ready > 0 && world_lacks_memory())
		return -EAGAIN;
	if (ready > 1 && world_fault(60))
		ready = 1 + choice_below(ready - 1); /* no memory for those that follow */
	for (; n < ready; n++) {
		const struct io_uring_sqe sqe = shared.sqes[shared.sq_head & shared.sq_mask];

		shared.sq_head++;
		ring_issue(&sqe);
	}
	r->sq.sqe_head = shared.sq_head;
	shared.sq_tail = shared.sq_head;
	return (int)n;
}

/* Lets requests run until there is a completion, as a wait in the kernel does. */
static bool ready_after_work(void)
{
	cq_flush();
	while (!cq_is_ready() && run_one())
		;
	return cq_is_ready();
}

static int submit_and_wait(struct io_uring *r, int64_t wait_ns)
{
	int n = submit(r);

	if (n < 0 || r->sq.sqe_tail != shared.sq_head)
		return n; /* who could not submit all does not wait */
	checker_looks();
	if (!ready_after_work() && world_fault(100))
		return -EINTR; /* only who sleeps is woken */
	if (!world_wait(ready_after_work, wait_ns))
		return -ETIME;
	run_some(choice_below(GLANCE));
	return n;
}

WRAP(int, io_uring_submit, struct io_uring *r)
{
	return submit(r);
}

WRAP(int, io_uring_submit_and_get_events, struct io_uring *r)
{
	int n = submit(r);

	if (n >= 0) {
		checker_looks();
		run_some(GLANCE);
	}
	return n;
}

WRAP(int, io_uring_submit_and_wait, struct io_uring *r, unsigned count)
{
	(void)count;
	return submit_and_wait(r, -1);
}

WRAP(int, io_uring_submit_and_wait_timeout, struct io_uring *r, struct io_uring_cqe **cqe,
     unsigned count, struct __kernel_timespec *t, sigset_t *mask)
{
	(void)cqe;
	(void)count;
	(void)mask;
	return submit_and_wait(r, t ? SEC(t->tv_sec) + t->tv_nsec : -1);
}

WRAP(unsigned, io_uring_peek_batch_cqe, struct io_uring *r, struct io_uring_cqe **cqes,
     unsigned count)
{
	unsigned n = 0;

	(void)r;
	if (!cq_is_ready() && ring.spilled > 0)
		cq_flush();
	for (; n < count && shared.cq_head + n != shared.cq_tail; n++)
		cqes[n] = &shared.cqes[(shared.cq_head + n) & shared.cq_mask];
	return n;
}

/* ---- set-up ---- */

static unsigned power_of_two(unsigned n)
{
	unsigned p = 1;

	while (p < n)
		p *= 2;
	return p < ENTRIES_MAX ? p : ENTRIES_MAX;
}

WRAP(int, io_uring_queue_init_params, unsigned entries, struct io_uring *r,
     struct io_uring_params *p)
{
	if (p->flags & IORING_SETUP_DEFER_TASKRUN) {
		if (ring.refused || choice_chance(4)) { /* a kernel that cannot */
			ring.refused = true;
			return -EINVAL;
		}
	}
	memset(&shared, 0, sizeof(shared));
	shared.sq_entries = power_of_two(entries);
	shared.cq_entries = power_of_two(p->cq_entries);
	shared.sq_mask = shared.sq_entries - 1;
	shared.cq_mask = shared.cq_entries - 1;
	ring.in_order = !choice_chance(2);
	ring.defers = (p->flags & IORING_SETUP_DEFER_TASKRUN) != 0;
	ring.fd = file_open(FILE_RING, NULL);
	*r = (struct io_uring){ .flags = p->flags, .ring_fd = ring.fd };
	r->enter_ring_fd = ring.fd;
	r->features = choice_chance(3) ? 0 : LET_GO;
	r->sq = (struct io_uring_sq){ .khead = &shared.sq_head,
				      .ktail = &shared.sq_tail,
				      .kring_mask = &shared.sq_mask,
				      .kring_entries = &shared.sq_entries,
				      .kflags = &shared.sq_flags,
				      .sqes = shared.sqes,
				      .ring_mask = shared.sq_mask,
				      .ring_entries = shared.sq_entries };
	r->cq = (struct io_uring_cq){ .khead = &shared.cq_head,
				      .ktail = &shared.cq_tail,
				      .kring_mask = &shared.cq_mask,
				      .kring_entries = &shared.cq_entries,
				      .kflags = NULL,
				      .cqes = shared.cqes,
				      .ring_mask = shared.cq_mask,
				      .ring_entries = shared.cq_entries };
	return 0;
}

WRAP(void, io_uring_queue_exit, struct io_uring *r)
{
	(void)r;
	ring.used = 0;
	for (unsigned i = 0; i < RING_FILES; i++)
		ring_set_file(i, NULL);
	(void)file_close(ring.fd);
	ring.fd = -1;
}

WRAP(int, io_uring_register_ring_fd, struct io_uring *r)
{
	(void)r;
	return 1;
}

/* Restrictions, and the end of them. */
WRAP(int, io_uring_register, unsigned fd, unsigned what, const void *arg, unsigned n)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)n;
	return 0;
}

WRAP(int, io_uring_register_buf_ring, struct io_uring *r, struct io_uring_buf_reg *reg,
     unsigned flags)
{
	(void)r;
	(void)flags;
	ring.bufs = (struct io_uring_buf_ring *)(uintptr_t)reg->ring_addr;
	ring.bufs_mask = (uint16_t)(reg->ring_entries - 1);
	ring.bufs_head = 0;
	return 0;
}

WRAP(int, io_uring_register_files_sparse, struct io_uring *r, unsigned n)
{
	(void)r;
	if (world_fault(8))
		return -ENOMEM;
	if (n > RING_FILES)
		sim_fail("ring", "%u files", n);
	return 0;
}

void ring_set_file(unsigned slot, struct file *f)
{
	struct file *old = ring.files[slot];

	if (f)
		f->refs++;
	ring.files[slot] = f;
	if (old)
		file_put(old);
}

WRAP(int, io_uring_register_files_update, struct io_uring *r, unsigned slot, const int *fds,
     unsigned n)
{
	(void)r;
	world_tick();
	if (n != 1 || slot >= RING_FILES)
		sim_fail("ring", "%u files at %u", n, slot);
	if (world_fault(20))
		return -ENOMEM;
	ring_set_file(slot, *fds < 0 ? NULL : file_of(*fds));
	return 1;
}
