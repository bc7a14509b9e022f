/* SPDX-License-Identifier: MIT
 * opts: the rows of echoload's options, and the types that only echoload has.
 */
#include "opts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "echo/backend.h"
#include "echo/base.h"
#include "echo/opt.h"

enum { SIZE_MAX_BYTES = 1 << 30 };

static const struct opt size_row = {
	.type = &opt_size, .min = 1, .max = SIZE_MAX_BYTES, .size = sizeof(uint64_t)
};
static const struct opt wait_row = {
	.type = &opt_time, .min = MSEC(1), .max = SEC(3600), .size = sizeof(int64_t)
};

/* Splits "A..B" (or "A", which is A..A) into two values of @row's type. */
static int range_parse(const struct opt *row, const char *text, void *low, void *high,
		       char why[OPT_ERROR_MAX])
{
	const char *dots = strstr(text, "..");
	char first[OPT_TEXT_MAX];
	int r;

	snprintf(first, sizeof(first), "%.*s", dots ? (int)(dots - text) : (int)strlen(text), text);
	r = row->type->parse(row, first, low, why);
	if (r == 0)
		r = row->type->parse(row, dots ? dots + 2 : first, high, why);
	return r;
}

static int size_range_parse(const struct opt *o, const char *text, void *field,
			    char why[OPT_ERROR_MAX])
{
	struct size_range s;
	int r = range_parse(&size_row, text, &s.min, &s.max, why);

	(void)o;
	if (r < 0)
		return r;
	if (s.min > s.max) {
		snprintf(why, OPT_ERROR_MAX, "the smaller size stands first, as in 64..4Ki");
		return -EINVAL;
	}
	memcpy(field, &s, sizeof(s));
	return 0;
}

static bool size_range_print(const struct opt *o, const void *field, unsigned nth,
			     char text[OPT_TEXT_MAX])
{
	const struct size_range *s = field;
	char low[OPT_TEXT_MAX], high[OPT_TEXT_MAX];

	(void)o;
	opt_size.print(&size_row, &s->min, 0, low);
	opt_size.print(&size_row, &s->max, 0, high);
	if (s->min == s->max)
		snprintf(text, OPT_TEXT_MAX, "%.100s", low);
	else
		snprintf(text, OPT_TEXT_MAX, "%.100s..%.100s", low, high);
	return nth == 0;
}

static const struct opt_type opt_size_range = { "SIZE[..SIZE]", size_range_parse,
						size_range_print };

static int reconnect_parse(const struct opt *o, const char *text, void *field,
			   char why[OPT_ERROR_MAX])
{
	struct reconnect_policy p = { .mode = RECONNECT_NEVER };
	int r;

	(void)o;
	if (strcmp(text, "immediate") == 0) {
		p.mode = RECONNECT_IMMEDIATE;
	} else if (strncmp(text, "backoff ", 8) == 0 && strstr(text, "..")) {
		p.mode = RECONNECT_BACKOFF;
		r = range_parse(&wait_row, text + 8, &p.min_ns, &p.max_ns, why);
		if (r < 0)
			return r;
	} else if (strcmp(text, "never") != 0) {
		snprintf(why, OPT_ERROR_MAX,
			 "must be never, immediate or backoff MIN..MAX, such as "
			 "'backoff 10ms..1s'");
		return -EINVAL;
	}
	if (p.min_ns > p.max_ns) {
		snprintf(why, OPT_ERROR_MAX,
			 "the shorter time stands first, as in backoff 10ms..1s");
		return -EINVAL;
	}
	memcpy(field, &p, sizeof(p));
	return 0;
}

static bool reconnect_print(const struct opt *o, const void *field, unsigned nth,
			    char text[OPT_TEXT_MAX])
{
	const struct reconnect_policy *p = field;
	char low[OPT_TEXT_MAX], high[OPT_TEXT_MAX];

	(void)o;
	opt_time.print(&wait_row, &p->min_ns, 0, low);
	opt_time.print(&wait_row, &p->max_ns, 0, high);
	if (p->mode == RECONNECT_BACKOFF)
		snprintf(text, OPT_TEXT_MAX, "backoff %.100s..%.100s", low, high);
	else
		snprintf(text, OPT_TEXT_MAX, "%s",
			 p->mode == RECONNECT_NEVER ? "never" : "immediate");
	return nth == 0;
}

static const struct opt_type opt_reconnect = { "POLICY", reconnect_parse, reconnect_print };

static const char *const arrivals_names[] = { "constant", "poisson", NULL };
static const char *const close_names[] = { "fin", "rst", NULL };
static const char *const output_names[] = { "text", "json", "quiet", NULL };
static const char *const progress_names[] = { "auto", "always", "never", NULL };

const struct opt load_opts[] = {
	OPT_UINT(load_config, connections, "10", 1, 1000 * 1000, "connections in total",
		 .letter = 'c'),
	OPT_UINT(load_config, threads, "1", 0, 1024, "worker threads; 0: one for each CPU",
		 .letter = 't'),
	OPT_TIME(load_config, duration, "10s", MSEC(1), SEC(86400), "how long, after the warm-up",
		 .letter = 'd'),
	OPT_UINT(load_config, messages, "0", 0, INT64_MAX,
		 "messages of all connections, instead of a duration; 0: the duration counts",
		 .letter = 'n'),
	OPT(load_config, size, opt_size_range, "64",
	    "bytes of a message; a range: evenly distributed sizes", .letter = 's'),
	OPT_UINT(load_config, pipeline, "1", 1, 65536,
		 "messages that each connection may have unanswered", .letter = 'p'),
	OPT(load_config, rate, opt_double, "0",
	    "open loop: messages each second of all connections, sent when they are due, "
	    "whatever the server does; 0: each connection waits for its answers",
	    .letter = 'R', .min = 0, .max = 100 * 1000 * 1000),
	OPT_ENUM(load_config, arrivals, "constant", arrivals_names,
		 "with -R: evenly spaced, or at random (exponential gaps)"),
	OPT_UINT(load_config, idle, "0", 0, 1000 * 1000,
		 "connections held open beside the load; each must echo once at the end"),
	OPT_UINT(load_config, churn, "0", 0, INT64_MAX,
		 "close each connection after this many messages and make a new one; 0: never"),
	OPT_ENUM(load_config, close, "fin", close_names,
		 "how connections that have finished are closed"),
	OPT_UINT(load_config, connect_rate, "0", 0, 10 * 1000 * 1000,
		 "attempts to connect each second; 0: as fast as they are answered"),
	OPT(load_config, source, opt_source_range, "any",
	    "connect from these addresses in turn: more ports than one address has"),
	OPT_TIME(load_config, warmup, "1s", 0, SEC(86400),
		 "send this long before measuring; with -n the default is 0", .letter = 'w'),
	OPT_TIME(load_config, timeout, "2s", 0, SEC(86400),
		 "a message that is not answered in time ends its connection", .letter = 'T'),
	OPT_TIME(load_config, connect_timeout, "1s", 0, SEC(86400),
		 "an attempt to connect that is not answered in time has failed"),
	OPT(load_config, reconnect, opt_reconnect, "never",
	    "after a connection has ended: never, immediate, or backoff MIN..MAX"),
	OPT_BOOL(load_config, verify, "on", "compare every byte that comes back"),
	OPT_TIME(load_config, grace, "1s", 0, SEC(3600),
		 "at the end, wait this long for what is owed"),
	OPT_TIME(load_config, stall, "1s", MSEC(1), SEC(3600),
		 "an outage opens when nothing came back for this long, or half of the connections "
		 "ended within it"),
	OPT(load_config, backend, opt_backend, "auto",
	    "how the I/O is done; auto: the best that this kernel runs"),
	OPT(load_config, cpus, opt_cpus, "all",
	    "pin threads to these CPUs in turn; all: do not pin"),
	OPT_TIME(load_config, busy_poll, "off", 0, SEC(1),
		 "look for events this long before sleeping; costs a CPU"),
	OPT(load_config, congestion, opt_congestion, "default",
	    "congestion control of the connections, such as reno, cubic or bbr"),
	OPT_UINT(load_config, seed, "1", 0, INT64_MAX,
		 "of the bytes, the sizes and the waits: the same seed sends the same"),
	OPT(load_config, keepalive, opt_keepalive, "off",
	    "TCP keepalive: probe after IDLE, every INTERVAL, give up after COUNT"),
	OPT_TIME(load_config, user_timeout, "off", 0, SEC(86400),
		 "TCP_USER_TIMEOUT: unacknowledged bytes end the connection after this"),
	OPT_BOOL(load_config, icmp_errors, "off",
		 "IP_RECVERR: an ICMP unreachable ends the connection at once"),
	OPT_UINT(load_config, max_errors, "0", 0, INT64_MAX,
		 "limit: connections, attempts and messages that may end in errors"),
	OPT_TIME(load_config, max_p99, "off", 0, SEC(3600),
		 "limit: the 99th percentile of latency"),
	OPT_TIME(load_config, max_downtime, "off", 0, SEC(86400),
		 "limit: all outages together, each until it has recovered"),
	OPT(load_config, min_rate, opt_double, "0", "limit: echoes each second", .min = 0,
	    .max = 1000 * 1000 * 1000),
	OPT_FLAG(load_config, interactive, "a client for people: type lines, see them echoed"),
	OPT_FLAG(load_config, textbook,
		 "with --interactive: the naive one, which blocks on the terminal, then in read"),
	OPT_FLAG(load_config, ignore_errors, "errors do not change the exit code", .letter = 'i'),
	OPT_ENUM(load_config, output, "text", output_names, "what is printed on standard output",
		 .letter = 'o'),
	OPT_ENUM(load_config, progress, "auto", progress_names,
		 "a live line on standard error; auto: if that is a terminal"),
	OPT_STRING(load_config, json, NULL, "write the result to this file too, as JSON"),
	PROGRAM_ROWS(load_config),
	OPT_END,
};

const char load_after[] =
	"Examples:\n"
	"  echoload -c 64 -d 10s 127.0.0.1:7007           64 connections, 10 seconds\n"
	"  echoload -c 64 -p 16 -n 1M 127.0.0.1:7007      a million messages, 16 at a time\n"
	"  echoload -c 64 --reconnect 'backoff 10ms..1s' 127.0.0.1:7007\n"
	"\n"
	"Exit codes: 0 all went well, 1 errors, 2 usage or configuration, 3 not one echo came\n"
	"back, 4 environment (descriptors, ports, privilege), 5 nothing was measured, 70 a bug,\n"
	"130 and 143 interrupted; the result so far is printed then too.\n";

int load_check(struct opt_set *s, struct load_config *c, const struct backend_ops *backend)
{
	if (!(backend->caps & BACKEND_CONNECT))
		return opt_blame(s, "backend", "%s only serves: it cannot dial", backend->name);
	if (cpu_list_count(&c->cpus) == 0)
		return opt_blame(s, "cpus", "this process may use none of them");
	if (c->user_timeout % MSEC(1) != 0)
		return opt_blame(s, "user_timeout", "must be whole milliseconds");
	if (strcmp(c->json, "-") == 0)
		return opt_blame(s, "json", "a file's name; -o json prints it");
	if (c->textbook && !c->interactive)
		return opt_blame(s, "textbook", "is a kind of --interactive, which is missing");
	if (c->messages > 0 && opt_source_of(s, "warmup")->level == OPT_DEFAULT)
		c->warmup = 0;
	return 0;
}

void load_sock_options(const struct load_config *c, struct sock_options *o)
{
	o->keepalive = c->keepalive;
	o->user_timeout_ns = c->user_timeout;
	o->icmp_errors = c->icmp_errors;
	memcpy(o->congestion, c->congestion, sizeof(o->congestion));
}
