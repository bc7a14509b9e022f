/* SPDX-License-Identifier: MIT
 * arm: lets a client load a server for a round and measures both before and after. Nothing is
 * under way then, so what they used in between, divided by the messages of the round, is the cost
 * of a message: neither the making of connections nor the start of a process is in it.
 */
#include "arm.h"

#include <errno.h>
#include <math.h>

#include "commands.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/lab/provenance.h"
#include "echo/lab/tasks.h"
#include "throttle.h"

/* Of a round, at most this much may be spent waiting for a CPU. */
static const double wait_limit = 0.05;

/* What was seen of server and client at one time. */
struct snapshot {
	int64_t steal_ns;
	struct tasks_usage server, client;
	uint64_t throttles;
};

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* ---- start and end ---- */

int arm_start(struct arm *p, const struct cell *c, enum side side, char why[WHY_MAX])
{
	p->cell = c;
	p->side = side;
	return c->server[side] ? server_start(&p->server, c, c->server[side], why) : 0;
}

int arm_serve(struct arm *p, char why[WHY_MAX])
{
	int r = p->cell->server[p->side] ? server_ready(&p->server, why) : 0;

	return r < 0 ? r : client_start(&p->client, p->cell, p->side, p->server.address, why);
}

/* The program that ended first is the reason. */
static int arm_failed(struct arm *p, int e, char why[WHY_MAX])
{
	return e < 0 && e != -EINTR && server_ended(&p->server, why) ? -ECHILD : e;
}

int arm_ready(struct arm *p, char why[WHY_MAX])
{
	return arm_failed(p, client_ready(&p->client, why), why);
}

int arm_end(struct arm *p, struct sample *out, char why[WHY_MAX])
{
	return p->client.gated ? client_end(&p->client, out, why) : 0;
}

void arm_stop(struct arm *p)
{
	client_stop(&p->client);
	server_stop(&p->server);
}

/* ---- a round ---- */

/* Whose tasks are the server's: the client's, if it needs none. */
static pid_t arm_server(const struct arm *p)
{
	return p->cell->server[p->side] ? p->server.child.keeper
					: p->client.behind_gate.child.keeper;
}

static void take_snapshot(const struct arm *p, struct snapshot *s)
{
	s->steal_ns = provenance_steal_ns();
	s->throttles = throttle_count();
	client_usage(&p->client, &s->client);
	s->server = s->client;
	if (p->cell->server[p->side])
		tasks_usage(p->server.child.keeper, &s->server);
}

/* How much of the time that others left it somebody worked: what is ready, but has no CPU, cannot
 * be told to be idle. */
static double busy(const struct tasks_usage *first, const struct tasks_usage *last, double most_ns)
{
	double cpu_ns = (double)(last->cpu_ns - first->cpu_ns),
	       wait_ns = (double)(last->wait_ns - first->wait_ns);

	return share(cpu_ns, fmax(most_ns - wait_ns, cpu_ns));
}

/* NAN: not known */
static double messages_of(const struct gated_client_slice *a)
{
	return a->messages ? (double)a->messages : (double)NAN;
}

/* From the client's answer and two snapshots to what one message cost. */
static void evaluate(const struct arm *p, const struct gated_client_slice *a,
		     const struct snapshot *first, const struct snapshot *last, struct sample *s)
{
	const struct bench_config *c = p->cell->config;
	const double took_ns = (double)a->took_ns;
	const double messages = messages_of(a);
	const double limit_ns = wait_limit * took_ns;
	double threads = fmin(command_client_threads(c), (double)p->cell->load.connections);

	s->rate = messages * 1e9 / took_ns;
	s->cpu_ns = (double)(last->server.cpu_ns - first->server.cpu_ns) / messages;
	s->client_cpu_ns = (double)(last->client.cpu_ns - first->client.cpu_ns) / messages;
	/* a thread that ended takes its own along */
	s->switches =
		fmax((double)last->server.switches - (double)first->server.switches, 0) / messages;
	s->server_busy =
		busy(&first->server, &last->server, took_ns * CPU_COUNT(&c->server_cpus.set));
	s->client_busy = busy(&first->client, &last->client, took_ns * fmax(threads, 1));
	s->rounds = 1;
	s->stolen = first->steal_ns >= 0 && last->steal_ns > first->steal_ns;
	s->throttled = last->throttles > first->throttles;
	s->disturbed = (double)(last->client.wait_ns - first->client.wait_ns) > limit_ns ||
		       (double)(last->server.wait_ns - first->server.wait_ns) >
			       limit_ns * last->server.threads;
}

/* A client that is run whole has yet to be started: where it is its own server, there is nothing
 * that could be counted. */
static int count_calls(const struct arm *p, struct tasks_syscalls *counted)
{
	counted->count = 0;
	if (!p->cell->server[p->side] && !p->client.gated)
		return -EOPNOTSUPP;
	return tasks_syscalls_begin(counted, arm_server(p));
}

int arm_round(struct arm *p, int64_t ns, struct sample *out, double *calls, char why[WHY_MAX])
{
	static struct tasks_syscalls counted;
	struct gated_client_slice answer;
	struct snapshot first, last;
	int e, r = calls ? count_calls(p, &counted) : 0;

	take_snapshot(p, &first);
	e = client_round(&p->client, ns, &answer, out, why);
	if (calls)
		*calls = r < 0 || e < 0
				 ? r
				 : (double)tasks_syscalls_sum(&counted) / messages_of(&answer);
	if (calls)
		tasks_syscalls_end(&counted);
	if (e < 0)
		return arm_failed(p, e, why);
	take_snapshot(p, &last);
	evaluate(p, &answer, &first, &last, out);
	return 0;
}
