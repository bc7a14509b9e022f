/* SPDX-License-Identifier: MIT
 * notify: datagrams to a supervisor. One that does not read them delays us, but not for long.
 */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "again.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/escape.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/net/worker_group.h"

enum {
	TEXT_MAX = 4096,
	PATIENCE_S = 1, /* for a supervisor whose queue is full */
};

/* The value of a variable that is a number up to @max; 0: there is none, or it is no number. */
static uint64_t notify_number(const char *variable, int64_t max)
{
	const struct opt row = { .type = &opt_uint, .max = max, .size = sizeof(uint64_t) };
	const char *text = getenv(variable);
	char why[OPT_ERROR_MAX];
	uint64_t n = 0;

	if (!text || !*text)
		return 0;
	if (opt_uint.parse(&row, text, &n, why) == 0)
		return n;
	log_warn("%s: '%s' %s", variable, text, why);
	return 0;
}

static void notify_open(struct notify *n, const char *path)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "unix:%s", path);
	if (addr_parse(&n->to, text) < 0) {
		log_warn("NOTIFY_SOCKET: '%s' is no path of a socket: no supervisor is told", path);
		return;
	}
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		log_warn("no supervisor is told: %s", strerror(errno));
	else
		(void)setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	/* while we may: the user whom we become may not reach it. One that is not there yet, or
	 * listens anew, is looked for by its name (notify_send). */
	if (n->fd >= 0)
		(void)connect(n->fd, (const struct sockaddr *)&n->to.ss, n->to.len);
}

static int notify_try(const struct notify *n, const char *text, size_t len)
{
	if (send(n->fd, text, len, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno != ENOTCONN && errno != ECONNREFUSED)
		return -errno;
	return sendto(n->fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to.ss,
		      n->to.len) < 0
		       ? -errno
		       : 0;
}

static int notify_send(const struct notify *n, const char *text, size_t len)
{
	unsigned tries = 0;
	int r;

	do
		r = notify_try(n, text, len);
	while (r < 0 && again_soon(&tries));
	return r;
}

void notify_init(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const uint64_t pid = notify_number("WATCHDOG_PID", INT32_MAX);

	*n = (struct notify){ .fd = -1 };
	if (path && *path)
		notify_open(n, path);
	if (n->fd >= 0 && (pid == 0 || pid == (uint64_t)getpid()))
		n->watchdog_ns = (int64_t)notify_number("WATCHDOG_USEC", SEC(86400)) * 1000;
	(void)unsetenv("WATCHDOG_PID");
}

void notify_fini(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static void __attribute__((format(printf, 2, 3)))
notify_say(const struct notify *n, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int len, r;

	if (n->fd < 0)
		return;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		len = (int)sizeof(text) - 1;
	r = notify_send(n, text, (size_t)len);
	if (r < 0)
		log_warn("the supervisor is not told '%.*s': %s", (int)strcspn(text, "\n"), text,
			 strerror(-r));
}

/* One line, whatever addresses it names. */
static void notify_say_status(const struct notify *n, const char *what, const char *status)
{
	char shown[TEXT_MAX / 2];

	notify_say(n, "%sSTATUS=%s", what, escape_text(status, shown, sizeof(shown)));
}

void notify_ready(struct notify *n, const char *status)
{
	notify_say_status(n, "READY=1\n", status);
}

void notify_reloading(struct notify *n)
{
	/* the clock that it asks for, CLOCK_MONOTONIC, is ours */
	notify_say(n, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading the configuration again",
		   (long long)(clock_now_ns() / 1000));
}

void notify_stopping(struct notify *n, const char *status)
{
	notify_say_status(n, "STOPPING=1\n", status);
}

void notify_left(struct notify *n, pid_t successor, const char *status)
{
	char what[64];

	snprintf(what, sizeof(what), "MAINPID=%d\n", (int)successor);
	notify_say_status(n, what, status);
	worker_group_tick(n->group, 0, NULL, NULL);
	notify_fini(n);
}

/* Wakes the workers; the supervisor is told only if all have come round since the last time. */
static void notify_tick(void *arg)
{
	struct notify *n = arg;

	if (worker_group_alive(n->group, n->asked))
		notify_say(n, "WATCHDOG=1");
	worker_group_ask(n->group, ++n->asked);
}

void notify_watch(struct notify *n, struct worker_group *g)
{
	n->group = g;
	if (n->fd < 0 || n->watchdog_ns == 0)
		return;
	worker_group_ask(g, ++n->asked);
	worker_group_tick(g, n->watchdog_ns / 3, notify_tick, n);
}
