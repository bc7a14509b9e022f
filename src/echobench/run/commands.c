/* SPDX-License-Identifier: MIT
 * commands: the command lines of servers and of the client. A side that is the name of a backend
 * stands for our own echod with that backend.
 */
#include "commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/program.h"

enum {
	OWN_CONNS = 1000,        /* what echod may hold beside those of the workload */
	STREAM_WINDOW = 1 << 20, /* bytes in flight that keep a connection's pipe full */
};

bool command_is_backend(const char *side)
{
	return side[strspn(side, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0';
}

void command_server(const struct bench_config *c, const char *side, uint64_t connections,
		    char command[COMMAND_MAX])
{
	char path[PATH_MAX];
	bool reno = strcmp(c->congestion, "default") != 0;

	if (!command_is_backend(side)) {
		snprintf(command, COMMAND_MAX, "%s", side);
		return;
	}
	/* a single process serves with fork; it needs no more than the affinity it is given */
	snprintf(
		command, COMMAND_MAX,
		"%.500s --listen 127.0.0.1:0 --backend %.50s --cpus %.100s --max-conns %llu%s%.20s",
		program_beside("echod", path, sizeof(path)), side, c->server_cpus.text,
		(unsigned long long)(connections + OWN_CONNS), reno ? " --congestion " : "",
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

void command_client(const struct bench_config *c, const struct workload *w, const char *address,
		    char command[COMMAND_MAX])
{
	char path[PATH_MAX], mode[64] = "";
	bool congestion = strcmp(c->congestion, "default") != 0;

	if (w->mode == MODE_OPEN)
		snprintf(mode, sizeof(mode), " --rate %llu", (unsigned long long)c->rate);
	else if (w->mode == MODE_CHURN)
		snprintf(mode, sizeof(mode), " --churn %u", c->churn);
	snprintf(command, COMMAND_MAX,
		 "%.500s --gate {gate} -c %llu -s %llu -p %llu -t %u --cpus %.100s --backend %.50s "
		 "--seed %llu -T 10s --connect-timeout 5s --grace 3s --progress never -o json"
		 "%s%s%.20s %.80s",
		 program_beside("echoload", path, sizeof(path)), (unsigned long long)w->connections,
		 (unsigned long long)w->size, (unsigned long long)depth(w),
		 command_client_threads(c), c->client_cpus.text, c->client_backend,
		 (unsigned long long)c->seed, mode, congestion ? " --congestion " : "",
		 congestion ? c->congestion : "", address);
}
