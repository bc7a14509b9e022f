/* SPDX-License-Identifier: MIT
 * measure: runs echoload against a server and looks at the server twice meanwhile, soon after
 * measuring began and just before it ends. What it used in between, divided by the messages of that
 * time, is the cost of a message: neither the making of connections nor the start of a process is
 * in it.
 */
#include "measure.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "echo/base.h"
#include "echo/clock.h"
#include "echo/provenance.h"
#include "echo/tasks.h"
#include "throttle.h"

enum {
	CONN_COST_NS = 150 * 1000, /* generous: to connect, on a machine like the author's */
	STREAM_WINDOW = 1 << 20,   /* bytes in flight that keep a connection's pipe full */
};

/* Of the window, at most this much may be spent waiting for a CPU. */
static const double wait_limit = 0.05;

/* What was seen of server and client at one time. */
struct look {
	int64_t unix_ns, steal_ns;
	struct tasks_usage server, client;
	uint64_t calls, throttles; /* calls: of the server */
};

int64_t round_warmup_ns(const struct bench_config *c, const struct workload *w)
{
	return c->warmup + (int64_t)w->connections * CONN_COST_NS;
}

static uint64_t depth(const struct workload *w)
{
	uint64_t full = STREAM_WINDOW / w->size;

	if (w->mode != MODE_STREAM || w->pipeline >= full)
		return w->pipeline;
	return full > 65536 ? 65536 : full;
}

void client_command(const struct bench_config *c, const struct workload *w, const char *address,
		    char command[COMMAND_MAX])
{
	char path[PATH_MAX], mode[64] = "";
	bool congestion = strcmp(c->congestion, "default") != 0;
	unsigned threads = c->threads ? c->threads : (unsigned)CPU_COUNT(&c->client_cpus.set);

	if (w->mode == MODE_OPEN)
		snprintf(mode, sizeof(mode), " --rate %llu", (unsigned long long)c->rate);
	else if (w->mode == MODE_CHURN)
		snprintf(mode, sizeof(mode), " --churn %u", c->churn);
	snprintf(command, COMMAND_MAX,
		 "%.500s -c %llu -s %llu -p %llu -t %u -d %lldns -w %lldns --cpus %.100s "
		 "--backend %.50s --seed %llu -T 10s --connect-timeout 5s --grace 3s --progress "
		 "never -o json"
		 "%s%s%.20s %.80s",
		 sibling_path("echoload", path, sizeof(path)), (unsigned long long)w->connections,
		 (unsigned long long)w->size, (unsigned long long)depth(w), threads,
		 (long long)c->round, (long long)round_warmup_ns(c, w), c->client_cpus.text,
		 c->client_backend, (unsigned long long)c->seed, mode,
		 congestion ? " --congestion " : "", congestion ? c->congestion : "", address);
}

static void look(const struct round *r, const struct child *client, struct look *l)
{
	l->steal_ns = provenance_steal_ns();
	l->throttles = throttle_count();
	tasks_usage(client->pid, &l->client);
	tasks_usage(r->server->child.pid, &l->server);
	l->calls = tasks_syscalls_sum(r->calls);
	l->unix_ns = clock_unix_ns();
}

static int64_t server_cpu_ns(const struct server *s)
{
	struct tasks_usage u;

	tasks_usage(s->child.pid, &u);
	return u.cpu_ns;
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
	return -EAGAIN; /* a machine so busy that nothing came back in time: the next may go better
			 */
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* How much of the time that others left it somebody worked: what is ready, but has no CPU, cannot
 * be told to be idle. */
static double busy(const struct tasks_usage *first, const struct tasks_usage *last, double most_ns)
{
	double cpu_ns = (double)(last->cpu_ns - first->cpu_ns),
	       wait_ns = (double)(last->wait_ns - first->wait_ns);

	return share(cpu_ns, fmax(most_ns - wait_ns, cpu_ns));
}

/* Whether both looks fell into the time that the client measured: on a busy machine it may have
 * come up too late. */
static bool in_time(const json_t *json, const struct look *first, const struct look *last)
{
	double start_ns = number(json, "context", "start_unix_ns");

	return (double)first->unix_ns >= start_ns + number(json, "measured", "begin_ns") &&
	       (double)last->unix_ns <= start_ns + number(json, "measured", "end_ns");
}

/* From the client's result and the two looks to what one message cost. */
static void evaluate(struct round *r, const json_t *json, const struct look *first,
		     const struct look *last)
{
	const struct bench_config *c = r->config;
	double window_ns = (double)(last->unix_ns - first->unix_ns), in_window, threads;
	struct sample *s = &r->sample;

	threads = number(json, "context", "threads");
	s->rate = share(number(json, "measured", "echoed") * 1e9,
			number(json, "measured", "end_ns") - number(json, "measured", "begin_ns"));
	in_window = s->rate * window_ns / 1e9;
	s->cpu_ns = share((double)(last->server.cpu_ns - first->server.cpu_ns), in_window);
	s->switches =
		share((double)last->server.switches - (double)first->server.switches, in_window);
	if (r->syscalls >= 0)
		r->syscalls = share((double)(last->calls - first->calls), in_window);
	s->server_busy =
		busy(&first->server, &last->server, window_ns * CPU_COUNT(&c->server_cpus.set));
	s->client_busy = busy(&first->client, &last->client, window_ns * fmax(threads, 1));
	s->p50_ns = number(json, "latency_ns", "p50");
	s->p99_ns = number(json, "latency_ns", "p99");
	s->stolen = first->steal_ns >= 0 && last->steal_ns > first->steal_ns;
	s->throttled = last->throttles > first->throttles;
	s->disturbed =
		!in_time(json, first, last) ||
		(double)(last->client.wait_ns - first->client.wait_ns) > wait_limit * window_ns ||
		(double)(last->server.wait_ns - first->server.wait_ns) >
			wait_limit * window_ns * last->server.threads;
}

/* Waits, looks, waits, looks, waits for the end. The client measures for config->round after its
 * warm-up, which begins a few milliseconds after @begin_ns, when it is up. */
static int watch(struct round *r, struct child *client, struct look *first, struct look *last)
{
	const struct bench_config *c = r->config;
	int64_t begin_ns = clock_now_ns() + round_warmup_ns(c, r->load);
	int64_t inset_ns = c->round / 10;
	int e = child_wait(client, begin_ns + inset_ns - clock_now_ns());

	look(r, client, first);
	if (e == -ETIME)
		e = child_wait(client, begin_ns + c->round - inset_ns / 2 - clock_now_ns());
	if (e == 0)
		return 0; /* too early: its exit code says why */
	if (e == -ETIME) {
		look(r, client, last);
		e = child_wait(client, SEC(30));
	}
	return e;
}

/* A machine so busy that the server had no turn between the looks: all of the run counts. */
static void evaluate_whole(struct round *r, double messages, int64_t cpu_ns)
{
	r->sample.cpu_ns = share((double)cpu_ns, messages);
	r->sample.disturbed = true;
}

static int finish(struct round *r, struct child *client, const struct look *first,
		  const struct look *last, char why[WHY_MAX])
{
	char *text = child_text(client->out);
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;
	double all = number(json, "messages", "echoed");
	int e = 0;

	free(text);
	if (!WIFEXITED(client->status) || WEXITSTATUS(client->status) != 0 || !json) {
		e = client_failed(client, json, why);
	} else {
		evaluate(r, json, first, last);
		if (!(r->sample.cpu_ns > 0))
			evaluate_whole(r, all, server_cpu_ns(r->server) - r->begin_cpu_ns);
		if (!(r->sample.rate > 0)) {
			snprintf(why, WHY_MAX, "nothing was echoed in the measured time");
			e = -ENODATA;
		} else if (!(r->sample.cpu_ns > 0)) {
			snprintf(why, WHY_MAX,
				 "the server got no CPU time, or none that can be seen");
			e = -EAGAIN;
		}
	}
	json_decref(json);
	return e;
}

int round_measure(struct round *r, char why[WHY_MAX])
{
	static struct tasks_syscalls calls;
	char command[COMMAND_MAX];
	struct look first = { 0 }, last = { 0 };
	struct child client;
	int e;

	client_command(r->config, r->load, r->server->address, command);
	r->calls = &calls;
	r->syscalls =
		r->count_syscalls ? tasks_syscalls_begin(&calls, r->server->child.pid) : -ENODATA;
	r->begin_cpu_ns = server_cpu_ns(r->server);
	e = child_start(&client, command, NULL);
	if (e < 0) {
		snprintf(why, WHY_MAX, "cannot start the client: %s", strerror(-e));
		goto out;
	}
	e = watch(r, &client, &first, &last);
	if (e == -ETIME)
		snprintf(why, WHY_MAX, "the client did not end");
	if (e == 0)
		e = finish(r, &client, &first, &last, why);
	if (e < 0 && e != -EINTR && server_ended(r->server, why))
		e = -ECHILD;
	child_stop(&client, SEC(1));
out:
	tasks_syscalls_end(&calls);
	return e;
}
