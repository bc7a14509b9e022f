/* SPDX-License-Identifier: MIT
 * opts: the rows of echod's options, and the one type that only echod has.
 */
#include "opts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/cpu_list.h"
#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "echo/net/balance.h"
#include "echo/net/net_opt.h"

extern char **environ;

static const char *const shutdown_names[] = {
	"drain", "close", "reset", "default", "ignore", NULL
};

/* What a shell offers: one of many times to drain. */
static const char *const shutdown_words[] = { "drain 5s", "close",  "reset",
					      "default",  "ignore", NULL };

/* How long a drain may take. */
static const struct opt drain_range = { .type = &opt_time,
					.max = SEC(3600),
					.size = sizeof(int64_t) };

static int shutdown_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	struct shutdown_policy p = { .mode = SHUTDOWN_DRAIN };

	(void)o;
	if (strncmp(text, "drain ", 6) == 0) {
		if (opt_time.parse(&drain_range, text + 6 + strspn(text + 6, " "), &p.drain_ns,
				   why) < 0)
			return -EINVAL;
	} else {
		p.mode = SHUTDOWN_CLOSE;
		while (shutdown_names[p.mode] && strcmp(shutdown_names[p.mode], text) != 0)
			p.mode++;
		if (!shutdown_names[p.mode]) {
			snprintf(why, OPT_ERROR_MAX,
				 "must be drain TIME (drain 5s), close, reset, default or ignore");
			return -EINVAL;
		}
	}
	memcpy(field, &p, sizeof(p));
	return 0;
}

static bool shutdown_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	const struct shutdown_policy *p = field;
	char time[OPT_TEXT_MAX] = "";

	(void)o;
	if (p->mode == SHUTDOWN_DRAIN)
		opt_time.print(&drain_range, &p->drain_ns, 0, time);
	snprintf(text, OPT_TEXT_MAX, "%s%s%.200s", shutdown_names[p->mode], time[0] ? " " : "",
		 time);
	return nth == 0;
}

static const struct opt_type opt_shutdown = { "HOW", shutdown_parse, shutdown_print };

static int takeover_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	static const char scheme[] = "unix:";
	const char *path = text + sizeof(scheme) - 1;

	(void)o;
	memset(field, 0, PATH_TEXT_MAX);
	if (strcmp(text, "off") == 0)
		return 0;
	if (strncmp(text, scheme, sizeof(scheme) - 1) != 0 || !path[0]) {
		snprintf(why, OPT_ERROR_MAX, "must be unix:PATH or off");
		return -EINVAL;
	}
	if (strlen(path) >= PATH_TEXT_MAX) {
		snprintf(why, OPT_ERROR_MAX, "is too long: a path of a socket has %d characters",
			 (int)PATH_TEXT_MAX - 1);
		return -EINVAL;
	}
	memcpy(field, path, strlen(path));
	return 0;
}

static bool takeover_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	const char *path = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s%s", path[0] ? "unix:" : "off", path);
	return nth == 0;
}

static const struct opt_type opt_takeover = { "unix:PATH", takeover_parse, takeover_print };

/* A number, or off, which is 0. */
static int limit_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	return opt_uint.parse(o, strcmp(text, "off") == 0 ? "0" : text, field, why);
}

static bool limit_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	unsigned n;

	memcpy(&n, field, sizeof(n));
	if (n != 0)
		return opt_uint.print(o, field, nth, text);
	snprintf(text, OPT_TEXT_MAX, "off");
	return nth == 0;
}

static const struct opt_type opt_limit = { "N", limit_parse, limit_print };

static const char *const balance_names[] = { "kernel", "least", NULL };
static const char *const handover_names[] = { "move", "serve", NULL };

static const char *const sandbox_names[] = { "on", "off", "required", NULL };

/* A row for member @field_ of struct sandbox_config. */
#define SANDBOX_ROW(key_, field_, type_, fallback_, help_, ...)                                    \
	{                                                                                          \
		.key = #key_, .type = &(type_), .fallback = (fallback_), .help = (help_),          \
		OPT_FIELD(echod_config, sandbox.field_), __VA_ARGS__                               \
	}

static const char *const log_format_names[] = { "text", "json", NULL };
static const char *const log_level_names[] = { "error", "warning", "info", NULL };

#define LOG_ROW(key_, field_, type_, fallback_, names_, help_)                                     \
	{                                                                                          \
		.key = (key_), .type = &(type_), .fallback = (fallback_), .names = (names_),       \
		.help = (help_), OPT_FIELD(echod_config, log.field_), .live = true                 \
	}

static const struct opt echod_opts[] = {
	OPT(echod_config, listen, opt_listen, "127.0.0.1:7007",
	    "address to serve, HOST:PORT (of a name all its addresses; port 0: any free one), "
	    "unix:PATH, unix:@NAME (abstract), or fd:NAME, what a supervisor passes by that name; "
	    "may be repeated",
	    .repeats = true, .live = true),
	SOCK_ROW(echod_config, unix_mode, unix_mode, opt_mode, "0660",
		 "permissions of the sockets unix:PATH"),
	SOCK_ROW(echod_config, unix_owner, unix_owner, opt_owner, "self",
		 "whom they belong to: self (the user and group of echod), USER, USER:GROUP or "
		 ":GROUP"),
	OPT(echod_config, backend, opt_backend, "auto",
	    "how the I/O is done; auto: the best that this kernel runs", .names = backend_names),
	OPT_UINT(
		echod_config, workers, "0", 0, ECHOD_WORKERS_MAX,
		"threads, each with its own loop; 0: one for each CPU it may use, within its CPU quota"),
	OPT(echod_config, cpus, opt_cpus, "all",
	    "pin workers to these CPUs in turn; all: do not pin"),
	OPT_ENUM(echod_config, balance, "kernel", balance_names,
		 "which worker serves a connection; kernel: the one that its hash leads to; least: "
		 "one that has clearly more connections gives it to the one that has least",
		 .live = true),
	SOCK_ROW(echod_config, backlog, backlog, opt_uint, "4096",
		 "connections that may wait to be accepted, on each listener", .min = 1,
		 .max = 65535, .live = true),
	OPT_UINT(echod_config, max_conns, "10k", 1, ECHOD_CONNS_MAX,
		 "connections of all workers; for one more the one idle for longest ends",
		 .live = true),
	OPT(echod_config, max_conns_per_address, opt_limit, "off",
	    "connections of one address, of IPv6 its /64; one more is reset", .max = 1000 * 1000,
	    .live = true),
	OPT(echod_config, accept_rate, opt_limit, "off",
	    "new connections a second, of all addresses; one more is reset", .max = 1000 * 1000,
	    .live = true),
	OPT_SIZE(echod_config, max_unsent, "256Ki", 1, 1 << 30,
		 "bytes that a slow reader may leave unsent before reading from it stops",
		 .live = true),
	OPT_SIZE(echod_config, max_unsent_total, "64Mi", 4096, 1ll << 40,
		 "the same for all connections of a worker; where it is full, nobody ends, and "
		 "who owes nothing is served without it"),
	OPT_TIME(echod_config, idle_timeout, "off", 0, SEC(86400),
		 "end a peer that sends nothing and takes nothing (acknowledges no byte) for this "
		 "long",
		 .live = true),
	OPT_TIME(
		echod_config, slow_timeout, "off", 0, SEC(86400),
		"end a peer that has not taken all that it was owed for this long, even if it takes "
		"a little all the time",
		.step = MSEC(1), .live = true),
	SOCK_ROWS(echod_config),
	OPT(echod_config, shutdown, opt_shutdown, "drain 5s",
	    "on SIGTERM and SIGINT: drain TIME, close, reset, default or ignore",
	    .names = shutdown_words, .live = true),
	OPT(echod_config, busy_poll, opt_busy_poll, "off",
	    "look for events this long before sleeping; auto: while that passes on more bytes, for "
	    "no more CPU time",
	    .live = true),
	OPT_BOOL(echod_config, own_descriptors, "off",
		 "a table of descriptors for each thread: fewer atomic operations, but ss -p and "
		 "lsof do not find its sockets"),
	OPT(echod_config, takeover, opt_takeover, "off",
	    "take over from the echod that listens here, if there is one, and listen here for a "
	    "successor",
	    .live = true),
	OPT_ENUM(echod_config, handover, "move", handover_names,
		 "open connections at a takeover; move: they go to the successor, unless the old "
		 "or the new one says serve: the old process serves them to their end",
		 .live = true),
	OPT_TIME(
		echod_config, handover_time, "off", 0, SEC(86400),
		"how long it serves connections that stay with it after a takeover; then `shutdown` "
		"ends them",
		.live = true),
	LOG_ROW("log", format, opt_enum, "text", log_format_names,
		"what is said on standard error; json: an object a line"),
	LOG_ROW("log_level", level, opt_enum, "info", log_level_names,
		"say what is at least so grave"),
	LOG_ROW("log_burst", burst, opt_uint, "100", NULL,
		"lines of a kind within 5 s; those beyond are counted, and that is said; 0: any "
		"number"),
	SANDBOX_ROW(user, user, opt_user, "off",
		    "user to become once all is open: a name or a number; off: stay who starts it"),
	SANDBOX_ROW(group, group, opt_group, "off",
		    "its group, and the only one; off: the user's own"),
	SANDBOX_ROW(sandbox, mode, opt_enum, "on",
		    "give up capabilities, and all system calls that serving does not need; "
		    "required: do not serve where that cannot be had; off: to debug it",
		    .names = sandbox_names),
	OPT_FLAG(echod_config, check, "check the configuration and exit"),
	PROGRAM_ROWS(echod_config),
	OPT_END,
};

static const char echod_after[] =
	"SIGTERM and SIGINT do what `shutdown` says, a second one ends it at once.\n"
	"SIGUSR2 starts a successor, which takes over where `takeover` is set: the same\n"
	"command line, the program that lies where this one was.\n"
	"SIGHUP reads the configuration again: what is marked as live changes, of what is\n"
	"not it is said that it takes a restart, and a mistake changes nothing.\n"
	"SIGUSR1 prints the counters, as the end does, on standard output in Prometheus'\n"
	"text format; what nobody reads within a second is dropped, and said.\n"
	"\n"
	"Exit codes: 0 stopped as asked, 2 usage or configuration, 4 environment (port in\n"
	"use, privilege, descriptors), 70 a bug, 130 and 143 ended at once by a second\n"
	"signal.\n";

int echod_options(struct opt_set *s, struct echod_config *c, struct backend_choice *b)
{
	int r;

	s->program = "echod";
	s->usage = "[-f FILE] [OPTION]...";
	s->about = "A TCP echo server: one SO_REUSEPORT listener and one event loop per worker, on "
		   "the I/O backend of your choice.";
	s->after = echod_after;
	s->reloads = true;
	opt_add(s, "server", echod_opts, c);
	opt_add(s, "metrics", metrics_opts, &c->metrics);
	r = backend_options(b, BACKEND_ACCEPT, s);
	if (r < 0) {
		snprintf(s->error, sizeof(s->error), "cannot start: %s", strerror(-r));
		return r;
	}
	return 0;
}

int echod_load(struct opt_set *s, struct echod_config *c, struct backend_choice *b, int argc,
	       char **argv)
{
	int r = echod_options(s, c, b);

	return r < 0 ? r : opt_load(s, argc, argv, environ);
}

static int fork_cannot(struct opt_set *s, const struct echod_config *c)
{
	static const char *const keys[] = { "busy_poll",       "max_unsent", "max_unsent_total",
					    "own_descriptors", "balance",    "slow_timeout" };

	if (c->workers > 1)
		return opt_error_at(s, "workers", "fork serves with a single acceptor");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (opt_differs(s, keys[i]))
			return opt_error_at(s, keys[i], "the fork backend cannot honour it");
	}
	return 0;
}

static_assert(ECHOD_WORKERS_MAX >= CPU_SETSIZE, "workers = 0 is one for each CPU");

int echod_check(struct opt_set *s, const struct echod_config *c, const struct backend_ops *backend)
{
	if (!(backend->caps & BACKEND_ACCEPT))
		return opt_error_at(s, "backend", "%s cannot serve", backend->name);
	if (cpu_list_count(&c->cpus) == 0)
		return opt_error_at(s, "cpus", "this process may use none of them");
	if (opts_listen_check(s, c) < 0)
		return -EINVAL;
	if (c->sandbox.group.name[0] && !c->sandbox.user.name[0])
		return opt_error_at(s, "group", "takes a user");
	if (c->takeover[0] && c->own_descriptors)
		return opt_error_at(
			s, "own_descriptors",
			"no successor could get them: takeover needs them in one table");
	if (c->balance == BALANCE_LEAST && c->own_descriptors)
		return opt_error_at(s, "own_descriptors",
				    "no other worker could get them: balance = least needs them in "
				    "one table");
	return backend->caps & BACKEND_SINGLE ? fork_cannot(s, c) : 0;
}
