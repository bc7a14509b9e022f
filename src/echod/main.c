/* SPDX-License-Identifier: MIT
 * main: reads the configuration, opens the listeners, starts a worker for each, and turns signals
 * into stops and reloads. Everything that can go wrong goes wrong here, before a thread runs.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/cpu_list.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/output.h"
#include "echo/net/backend.h"
#include "echo/net/worker_group.h"
#include "listen/listeners.h"
#include "metrics.h"
#include "privileged.h"
#include "reload.h"
#include "server.h"

enum {
	DESCRIPTORS_OF_MAIN = 12,  /* 0 to 2, both outputs, helper, ends of workers, signals, the
				    * reserve, the supervisor, and of a peer; what serves it in
				    * fork has one more */
	DESCRIPTORS_OF_WORKER = 2, /* to be woken, and the backend's own; beside its listeners */
};

enum { SERVER_TEXT_MAX = SERVER_ADDRESSES_MAX + BACKEND_WHY_MAX + 128 };

/* for a reader of the counters: signals must not wait for it */
static const int64_t reader_patience_ns = SEC(1);

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

static void server_takeover(struct server *s)
{
	struct takeover *t = &s->takeover;

	t->config = server_takeover_config(&s->config);
	t->group = &s->group;
	t->helper = &s->sandbox.helper;
	t->sock = &s->now->net.sock;
	t->listeners = &s->listeners;
}

static int server_passed(struct server *s)
{
	struct listeners *l = &s->listeners;

	l->group = &s->group;
	l->helper = &s->sandbox.helper;
	l->sock = &s->now->net.sock;
	l->bound = &s->bound;
	l->fallback = opt_origin_of(&s->opts, "listen")->level == OPT_DEFAULT;
	return listeners_begin(l);
}

/* The helper knows of main what is set by now. */
static int server_sandbox(struct server *s)
{
	privileged_begin(s);
	if (s->sandbox.wants_helper) /* a reload, or a restart that fails, sets options */
		(void)sock_system_congestion(s->now->net.sock.system_congestion);
	return sandbox_begin(&s->sandbox);
}

/* All listeners, before a thread starts: a port in use is found before anything serves. */
static int server_listen(struct server *s)
{
	int r = 0;

	for (unsigned a = 0; a < s->bound.count && r == 0; a++)
		r = takeover_listen(&s->takeover, a);
	return r < 0 ? r : listeners_complete(&s->listeners);
}

/* Descriptors that every worker needs before it serves: a lack of them is said at once, for all. */
static int server_check_descriptors(const struct server *s, uint64_t have)
{
	const unsigned workers = server_worker_count(s);
	const uint64_t each = DESCRIPTORS_OF_WORKER + s->config.listen.count;
	const uint64_t need = DESCRIPTORS_OF_MAIN + workers * each +
			      metrics_server_descriptors(&s->config.metrics) +
			      s->listeners.activation.count;

	if (have >= need)
		return 0;
	log_error("too many open files: %u worker%s need%s %llu descriptors, ulimit -n allows %llu",
		  workers, workers == 1 ? "" : "s", workers == 1 ? "s" : "",
		  (unsigned long long)need, (unsigned long long)have);
	return -EMFILE;
}

/* Where, how, and what was not available. */
static const char *server_describe(const struct server *s, char text[SERVER_TEXT_MAX])
{
	char all[SERVER_ADDRESSES_MAX];

	snprintf(text, SERVER_TEXT_MAX, "listening on %s: %s, %u worker%s%s%s",
		 server_addresses(s, all), s->backend.ops->name, s->group.count,
		 s->group.count == 1 ? "" : "s", s->backend.why[0] ? "; " : "", s->backend.why);
	return text;
}

/* The first line. */
static void server_announce(const struct server *s)
{
	char text[SERVER_TEXT_MAX];

	log_info("%s", server_describe(s, text));
}

/* All that makes it end comes by here. */
static void server_stop(struct server *s, enum worker_stop how)
{
	s->stopping = true;
	notify_stopping(&s->notify,
			how == WORKER_DRAIN ? "finishing what its clients are owed" : "ending");
	worker_group_stop(&s->group, how);
}

/* A successor serves: it is the main process from now on, if we have started it. One that somebody
 * else has started has a supervisor of its own, and ours is told that we end. */
static void server_left(struct server *s)
{
	const pid_t pid = s->takeover.heir;
	char text[64];

	metrics_leave(&s->metrics);
	snprintf(text, sizeof(text), "process %d has taken over", (int)pid);
	if (pid == s->takeover.started)
		notify_left(&s->notify, pid, text);
	else
		notify_stopping(&s->notify, text);
}

/* Prints the counters in one piece: a late reader gets whole lines. Returns 0 or -errno. */
static int server_print(const struct server *s)
{
	struct output_text b;
	int r = output_text_open(&b);

	if (r < 0)
		return r;
	metrics_report(b.to, &s->group);
	r = output_text_close(&b);
	if (r == 0)
		r = output_write(STDOUT_FILENO, b.text, b.len, reader_patience_ns);
	free(b.text);
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
	if (signal == SIGHUP) {
		s->reload = true;
		return EXIT_OK;
	}
	if (s->stopping) {
		worker_group_stop(&s->group, WORKER_QUIT);
		return 128 + signal;
	}
	assert(s->now->net.on_term != WORKER_RUN);
	server_stop(s, s->now->net.on_term);
	return EXIT_OK;
}

/* A hang-up that the kernel tells of is no wish of anybody: a terminal has gone. It means what it
 * means to a program that handles nothing, but that `shutdown` says how this one ends. Returns the
 * signal to act on, or 0. */
static int server_understand(const struct server *s, int signal)
{
	sigset_t hangup;

	if (signal != SIGHUP || s->group.signal_code != SI_KERNEL)
		return signal;
	if (s->hangup_ignored || s->config.shutdown.mode == SHUTDOWN_IGNORE)
		return 0;
	if (s->config.shutdown.mode == SHUTDOWN_DEFAULT) {
		sigemptyset(&hangup);
		sigaddset(&hangup, SIGHUP);
		pthread_sigmask(SIG_UNBLOCK, &hangup, NULL);
		(void)raise(SIGHUP);
	}
	return SIGTERM;
}

/* A signal during a takeover: stops wait until it is over, which they make soon, and so does a
 * reload, which has time. */
static bool server_interrupted(void *arg, int signal)
{
	struct server *s = arg;

	signal = server_understand(s, signal);
	if (signal == 0)
		return false;
	if (signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGHUP) {
		(void)server_signal(s, signal);
		return false;
	}
	s->signal = signal;
	return true;
}

static void server_reload(struct server *s)
{
	char text[SERVER_TEXT_MAX];

	s->reload = false;
	if (s->stopping || s->takeover.left) {
		log_warn("SIGHUP: nothing is read: %s",
			 s->stopping ? "this process is ending" : "another process serves");
		return;
	}
	notify_reloading(&s->notify);
	reload_run(s);
	notify_ready(&s->notify, server_describe(s, text));
}

/* How it ends when nobody has asked it to by a signal. */
static enum worker_stop server_end(const struct server *s)
{
	return s->now->net.on_term != WORKER_RUN ? s->now->net.on_term : WORKER_CLOSE;
}

/* Until something is due that no descriptor tells of; -1: nothing. */
static int server_wait_ms(const struct server *s)
{
	const int takeover_ms = takeover_wait_ms(&s->takeover), log_ms = log_left_out(false);

	if (takeover_ms < 0 || log_ms < 0)
		return takeover_ms < 0 ? log_ms : takeover_ms;
	return takeover_ms < log_ms ? takeover_ms : log_ms;
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
	signal = worker_group_wait(&s->group, watch_wait_ms(&s->watch, server_wait_ms(s)));
	signal = server_understand(s, signal);
	watch_check(&s->watch);
	if (signal == 0 && s->group.done == 0 && takeover_poll(&s->takeover))
		server_left(s);
	if (takeover_overdue(&s->takeover) && !s->stopping)
		server_stop(s, server_end(s));
	return signal;
}

/* Until every worker has ended. Returns the exit code as far as signals decide it. */
static int server_wait(struct server *s)
{
	int code = EXIT_OK;

	while (s->group.done < s->group.running) {
		int signal, r;

		if (s->reload && s->signal == 0) /* a stop is obeyed as it was meant */
			server_reload(s);
		signal = server_next(s);
		r = signal ? server_signal(s, signal) : EXIT_OK;
		code = r ? r : code;
		/* join says how; the connections of one that has failed end with the process */
		if (!s->stopping && worker_group_failed(&s->group))
			server_stop(s, WORKER_CLOSE);
	}
	return code;
}

/* Not before the workers have tables of descriptors of their own, if they have: this is in none of
 * them. */
static int server_open_metrics(struct server *s)
{
	int r;

	s->metrics.server.options = &s->config.metrics;
	s->metrics.group = &s->group;
	s->metrics.helper = &s->sandbox.helper;
	metrics_limit(&s->metrics, s->config.max_conns);
	r = metrics_open(&s->metrics, s->takeover.taking, &s->opts);
	if (r < 0)
		log_error("%s", s->opts.error);
	return r;
}

static int server_start(struct server *s)
{
	struct settings *now = s->now;
	int r = worker_group_init(&s->group, server_worker_count(s), &now->net, &s->config.cpus);

	if (r == 0)
		r = server_signals(s, &s->config.shutdown);
	if (r < 0)
		goto out;
	for (unsigned i = 0; i < s->group.count; i++) {
		s->group.workers[i].role = &echo_role;
		s->group.workers[i].role_state = &now->echo;
	}
	if (takeover_begin(&s->takeover) < 0 || server_listen(s) < 0)
		return EXIT_ENVIRONMENT;
	if (worker_group_prepare(&s->group, &now->net, &s->backend) < 0) {
		log_error("cannot start: %s", s->backend.why);
		return EXIT_ENVIRONMENT;
	}
	if (server_open_metrics(s) < 0 || takeover_ready(&s->takeover) < 0 ||
	    sandbox_enter(&s->sandbox) < 0)
		return EXIT_ENVIRONMENT;
	r = metrics_start(&s->metrics); /* has a thread of its own */
	if (r == 0 && sandbox_close(&s->sandbox, s->backend.ops, s->takeover.taking) < 0)
		return EXIT_ENVIRONMENT;
	if (r == 0)
		r = worker_group_start(&s->group);
out:
	if (r < 0)
		log_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_ENVIRONMENT : EXIT_OK;
}

static int server_serve(struct server *s)
{
	char text[SERVER_TEXT_MAX];
	int r, code;

	s->takeover.signalled = server_interrupted;
	s->takeover.arg = s;
	r = takeover_finish(&s->takeover);
	sandbox_narrow(&s->sandbox);
	if (r < 0) { /* the other process serves on */
		metrics_leave(&s->metrics);
		if (s->group.done > 0)
			server_stop(s, server_end(s));
		else if (s->signal == 0)
			takeover_withdraw(&s->takeover);
	} else {
		metrics_stay(&s->metrics);
		notify_ready(&s->notify, server_describe(s, text));
		notify_watch(&s->notify, &s->group);
	}
	code = server_wait(s);
	return r < 0 && code == EXIT_OK ? EXIT_ENVIRONMENT : code;
}

static int server_run(struct server *s)
{
	const uint64_t nofile = server_raise_nofile(s->config.max_conns);
	int r, code;

	server_takeover(s);
	if (server_passed(s) < 0 || server_check_descriptors(s, nofile) < 0 ||
	    server_sandbox(s) < 0)
		return EXIT_ENVIRONMENT;
	code = server_start(s);
	if (code == EXIT_OK) {
		server_announce(s);
		metrics_announce(&s->metrics);
		server_warn_nofile(nofile, s->config.max_conns);
		watch_begin(&s->watch, &s->config, &s->group);
		code = server_serve(s);
	} else {
		worker_group_stop(&s->group, WORKER_QUIT);
	}
	metrics_stop(&s->metrics);
	takeover_end(&s->takeover);
	r = worker_group_join(&s->group);
	watch_end(&s->watch);
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
	notify_fini(&s->notify);
	sandbox_end(&s->sandbox);
	return code;
}

/* What is asked for before there is anything to reload, to count or to take over is no end: it
 * waits. */
static void server_hold_requests(struct server *s)
{
	struct sigaction found;
	sigset_t requests;

	s->hangup_ignored = sigaction(SIGHUP, NULL, &found) == 0 && found.sa_handler == SIG_IGN;
	sigemptyset(&requests);
	sigaddset(&requests, SIGHUP);
	sigaddset(&requests, SIGUSR1);
	sigaddset(&requests, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &requests, NULL);
}

static int server_main(struct server *s, int argc, char **argv)
{
	int r;

	r = successor_init(&s->takeover.successor, argc, argv);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	server_hold_requests(s);
	r = echod_load(&s->opts, &s->config, &s->backend, argc, argv);
	if (r < 0) {
		server_usage_error(s);
		return program_exit_unread(-r);
	}
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
	if (echod_check(&s->opts, &s->config, s->backend.ops) < 0 ||
	    backend_check(&s->backend, &s->opts) < 0)
		return server_usage_error(s);
	if (s->config.check) {
		log_info("the configuration is good");
		return EXIT_OK;
	}
	log_configure(&s->config.log);
	s->now = &s->settings[0];
	s->sandbox.config = &s->config.sandbox;
	s->bound = s->config.listen;
	server_configure(s, &s->config, s->now);
	notify_init(&s->notify);
	return program_exit(server_run(s));
}

int main(int argc, char **argv)
{
	static struct server s;
	int code;

	program_begin("echod");
	code = server_main(&s, argc, argv);
	(void)log_left_out(true);
	backend_choice_free(&s.backend);
	return code;
}
