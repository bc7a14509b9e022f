/* SPDX-License-Identifier: MIT
 * contract: see contract.h. What it keeps of a connection lies behind the role's own bytes.
 */
#include "echo/net/contract.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/net/conn.h"
#include "echo/net/role.h"
#include "echo/net/worker.h"

enum { WHY_MAX = 256 };

/* Of a connection. */
struct contract_conn {
	uint64_t given; /* bytes of the stream that were delivered to the role */
	uint64_t owed;  /* bytes that the role has asked for, from the beginning of the stream */
	bool opened, eof, closed;
};

static struct {
	struct role role;
	const struct role *inner;
	void (*broken)(const char *rule, const char *why);
} contract;

static _Thread_local bool within; /* a callback */

static void contract_abort(const char *rule, const char *why)
{
	fprintf(stderr, "contract: %s: %s\n", rule, why);
	abort();
}

void contract_on_break(void (*broken)(const char *rule, const char *why))
{
	contract.broken = broken;
}

static void breaks(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void breaks(const char *rule, const char *format, ...)
{
	char why[WHY_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	within = false;
	(contract.broken ? contract.broken : contract_abort)(rule, why);
}

static struct contract_conn *contract_of(const struct conn *c)
{
	const size_t at = contract.role.conn_size - sizeof(struct contract_conn);

	return (struct contract_conn *)(void *)((char *)conn_role(c) + at);
}

/* ---- callbacks ---- */

/* Bytes that the socket has taken, and those that wait for it. */
static uint64_t asked_for(const struct conn *c)
{
	return c->sent + conn_unsent(c);
}

/* Between two callbacks a backend sends, and neither loses nor repeats. A role that does not echo
 * may send from its own timers as well. */
static void check_owed(const struct conn *c, const char *what, uint64_t owed)
{
	if (asked_for(c) == owed || (!contract.inner->echoes && asked_for(c) > owed))
		return;
	breaks("owed", "fd %d: %s: %llu bytes sent, %zu unsent, %llu asked for", c->fd, what,
	       (unsigned long long)c->sent, conn_unsent(c), (unsigned long long)owed);
}

static struct contract_conn *enter(const struct conn *c, const char *what)
{
	struct contract_conn *k = contract_of(c);

	if (within)
		breaks("nested", "fd %d: %s within another callback", c->fd, what);
	if (k->closed || c->state == CONN_FREE)
		breaks("after-closed", "fd %d: %s after closed", c->fd, what);
	within = true;
	return k;
}

/* All but `closed`. */
static struct contract_conn *enter_open(const struct conn *c, const char *what)
{
	struct contract_conn *k = enter(c, what);

	if (c->state != CONN_OPEN && (c->state != CONN_DIALING || k->opened))
		breaks("not-open", "fd %d: %s in state %u", c->fd, what, c->state);
	return k;
}

static void leave(const struct conn *c)
{
	contract_of(c)->owed = asked_for(c);
	within = false;
}

static void contract_opened(struct conn *c)
{
	struct contract_conn *k = enter_open(c, "opened");

	if (k->opened)
		breaks("opened-twice", "fd %d: opened", c->fd);
	check_owed(c, "opened", 0);
	k->opened = true;
	contract.inner->opened(c);
	leave(c);
}

/* The first callback of one that came from another process, with what its peer is owed. */
static void contract_resumed(struct conn *c)
{
	struct contract_conn *k = enter_open(c, "resumed");

	if (k->opened)
		check_owed(c, "resumed", k->owed);
	k->opened = true;
	if (contract.inner->resumed)
		contract.inner->resumed(c);
	leave(c);
}

/* Where nothing could be kept a backend sends before it tells (backend/pass.h): what the role asks
 * for then is sent already. */
static enum conn_action contract_data(struct conn *c, const void *span, size_t len)
{
	struct contract_conn *k = enter_open(c, "data");
	const bool passed = contract.inner->echoes && asked_for(c) == k->owed + len;
	enum conn_action action;

	if (len == 0 || !k->opened || k->eof)
		breaks("data-late", "fd %d: %zu bytes, %s", c->fd, len,
		       k->eof ? "behind eof" : "before opened");
	if (c->received != k->given + len)
		breaks("data-count", "fd %d: %llu received, %llu and %zu delivered", c->fd,
		       (unsigned long long)c->received, (unsigned long long)k->given, len);
	if (!passed)
		check_owed(c, "data", k->owed);
	k->given += len;
	action = contract.inner->data(c, span, len);
	leave(c);
	if (action == CONN_ECHO && !passed)
		k->owed += len;
	return action;
}

static void contract_eof(struct conn *c)
{
	struct contract_conn *k = enter_open(c, "eof");
	int unread = 0;

	if (!k->opened || k->eof)
		breaks("eof-twice", "fd %d: eof %s", c->fd, k->eof ? "again" : "before opened");
	if (c->fd >= 0 && ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0)
		breaks("eof-early", "fd %d: %d bytes lie before the FIN", c->fd, unread);
	check_owed(c, "eof", k->owed);
	k->eof = true;
	contract.inner->eof(c);
	leave(c);
}

static void contract_drained(struct conn *c)
{
	const struct contract_conn *k = enter_open(c, "drained");

	if (!k->opened || conn_unsent(c) > 0)
		breaks("drained-early", "fd %d: %zu bytes are unsent", c->fd, conn_unsent(c));
	check_owed(c, "drained", k->owed);
	contract.inner->drained(c);
	leave(c);
}

static void contract_expired(struct conn *c)
{
	const struct contract_conn *k = enter_open(c, "expired");

	check_owed(c, "expired", k->owed);
	contract.inner->expired(c);
	leave(c);
}

/* One that is not reset has all that it was owed; it is that of another process when it has moved
 * there. */
static void contract_closed(struct conn *c)
{
	struct contract_conn *k = enter(c, "closed");

	if (c->cause == CAUSE_NONE || c->cause >= CAUSE_COUNT)
		breaks("no-cause", "fd %d: closed for %u", c->fd, c->cause);
	if (k->opened && c->fd >= 0 && c->cause != CAUSE_MOVED && !conn_resets(c) &&
	    c->sent < k->owed)
		breaks("owed-behind-fin", "fd %d: %llu of %llu bytes sent, and a clean end", c->fd,
		       (unsigned long long)c->sent, (unsigned long long)k->owed);
	contract.inner->closed(c);
	k->closed = true;
	within = false;
}

/* Whether what contract.role has of @inner is still so. */
static bool is_checked(const struct role *inner, size_t conn_size)
{
	const struct role *r = &contract.role;

	return inner == contract.inner && r->conn_size == conn_size && r->echoes == inner->echoes &&
	       r->start == inner->start && r->stop == inner->stop &&
	       r->configured == inner->configured && r->turned == inner->turned;
}

const struct role *contract_role(const struct role *role)
{
	const struct role *inner = role == &contract.role ? contract.inner : role;
	const size_t conn_size = (inner->conn_size + 7) / 8 * 8 + sizeof(struct contract_conn);

	/* another worker may run with it already: nothing is written twice */
	if (is_checked(inner, conn_size))
		return &contract.role;
	contract.inner = inner;
	contract.role = *inner;
	contract.role.conn_size = conn_size;
	contract.role.opened = contract_opened;
	contract.role.resumed = contract_resumed;
	contract.role.data = contract_data;
	contract.role.eof = contract_eof;
	contract.role.drained = contract_drained;
	contract.role.expired = contract_expired;
	contract.role.closed = contract_closed;
	return &contract.role;
}

/* ---- the end ---- */

void contract_over(const struct worker *w)
{
	uint64_t closed = 0;

	if (w->stopping == WORKER_RUN || w->stopping == WORKER_QUIT || w->error < 0)
		return; /* what was open then is not closed by the worker */
	if (unsent_free(&w->pool) != w->pool.blocks)
		breaks("pool-leaks", "%u of %u blocks are back", unsent_free(&w->pool),
		       w->pool.blocks);
	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		closed += stats_get(&w->stats.closed[i]);
	if (w->live > 0 || stats_get(&w->stats.open) != 0 ||
	    stats_get(&w->stats.opened) + stats_get(&w->stats.adopted) != closed)
		breaks("books", "%llu opened, %llu adopted, %llu closed, %llu open, %u slots taken",
		       (unsigned long long)stats_get(&w->stats.opened),
		       (unsigned long long)stats_get(&w->stats.adopted), (unsigned long long)closed,
		       (unsigned long long)stats_get(&w->stats.open), w->live);
}
