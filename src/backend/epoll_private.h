/* SPDX-License-Identifier: MIT
 * epoll_private: what the two halves of the epoll backend share: epoll.c waits and dispatches,
 * epoll_io.c receives and sends.
 */
#ifndef BACKEND_EPOLL_PRIVATE_H
#define BACKEND_EPOLL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "echo/base/list.h"
#include "echo/net/acceptor.h"
#include "echo/net/worker.h"

enum { EPOLL_EVENTS = 256 }; /* of one wait */

/* Bits of c->backend_flags. */
enum {
	EPOLL_READABLE = 1,  /* may have more to receive: only recv knows */
	EPOLL_TO_EAGAIN = 2, /* until then a short receive does not mean that the socket is empty */
	EPOLL_FULL = 4,      /* its socket refused what pass_step looked at: until EPOLLOUT */
	EPOLL_PAUSED = 8,    /* is not read from until its queue has drained */
	EPOLL_UNIX = 16,     /* a receive ends where descriptors or credentials came beside bytes:
				a short one never means that the socket is empty */
};

/* What the backend keeps of a connection. */
struct epoll_conn {
	struct list link; /* in the ready list, or not */
};

struct epoll_state {
	int fd;
	char *scratch;
	size_t scratch_len;
	uint32_t ample; /* with so many free blocks in the pool a receive may fill the scratch */
	unsigned deliveries;
	struct list ready; /* have something to do that no event will announce */
	struct acceptor acceptors[WORKER_LISTENERS_MAX];
	struct epoll_event events[EPOLL_EVENTS];
};

static inline struct epoll_conn *epoll_of(const struct conn *c)
{
	return conn_backend(c);
}

/* Receives until the socket is empty, the role has enough, or the budget is spent. */
void epoll_read(struct conn *c);
/* The socket takes bytes again, of which some are unsent. */
void epoll_flush(struct conn *c);
/* One pass over those that were ready when it began. */
void epoll_run_ready(struct worker *w);

/* Members of the ops. */
void epoll_send(struct conn *c);
void epoll_shutdown(struct conn *c);
void epoll_close(struct conn *c);

#endif
