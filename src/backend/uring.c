/* SPDX-License-Identifier: MIT
 * uring: io_uring. A listener accepts and a connection receives for ever on one request each; what
 * arrives lies in a buffer that the kernel took from the worker's ring, and goes back to the peer
 * from there. One system call a turn submits all that was decided, waits and brings what is done.
 *
 * A request names its connection by slot and generation (conn_token). c->inflight counts those that
 * have not completed for good; a closing connection cancels them and is released by the last.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "uring_private.h"

enum {
	BATCH = 512,     /* completions of a turn */
	GLANCE = 32,     /* of them that are looked at together */
	AHEAD = 6,       /* so many before its turn a connection is fetched */
	MEMORY_MS = 500, /* for a process that has ended to give back what it had locked */
	MEMORY_TRY_MS = 5,
	RESERVE = 4, /* buffers, but at most this part of the pool */
	FILES_MAX = 1 << 20,
	/* IORING_FEAT_RW_ATTR, which liburing 2.3 does not name: Linux 6.14. Since 6.13 a file that
	 * leaves the table is let go at once; before, only when all older requests that use the
	 * table have ended, which here is never. */
	FILES_LET_GO = 1 << 16,
};

/* ---- options ---- */

static int power_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	unsigned v;
	int r = opt_uint.parse(o, text, &v, why);

	if (r < 0)
		return r;
	if (v & (v - 1)) {
		snprintf(why, OPT_ERROR_MAX, "must be a power of two");
		return -EINVAL;
	}
	memcpy(field, &v, sizeof(v));
	return 0;
}

static bool power_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	return opt_uint.print(o, field, nth, text);
}

static const struct opt_type opt_power = { "N", power_parse, power_print };

#define URING_ROWS                                                                                 \
	OPT(uring_config, buffers, opt_power, "256",                                               \
	    "buffers of a worker's receives, a power of two", .min = 1, .max = 32768),             \
		OPT_SIZE(uring_config, buffer_size, "64Ki", 1, 16 << 20,                           \
			 "largest single receive"),                                                \
		OPT(uring_config, entries, opt_power, "1024",                                      \
		    "requests of one submit, a power of two; at most cq_entries", .min = 1,        \
		    .max = 32768),                                                                 \
		OPT(uring_config, cq_entries, opt_power, "0",                                      \
		    "completions of one wait, a power of two; 0: two a connection",                \
		    .max = URING_CQ_MAX)

static const struct opt uring_dial_opts[] = { URING_ROWS, OPT_END };

static const struct opt uring_opts[] = {
	URING_ROWS,
	OPT_UINT(uring_config, conn_buffers, "8", 1, 32768,
		 "buffers that unsent bytes of one connection may hold; more is copied"),
	OPT_END,
};

/* The kernel makes the one as small as the other, which is right for a default alone. */
static int uring_check(struct opt_set *s, const void *options)
{
	const struct uring_config *c = options;

	if (c->cq_entries == 0 || c->entries <= c->cq_entries ||
	    opt_origin_of(s, "io_uring.entries")->level == OPT_DEFAULT)
		return 0;
	return opt_error_at(s, "io_uring.entries", "is more than cq_entries, %u", c->cq_entries);
}

/* ---- the loop ---- */

static void uring_wake_arm(struct worker *w)
{
	struct io_uring_sqe *sqe = uring_sqe(w->state);

	io_uring_prep_poll_add(sqe, w->wake_fd, POLLIN);
	sqe->user_data = (uint64_t)URING_WAKE << 56;
}

static void uring_woken(struct worker *w)
{
	shed_woken(w);
	uring_wake_arm(w);
}

static void uring_poll(struct conn *c, unsigned events)
{
	struct io_uring_sqe *sqe = uring_sqe(c->worker->state);

	io_uring_prep_poll_add(sqe, c->fd, events);
	uring_track(c, sqe, URING_POLL);
	uring_of(c)->polling = true;
}

static int uring_dial(struct conn *c)
{
	/* not OP_CONNECT: that may succeed while the socket is still in SYN-SENT */
	uring_poll(c, POLLOUT);
	return 0;
}

static void uring_dialed(struct conn *c, int res)
{
	int r = res < 0 ? res : sock_connected(c->fd);

	if (r < 0) {
		conn_fail(c, -r);
	} else if (res & POLLOUT) {
		(void)fcntl(c->fd, F_SETFL, O_RDWR); /* the ring waits only where it may block */
		uring_of(c)->single = c->is_unix;
		uring_poll(c, POLLERR | POLLHUP); /* uring_update_recv says what for */
		conn_opened(c);
		uring_update_recv(c);
	} else {
		uring_dial(c);
	}
}

static void uring_polled(struct conn *c, const struct io_uring_cqe *cqe)
{
	uring_of(c)->polling = false;
	if (c->state == CONN_DIALING) {
		uring_dialed(c, cqe->res);
	} else if (c->state == CONN_OPEN) {
		uring_conn_died(c);
		uring_update_recv(c);
	}
}

static void uring_conn_event(struct worker *w, const struct io_uring_cqe *cqe)
{
	static void (*const done[])(struct conn *, const struct io_uring_cqe *) = {
		[URING_RECV] = uring_received,
		[URING_SEND] = uring_sent,
		[URING_POLL] = uring_polled,
	};
	struct conn *c = conn_find(w, cqe->user_data);

	assert(c && c->inflight > 0); /* no slot is reused while the kernel can name it */
	if (!(cqe->flags & IORING_CQE_F_MORE))
		c->inflight--;
	done[conn_token_op(cqe->user_data)](c, cqe);
	if (c->inflight == 0 && c->state == CONN_CLOSING && uring_of(c)->closing) {
		uring_unregister_fd(c);
		conn_release(c);
	}
}

static void uring_dispatch(struct worker *w, const struct io_uring_cqe *cqe)
{
	switch (conn_token_op(cqe->user_data)) {
	case URING_ACCEPT:
		uring_accepted(w, cqe);
		break;
	case URING_WAKE:
		uring_woken(w);
		break;
	case URING_CANCEL:
		uring_not_cancelled(w, cqe);
		break;
	case URING_CLOSE: /* an error of close(2): the descriptor is gone all the same */
		break;
	default:
		uring_conn_event(w, cqe);
	}
}

/* Some are looked at before it is their turn, so that their connections are in the cache then. */
static void uring_dispatch_all(struct worker *w)
{
	struct uring_state *s = w->state;
	struct io_uring_cqe *next[GLANCE];
	unsigned ready = io_uring_cq_ready(&s->ring), left = ready < BATCH ? ready : BATCH, n;

	w->found = left;
	/* what finds no room waits in the kernel, which says so, and comes with the next call */
	if (ready >= s->room && (IO_URING_READ_ONCE(*s->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW))
		stats_add(&w->stats.overflowed, 1);
	for (; left > 0; left -= n) {
		n = io_uring_peek_batch_cqe(&s->ring, next, left < GLANCE ? left : GLANCE);
		assert(n > 0);
		for (unsigned i = 0; i < n; i++) {
			const struct io_uring_cqe cqe = *next[i];

			if (i + AHEAD < n)
				conn_prefetch(w, next[i + AHEAD]->user_data);
			io_uring_cq_advance(&s->ring, 1); /* a submit may need the room */
			uring_dispatch(w, &cqe);
		}
	}
}

/* For all that has come: the kernel makes the completions of some 20 requests in one call that does
 * not wait (Linux 6.14). */
static int uring_reap_all(struct uring_state *s)
{
	unsigned before;
	int r;

	do {
		before = io_uring_cq_ready(&s->ring);
		r = io_uring_submit_and_get_events(&s->ring);
	} while (r >= 0 && io_uring_cq_ready(&s->ring) > before &&
		 io_uring_cq_ready(&s->ring) < BATCH);
	return r;
}

static int uring_wait(struct uring_state *s, int64_t wait_ns)
{
	struct __kernel_timespec limit = { .tv_sec = wait_ns / SEC(1),
					   .tv_nsec = wait_ns % SEC(1) };
	struct io_uring_cqe *cqe;

	if (wait_ns == 0 || io_uring_cq_ready(&s->ring) > 0)
		return io_uring_submit_and_get_events(&s->ring);
	if (wait_ns < 0)
		return io_uring_submit_and_wait(&s->ring, 1);
	return io_uring_submit_and_wait_timeout(&s->ring, &cqe, 1, &limit, NULL);
}

static int uring_look(struct worker *w)
{
	struct uring_state *s = w->state;
	int r = io_uring_submit_and_get_events(&s->ring);

	return r < 0 ? r : io_uring_cq_ready(&s->ring) > 0;
}

static int uring_wait_events(struct worker *w, int64_t wait_ns)
{
	int r = busy_poll_look(w, wait_ns, uring_look);

	return r != 0 ? r : uring_wait(w->state, wait_ns);
}

static int uring_turn(struct worker *w, int64_t wait_ns)
{
	struct uring_state *s = w->state;
	int r;

	uring_starved_resume(w);
	if (uring_has_starved(s) && s->bufs.queued > 0)
		wait_ns = 0; /* the next turn may find that those served had nothing to receive */
	r = w->late_turns > 0 ? uring_reap_all(s) : uring_wait_events(w, wait_ns);
	if (io_uring_sq_ready(&s->ring) == 0)
		s->messages = 0;
	if (r < 0 && r != -EINTR && r != -ETIME && r != -EAGAIN && r != -EBUSY)
		return r;
	if (r == -EAGAIN && io_uring_cq_ready(&s->ring) == 0)
		uring_nap();
	/* the kernel had no memory for what was submitted, or for all of it, or was interrupted:
	 * this turn tells nothing of what has come, and deadlines wait for one that does */
	w->blind = (r < 0 && r != -ETIME) || io_uring_sq_ready(&s->ring) > 0;
	if (w->blind)
		uring_deadlines_wait(w);
	worker_woke(w);
	uring_dispatch_all(w);
	return s->error;
}

/* ---- set-up ---- */

/* A table of files, so that no request has to look its file up and count it. Without one it works
 * too. */
static void uring_init_files(struct worker *w)
{
	struct uring_state *s = w->state;
	struct rlimit limit = { .rlim_cur = 0 };
	uint32_t n = w->config->slots < FILES_MAX ? w->config->slots : FILES_MAX;

	if (!(s->ring.features & FILES_LET_GO) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (n > limit.rlim_cur)
		n = (uint32_t)limit.rlim_cur; /* the kernel takes no larger table */
	if (io_uring_register_files_sparse(&s->ring, n) == 0)
		s->files = n;
}

static int uring_init_rings(struct worker *w)
{
	struct uring_state *s = w->state;
	const struct uring_config *config = w->config->backend_config;
	unsigned cq = uring_cq_entries(w->config);
	int r;

	r = uring_ring_open(&s->ring, config->entries < cq ? config->entries : cq, cq);
	if (r < 0)
		return r;
	s->room = *s->ring.cq.kring_entries;
	r = uring_bufs_init(&s->bufs, &s->ring, config->buffers, config->buffer_size);
	if (r < 0)
		uring_ring_close(&s->ring);
	return r;
}

static int uring_init(struct worker *w)
{
	struct uring_state *s = w->state;
	const struct uring_config *config = w->config->backend_config;
	int64_t until_ns = clock_now_ns() + MSEC(MEMORY_MS);
	int r = uring_init_rings(w);

	while (r == -ENOMEM && uring_memory_may_come(w->config) && clock_now_ns() < until_ns) {
		clock_sleep_until(clock_now_ns() + MSEC(MEMORY_TRY_MS));
		r = uring_init_rings(w);
	}
	if (r < 0)
		return r;
	uring_init_files(w);
	r = uring_ring_enable(&s->ring);
	if (r < 0) {
		uring_ring_close(&s->ring);
		uring_bufs_fini(&s->bufs);
		return r;
	}
	s->conn_buffers = config->conn_buffers;
	s->reserve = size_min(RESERVE * s->bufs.size, w->config->max_unsent_total / RESERVE);
	list_init(&s->starved);
	list_init(&s->unserved);
	for (unsigned i = 0; i < ARRAY_LEN(s->listeners); i++)
		s->listeners[i].acceptor.fd = -1;
	uring_wake_arm(w);
	return 0;
}

/* The loop was left at once: what the kernel has received nobody will deliver any more. A FIN would
 * say that the peer was owed nothing. */
static void uring_drop_received(struct worker *w)
{
	struct uring_state *s = w->state;
	struct io_uring_cqe *cqe;
	struct conn *c;

	for (; io_uring_peek_batch_cqe(&s->ring, &cqe, 1) == 1; io_uring_cq_advance(&s->ring, 1)) {
		if (conn_token_op(cqe->user_data) != URING_RECV || cqe->res <= 0 ||
		    !(cqe->flags & IORING_CQE_F_BUFFER))
			continue;
		c = conn_find(w, cqe->user_data);
		if (c)
			c->owing |= !c->fin;
	}
}

static void uring_fini(struct worker *w)
{
	struct uring_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->listeners); i++) {
		if (s->listeners[i].acceptor.fd >= 0)
			acceptor_fini(&s->listeners[i].acceptor);
	}
	uring_submit_all(s); /* there may be something to close */
	uring_drop_received(w);
	assert(w->live > 0 || uring_bufs_all_back(&s->bufs));
	s->error = -ECANCELED;
	uring_ring_close(&s->ring);
	uring_bufs_fini(&s->bufs);
}

/* What the ring does for us is no system call of ours: uring_ring_enable limits that. */
static const struct backend_call uring_calls[] = {
	{ .number = SYS_io_uring_enter },
	{ .number = SYS_io_uring_register },
	BACKEND_CALLS_END,
};

const struct backend_ops backend_uring = {
	.name = "io_uring",
	.help = "completions: one system call a turn, buffers that the kernel takes from a ring",
	.caps = BACKEND_ACCEPT | BACKEND_CONNECT,
	.state_size = sizeof(struct uring_state),
	.conn_size = sizeof(struct uring_conn),
	.opts = uring_opts,
	.dial_opts = uring_dial_opts,
	.config_size = sizeof(struct uring_config),
	.check = uring_check,
	.probe = uring_probe,
	.init = uring_init,
	.lacks = uring_lacks,
	.fini = uring_fini,
	.turn = uring_turn,
	.listen = uring_listen,
	.unlisten = uring_unlisten,
	.serve = uring_serve,
	.dial = uring_dial,
	.send = uring_send,
	.shutdown = uring_shutdown,
	.close = uring_close,
	.close_fd = uring_close_fd,
	.detach = uring_detach,
	.owed = uring_owed,
	.attach = uring_attach,
	.calls = uring_calls,
};
