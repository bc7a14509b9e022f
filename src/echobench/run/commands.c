/* SPDX-License-Identifier: MIT
 * commands: the command lines of servers and of the client. A side that is the name of a backend
 * stands for our own echod with that backend, one that is a known server's for what its file says.
 */
#include "commands.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/opt.h"
#include "echo/base/program.h"
#include "echo/lab/child.h"
#include "rounds.h"

enum {
	OWN_CONNS = 1000,        /* what echod may hold beside those of the workload */
	STREAM_WINDOW = 1 << 20, /* bytes in flight that keep a connection's pipe full */
};

bool command_is_backend(const struct bench_config *c, const char *side)
{
	return side[strspn(side, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0' &&
	       !known_find(c, side);
}

void command_server(const struct bench_config *c, const char *side, uint64_t connections,
		    char command[COMMAND_MAX])
{
	const struct server_file *known = known_find(c, side);
	char path[PATH_MAX];
	bool reno = strcmp(c->congestion, "default") != 0;

	if (known) {
		server_file_command(known, command, COMMAND_MAX);
		return;
	}
	if (!command_is_backend(c, side)) {
		snprintf(command, COMMAND_MAX, "%s", side);
		return;
	}
	/* a single process serves with fork; it needs no more than the affinity it is given */
	snprintf(
		command, COMMAND_MAX,
		"%.500s --listen 127.0.0.1:0 --backend %.50s --cpus %.100s --max-conns %llu%s%.20s",
		program_beside("echod", path, sizeof(path)), side, c->server_cpus.text,
		(unsigned long long)connections + OWN_CONNS, reno ? " --congestion " : "",
		reno ? c->congestion : "");
}

static uint64_t depth(const struct workload *w)
{
	uint64_t full = STREAM_WINDOW / w->size;

	if (w->mode != MODE_STREAM || w->pipeline >= full)
		return w->pipeline;
	return full > 65536 ? 65536 : full;
}

unsigned command_client_threads(const struct bench_config *c)
{
	return c->threads ? c->threads : (unsigned)CPU_COUNT(&c->client_cpus.set);
}

void command_client(const struct bench_config *c, const struct workload *w, const char *own,
		    char command[COMMAND_MAX])
{
	char path[PATH_MAX], mode[64] = "";
	bool congestion = strcmp(c->congestion, "default") != 0;

	if (own[0]) {
		snprintf(command, COMMAND_MAX, "%s", own);
		return;
	}
	if (w->mode == MODE_OPEN)
		snprintf(mode, sizeof(mode), " --rate %llu", (unsigned long long)c->rate);
	else if (w->mode == MODE_CHURN)
		snprintf(mode, sizeof(mode), " --churn %u", c->churn);
	snprintf(command, COMMAND_MAX,
		 "%.500s --gate {gate} -c %llu -s %llu -p %llu -t %u --cpus %.100s --backend %.50s "
		 "--seed %llu -T 10s --connect-timeout 5s --grace 3s --progress never -o json"
		 "%s%s%.20s {addr}",
		 program_beside("echoload", path, sizeof(path)), (unsigned long long)w->connections,
		 (unsigned long long)w->size, (unsigned long long)depth(w),
		 command_client_threads(c), c->client_cpus.text, c->client_backend,
		 (unsigned long long)c->seed, mode, congestion ? " --congestion " : "",
		 congestion ? c->congestion : "");
}

bool command_needs_server(const char *client)
{
	return !client[0] || strstr(client, "{addr}") || strstr(client, "{port}");
}

bool command_is_gated(const char *client)
{
	return !client[0] || strstr(client, "{gate}");
}

void command_sides(struct cell *c, const struct bench_config *config, const char *b)
{
	bool same_server = strcmp(config->a, b) == 0,
	     same_client = strcmp(config->client_a, config->client_b) == 0;

	c->config = config;
	c->client[SIDE_A] = config->client_a;
	c->client[SIDE_B] = config->client_b;
	c->server[SIDE_A] = config->a;
	c->server[SIDE_B] = b;
	for (unsigned s = 0; s < SIDES; s++) {
		const char *client = c->client[s][0] ? c->client[s] : "echoload";

		if (!command_needs_server(c->client[s]))
			c->server[s] = NULL;
		c->name[s] = c->server[s] && (same_client || !same_server) ? c->server[s] : client;
	}
}

/* Replaces one word more in @text, which it frees. */
static char *fill_word(char *text, const char *word, const char *by)
{
	char *out = text ? child_replace(text, word, by) : NULL;

	free(text);
	return out;
}

char *command_fill(const char *command, const struct bench_config *c, const struct workload *w,
		   const char *address)
{
	const char *colon = strrchr(address, ':');
	char number[32], host[INET6_ADDRSTRLEN + 2], *out;

	snprintf(number, sizeof(number), "%llu", (unsigned long long)w->connections);
	out = child_replace(command, "{connections}", number);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)w->size);
	out = fill_word(out, "{size}", number);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)w->pipeline);
	out = fill_word(out, "{pipeline}", number);
	snprintf(number, sizeof(number), "%.15g", (double)round_ns(c, w) / 1e9);
	out = fill_word(out, "{seconds}", number);
	snprintf(number, sizeof(number), "%u", command_client_threads(c));
	out = fill_word(out, "{threads}", number);
	snprintf(number, sizeof(number), "%d", CPU_COUNT(&c->server_cpus.set));
	out = fill_word(out, "{workers}", number);
	out = fill_word(out, "{congestion}", c->congestion);
	out = fill_word(out, "{client_backend}", c->client_backend);
	if (!colon)
		return out;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	out = fill_word(out, "{addr}", address);
	out = fill_word(out, "{host}", host);
	return fill_word(out, "{port}", colon + 1);
}

/* Whether what was asked for would not reach a client of one's own: its cell were labelled with
 * what it did not do. What was not asked for it may choose itself. */
static int check_client(struct opt_set *s, const struct bench_config *c, const char *key,
			const char *client)
{
	static const char *const told[] = { "connections", "size",       "pipeline",
					    "threads",     "congestion", "client_backend" };
	char word[32];

	if (client[0] && (c->mode.count > 1 || c->mode.at[0] != MODE_CLOSED))
		return opt_error_at(s, key, "the modes are echoload's alone");
	for (size_t i = 0; i < ARRAY_LEN(told) && client[0]; i++) {
		snprintf(word, sizeof(word), "{%s}", told[i]);
		if (opt_origin_of(s, told[i])->level != OPT_DEFAULT && !strstr(client, word))
			return opt_error_at(s, key,
					    "has no %s: it would not get the %s that was set", word,
					    told[i]);
	}
	return 0;
}

int command_check(struct opt_set *s, const struct bench_config *c)
{
	const char *idle = NULL;

	if (cell_figure(c->compare) < 0)
		return opt_error_at(s, "compare",
				    "'%s' must be auto, rate, cpu, client_cpu, or a key of the "
				    "client's JSON as .latency_ns.p99",
				    c->compare);
	if (!command_needs_server(c->client_a) && opt_origin_of(s, "a")->level != OPT_DEFAULT)
		idle = "a";
	if (!command_needs_server(c->client_b) && opt_origin_of(s, "b")->level != OPT_DEFAULT)
		idle = "b";
	if (!command_needs_server(c->client_b) && c->server.count > 0)
		idle = "server";
	if (idle)
		return opt_error_at(s, idle, "is not used: the client of this side has no {addr}");
	if (check_client(s, c, "client_a", c->client_a) < 0)
		return -EINVAL;
	return check_client(s, c, "client_b", c->client_b);
}
