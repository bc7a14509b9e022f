/* SPDX-License-Identifier: MIT
 * checker: what backends have promised, held against what this kernel knows. Between backend and
 * role: each byte is the one that was sent, and each end has the name of what happened (who is
 * called when, net/contract.c looks at). Against the kernel: what the peer is owed was sent or the
 * end is a reset; whoever sleeps has forgotten nobody; and in the end every buffer and descriptor
 * is back.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "backend/uring_private.h"
#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/base/clock.h"
#include "echo/net/backend.h"
#include "echo/net/conn.h"
#include "echo/net/contract.h"
#include "echo/net/worker.h"
#include "echod/echo.h"
#include "sim.h"

enum {
	SLACK_MS = 20, /* of echo.c: its clock's */
	IDLE_PART = 4, /* and between two checks */
	SCARCE_TURNS = 8,
};

/* Of a connection, behind the bytes of the role that is checked. */
struct check {
	struct flow *flow;
	uint64_t before; /* bytes that were delivered in another process */
	uint64_t came;   /* by the beginning of this turn: c->received */
	/* how long no byte had moved when a deadline came; how long none had gone out */
	int64_t quiet_ns, still_ns;
};

static struct {
	struct role role;
	struct backend_ops backend;
	const struct role *inner;
	const struct backend_ops *real;
	uint32_t turn;
	int64_t turn_ns;      /* when the turn began */
	bool looked;          /* it has asked the kernel for what has come */
	uint64_t scarce;      /* receives without a buffer, and turns with too many completions */
	uint32_t scarce_turn; /* the last with one of those */
} checker;

static struct check *check_of(const struct conn *c)
{
	const size_t size = checker.role.conn_size - sizeof(struct check);

	return (struct check *)(void *)((char *)conn_role(c) + size);
}

static void trace_callback(const struct conn *c, const char *what)
{
	const struct check *k = check_of(c);

	TRACE("flow %d: %s", k->flow ? (int)k->flow->id : -1, what);
}

/* ---- between backend and role ---- */

static void check_opened(struct conn *c)
{
	struct check *k = check_of(c);

	trace_callback(c, "opened");
	k->flow = file_of(c->fd)->flow;
	k->flow->conn = c;
	if (k->flow->state != FLOW_OPEN)
		sim_fail("opened-early", "flow %u is not connected", k->flow->id);
	checker.inner->opened(c);
}

/* It is served again, or has come from another process. */
static void check_resumed(struct conn *c)
{
	struct check *k = check_of(c);

	trace_callback(c, "resumed");
	if (!k->flow) {
		k->flow = file_of(c->fd)->flow;
		k->flow->conn = c;
		k->before = k->flow->delivered;
	}
	if (checker.inner->resumed)
		checker.inner->resumed(c);
}

static enum conn_action check_data(struct conn *c, const void *span, size_t len)
{
	struct check *k = check_of(c);
	enum conn_action action;

	trace_callback(c, "data");
	if (c->received + k->before != k->flow->delivered + len ||
	    c->received + k->before > k->flow->read)
		sim_fail("data-count", "flow %u: %llu received, %llu read", k->flow->id,
			 (unsigned long long)c->received, (unsigned long long)k->flow->read);
	for (size_t at = 0; at < len; at += FLOW_SPAN) {
		if (memcmp((const char *)span + at, flow_bytes(k->flow, k->flow->delivered + at),
			   size_min(len - at, FLOW_SPAN)) != 0)
			sim_fail("data-wrong", "flow %u: wrong bytes within %zu at %llu",
				 k->flow->id, len, (unsigned long long)k->flow->delivered);
	}
	k->flow->delivered += len;
	action = checker.inner->data(c, span, len);
	if (action == CONN_ECHO)
		k->flow->echoed += len;
	return action;
}

static void check_eof(struct conn *c)
{
	struct check *k = check_of(c);

	trace_callback(c, "eof");
	if (!k->flow->fin && !k->flow->rst)
		sim_fail("eof-invented", "flow %u: its peer has sent no FIN", k->flow->id);
	if (k->flow->delivered != k->flow->arrived)
		sim_fail("eof-early", "flow %u: %llu of %llu bytes delivered", k->flow->id,
			 (unsigned long long)k->flow->delivered,
			 (unsigned long long)k->flow->arrived);
	checker.inner->eof(c);
}

static void check_drained(struct conn *c)
{
	trace_callback(c, "drained");
	checker.inner->drained(c);
}

static uint64_t scarce_count(const struct worker *w)
{
	return stats_get(&w->stats.no_buffer) + stats_get(&w->stats.overflowed);
}

static bool is_scarce(const struct worker *w)
{
	return scarce_count(w) > checker.scarce ||
	       (sim.backend == SIM_URING && uring_has_starved(w->state));
}

/* What had come before the turn began has been looked at, before a deadline may be judged. Where
 * the ring has fewer buffers, or less room for completions, than there are connections with
 * something to receive, it may take more turns than a deadline waits for. */
static bool looks_before_deadlines(const struct worker *w)
{
	if (is_scarce(w))
		return false;
	return checker.scarce_turn == 0 || checker.turn - checker.scarce_turn > SCARCE_TURNS;
}

/* Something of the peer's had come before the deadline, and could have been looked at since before
 * the turn began: nothing was unsent then. */
static bool waited_long(const struct conn *c, const struct flow *f)
{
	return f->unread_ns && f->unread_ns < c->timer.at_ns && f->unread_ns < checker.turn_ns &&
	       f->room_ns < checker.turn_ns && f->written_ns < checker.turn_ns &&
	       conn_unsent(c) == 0 && (flow_events(f) & POLLOUT);
}

static void check_expired(struct conn *c)
{
	struct check *k = check_of(c);
	const struct flow *f = k->flow;

	trace_callback(c, "expired");
	k->quiet_ns = f ? sim.now_ns - f->moved_ns : 0;
	k->still_ns = f ? sim.now_ns - f->out_ns : 0;
	if (!checker.looked && looks_before_deadlines(c->worker))
		sim_fail("deadline-first", "a deadline in a turn that has not looked");
	if (!looks_before_deadlines(c->worker))
		k->quiet_ns = k->still_ns = INT64_MAX / 2; /* what it was told may be old */
	if (f && c->state == CONN_OPEN && c->received == k->came && waited_long(c, f) &&
	    looks_before_deadlines(c->worker))
		sim_fail("deadline-first", "flow %u: a deadline before what came %lld us ago",
			 f->id, (long long)(sim.now_ns - f->unread_ns) / 1000);
	checker.inner->expired(c);
}

static bool server_cause_holds(const struct conn *c, const struct flow *f)
{
	const struct echo_config *config = c->worker->role_state;
	const int64_t ns = config->idle_timeout_ns / IDLE_PART - MSEC(SLACK_MS);

	switch (c->cause) {
	case CAUSE_EOF:
		return f->fin;
	case CAUSE_RESET:
		return f->rst;
	case CAUSE_SHUTDOWN:
		return world_stopping();
	case CAUSE_IDLE_TIMEOUT:
		return config->idle_timeout_ns > 0 && check_of(c)->quiet_ns >= ns * IDLE_PART;
	case CAUSE_STALLED:
		return config->idle_timeout_ns > 0 && check_of(c)->still_ns >= ns;
	case CAUSE_SHED:
		return c->worker->config->max_conns < FLOWS_MAX;
	case CAUSE_LOCAL_LIMIT:
		return f->fault != 0;
	case CAUSE_MOVED:
		return f->away;
	default:
		return false;
	}
}

/* What the peer did first is the name. */
static bool client_cause_holds(const struct conn *c, const struct flow *f)
{
	switch (c->cause) {
	case CAUSE_EOF:
	case CAUSE_EOF_EARLY:
		return f->first == END_FIN;
	case CAUSE_RESET:
	case CAUSE_REFUSED:
		return f->first == END_RST;
	case CAUSE_LOCAL_LIMIT:
		return f->fault != 0;
	case CAUSE_FINISHED:
	case CAUSE_TIMEOUT_ANSWER:
	case CAUSE_TIMEOUT_CONNECT:
		return true;
	default:
		return false;
	}
}

static void check_cause(const struct conn *c, const struct flow *f)
{
	if (sim.role == SIM_ECHO ? server_cause_holds(c, f) : client_cause_holds(c, f))
		return;
	sim_fail("cause-wrong",
		 "flow %u: ends in %s (errno %d); FIN %d, RST %d, first %d, fault %d", f->id,
		 cause_name((enum cause)c->cause), c->err, f->fin, f->rst, (int)f->first, f->fault);
}

static void check_closed(struct conn *c)
{
	struct check *k = check_of(c);

	trace_callback(c, "closed");
	TRACE("flow %d: ends in %s, errno %d", k->flow ? (int)k->flow->id : -1,
	      cause_name((enum cause)c->cause), c->err);
	if (!k->flow && c->fd >= 0)
		k->flow = file_of(c->fd)->flow;
	if (k->flow) {
		check_cause(c, k->flow);
		k->flow->let_go = c->fin;
		k->flow->conn = NULL;
	}
	checker.inner->closed(c);
}

const struct role *checker_role(const struct role *inner)
{
	const size_t size = (inner->conn_size + 7) / 8 * 8;

	checker.inner = inner;
	checker.role = *inner;
	checker.role.conn_size = size + sizeof(struct check);
	checker.role.opened = check_opened;
	checker.role.data = check_data;
	checker.role.eof = check_eof;
	checker.role.drained = check_drained;
	checker.role.expired = check_expired;
	checker.role.closed = check_closed;
	checker.role.resumed = check_resumed;
	if (inner->echoes)
		checker.role.turned = mover_turned;
	return &checker.role;
}

/* ---- against the kernel ---- */

static void asleep_open(const struct conn *c, const struct flow *f)
{
	const unsigned events = flow_events(f);
	const size_t unsent = conn_unsent(c);

	if (f->rst)
		sim_fail("forgets-reset", "flow %u: nobody looks at its reset", f->id);
	if (!(events & POLLOUT))
		return; /* it waits for its peer to read */
	if (unsent > 0)
		sim_fail("forgets-room", "flow %u: its socket takes bytes, %zu are unsent", f->id,
			 unsent);
	if (sim.backend == SIM_URING && c->inflight == 0 && unsent == 0 && !c->eof)
		sim_fail("forgets-to-listen", "flow %u: no request tells of its peer", f->id);
	if (f->unread_ns)
		sim_fail("forgets-bytes", "flow %u: %llu bytes and FIN %d wait to be read", f->id,
			 (unsigned long long)(f->arrived - f->read), f->fin);
	if (!c->fin && f->read != f->delivered)
		sim_fail("forgets-held", "flow %u: %llu bytes read, %llu delivered", f->id,
			 (unsigned long long)f->read, (unsigned long long)f->delivered);
	if (c->fin && !f->shut)
		sim_fail("forgets-fin", "flow %u: all is sent, but no FIN", f->id);
}

void checker_looks(void)
{
	checker.looked = true;
}

void checker_asleep(void)
{
	for (unsigned i = 0; i < world_flow_count; i++) {
		const struct flow *f = &world_flows[i];
		const struct conn *c = f->conn;

		if (!c && f->state == FLOW_OPEN && flow_lives(f) && !f->away)
			sim_fail("forgets-socket", "flow %u: open, and no connection", f->id);
		if (!c || f->state == FLOW_CLOSED)
			continue;
		if (c->state == CONN_CLOSING)
			sim_fail("forgets-closing", "flow %u: closing, %u requests in flight",
				 f->id, c->inflight);
		if (c->state == CONN_DIALING && (f->state == FLOW_OPEN || f->rst))
			sim_fail("forgets-dialed", "flow %u: its connect has ended", f->id);
		if (c->state == CONN_MOVING && c->inflight > 0)
			sim_fail("forgets-moving", "flow %u: moving, %u requests in flight", f->id,
				 c->inflight);
		if (c->state == CONN_OPEN)
			asleep_open(c, f);
	}
}

void checker_closed(const struct flow *f, bool clean)
{
	if (!clean)
		return;
	if (f->written != f->echoed)
		sim_fail("owed-behind-fin", "flow %u: %llu of %llu bytes sent, and a clean end",
			 f->id, (unsigned long long)f->written, (unsigned long long)f->echoed);
	if (!f->let_go && f->read != f->delivered)
		sim_fail("dropped-behind-fin", "flow %u: %llu of %llu bytes delivered, clean end",
			 f->id, (unsigned long long)f->delivered, (unsigned long long)f->read);
}

/* No connection is left, so nothing is held. */
static void check_buffers(const struct worker *w)
{
	const struct uring_state *s = w->state;

	contract_over(w);
	if (sim.backend != SIM_URING)
		return;
	if (s->bufs.queued + s->bufs.spare_count != s->bufs.count)
		sim_fail("buffers-leak", "%u of %u buffers are back",
			 s->bufs.queued + s->bufs.spare_count, s->bufs.count);
	if (s->lent != 0 || s->spilled != 0 || uring_has_starved(s))
		sim_fail("counts-leak", "%llu bytes lent, %u blocks spilled",
			 (unsigned long long)s->lent, s->spilled);
}

static void check_fini(struct worker *w)
{
	if (w->error < 0)
		sim_fail("loop-ended", "errno %d", -w->error);
	if (w->stopping != WORKER_QUIT)
		check_buffers(w);
	checker.real->fini(w);
}

/* What has come of a connection so far: bytes that are dropped behind a FIN of ours, too, of which
 * the role does not hear. */
static void note_received(void)
{
	for (unsigned i = 0; i < world_flow_count; i++) {
		const struct conn *c = world_flows[i].conn;

		if (c)
			check_of(c)->came = c->received;
	}
}

static int check_turn(struct worker *w, int64_t wait_ns)
{
	note_received();
	fair_turn(w);
	checker.turn++;
	checker.turn_ns = sim.now_ns;
	checker.looked = false;
	if (is_scarce(w))
		checker.scarce_turn = checker.turn;
	checker.scarce = scarce_count(w);
	return checker.real->turn(w, wait_ns);
}

const struct backend_ops *checker_backend(const struct backend_ops *inner)
{
	checker.real = inner;
	checker.backend = *inner;
	checker.backend.turn = check_turn;
	checker.backend.fini = check_fini;
	checker.turn = checker.scarce_turn = 0;
	checker.scarce = 0;
	fair_begin(sim.now_ns);
	return &checker.backend;
}

void checker_over(void)
{
	const struct worker *w = sim.worker;

	if (file_open_count(FILE_FLOW) > 0)
		sim_fail("sockets-leak", "%u sockets are open", file_open_count(FILE_FLOW));
	if (w->stopping != WORKER_QUIT && *w->conns != 0)
		sim_fail("books", "%u connections are counted still", *w->conns);
}
