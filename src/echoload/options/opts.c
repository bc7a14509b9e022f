/* SPDX-License-Identifier: MIT
 * opts: the rows of echoload's options, and checks across them.
 */
#include "opts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/cpu_list.h"
#include "echo/base/opt.h"
#include "echo/base/progress_line.h"
#include "echo/net/backend.h"
#include "echoload/report/report.h"

/* sections of a profile */
static const char limits[] = "limits", reports[] = "report";

static const char *const arrivals_names[] = { "constant", "poisson", NULL };
static const char *const close_names[] = { "fin", "rst", NULL };

const struct opt load_opts[] = {
	OPT_UINT(load_config, connections, "10", 1, 1000 * 1000, "connections in total",
		 .letter = 'c'),
	OPT_UINT(load_config, threads, "1", 0, 1024,
		 "worker threads; 0: one for each CPU, within the CPU quota", .letter = 't'),
	OPT_TIME(load_config, duration, "10s", MSEC(1), SEC(86400), "how long, after the warm-up",
		 .letter = 'd'),
	OPT_UINT(load_config, messages, "0", 0, INT64_MAX,
		 "messages of all connections, instead of a duration; 0: the duration counts",
		 .letter = 'n'),
	OPT(load_config, size, opt_sizes, "64",
	    "bytes of a message; a range: evenly distributed; or a mix of sizes and ranges with "
	    "their weights, such as 64/70:512..1Ki/25:64Ki/5",
	    .letter = 's'),
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
	OPT(load_config, source, opt_srcaddr_range, "any",
	    "connect from these addresses in turn: more ports than one address has"),
	OPT_FLAG(load_config, ipv4, "of a name's addresses, use only those of IPv4", .letter = '4'),
	OPT_FLAG(load_config, ipv6, "of a name's addresses, use only those of IPv6", .letter = '6'),
	OPT(load_config, start_at, opt_start_at, "now",
	    "begin at this time, to run several together: HH:MM:SS, or seconds since the epoch"),
	OPT_PATH(load_config, targets, NULL,
		 "also the targets that this file names, HOST:PORT each on a line of its own"),
	OPT(load_config, part, opt_part, "1/1",
	    "make part K of N of this load, on a host of its own, and name files with {part}; auto "
	    "or auto/N: as mpirun, srun or Kubernetes tells it"),
	OPT_STRING(load_config, run_id, NULL,
		   "a name that all parts of one run have: results of others are not merged with "
		   "them"),
	OPT(load_config, clock, opt_clock, "unknown",
	    "by how many nanoseconds this host's clock is ahead of part 1's, and how uncertain "
	    "that is, such as -1500/200"),
	OPT_UINT(load_config, gate, "0", 0, 1023,
		 "a descriptor on which another program says when to send, and for how long; 0: "
		 "none"),
	OPT_TIME(load_config, warmup, "1s", 0, SEC(86400),
		 "send this long before measuring; with -n the default is 0", .letter = 'w'),
	OPT_TIME(load_config, timeout, "2s", 0, SEC(86400),
		 "a message that is not answered in time ends its connection; --interactive waits "
		 "for ever, unless told",
		 .letter = 'T'),
	OPT_TIME(load_config, connect_timeout, "1s", 0, SEC(86400),
		 "an attempt to connect that is not answered in time has failed"),
	OPT(load_config, reconnect, opt_reconnect, "never",
	    "after a connection has ended: never, immediate, or backoff MIN..MAX"),
	OPT_BOOL(load_config, verify, "on", "compare every byte that comes back"),
	OPT_TIME(load_config, grace, "1s", 0, SEC(3600),
		 "at the end, wait this long for what is owed"),
	OPT_TIME(load_config, stall, "1s", MSEC(1), SEC(3600),
		 "an outage opens when nothing came back or got through for this long, or half of "
		 "the connections ended within it"),
	OPT(load_config, backend, opt_backend, "auto",
	    "how the I/O is done; auto: the best that this kernel runs",
	    .names = backend_dial_names),
	OPT(load_config, cpus, opt_cpus, "all",
	    "pin threads to these CPUs in turn; all: do not pin"),
	OPT(load_config, busy_poll, opt_busy_poll, "off",
	    "look for events this long before sleeping; auto: while that passes on more bytes, for "
	    "no more CPU time"),
	OPT_BOOL(load_config, own_descriptors, "off",
		 "a table of descriptors for each thread: fewer atomic operations, but ss -p and "
		 "lsof do not find its sockets"),
	OPT_UINT(load_config, seed, "1", 0, INT64_MAX,
		 "of the bytes, the sizes and the waits: the same seed sends the same"),
	SOCK_ROWS(load_config),
	SOCK_ROW(load_config, icmp_errors, icmp_errors, opt_bool, "off",
		 "IP_RECVERR: an ICMP unreachable ends the connection at once"),
	OPT_UINT(load_config, max_errors, "0", 0, INT64_MAX,
		 "limit: connections, attempts and messages that may end in errors",
		 .group = limits),
	OPT_TIME(load_config, max_p99, "off", 0, SEC(3600), "limit: the 99th percentile of latency",
		 .group = limits),
	OPT_TIME(load_config, max_downtime, "off", 0, SEC(86400),
		 "limit: all outages together, each until it has recovered", .group = limits),
	OPT(load_config, min_rate, opt_double, "0", "limit: echoes each second", .min = 0,
	    .max = 1000 * 1000 * 1000, .group = limits),
	OPT_FLAG(load_config, interactive, "a client for people: type lines, see them echoed"),
	OPT_FLAG(load_config, textbook,
		 "with --interactive: the naive one, which blocks on the terminal, then in read"),
	OPT_FLAG(load_config, ignore_errors, "errors do not change the exit code", .letter = 'i'),
	OPT_ENUM(load_config, output, "text", report_printed, "what is printed on standard output",
		 .letter = 'o', .group = reports),
	OPT_ENUM(load_config, progress, "auto", progress_line_modes, PROGRESS_LINE_HELP,
		 .group = reports),
	OPT_TIME(load_config, interval, "1s", MSEC(10), SEC(3600),
		 "how often counts and latency are reported while it runs", .group = reports),
#define LOAD_FILE_ROW(key_, help_) OPT_PATH(load_config, key_, NULL, help_, .group = reports),
	LOAD_FILES(LOAD_FILE_ROW) PROGRAM_ROWS(load_config),
	OPT_END,
};

const char load_after[] =
	"A target is HOST:PORT, unix:PATH, or unix:@NAME in the abstract namespace.\n"
	"\n"
	"Phases:\n"
	"  A config file may end with sections [phase NAME]: runs one after the other,\n"
	"  each with the keys that it sets in place of those of [global], [limits] and\n"
	"  [report]. Each has a result of its own: --json run.json is run.NAME.json. The\n"
	"  exit code is the worst of theirs. configs/load/open.conf has some.\n"
	"\n"
	"Examples:\n"
	"  echoload -c 64 -d 10s 127.0.0.1:7007        64 connections, 10 seconds\n"
	"  echoload -c 64 -R 50k 127.0.0.1:7007        50,000 messages each second\n"
	"  echoload -c 64 -p 16 -n 1M 127.0.0.1:7007   a million messages, 16 at a time\n"
	"  echoload -s 64/90:4Ki..64Ki/10 127.0.0.1:7007   one in ten messages is big\n"
	"  echoload -c 64 --reconnect 'backoff 10ms..1s' 127.0.0.1:7007\n"
	"  echoload -f configs/load/failover.conf 127.0.0.1:7007\n"
	"  echoload merge a.json b.json                two results as one\n"
	"  echoload plot run.jsonl -o run.svg          a picture of a run\n"
	"  echoload report run.jsonl -o run.html       a page of it, with all there is\n"
	"\n"
	"Of lost messages only those that were not sent are safe to repeat: what was\n"
	"sent may have been processed, whether an acknowledgement was seen or not.\n"
	"\n"
	"Exit codes: 0 all went well, 1 errors or a limit missed, 2 usage or\n"
	"configuration, 3 not one echo came back, 4 environment (descriptors, ports,\n"
	"privilege), 5 inconclusive: what was asked for did not happen,\n"
	"the generator was late, or it was paused or had no CPU and that may be why a\n"
	"limit was missed or connections ended, 70 a bug, 129, 130 and 143 interrupted\n"
	"(SIGHUP, SIGINT, SIGTERM); the result so far is printed then too.\n";

#define LOAD_FILE_KEY(key_, help_)   #key_,
#define LOAD_FILE_GIVEN(key_, help_) c->key_,

/* The suffixes that the files of this option may have. */
static char *suffixes_of(const char *option, char text[OPT_ERROR_MAX])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < REPORT_FILE_COUNT; i++) {
		if (strcmp(report_files[i]->option, option) == 0)
			len += (size_t)snprintf(text + len, OPT_ERROR_MAX - len, "%s%s",
						len > 0 ? " or " : "", report_files[i]->suffix);
	}
	return text;
}

/* Files are written at the same time: each has a name of its own. */
static int load_check_files(struct opt_set *s, const struct load_config *c)
{
	static const char *const keys[] = { LOAD_FILES(LOAD_FILE_KEY) };
	const char *const names[] = { LOAD_FILES(LOAD_FILE_GIVEN) };
	char text[OPT_ERROR_MAX];

	if (strcmp(c->json, "-") == 0)
		return opt_error_at(s, "json", "a file's name; -o json prints it");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i][0] && !report_format_of(keys[i], names[i]))
			return opt_error_at(s, keys[i], "the name must end in %s",
					    suffixes_of(keys[i], text));
		for (size_t j = 0; j < i; j++) {
			if (names[i][0] && strcmp(names[i], names[j]) == 0 &&
			    strncmp(names[i], "/dev/", 5) != 0)
				return opt_error_at(s, keys[i], "'%.100s' is --%s already",
						    names[i], keys[j]);
		}
	}
	return 0;
}

static bool is_sock_option(const struct opt *o)
{
	const size_t at = offsetof(struct load_config, sock);

	return o->offset >= at && o->offset < at + sizeof(struct sock_options);
}

/* Options of the clients for people; all others are of a load, and would be without effect. */
static bool interactive_takes(const struct load_config *c, const struct opt *o)
{
	static const char *const keys[] = { "interactive", "textbook", "ipv4", "ipv6", "config" };
	static const char *const waits[] = { "timeout", "connect_timeout" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(o->key, keys[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(waits) && !c->textbook; i++) {
		if (strcmp(o->key, waits[i]) == 0)
			return true;
	}
	return is_sock_option(o);
}

/* A person waits as long as the kernel does, unless told otherwise. */
static int load_check_interactive(struct opt_set *s, struct load_config *c)
{
	static const char *const metrics[] = { "metrics.listen", "metrics.file",
					       "metrics.interval" };

	for (const struct opt *o = load_opts; o->key; o++) {
		if (opt_origin_of(s, o->key)->level != OPT_DEFAULT && !interactive_takes(c, o))
			return opt_error_at(s, o->key, "means nothing to %s",
					    c->textbook ? "the textbook's client"
							: "--interactive");
	}
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		const struct opt_origin *origin = opt_origin_of(s, metrics[i]);

		if (origin && origin->level != OPT_DEFAULT)
			return opt_error_at(s, metrics[i], "means nothing to --interactive");
	}
	if (opt_origin_of(s, "timeout")->level == OPT_DEFAULT)
		c->timeout = 0;
	if (opt_origin_of(s, "connect_timeout")->level == OPT_DEFAULT)
		c->connect_timeout = 0;
	return 0;
}

/* Another program decides how long; what it leaves to us begins at once. */
static int load_check_gate(struct opt_set *s, const struct load_config *c)
{
	if (fcntl((int)c->gate, F_GETFD) < 0)
		return opt_error_at(s, "gate", "descriptor %u is not open", c->gate);
	if (opt_origin_of(s, "duration")->level != OPT_DEFAULT)
		return opt_error_at(s, "duration", "means nothing with --gate");
	return 0;
}

int load_family(const struct load_config *c)
{
	if (c->ipv4 || c->ipv6)
		return c->ipv4 ? AF_INET : AF_INET6;
	return c->source.count > 0 ? c->source.first.ss.ss_family : AF_UNSPEC;
}

static int load_check_family(struct opt_set *s, const struct load_config *c)
{
	if (c->ipv4 && c->ipv6)
		return opt_error_at(s, "ipv6", "and --ipv4 leave no address");
	if (c->source.count > 0 && c->source.first.ss.ss_family != load_family(c))
		return opt_error_at(s, "source", "is no address of the family that -%c asks for",
				    c->ipv4 ? '4' : '6');
	return 0;
}

int load_check(struct opt_set *s, struct load_config *c, const struct backend_ops *backend)
{
	unsigned connections;

	if (!(backend->caps & BACKEND_CONNECT))
		return opt_error_at(s, "backend", "%s only serves: it cannot dial", backend->name);
	if (cpu_list_count(&c->cpus) == 0)
		return opt_error_at(s, "cpus", "this process may use none of them");
	if (part_resolve(s, &c->part, getenv) == 0 && !c->run_id[0])
		memcpy(c->run_id, c->part.run, sizeof(c->run_id));
	if (c->part.number == 0 || part_check(s, c) < 0)
		return -EINVAL;
	connections = (unsigned)part_share_of(&c->part, c->connections);
	if (c->threads > connections)
		return opt_error_at(s, "threads", "%u for %u connection%s: each needs one",
				    c->threads, connections, connections == 1 ? "" : "s");
	if (c->targets[0] && opt_origin_of(s, "targets")->phase)
		return opt_error_at(s, "targets", "are the same in all phases");
	if (load_check_files(s, c) < 0 || load_check_family(s, c) < 0)
		return -EINVAL;
	if (c->textbook && !c->interactive)
		return opt_error_at(s, "textbook", "is a kind of --interactive, which is missing");
	if (c->interactive && load_check_interactive(s, c) < 0)
		return -EINVAL;
	if (c->gate > 0 && load_check_gate(s, c) < 0)
		return -EINVAL;
	if ((c->messages > 0 || c->gate > 0) && opt_origin_of(s, "warmup")->level == OPT_DEFAULT)
		c->warmup = 0;
	return 0;
}

int load_check_unix(struct opt_set *s, const struct load_config *c, unsigned unix_count,
		    unsigned count)
{
	for (const struct opt *o = load_opts; o->key && unix_count == count; o++) {
		if (is_sock_option(o) && opt_origin_of(s, o->key)->level != OPT_DEFAULT)
			return opt_error_at(s, o->key, "is of TCP, and %s",
					    count == 1 ? "the target is a unix socket"
						       : "every target is a unix socket");
	}
	if (unix_count > 0 && c->close == CLOSE_RST)
		return opt_error_at(s, "close", "a unix socket cannot be reset");
	return 0;
}

int load_check_start(struct opt_set *s, const struct load_config *c)
{
	if (c->start_at != 0 && c->start_at < clock_unix_ns())
		return opt_error_at(s, "start_at", "this time has passed");
	return 0;
}
