/* SPDX-License-Identifier: MIT
 * tcp_counters: /proc/net/netstat and /proc/net/snmp are pairs of lines, one of names and one of
 * values, that begin with the same word.
 */
#include "echo/lab/tcp_counters.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"

enum { LINE_LEN = 8192 };

static const struct {
	const char *name, *group, *path;
} counters[] = {
	[TCP_LISTEN_OVERFLOWS] = { "ListenOverflows", "TcpExt:", "/proc/net/netstat" },
	[TCP_LISTEN_DROPS] = { "ListenDrops", "TcpExt:", "/proc/net/netstat" },
	[TCP_MEMORY_PRESSURES] = { "TCPMemoryPressures", "TcpExt:", "/proc/net/netstat" },
	[TCP_ABORT_ON_MEMORY] = { "TCPAbortOnMemory", "TcpExt:", "/proc/net/netstat" },
	[TCP_RETRANSMITS] = { "RetransSegs", "Tcp:", "/proc/net/snmp" },
};
static_assert(ARRAY_LEN(counters) == TCP_COUNTERS, "every counter has a place");

/* The value that stands where @name stands among @names; -1: it is not there. */
static int64_t value_of(const char *name, char *names, char *values)
{
	char *next_name, *next_value;
	char *n = strtok_r(names, " \n", &next_name), *v = strtok_r(values, " \n", &next_value);

	while (n && v && strcmp(n, name) != 0) {
		n = strtok_r(NULL, " \n", &next_name);
		v = strtok_r(NULL, " \n", &next_value);
	}
	return n && v ? strtoll(v, NULL, 10) : -1;
}

static int64_t read_one(const char *root, enum tcp_counter which)
{
	const char *group = counters[which].group;
	char path[PATH_MAX], names[LINE_LEN], values[LINE_LEN];
	int64_t value = -1;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s%s", root, counters[which].path) >= (int)sizeof(path))
		return -1;
	f = fopen(path, "re");
	while (f && value < 0 && fgets(names, sizeof(names), f) &&
	       fgets(values, sizeof(values), f)) {
		if (strncmp(names, group, strlen(group)) == 0 &&
		    strncmp(values, group, strlen(group)) == 0)
			value = value_of(counters[which].name, names, values);
	}
	if (f)
		fclose(f);
	return value;
}

void tcp_counters_read_at(const char *root, struct tcp_counters *c)
{
	for (unsigned i = 0; i < TCP_COUNTERS; i++)
		c->of[i] = read_one(root, i);
}

void tcp_counters_read(struct tcp_counters *c)
{
	tcp_counters_read_at("", c);
}

void tcp_counters_since(struct tcp_counters *c, const struct tcp_counters *before)
{
	for (unsigned i = 0; i < TCP_COUNTERS; i++)
		c->of[i] = c->of[i] < 0 || before->of[i] < 0 ? -1 : c->of[i] - before->of[i];
}

const char *tcp_counter_name(enum tcp_counter n)
{
	assert(n < TCP_COUNTERS);
	return counters[n].name;
}
