/* SPDX-License-Identifier: MIT
 * flow: one TCP connection as Linux has it (net/ipv4/tcp.c, tcp_input.c): what recv, send and poll
 * say in each state. Bytes are numbers in a stream whose content follows from the offset.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "echo/base/base.h"
#include "sim.h"

enum {
	PERIOD = 251, /* of the bytes of a stream */
	PHASE = 37,   /* between two streams */
	ALL = 0xffff, /* a change of state wakes whoever waits, for whatever (sock_def_wakeup) */
};

const char *flow_bytes(const struct flow *f, uint64_t at)
{
	static char table[FLOW_SPAN + PERIOD];

	if (table[1] == 0) {
		for (size_t i = 0; i < sizeof(table); i++)
			table[i] = (char)(i % PERIOD);
	}
	return table + (at + (uint64_t)f->id * PHASE) % PERIOD;
}

struct flow *flow_new(enum flow_state state)
{
	static const size_t buffers[] = { 4096, 600, 100, 20000, 1 };
	struct flow *f = &world_flows[world_flow_count];

	*f = (struct flow){ .id = world_flow_count++, .state = state, .urgent = UINT64_MAX };
	f->sndbuf = CHOICE_OF(buffers);
	f->rcvbuf = CHOICE_OF(buffers);
	f->window = CHOICE_OF(buffers);
	return f;
}

static void flow_wake(struct flow *f, unsigned events)
{
	if (f->file)
		file_wake(f->file, events);
}

static size_t flow_unread(const struct flow *f)
{
	return (size_t)(f->arrived - f->read);
}

static size_t flow_queued(const struct flow *f)
{
	return (size_t)(f->written - f->taken);
}

static size_t flow_space(const struct flow *f)
{
	return f->pressed || flow_queued(f) >= f->sndbuf ? 0 : f->sndbuf - flow_queued(f);
}

/* sk_stream_is_writeable: at least a third is free. */
static bool flow_is_writable(const struct flow *f)
{
	return flow_space(f) > 0 && f->sndbuf - flow_queued(f) >= flow_queued(f) / 2;
}

/* The first event that waits to be read. */
static void flow_news(struct flow *f)
{
	if (f->unread_ns == 0)
		f->unread_ns = sim.now_ns;
}

/* ---- receiving ---- */

/* What recv says when no byte is there: a FIN before an error, and an error once (tcp_recvmsg). */
static ssize_t flow_recv_end(struct flow *f)
{
	int err = f->err;

	if (!f->fin && err == 0 && !f->rst)
		return -EAGAIN;
	f->unread_ns = 0;
	if (f->fin || err == 0)
		return 0;
	f->err = 0;
	return -err;
}

ssize_t flow_recv(struct flow *f, void *buf, size_t len, int flags)
{
	size_t n = size_min(len, flow_unread(f));

	if (n == 0)
		return flow_recv_end(f);
	if (f->urgent > f->read && f->urgent < f->read + n)
		n = (size_t)(f->urgent - f->read); /* a receive ends at the mark */
	if (!(flags & MSG_TRUNC))
		memcpy(buf, flow_bytes(f, f->read), n);
	if (flags & MSG_PEEK)
		return (ssize_t)n;
	f->read += n;
	world_moved();
	if (f->read > f->urgent)
		f->urgent = UINT64_MAX;
	f->unread_ns = flow_unread(f) > 0 ? sim.now_ns : f->end_ns;
	return (ssize_t)n;
}

void flow_arrive(struct flow *f, size_t n)
{
	if (f->state == FLOW_CLOSED) {
		f->got_reset = true;
		return;
	}
	f->arrived += n;
	f->moved_ns = sim.now_ns;
	flow_news(f);
	flow_wake(f, POLLIN | POLLPRI);
}

static void flow_ends(struct flow *f, enum flow_end how)
{
	if (f->first != END_NONE)
		return;
	f->first = how;
	f->end_ns = sim.now_ns;
}

void flow_fin(struct flow *f)
{
	f->fin = true;
	flow_ends(f, END_FIN);
	if (f->state == FLOW_CLOSED)
		return;
	flow_news(f);
	flow_wake(f, ALL);
}

/* tcp_reset: the errno tells whether a FIN had come before. */
void flow_rst(struct flow *f)
{
	f->rst_due = false;
	if (f->rst)
		return;
	f->rst = true;
	flow_ends(f, END_RST);
	f->gone = f->ended = true;
	f->plan = f->arrived;
	if (f->state == FLOW_CLOSED)
		return;
	if (!flow_is_writable(f))
		f->room_ns = sim.now_ns; /* what it takes now it refuses with an error */
	f->err = f->state == FLOW_CONNECTING ? ECONNREFUSED : f->fin ? EPIPE : ECONNRESET;
	flow_news(f);
	flow_wake(f, ALL);
}

/* ---- sending ---- */

static void flow_check_written(const struct flow *f, const void *buf, size_t n)
{
	if (sim.role == SIM_ECHO && f->written + n > f->arrived)
		sim_fail("sent-invented", "flow %u: sends %zu bytes at %llu, %llu have come", f->id,
			 n, (unsigned long long)f->written, (unsigned long long)f->arrived);
	for (size_t at = 0; at < n; at += FLOW_SPAN) {
		size_t len = size_min(n - at, FLOW_SPAN);

		if (memcmp((const char *)buf + at, flow_bytes(f, f->written + at), len) != 0)
			sim_fail("sent-wrong", "flow %u: wrong bytes within %zu at %llu", f->id, n,
				 (unsigned long long)f->written);
	}
}

static ssize_t flow_send_fails(struct flow *f)
{
	int err = f->err ? f->err : EPIPE;

	f->err = 0;
	return -err;
}

ssize_t flow_send(struct flow *f, const void *buf, size_t len)
{
	size_t n = size_min(len, flow_space(f));

	if (f->shut)
		sim_fail("sent-after-fin", "flow %u: sends %zu bytes behind its FIN", f->id, len);
	if (f->err || f->rst)
		return flow_send_fails(f);
	if (world_fault(sim.scarce ? 50 : 200)) {
		f->fault = ENOBUFS;
		return -ENOBUFS;
	}
	if (n > 1 && choice_chance(8)) { /* the kernel has no memory for more */
		n = 1 + choice_below((unsigned)size_min(n - 1, 256));
		f->pressed = true;
	}
	f->nospace |= n < len;
	if (n == 0)
		return -EAGAIN;
	flow_check_written(f, buf, n);
	f->written += n;
	world_moved();
	f->moved_ns = f->out_ns = f->written_ns = sim.now_ns;
	f->rst_due |= f->gone;
	return (ssize_t)n;
}

void flow_ack(struct flow *f)
{
	uint64_t most = f->consumed + f->window, before = f->taken;
	const bool was_writable = flow_is_writable(f);

	f->pressed = false;
	if (!f->gone && !f->reset)
		f->taken = f->written < most ? f->written : most;
	if (f->taken > before)
		f->out_ns = sim.now_ns;
	if (!was_writable && flow_is_writable(f))
		f->room_ns = sim.now_ns;
	if (f->taken == f->written && !f->reset && (f->shut || f->state == FLOW_CLOSED))
		f->got_fin = true;
	if (f->nospace && f->state == FLOW_OPEN && flow_is_writable(f)) {
		f->nospace = false;
		flow_wake(f, POLLOUT);
	}
}

bool flow_lives(const struct flow *f)
{
	if (f->state == FLOW_OPEN)
		return f->conn || !(f->reset || f->shut || f->rst);
	return f->state == FLOW_QUEUED || f->state == FLOW_CONNECTING;
}

void flow_shut(struct flow *f)
{
	if (f->state != FLOW_OPEN || f->rst)
		return;
	f->shut = true;
	flow_wake(f, ALL);
}

void flow_close(struct flow *f, bool abort)
{
	bool clean = f->state == FLOW_OPEN && !abort && !f->rst && !f->reset && flow_unread(f) == 0;

	TRACE("flow %u: closed %s, %llu of %llu bytes read, %llu written", f->id,
	      clean ? "clean" : "not clean", (unsigned long long)f->read,
	      (unsigned long long)f->arrived, (unsigned long long)f->written);
	checker_closed(f, clean);
	f->state = FLOW_CLOSED;
	f->file = NULL;
	if (clean)
		return;
	f->reset = true;
	f->got_reset = true;
}

/* ---- poll ---- */

unsigned flow_events(const struct flow *f)
{
	unsigned events = 0;

	if (f->err)
		events |= POLLERR;
	if (f->rst || (f->shut && f->fin))
		events |= POLLHUP;
	if (f->rst || f->fin)
		events |= POLLIN | POLLRDHUP;
	if (f->state == FLOW_CONNECTING)
		return events;
	if (flow_unread(f) > 0)
		events |= POLLIN;
	if (f->urgent != UINT64_MAX && f->arrived > f->urgent)
		events |= POLLPRI;
	if (f->rst || f->shut || flow_is_writable(f))
		events |= POLLOUT;
	return events;
}

unsigned flow_poll(struct flow *f)
{
	unsigned events = flow_events(f);

	if (!(events & POLLOUT) && f->state == FLOW_OPEN)
		f->nospace = true;
	return events;
}
