/* SPDX-License-Identifier: MIT
 * uring_starved: connections whose receive found no buffer in the ring. As many as there are
 * buffers receive again; where none is left, and none comes back but from those who owe, who owes
 * nothing is served without (pass.h).
 */
#include "echo/base/base.h"
#include "uring_private.h"

static struct conn *take_first(struct uring_state *s)
{
	struct uring_conn *u = container_of(list_first(&s->starved), struct uring_conn, link);

	list_remove(&u->link);
	return conn_of_backend(u);
}

/* No buffer is left. Who owes bytes goes on when its own send has moved. */
static void serve_without(struct uring_state *s)
{
	while (!list_empty(&s->starved)) {
		struct conn *c = take_first(s);

		if (conn_unsent(c) == 0)
			uring_update_recv(c);
	}
}

void uring_starved_resume(struct worker *w)
{
	struct uring_state *s = w->state;

	if (w->role->echoes && s->bufs.queued + s->bufs.spare_count == 0)
		serve_without(s);
	for (uint32_t n = s->bufs.queued; n > 0 && !list_empty(&s->starved);) {
		struct conn *c = take_first(s);

		uring_update_recv(c);
		n -= uring_of(c)->receiving != RECEIVE_NONE;
	}
}
