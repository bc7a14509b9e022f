/* SPDX-License-Identifier: MIT
 * echo: the server's role: what comes in goes out again, in the buffer that it came in. Whoever
 * shuts its side still gets all that it is owed, then our FIN.
 */
#include "echo.h"

#include <stddef.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/conn.h"
#include "echo/net/sock.h"
#include "echo/net/worker.h"

enum {
	SLACK_MS = 10,   /* the kernel's clock of what it sent and received is that coarse */
	IDLE_CHECKS = 4, /* a part of idle_timeout: between two checks of one that is silent */
	SWEEPS = 4,      /* within slow_timeout */
};

/* Of one connection: bytes that it had sent and bytes that its peer had acknowledged at the last
 * check, added up; and of a peer that is owed something what had come from it by @marked_ns, of
 * which not all has gone back yet. */
struct echo_conn {
	uint64_t progress;
	uint64_t mark;
	int64_t marked_ns;
};

static int64_t echo_idle_ns(const struct conn *c)
{
	const struct echo_config *config = c->worker->role_state;

	return config->idle_timeout_ns;
}

static void echo_touch(struct conn *c)
{
	if (echo_idle_ns(c) != 0)
		conn_deadline(c, c->worker->now_ns + echo_idle_ns(c));
}

static enum conn_action echo_data(struct conn *c, const void *span, size_t len)
{
	(void)span;
	(void)len;
	stats_add(&c->worker->stats.echoes, 1);
	echo_touch(c);
	return CONN_ECHO;
}

static void echo_eof(struct conn *c)
{
	conn_shutdown(c, CAUSE_EOF);
}

/* Nothing came and nothing drained for idle_timeout, as far as our queues tell. The kernel knows
 * better: its buffer may have been emptied all the time, and bytes that the peer has acknowledged
 * are progress. It is asked only now. What it cannot tell is when the last was acknowledged, so
 * the first check of a silent peer that is owed bytes is followed by a second, soon after. So is
 * one that finds bytes sent since the last: after a pause of ours they may have left just now, and
 * our deadline be older than they are. */
static void echo_expired(struct conn *c)
{
	const int64_t idle_ns = echo_idle_ns(c);
	struct sock_progress p = { .quiet_ns = idle_ns };
	struct echo_conn *e = conn_role(c);
	const uint64_t before = e->progress;
	int64_t wait_ns;

	(void)sock_progress(c->fd, c->sent, &p); /* fails for a dead socket only */
	e->progress = c->sent + p.acked;
	wait_ns = p.quiet_ns + MSEC(SLACK_MS) < idle_ns ? idle_ns - p.quiet_ns : 0;
	if (p.owes || conn_unsent(c) > 0) {
		if (e->progress == before) {
			conn_abort(c, CAUSE_STALLED);
			return;
		}
		if (wait_ns < idle_ns / IDLE_CHECKS)
			wait_ns = idle_ns / IDLE_CHECKS;
	} else if (wait_ns == 0) {
		conn_close(c, CAUSE_IDLE_TIMEOUT);
		return;
	}
	/* the turn may have begun long ago, and what it sent has left just now */
	conn_deadline(c, clock_now_ns() + wait_ns);
}

/* Its deadline counts from when its peer was last heard of, which may have been in another process:
 * else no connection would ever be idle for long enough at a server that is restarted often. Of
 * a unix socket the time is not known: it has all of its time again. */
static void echo_resumed(struct conn *c)
{
	const int64_t idle_ns = echo_idle_ns(c);
	struct sock_progress p = { 0 };
	struct echo_conn *e = conn_role(c);

	if (idle_ns == 0)
		return;
	(void)sock_progress(c->fd, c->sent, &p); /* fails for a dead socket only */
	e->progress = c->sent + p.acked;
	if (p.owes || conn_unsent(c) > 0 || p.quiet_ns < 0)
		p.quiet_ns = 0;
	/* the turn may have begun long ago */
	conn_deadline(c, clock_now_ns() +
				 (p.quiet_ns < idle_ns ? idle_ns - p.quiet_ns : MSEC(SLACK_MS)));
}

static void echo_rearm(struct conn *c, void *arg)
{
	(void)arg;
	if (c->state != CONN_OPEN)
		return;
	conn_deadline(c, 0);
	if (c->fd >= 0) /* else who serves it has its own */
		echo_resumed(c);
}

/* Bytes that came by the time of the mark have had slow_timeout to go back. Nothing is kept up to
 * date while messages pass: a check of all of them now and then does. */
static void echo_check(struct conn *c, void *arg)
{
	const struct echo_config *config = arg;
	struct echo_conn *e = conn_role(c);
	const int64_t now_ns = c->worker->now_ns;

	if (c->state != CONN_OPEN)
		return;
	if (c->sent >= e->mark || e->marked_ns == 0) {
		e->mark = c->received;
		e->marked_ns = now_ns;
	} else if (now_ns - e->marked_ns >= config->slow_timeout_ns) {
		conn_abort(c, CAUSE_SLOW);
	}
}

static void echo_sweep(struct timer *t, int64_t now_ns)
{
	struct worker *w = container_of(t, struct worker, role_timer);
	struct echo_config *config = w->role_state;

	conn_each(w, echo_check, config);
	timer_set(&w->timers, t, now_ns + config->slow_timeout_ns / SWEEPS);
}

static void echo_arm_sweep(struct worker *w)
{
	const struct echo_config *config = w->role_state;

	if (config->slow_timeout_ns != 0)
		timer_set(&w->timers, &w->role_timer, w->now_ns + config->slow_timeout_ns / SWEEPS);
	else
		timer_cancel(&w->timers, &w->role_timer);
}

/* What has been measured was for another time: each has all of it from the next sweep on. */
static void echo_unmark(struct conn *c, void *arg)
{
	struct echo_conn *e = conn_role(c);

	(void)arg;
	e->marked_ns = 0;
}

static void echo_configured(struct worker *w, const void *before)
{
	const struct echo_config *old = before, *now = w->role_state;

	if (old->idle_timeout_ns != now->idle_timeout_ns)
		conn_each(w, echo_rearm, NULL);
	if (old->slow_timeout_ns == now->slow_timeout_ns)
		return;
	conn_each(w, echo_unmark, NULL);
	echo_arm_sweep(w);
}

static void echo_closed(struct conn *c)
{
	(void)c; /* the worker counts */
}

/* The listeners do the rest. */
static void echo_start(struct worker *w)
{
	w->role_timer.fire = echo_sweep;
	echo_arm_sweep(w);
}

static void echo_shut(struct conn *c, void *arg)
{
	(void)arg;
	conn_shutdown(c, CAUSE_SHUTDOWN);
}

static void echo_stop(struct worker *w, enum worker_stop how)
{
	if (how == WORKER_DRAIN)
		conn_each(w, echo_shut, NULL);
	else
		conn_close_all(w, CAUSE_SHUTDOWN, how == WORKER_RESET);
}

const struct role echo_role = {
	.conn_size = sizeof(struct echo_conn),
	.echoes = true,
	.start = echo_start,
	.stop = echo_stop,
	.configured = echo_configured,
	.opened = echo_touch,
	.resumed = echo_resumed,
	.data = echo_data,
	.eof = echo_eof,
	.drained = echo_touch,
	.expired = echo_expired,
	.closed = echo_closed,
};
