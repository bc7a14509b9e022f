/* SPDX-License-Identifier: MIT
 * uring_move: a connection of the io_uring backend changes processes. All that is in flight of it
 * is cancelled, and what its completions still bring stays in the queues; when the last one has
 * come, and its descriptor has left the table of files, nothing names it any more. A send that is
 * cancelled has sent nothing: one that has taken a part ends with its count.
 */
#include <errno.h>
#include <fcntl.h>

#include "echo/base/base.h"
#include "uring_private.h"

/* As uring_unregister_fd, but the connection goes on: where the table keeps the file it must not
 * leave. */
static int move_disown(struct conn *c)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);
	int none = -1;

	if (u->fixed && io_uring_register_files_update(&s->ring, c->slot, &none, 1) != 1)
		return -EBUSY;
	u->fixed = false;
	return 1;
}

int uring_detach(struct conn *c)
{
	struct uring_conn *u = uring_of(c);

	list_remove(&u->link);
	if (c->inflight > 0) {
		if (!u->leaving)
			uring_cancel_all(c);
		u->leaving = true;
		return 0;
	}
	if (u->failed)
		return -u->failed;
	return move_disown(c);
}

static void owed_of_queue(const struct uring_bufs *b, struct uring_queue q,
			  void (*each)(void *arg, const void *span, size_t len), void *arg)
{
	for (uint32_t id = q.first; q.count > 0; q.count--, id = b->spans[id].next)
		each(arg, uring_bufs_at(b, id) + b->spans[id].off, b->spans[id].len);
}

void uring_owed(const struct conn *c, void (*each)(void *arg, const void *span, size_t len),
		void *arg)
{
	const struct uring_state *s = c->worker->state;
	const struct uring_conn *u = uring_of(c);

	owed_of_queue(&s->bufs, u->lent, each, arg);
	unsent_each(&c->out, each, arg);
	unsent_each(&u->spilled, each, arg);
	owed_of_queue(&s->bufs, u->held, each, arg);
}

int uring_attach(struct conn *c)
{
	struct uring_conn *u = uring_of(c);

	u->leaving = false;
	u->single = c->is_unix;
	if (u->failed)
		return -u->failed;
	if (fcntl(c->fd, F_SETFL, O_RDWR) < 0) /* the ring waits only where it may block */
		return -errno;
	if (!u->fixed)
		uring_register_fd(c);
	/* the send that was in flight may have taken the last bytes, behind which a FIN waits */
	if (c->fin && !c->fin_sent && conn_unsent(c) == 0)
		conn_drained(c);
	uring_send(c);
	uring_catch_up(c);
	return 0;
}
