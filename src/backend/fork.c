/* SPDX-License-Identifier: MIT
 * fork: the textbook's server: a process for each connection, which does nothing but blocking calls
 * (fork_child.c). The baseline that event loops are measured against, and the one server whose
 * connections can be killed one by one.
 *
 * The parent accepts, forks, closes its copy of the descriptor (a copy left open would hide the FIN
 * of a child that dies) and waits for signals. So c->fd says who serves: -1 in the parent, where
 * the child counts as the one operation in flight that names the connection; its exit is the
 * completion.
 */
#include "fork.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/opt.h"
#include "echo/net/acceptor.h"
#include "echo/net/backend.h"
#include "echo/net/worker.h"

enum {
	COUNT_EVERY_MS = 100, /* the bytes of running children */
	MEMORY_MS = 1,        /* until the kernel may have memory for a poll again */
	GRACE_MS = 1000,      /* for a child to end by itself, before it is killed */
};

enum fork_reap { REAP_LOOP, REAP_ONCE };

struct fork_config {
	unsigned reap; /* enum fork_reap */
};

static const char *const reap_names[] = { "loop", "once", NULL };

static const struct opt fork_opts[] = {
	OPT_ENUM(fork_config, reap, "loop", reap_names,
		 "children waited for after each SIGCHLD; once: a classic mistake"),
	OPT_END,
};

struct fork_state {
	struct worker *worker;
	int signal_fd;
	enum fork_reap reap;
	struct fork_cell *cells; /* by slot */
	size_t cell_count;       /* with those of slots that the worker may have later */
	struct conn **buckets;   /* connections with a living child, by its pid */
	size_t bucket_count;     /* a power of two, no less than the slots */
	struct timer count;      /* the bytes of running children */
	struct timer kill;       /* what was to end by itself and did not */
	struct acceptor acceptors[WORKER_LISTENERS_MAX];
};

static struct fork_conn *fork_of(const struct conn *c)
{
	return conn_backend(c);
}

static struct conn **fork_bucket(const struct fork_state *s, pid_t pid)
{
	return &s->buckets[(size_t)pid & (s->bucket_count - 1)];
}

static void fork_remember(struct fork_state *s, struct conn *c)
{
	struct conn **bucket = fork_bucket(s, fork_of(c)->pid);

	fork_of(c)->next = *bucket;
	*bucket = c;
}

/* Takes the connection of this child out of its bucket. NULL: it is none of ours. */
static struct conn *fork_forget(struct fork_state *s, pid_t pid)
{
	struct conn **link = fork_bucket(s, pid), *c;

	while (*link && fork_of(*link)->pid != pid)
		link = &fork_of(*link)->next;
	c = *link;
	if (c)
		*link = fork_of(c)->next;
	return c;
}

/* Counts what its child has moved since the last time. */
static void fork_count(struct conn *c, void *arg)
{
	const struct fork_state *s = c->worker->state;
	struct fork_conn *f = fork_of(c);
	uint64_t received = stats_get(&s->cells[c->slot].received);
	uint64_t sent = stats_get(&s->cells[c->slot].sent);
	uint64_t echoes = stats_get(&s->cells[c->slot].echoes);

	(void)arg;
	stats_add(&c->worker->stats.bytes_in, received - f->received);
	stats_add(&c->worker->stats.bytes_out, sent - f->sent);
	stats_add(&c->worker->stats.echoes, echoes - f->echoes);
	f->received = received;
	f->sent = sent;
	f->echoes = echoes;
}

static void fork_count_timer(struct timer *t, int64_t now_ns)
{
	struct worker *w = container_of(t, struct fork_state, count)->worker;

	conn_each(w, fork_count, NULL);
	if (w->live > 0)
		timer_set(&w->timers, t, now_ns + MSEC(COUNT_EVERY_MS));
}

/* Its child is no more. */
static void fork_ended(struct conn *c, int status)
{
	const struct fork_state *s = c->worker->state;
	const struct fork_cell *cell = &s->cells[c->slot];
	int cause = atomic_load_explicit(&cell->cause, memory_order_relaxed);
	int err = atomic_load_explicit(&cell->err, memory_order_relaxed);

	assert(c->inflight == 1 && c->fd < 0);
	fork_count(c, NULL);
	c->inflight = 0;
	if (fork_of(c)->closing)
		conn_release(c);
	else if (WIFSIGNALED(status))
		conn_close(c, CAUSE_CHILD_KILLED);
	else if (err > 0)
		conn_fail(c, err);
	else
		conn_close(c, cause != CAUSE_NONE ? (enum cause)cause : CAUSE_OTHER);
}

/* Signals of children that end together fold into one: who waits for one child each time leaves
 * the others as zombies. */
static void fork_reap(struct worker *w)
{
	struct fork_state *s = w->state;
	int status;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0) {
			struct conn *c = fork_forget(s, pid);

			if (c)
				fork_ended(c, status);
		}
	} while (pid > 0 && s->reap == REAP_LOOP);
}

static void fork_take(struct worker *w, int fd)
{
	struct fork_state *s = w->state;
	struct conn *c = shed_accept(w, fd);
	struct fork_cell *cell;
	pid_t pid;

	if (!c)
		return;
	cell = &s->cells[c->slot];
	*cell = (struct fork_cell){ .moved_ns = clock_now_ns() };
	pid = fork();
	if (pid == 0)
		fork_child(c, cell);
	if (pid < 0) {
		conn_abort(c, CAUSE_LOCAL_LIMIT); /* EAGAIN, ENOMEM: processes or memory ran out */
		return;
	}
	close(fd);
	c->fd = -1;
	c->inflight = 1;
	fork_of(c)->pid = pid;
	fork_remember(s, c);
	if (!timer_is_set(&s->count))
		timer_set(&w->timers, &s->count, w->now_ns + MSEC(COUNT_EVERY_MS));
}

static void fork_mute(struct acceptor *a)
{
	(void)a; /* fork_turn looks */
}

static int fork_listen(struct worker *w, int fd)
{
	struct fork_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		struct acceptor *a = &s->acceptors[i];

		if (a->fd >= 0)
			continue;
		a->take = fork_take;
		a->mute = fork_mute;
		acceptor_init(a, w, fd);
		return 0;
	}
	return -ENOSPC;
}

static void fork_unlisten(struct worker *w, int fd, bool drain)
{
	struct fork_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		if (s->acceptors[i].fd != fd)
			continue;
		if (drain)
			acceptor_finish(&s->acceptors[i]);
		acceptor_fini(&s->acceptors[i]);
	}
}

static void fork_signalled(struct worker *w)
{
	const struct fork_state *s = w->state;
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) > 0)
		fork_reap(w);
}

static int fork_turn(struct worker *w, int64_t wait_ns)
{
	const struct timespec wait = { wait_ns / SEC(1), wait_ns % SEC(1) };
	struct fork_state *s = w->state;
	struct pollfd p[2 + ARRAY_LEN(s->acceptors)] = {
		{ .fd = s->signal_fd, .events = POLLIN },
		{ .fd = w->wake_fd, .events = POLLIN },
	};
	struct acceptor *polled[ARRAY_LEN(s->acceptors)];
	unsigned count = 2; /* poll refuses to look at more than RLIMIT_NOFILE */

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		struct acceptor *a = &s->acceptors[i];

		if (a->fd < 0 || a->muted)
			continue;
		polled[count - 2] = a;
		p[count++] = (struct pollfd){ .fd = a->fd, .events = POLLIN };
	}
	if (ppoll(p, count, wait_ns < 0 ? NULL : &wait, NULL) < 0) {
		if (errno != EINTR && errno != ENOMEM)
			return -errno;
		if (errno == ENOMEM) /* an immediate retry would spin */
			clock_sleep_until(clock_now_ns() + MSEC(MEMORY_MS));
	}
	worker_woke(w);
	for (unsigned i = 0; i < count; i++)
		w->found += p[i].revents != 0;
	if (p[0].revents)
		fork_signalled(w); /* before accepting: slots become free */
	if (p[1].revents)
		shed_woken(w);
	for (unsigned i = 2; i < count; i++) {
		if (p[i].revents)
			acceptor_run(polled[i - 2]);
	}
	return 0;
}

static void fork_shutdown(struct conn *c)
{
	if (c->fd < 0) {
		kill(fork_of(c)->pid, SIGTERM); /* to the child: do so */
		return;
	}
	/* the only errors are those of a dead socket, which read will name */
	(void)shutdown(c->fd, SHUT_WR);
	conn_fin_sent(c);
}

/* What the child has told: its socket is not ours. */
static void fork_progress(const struct conn *c, struct sock_progress *p)
{
	const struct fork_state *s = c->worker->state;
	const struct fork_cell *cell = &s->cells[c->slot];
	uint64_t sent = stats_get(&cell->sent);

	p->acked = sent; /* or still in the socket */
	p->owes = false; /* the child knows, and ends accordingly */
	p->quiet_ns = clock_now_ns() - atomic_load_explicit(&cell->moved_ns, memory_order_relaxed);
}

/* Only the child knows what it owes and can send RST, so it is asked to end. */
static void fork_close(struct conn *c)
{
	struct worker *w = c->worker;
	struct fork_state *s = w->state;

	if (c->inflight == 0)
		return; /* the child's own, or never forked */
	fork_of(c)->closing = true;
	kill(fork_of(c)->pid, c->abort ? SIGTERM : FORK_CLOSE);
	if (!timer_is_set(&s->kill))
		timer_set(&w->timers, &s->kill, w->now_ns + MSEC(GRACE_MS));
}

static void fork_kill_timer(struct timer *t, int64_t now_ns)
{
	const struct fork_state *s = container_of(t, struct fork_state, kill);

	(void)now_ns;
	for (size_t i = 0; i < s->bucket_count; i++) {
		for (struct conn *c = s->buckets[i]; c; c = fork_of(c)->next) {
			if (fork_of(c)->closing)
				kill(fork_of(c)->pid, SIGKILL);
		}
	}
}

/* No signal comes any more for zombies that were left. */
static void fork_stop(struct worker *w)
{
	struct fork_state *s = w->state;

	s->reap = REAP_LOOP;
	fork_reap(w);
}

static int fork_probe(const char **why)
{
	if (close_range(~0u, ~0u, 0) == 0)
		return 0;
	*why = "no close_range(2), which came with Linux 5.9";
	return -errno;
}

static void *fork_map(size_t len, int how)
{
	void *p =
		mmap(NULL, len, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void fork_unmap(const struct fork_state *s)
{
	if (s->cells)
		munmap(s->cells, s->cell_count * sizeof(*s->cells));
	if (s->buckets)
		munmap(s->buckets, s->bucket_count * sizeof(struct conn *));
}

static int fork_init(struct worker *w)
{
	const struct fork_config *config = w->config->backend_config;
	struct fork_state *s = w->state;
	sigset_t mask;
	int r;

	s->worker = w;
	s->reap = (enum fork_reap)config->reap;
	s->count.fire = fork_count_timer;
	s->kill.fire = fork_kill_timer;
	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++)
		s->acceptors[i].fd = -1;
	for (s->bucket_count = 1; s->bucket_count < w->config->slots;)
		s->bucket_count *= 2;
	/* children hold on to theirs: they cannot move when there are more slots */
	s->cell_count = size_max(w->config->slots, w->config->slots_max);
	s->cells = fork_map(s->cell_count * sizeof(*s->cells), MAP_SHARED);
	s->buckets = fork_map(s->bucket_count * sizeof(struct conn *), MAP_PRIVATE);
	r = s->cells && s->buckets ? 0 : -ENOMEM;
	if (r == 0) {
		signal(SIGCHLD,
		       SIG_DFL); /* ignored, as some start us, it would mean: no exit status */
		sigemptyset(&mask);
		sigaddset(&mask, SIGCHLD);
		s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
		r = s->signal_fd < 0 ? -errno : 0;
	}
	if (r < 0)
		fork_unmap(s);
	return r;
}

/* Kills a child that is left, and waits for it. */
static void fork_finish(struct fork_state *s, struct conn *c)
{
	pid_t pid = fork_of(c)->pid, got;
	int status = 0;

	conn_close(c, CAUSE_SHUTDOWN);
	kill(pid, SIGKILL);
	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	fork_forget(s, pid);
	fork_ended(c, status);
}

/* Asks those that are left to close now, and waits for them, not for long. */
static void fork_ask_all(struct worker *w)
{
	struct fork_state *s = w->state;
	struct pollfd p = { .fd = s->signal_fd, .events = POLLIN };
	const int64_t until_ns = clock_now_ns() + MSEC(GRACE_MS);
	int64_t left_ns = MSEC(GRACE_MS);

	for (size_t i = 0; i < s->bucket_count; i++) {
		for (struct conn *c = s->buckets[i]; c; c = fork_of(c)->next)
			kill(fork_of(c)->pid, FORK_CLOSE);
	}
	for (; w->live > 0 && left_ns > 0; left_ns = until_ns - clock_now_ns()) {
		(void)poll(&p, 1, (int)(left_ns / MSEC(1)) + 1); /* EINTR: an early check */
		fork_signalled(w);
		conn_reap(w);
	}
}

static void fork_fini(struct worker *w)
{
	struct fork_state *s = w->state;

	fork_ask_all(w);
	for (size_t i = 0; i < s->bucket_count; i++) {
		while (s->buckets[i])
			fork_finish(s, s->buckets[i]);
	}
	conn_reap(w); /* the slots of those that were still open */
	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		if (s->acceptors[i].fd >= 0)
			acceptor_fini(&s->acceptors[i]);
	}
	close(s->signal_fd);
	fork_unmap(s);
}

/* fork(2) as libc makes it, and nothing else of clone(2): no thread, no namespace. */
enum { FORK_FLAGS = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD };
#ifdef __s390x__
enum { FORK_FLAGS_AT = 1 };
#else
enum { FORK_FLAGS_AT = 0 };
#endif

static const struct backend_call fork_calls[] = {
	{ .number = SYS_clone, .arg = FORK_FLAGS_AT, .mask = UINT64_MAX, .value = FORK_FLAGS },
	{ .number = SYS_set_robust_list },
	{ .number = SYS_close_range },
	{ .number = SYS_wait4 },
	{ .number = SYS_kill, .arg = 1, .mask = UINT32_MAX, .value = SIGTERM },
	{ .number = SYS_kill, .arg = 1, .mask = UINT32_MAX, .value = SIGKILL },
	{ .number = SYS_kill, .arg = 1, .mask = UINT32_MAX, .value = FORK_CLOSE },
	/* abort, of whichever process */
	{ .number = SYS_tgkill, .arg = 2, .mask = UINT32_MAX, .value = SIGABRT },
	BACKEND_CALLS_END,
};

const struct backend_ops backend_fork = {
	.name = "fork",
	.help = "a process for each connection, with blocking calls: the textbook's server",
	.caps = BACKEND_ACCEPT | BACKEND_SINGLE,
	.state_size = sizeof(struct fork_state),
	.conn_size = sizeof(struct fork_conn),
	.opts = fork_opts,
	.config_size = sizeof(struct fork_config),
	.probe = fork_probe,
	.init = fork_init,
	.fini = fork_fini,
	.turn = fork_turn,
	.listen = fork_listen,
	.unlisten = fork_unlisten,
	/* no dial, no send: it only serves */
	.shutdown = fork_shutdown,
	.close = fork_close,
	.progress = fork_progress,
	.stop = fork_stop,
	.calls = fork_calls,
};
