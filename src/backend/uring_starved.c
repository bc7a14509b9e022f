/* SPDX-License-Identifier: MIT
 * uring_starved: connections whose receive found no buffer in the ring. As many as there are
 * buffers receive again, first those that got none the last time: a multishot receive may take all
 * that there are, and the kernel lets them run in the order in which they were submitted. Where no
 * buffer is left, and none comes back but from those who owe, who owes nothing is served without
 * (pass.h).
 */
#include "echo/base/base.h"
#include "uring_private.h"

enum { WITHHOLD_TURNS = 8 }; /* in a row, where there is always more to tell */

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

/* Completions that had no room may be of receives that got no buffer. Who got some waits for them:
 * to receive before they are told would be to take all once more. */
static bool must_withhold(struct uring_state *s)
{
	const bool more = (IO_URING_READ_ONCE(*s->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;

	s->withheld = more && s->withheld < WITHHOLD_TURNS ? s->withheld + 1 : 0;
	return s->withheld > 0;
}

void uring_starved_resume(struct worker *w)
{
	struct uring_state *s = w->state;
	bool only_unserved;

	if (w->role->echoes && s->bufs.queued + s->bufs.spare_count == 0)
		serve_without(s);
	only_unserved = !list_empty(&s->starved) && must_withhold(s);
	for (uint32_t n = s->bufs.queued; n > 0 && uring_has_starved(s);) {
		struct conn *c;

		if (only_unserved && list_empty(&s->unserved))
			break;
		c = take_first(s);
		uring_resume_recv(c);
		n -= uring_of(c)->receiving != RECEIVE_NONE;
	}
	s->scarce -= s->scarce > 0 && !uring_has_starved(s);
}
