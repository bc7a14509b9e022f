/* SPDX-License-Identifier: MIT
 * hosts: made by `ip` and `nft` from texts, so that a reader can do the same by hand. The names in
 * /run/netns are bind mounts of a private mount namespace: the machine outside sees none of them.
 */
#include "hosts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/program.h"
#include "echodrill/stage/proc.h"

const char *const host_names[] = { "client", "wire", "router", "server", NULL };

static const char ip_links[] = "link add c0 netns client type veth peer name w0 netns wire\n"
			       "link add w1 netns wire type veth peer name r0 netns router\n"
			       "link add r1 netns router type veth peer name s0 netns server\n";
enum { ROUTES_S = 5 }; /* for the routes of addresses of IPv6 to come */

/* The hosts come up in this order. */
static const enum host host_order[] = { HOST_WIRE, HOST_CLIENT, HOST_ROUTER, HOST_SERVER };

/* A device whose peer comes up after it gets its queue from a worker of the kernel (linkwatch),
 * which waits for others that change their network. Until then it loses what it is given, such as
 * the first question for the peer's address, which is asked again after a second. With a new length
 * the queue is there at once (dev_qdisc_change_tx_queue_len). */
static const char *const ip_queues[HOST_COUNT] = {
	[HOST_WIRE] = "link set w0 txqueuelen 1001\nlink set w1 txqueuelen 1001\n",
	[HOST_ROUTER] = "link set r1 txqueuelen 1001\n",
};

static const char *const ip_hosts[2][HOST_COUNT] = {
	{ "link set lo up\nlink set c0 up\naddr add 10.77.1.2/24 dev c0\n"
	  "route add default via 10.77.1.1\n",
	  "link set w0 up\nlink set w1 up\n",
	  "link set lo up\nlink set r0 up\nlink set r1 up\naddr add 10.77.1.1/24 dev r0\n"
	  "addr add 10.77.2.1/24 dev r1\n",
	  "link set lo up\nlink set s0 up\naddr add 10.77.2.2/24 dev s0\n"
	  "route add default via 10.77.2.1\n" },
	{ "link set lo up\nlink set c0 up\naddr add fd77:1::2/64 dev c0 nodad\n"
	  "route add default via fd77:1::1\n",
	  "link set w0 up\nlink set w1 up\n",
	  "link set lo up\nlink set r0 up\nlink set r1 up\naddr add fd77:1::1/64 dev r0 nodad\n"
	  "addr add fd77:2::1/64 dev r1 nodad\n",
	  "link set lo up\nlink set s0 up\naddr add fd77:2::2/64 dev s0 nodad\n"
	  "route add default via fd77:2::1\n" },
};

/* Every fault counts what it catches here: a fault that caught nothing has not happened. */
const char hosts_nft_text[] = "table inet drill {\n"
			      "\tcounter fault {\n\t}\n"
			      "\tchain forward {\n"
			      "\t\ttype filter hook forward priority 0; policy accept;\n"
			      "\t}\n"
			      "}\n";

struct setting {
	const char *name, *value;
	enum host host;
	bool optional; /* newer kernels, or one family only */
};

/* What must not depend on the machine outside. A new network namespace has the kernel's defaults
 * for the rest, not what the machine has set. */
static const struct setting settings[] = {
	{ "net.ipv4.tcp_syn_linear_timeouts", "0", HOST_CLIENT, true },
	{ "net.ipv4.ip_forward", "1", HOST_ROUTER, false },
	/* icmp_ratelimit = 0 would let Linux 6.1 say once in a second that it has no route: it
	 * empties the tokens of inet_peer_xrlim_allow, and ip_error takes its own from the same
	 * ones */
	{ "net.ipv4.icmp_ratemask", "0", HOST_ROUTER, false },
	{ "net.ipv6.conf.all.forwarding", "1", HOST_ROUTER, true },
	{ "net.ipv6.icmp.ratelimit", "0", HOST_ROUTER, true },
};

static int hosts_fail(struct hosts *h, int r, const char *what)
{
	snprintf(h->why, sizeof(h->why), "%.160s: %s", what, strerror(-r));
	return r;
}

int hosts_number(const char *name)
{
	for (int i = 0; i < HOST_COUNT; i++)
		if (strcmp(host_names[i], name) == 0)
			return i;
	return -1;
}

const char *hosts_address(int family, enum host host)
{
	static const char *const v4[] = { "10.77.1.2", "", "10.77.1.1", "10.77.2.2" };
	static const char *const v6[] = { "fd77:1::2", "", "fd77:1::1", "fd77:2::2" };

	assert(host < HOST_COUNT);
	return family == 6 ? v6[host] : v4[host];
}

void hosts_ip_text(int family, enum host host, char text[HOSTS_TEXT_MAX])
{
	snprintf(text, HOSTS_TEXT_MAX, "%s",
		 host == HOST_COUNT ? ip_links : ip_hosts[family == 6][host]);
}

void hosts_enter(const struct hosts *h, enum host host)
{
	int r = setns(h->ns[host], CLONE_NEWNET);

	assert(r == 0); /* our own namespaces */
	(void)r;
}

void hosts_leave(const struct hosts *h)
{
	hosts_enter(h, HOST_WIRE); /* anywhere: process 1 has no network of its own */
}

int hosts_tool(struct hosts *h, enum host host, const char *const *argv, const char *input)
{
	char said[192];
	int r = proc_helper(h->ns[host], argv, input, said, sizeof(said), clock_now_ns() + SEC(10));

	if (r == 0)
		return 0;
	if (r < 0 && r != -ENOENT)
		return hosts_fail(h, r, argv[0]);
	for (char *c = said; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	snprintf(h->why, sizeof(h->why), "%s: %s", argv[0],
		 r == -ENOENT ? "this program is missing" : said);
	return r == -ENOENT ? r : -EINVAL;
}

int hosts_ip(struct hosts *h, enum host host, const char *text)
{
	static const char *const v4[] = { "ip", "-batch", "-", NULL };
	static const char *const v6[] = { "ip", "-6", "-batch", "-", NULL };

	return hosts_tool(h, host, h->family == 6 ? v6 : v4, text);
}

int hosts_nft(struct hosts *h, enum host host, const char *text)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };

	return hosts_tool(h, host, argv, text);
}

/* Settings of connection tracking are there once its module is, and a kernel that has it as a
 * module loads it for the first rule that needs it. */
static void load_conntrack(struct hosts *h, enum host host)
{
	hosts_nft(h, host,
		  "table inet drill_load {\n\tchain load {\n\t\tct state new\n\t}\n}\n"
		  "delete table inet drill_load\n");
}

static int sysctl_open(struct hosts *h, enum host host, const char *name, int flags)
{
	static const char conntrack[] = "net.netfilter.";
	char path[160];
	size_t n = (size_t)snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd;

	if (n >= sizeof(path))
		return -ENAMETOOLONG;
	for (char *c = path; *c; c++)
		*c = *c == '.' ? '/' : *c;
	hosts_enter(h, host);
	if (strncmp(name, conntrack, sizeof(conntrack) - 1) == 0 && access(path, F_OK) < 0)
		load_conntrack(h, host);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	hosts_leave(h);
	return fd;
}

bool hosts_has_sysctl(const char *name)
{
	return strncmp(name, "net.", 4) == 0 || strncmp(name, "net/", 4) == 0;
}

int hosts_sysctl(struct hosts *h, enum host host, const char *name, const char *value)
{
	int fd = sysctl_open(h, host, name, O_WRONLY), r = 0;

	if (fd < 0)
		return hosts_fail(h, fd, name);
	if (write(fd, value, strlen(value)) < 0)
		r = hosts_fail(h, -errno, name);
	close(fd);
	return r;
}

void hosts_sysctl_read(struct hosts *h, enum host host, const char *name, char *value, size_t size)
{
	int fd = sysctl_open(h, host, name, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, value, size - 1) : 0;

	value[n > 0 ? n : 0] = '\0';
	value[strcspn(value, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

int hosts_ask(struct hosts *h, enum host host, const char *const *argv, char *out, size_t size)
{
	int r = proc_helper(h->ns[host], argv, NULL, out, size, clock_now_ns() + SEC(10));

	if (r == 0)
		return 0;
	out[0] = '\0';
	return r < 0 ? r : -EIO;
}

int64_t hosts_fault_packets(struct hosts *h)
{
	static const char *const argv[] = {
		"nft", "list", "counter", "inet", "drill", "fault", NULL
	};
	char said[512];
	int r = hosts_ask(h, HOST_ROUTER, argv, said, sizeof(said));
	const char *at = r == 0 ? strstr(said, "packets ") : NULL;

	return at ? strtoll(at + 8, NULL, 10) : -EIO;
}

static int hosts_make_namespaces(struct hosts *h)
{
	for (unsigned i = 0; i < HOST_COUNT; i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/run/netns/%s", host_names[i]);
		fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0400);
		if (fd < 0)
			return hosts_fail(h, -errno, path);
		close(fd);
		if (unshare(CLONE_NEWNET) < 0)
			return hosts_fail(h, -errno, "network namespace");
		if (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
			return hosts_fail(h, -errno, path);
		h->ns[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (h->ns[i] < 0)
			return hosts_fail(h, -errno, path);
	}
	return 0;
}

/* What TCP hands down must be what goes over the wire: whole segments with their checksums. */
static int hosts_no_offload(struct hosts *h, enum host host, const char *dev)
{
	static const uint32_t commands[] = { ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO,
					     ETHTOOL_SGRO };
	int fd, r = 0;

	hosts_enter(h, host);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		r = hosts_fail(h, -errno, "socket");
	for (size_t i = 0; i < ARRAY_LEN(commands) && r == 0; i++) {
		struct ethtool_value v = { .cmd = commands[i], .data = 0 };
		struct ifreq ifr = { .ifr_data = (char *)&v };

		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
		if (ioctl(fd, SIOCETHTOOL, &ifr) < 0 && errno != EOPNOTSUPP)
			r = hosts_fail(h, -errno, dev);
	}
	if (fd >= 0)
		close(fd);
	hosts_leave(h);
	return r;
}

/* Reno is there for everybody, cubic only where the administrator allows it; neither paces. */
static int hosts_congestion(struct hosts *h, enum host host)
{
	const char *name = "net.ipv4.tcp_congestion_control";

	if (hosts_sysctl(h, host, name, "cubic") == 0)
		return 0;
	return hosts_sysctl(h, host, name, "reno");
}

/* Addresses that are there at once, and no chatter of neighbours: before there are interfaces. */
static void hosts_quiet_ipv6(struct hosts *h, enum host host)
{
	const char *off = h->family == 6 && host != HOST_WIRE ? "0" : "1";

	hosts_sysctl(h, host, "net.ipv6.conf.all.disable_ipv6", off);
	hosts_sysctl(h, host, "net.ipv6.conf.default.disable_ipv6", off);
	hosts_sysctl(h, host, "net.ipv6.conf.all.accept_dad", "0");
	hosts_sysctl(h, host, "net.ipv6.conf.default.accept_dad", "0");
	hosts_sysctl(h, host, "net.ipv6.conf.default.router_solicitations", "0");
}

/* Addresses of ours that the calling thread's network delivers to itself. */
static unsigned count_local_routes(void)
{
	enum { LOCAL = 1u << 31, WHOLE = 128 }; /* RTF_LOCAL of linux/ipv6_route.h */
	FILE *f = fopen("/proc/thread-self/net/ipv6_route", "re");
	unsigned n = 0, prefix, flags;
	char line[256], to[33];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x", to, &prefix, &flags) == 3 &&
		     prefix == WHOLE && (flags & LOCAL) && strncmp(to, "fd77", 4) == 0;
	fclose(f);
	return n;
}

/* The route that makes an address of IPv6 ours comes from a worker of the kernel, which waits for
 * others that change their network (addrconf_dad_work). Until then what is sent to it is lost. */
static int hosts_await_ipv6(struct hosts *h, enum host host)
{
	const unsigned addresses = host == HOST_ROUTER ? 2 : 1;
	const int64_t until_ns = clock_now_ns() + SEC(ROUTES_S);
	bool there;

	hosts_enter(h, host);
	while (!(there = count_local_routes() == addresses) && clock_now_ns() < until_ns)
		clock_sleep_until(clock_now_ns() + MSEC(1));
	hosts_leave(h);
	return there ? 0 : hosts_fail(h, -ETIMEDOUT, "route of an IPv6 address");
}

int hosts_open(struct hosts *h, int family)
{
	int r;

	memset(h, 0, sizeof(*h));
	h->family = family;
	r = hosts_make_namespaces(h);
	for (size_t i = 0; i < ARRAY_LEN(settings) && r == 0; i++) {
		const struct setting *s = &settings[i];

		r = hosts_sysctl(h, s->host, s->name, s->value);
		r = r < 0 && s->optional ? 0 : r;
	}
	for (unsigned i = 0; i < HOST_COUNT && r == 0; i++)
		hosts_quiet_ipv6(h, i);
	if (r == 0)
		r = hosts_ip(h, HOST_WIRE, ip_links);
	for (size_t i = 0; i < ARRAY_LEN(host_order) && r == 0; i++)
		r = hosts_ip(h, host_order[i], ip_hosts[family == 6][host_order[i]]);
	for (size_t i = 0; i < ARRAY_LEN(host_order) && r == 0 && family == 6; i++)
		if (host_order[i] != HOST_WIRE)
			r = hosts_await_ipv6(h, host_order[i]);
	for (unsigned i = 0; i < HOST_COUNT && r == 0; i++)
		if (ip_queues[i])
			r = hosts_ip(h, i, ip_queues[i]);
	if (r == 0)
		r = hosts_no_offload(h, HOST_CLIENT, "c0");
	if (r == 0)
		r = hosts_no_offload(h, HOST_ROUTER, "r0");
	if (r == 0)
		r = hosts_no_offload(h, HOST_ROUTER, "r1");
	if (r == 0)
		r = hosts_no_offload(h, HOST_SERVER, "s0");
	if (r == 0)
		r = hosts_congestion(h, HOST_CLIENT);
	if (r == 0)
		r = hosts_congestion(h, HOST_SERVER);
	return r < 0 ? r : hosts_nft(h, HOST_ROUTER, hosts_nft_text);
}

static const struct {
	const char *word, *v4, *v6;
} words[] = {
	{ "{server}", "10.77.2.2", "fd77:2::2" },
	{ "{client}", "10.77.1.2", "fd77:1::2" },
	{ "{port}", "7007", "7007" },
	{ "{port2}", "7008", "7008" },
	{ "{ip}", "ip", "ip6" },
	{ "{dir}", PROGRAM_FOLDER, PROGRAM_FOLDER },
};

void hosts_expand(int family, const char *text, char *to, size_t size)
{
	size_t len = 0;

	assert(size > 0);
	to[0] = '\0';
	while (*text && len + 1 < size) {
		const char *put = NULL;

		for (size_t i = 0; i < ARRAY_LEN(words) && !put; i++)
			if (strncmp(text, words[i].word, strlen(words[i].word)) == 0) {
				put = family == 6 ? words[i].v6 : words[i].v4;
				text += strlen(words[i].word);
			}
		if (put)
			len += (size_t)snprintf(to + len, size - len, "%s", put);
		else
			to[len++] = *text++;
		to[size_min(len, size - 1)] = '\0';
	}
}
