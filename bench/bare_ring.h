/* SPDX-License-Identifier: MIT
 * bare_ring: an io_uring as the bare loop wants it: one thread, completions run when it waits, a
 * ring of buffers that all connections share, a table of files by descriptor, and the three
 * requests that server and client both make. Written for liburing 2.3, whose pieces newer versions
 * still have.
 */
#ifndef BENCH_BARE_RING_H
#define BENCH_BARE_RING_H

#include "bare.h"
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>

enum {
	SQ_ENTRIES = 1024,
	CQ_ENTRIES = 4096, /* more than a turn may bring; all of it is cycled through: cache */
	BUFS = 256,
	STRIDE = BARE_CHUNK + 64, /* equal strides would put all starts into the same cache sets */
	GROUP = 0,
	MAX_FD = 65536,
};

struct ring {
	struct io_uring uring;
	struct io_uring_buf_ring *bufs;
	unsigned char *memory;
	int files; /* entries of the table of registered files */
	int free; /* buffers that the kernel may fill, as far as the completions read so far tell */
};

static inline void check(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	bare_die(BARE_EXIT_ENVIRONMENT, what);
}

/* mmap, not malloc: valgrind and the sanitizers then believe what the kernel writes there. */
static inline void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bare_die(BARE_EXIT_ENVIRONMENT, "mmap");
	return p;
}

static inline unsigned char *buffer(const struct ring *r, int bid)
{
	return r->memory + (size_t)bid * STRIDE;
}

static inline void give(struct ring *r, int bid)
{
	io_uring_buf_ring_add(r->bufs, buffer(r, bid), BARE_CHUNK, (unsigned short)bid,
			      io_uring_buf_ring_mask(BUFS), 0);
	io_uring_buf_ring_advance(r->bufs, 1);
	r->free++;
}

/*
 * A table of files by descriptor, so that no request has to look its file up and count it. Its
 * references are its own: an entry must go before close() can end the connection.
 */
static inline void ring_table(struct ring *r)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	getrlimit(RLIMIT_NOFILE, &limit); /* the kernel takes no larger table */
	r->files = limit.rlim_cur < MAX_FD ? (int)limit.rlim_cur : MAX_FD;
	check(io_uring_register_files_sparse(&r->uring, (unsigned)r->files), "register files");
}

static inline void ring_file(struct ring *r, int fd, bool on)
{
	int file = on ? fd : -1;

	if (io_uring_register_files_update(&r->uring, (unsigned)fd, &file, 1) < 0)
		fprintf(stderr, "descriptor %d cannot be registered\n", fd);
}

static inline void ring_open(struct ring *r)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = CQ_ENTRIES,
	};
	struct io_uring_buf_reg reg = { .ring_entries = BUFS, .bgid = GROUP };

	check(io_uring_queue_init_params(SQ_ENTRIES, &r->uring, &params), "io_uring_setup");
	check(io_uring_register_ring_fd(&r->uring), "register ring");
	r->bufs = map(BUFS * sizeof(struct io_uring_buf)); /* setup_buf_ring is liburing 2.4 */
	r->memory = map((size_t)BUFS * STRIDE);
	reg.ring_addr = (uintptr_t)r->bufs;
	check(io_uring_register_buf_ring(&r->uring, &reg, 0), "register buffers");
	io_uring_buf_ring_init(r->bufs);
	for (int bid = 0; bid < BUFS; bid++)
		give(r, bid);
	ring_table(r);
}

static inline struct io_uring_sqe *ring_sqe(struct ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);

	if (!sqe) { /* full: without SQPOLL a submit empties it */
		check(io_uring_submit(&r->uring), "submit");
		sqe = io_uring_get_sqe(&r->uring);
	}
	return sqe;
}

static inline void arm_recv(struct ring *r, int fd, uint64_t data)
{
	struct io_uring_sqe *sqe = ring_sqe(r);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
	sqe->buf_group = GROUP;
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST; /* nothing is there yet: do not try in vain */
	io_uring_sqe_set_data64(sqe, data);
}

static inline void arm_send(struct ring *r, int fd, const void *span, size_t len, uint64_t data)
{
	struct io_uring_sqe *sqe = ring_sqe(r);

	/* WAITALL: after a short send the kernel waits for room and goes on by itself */
	io_uring_prep_send(sqe, fd, span, len, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, data);
}

static inline void arm_poll(struct ring *r, int fd, uint64_t data)
{
	struct io_uring_sqe *sqe = ring_sqe(r);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, data);
}

#endif
