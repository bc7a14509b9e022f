/* SPDX-License-Identifier: MIT
 * net_opt: option types of programs with sockets: addresses, CPUs, keepalive, congestion control.
 */
#include "echo/net/net_opt.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/cpu_quota.h"
#include "echo/base/opt.h"
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
	if (r == -EINVAL && reason != addr_why_interface)
		snprintf(why, OPT_ERROR_MAX,
			 "must be HOST:PORT, such as 127.0.0.1:7007, [::1]:7007 or, with a port "
			 "other than 0, localhost:7007");
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

static int cpu_fail(char why[OPT_ERROR_MAX])
{
	snprintf(why, OPT_ERROR_MAX, "must be all, or CPUs and ranges such as 0-3,8 below %d",
		 CPU_SETSIZE);
	return -EINVAL;
}

/* One number; *end is what follows it. */
static bool cpu_number(const char *text, char **end, unsigned long *n)
{
	if (*text < '0' || *text > '9')
		return false;
	*n = strtoul(text, end, 10);
	return *n < CPU_SETSIZE;
}

static int cpu_list_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	struct cpu_list l = { .all = strcmp(text, "all") == 0 };
	unsigned long first, last;
	char *end;

	(void)o;
	CPU_ZERO(&l.set);
	while (!l.all) {
		if (!cpu_number(text, &end, &first))
			return cpu_fail(why);
		last = first;
		if (*end == '-' && !cpu_number(end + 1, &end, &last))
			return cpu_fail(why);
		if (last < first || (*end && *end != ','))
			return cpu_fail(why);
		for (; first <= last; first++)
			CPU_SET(first, &l.set);
		if (!*end)
			break;
		text = end + 1;
	}
	memcpy(field, &l, sizeof(l));
	return 0;
}

static bool cpu_list_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	const struct cpu_list *l = field;
	size_t n = 0;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "all");
	for (unsigned i = 0; i < CPU_SETSIZE && !l->all && n < OPT_TEXT_MAX; i++) {
		unsigned last = i;

		if (!CPU_ISSET(i, &l->set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &l->set))
			last++;
		n += (size_t)snprintf(text + n, OPT_TEXT_MAX - n, last > i ? "%s%u-%u" : "%s%u",
				      n ? "," : "", i, last);
		i = last;
	}
	return nth == 0;
}

const struct opt_type opt_cpus = { "CPUS", cpu_list_parse, cpu_list_print };

/* The CPUs of @l that this process may use. */
static cpu_set_t cpu_list_usable(const struct cpu_list *l)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		CPU_SET(0, &mine);
	if (!l->all)
		CPU_AND(&mine, &mine, &l->set);
	return mine;
}

unsigned cpu_list_count(const struct cpu_list *l)
{
	cpu_set_t usable = cpu_list_usable(l);
	const double count = (double)CPU_COUNT(&usable);
	struct cpu_quota quota;

	cpu_quota_read(&quota);
	return (unsigned)(quota.cpus > 0 ? fmin(count, ceil(quota.cpus)) : count);
}

int cpu_list_nth(const struct cpu_list *l, unsigned nth)
{
	cpu_set_t usable = cpu_list_usable(l);
	unsigned count = (unsigned)CPU_COUNT(&usable);

	if (count == 0)
		return -ENOENT;
	nth %= count;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET((unsigned)i, &usable) && nth-- == 0)
			return i;
	}
	return -ENOENT;
}

/* "30s" within 1 s to the kernel's MAX_TCP_KEEPIDLE of 32767 s; whole seconds. */
static int keepalive_seconds(const char *text, unsigned *seconds)
{
	const struct opt range = {
		.type = &opt_time, .min = SEC(1), .max = SEC(32767), .size = sizeof(int64_t)
	};
	char why[OPT_ERROR_MAX];
	int64_t ns;

	if (opt_time.parse(&range, text, &ns, why) < 0 || ns % SEC(1) != 0)
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
