/* SPDX-License-Identifier: MIT
 * message: packets with descriptors, and the checks that each has to pass.
 */
#include "message.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/worker_group.h"
#include "echod/again.h"

enum {
	MAGIC = 0x6563746b, /* "ecTK" */
	SEND_MS = 1000,     /* for a peer that does not read */
};

/* What a message of each type has behind its head: these bytes, `each` more for every one of
 * message_count, and so many descriptors. */
struct message_shape {
	const char *name;
	size_t fixed, each;
	unsigned max; /* of the count */
	unsigned fds, fds_each;
};

static const struct message_shape shapes[MESSAGE_TYPES] = {
	[MESSAGE_HELLO] = { .name = "hello", .fixed = sizeof(struct message_hello) },
	[MESSAGE_LISTENERS_ARE] = { .name = "listeners",
				    .fixed = offsetof(struct message_listeners, asked),
				    .each = ADDR_TEXT_MAX,
				    .max = MESSAGE_LISTENERS,
				    .fds_each = 1 },
	[MESSAGE_READY] = { .name = "ready",
			    .fixed = offsetof(struct message_ready, taken),
			    .each = 1,
			    .max = MESSAGE_LISTENERS_MAX },
	[MESSAGE_GO] = { .name = "go" },
	[MESSAGE_SERVING] = { .name = "serving" },
	[MESSAGE_CONNS] = { .name = "connections",
			    .fixed = offsetof(struct message_conns, owed),
			    .each = sizeof(uint64_t),
			    .max = MOVE_MAX,
			    .fds = 1,
			    .fds_each = 1 },
	[MESSAGE_KEPT] = { .name = "kept",
			   .fixed = offsetof(struct message_kept, kept),
			   .each = 1,
			   .max = MOVE_MAX },
	[MESSAGE_DONE] = { .name = "done", .fds = 1 },
	[MESSAGE_TAKEN] = { .name = "taken" },
	[MESSAGE_COMMIT] = { .name = "commit" },
	[MESSAGE_REFUSE] = { .name = "refuse", .fixed = sizeof(struct message_refuse) },
};

static_assert(1 + MOVE_MAX <= MESSAGE_FDS_MAX && MESSAGE_LISTENERS <= MESSAGE_FDS_MAX,
	      "the kernel takes so many at once");

static unsigned message_count(const struct message *m)
{
	switch (m->head.type) {
	case MESSAGE_LISTENERS_ARE:
		return m->listeners.count;
	case MESSAGE_READY:
		return m->ready.total;
	case MESSAGE_CONNS:
		return m->conns.count;
	case MESSAGE_KEPT:
		return m->kept.count;
	default:
		return 0;
	}
}

static size_t message_len(const struct message *m)
{
	const struct message_shape *s = &shapes[m->head.type];

	return sizeof(m->head) + s->fixed + s->each * message_count(m);
}

static int message_fail(struct talk *t, int err, const char *why)
{
	snprintf(t->why, sizeof(t->why), "%s", why);
	return err;
}

void message_close_fds(struct message *m)
{
	while (m->fd_count > 0)
		close(m->fds[--m->fd_count]);
}

union message_control {
	struct cmsghdr head;
	char room[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
};

static void message_attach_fds(struct message *m, struct msghdr *h, union message_control *control)
{
	const size_t len = m->fd_count * sizeof(int);

	if (len == 0)
		return;
	memset(control, 0, sizeof(*control));
	h->msg_control = control->room;
	h->msg_controllen = CMSG_SPACE(len);
	control->head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(len) };
	memcpy(CMSG_DATA(&control->head), m->fds, len);
}

int message_send(struct talk *t, enum message_type type)
{
	struct message *m = &t->m;
	union message_control control;
	struct iovec v = { .iov_base = &m->head };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	struct pollfd p = { t->fd, POLLOUT, 0 };
	unsigned tries = 0;
	ssize_t n;

	m->head = (struct message_head){ .magic = MAGIC,
					 .version = MESSAGE_VERSION,
					 .type = (uint16_t)type };
	m->head.len = (uint32_t)message_len(m);
	assert(message_count(m) <= shapes[type].max);
	v.iov_len = m->head.len;
	message_attach_fds(m, &h, &control);
	(void)poll(&p, 1, SEND_MS);
	do
		n = sendmsg(t->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && again_soon(&tries)); /* to give up would cost what was committed before */
	if (n < 0)
		return message_fail(t, -errno,
				    errno == EPIPE || errno == ECONNRESET
					    ? "the other side has gone"
					    : strerror(errno));
	return 0;
}

static int message_say_refuse(struct talk *t, const char *why)
{
	struct message_refuse *m = &t->m.refuse;

	t->m.fd_count = 0;
	memset(m, 0, sizeof(*m));
	snprintf(m->text, sizeof(m->text), "%s", why);
	return message_send(t, MESSAGE_REFUSE);
}

void message_refuse(struct talk *t, const char *why)
{
	int r = message_say_refuse(t, why);

	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		close(t->fd);
	t->fd = -1;
}

/* ---- receiving ---- */

static void message_take_fds(struct message *m, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->fd_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fds, CMSG_DATA(c), m->fd_count * sizeof(int));
	}
	m->fds_lost = h->msg_flags & MSG_CTRUNC;
	if (m->fds_lost)
		message_close_fds(m);
}

/* Whether the other side can send no more. */
static bool message_ended(const struct talk *t)
{
	struct pollfd p = { t->fd, POLLRDHUP, 0 };

	return poll(&p, 1, 0) > 0;
}

/* Returns the length of the next packet, 0: it was empty, or the end; or -errno. */
static ssize_t message_read_packet(struct talk *t)
{
	struct message *m = &t->m;
	union message_control control;
	struct iovec v = { .iov_base = &m->head, .iov_len = offsetof(struct message, fds) };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	unsigned tries = 0;
	ssize_t n;

	m->fd_count = 0;
	do {
		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		n = recvmsg(t->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* ECONNRESET: it closed before it had read all. That is said once, before what it
		 * sent, which is still to be read */
	} while (n < 0 && (errno == ECONNRESET || again_soon(&tries)));
	if (n < 0)
		return -errno;
	message_take_fds(m, &h);
	if (n == 0 && (m->fd_count > 0 || m->fds_lost))
		return -EBADMSG;
	return h.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

/* Returns the length of the next packet, 0: the other side has gone and all is read, or -errno. */
static ssize_t message_read(struct talk *t)
{
	bool ended = message_ended(t);
	ssize_t n = message_read_packet(t);

	/* it may have sent something and ended between the check of the queue and the end of it */
	if (n == 0 && !ended && message_ended(t)) {
		ended = true;
		n = message_read_packet(t);
	}
	return n == 0 && !ended ? -EBADMSG : n;
}

static int message_refused(struct talk *t)
{
	t->m.refuse.text[MESSAGE_TEXT_MAX - 1] = '\0';
	snprintf(t->why, sizeof(t->why), "the other side refuses: %.200s", t->m.refuse.text);
	return -ECONNREFUSED;
}

/* All but whether its type is wanted. */
static int message_check(struct talk *t, size_t len)
{
	const struct message *m = &t->m;
	const struct message_shape *s;
	unsigned count;

	if (len < sizeof(m->head) || m->head.magic != MAGIC || m->head.len != len)
		return message_fail(t, -EPROTO, "what came is no message of a takeover");
	if (m->head.version != MESSAGE_VERSION) {
		snprintf(t->why, sizeof(t->why),
			 "the other side speaks version %u of the takeover, this echod version %d",
			 m->head.version, MESSAGE_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (m->head.type == 0 || m->head.type >= MESSAGE_TYPES)
		return message_fail(t, -EPROTO, "a message of a takeover has an unknown type");
	s = &shapes[m->head.type];
	if (len < sizeof(m->head) + s->fixed)
		return message_fail(t, -EPROTO, "a message of the takeover is too short");
	count = message_count(m);
	if (count > s->max || len != message_len(m) ||
	    (!m->fds_lost && m->fd_count != s->fds + s->fds_each * count)) {
		snprintf(t->why, sizeof(t->why),
			 "a message (%s) of the takeover is not right in itself", s->name);
		return -EPROTO;
	}
	return 0;
}

/* Waits until there may be something to read, or until @until_ns. Returns 0, or -ECANCELED. */
static int message_wait(struct talk *t, int64_t until_ns)
{
	const int64_t left_ns = until_ns - clock_now_ns();
	const int ms = left_ns > 0 ? (int)(left_ns / MSEC(1)) + 1 : 0;
	struct pollfd p = { t->fd, POLLIN, 0 };
	int signal;

	if (!t->group) {
		(void)poll(&p, 1, ms); /* EINTR: an early check */
		return 0;
	}
	worker_group_watch(t->group, &t->fd, 1);
	signal = worker_group_wait(t->group, ms);
	worker_group_watch(t->group, NULL, 0);
	if (t->group->done > 0)
		return message_fail(t, -ECANCELED, "a worker has ended");
	if (signal != 0 && t->signalled(t->arg, signal))
		return message_fail(t, -ECANCELED, "told to stop");
	return 0;
}

int message_receive(struct talk *t, int timeout_ms, enum message_type a, enum message_type b)
{
	const int64_t until_ns = clock_now_ns() + MSEC(timeout_ms);
	ssize_t n = message_read(t);
	int r;

	while (n == -EAGAIN && clock_now_ns() < until_ns) {
		r = message_wait(t, until_ns);
		if (r < 0)
			return r;
		n = message_read(t);
	}
	if (n == -EAGAIN)
		return message_fail(t, -ETIMEDOUT, "the other side says nothing");
	if (n == 0)
		return message_fail(t, -ECONNRESET, "the other side has gone");
	r = n < 0 ? message_fail(t, -EPROTO, "what came is no message of a takeover")
		  : message_check(t, (size_t)n);
	if (r == 0 && t->m.head.type == MESSAGE_REFUSE)
		r = message_refused(t);
	else if (r == 0 && t->m.head.type != a && t->m.head.type != b)
		r = message_fail(t, -EPROTO, "a message of the takeover came out of turn");
	if (r < 0)
		message_close_fds(&t->m);
	return r < 0 ? r : t->m.head.type;
}

bool message_abort(struct talk *t)
{
	char why[MESSAGE_TEXT_MAX];
	int r;

	memcpy(why, t->why, sizeof(why));
	(void)message_say_refuse(t, why);
	(void)shutdown(t->fd, SHUT_RDWR);
	r = message_receive(t, 0, MESSAGE_COMMIT, 0);
	memcpy(t->why, why, sizeof(why));
	return r == MESSAGE_COMMIT;
}
