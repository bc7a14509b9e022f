/* SPDX-License-Identifier: MIT
 * client: starts echoload, or what was named instead, and reads its result.
 */
#include "client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "commands.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "printed.h"

#define PATIENCE_NS SEC(15) /* longer than the client's own time limits */

/* ---- what it says ---- */

static json_t *client_json(const struct child *c)
{
	char *text = child_text(c->out);
	json_t *json = text ? printed_json(text) : NULL;

	free(text);
	return json;
}

static void read_sample(const struct client *l, const json_t *json, struct sample *out)
{
	out->p50_ns = printed_number(json, ".latency_ns.p50");
	out->p99_ns = printed_number(json, ".latency_ns.p99");
	out->key = printed_number(json, l->cell->config->compare);
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

static bool client_succeeded(const struct client *l, const struct child *c, const json_t *json)
{
	return WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0 && (json || l->own);
}

/* ---- behind a gate ---- */

static int gate_failed(struct client *l, int e, char why[WHY_MAX])
{
	if (e == -EINTR)
		return e;
	if (e == -ETIME)
		snprintf(why, WHY_MAX, "the client did not answer in time");
	else if (e == -EPROTO)
		snprintf(why, WHY_MAX, "what the client said is no answer");
	else
		e = client_end(l, NULL, why);
	return e;
}

int client_start(struct client *l, const struct cell *c, enum side side, const char *address,
		 char why[WHY_MAX])
{
	const cpu_set_t *cpus = &c->config->client_cpus.set;
	char command[COMMAND_MAX];
	int r = 0;

	*l = (struct client){ .cell = c,
			      .gated = command_is_gated(c->client[side]),
			      .own = c->client[side][0] != '\0' };
	command_client(c->config, &c->load, c->client[side], command);
	l->command = command_fill(command, c->config, &c->load, address);
	if (!l->command)
		r = -ENOMEM;
	else if (l->gated)
		r = gated_client_start(&l->behind_gate, l->command, cpus);
	if (r < 0)
		snprintf(why, WHY_MAX, "cannot start the client: %s", strerror(-r));
	return r;
}

int client_ready(struct client *l, char why[WHY_MAX])
{
	int e = l->gated ? gated_client_ready(&l->behind_gate, PATIENCE_NS) : 0;

	return e < 0 ? gate_failed(l, e, why) : 0;
}

int client_end(struct client *l, struct sample *out, char why[WHY_MAX])
{
	struct child *client = &l->behind_gate.child;
	int e = gated_client_end(&l->behind_gate, PATIENCE_NS);
	json_t *json = e == 0 ? client_json(client) : NULL;

	if (e == -ETIME) {
		snprintf(why, WHY_MAX, "the client did not end");
	} else if (e == 0 && !client_succeeded(l, client, json)) {
		e = client_failed(client, json, why);
	} else if (e == 0 && !out) {
		snprintf(why, WHY_MAX, "nothing was echoed: the client ended too early");
		e = -ENODATA;
	} else if (e == 0) {
		read_sample(l, json, out);
	}
	json_decref(json);
	return e;
}

/* ---- whole ---- */

static int run_whole(struct client *l, int64_t ns, struct gated_client_slice *slice,
		     struct sample *out, char why[WHY_MAX])
{
	int64_t begin_ns = clock_now_ns();
	json_t *json = NULL;
	struct child c;
	int r = child_start(&c, l->command, &l->cell->config->client_cpus.set);

	if (r == 0)
		r = child_wait(&c, 10 * ns + SEC(30));
	slice->took_ns = clock_now_ns() - begin_ns;
	if (r == 0)
		json = client_json(&c);
	if (r == -ETIME)
		snprintf(why, WHY_MAX, "the client did not end");
	else if (r == 0 && (!json || !client_succeeded(l, &c, json)))
		r = client_failed(&c, json, why);
	else if (r < 0 && r != -EINTR)
		snprintf(why, WHY_MAX, "cannot start the client: %s", strerror(-r));
	slice->messages = printed_messages(json);
	read_sample(l, json, out);
	json_decref(json);
	child_stop(&c, SEC(1));
	return r;
}

int client_round(struct client *l, int64_t ns, struct gated_client_slice *slice, struct sample *out,
		 char why[WHY_MAX])
{
	int e;

	if (!l->gated)
		return run_whole(l, ns, slice, out, why);
	e = gated_client_slice(&l->behind_gate, ns, PATIENCE_NS, slice);
	if (e < 0)
		return gate_failed(l, e, why);
	if (slice->messages > 0)
		return 0;
	snprintf(why, WHY_MAX, "nothing was echoed in a round of its time");
	return -EAGAIN;
}

void client_stop(struct client *l)
{
	gated_client_stop(&l->behind_gate);
	free(l->command);
	l->command = NULL;
}

void client_usage(const struct client *l, struct tasks_usage *u)
{
	struct rusage r;

	tasks_usage(l->behind_gate.child.keeper, u);
	if (l->gated || getrusage(RUSAGE_CHILDREN, &r) < 0)
		return;
	/* it has ended by the time of the second snapshot; no server ends between the two */
	u->cpu_ns = (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * SEC(1) +
		    (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000ll;
	u->switches = (uint64_t)(r.ru_nvcsw + r.ru_nivcsw);
}
