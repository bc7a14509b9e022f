/* SPDX-License-Identifier: MIT
 * main: reads the configuration, opens the listeners, starts a worker for each, and turns signals
 * into stops. Everything that can go wrong goes wrong here, before a thread runs.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "echo.h"
#include "echo/addr.h"
#include "echo/backend.h"
#include "echo/base.h"
#include "echo/log.h"
#include "echo/opt.h"
#include "echo/worker.h"
#include "metrics.h"
#include "opts.h"

extern char **environ;

struct server {
	struct echod_config config;
	struct opt_set opts;
	struct net_config net;
	struct echo_config echo;
	void *backend_configs[8]; /* beside backends[], for each that has options */
	const char *auto_why;     /* what better backends than the chosen lack */
	struct worker *workers;
	unsigned count, running;
	_Atomic uint32_t conns;
	int done_fd, signal_fd;
};

/* The rows of every backend, filled or not, belong to the configuration. */
static int server_add_options(struct server *s)
{
	opt_add(&s->opts, "server", echod_opts, &s->config);
	for (size_t i = 0; backends[i]; i++) {
		assert(i < ARRAY_LEN(s->backend_configs));
		if (!backends[i]->opts)
			continue;
		s->backend_configs[i] = calloc(1, backends[i]->config_size);
		if (!s->backend_configs[i])
			return -ENOMEM;
		opt_add(&s->opts, backends[i]->name, backends[i]->opts, s->backend_configs[i]);
	}
	return 0;
}

static int server_usage_error(const struct server *s)
{
	log_error("%s", s->opts.error);
	return EXIT_USAGE;
}

static int server_choose_backend(struct server *s)
{
	const struct backend_ops *b = s->config.backend;
	const char *why = "";
	int r;

	if (!b) {
		b = backend_auto(BACKEND_ACCEPT, &s->auto_why);
	} else {
		r = b->probe(&why);
		if (r < 0) {
			log_error("backend %s cannot run here: %s (%s)", b->name, why,
				  strerror(-r));
			return EXIT_ENVIRONMENT;
		}
	}
	s->net.backend = b;
	for (size_t i = 0; backends[i]; i++) {
		if (backends[i] == b)
			s->net.backend_config = s->backend_configs[i];
	}
	if (echod_check(&s->opts, &s->config, b) < 0)
		return server_usage_error(s);
	return EXIT_OK;
}

static void server_configure(struct server *s)
{
	const struct echod_config *c = &s->config;
	struct net_config *n = &s->net;

	n->sock.keepalive = c->keepalive;
	n->sock.user_timeout_ns = c->user_timeout;
	n->sock.backlog = c->backlog;
	memcpy(n->sock.congestion, c->congestion, sizeof(n->sock.congestion));
	n->max_conns = c->max_conns;
	/* SO_REUSEPORT skews: one worker may get them all, and some may still be closing */
	n->slots = c->max_conns + c->max_conns / 8 + 8;
	n->max_unsent = c->max_unsent;
	n->max_unsent_total = c->max_unsent_total;
	n->busy_poll_ns = c->busy_poll;
	n->drain_ns = c->shutdown.drain_ns;
	s->echo.idle_timeout_ns = c->idle_timeout;
	s->count = c->workers ? c->workers : cpu_list_count(&c->cpus);
	if (n->backend->caps & BACKEND_SINGLE)
		s->count = 1;
}

static int server_prepare_workers(struct server *s)
{
	s->workers = calloc(s->count, sizeof(*s->workers));
	if (!s->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < s->count; i++) {
		struct worker *w = &s->workers[i];

		w->config = &s->net;
		w->role = &echo_role;
		w->role_state = &s->echo;
		w->conns = &s->conns;
		w->index = i;
		w->cpu = s->config.cpus.all ? -1 : cpu_list_nth(&s->config.cpus, i);
		w->done_fd = s->done_fd;
		w->wake_fd = -1;
	}
	return 0;
}

/* All listeners, before a thread starts: a port in use is found before anything serves. */
static int server_listen(struct server *s)
{
	struct addr_list *l = &s->config.listen;
	char text[ADDR_TEXT_MAX];
	int *fds = calloc(s->count, sizeof(*fds));
	int r = fds ? 0 : -ENOMEM;

	for (unsigned a = 0; a < l->count && r == 0; a++) {
		r = sock_listen(&l->at[a], &s->net.sock, fds, s->count);
		if (r < 0)
			log_error("cannot listen on %s: %s", addr_format(&l->at[a], text),
				  strerror(-r));
		for (unsigned i = 0; i < s->count && r == 0; i++) {
			struct worker *w = &s->workers[i];

			w->listeners[w->listener_count++] = fds[i];
		}
	}
	free(fds);
	return r;
}

/* Which signals end it is the policy's choice; those left out keep their default or are ignored. */
static int server_signals(struct server *s)
{
	const enum shutdown_mode mode = s->config.shutdown.mode;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	if (mode == SHUTDOWN_IGNORE) {
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
	} else if (mode != SHUTDOWN_DEFAULT) {
		sigaddset(&mask, SIGTERM);
		sigaddset(&mask, SIGINT);
	}
	signal(SIGPIPE, SIG_IGN); /* a dead peer is an errno, in every backend */
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? -errno : 0;
}

/* The first line: where, how, and what was not available. */
static void server_announce(const struct server *s, uint64_t nofile)
{
	char text[ADDR_TEXT_MAX], all[ADDR_LIST_MAX * ADDR_TEXT_MAX] = "";
	size_t n = 0;

	for (unsigned i = 0; i < s->config.listen.count; i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "",
				      addr_format(&s->config.listen.at[i], text));
	log_info("listening on %s: %s, %u worker%s%s%s", all, s->net.backend->name, s->count,
		 s->count == 1 ? "" : "s", s->auto_why && s->auto_why[0] ? "; " : "",
		 s->auto_why ? s->auto_why : "");
	if (nofile < s->config.max_conns + 64ull)
		log_warn("only %llu descriptors (ulimit -n): max_conns = %u will not be reached",
			 (unsigned long long)nofile, s->config.max_conns);
}

static void server_stop(struct server *s, enum worker_stop how)
{
	for (unsigned i = 0; i < s->running; i++)
		worker_stop(&s->workers[i], how);
}

static int server_start(struct server *s)
{
	int r = 0;

	while (s->running < s->count && r == 0) {
		r = worker_start(&s->workers[s->running]);
		if (r == 0)
			s->running++;
	}
	return r;
}

/* Waits for the end of all workers. Returns the first error. */
static int server_join(struct server *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->running; i++) {
		int e = worker_join(&s->workers[i]);

		if (e < 0 && r == 0)
			r = e;
	}
	return r;
}

/* A signal arrived. Returns EXIT_OK, or the exit code when it was the second to end us. */
static int server_signal(struct server *s, int signal, bool *stopping)
{
	static const enum worker_stop how[] = { [SHUTDOWN_DRAIN] = WORKER_DRAIN,
						[SHUTDOWN_CLOSE] = WORKER_CLOSE,
						[SHUTDOWN_RESET] = WORKER_RESET };

	if (signal == SIGUSR1) {
		metrics_print(stdout, s->workers, s->count);
		return EXIT_OK;
	}
	if (*stopping) {
		server_stop(s, WORKER_QUIT);
		return 128 + signal;
	}
	*stopping = true;
	assert(s->config.shutdown.mode <= SHUTDOWN_RESET);
	server_stop(s, how[s->config.shutdown.mode]);
	return EXIT_OK;
}

/* Until every worker has ended. Returns the exit code as far as signals decide it. */
static int server_wait(struct server *s)
{
	struct pollfd p[] = { { s->signal_fd, POLLIN, 0 }, { s->done_fd, POLLIN, 0 } };
	bool stopping = false;
	unsigned done = 0;
	int code = EXIT_OK;

	while (done < s->running) {
		struct signalfd_siginfo info;
		uint64_t ended = 0;

		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return EXIT_INTERNAL;
		while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
			int r = server_signal(s, (int)info.ssi_signo, &stopping);

			code = r ? r : code;
		}
		if (read(s->done_fd, &ended, sizeof(ended)) == sizeof(ended))
			done += (unsigned)ended;
		if (ended > 0 && !stopping) {
			stopping = true; /* one has failed: join says how */
			server_stop(s, WORKER_CLOSE);
		}
	}
	return code;
}

static int server_run(struct server *s)
{
	uint64_t nofile = sock_raise_nofile(s->config.max_conns + 64ull + 8ull * s->count);
	int r, code;

	s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->done_fd < 0 ? -errno : server_prepare_workers(s);
	if (r == 0)
		r = server_signals(s);
	if (r == 0) {
		if (server_listen(s) < 0)
			return EXIT_ENVIRONMENT;
		r = server_start(s);
	}
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		server_stop(s, WORKER_QUIT);
		server_join(s);
		return EXIT_ENVIRONMENT;
	}
	server_announce(s, nofile);
	code = server_wait(s);
	r = server_join(s);
	metrics_print(stdout, s->workers, s->count);
	if (r < 0) {
		log_error("a worker failed: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	return code;
}

static int server_main(struct server *s, int argc, char **argv)
{
	int r = server_add_options(s);

	if (r < 0)
		return EXIT_ENVIRONMENT;
	r = opt_load(&s->opts, argc, argv, environ);
	if (r > 0) {
		log_error("'%s': echod takes no operands (-f FILE reads a configuration)", argv[1]);
		return EXIT_USAGE;
	}
	if (r < 0)
		return server_usage_error(s);
	if (program_answer(&s->opts, &s->config.program))
		return program_exit(EXIT_OK);
	r = server_choose_backend(s);
	if (r != EXIT_OK)
		return r;
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
				   "loop per "
				   "worker, on the I/O backend of your choice.",
			  .after = echod_after },
		.done_fd = -1,
		.signal_fd = -1,
	};
	int code;

	log_init("echod", LOG_INFO);
	code = server_main(&s, argc, argv);
	for (size_t i = 0; i < ARRAY_LEN(s.backend_configs); i++)
		free(s.backend_configs[i]);
	free(s.workers);
	return code;
}
