/* SPDX-License-Identifier: MIT
 * bench_backend: one echo through one turn of each loop backend, and the look-up of a connection.
 *
 * A worker is turned by hand, without its thread: a client writes to a loopback connection, one
 * turn receives and echoes, the client reads. The client's two calls are part of the
 * figure.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "echo/net/worker.h"

enum { SIZE_MAX_BYTES = 65536 };

static char bytes[SIZE_MAX_BYTES];

static void nothing(struct conn *c)
{
	(void)c;
}

static enum conn_action echo(struct conn *c, const void *span, size_t len)
{
	(void)c;
	(void)span;
	(void)len;
	return CONN_ECHO;
}

static void start(struct worker *w)
{
	(void)w;
}

static void stop(struct worker *w, enum worker_stop how)
{
	conn_close_all(w, CAUSE_SHUTDOWN, how == WORKER_RESET);
}

static const struct role role = {
	.echoes = true,
	.start = start,
	.stop = stop,
	.opened = nothing,
	.data = echo,
	.eof = nothing,
	.drained = nothing,
	.expired = nothing,
	.closed = nothing,
};

struct bed {
	struct opt_set opts;
	struct backend_choice choice;
	struct net_config config;
	struct worker worker;
	_Atomic uint32_t conns;
	int client;
};

static void bed_turn(struct bed *t)
{
	(void)t->config.backend->turn(&t->worker, 0);
	timers_run(&t->worker.timers, t->worker.now_ns);
	conn_reap(&t->worker);
}

/* A worker of this backend with one connection, ready to echo. Returns 0 or -errno. */
static int bed_make(struct bed *t, const char *backend)
{
	struct addr at;
	int fd = -1, r;

	memset(t, 0, sizeof(*t));
	t->opts.program = "bench";
	t->client = -1;
	r = backend_options(&t->choice, BACKEND_ACCEPT, &t->opts);
	if (r == 0)
		r = opt_read_defaults(&t->opts);
	if (r == 0)
		r = backend_choose(&t->choice, BACKEND_ACCEPT, backend_find(backend));
	if (r < 0)
		return r;
	t->config = (struct net_config){ .backend = t->choice.ops,
					 .backend_config = t->choice.config,
					 .sock = { .backlog = 16 },
					 .max_conns = 16,
					 .slots = 16,
					 .max_unsent = 1 << 20,
					 .max_unsent_total = 1 << 20 };
	t->worker.config = &t->config;
	t->worker.role = &role;
	t->worker.conns = &t->conns;
	addr_parse(&at, "127.0.0.1:0");
	r = worker_init(&t->worker);
	if (r == 0)
		r = t->config.backend->init(&t->worker);
	if (r == 0)
		r = sock_listen(&at, &t->config.sock, &fd, 1);
	if (r == 0)
		r = t->config.backend->listen(&t->worker, fd);
	if (r < 0)
		return r;
	t->worker.listeners[t->worker.listener_count++] = fd;
	t->client = socket(at.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(t->client, (const struct sockaddr *)&at.ss, at.len) < 0)
		return -errno;
	for (int i = 0; i < 100000 && t->conns == 0; i++)
		bed_turn(t);
	return t->conns == 1 ? 0 : -ETIMEDOUT;
}

static void bed_unmake(struct bed *t)
{
	if (t->client >= 0)
		close(t->client);
	conn_close_all(&t->worker, CAUSE_SHUTDOWN, false);
	for (int i = 0; i < 100000 && t->worker.live > 0; i++)
		bed_turn(t);
	t->config.backend->fini(&t->worker);
	worker_fini(&t->worker);
	backend_choice_free(&t->choice);
}

/* One message there and back. Returns false when it does not come back. */
static bool bed_echo(struct bed *t, size_t len)
{
	size_t got = 0;

	if (send(t->client, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		return false;
	for (int i = 0; i < 100000 && got < len; i++) {
		ssize_t n;

		bed_turn(t);
		n = recv(t->client, bytes, len - got, MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	return got == len;
}

static void loop_backend(struct bench *b, const char *backend)
{
	static struct bed t;
	int r = bed_make(&t, backend);

	if (r < 0)
		bench_skip(b, strerror(-r));
	while (r == 0 && bench_next(b)) {
		if (!bed_echo(&t, (size_t)b->arg)) {
			bench_skip(b, "the echo did not come back");
			break;
		}
	}
	bench_items(b, 1);
	bench_bytes(b, (double)b->arg);
	if (r == 0)
		bed_unmake(&t);
}

BENCH(loop_epoll, 64, 65536)
{
	loop_backend(b, "epoll");
}

BENCH(loop_io_uring, 64, 65536)
{
	loop_backend(b, "io_uring");
}

BENCH(conn_find)
{
	static struct bed t;
	struct conn *c = NULL;
	uint64_t token = 0;

	if (bed_make(&t, "epoll") < 0) {
		bench_skip(b, "no connection");
		return;
	}
	while (bench_next(b)) {
		c = conn_find(&t.worker, token);
		bench_keep(&c);
	}
	bench_items(b, 1);
	bed_unmake(&t);
}
