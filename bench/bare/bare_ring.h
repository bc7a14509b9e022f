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
#include <sys/syscall.h>

enum {
	SQ_ENTRIES = 1024,
	CQ_ENTRIES = 4096, /* more than a turn may bring; all of it is cycled through: cache */
	MAX_BUFS = 4096,
	STAGGER = 64, /* equal strides would put all starts into the same cache sets */
	GROUP = 0,
	MAX_FD = 65536,
};

/* What can be done in another way, to find out what it is worth (bench/ablations). */
struct variant {
	bool quiet;       /* sends that were whole post no completion (docs/performance.md) */
	bool inlined;     /* send(2) at once; a request only for what the socket refuses */
	bool eager;       /* receives try at once instead of polling first */
	bool plain_files; /* no table of files */
	bool packed;      /* buffers at equal strides */
	bool partial;     /* a send ends with what the socket took at once: no WAITALL */
	unsigned buffers, buffer_size;
	unsigned min_wait_us; /* sleep at least so long for more completions (Linux 6.12) */
};

/* What a completion is of: op << 56 | slot. */
enum op { ACCEPT, ACCEPT_LATER, RECV, SEND, CANCEL, STOP, TIMER, WATCH };

struct ring {
	struct io_uring uring;
	struct variant how;
	struct io_uring_buf_ring *bufs;
	size_t stride;
	unsigned char *memory;
	int files; /* entries of the table of registered files */
	int free; /* buffers that the kernel may fill, as far as the completions read so far tell */
};

static inline uint64_t token(enum op op, int slot)
{
	return (uint64_t)op << 56 | (unsigned)slot;
}

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
	return r->memory + (size_t)bid * r->stride;
}

static inline void give(struct ring *r, int bid)
{
	io_uring_buf_ring_add(r->bufs, buffer(r, bid), r->how.buffer_size, (unsigned short)bid,
			      io_uring_buf_ring_mask(r->how.buffers), 0);
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

	if (!r->how.plain_files &&
	    io_uring_register_files_update(&r->uring, (unsigned)fd, &file, 1) < 0)
		fprintf(stderr, "descriptor %d cannot be registered\n", fd);
}

/* "quiet,buffers=64": what the ring does, or the end of the program. */
static inline struct variant ring_variant(char *text)
{
	static const char *const names[] = { "quiet",    "inline",  "eager",   "plain-files",
					     "packed",   "partial", "buffers", "buffer-size",
					     "min-wait", NULL };
	struct variant v = { .buffers = 256, .buffer_size = BARE_CHUNK };
	bool *const flags[] = { &v.quiet,       &v.inlined, &v.eager,
				&v.plain_files, &v.packed,  &v.partial };
	unsigned *const numbers[] = { &v.buffers, &v.buffer_size, &v.min_wait_us };
	const int flag_count = sizeof(flags) / sizeof(*flags);
	char *value;

	while (text && *text) {
		int i = getsubopt(&text, (char *const *)(uintptr_t)names, &value);

		if (i >= 0 && i < flag_count && !value)
			*flags[i] = true;
		else if (i >= flag_count && value)
			*numbers[i - flag_count] = bare_count(value, names[i], 1, BARE_CHUNK);
		else
			bare_usage("--variant: a list of quiet, inline, eager, plain-files, "
				   "packed, partial, buffers=N, buffer-size=N, "
				   "min-wait=MICROSECONDS");
	}
	if (v.buffers & (v.buffers - 1) || v.buffers > MAX_BUFS)
		bare_usage("--variant: buffers must be a power of two, at most %d", MAX_BUFS);
	return v;
}

static inline void ring_open(struct ring *r, char *variant)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = CQ_ENTRIES,
	};
	struct io_uring_buf_reg reg = { .bgid = GROUP };

	r->how = ring_variant(variant);
	r->stride = r->how.buffer_size + (r->how.packed ? 0 : STAGGER);
	reg.ring_entries = r->how.buffers;
	check(io_uring_queue_init_params(SQ_ENTRIES, &r->uring, &params), "io_uring_setup");
	check(io_uring_register_ring_fd(&r->uring), "register ring");
	r->bufs = map(r->how.buffers *
		      sizeof(struct io_uring_buf)); /* setup_buf_ring is liburing 2.4 */
	r->memory = map(r->how.buffers * r->stride);
	reg.ring_addr = (uintptr_t)r->bufs;
	check(io_uring_register_buf_ring(&r->uring, &reg, 0), "register buffers");
	io_uring_buf_ring_init(r->bufs);
	for (int bid = 0; bid < (int)r->how.buffers; bid++)
		give(r, bid);
	if (r->how.plain_files)
		r->files = MAX_FD;
	else
		ring_table(r);
}

/* Ends all requests. The connections are the caller's. */
static inline void ring_close(struct ring *r)
{
	io_uring_queue_exit(&r->uring);
	munmap(r->bufs, r->how.buffers * sizeof(struct io_uring_buf));
	munmap(r->memory, r->how.buffers * r->stride);
	*r = (struct ring){ .files = 0 };
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

static inline struct io_uring_sqe *arm_recv(struct ring *r, int fd, uint64_t data)
{
	struct io_uring_sqe *sqe = ring_sqe(r);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT | (r->how.plain_files ? 0 : IOSQE_FIXED_FILE);
	sqe->buf_group = GROUP;
	if (!r->how.eager) /* nothing is there yet: do not try in vain */
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	io_uring_sqe_set_data64(sqe, data);
	return sqe;
}

static inline struct io_uring_sqe *arm_send(struct ring *r, int fd, const void *span, size_t len,
					    uint64_t data)
{
	struct io_uring_sqe *sqe = ring_sqe(r);

	/* WAITALL: after a short send the kernel waits for room and goes on by itself */
	io_uring_prep_send(sqe, fd, span, len, MSG_NOSIGNAL | (r->how.partial ? 0 : MSG_WAITALL));
	if (!r->how.plain_files)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, data);
	return sqe;
}

/*
 * Submits and waits for one completion, but sleeps at least min_wait_us for more of them. liburing
 * 2.3 cannot: the queue is flushed by hand, and min_wait_us has the place of what was padding.
 */
static inline int ring_wait_min(struct ring *r)
{
	struct io_uring_sq *sq = &r->uring.sq;
	const struct { /* io_uring_getevents_arg, as Linux 6.12 has it */
		uint64_t sigmask;
		uint32_t sigmask_size, min_wait_us;
		uint64_t limit;
	} arg = { .min_wait_us = r->how.min_wait_us };
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
	unsigned count = sq->sqe_tail - sq->sqe_head;

	if (r->uring.int_flags & 1) /* INT_FLAG_REG_RING */
		flags |= IORING_ENTER_REGISTERED_RING;
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	return (int)syscall(SYS_io_uring_enter, r->uring.enter_ring_fd, count, 1, flags, &arg,
			    sizeof(arg));
}

/* The turn's one system call. */
static inline void ring_wait(struct ring *r, bool spin)
{
	int n = r->how.min_wait_us ? ring_wait_min(r)
		: spin             ? io_uring_submit_and_get_events(&r->uring)
				   : io_uring_submit_and_wait(&r->uring, 1);

	if (n < 0 && r->how.min_wait_us)
		n = -errno;
	if (n < 0 && n != -EINTR && n != -ETIME)
		check(n, "wait");
}

static inline void arm_poll(struct ring *r, int fd, uint64_t data)
{
	struct io_uring_sqe *sqe = ring_sqe(r);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, data);
}

#endif
