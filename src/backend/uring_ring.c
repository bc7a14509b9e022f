/* SPDX-License-Identifier: MIT
 * uring_ring: setting the ring up, and finding out, by a real echo through it, whether this kernel
 * lets us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "uring_private.h"

enum {
	PROBE_ENTRIES = 8,
	PROBE_BUFFERS = 2,
	PROBE_SIZE = 64,
	PAGE = 4096,
	SUBMIT_TRIES = 1000, /* of a full queue, 1 ms apart */
};

/* liburing unmaps a ring by system calls of its own, of which the thread sanitizer knows nothing:
 * it must be told that the ring of one thread was over before that of another, at the same address,
 * began. */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *at);
void __tsan_release(void *at);
static char ring_order;
#define RING_BEGINS() __tsan_acquire(&ring_order)
#define RING_ENDS()   __tsan_release(&ring_order)
#else
#define RING_BEGINS()
#define RING_ENDS()
#endif

/* SINGLE_ISSUER, DEFER_TASKRUN: completions are made when we wait, not in between (6.1).
 * COOP_TASKRUN, TASKRUN_FLAG: for older kernels, no interrupts for them, but a flag (5.19).
 * SUBMIT_ALL: a request that is refused does not hold up those behind it.
 * CQSIZE: cq_entries is ours. CLAMP: the kernel's limits are not errors.
 * R_DISABLED: restrictions must come before it is enabled. Then the thread that enables it is the
 * single issuer. */
int uring_ring_open(struct io_uring *ring, unsigned entries, unsigned cq_entries)
{
	const unsigned common = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
				IORING_SETUP_R_DISABLED;
	struct io_uring_params p = { .flags = common | IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_DEFER_TASKRUN,
				     .cq_entries = cq_entries };
	int r = io_uring_queue_init_params(entries, ring, &p);

	if (r == -EINVAL) {
		p = (struct io_uring_params){ .flags = common | IORING_SETUP_COOP_TASKRUN |
						       IORING_SETUP_TASKRUN_FLAG,
					      .cq_entries = cq_entries };
		r = io_uring_queue_init_params(entries, ring, &p);
	}
	if (r < 0)
		return r;
	(void)io_uring_register_ring_fd(ring); /* a little faster (5.18) */
	RING_BEGINS();
	return 0;
}

int uring_ring_enable(struct io_uring *ring)
{
	static const uint8_t ops[] = { IORING_OP_ACCEPT, IORING_OP_POLL_ADD, IORING_OP_RECV,
				       IORING_OP_SEND,   IORING_OP_SENDMSG,  IORING_OP_ASYNC_CANCEL,
				       IORING_OP_CLOSE };
	static const uint8_t registers[] = { IORING_REGISTER_FILES_UPDATE,
					     IORING_UNREGISTER_RING_FDS };
	struct io_uring_restriction all[ARRAY_LEN(ops) + ARRAY_LEN(registers) + 1] = { 0 };
	unsigned n = 0;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		all[n++] = (struct io_uring_restriction){ .opcode = IORING_RESTRICTION_SQE_OP,
							  .sqe_op = ops[i] };
	for (size_t i = 0; i < ARRAY_LEN(registers); i++)
		all[n++] = (struct io_uring_restriction){ .opcode = IORING_RESTRICTION_REGISTER_OP,
							  .register_op = registers[i] };
	all[n++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS,
	};
	/* liburing 2.3 declares functions for these, and does not export them */
	r = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, all, n);
	return r < 0 ? r
		     : io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS,
					 NULL, 0);
}

void uring_ring_close(struct io_uring *ring)
{
	RING_ENDS();
	io_uring_queue_exit(ring);
}

/* ---- requests ---- */

void uring_nap(void)
{
	const struct timespec ms = { .tv_nsec = 1000 * 1000 };

	(void)nanosleep(&ms, NULL);
}

void uring_submit(struct uring_state *s)
{
	int r = io_uring_submit(&s->ring);

	if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY)
		s->error = r;
	if (io_uring_sq_ready(&s->ring) == 0)
		s->messages = 0; /* the kernel has copied them */
}

void uring_submit_all(struct uring_state *s)
{
	for (int i = 0; s->error == 0 && io_uring_sq_ready(&s->ring) > 0 && i < SUBMIT_TRIES; i++) {
		if (i > 0)
			uring_nap();
		uring_submit(s);
	}
}

struct io_uring_sqe *uring_sqe(struct uring_state *s)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);

	/* without SQPOLL a submit empties the queue, unless the kernel has no memory for it just
	 * now */
	for (int i = 0; !sqe && s->error == 0 && i < SUBMIT_TRIES; i++) {
		if (i > 0)
			uring_nap();
		uring_submit(s);
		sqe = io_uring_get_sqe(&s->ring);
	}
	if (sqe)
		return sqe;
	if (s->error == 0)
		s->error = -ENOMEM;
	return &s->nowhere;
}

void uring_track(struct conn *c, struct io_uring_sqe *sqe, enum uring_op op)
{
	if (uring_of(c)->fixed) {
		sqe->fd = (int)c->slot;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	sqe->user_data = conn_token(c, op);
	c->inflight++;
}

void uring_cancel(struct uring_state *s, uint64_t token)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_cancel64(sqe, token, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = (uint64_t)URING_CANCEL << 56 | (token & ((1ull << 56) - 1));
}

void uring_register_fd(struct conn *c)
{
	struct uring_state *s = c->worker->state;

	uring_of(c)->entered = true;
	if (c->slot < s->files)
		uring_of(c)->fixed =
			io_uring_register_files_update(&s->ring, c->slot, &c->fd, 1) == 1;
}

void uring_unregister_fd(struct conn *c)
{
	struct uring_state *s = c->worker->state;
	int none = -1;

	if (!uring_of(c)->fixed)
		return;
	uring_of(c)->fixed = false;
	/* the table keeps it until the slot is used again */
	if (io_uring_register_files_update(&s->ring, c->slot, &none, 1) != 1)
		sock_end(c->fd, conn_resets(c));
}

/* With the next submit, which saves a call. The kernel does it before it waits, and does not wait
 * for what is unsent: a socket's close needs no thread of its own there. */
void uring_close_fd(struct worker *w, int fd)
{
	struct uring_state *s = w->state;
	struct io_uring_sqe *sqe = s->error == 0 ? uring_sqe(s) : NULL;

	if (!sqe || s->error != 0) {
		close(fd);
		return;
	}
	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = (uint64_t)URING_CLOSE << 56;
}

/* ---- how large, and what that takes ---- */

unsigned uring_cq_entries(const struct net_config *n)
{
	const struct uring_config *config = n->backend_config;
	unsigned want = config->entries, cq = 1;

	if (config->cq_entries > 0)
		return config->cq_entries;
	if (want < n->slots)
		want = n->slots;
	while (cq < URING_CQ_MAX && cq < 2 * (uint64_t)want)
		cq *= 2;
	return cq;
}

static uint64_t in_pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* KiB that the rings of all workers lock: requests, completions, buffers. The kernel's own head of
 * a ring is less than a page (struct io_rings, linux/io_uring_types.h), and an entry of either
 * queue has an index of four bytes at most in it. */
static uint64_t ring_need_kib(const struct net_config *n)
{
	const struct uring_config *c = n->backend_config;
	const uint64_t cq = uring_cq_entries(n), sq = c->entries < cq ? c->entries : cq;
	const uint64_t bytes = in_pages(sq * sizeof(struct io_uring_sqe)) +
			       in_pages(PAGE + cq * sizeof(struct io_uring_cqe) + sq * 4) +
			       in_pages(c->buffers * sizeof(struct io_uring_buf));

	return bytes / 1024 * n->workers;
}

/* KiB of `ulimit -l`; UINT64_MAX: no limit. */
static uint64_t ring_limit_kib(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_MEMLOCK, &l) < 0 || l.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return l.rlim_cur / 1024;
}

bool uring_memory_may_come(const struct net_config *n)
{
	return ring_limit_kib() < UINT64_MAX && ring_need_kib(n) <= ring_limit_kib();
}

/* Says that memory was lacking, of which kind, and how much there should be. */
static void ring_lacks_memory(const struct net_config *n, char why[BACKEND_WHY_MAX])
{
	const uint64_t need = ring_need_kib(n), limit = ring_limit_kib();
	const char *s = n->workers == 1 ? "" : "s";

	if (limit == UINT64_MAX)
		snprintf(why, BACKEND_WHY_MAX, "no memory for the rings of %u worker%s", n->workers,
			 s);
	else
		snprintf(why, BACKEND_WHY_MAX,
			 "io_uring needs %llu KiB of locked memory for %u worker%s, ulimit -l "
			 "allows %llu%s",
			 (unsigned long long)need, n->workers, s, (unsigned long long)limit,
			 need <= limit ? " for all processes of this user" : "");
}

void uring_lacks(const struct net_config *n, int err, char why[BACKEND_WHY_MAX])
{
	if (err == ENOMEM)
		ring_lacks_memory(n, why);
	else
		snprintf(why, BACKEND_WHY_MAX, "io_uring: %s", strerror(err));
}

/* ---- probe ---- */

struct probe {
	struct io_uring ring;
	struct uring_bufs bufs;
	int pair[2];
};

/* Says why the kernel refuses: its own switch (kernel.io_uring_disabled), or a filter. */
static const char *probe_why_refused(void)
{
	char text[8] = "";
	int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0 && text[0] != '0')
		return "io_uring is disabled (kernel.io_uring_disabled)";
	return "io_uring is blocked (by seccomp or another guard)";
}

static const char *probe_why_no_ring(int err)
{
	switch (err) {
	case ENOSYS: /* seccomp filters answer with it too */
		return "there is no io_uring (kernel too old, or blocked by seccomp)";
	case EPERM:
	case EACCES:
		return probe_why_refused();
	case EINVAL:
		return "this kernel's io_uring is too old (6.0 is needed)";
	case EMFILE:
	case ENFILE:
		return "no descriptor for io_uring";
	default:
		return "io_uring does not work here";
	}
}

/* The result of the next completion, whose flags go to *flags. */
static int probe_wait(struct probe *p, unsigned *flags)
{
	struct __kernel_timespec limit = { .tv_sec = 1 };
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait_timeout(&p->ring, &cqe, 1, &limit, NULL);

	if (r < 0)
		return r;
	if (io_uring_peek_cqe(&p->ring, &cqe) != 0)
		return -EIO;
	r = cqe->res;
	*flags = cqe->flags;
	io_uring_cqe_seen(&p->ring, cqe);
	return r;
}

/* Receives "echo" with a multishot receive and sends it back out of the buffer it came in. */
static int probe_echo(struct probe *p)
{
	static const char word[] = "echo";
	char back[sizeof(word)] = "";
	struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
	unsigned flags = 0;
	int r;

	io_uring_prep_recv_multishot(sqe, p->pair[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	if (io_uring_submit(&p->ring) < 0 || write(p->pair[1], word, sizeof(word)) != sizeof(word))
		return -EIO;
	r = probe_wait(p, &flags);
	if (r < 0)
		return r;
	if (r != sizeof(word) || !(flags & IORING_CQE_F_BUFFER) || !(flags & IORING_CQE_F_MORE))
		return -EIO;
	sqe = io_uring_get_sqe(&p->ring);
	io_uring_prep_send(sqe, p->pair[0],
			   uring_bufs_at(&p->bufs, flags >> IORING_CQE_BUFFER_SHIFT), sizeof(word),
			   MSG_WAITALL | MSG_NOSIGNAL);
	r = probe_wait(p, &flags);
	if (r != sizeof(word))
		return r < 0 ? r : -EIO;
	if (read(p->pair[1], back, sizeof(back)) != sizeof(back) || strcmp(back, word) != 0)
		return -EIO;
	return 0;
}

int uring_probe(const char **why)
{
	struct probe p;
	int r = uring_ring_open(&p.ring, PROBE_ENTRIES, 2 * PROBE_ENTRIES);

	if (r == -ENOMEM)
		return 0; /* init says how much it needs */
	if (r < 0) {
		*why = probe_why_no_ring(-r);
		return r;
	}
	r = uring_bufs_init(&p.bufs, &p.ring, PROBE_BUFFERS, PROBE_SIZE);
	if (r == -ENOMEM) {
		r = 0;
		goto out_ring;
	}
	if (r < 0) {
		*why = "this kernel's io_uring has no rings of buffers (5.19 has), or they are "
		       "blocked";
		goto out_ring;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p.pair) < 0) {
		r = -errno;
		*why = "no descriptors to try io_uring with";
		goto out_bufs;
	}
	r = uring_ring_enable(&p.ring);
	if (r == 0)
		r = probe_echo(&p);
	if (r < 0)
		*why = r == -EINVAL ? "this kernel's io_uring has no multishot receive (6.0 has)"
				    : "an echo through io_uring fails";
	close(p.pair[0]);
	close(p.pair[1]);
out_bufs:
	uring_ring_close(&p.ring);
	uring_bufs_fini(&p.bufs);
	return r;
out_ring:
	uring_ring_close(&p.ring);
	return r;
}
