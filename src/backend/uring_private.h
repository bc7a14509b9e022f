/* SPDX-License-Identifier: MIT
 * uring_private: what the files of the io_uring backend share: the ring (uring_ring.c), its buffers
 * (uring_bufs.c), what a connection receives (uring_conn.c) and sends (uring_send.c), those that
 * find no buffer (uring_starved.c), the backend (uring.c).
 */
#ifndef ECHO_BACKEND_URING_PRIVATE_H
#define ECHO_BACKEND_URING_PRIVATE_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "echo/base/list.h"
#include "echo/net/acceptor.h"
#include "echo/net/backend.h"
#include "echo/net/worker.h"

enum {
	URING_NONE = UINT16_MAX + 1, /* no buffer: the ids of buffers have 16 bits */
	URING_VECTORS = 16,          /* of one send */
	URING_MESSAGES = 64,         /* sends with vectors between two submits */
	URING_CQ_MAX = 65536,
};

/* What completions are of. The first three name a connection and are counted in its inflight; a
 * cancel names an operation, which may be gone by then. */
enum uring_op {
	URING_RECV,
	URING_SEND,
	URING_POLL,
	URING_CANCEL,
	URING_ACCEPT,
	URING_WAKE,
	URING_CLOSE
};

struct uring_config {
	unsigned buffers;
	uint64_t buffer_size;
	unsigned entries, cq_entries, conn_buffers;
};

/* ---- uring_bufs.c: the buffers that the kernel receives into ---- */

/* What a buffer holds that was taken from the ring. */
struct uring_span {
	uint32_t off, len;
	uint16_t next; /* in a uring_queue, unless it is the last */
};

/* Buffers in order of arrival. */
struct uring_queue {
	uint16_t first, last, count; /* first and last mean nothing while count is 0 */
};

struct uring_bufs {
	struct io_uring_buf_ring *ring;
	struct uring_span *spans; /* by id */
	char *memory;
	size_t size, stride;
	char *scratch;  /* one more, which never lies in the ring */
	size_t map_len; /* of all, from the ring on */
	uint32_t count;
	uint32_t queued; /* in the ring, as far as the completions read so far tell */
	uint32_t depth;  /* so many are kept there, if there are so many */
	uint32_t spare_count;
	uint16_t *spare; /* those that are in no use: the last one given back is the first taken */
};

/* Registers the buffers with @ring. Returns 0 or -errno. */
int uring_bufs_init(struct uring_bufs *b, struct io_uring *ring, unsigned count, size_t size);
void uring_bufs_fini(struct uring_bufs *b);

/* A buffer that is not in use any more goes back to the kernel. */
void uring_bufs_give(struct uring_bufs *b, uint32_t id);

/* A completion gave us buffer @id with @len bytes. */
void uring_bufs_take(struct uring_bufs *b, uint32_t id, uint32_t len);

/* A receive found none in the ring: more are kept there from now on. */
void uring_bufs_deepen(struct uring_bufs *b);

static inline char *uring_bufs_at(const struct uring_bufs *b, uint32_t id)
{
	return b->memory + id * b->stride;
}

/* So few are left for the kernel that what has to wait is better copied out of them. */
static inline bool uring_bufs_scarce(const struct uring_bufs *b)
{
	return b->queued + b->spare_count <= b->count / 4;
}

/* Nobody holds one: each lies in the ring or is in no use. */
static inline bool uring_bufs_all_back(const struct uring_bufs *b)
{
	return b->queued + b->spare_count == b->count;
}

void uring_queue_put(struct uring_bufs *b, struct uring_queue *q, uint32_t id);
uint32_t uring_queue_take(struct uring_bufs *b, struct uring_queue *q);

/* ---- uring_ring.c ---- */

/* Sets up a ring, which takes no request before it is enabled. Returns 0 or -errno. */
int uring_ring_open(struct io_uring *ring, unsigned entries, unsigned cq_entries);
/* From now on it serves the calling thread alone, and does nothing but what this backend asks for:
 * with a ring a thread could open files and sockets past any filter of system calls. What is to be
 * registered has been, but for what enters the table of files. Returns 0 or -errno. */
int uring_ring_enable(struct io_uring *ring);
void uring_ring_close(struct io_uring *ring);

/* Whether this kernel can do all that we ask of it, by doing it: ops->probe. */
int uring_probe(const char **why);

/* Completions that the ring of a worker has room for. */
unsigned uring_cq_entries(const struct net_config *n);

/* The rings could not be had for want of memory: whether it may be there soon. Of a user without
 * CAP_IPC_LOCK they count as locked memory, which all processes of that user share, and which is
 * given back some time after one has ended. */
bool uring_memory_may_come(const struct net_config *n);

/* ops->lacks. */
void uring_lacks(const struct net_config *n, int err, char why[BACKEND_WHY_MAX]);

/* ---- the state of a worker and of a connection ---- */

struct uring_message {
	struct msghdr head;
	struct iovec v[URING_VECTORS];
};

struct uring_listener {
	struct acceptor acceptor;
	bool armed;   /* an accept, or a poll before it, is in flight */
	bool polling; /* it is the poll */
	bool ending;
};

struct uring_state {
	struct io_uring ring;
	struct uring_bufs bufs;
	int error;     /* -errno: the ring takes no more requests, or is over */
	unsigned room; /* completions that the ring holds */
	unsigned deliveries;
	unsigned conn_buffers;
	uint32_t files;   /* slots in the table of registered files; 0: there is none */
	uint32_t spilled; /* blocks of the pool */
	size_t reserve;   /* of the pool: for those that owe nothing yet */
	uint64_t lent;    /* sum of c->lent_len: each such byte has a claim on the pool */
	/* their receive ended for want of a buffer: it had brought bytes before that, or none */
	struct list starved, unserved;
	/* turns: buffers are scarce until none of so many found too few */
	unsigned scarce;
	unsigned withheld; /* turns in a row in which those in `starved` were not to receive */
	struct uring_listener listeners[WORKER_LISTENERS_MAX];
	unsigned messages; /* in use by requests that are not submitted yet */
	struct uring_message message[URING_MESSAGES];
	char block[UNSENT_BLOCK];    /* what is delivered of what was spilled */
	struct io_uring_sqe nowhere; /* what is written when error is set */
};

/* RECEIVE_POLL: a poll, and what has come is passed on without a buffer (pass.h) */
enum uring_receiving { RECEIVE_NONE, RECEIVE_MULTI, RECEIVE_ONCE, RECEIVE_POLL };
enum uring_sending { SEND_NONE, SEND_LENT, SEND_OUT, SEND_SPAN };

struct uring_conn {
	struct uring_queue lent; /* delivered, to be sent as they lie; before c->out */
	struct uring_queue held; /* received, not delivered yet, as they lie; after `spilled` */
	uint8_t receiving, sending;
	bool cancelling : 1;  /* the receive */
	bool polling : 1;     /* for the outcome of connect, then for a reset */
	bool dead : 1;        /* no wake-up comes for what it still has: single receives find out */
	bool eof : 1;         /* received; delivered after what is held */
	bool fixed : 1;       /* its descriptor is in the table of files, at its slot */
	bool closing : 1;     /* ops->close was called */
	bool send_failed : 1; /* what the receive still brings comes before that */
	bool leaving : 1;     /* all that is in flight is being cancelled: it is MOVING */
	bool full : 1;        /* its socket takes nothing: the poll waits for that */
	bool single : 1;      /* no multishot receive: it is a unix socket */
	bool entered : 1;     /* uring_register_fd was called */
	bool paused : 1;      /* nothing is received until what is unsent has drained */
	bool brought : 1;     /* the receive, bytes */
	struct unsent spilled; /* as `held`, copied to the pool */
	struct list link;      /* in s->starved or s->unserved */
	int failed;            /* errno of its socket that came while it was MOVING, or 0 */
};

static_assert(sizeof(struct conn) / CONN_LINE ==
		      (sizeof(struct conn) + offsetof(struct uring_conn, spilled.len) +
		       sizeof(size_t) - 1) /
			      CONN_LINE,
	      "what every message needs is in one cache line");

static inline struct uring_conn *uring_of(const struct conn *c)
{
	return conn_backend(c);
}

/* The turns that follow tell of what has come by now: deadlines wait for one that finds nothing,
 * but for no more than after a pause (worker.c's LATE_TURNS). */
enum { URING_LATE = 4 };
static inline void uring_deadlines_wait(struct worker *w)
{
	if (w->late_turns <= URING_LATE)
		w->late_turns = URING_LATE + 1; /* this turn takes one away */
}

/* A request to fill; never NULL. A full queue is submitted. */
struct io_uring_sqe *uring_sqe(struct uring_state *s);
/* The same for a connection, whose inflight it counts; call it after the request's own prep. */
void uring_track(struct conn *c, struct io_uring_sqe *sqe, enum uring_op op);
/* Its descriptor enters the table of files, and leaves it: only then can close end the connection.
 */
void uring_register_fd(struct conn *c);
void uring_unregister_fd(struct conn *c);
/* ops->close_fd. */
void uring_close_fd(struct worker *w, int fd);
/* Asks for the end of the request with this token; tells nothing when it worked. */
void uring_cancel(struct uring_state *s, uint64_t token);
void uring_submit(struct uring_state *s);
/* The same until nothing is left to submit, for a second where the kernel has no memory. */
void uring_submit_all(struct uring_state *s);
/* For a millisecond: the kernel has no memory for what is submitted, and an immediate retry would
 * spin. */
void uring_nap(void);

/* ---- uring_listen.c ---- */

int uring_listen(struct worker *w, int fd);
/* ops->serve: what was accepted. */
void uring_serve(struct worker *w, int fd);
/* Nothing is accepted after this: waits for the end of the accept itself, and meanwhile delivers
 * whatever else comes. */
void uring_unlisten(struct worker *w, int fd, bool drain);
void uring_accepted(struct worker *w, const struct io_uring_cqe *cqe);

/* ---- uring_send.c ---- */

/* Sends back what lies in buffer @id, or a copy of @len bytes of a span; there was room. The buffer
 * is given back when that has gone, or at once if it was copied. */
void uring_echo_buffer(struct conn *c, uint32_t id);
void uring_echo_copy(struct conn *c, const void *span, size_t len);
void uring_send(struct conn *c);
/* A send has ended with @res: accounts for it, and sends what follows or tells the role. */
void uring_send_completed(struct conn *c, int res);

/* ---- uring_conn.c ---- */

/* Receives, or not, or less, as the connection's state wants it. */
void uring_update_recv(struct conn *c);
/* The same of one that has waited for a buffer and is in no list any more. */
void uring_resume_recv(struct conn *c);
/* Its end has come, and no wake-up tells of what lies before it: single receives find out, before
 * any deadline is judged. */
static inline void uring_conn_died(struct conn *c)
{
	uring_of(c)->dead = true;
	uring_deadlines_wait(c->worker);
}
/* The same, and before that delivers what is held, as far as there is room for what comes back. */
void uring_catch_up(struct conn *c);

/* Completions of a receive and of a send. */
void uring_received(struct conn *c, const struct io_uring_cqe *cqe);
void uring_sent(struct conn *c, const struct io_uring_cqe *cqe);
void uring_shutdown(struct conn *c);
void uring_close(struct conn *c);
/* Asks for the end of all that is in flight of a connection that is closing. */
void uring_cancel_all(struct conn *c);
/* The completion of a cancel, which found nothing. */
void uring_not_cancelled(struct worker *w, const struct io_uring_cqe *cqe);

/* ---- uring_starved.c ---- */

static inline bool uring_has_starved(const struct uring_state *s)
{
	return !list_empty(&s->starved) || !list_empty(&s->unserved);
}
/* It is to receive, behind those that have waited longer for a buffer. */
static inline void uring_await_buffer(struct uring_state *s, struct uring_conn *u)
{
	list_append(u->brought ? &s->starved : &s->unserved, &u->link);
}
/* A receive found none. */
enum { URING_SCARCE = 2 };
static inline void uring_no_buffer(struct uring_state *s)
{
	uring_bufs_deepen(&s->bufs);
	s->scarce = URING_SCARCE;
}
/* A receive ended because the kernel had no room for its next completion. Whether others found no
 * buffer is told when there is: it waits like them. */
static inline void uring_no_room(struct uring_state *s)
{
	s->scarce = URING_SCARCE;
}
/* At the beginning of a turn: those that wait for a buffer. */
void uring_starved_resume(struct worker *w);

/* ---- uring_move.c: members of the ops ---- */

int uring_detach(struct conn *c);
void uring_owed(const struct conn *c, void (*each)(void *arg, const void *span, size_t len),
		void *arg);
int uring_attach(struct conn *c);

#endif
