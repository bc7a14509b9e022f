/* SPDX-License-Identifier: MIT
 * metrics_server: the thread, and what it waits for.
 */
#include "echo/net/metrics_server.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/sock.h"
#include "metrics_private.h"

enum {
	REST = 9, /* times as long as it has worked */
	REST_MAX_MS = 1000,
	/* its listener, what it polls, what ends it, the file, and those of struct prom_process */
	OWN_DESCRIPTORS = 6,
};

unsigned metrics_server_descriptors(const struct metrics_options *o)
{
	const bool listens = o->listen.len > 0;

	if (!listens && !o->file[0])
		return 0;
	return OWN_DESCRIPTORS + (listens ? METRICS_SERVER_PEERS : 0);
}

/* ---- the thread ---- */

static void metrics_server_file(struct metrics_server *s)
{
	int r = metrics_file_write(s);

	if (r < 0 && !s->file_failed)
		s->failed(s->options->file, r);
	s->file_failed = r < 0;
	s->file_due_ns = clock_now_ns() + s->options->interval;
}

static int metrics_server_wait_ms(const struct metrics_server *s)
{
	const int64_t left_ns = s->file_due_ns - clock_now_ns();
	const int http_ms = metrics_http_wait_ms(s);
	int file_ms = left_ns > 0 ? (int)(left_ns / MSEC(1)) + 1 : 0;

	if (!s->options->file[0])
		return http_ms;
	return http_ms >= 0 && http_ms < file_ms ? http_ms : file_ms;
}

/* Waits until it is asked to end, at most so long. Returns whether it was. */
static bool metrics_server_rest(const struct metrics_server *s, int64_t worked_ns)
{
	struct pollfd p = { s->stop_fd, POLLIN, 0 };
	const int64_t ms = (worked_ns * REST + MSEC(1) - 1) / MSEC(1);

	return poll(&p, 1, ms < REST_MAX_MS ? (int)ms : REST_MAX_MS) > 0;
}

/* A round of it. Returns whether it shall end. */
static bool metrics_server_turn(struct metrics_server *s)
{
	struct pollfd p[] = { { s->stop_fd, POLLIN, 0 }, { s->http_fd, POLLIN, 0 } };
	int64_t begin_ns;

	(void)poll(p, ARRAY_LEN(p), metrics_server_wait_ms(s)); /* EINTR: a look too many */
	if (p[0].revents)
		return true;
	begin_ns = clock_now_ns();
	metrics_http_run(s);
	if (s->options->file[0] && begin_ns >= s->file_due_ns)
		metrics_server_file(s);
	return metrics_server_rest(s, clock_now_ns() - begin_ns);
}

static void *metrics_server_main(void *arg)
{
	struct metrics_server *s = arg;

	(void)pthread_setname_np(pthread_self(), "metrics");
	while (!metrics_server_turn(s))
		;
	metrics_http_end(s);
	if (s->options->file[0] && !s->leaving)
		metrics_server_file(s);
	return NULL;
}

/* ---- its life ---- */

static int metrics_server_listen(struct metrics_server *s, bool join, char why[PATH_WHY_MAX])
{
	const struct sock_options options = { .backlog = METRICS_SERVER_PEERS };
	int r;

	s->bound = s->options->listen;
	if (addr_path(&s->bound))
		return metrics_path_listen(s, join, why);
	if (join)
		r = s->listen_fd = sock_join(&s->bound, &options);
	else
		r = sock_listen(&s->bound, &options, &s->listen_fd, 1);
	if (r < 0)
		snprintf(why, PATH_WHY_MAX, "%s", strerror(-r));
	return r < 0 ? r : 0;
}

char *metrics_server_where(const struct metrics_server *s, char text[METRICS_WHERE_MAX])
{
	const bool path = addr_path(&s->bound);
	char at[ADDR_TEXT_MAX];

	text[0] = '\0';
	/* s->http is the thread's */
	if (s->running && s->bound.len > 0)
		snprintf(text, METRICS_WHERE_MAX, "%s%s%s", path ? "" : "http://",
			 addr_format(&s->bound, at), path ? "" : "/metrics");
	return text;
}

/* Whoever leaves has its queue reset when it closes. From here on nothing more comes into that: of
 * the listeners of this address, in the order in which they came, the second gets all. When it is
 * the only one there is no second, and the kernel takes what there is. */
static void metrics_server_prefer(const struct metrics_server *s)
{
	struct sock_filter second = BPF_STMT(BPF_RET | BPF_K, 1);
	const struct sock_fprog program = { 1, &second };

	/* without it a scrape of that very moment may fail */
	if (s->joined && s->listen_fd >= 0 && !addr_path(&s->bound))
		(void)setsockopt(s->listen_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
				 sizeof(program));
}

static void metrics_server_close(struct metrics_server *s)
{
	metrics_http_end(s);
	metrics_path_close(s, false);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	s->listen_fd = s->stop_fd = -1;
	s->opened = false;
}

int metrics_server_open(struct metrics_server *s, bool join, struct opt_set *set)
{
	char at[ADDR_TEXT_MAX], why[PATH_WHY_MAX];
	int r = 0;

	s->listen_fd = s->stop_fd = s->http_fd = -1;
	if (metrics_server_descriptors(s->options) == 0)
		return 0;
	s->opened = true;
	s->joined = join;
	if (s->pid == 0)
		s->pid = getpid();
	if (s->options->listen.len > 0)
		r = metrics_server_listen(s, join, why);
	if (r < 0)
		(void)opt_error_at(set, "metrics.listen", "cannot listen on %s: %s",
				   addr_format(&s->options->listen, at), why);
	if (r == 0 && s->options->file[0]) {
		r = metrics_file_write(s);
		s->file_due_ns = clock_now_ns() + s->options->interval;
		if (r < 0)
			(void)opt_error_at(set, "metrics.file", "cannot write %s: %s",
					   s->options->file, strerror(-r));
	}
	if (r < 0)
		metrics_server_close(s);
	return r;
}

int metrics_server_start(struct metrics_server *s)
{
	sigset_t all, old;
	int r = 0;

	if (!s->opened)
		return 0;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->stop_fd < 0 ? -errno : 0;
	metrics_server_prefer(s);
	if (r == 0 && s->listen_fd >= 0)
		r = metrics_http_begin(s);
	if (r == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = -pthread_create(&s->thread, NULL, metrics_server_main, s);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	s->running = r == 0;
	if (r < 0)
		metrics_server_close(s);
	return r;
}

void metrics_server_stop(struct metrics_server *s)
{
	const uint64_t one = 1;

	if (s->running) {
		/* fails only for a counter that is full, which is readable too */
		ssize_t n = write(s->stop_fd, &one, sizeof(one));

		(void)n;
		(void)pthread_join(s->thread, NULL);
	}
	s->running = false;
	if (s->opened)
		metrics_server_close(s);
}

void metrics_server_stay(struct metrics_server *s)
{
	if (s->displaces)
		metrics_path_close(s, true);
}

void metrics_server_leave(struct metrics_server *s)
{
	s->leaving = true;
	metrics_server_stop(s);
}
