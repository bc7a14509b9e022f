/* SPDX-License-Identifier: MIT
 * server: starts it, waits until it serves, ends it. A command says {addr} (or {host} and {port})
 * where the address goes; one without them has to print "listening" with its address, as echod
 * does.
 */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"

enum { TRY_MS = 2000 };

/* The last line of what it wrote to stderr, for messages. */
static void last_words(const struct child *c, char *text, size_t size)
{
	char *all = child_text(c->err), *line;
	size_t n = all ? strlen(all) : 0;

	while (n > 0 && (all[n - 1] == '\n' || all[n - 1] == ' '))
		all[--n] = '\0';
	line = all ? strrchr(all, '\n') : NULL;
	snprintf(text, size, "%.250s", line ? line + 1 : n ? all : "");
	free(all);
}

/* Runs a command that only looks at its options. */
static int check(const char *command, char why[WHY_MAX])
{
	struct child c;
	int r = child_start(&c, command, NULL);

	if (r < 0) {
		snprintf(why, WHY_MAX, "%s", strerror(-r));
		return r;
	}
	r = child_wait(&c, SEC(30));
	if (r == 0 && WIFEXITED(c.status) && WEXITSTATUS(c.status) == EXIT_USAGE) {
		last_words(&c, why, WHY_MAX);
		r = -EINVAL;
	}
	child_stop(&c, SEC(1));
	return r == -EINVAL ? r : 0; /* what else went wrong will be the reason of a cell */
}

/* What is --backend to a program that we start has another name here, @key. Returns it if @why is
 * about that, which is left out then. */
static const char *own_key(char why[WHY_MAX], const char *key)
{
	static const char option[] = " error: --backend: ";
	const char *at = strstr(why, option);

	if (!at)
		return NULL;
	at += sizeof(option) - 1;
	memmove(why, at, strlen(at) + 1);
	return key;
}

/* Whether echod has that backend. As server_check_sides; @name: of our option. */
static int check_backend(const struct bench_config *c, const char *side, char why[WHY_MAX],
			 const char *name, const char **key)
{
	char command[COMMAND_MAX], all[COMMAND_MAX + 32], hint[OPT_TEXT_MAX];
	size_t len;
	int r;

	command_server(c, side, 1, command);
	snprintf(all, sizeof(all), "%s --check", command);
	r = check(all, why);
	*key = r < 0 ? own_key(why, name) : NULL;
	if (!*key)
		return r;
	known_hint(c, side, hint);
	len = strlen(why);
	snprintf(why + len, WHY_MAX - len, "%s", hint);
	return r;
}

int server_check_sides(const struct bench_config *c, char why[WHY_MAX], const char **key)
{
	const struct workload one = { 1, 1, 1, MODE_CLOSED };
	const char *sides[SERVERS_MAX + 2] = { c->a, c->b };
	char command[COMMAND_MAX], all[COMMAND_MAX + 32], *gateless, *filled;
	unsigned count = 2;
	int r = 0;

	*key = NULL;
	for (unsigned i = 0; i < c->server.count; i++)
		sides[count++] = c->server.at[i];
	if (!command_needs_server(c->client_a))
		sides[0] = "";
	if (!command_needs_server(c->client_b))
		sides[1] = "";
	for (unsigned i = 0; i < count && r == 0; i++) {
		const char *name = i == 0 ? "a" : i == 1 ? "b" : "server";

		r = known_check(c, sides[i], why, WHY_MAX);
		*key = r < 0 ? name : NULL;
		if (r == 0 && sides[i][0] && command_is_backend(c, sides[i]))
			r = check_backend(c, sides[i], why, name, key);
	}
	if (r == 0 && (!c->client_a[0] || !c->client_b[0])) {
		command_client(c, &one, "", command);
		gateless = child_replace(command, " --gate {gate}", "");
		filled = gateless ? command_fill(gateless, c, &one, "127.0.0.1:1") : NULL;
		snprintf(all, sizeof(all), "%s --print-config", filled ? filled : "");
		snprintf(why, WHY_MAX, "%s", strerror(ENOMEM));
		r = filled ? check(all, why) : -ENOMEM;
		*key = r < 0 ? own_key(why, "client_backend") : NULL;
		free(gateless);
		free(filled);
	}
	return r;
}

/* A port that is free now. */
static int free_port(unsigned *port)
{
	int r = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr a;

	if (fd < 0)
		return -errno;
	addr_parse(&a, "127.0.0.1:0");
	if (bind(fd, (struct sockaddr *)&a.ss, a.len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a.ss, &a.len) < 0)
		r = -errno;
	close(fd);
	if (r == 0)
		*port = addr_port(&a);
	return r;
}

int server_start(struct server *s, const struct cell *c, const char *side, char why[WHY_MAX])
{
	char command[COMMAND_MAX], *filled;
	unsigned port = 0;
	int r = 0;

	*s = (struct server){ 0 };
	command_server(c->config, side, c->load.connections, command);
	if (strstr(command, "{addr}") || strstr(command, "{port}")) {
		r = free_port(&port);
		snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", port);
	}
	filled = r == 0 ? command_fill(command, c->config, &c->load, s->address) : NULL;
	if (filled)
		r = child_start(&s->child, filled, &c->config->server_cpus.set);
	else if (r == 0)
		r = -ENOMEM;
	free(filled);
	if (r < 0)
		snprintf(why, WHY_MAX, "cannot start '%.200s': %s", side, strerror(-r));
	return r;
}

static void say_ended(const struct server *s, char why[WHY_MAX])
{
	char words[WHY_MAX];

	last_words(&s->child, words, sizeof(words));
	snprintf(why, WHY_MAX, "the server ended (%s %d)%s%.240s",
		 WIFEXITED(s->child.status) ? "exit" : "signal",
		 WIFEXITED(s->child.status) ? WEXITSTATUS(s->child.status)
					    : WTERMSIG(s->child.status),
		 words[0] ? ": " : "", words);
}

bool server_ended(struct server *s, char why[WHY_MAX])
{
	if (!s->child.started || child_wait(&s->child, 0) != 0)
		return false;
	say_ended(s, why);
	return true;
}

/* Connects. Returns 0 or -errno. */
static int try_connect(int fd, const struct addr *to)
{
	const struct linger abort = { 1, 0 };

	if (connect(fd, (const struct sockaddr *)&to->ss, to->len) < 0)
		return -errno;
	if (!addr_dialed_itself(fd, to))
		return 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	return -ECONNREFUSED;
}

/* Sends one byte and waits for it. Returns 0 or -errno. */
static int try_echo(const char *address)
{
	struct addr a;
	struct pollfd p = { .events = POLLIN };
	char byte = 'e';
	int r;

	if (addr_parse(&a, address) < 0)
		return -EINVAL;
	p.fd = socket(a.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p.fd < 0)
		return -errno;
	r = try_connect(p.fd, &a);
	if (r == 0 && send(p.fd, &byte, 1, MSG_NOSIGNAL) != 1)
		r = -errno;
	if (r == 0 && poll(&p, 1, TRY_MS) != 1)
		r = -ETIMEDOUT;
	if (r == 0 && (recv(p.fd, &byte, 1, 0) != 1 || byte != 'e'))
		r = -EPROTO;
	close(p.fd);
	return r;
}

int server_ready(struct server *s, char why[WHY_MAX])
{
	int64_t end_ns = clock_now_ns() + SEC(10);
	int r = -ENOTCONN;

	while (clock_now_ns() < end_ns) {
		int w;

		if (s->address[0] || child_address(s->child.out, s->address, sizeof(s->address)) ||
		    child_address(s->child.err, s->address, sizeof(s->address)))
			r = try_echo(s->address);
		if (r == 0)
			return 0;
		if (r == -ETIMEDOUT || r == -EPROTO) {
			snprintf(why, WHY_MAX, "the server accepts, but does not echo");
			return r;
		}
		w = child_wait(&s->child, MSEC(1));
		if (w == 0) {
			say_ended(s, why);
			return -ECHILD;
		}
		if (w == -EINTR)
			return w;
	}
	snprintf(why, WHY_MAX,
		 s->address[0]
			 ? "the server did not accept connections within 10 s"
			 : "the server said no 'listening' with an address within 10 s (or use "
			   "{addr} in its command)");
	return -ETIME;
}

void server_stop(struct server *s)
{
	child_stop(&s->child, SEC(1));
}
