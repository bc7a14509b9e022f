/* SPDX-License-Identifier: MIT
 * explain: retransmission timers as tcp_timer.c of Linux has them. A connection is given up at the
 * first tick at which the time since the first retransmission is at least M, where M is what R
 * doublings of the smallest RTO (200 ms, whatever the real one) add up to.
 */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/units.h"
#include "echodrill/script/drill.h"
#include "opts.h"

enum { RTO_MIN_MS = 200, TICK_MAX = 64 };

static int64_t min_ns(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* tcp_model_timeout: with R retransmissions allowed. */
static int64_t model_timeout(unsigned retries, int64_t rto_max_ns)
{
	int64_t rto = MSEC(RTO_MIN_MS), sum = 0;

	for (unsigned i = 0; i <= retries; i++) {
		sum += rto;
		rto = min_ns(rto * 2, rto_max_ns);
	}
	return sum;
}

/* The RTO of a path: 200 ms over its round trip, and what rounding to jiffies of 4 ms makes of it:
 * 204 ms are reported, and the timer comes a jiffy later. */
static int64_t first_rto(const struct explain_tcp *t)
{
	return MSEC(RTO_MIN_MS + 8) + t->rtt_ns;
}

/* One segment in flight: a loss probe after one RTO (it is no retransmission yet), the first
 * retransmission one RTO later, then with doubling. */
static int64_t first_retransmission(const struct explain_tcp *t)
{
	return 2 * first_rto(t);
}

int64_t explain_retries(const struct explain_tcp *t)
{
	int64_t limit = model_timeout(t->retries2, t->rto_max_ns);
	int64_t begin = first_retransmission(t), at = begin, rto = 2 * first_rto(t);

	for (unsigned i = 0; i < TICK_MAX && at - begin < limit; i++) {
		at += rto;
		rto = min_ns(rto * 2, t->rto_max_ns);
	}
	return at;
}

int64_t explain_unreachable(const struct explain_tcp *t)
{
	int64_t limit = model_timeout(t->retries2, t->rto_max_ns);
	int64_t begin = first_retransmission(t), at = begin;

	if (t->user_timeout_ns > 0)
		return explain_user_timeout(t);
	while (at - begin < limit)
		at += first_rto(t);
	return at;
}

int64_t explain_user_timeout(const struct explain_tcp *t)
{
	if (t->user_timeout_ns == 0)
		return explain_retries(t);
	return first_retransmission(t) + t->user_timeout_ns;
}

int64_t explain_keepalive(const struct explain_tcp *t)
{
	int64_t at = t->keepalive_idle_ns + t->keepalive_interval_ns;

	if (t->keepalive_idle_ns == 0)
		return -1;
	if (t->user_timeout_ns == 0)
		return t->keepalive_idle_ns + t->keepalive_interval_ns * t->keepalive_count;
	/* it replaces the count: the first tick with a probe unanswered and the time over */
	while (at < t->user_timeout_ns)
		at += t->keepalive_interval_ns;
	return at;
}

int64_t explain_connect(const struct explain_tcp *t)
{
	int64_t rto = SEC(1), sum = 0;

	if (t->user_timeout_ns > 0)
		return t->user_timeout_ns;
	for (unsigned i = 0; i <= t->syn_retries; i++) {
		sum += rto;
		rto = min_ns(rto * 2, t->rto_max_ns);
	}
	return sum;
}

/* A sysctl of this host, or what Linux has by default. */
static int64_t host_value(const char *name, int64_t fallback)
{
	char path[128], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	f = fopen(path, "re");
	if (!f)
		return fallback;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return text[0] ? strtoll(text, NULL, 10) : fallback;
}

static void explain_read(struct explain_tcp *t, const struct drill_config *c)
{
	*t = (struct explain_tcp){
		.retries2 = (unsigned)host_value("tcp_retries2", 15),
		.syn_retries = (unsigned)host_value("tcp_syn_retries", 6),
		.rto_max_ns = MSEC(host_value("tcp_rto_max_ms", 120000)),
		.user_timeout_ns = c->user_timeout,
		.keepalive_idle_ns = SEC(c->keepalive_idle),
		.keepalive_interval_ns =
			SEC(c->keepalive_interval ? c->keepalive_interval
						  : host_value("tcp_keepalive_intvl", 75)),
		.keepalive_count = c->keepalive_count
					   ? c->keepalive_count
					   : (unsigned)host_value("tcp_keepalive_probes", 9),
	};
}

void explain_defaults(struct explain_tcp *t)
{
	static const struct drill_config nothing;

	explain_read(t, &nothing);
}

int64_t explain_fault(const struct explain_tcp *t, unsigned fault)
{
	switch ((enum drill_explain)fault) {
	case EXPLAIN_NOTHING:
		return 0;
	case EXPLAIN_AT_ONCE:
		return 1;
	case EXPLAIN_NEVER:
		return -1;
	case EXPLAIN_CONNECTING:
		return explain_connect(t);
	case EXPLAIN_FLIGHT:
		return explain_retries(t);
	case EXPLAIN_UNREACHABLE:
		return explain_unreachable(t);
	}
	return 0;
}

static void line(FILE *to, const char *fault, const char *how, int64_t ns)
{
	char text[UNITS_MAX];

	fprintf(to, "%-45s %-24s %s\n", fault, how,
		ns < 0    ? "never"
		: ns == 1 ? "at once"
			  : units_time(ns, 4, text));
}

static int64_t sooner(int64_t a, int64_t b)
{
	return b > 0 && (a < 0 || b < a) ? b : a;
}

void explain(const struct drill_config *c, FILE *to)
{
	struct explain_tcp t;
	char max[UNITS_MAX];
	int64_t answer = c->answer_timeout;

	explain_read(&t, c);
	fprintf(to,
		"tcp_retries2 %u, tcp_syn_retries %u, longest RTO %s; of the client: answer\n"
		"timeout, TCP_USER_TIMEOUT and keepalive as given (--help). Times for a round\n"
		"trip that is small against 200 ms.\n\n",
		t.retries2, t.syn_retries, units_time(t.rto_max_ns, 4, max));
	fprintf(to, "%-45s %-24s %s\n", "fault", "the client sees", "after");
	line(to, "server process killed, client waits on socket", "EOF; reset if unread data", 1);
	line(to, "server process killed, client blocked in fgets", "EOF, reset: next line", -1);
	line(to, "server host silent, data in flight", answer ? "its own timeout" : "ETIMEDOUT",
	     sooner(explain_user_timeout(&t), answer));
	line(to, "server host silent, idle", t.keepalive_idle_ns ? "ETIMEDOUT" : "nothing",
	     explain_keepalive(&t));
	line(to, "server host silent, connecting", "ETIMEDOUT", explain_connect(&t));
	line(to, "server host rebooted, at the next segment", "ECONNRESET", 1);
	line(to, "server hung (SIGSTOP), request sent", answer ? "its own timeout" : "nothing",
	     answer ? answer : -1);
	line(to, "server hung, zero window, data waits",
	     t.user_timeout_ns ? "ETIMEDOUT" : "nothing",
	     t.user_timeout_ns ? t.user_timeout_ns + MSEC(204) : -1);
	line(to, "router says unreachable, data in flight", "EHOSTUNREACH",
	     c->icmp_errors ? 1 : explain_unreachable(&t));
	line(to, "router says unreachable, connecting", "EHOSTUNREACH", 1);
	line(to, "nobody on the LAN has its address, connecting", "EHOSTUNREACH",
	     MSEC(host_value("neigh/default/mcast_solicit", 3) *
		  host_value("neigh/default/retrans_time_ms", 1000)));
}
