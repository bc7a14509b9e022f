/* SPDX-License-Identifier: MIT
 * server: from the configuration to what the workers and the kernel are told.
 */
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/net/limit.h"

enum {
	TURN_ACCEPTS = 512, /* at most, of a worker */
	SPARE_FDS = 256,    /* descriptors that are no connection's */
	FEW_FDS = 64,       /* with so few of them it serves, but warns */
};

/* SO_REUSEPORT skews: one worker may get them all; and as many as one turn accepts may still be
 * closing for those that came. */
static uint32_t slots_for(uint32_t conns)
{
	return conns + conns / 8 + TURN_ACCEPTS;
}

/* Unix sockets of the user whom it becomes belong to that one, unless they are another's. */
static void server_own_files(const struct echod_config *c, struct sock_owner *owner)
{
	const struct sandbox_config *b = &c->sandbox;

	if (!b->user.name[0] || owner->uid != (uid_t)-1 || owner->gid != (gid_t)-1)
		return;
	owner->uid = b->user.uid;
	owner->gid = b->group.name[0] ? b->group.gid : b->user.gid;
}

void server_configure(const struct server *s, const struct echod_config *c, struct settings *to)
{
	static const enum worker_stop how[] = { [SHUTDOWN_DRAIN] = WORKER_DRAIN,
						[SHUTDOWN_CLOSE] = WORKER_CLOSE,
						[SHUTDOWN_RESET] = WORKER_RESET,
						[SHUTDOWN_DEFAULT] = WORKER_RUN,
						[SHUTDOWN_IGNORE] = WORKER_RUN };
	struct net_config *n = &to->net;
	struct sock_options sock = c->sock;

	n->backend = s->backend.ops;
	n->backend_config = s->backend.config;
	memcpy(sock.system_congestion, n->sock.system_congestion, sizeof(sock.system_congestion));
	server_own_files(c, &sock.unix_owner);
	n->sock = sock;
	n->max_conns = c->max_conns;
	if (n->slots < slots_for(c->max_conns))
		n->slots = slots_for(c->max_conns);
	n->slots_max = slots_for(ECHOD_CONNS_MAX);
	n->max_conns_per_address = c->max_conns_per_address;
	/* of a process that serves one the descriptor is gone: it could not be counted later */
	if (n->max_conns_per_address == 0 && n->backend->caps & BACKEND_SINGLE)
		n->max_conns_per_address = LIMIT_ANY;
	n->accept_rate = c->accept_rate;
	n->max_unsent = c->max_unsent;
	n->max_unsent_total = c->max_unsent_total;
	n->busy_poll_ns = c->busy_poll;
	n->own_descriptors = c->own_descriptors;
	n->balance = (enum balance_mode)c->balance;
	n->drain_ns = c->shutdown.drain_ns;
	n->on_term = how[c->shutdown.mode];
	n->settle = sandbox_settle(&s->sandbox);
	to->echo.idle_timeout_ns = c->idle_timeout;
	to->echo.slow_timeout_ns = c->slow_timeout;
}

int server_signals(struct server *s, const struct shutdown_policy *policy)
{
	static const int ends[] = { SIGTERM, SIGINT };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		if (policy->mode == SHUTDOWN_IGNORE)
			signal(ends[i], SIG_IGN);
		else if (sigismember(&s->takeover.successor.defaults, ends[i]))
			signal(ends[i], SIG_DFL); /* an earlier policy may have ignored it */
		if (policy->mode != SHUTDOWN_IGNORE && policy->mode != SHUTDOWN_DEFAULT)
			sigaddset(&mask, ends[i]);
	}
	return worker_group_signals(&s->group, &mask);
}

struct takeover_config server_takeover_config(const struct echod_config *c)
{
	struct takeover_config t = { .handover = c->handover, .deadline_ns = c->handover_time };

	memcpy(t.path, c->takeover, sizeof(t.path));
	return t;
}

uint64_t server_raise_nofile(unsigned max_conns)
{
	return sock_raise_nofile(max_conns + (uint64_t)SPARE_FDS);
}

void server_warn_nofile(uint64_t nofile, unsigned max_conns)
{
	if (nofile < max_conns + (uint64_t)FEW_FDS)
		log_warn("only %llu descriptors (ulimit -n): max_conns = %u will not be reached",
			 (unsigned long long)nofile, max_conns);
}

char *server_addresses(const struct server *s, char text[SERVER_ADDRESSES_MAX])
{
	char one[ADDR_TEXT_MAX];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < s->bound.count; i++)
		n += (size_t)snprintf(text + n, SERVER_ADDRESSES_MAX - n, "%s%s", i ? ", " : "",
				      addr_format(&s->bound.at[i], one));
	return text;
}
