/* SPDX-License-Identifier: MIT
 * watch: the main thread compares the workers' counters with what it has told: a worker says
 * nothing, whoever comes.
 */
#include "watch.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/net/worker_group.h"
#include "opts.h"

enum { CHECK_MS = 1000, TELL_MS = 10 * 1000 };

static const struct {
	const char *key, *one, *many;
	size_t counter; /* in struct stats */
} watched[WATCHED] = {
	{ "max_conns", "connection ended or turned away", "connections ended or turned away",
	  offsetof(struct stats, closed[CAUSE_SHED]) },
	{ "max_conns_per_address", "connection turned away", "connections turned away",
	  offsetof(struct stats, closed[CAUSE_ADDRESS_LIMIT]) },
	{ "accept_rate", "connection turned away", "connections turned away",
	  offsetof(struct stats, closed[CAUSE_RATE_LIMIT]) },
	{ "idle_timeout", "connection ended: its peer took nothing of what it was owed",
	  "connections ended: their peers took nothing of what they were owed",
	  offsetof(struct stats, closed[CAUSE_STALLED]) },
	{ "slow_timeout", "connection ended: its peer took what it was owed too slowly",
	  "connections ended: their peers took what they were owed too slowly",
	  offsetof(struct stats, closed[CAUSE_SLOW]) },
	{ "max_unsent_total", "receive waited for room", "receives waited for room",
	  offsetof(struct stats, starved) },
	{ "shutdown", "connection cut off: its time to drain was over",
	  "connections cut off: their time to drain was over", offsetof(struct stats, cut_off) },
};

/* ---- who can reach us ---- */

static bool is_private_4(uint32_t ip)
{
	return ip >> 24 == 127 || ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 ||
	       ip >> 16 == 0xa9fe;
}

static bool is_private_6(const struct in6_addr *ip)
{
	return IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_LINKLOCAL(ip) ||
	       (ip->s6_addr[0] & 0xfe) == 0xfc; /* RFC 4193 */
}

/* Not only this machine and networks that nobody routes to (RFC 1918, 3927, 4193). */
static bool is_open_to_the_world(const struct addr *at)
{
	const struct sockaddr_in *four = (const void *)&at->ss;
	const struct sockaddr_in6 *six = (const void *)&at->ss;

	if (at->ss.ss_family == AF_INET)
		return !is_private_4(ntohl(four->sin_addr.s_addr));
	return at->ss.ss_family == AF_INET6 && !is_private_6(&six->sin6_addr);
}

/* Once, as long as that is so. */
static void watch_warn(struct watch *w, const struct echod_config *c)
{
	const bool limited = c->max_conns_per_address != 0 && c->idle_timeout != 0;
	char text[ADDR_TEXT_MAX];
	const bool warned = w->warned;
	unsigned i = 0;

	while (i < c->listen.count && !is_open_to_the_world(&c->listen.at[i]))
		i++;
	w->warned = !limited && i < c->listen.count;
	if (!w->warned || warned)
		return;
	log_warn("%s may be open to the world, and any one peer may take all connections: "
		 "see max_conns_per_address, idle_timeout and slow_timeout",
		 addr_format(&c->listen.at[i], text));
}

/* ---- what the limits did ---- */

static uint64_t watch_sum(const struct worker_group *g, size_t counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < g->count; i++)
		sum += stats_get((const void *)((const char *)&g->workers[i].stats + counter));
	return sum;
}

/* Returns whether there is something that it is too early to tell. */
static bool watch_tell(struct watch *w, int64_t now_ns, bool now)
{
	bool left = false;

	for (size_t i = 0; i < WATCHED; i++) {
		struct watched *it = &w->of[i];
		const uint64_t n = watch_sum(w->group, watched[i].counter) - it->told;

		if (n == 0)
			continue;
		if (!now && it->told_ns != 0 && now_ns - it->told_ns < MSEC(TELL_MS)) {
			left = true;
			continue;
		}
		log_warn("%s: %" PRIu64 " %s", watched[i].key, n,
			 n == 1 ? watched[i].one : watched[i].many);
		it->told += n;
		it->told_ns = now_ns;
	}
	return left;
}

/* A flood of what is to be told wakes nobody more than once in CHECK_MS. */
void watch_check(struct watch *w)
{
	const int64_t now_ns = clock_now_ns();

	if (w->group->told && w->check_ns == 0)
		w->check_ns = now_ns > w->checked_ns + MSEC(CHECK_MS)
				      ? now_ns
				      : w->checked_ns + MSEC(CHECK_MS);
	if (w->check_ns == 0 || now_ns < w->check_ns)
		return;
	worker_group_heard(w->group);
	w->checked_ns = now_ns;
	w->check_ns = watch_tell(w, now_ns, false) ? now_ns + MSEC(CHECK_MS) : 0;
}

void watch_end(struct watch *w)
{
	if (w->group) /* it has begun */
		(void)watch_tell(w, clock_now_ns(), true);
}

void watch_begin(struct watch *w, const struct echod_config *c, struct worker_group *group)
{
	*w = (struct watch){ .group = group };
	watch_warn(w, c);
}

void watch_change(struct watch *w, const struct echod_config *c)
{
	watch_warn(w, c);
}

int watch_wait_ms(const struct watch *w, int ms)
{
	const int64_t left_ns = w->check_ns - clock_now_ns();
	const int own_ms = left_ns > 0 ? (int)(left_ns / MSEC(1)) + 1 : 0;

	if (w->check_ns == 0)
		return ms;
	return ms < 0 || own_ms < ms ? own_ms : ms;
}
