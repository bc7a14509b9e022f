/* SPDX-License-Identifier: MIT
 * fork_child: the process of one connection: reads, writes all that it read, reads again. Nothing
 * but blocking calls, as in the textbook; everything that has to end one is a timeout of the
 * socket.
 *
 * A signal that arrives just before a blocking call would be seen only after it. So the handler of
 * SIGTERM also makes the timeouts of the socket short: the call returns soon, whichever came first.
 *
 * The child of a process with threads: only calls that are safe in a signal handler, no memory is
 * allocated, no stdio, no return.
 */
#include "fork.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/worker.h"

enum {
	BUFFER = 64 * 1024,
	/* the kernel counts jiffies, and the first is not whole: without this a timeout would come
	 * just before the deadline that it was made for */
	SLACK_MS = 10,
	LAST_CALLS = 64, /* for what lies in the socket, when a deadline has passed */
};

enum { ASKED_TO_END = 1, ASKED_TO_CLOSE }; /* as the parent would; now */

static volatile sig_atomic_t asked;     /* by a signal */
static volatile sig_atomic_t served_fd; /* for its handler */

/* Of each blocking call from now on; 0: none. */
static void child_set_timeouts(int fd, int64_t ns)
{
	const struct timeval t = { ns / SEC(1), ns % SEC(1) / USEC(1) };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static void child_signalled(int signal)
{
	int saved = errno;

	if (asked != ASKED_TO_CLOSE)
		asked = signal == FORK_CLOSE ? ASKED_TO_CLOSE : ASKED_TO_END;
	child_set_timeouts(served_fd, MSEC(1));
	errno = saved;
}

/* Makes blocking calls return when something is due. Deadlines that the role moves forward by the
 * same interval each time need no other call: a timeout counts from the beginning of a call. */
static void child_arm(const struct conn *c)
{
	const struct fork_conn *f = conn_backend(c);
	int64_t at_ns = c->deadline_ns, wait_ns = 0;

	if (f->cut_off_ns != 0 && (at_ns == 0 || f->cut_off_ns < at_ns))
		at_ns = f->cut_off_ns;
	if (at_ns > c->worker->now_ns)
		wait_ns = at_ns - c->worker->now_ns;
	child_set_timeouts(c->fd, at_ns == 0 ? 0 : wait_ns + MSEC(SLACK_MS));
}

/* A call has timed out. */
static void child_expired(struct conn *c)
{
	if (c->deadline_ns != 0 && c->deadline_ns <= c->worker->now_ns) {
		c->deadline_ns = 0;
		c->worker->role->expired(c);
	}
	if (c->state == CONN_OPEN)
		child_arm(c);
}

/* SIGTERM means to a child what it means to its parent. */
static void child_shutdown(struct conn *c)
{
	const struct net_config *config = c->worker->config;
	struct fork_conn *f = conn_backend(c);

	switch (config->on_term) {
	case WORKER_DRAIN:
		f->cut_off_ns = c->worker->now_ns + config->drain_ns;
		conn_shutdown(c, CAUSE_SHUTDOWN);
		break;
	case WORKER_RESET:
		conn_abort(c, CAUSE_SHUTDOWN);
		break;
	default:
		conn_close(c, CAUSE_SHUTDOWN);
		break;
	}
}

static void child_wrote(struct conn *c, size_t n)
{
	c->sent += n;
	c->span += n;
	c->span_len -= n;
	if (c->span_len == 0)
		conn_drained(c);
}

static void child_read(struct conn *c, const char *buf, size_t n)
{
	if (conn_data(c, buf, n) != CONN_ECHO)
		return;
	c->span = buf;
	c->span_len = n;
}

/* Nothing is read before all is written, so a slow reader slows its own sender. @flags: 0, the
 * textbook's blocking call, or MSG_DONTWAIT. */
static ssize_t child_move(const struct conn *c, char *buf, int flags)
{
	if (c->span_len > 0)
		return flags ? send(c->fd, c->span, c->span_len, flags)
			     : write(c->fd, c->span, c->span_len);
	return flags ? recv(c->fd, buf, BUFFER, flags) : read(c->fd, buf, BUFFER);
}

/* One call. Returns whether anything came of it: false is the end of a timeout. */
static bool child_call(struct conn *c, char *buf, int flags)
{
	bool writes = c->span_len > 0;
	ssize_t n = child_move(c, buf, flags);
	int err = n < 0 ? errno : 0;

	c->worker->now_ns = clock_now_ns();
	if (err == EAGAIN)
		return false;
	if (err != 0 && err != EINTR)
		conn_fail(c, err);
	else if (n > 0 && writes)
		child_wrote(c, (size_t)n);
	else if (n > 0)
		child_read(c, buf, (size_t)n);
	else if (n == 0)
		conn_eof(c);
	return true;
}

/* The deadline of a drain has passed, perhaps while we were stopped: what lies in the socket counts
 * still, above all the peer's FIN. */
static void child_cut_off(struct conn *c, char *buf)
{
	for (int i = 0; i < LAST_CALLS && c->state == CONN_OPEN; i++) {
		if (!child_call(c, buf, MSG_DONTWAIT))
			break;
	}
	if (c->state == CONN_OPEN)
		conn_abort(c, CAUSE_SHUTDOWN);
}

/* Before each blocking call, once it was asked to end. */
static void child_end(struct conn *c, char *buf)
{
	const struct fork_conn *f = conn_backend(c);

	c->worker->now_ns = clock_now_ns();
	if (asked == ASKED_TO_CLOSE)
		conn_close(c, CAUSE_SHUTDOWN);
	else if (f->cut_off_ns == 0)
		child_shutdown(c);
	else if (f->cut_off_ns <= c->worker->now_ns)
		child_cut_off(c, buf);
	if (c->state == CONN_OPEN)
		child_arm(c); /* anew for each call, so that a peer that goes on talking gains no
				 time */
}

/* A blocking call; a send that times out does not look whether there is room by now. */
static void child_step(struct conn *c, char *buf)
{
	if (!child_call(c, buf, 0) && !child_call(c, buf, MSG_DONTWAIT))
		child_expired(c);
}

static void child_publish(const struct conn *c, struct fork_cell *cell)
{
	if (c->received + c->sent > stats_get(&cell->received) + stats_get(&cell->sent))
		atomic_store_explicit(&cell->moved_ns, c->worker->now_ns, memory_order_relaxed);
	atomic_store_explicit(&cell->received, c->received, memory_order_relaxed);
	atomic_store_explicit(&cell->sent, c->sent, memory_order_relaxed);
	atomic_store_explicit(&cell->echoes, stats_get(&c->worker->stats.echoes),
			      memory_order_relaxed);
}

/* As the parent treats them: what it waits for is caught, what it ignores is ignored already, and
 * everything else kills. */
static void child_take_signals(const struct conn *c)
{
	const struct sigaction term = { .sa_handler = child_signalled }; /* ends a blocking call */
	sigset_t mask;

	served_fd = c->fd;
	(void)sigaction(FORK_CLOSE, &term, NULL);
	if (c->worker->config->on_term != WORKER_RUN) {
		(void)sigaction(SIGTERM, &term, NULL);
		(void)sigaction(SIGINT, &term, NULL); /* a terminal sends it to all */
	}
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1); /* asks for counters: `pkill -USR1 echod` must kill no child */
	sigaddset(&mask, SIGHUP);  /* the same, for a reload, */
	sigaddset(&mask, SIGUSR2); /* and for a successor */
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Keeps the connection and stdio: any other descriptor would keep another peer's connection, or our
 * port, alive. */
static void child_descriptors(const struct conn *c)
{
	(void)close_range(STDERR_FILENO + 1, (unsigned)c->fd - 1, 0);
	(void)close_range((unsigned)c->fd + 1, ~0u, 0);
	(void)fcntl(c->fd, F_SETFL, 0); /* blocking */
}

noreturn void fork_child(struct conn *c, struct fork_cell *cell)
{
	struct worker *w = c->worker;
	char buf[BUFFER];

	assert(c->state == CONN_OPEN && c->inflight == 0);
	child_descriptors(c);
	w->stats.echoes = 0; /* a copy of the parent's: from here on this connection's own */
	w->closing = NULL;   /* what the parent still has to end */
	w->closing_tail = &w->closing;
	w->now_ns = clock_now_ns();
	conn_opened(c);
	child_arm(c);
	child_take_signals(c); /* last: the timeouts of its handler must not be overwritten */
	while (c->state == CONN_OPEN) {
		if (asked)
			child_end(c, buf);
		if (c->state == CONN_OPEN)
			child_step(c, buf);
		child_publish(c, cell);
	}
	atomic_store_explicit(&cell->err, c->err, memory_order_relaxed);
	atomic_store_explicit(&cell->cause, c->cause, memory_order_relaxed);
	conn_reap(w);
	_exit(0);
}
