/* SPDX-License-Identifier: MIT
 * run: one schedule: a worker as the programs have it, with limits so small that all of them are
 * met, from its start to its end.
 */
#include <pthread.h>
#include <string.h>

#include "backend/uring_private.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/backend.h"
#include "echo/net/contract.h"
#include "echo/net/worker.h"
#include "echod/echo.h"
#include "sim.h"

struct sim sim;

/* As backend/epoll.c has it. */
struct epoll_config {
	uint64_t buffer;
};

static struct {
	struct worker worker;
	struct net_config net;
	struct echo_config echo;
	struct uring_config uring;
	struct epoll_config epoll;
	_Atomic uint32_t conns;
	bool tight; /* limits are met all the time, so that one turn follows another */
} run;

enum { TIGHT_IDLE_MS = 20 };

static void choose_backend(void)
{
	static const uint64_t sizes[] = { 4096, 64, 700, 16, 20000 };
	static const unsigned entries[] = { 64, 8, 2, 1 };
	static const unsigned buffers[] = { 16, 4, 2, 1 };
	static const uint64_t small[] = { 64, 16 };
	static const unsigned few[] = { 2, 4 }, one_or_many[] = { 1, 64 };

	run.epoll.buffer = sim.scarce ? CHOICE_OF(small) : CHOICE_OF(sizes);
	run.uring = (struct uring_config){ .buffer_size = run.epoll.buffer };
	if (sim.backend == SIM_EPOLL) {
		run.net.backend = checker_backend(&backend_epoll);
		run.net.backend_config = &run.epoll;
		return;
	}
	run.uring.buffers = sim.scarce ? CHOICE_OF(few) : CHOICE_OF(buffers);
	run.uring.entries = run.tight ? 1 : CHOICE_OF(entries);
	run.uring.cq_entries = 2 * (sim.scarce ? CHOICE_OF(one_or_many) : CHOICE_OF(entries));
	run.uring.conn_buffers = 1 + choice_below(4);
	run.net.backend = checker_backend(&backend_uring);
	run.net.backend_config = &run.uring;
}

static void choose_limits(unsigned flows)
{
	static const uint64_t unsent[] = { 16384, 4096, 300, 100000, 1 };
	static const uint64_t pool[] = { 64, 4, 1, 2, 16 };
	static const uint64_t some[] = { 64, 4 }, little[] = { 16384, 1 };
	static const int64_t idle_ms[] = { 0, 60, 1000 };
	static const int64_t busy_ns[] = { 0, 0, 20000, BUSY_POLL_AUTO };

	run.net.max_unsent = run.tight ? 1 : sim.scarce ? CHOICE_OF(little) : CHOICE_OF(unsent);
	if (sim.scarce)
		run.net.max_unsent_total = CHOICE_OF(some) * UNSENT_BLOCK;
	else
		run.net.max_unsent_total = (run.tight ? 4 : CHOICE_OF(pool)) * UNSENT_BLOCK;
	run.net.slots = FLOWS_MAX + 2;
	run.net.max_conns = choice_chance(4) ? 1 + choice_below(flows) : FLOWS_MAX;
	run.net.busy_poll_ns = CHOICE_OF(busy_ns);
	run.net.drain_ns = MSEC(300);
	run.net.sock.backlog = FLOWS_MAX;
	run.echo.idle_timeout_ns = MSEC(run.tight ? TIGHT_IDLE_MS : CHOICE_OF(idle_ms));
}

static void run_broken(const char *rule, const char *why)
{
	sim_fail(rule, "%s", why);
}

static void run_worker(void)
{
	const struct role *role = sim.role == SIM_ECHO ? &echo_role : &client_role;
	struct worker *w = &run.worker;

	*w = (struct worker){
		.config = &run.net,
		.role = contract_role(checker_role(role)),
		.role_state = &run.echo,
		.conns = &run.conns,
		.cpu = -1,
		.done_fd = -1,
		.wake_fd = -1,
	};
	contract_on_break(run_broken);
	sim.worker = w;
	if (sim.role == SIM_ECHO && worker_give_listener(w, file_listen(), LISTENER_OWN) < 0)
		sim_fail("start", "no room for a listener");
	if (worker_prepare(w) == 0 && worker_go(w) == 0)
		(void)worker_join(w);
	else if (!sim.faults)
		sim_fail("start", "the worker does not start");
	else if (sim.role == SIM_ECHO)
		(void)file_close(file_listen()); /* it has stayed ours */
}

void run_schedule(void)
{
	enum { ANY, ANY_TOO, SCARCE, TIGHT, KINDS };
	const unsigned flows = 1 + choice_below(5), kind = choice_below(KINDS);

	memset(&run, 0, sizeof(run));
	sim.now_ns = SEC(1000);
	sim.faults = choice_chance(3);
	sim.scarce = kind == SCARCE;
	sim.calm = choice_chance(2);
	run.tight = kind == TIGHT;
	file_begin();
	ring_begin();
	mover_begin();
	choose_backend();
	choose_limits(flows);
	world_begin(flows, 40 + choice_below(4) * 100);
	TRACE("%u flows; %u buffers of %llu bytes, %u and %u entries; %llu unsent bytes, %llu in all",
	      flows, run.uring.buffers, (unsigned long long)run.epoll.buffer, run.uring.entries,
	      run.uring.cq_entries, (unsigned long long)run.net.max_unsent,
	      (unsigned long long)run.net.max_unsent_total);
	if (sim.role == SIM_CLIENT)
		client_begin(flows);
	run_worker();
	checker_over();
}
