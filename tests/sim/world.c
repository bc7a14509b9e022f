/* SPDX-License-Identifier: MIT
 * world: peers, time and whoever stops the worker. Each step is a choice. When the budget of steps
 * is spent everybody becomes polite: peers send what they meant to, read all and shut their side,
 * and the worker is asked to stop; then all must come to its end.
 */
#include <errno.h>
#include <poll.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/worker.h"
#include "sim.h"

enum {
	CALL_NS = 300,
	IDLE_MAX = 5000, /* times that timers alone may go on when all is done */
	SPIN_MAX = 100000,
	POLITE = 1 << 16, /* bytes of the buffers of those who are */
	CALM = 8,         /* one of so many ends comes */
	FEW = 5000,       /* most bytes of a peer where they pass by small buffers */
};

struct flow world_flows[FLOWS_MAX];
unsigned world_flow_count;

static struct {
	unsigned budget;     /* steps that are left */
	unsigned idle;       /* times that nothing but time was left */
	unsigned calls;      /* since the process last waited in vain or the world moved */
	unsigned short_of;   /* so many submits find no memory */
	unsigned short_once; /* and of those that follow one in so many */
	enum worker_stop stop;
} world;

unsigned world_most(unsigned n)
{
	return sim.scarce && n > FEW ? FEW : n;
}

void world_begin(unsigned flows, unsigned budget)
{
	static const unsigned plans[] = { 100, 1, 5000, 700, 30000, 0 };

	world_flow_count = 0;
	world.budget = budget;
	world.idle = world.calls = world.short_of = 0;
	world.short_once = sim.faults && choice_chance(4) ? 3 : 20;
	world.stop = WORKER_RUN;
	for (unsigned i = 0; i < flows && sim.role == SIM_ECHO; i++)
		flow_new(FLOW_UNUSED)->plan = world_most(CHOICE_OF(plans));
}

bool world_stopping(void)
{
	return world.stop != WORKER_RUN;
}

void world_moved(void)
{
	world.calls = 0;
}

bool world_fault(unsigned once_in)
{
	return sim.faults && choice_chance(once_in);
}

static void world_stop(enum worker_stop how)
{
	TRACE("stop: %d", (int)how);
	world.stop = how;
	worker_stop(sim.worker, how);
}

/* ---- peers ---- */

static void peer_connect(struct flow *f)
{
	if (sim.role == SIM_CLIENT || world.stop != WORKER_RUN)
		return;
	TRACE("flow %u: connects", f->id);
	f->state = FLOW_QUEUED;
	file_wake(file_of(file_listen()), POLLIN);
}

/* A connect of ours is answered. */
static void peer_answer(struct flow *f, bool refuses)
{
	TRACE("flow %u: %s", f->id, refuses ? "refuses" : "accepts");
	if (refuses) {
		flow_rst(f);
		return;
	}
	f->state = FLOW_OPEN;
	file_wake(f->file, POLLOUT);
}

static uint64_t peer_left(const struct flow *f)
{
	uint64_t all = sim.role == SIM_CLIENT ? f->consumed : f->plan;

	return f->ended || f->rst ? 0 : all - f->arrived;
}

static size_t peer_may_send(const struct flow *f)
{
	size_t held = (size_t)(f->arrived - f->read);

	if (f->state == FLOW_CLOSED)
		return peer_left(f) > 0;
	return held >= f->rcvbuf ? 0 : size_min((size_t)peer_left(f), f->rcvbuf - held);
}

static void peer_send(struct flow *f, size_t n, bool urgent)
{
	if (n == 0 || f->got_reset)
		return;
	TRACE("flow %u: sends %zu%s", f->id, n, urgent ? ", the last is urgent" : "");
	if (urgent)
		f->urgent = f->arrived + n - 1;
	flow_arrive(f, n);
}

static void peer_read(struct flow *f, uint64_t n)
{
	flow_ack(f);
	if (f->taken - f->consumed < n)
		n = f->taken - f->consumed;
	if (n > 0)
		TRACE("flow %u: reads %llu", f->id, (unsigned long long)n);
	f->consumed += n;
}

static void peer_shut(struct flow *f)
{
	if (f->ended || f->got_reset)
		return;
	TRACE("flow %u: FIN", f->id);
	f->ended = true;
	flow_fin(f);
}

/* With bytes that it has not read close sends RST, and with a FIN it draws one later. */
static void peer_close(struct flow *f)
{
	if (f->gone)
		return;
	if (f->taken > f->consumed) {
		TRACE("flow %u: closes with RST", f->id);
		flow_rst(f);
		return;
	}
	peer_shut(f);
	f->gone = true;
	f->rst_due |= f->written > f->taken;
}

/* All at once, so that one wake tells of all of it. */
static void peer_leave(struct flow *f)
{
	if (choice_chance(2))
		peer_send(f, size_min(peer_may_send(f), 64), false);
	if (choice_chance(2))
		peer_shut(f);
	TRACE("flow %u: RST", f->id);
	flow_rst(f);
}

static void peer_choice(struct flow *f)
{
	static const unsigned sizes[] = { 64, 1, 5000, 300, 20000 };
	const unsigned any = choice_below(16);
	const unsigned what = any < 13 || !sim.calm || choice_chance(CALM) ? any : any % 8;
	const size_t n = what < 9 ? CHOICE_OF(sizes) : 1;

	switch (what) {
	case 0 ... 3:
		peer_send(f, size_min(peer_may_send(f), n), false);
		break;
	case 4 ... 7:
		peer_read(f, n);
		break;
	case 8:
		peer_send(f, size_min(peer_may_send(f), n), true);
		break;
	case 9:
	case 10:
		flow_ack(f);
		break;
	case 11:
	case 12:
		if (f->rst_due)
			flow_rst(f);
		break;
	case 13:
		peer_shut(f);
		break;
	case 14:
		if (choice_chance(2))
			peer_close(f);
		break;
	default:
		if (choice_chance(3))
			peer_leave(f);
	}
}

static void peer_step(struct flow *f)
{
	if (f->state == FLOW_UNUSED)
		peer_connect(f);
	else if (f->state == FLOW_CONNECTING)
		peer_answer(f, choice_chance(4));
	else
		peer_choice(f);
	if (f->state == FLOW_OPEN && choice_chance(sim.calm ? 250 : 100))
		peer_leave(f);
}

/* ---- steps ---- */

/* Some of the time just past the next timer: what came shortly before it is what it may miss. */
static void world_time(void)
{
	static const int64_t ms[] = { 1, 0, 12, 150, 2000 };
	const int64_t left_ns = timers_next(&sim.worker->timers, sim.now_ns);
	int64_t ns = MSEC(CHOICE_OF(ms));

	if (left_ns > 0 && choice_chance(2))
		ns = left_ns;
	sim.now_ns += ns + 1000;
	TRACE("time is %lld us", (long long)sim.now_ns / 1000);
}

/* Who leaves at once is to meet bytes that were received and not looked at. */
static void world_stop_now(enum worker_stop how)
{
	for (unsigned i = 0; i < world_flow_count && how == WORKER_QUIT; i++) {
		struct flow *f = &world_flows[i];

		if (f->state == FLOW_OPEN && choice_chance(2))
			peer_send(f, size_min(peer_may_send(f), 64), false);
	}
	world_stop(how);
}

/* Something happens by chance. Returns false when no chance is left. */
static bool world_step(void)
{
	unsigned who;

	if (choice_is_over())
		world.budget = 0;
	if (world.budget == 0)
		return false;
	world.budget--;
	world.calls = 0;
	who = choice_below(world_flow_count + 1);
	if (who > 0)
		peer_step(&world_flows[who - 1]);
	else if (choice_chance(4))
		file_signal();
	else if (choice_chance(14) && world.stop == WORKER_RUN && !mover_is_busy())
		world_stop_now(WORKER_LEAVE + (enum worker_stop)choice_below(WORKER_QUIT));
	else
		world_time();
	return true;
}

/* Everything that a polite peer does next. Returns whether there was anything. */
static bool peer_finish(struct flow *f)
{
	const uint64_t left = peer_left(f), consumed = f->consumed, taken = f->taken;
	const bool got = f->got_fin, ended = f->ended, pressed = f->pressed;

	if (f->state == FLOW_UNUSED || f->state == FLOW_QUEUED)
		return false;
	if (f->state == FLOW_CONNECTING) {
		peer_answer(f, false);
		return true;
	}
	if (f->rst_due) {
		flow_rst(f);
		return true;
	}
	f->window = f->rcvbuf = f->sndbuf = POLITE; /* as the kernel lets them grow */
	peer_read(f, UINT64_MAX);
	peer_send(f, peer_may_send(f), false);
	if (peer_left(f) == 0 && (sim.role == SIM_ECHO || f->got_fin))
		peer_shut(f);
	return left != peer_left(f) || consumed != f->consumed || taken != f->taken ||
	       got != f->got_fin || ended != f->ended || pressed;
}

/* Returns whether anything is left to happen. */
static bool world_finish(void)
{
	bool moved = false;

	for (unsigned i = 0; i < world_flow_count; i++)
		moved |= peer_finish(&world_flows[i]);
	world.calls = moved ? 0 : world.calls;
	if (moved)
		return true;
	if (world.stop != WORKER_RUN)
		return false;
	for (unsigned i = 0; i < world_flow_count; i++) {
		if (flow_lives(&world_flows[i]))
			return false; /* its end is to come without a stop, by a timer perhaps */
	}
	if (!mover_is_busy())
		world_stop(WORKER_DRAIN);
	return !mover_is_busy();
}

void world_pause(void)
{
	for (unsigned n = choice_below(16); n > 0; n--)
		world_step();
	sim.now_ns += MSEC(10) * choice_below(256);
	world.short_of = sim.faults ? choice_below(4) : 0;
	TRACE("a pause until %lld us", (long long)sim.now_ns / 1000);
}

bool world_lacks_memory(void)
{
	if (world.short_of == 0)
		return world_fault(world.short_once);
	world.short_of--;
	return true;
}

void world_tick(void)
{
	sim.now_ns += CALL_NS;
	if (++world.calls > SPIN_MAX)
		sim_fail("spins", "%u calls while nothing happened", world.calls);
	ring_tick();
	if (world.budget == 0 || !choice_chance(8))
		return;
	if (choice_chance(12))
		world_pause();
	world_step();
}

static void world_hangs(void)
{
	sim_fail("hangs", "%u connections of the worker, and nothing to wait for (stop %d)",
		 sim.worker->live, (int)world.stop);
}

bool world_wait(bool (*ready)(void), int64_t wait_ns)
{
	const int64_t until_ns = wait_ns < 0 ? INT64_MAX : sim.now_ns + wait_ns;

	for (;;) {
		if (ready()) {
			if (!choice_chance(3) || !world_step())
				return true;
			continue;
		}
		if (sim.now_ns >= until_ns)
			return false;
		checker_asleep();
		if (world_step())
			continue;
		if (world_finish())
			continue;
		if (ready())
			return true;
		if (until_ns == INT64_MAX || ++world.idle > IDLE_MAX)
			world_hangs();
		sim.now_ns = until_ns;
	}
}
