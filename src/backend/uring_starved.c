/* SPDX-License-Identifier: MIT
 * uring_starved: connections whose receive found no buffer in the ring. As many as there are
 * buffers receive again, first those that got none the last time: a multishot receive may take all
 * that there are, and the kernel lets them run in the order in which they were submitted. Where no
 * buffer is left, and none comes back but from those who owe, who owes nothing is served without
 * (pass.h).
 */
#include "echo/base/base.h"
#include "uring_private.h"

static struct conn *take_first(struct uring_state *s)
{
	struct list *link = list_first(list_empty(&s->unserved) ? &s->starved : &s->unserved);

	list_remove(link);
	return conn_of_backend(container_of(link, struct uring_conn, link));
}

/* No buffer is left. Who owes bytes goes on when its own send has moved. */
static void serve_without(struct uring_state *s)
{
	while (uring_has_starved(s)) {
		struct conn *c = take_first(s);

		if (conn_unsent(c) == 0)
			uring_resume_recv(c);
	}
}

void uring_starved_resume(struct worker *w)
{
	struct uring_state *s = w->state;

	if (w->role->echoes && s->bufs.queued + s->bufs.spare_count == 0)
		serve_without(s);
	for (uint32_t n = s->bufs.queued; n > 0 && uring_has_starved(s);) {
		struct conn *c = take_first(s);

		uring_resume_recv(c);
		n -= uring_of(c)->receiving != RECEIVE_NONE;
	}
	s->scarce -= s->scarce > 0 && !uring_has_starved(s);
}
