/* SPDX-License-Identifier: MIT
 * main: reads the configuration, opens the listeners, starts a worker for each, and turns signals
 * into stops. Everything that can go wrong goes wrong here, before a thread runs.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo.h"
#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/cpu_list.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/output.h"
#include "echo/net/backend.h"
#include "echo/net/worker_group.h"
#include "metrics.h"
#include "opts.h"
#include "takeover/takeover.h"

extern char **environ;

enum {
	DESCRIPTORS_OF_MAIN = 9,   /* 0 to 2, output, ends of workers, signals, the reserve, and
				    * of a peer; what serves it in fork has one more */
	DESCRIPTORS_OF_WORKER = 2, /* to be woken, and the backend's own; beside its listeners */
};

/* for a reader of the counters: signals must not wait for it */
static const int64_t reader_patience_ns = SEC(1);

enum { TURN_ACCEPTS = 512 }; /* at most, of a worker */

struct server {
	struct echod_config config;
	struct opt_set opts;
	struct backend_choice backend;
	struct net_config net;
	struct echo_config echo;
	struct worker_group group;
	struct takeover takeover;
	bool stopping;
	int signal; /* that came during a takeover and waits for its end, or 0 */
};

static int server_usage_error(const struct server *s)
{
	log_error("%s", s->opts.error);
	return EXIT_USAGE;
}

static unsigned server_worker_count(const struct server *s)
{
	if (s->backend.ops->caps & BACKEND_SINGLE)
		return 1;
	return s->config.workers ? s->config.workers : cpu_list_count(&s->config.cpus);
}

static void server_configure(struct server *s)
{
	static const enum worker_stop how[] = { [SHUTDOWN_DRAIN] = WORKER_DRAIN,
						[SHUTDOWN_CLOSE] = WORKER_CLOSE,
						[SHUTDOWN_RESET] = WORKER_RESET,
						[SHUTDOWN_DEFAULT] = WORKER_RUN,
						[SHUTDOWN_IGNORE] = WORKER_RUN };
	const struct echod_config *c = &s->config;
	struct net_config *n = &s->net;

	n->backend = s->backend.ops;
	n->backend_config = s->backend.config;
	n->sock = c->sock;
	n->max_conns = c->max_conns;
	/* SO_REUSEPORT skews: one worker may get them all; and as many as one turn accepts may
	 * still be closing for those that came */
	n->slots = c->max_conns + c->max_conns / 8 + TURN_ACCEPTS;
	n->max_unsent = c->max_unsent;
	n->max_unsent_total = c->max_unsent_total;
	n->busy_poll_ns = c->busy_poll;
	n->own_descriptors = c->own_descriptors;
	n->drain_ns = c->shutdown.drain_ns;
	n->on_term = how[c->shutdown.mode];
	s->echo.idle_timeout_ns = c->idle_timeout;
}

static void server_takeover(struct server *s)
{
	const struct echod_config *c = &s->config;
	struct takeover *t = &s->takeover;

	memcpy(t->config.path, c->takeover, sizeof(t->config.path));
	t->config.handover = c->handover;
	t->config.deadline_ns = c->handover_time;
	t->group = &s->group;
	t->sock = &s->net.sock;
	t->bound = &s->config.listen;
}

/* All listeners, before a thread starts: a port in use is found before anything serves. */
static int server_listen(struct server *s)
{
	int r = 0;

	for (unsigned a = 0; a < s->config.listen.count && r == 0; a++)
		r = takeover_listen(&s->takeover, a);
	return r;
}

/* Descriptors that every worker needs before it serves: a lack of them is said at once, for all. */
static int server_check_descriptors(const struct server *s, uint64_t have)
{
	const unsigned workers = server_worker_count(s);
	const uint64_t each = DESCRIPTORS_OF_WORKER + s->config.listen.count;
	const uint64_t need = DESCRIPTORS_OF_MAIN + workers * each;

	if (have >= need)
		return 0;
	log_error("too many open files: %u worker%s need%s %llu descriptors, ulimit -n allows %llu",
		  workers, workers == 1 ? "" : "s", workers == 1 ? "s" : "",
		  (unsigned long long)need, (unsigned long long)have);
	return -EMFILE;
}

/* Which signals end it is the policy's choice; those left out keep their default or are ignored. */
static int server_signals(struct server *s)
{
	const enum shutdown_mode mode = s->config.shutdown.mode;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	if (mode == SHUTDOWN_IGNORE) {
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
	} else if (mode != SHUTDOWN_DEFAULT) {
		sigaddset(&mask, SIGTERM);
		sigaddset(&mask, SIGINT);
	}
	return worker_group_signals(&s->group, &mask);
}

/* The first line: where, how, and what was not available. */
static void server_announce(const struct server *s, uint64_t nofile)
{
	char text[ADDR_TEXT_MAX], all[ADDR_LIST_MAX * (ADDR_TEXT_MAX + 2)] = "";
	size_t n = 0;

	for (unsigned i = 0; i < s->config.listen.count; i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "",
				      addr_format(&s->config.listen.at[i], text));
	log_info("listening on %s: %s, %u worker%s%s%s", all, s->backend.ops->name, s->group.count,
		 s->group.count == 1 ? "" : "s", s->backend.why[0] ? "; " : "", s->backend.why);
	if (nofile < s->config.max_conns + 64ull)
		log_warn("only %llu descriptors (ulimit -n): max_conns = %u will not be reached",
			 (unsigned long long)nofile, s->config.max_conns);
}

/* Prints the counters in one piece: a late reader gets whole lines. Returns 0 or -errno. */
static int server_print(const struct server *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	int r;

	if (!to)
		return -errno;
	metrics_print(to, s->group.workers, s->group.count);
	r = fclose(to) == 0 ? output_write(STDOUT_FILENO, text, len, reader_patience_ns) : -errno;
	free(text);
	return r;
}

/* A signal arrived. Returns EXIT_OK, or the exit code when it was the second to end us. */
static int server_signal(struct server *s, int signal)
{
	int r;

	if (signal == SIGUSR1) {
		r = server_print(s);
		if (r < 0)
			log_warn("cannot write to standard output: %s", output_strerror(-r));
		return EXIT_OK;
	}
	if (signal == SIGUSR2) {
		takeover_start(&s->takeover);
		return EXIT_OK;
	}
	if (s->stopping) {
		worker_group_stop(&s->group, WORKER_QUIT);
		return 128 + signal;
	}
	assert(s->net.on_term != WORKER_RUN);
	s->stopping = true;
	worker_group_stop(&s->group, s->net.on_term);
	return EXIT_OK;
}

/* A signal during a takeover: stops wait until it is over, which they make soon. */
static bool server_interrupted(void *arg, int signal)
{
	struct server *s = arg;

	if (signal == SIGUSR1 || signal == SIGUSR2) {
		(void)server_signal(s, signal);
		return false;
	}
	s->signal = signal;
	return true;
}

/* How it ends when nobody has asked it to by a signal. */
static enum worker_stop server_end(const struct server *s)
{
	return s->net.on_term != WORKER_RUN ? s->net.on_term : WORKER_CLOSE;
}

/* Waits for what is next: returns a signal, or 0. */
static int server_next(struct server *s)
{
	int signal = s->signal;

	s->signal = 0;
	if (signal != 0)
		return signal;
	if (s->stopping)
		takeover_retire(&s->takeover);
	takeover_watch(&s->takeover);
	signal = worker_group_wait(&s->group, takeover_wait_ms(&s->takeover));
	if (s->group.done == 0)
		(void)takeover_poll(&s->takeover);
	if (takeover_overdue(&s->takeover) && !s->stopping) {
		s->stopping = true;
		worker_group_stop(&s->group, server_end(s));
	}
	return signal;
}

/* Until every worker has ended. Returns the exit code as far as signals decide it. */
static int server_wait(struct server *s)
{
	int code = EXIT_OK;

	while (s->group.done < s->group.running) {
		int signal = server_next(s);
		int r = signal ? server_signal(s, signal) : EXIT_OK;

		code = r ? r : code;
		if (s->group.done > 0 && !s->stopping && !s->takeover.left) {
			s->stopping = true; /* one has failed: join says how */
			worker_group_stop(&s->group, WORKER_CLOSE);
		}
	}
	return code;
}

static int server_start(struct server *s)
{
	int r = worker_group_init(&s->group, server_worker_count(s), &s->net, &s->config.cpus);

	if (r == 0)
		r = server_signals(s);
	if (r < 0)
		goto out;
	for (unsigned i = 0; i < s->group.count; i++) {
		s->group.workers[i].role = &echo_role;
		s->group.workers[i].role_state = &s->echo;
	}
	server_takeover(s);
	if (takeover_begin(&s->takeover) < 0 || server_listen(s) < 0)
		return EXIT_ENVIRONMENT;
	if (worker_group_prepare(&s->group, &s->net, &s->backend) < 0) {
		log_error("cannot start: %s", s->backend.why);
		return EXIT_ENVIRONMENT;
	}
	if (takeover_ready(&s->takeover) < 0)
		return EXIT_ENVIRONMENT;
	r = worker_group_start(&s->group);
out:
	if (r < 0)
		log_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_ENVIRONMENT : EXIT_OK;
}

static int server_serve(struct server *s)
{
	int r, code;

	s->takeover.signalled = server_interrupted;
	s->takeover.arg = s;
	r = takeover_finish(&s->takeover);
	if (r < 0) { /* the other process serves on */
		s->stopping = s->signal == 0;
		if (s->stopping)
			worker_group_stop(&s->group, server_end(s));
	}
	code = server_wait(s);
	return r < 0 && code == EXIT_OK ? EXIT_ENVIRONMENT : code;
}

static int server_run(struct server *s)
{
	uint64_t nofile = sock_raise_nofile(s->config.max_conns + 256ull);
	int r, code;

	if (server_check_descriptors(s, nofile) < 0)
		return EXIT_ENVIRONMENT;
	code = server_start(s);
	if (code == EXIT_OK) {
		server_announce(s, nofile);
		code = server_serve(s);
	} else {
		worker_group_stop(&s->group, WORKER_QUIT);
	}
	takeover_end(&s->takeover);
	r = worker_group_join(&s->group);
	if (r < 0) {
		log_error("a worker failed: %s", strerror(-r));
		code = EXIT_ENVIRONMENT;
	}
	r = s->group.running > 0 ? server_print(s) : 0;
	if (r < 0) {
		log_error("cannot write to standard output: %s", output_strerror(-r));
		code = EXIT_ENVIRONMENT;
	}
	worker_group_fini(&s->group);
	return code;
}

static int server_main(struct server *s, int argc, char **argv)
{
	int r;

	if (successor_init(&s->takeover.successor, argc, argv) < 0)
		return EXIT_ENVIRONMENT;
	opt_add(&s->opts, "server", echod_opts, &s->config);
	r = backend_options(&s->backend, BACKEND_ACCEPT, &s->opts);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	r = opt_load(&s->opts, argc, argv, environ);
	if (r < 0)
		return server_usage_error(s);
	if (program_answer(&s->opts, &s->config.program))
		return program_exit(EXIT_OK);
	if (r > 0) {
		log_error("'%s': echod takes no operands (-f FILE reads a configuration)", argv[1]);
		return EXIT_USAGE;
	}
	r = backend_choose(&s->backend, BACKEND_ACCEPT, s->config.backend);
	if (r < 0) {
		log_error("backend %s cannot run here: %s (%s)", s->config.backend->name,
			  s->backend.why, strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	if (echod_check(&s->opts, &s->config, s->backend.ops) < 0)
		return server_usage_error(s);
	if (s->config.check) {
		log_info("the configuration is good");
		return EXIT_OK;
	}
	server_configure(s);
	return program_exit(server_run(s));
}

int main(int argc, char **argv)
{
	static struct server s = {
		.opts = { .program = "echod",
			  .usage = "[-f FILE] [OPTION]...",
			  .about = "A TCP echo server: one SO_REUSEPORT listener and one event "
				   "loop per worker, on the I/O backend of your choice.",
			  .after = echod_after },
	};
	int code;

	program_begin("echod");
	code = server_main(&s, argc, argv);
	backend_choice_free(&s.backend);
	return code;
}
