/* SPDX-License-Identifier: MIT
 * bare_ring_client: a bare client's loop on io_uring, for one server or for several in turn: slot k
 * of a request is peer k % conns of client k / conns.
 */
#ifndef BENCH_BARE_RING_CLIENT_H
#define BENCH_BARE_RING_CLIENT_H

#include "bare_client.h"
#include "bare_ring.h"

static inline void ring_client_send(struct ring *r, const struct bare_client *cl,
				    struct bare_peer *p, int slot)
{
	const unsigned char *span;
	uint32_t len;

	if (p->sending || p->unsent == 0)
		return;
	p->sending = true;
	span = bare_client_span(cl, p, &len);
	arm_send(r, p->fd, span, len, token(SEND, slot));
}

static inline void ring_client_received(struct ring *r, struct bare_client *cl, struct bare_peer *p,
					const struct io_uring_cqe *cqe)
{
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		int bid = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

		if (cqe->res > 0)
			bare_client_data(cl, p, buffer(r, bid), (uint32_t)cqe->res);
		give(r, bid);
	}
	if (cqe->res == 0) {
		errno = ECONNRESET; /* an end of input is as bad: we are owed bytes */
		bare_die(BARE_EXIT_FAILED, "recv");
	} else if (cqe->res < 0 && cqe->res != -ENOBUFS) {
		errno = -cqe->res;
		bare_die(BARE_EXIT_FAILED, "recv");
	}
	/* ENOBUFS: this turn gives all buffers back, and then submits */
	if (!(cqe->flags & IORING_CQE_F_MORE))
		arm_recv(r, p->fd, cqe->user_data);
	ring_client_send(r, cl, p, (int)(uint32_t)cqe->user_data);
}

static inline void ring_client_completed(struct ring *r, struct bare_client *cls,
					 const struct io_uring_cqe *cqe)
{
	int slot = (int)(uint32_t)cqe->user_data;
	struct bare_client *cl = &cls[(unsigned)slot / cls->o->conns];
	struct bare_peer *p = &cl->peers[(unsigned)slot % cls->o->conns];

	switch ((enum op)(cqe->user_data >> 56)) {
	case RECV:
		ring_client_received(r, cl, p, cqe);
		break;
	case SEND:
		if (cqe->res < 0) {
			errno = -cqe->res;
			bare_die(BARE_EXIT_FAILED, "send");
		}
		p->sending = false;
		bare_client_sent(p, (uint32_t)cqe->res);
		ring_client_send(r, cl, p, slot);
		break;
	default: /* TIMER */
		bare_client_tick(cls);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			arm_poll(r, cls->timer, token(TIMER, 0));
		break;
	}
}

/* Receives on all connections of @count clients, and sends what each may. */
static inline void ring_client_open(struct ring *r, struct bare_client *cls, unsigned count)
{
	for (unsigned k = 0; k < count * cls->o->conns; k++) {
		struct bare_client *cl = &cls[k / cls->o->conns];
		struct bare_peer *p = &cl->peers[k % cls->o->conns];

		ring_file(r, p->fd, true);
		arm_recv(r, p->fd, token(RECV, (int)k));
		ring_client_send(r, cl, p, (int)k);
	}
}

/* One wait and all it brought. */
static inline void ring_client_turn(struct ring *r, struct bare_client *cls, bool spin)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	ring_wait(r, spin);
	io_uring_for_each_cqe(&r->uring, head, cqe)
	{
		ring_client_completed(r, cls, cqe);
		n++;
	}
	io_uring_cq_advance(&r->uring, n);
}

#endif
