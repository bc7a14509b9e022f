/* SPDX-License-Identifier: MIT
 * server: what main and a reload share: the configuration as it was read, and what the workers get
 * of it.
 */
#ifndef ECHOD_SERVER_H
#define ECHOD_SERVER_H

#include <stdbool.h>

#include "echo.h"
#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "echo/net/worker_group.h"
#include "listen/listeners.h"
#include "metrics.h"
#include "notify.h"
#include "opts.h"
#include "reread.h"
#include "sandbox/sandbox.h"
#include "takeover/takeover.h"
#include "watch.h"

/* What workers read while they run. It is never written then: a reload fills the other one, and
 * the workers change over (worker_change.h). */
struct settings {
	struct net_config net;
	struct echo_config echo;
};

struct server {
	struct echod_config config;
	struct opt_set opts;
	struct backend_choice backend;
	struct settings settings[2], *now; /* now: of the two, the one in force */
	struct addr_list bound; /* config.listen, as it is served: port 0 has become another */
	struct worker_group group;
	struct listeners listeners;
	struct takeover takeover;
	struct notify notify;
	struct metrics metrics;
	struct watch watch;
	struct sandbox sandbox;
	struct reread reread;
	bool stopping;
	bool reload;         /* SIGHUP has asked for one */
	bool hangup_ignored; /* who started us ignores SIGHUP: nohup */
	int signal;          /* that came during a takeover and waits for its end, or 0 */
};

/* Fills in what @c says, with what @s runs on; what @to already has of it that cannot change stays.
 */
void server_configure(const struct server *s, const struct echod_config *c, struct settings *to);

/* Which signals come to main, and which end it, is the choice of the policy `shutdown`: those left
 * out have the effect that they had when we were started, or are ignored. Returns 0 or -errno. */
int server_signals(struct server *s, const struct shutdown_policy *policy);

/* What @c says of takeovers. */
struct takeover_config server_takeover_config(const struct echod_config *c);

/* Raises the limit of descriptors to what so many connections need, as far as that is allowed.
 * Returns the limit; server_warn_nofile says if it is too low. */
uint64_t server_raise_nofile(unsigned max_conns);
void server_warn_nofile(uint64_t nofile, unsigned max_conns);

/* Addresses that are served, for people. */
enum { SERVER_ADDRESSES_MAX = ADDR_LIST_MAX * (ADDR_TEXT_MAX + 2) };
char *server_addresses(const struct server *s, char text[SERVER_ADDRESSES_MAX]);

#endif
