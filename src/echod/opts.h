/* SPDX-License-Identifier: MIT
 * opts: the configuration of echod.
 */
#ifndef ECHOD_OPTS_H
#define ECHOD_OPTS_H

#include <stdint.h>

#include "echo/base/addr.h"
#include "echo/base/cpu_list.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echo/net/metrics_server.h"
#include "echo/net/path.h"
#include "echo/net/sock.h"
#include "sandbox/sandbox.h"

enum {
	ECHOD_WORKERS_MAX = 1024, /* as many as there can be CPUs in a set */
	ECHOD_CONNS_MAX = 1000 * 1000,
};

struct backend_choice;
struct backend_ops;
struct opt_set;

enum shutdown_mode {
	SHUTDOWN_DRAIN,   /* finish what is owed, at most for a while */
	SHUTDOWN_CLOSE,   /* FIN to all */
	SHUTDOWN_RESET,   /* RST to all */
	SHUTDOWN_DEFAULT, /* die as a program that handles nothing */
	SHUTDOWN_IGNORE,  /* only SIGKILL helps */
};

struct shutdown_policy {
	enum shutdown_mode mode;
	int64_t drain_ns;
};

struct echod_config {
	struct program_options program;
	bool check;
	struct addr_list listen;
	const struct backend_ops *backend; /* NULL: auto */
	unsigned workers;                  /* 0: one for each CPU */
	struct cpu_list cpus;
	unsigned balance; /* enum balance_mode */
	struct sock_options sock;
	unsigned max_conns, max_conns_per_address, accept_rate;
	uint64_t max_unsent, max_unsent_total;
	int64_t idle_timeout, slow_timeout;
	struct shutdown_policy shutdown;
	int64_t busy_poll;
	bool own_descriptors;
	char takeover[PATH_TEXT_MAX];
	unsigned handover;
	int64_t handover_time;
	struct metrics_options metrics;
	struct log_options log;
	struct sandbox_config sandbox;
};

extern const struct opt_type opt_listen, opt_mode, opt_owner;

/* Reads the configuration, all of it: file, environment, command line, into structs of zeroes. So
 * it is at the start, and again for each reload; nothing else opens a configuration file. @s keeps
 * pointers to the others and to words of @argv. Returns the number of operands, or -errno with
 * s->error set. */
int echod_load(struct opt_set *s, struct echod_config *c, struct backend_choice *b, int argc,
	       char **argv);

/* The same without reading any: the rows of all options. Returns 0 or -errno with s->error set. */
int echod_options(struct opt_set *s, struct echod_config *c, struct backend_choice *b);

/* Checks across rows: what this backend cannot do. Returns 0, or -EINVAL with s->error set. */
int echod_check(struct opt_set *s, const struct echod_config *c, const struct backend_ops *backend);

/* Of these, what no address that it listens on can honour. */
int opts_listen_check(struct opt_set *s, const struct echod_config *c);

#endif
