/* SPDX-License-Identifier: MIT
 * arm: lets echoload load a server for a round and looks at both before and after. Nothing is
 * under way then, so what they used in between, divided by the messages of the round, is the cost
 * of a message: neither the making of connections nor the start of a process is in it.
 */
#include "arm.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "commands.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/lab/provenance.h"
#include "echo/lab/tasks.h"
#include "throttle.h"

#define PATIENCE_NS SEC(15) /* longer than the client's own time limits */

/* Of a round, at most this much may be spent waiting for a CPU. */
static const double wait_limit = 0.05;

/* What was seen of server and client at one time. */
struct look {
	int64_t steal_ns;
	struct tasks_usage server, client;
	uint64_t throttles;
};

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* ---- start and end ---- */

int arm_start(struct arm *p, const struct bench_config *c, const struct workload *w,
	      const char *name, char why[WHY_MAX])
{
	p->config = c;
	p->load = w;
	return server_start(&p->server, c, name, w->connections, why);
}

int arm_serve(struct arm *p, char why[WHY_MAX])
{
	char command[COMMAND_MAX];
	int r = server_ready(&p->server, why);

	if (r < 0)
		return r;
	command_client(p->config, p->load, p->server.address, command);
	r = lane_start(&p->lane, command, NULL);
	if (r < 0)
		snprintf(why, WHY_MAX, "cannot start the client: %s", strerror(-r));
	return r;
}

static double number(const json_t *json, const char *outer, const char *inner)
{
	return json_number_value(json_object_get(json_object_get(json, outer), inner));
}

/* Why a client's run does not count, from its own words. */
static int client_failed(const struct child *client, const json_t *json, char why[WHY_MAX])
{
	const char *reason =
		json_string_value(json_object_get(json_object_get(json, "exit"), "reason"));
	char *said = child_text(client->err);

	if (said)
		said[strcspn(said, "\n")] = '\0';
	if (WIFSIGNALED(client->status))
		snprintf(why, WHY_MAX, "the client was killed by signal %d",
			 WTERMSIG(client->status));
	else
		snprintf(why, WHY_MAX, "the client ended with exit code %d: %.240s",
			 WEXITSTATUS(client->status),
			 reason ? reason
			 : said ? said
				: "");
	free(said);
	return -EAGAIN; /* on a machine so busy that it starved, the next may go better */
}

/* Whoever ended first is the reason. */
static int arm_failed(struct arm *p, int e, char why[WHY_MAX])
{
	if (e == -EINTR)
		return e;
	if (e == -ETIME)
		snprintf(why, WHY_MAX, "the client did not answer in time");
	else if (e == -EPROTO)
		snprintf(why, WHY_MAX, "what the client said is no answer");
	else
		e = arm_end(p, NULL, why);
	return server_ended(&p->server, why) ? -ECHILD : e;
}

int arm_ready(struct arm *p, char why[WHY_MAX])
{
	int e = lane_ready(&p->lane, PATIENCE_NS);

	return e < 0 ? arm_failed(p, e, why) : 0;
}

int arm_end(struct arm *p, struct sample *out, char why[WHY_MAX])
{
	struct child *client = &p->lane.client;
	int e = lane_end(&p->lane, PATIENCE_NS);
	char *text = child_text(client->out);
	json_t *json = text && e == 0 ? json_loads(text, 0, NULL) : NULL;

	free(text);
	if (e == -ETIME) {
		snprintf(why, WHY_MAX, "the client did not end");
	} else if (e == 0 && (!WIFEXITED(client->status) || WEXITSTATUS(client->status) || !json)) {
		e = client_failed(client, json, why);
	} else if (e == 0 && !out) {
		snprintf(why, WHY_MAX, "nothing was echoed: the client ended too early");
		e = -ENODATA;
	} else if (e == 0) {
		out->p50_ns = number(json, "latency_ns", "p50");
		out->p99_ns = number(json, "latency_ns", "p99");
	}
	json_decref(json);
	return e;
}

void arm_stop(struct arm *p)
{
	lane_stop(&p->lane);
	server_stop(&p->server);
}

/* ---- a round ---- */

static void look(const struct arm *p, struct look *l)
{
	l->steal_ns = provenance_steal_ns();
	l->throttles = throttle_count();
	tasks_usage(p->lane.client.keeper, &l->client);
	tasks_usage(p->server.child.keeper, &l->server);
}

/* How much of the time that others left it somebody worked: what is ready, but has no CPU, cannot
 * be told to be idle. */
static double busy(const struct tasks_usage *first, const struct tasks_usage *last, double most_ns)
{
	double cpu_ns = (double)(last->cpu_ns - first->cpu_ns),
	       wait_ns = (double)(last->wait_ns - first->wait_ns);

	return share(cpu_ns, fmax(most_ns - wait_ns, cpu_ns));
}

/* From the client's answer and two looks to what one message cost. */
static void evaluate(const struct arm *p, const struct lane_slice *a, const struct look *first,
		     const struct look *last, struct sample *s)
{
	const struct bench_config *c = p->config;
	const double took_ns = (double)a->took_ns, messages = (double)a->messages;
	const double limit_ns = wait_limit * took_ns;
	double threads = fmin(command_client_threads(c), (double)p->load->connections);

	s->rate = share(messages * 1e9, took_ns);
	s->cpu_ns = share((double)(last->server.cpu_ns - first->server.cpu_ns), messages);
	s->switches = share(fmax((double)last->server.switches - (double)first->server.switches, 0),
			    messages); /* a thread that ended takes its own along */
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

int arm_round(struct arm *p, int64_t ns, struct sample *out, double *calls, char why[WHY_MAX])
{
	static struct tasks_syscalls counted;
	struct lane_slice answer;
	struct look first, last;
	int e, r = calls ? tasks_syscalls_begin(&counted, p->server.child.keeper) : 0;

	look(p, &first);
	e = lane_slice(&p->lane, ns, PATIENCE_NS, &answer);
	if (calls)
		*calls = r < 0 || e < 0 ? r
					: share((double)tasks_syscalls_sum(&counted),
						(double)answer.messages);
	if (calls)
		tasks_syscalls_end(&counted);
	if (e < 0)
		return arm_failed(p, e, why);
	if (answer.messages == 0) {
		snprintf(why, WHY_MAX, "nothing was echoed in a round of its time");
		return -EAGAIN;
	}
	look(p, &last);
	evaluate(p, &answer, &first, &last, out);
	return 0;
}
