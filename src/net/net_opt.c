/* SPDX-License-Identifier: MIT
 * net_opt: option types of programs with sockets: addresses, keepalive, busy polling,
 * congestion control.
 */
#include "echo/net/net_opt.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/net/busy_poll.h"
#include "echo/net/sock.h"

/* The addresses that @text stands for: one that is written as such, or all of a name's. */
static int addr_list_read(const char *text, struct addr_list *l, char why[OPT_ERROR_MAX])
{
	const char *reason;
	int r;

	l->count =
		addr_parse(&l->at[0], text) == 0; /* with any port: 0 is for the kernel to choose */
	if (l->count > 0 && !addr_needs_interface(&l->at[0]))
		return 0;
	r = addr_resolve(l, text, AF_UNSPEC, &reason);
	if (r == -EINVAL && reason != addr_why_interface && reason != addr_why_unix &&
	    reason != addr_why_port)
		snprintf(why, OPT_ERROR_MAX,
			 "must be HOST:PORT, such as 127.0.0.1:7007, [::1]:7007 or, with a port "
			 "other than 0, localhost:7007; or unix:PATH");
	else if (r < 0)
		snprintf(why, OPT_ERROR_MAX, "%s", reason);
	return r;
}

static int addr_list_parse(const struct opt *o, const char *text, void *field,
			   char why[OPT_ERROR_MAX])
{
	struct addr_list *l = field, more;
	int r = addr_list_read(text, &more, why);

	(void)o;
	if (r < 0)
		return r;
	if (l->count + more.count > ARRAY_LEN(l->at)) {
		snprintf(why, OPT_ERROR_MAX, "more than %zu addresses", ARRAY_LEN(l->at));
		return -ERANGE;
	}
	memcpy(&l->at[l->count], more.at, more.count * sizeof(more.at[0]));
	l->count += more.count;
	return 0;
}

static bool addr_list_print(const struct opt *o, const void *field, unsigned nth,
			    char text[OPT_TEXT_MAX])
{
	const struct addr_list *l = field;
	char buf[ADDR_TEXT_MAX];

	(void)o;
	if (nth >= l->count)
		return false;
	snprintf(text, OPT_TEXT_MAX, "%s", addr_format(&l->at[nth], buf));
	return true;
}

const struct opt_type opt_addr = { "HOST:PORT", addr_list_parse, addr_list_print };

/* "30s" within 1 s to the kernel's MAX_TCP_KEEPIDLE of 32767 s; whole seconds. */
static int keepalive_seconds(const char *text, unsigned *seconds)
{
	const struct opt range = {
		.type = &opt_time,
		.min = SEC(1),
		.max = SEC(32767),
		.step = SEC(1),
		.size = sizeof(int64_t),
	};
	char why[OPT_ERROR_MAX];
	int64_t ns;

	if (opt_time.parse(&range, text, &ns, why) < 0)
		return -EINVAL;
	*seconds = (unsigned)(ns / SEC(1));
	return 0;
}

static int keepalive_parse(const struct opt *o, const char *text, void *field,
			   char why[OPT_ERROR_MAX])
{
	const struct opt range = {
		.type = &opt_uint, .min = 1, .max = 127, .size = sizeof(unsigned)
	};
	char idle[16], interval[16], count[16], rest, reason[OPT_ERROR_MAX];
	struct sock_keepalive k = { 0 };

	(void)o;
	if (strcmp(text, "off") != 0 &&
	    (sscanf(text, "%15[^/]/%15[^/]/%15[^/]%c", idle, interval, count, &rest) != 3 ||
	     keepalive_seconds(idle, &k.idle_s) < 0 ||
	     keepalive_seconds(interval, &k.interval_s) < 0 ||
	     opt_uint.parse(&range, count, &k.count, reason) < 0)) {
		snprintf(why, OPT_ERROR_MAX,
			 "must be off or IDLE/INTERVAL/COUNT, such as 30s/5s/3: whole seconds up "
			 "to 32767s, at most 127 probes");
		return -EINVAL;
	}
	memcpy(field, &k, sizeof(k));
	return 0;
}

static bool keepalive_print(const struct opt *o, const void *field, unsigned nth,
			    char text[OPT_TEXT_MAX])
{
	const struct sock_keepalive *k = field;

	(void)o;
	if (k->idle_s == 0)
		snprintf(text, OPT_TEXT_MAX, "off");
	else
		snprintf(text, OPT_TEXT_MAX, "%us/%us/%u", k->idle_s, k->interval_s, k->count);
	return nth == 0;
}

const struct opt_type opt_keepalive = { "IDLE/INTERVAL/COUNT", keepalive_parse, keepalive_print };

static int congestion_parse(const struct opt *o, const char *text, void *field,
			    char why[OPT_ERROR_MAX])
{
	size_t len = strlen(text);
	int fd, r = 0;

	(void)o;
	if (len >= SOCK_CONGESTION_MAX)
		r = -1;
	if (r == 0 && strcmp(text, "default") != 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text, (socklen_t)len);
		if (fd >= 0)
			close(fd);
	}
	if (r < 0) {
		snprintf(why, OPT_ERROR_MAX,
			 "this kernel does not offer it (see "
			 "/proc/sys/net/ipv4/tcp_allowed_congestion_control)");
		return -EINVAL;
	}
	memcpy(field, text, len + 1);
	return 0;
}

static bool congestion_print(const struct opt *o, const void *field, unsigned nth,
			     char text[OPT_TEXT_MAX])
{
	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", (const char *)field);
	return nth == 0;
}

const struct opt_type opt_congestion = { "NAME", congestion_parse, congestion_print };

static int busy_poll_parse(const struct opt *o, const char *text, void *field,
			   char why[OPT_ERROR_MAX])
{
	const struct opt range = {
		.type = &opt_time, .min = 0, .max = SEC(1), .size = sizeof(int64_t)
	};
	int64_t ns = BUSY_POLL_AUTO;
	char reason[OPT_ERROR_MAX];

	(void)o;
	if (strcmp(text, "auto") != 0 && opt_time.parse(&range, text, &ns, reason) < 0) {
		snprintf(why, OPT_ERROR_MAX, "must be auto, off, or a time up to 1s, such as 50us");
		return -EINVAL;
	}
	memcpy(field, &ns, sizeof(ns));
	return 0;
}

static bool busy_poll_print(const struct opt *o, const void *field, unsigned nth,
			    char text[OPT_TEXT_MAX])
{
	const struct opt range = { .type = &opt_time, .size = sizeof(int64_t) };
	const int64_t *ns = field;

	(void)o;
	if (*ns != BUSY_POLL_AUTO)
		return opt_time.print(&range, field, nth, text);
	snprintf(text, OPT_TEXT_MAX, "auto");
	return nth == 0;
}

const struct opt_type opt_busy_poll = { "auto|TIME", busy_poll_parse, busy_poll_print };
