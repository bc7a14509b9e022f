/* SPDX-License-Identifier: MIT
 * fake_backend: see fake_backend.h.
 */
#include "fake_backend.h"

#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/contract.h"

struct fake fake;

struct fake_conn *fake_conn(const struct conn *c)
{
	return conn_backend(c);
}

struct fake_role *fake_role(const struct conn *c)
{
	return conn_role(c);
}

/* ---- the role ---- */

static void role_start(struct worker *w)
{
	(void)w;
	fake.starts++;
}

static void role_stop(struct worker *w, enum worker_stop how)
{
	fake.stops++;
	fake.how = how;
	if (how > WORKER_DRAIN)
		conn_close_all(w, CAUSE_SHUTDOWN, how == WORKER_RESET);
}

static void role_opened(struct conn *c)
{
	fake_role(c)->opened++;
}

static enum conn_action role_data(struct conn *c, const void *span, size_t len)
{
	(void)span;
	(void)len;
	fake_role(c)->data++;
	return fake_role(c)->next;
}

static void role_eof(struct conn *c)
{
	fake_role(c)->eof++;
}

static void role_drained(struct conn *c)
{
	fake_role(c)->drained++;
}

static void role_expired(struct conn *c)
{
	fake_role(c)->expired++;
}

static void role_closed(struct conn *c)
{
	struct fake_role *r = fake_role(c);

	r->closed++;
	r->cause = c->cause;
	r->err = c->err;
	fake.last = *r;
	fake.closed++;
	if (r->on_closed)
		r->on_closed(c);
}

/* ---- the backend ---- */

static int backend_init(struct worker *w)
{
	(void)w;
	fake.inits++;
	return fake.init_error;
}

static void backend_fini(struct worker *w)
{
	(void)w;
	fake.finis++;
}

static int backend_probe(const char **why)
{
	(void)why;
	return 0;
}

/* For workers with a thread: waits for wake_fd only. */
static int backend_turn(struct worker *w, int64_t wait_ns)
{
	struct pollfd p = { w->wake_fd, POLLIN, 0 };

	fake.turns++;
	(void)poll(&p, 1, wait_ns < 0 ? 1000 : (int)size_min((size_t)wait_ns / 1000000 + 1, 1000));
	w->now_ns = clock_now_ns();
	return fake.turn_error;
}

static int backend_listen(struct worker *w, int fd)
{
	(void)w;
	ck_assert_int_ge(fd, 0);
	fake.listens++;
	return fake.listen_error;
}

static void backend_unlisten(struct worker *w, int fd, bool drain)
{
	(void)w;
	(void)drain;
	(void)fd;
}

static int backend_dial(struct conn *c)
{
	fake_conn(c)->dials++;
	return 0;
}

static void backend_send(struct conn *c)
{
	fake_conn(c)->sends++;
}

static void backend_shutdown(struct conn *c)
{
	fake_conn(c)->shutdowns++;
	conn_fin_sent(c);
}

static void backend_close(struct conn *c)
{
	fake_conn(c)->closes++;
}

static void backend_progress(const struct conn *c, struct sock_progress *p)
{
	*p = fake_conn(c)->progress;
}

static int backend_detach(struct conn *c)
{
	return fake.busy[c->slot] ? 0 : 1;
}

static void backend_owed(const struct conn *c,
			 void (*each)(void *arg, const void *span, size_t len), void *arg)
{
	unsent_each(&c->out, each, arg);
}

static int backend_attach(struct conn *c)
{
	fake.attached[c->slot]++;
	return 0;
}

const struct backend_ops fake_backend = {
	.name = "fake",
	.help = "does what a test says",
	.caps = BACKEND_ACCEPT | BACKEND_CONNECT,
	.state_size = 1,
	.conn_size = sizeof(struct fake_conn),
	.probe = backend_probe,
	.init = backend_init,
	.fini = backend_fini,
	.turn = backend_turn,
	.listen = backend_listen,
	.unlisten = backend_unlisten,
	.dial = backend_dial,
	.send = backend_send,
	.shutdown = backend_shutdown,
	.close = backend_close,
	.progress = backend_progress,
	.detach = backend_detach,
	.owed = backend_owed,
	.attach = backend_attach,
};

/* ---- what tests call ---- */

static void fake_configure(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.config = (struct net_config){ .backend = &fake_backend,
					   .max_conns = FAKE_MAX_CONNS,
					   .slots = FAKE_SLOTS,
					   .max_unsent = 4096,
					   .max_unsent_total = 65536,
					   .drain_ns = MSEC(50) };
	fake.role = (struct role){ .conn_size = sizeof(struct fake_role),
				   .start = role_start,
				   .stop = role_stop,
				   .opened = role_opened,
				   .data = role_data,
				   .eof = role_eof,
				   .drained = role_drained,
				   .expired = role_expired,
				   .closed = role_closed };
	fake.w = (struct worker){ .config = &fake.config,
				  .role = &fake.role,
				  .conns = &fake.conns,
				  .cpu = -1,
				  .done_fd = -1,
				  .wake_fd = -1 };
}

void fake_init(void)
{
	fake_configure();
	ck_assert_int_eq(worker_init(&fake.w), 0);
	fake.begun_ns = fake.w.now_ns;
}

void fake_init_checked(void)
{
	fake_configure();
	fake.role.echoes = true;
	fake.w.role = contract_role(&fake.role);
	ck_assert_int_eq(worker_init(&fake.w), 0);
	fake.begun_ns = fake.w.now_ns;
}

void fake_echoes(bool echoes)
{
	fake.role.echoes = echoes;
	CONTRACT_HOLD(&fake.w);
}

void fake_fini(void)
{
	worker_fini(&fake.w);
}

void fake_init_unprepared(void)
{
	fake_init();
	fake_fini();
	fake.w.wake_fd = -1;
}

int fake_start(void)
{
	int r = worker_prepare(&fake.w);

	return r < 0 ? r : worker_go(&fake.w);
}

struct conn *fake_accept(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct conn *c;

	ck_assert_int_ge(fd, 0);
	c = shed_accept(&fake.w, fd);
	if (c)
		conn_opened(c);
	return c;
}

struct conn *fake_dial(void)
{
	struct addr to;

	ck_assert_int_eq(addr_parse(&to, "127.0.0.1:1"), 0);
	return conn_dial(&fake.w, &to, NULL);
}

void fake_check_balance(void)
{
	const struct stats *s = &fake.w.stats;
	uint64_t closed = 0;

	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		closed += stats_get(&s->closed[i]);
	ck_assert_uint_eq(stats_get(&s->opened), stats_get(&s->open) + closed);
	ck_assert_uint_eq(stats_get(&s->open), atomic_load(&fake.conns));
}

void fake_fini_balanced(void)
{
	fake_check_balance();
	fake_fini();
}

void fake_turn(int64_t since_ns)
{
	fake.w.now_ns = fake.begun_ns + since_ns;
	timers_run(&fake.w.timers, fake.w.now_ns);
	conn_reap(&fake.w);
}
