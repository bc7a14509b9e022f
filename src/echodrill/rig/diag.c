/* SPDX-License-Identifier: MIT
 * diag: sock_diag dumps and the two-line tables of /proc/net.
 */
#include "diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "hosts.h"

enum { SYN_RECV_NEW = 12 }; /* TCP_NEW_SYN_RECV: the kernel's word for a request */

static const char *const state_names[DIAG_STATES] = {
	[TCP_ESTABLISHED] = "ESTAB",    [TCP_SYN_SENT] = "SYN-SENT",
	[TCP_SYN_RECV] = "SYN-RECV",    [TCP_FIN_WAIT1] = "FIN-WAIT-1",
	[TCP_FIN_WAIT2] = "FIN-WAIT-2", [TCP_TIME_WAIT] = "TIME-WAIT",
	[TCP_CLOSE] = "UNCONN",         [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_LAST_ACK] = "LAST-ACK",    [TCP_LISTEN] = "LISTEN",
	[TCP_CLOSING] = "CLOSING",
};

unsigned diag_state(const char *name)
{
	for (unsigned i = 1; i < DIAG_STATES; i++)
		if (state_names[i] && strcmp(state_names[i], name) == 0)
			return i;
	return 0;
}

static const char *diag_state_name(unsigned state)
{
	return state < DIAG_STATES && state_names[state] ? state_names[state] : "?";
}

static int diag_ask(int fd, int family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 ask;
	} message = {
		.head = { .nlmsg_len = sizeof(message),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.ask = { .sdiag_family = family == 6 ? AF_INET6 : AF_INET,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_ext = 1 << (INET_DIAG_INFO - 1),
			 .idiag_states = ~0u },
	};

	return send(fd, &message, sizeof(message), 0) == sizeof(message) ? 0 : -errno;
}

static bool is_drill_port(unsigned port)
{
	return port == HOSTS_PORT || port == HOSTS_PORT + 1;
}

struct dump {
	void (*each)(void *arg, const struct diag_socket *s);
	void *arg;
};

/* Attributes follow what all sockets have. */
static void dump_stream(struct diag_socket *s, const struct nlmsghdr *h)
{
	const size_t at = NLMSG_SPACE(sizeof(struct inet_diag_msg));
	const struct rtattr *a = (const void *)((const char *)h + at);
	int len = (int)h->nlmsg_len - (int)at;

	for (; RTA_OK(a, len); len -= (int)RTA_ALIGN(a->rta_len),
			       a = (const void *)((const char *)a + RTA_ALIGN(a->rta_len)))
		if (a->rta_type == INET_DIAG_INFO)
			diag_stream(s, RTA_DATA(a), RTA_PAYLOAD(a));
}

static void dump_socket(const struct dump *d, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const unsigned to = ntohs(m->id.idiag_dport);
	struct diag_socket s = {
		.local = ntohs(m->id.idiag_sport),
		.to_server = is_drill_port(to),
		.state = m->idiag_state == SYN_RECV_NEW ? TCP_SYN_RECV : m->idiag_state,
		.inode = m->idiag_inode,
		.unread = m->idiag_rqueue,
		.unsent = m->idiag_wqueue,
	};

	if ((!s.to_server && !is_drill_port(s.local)) || s.state >= DIAG_STATES)
		return;
	dump_stream(&s, h);
	d->each(d->arg, &s);
}

/* Its end has an errno of the dump, which a kernel without tcp_diag has none of. Returns 1, or
 * -errno. */
static int dump_done(const struct nlmsghdr *h)
{
	int e = 0;

	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(e)))
		memcpy(&e, NLMSG_DATA(h), sizeof(e));
	return e < 0 ? e : 1;
}

/* Returns 1 at the end, 0 when more is to come, or -errno. */
static int dump_take(const struct dump *d, const char *buf, size_t len)
{
	const struct nlmsghdr *h = (const void *)buf;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return dump_done(h);
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		dump_socket(d, h);
	}
	return 0;
}

int diag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

int diag_each(int fd, int family, void (*each)(void *arg, const struct diag_socket *s), void *arg)
{
	static _Alignas(struct nlmsghdr) char buf[32768];
	const struct dump d = { each, arg };
	int r = diag_ask(fd, family);

	while (r == 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		r = n < 0 ? -errno : dump_take(&d, buf, (size_t)n);
	}
	return r < 0 ? r : 0;
}

/* tcp_diag reports what the sequence numbers say, and a FIN has one (tcp_diag_get_info). */
static bool is_end_unread(const struct diag_socket *at)
{
	return at->unread > 0 && (at->state == TCP_CLOSE_WAIT || at->state == TCP_LAST_ACK ||
				  at->state == TCP_CLOSING);
}

static void count_socket(void *arg, const struct diag_socket *at)
{
	struct diag_states *s = arg;

	s->count[at->state]++;
	if (at->state == TCP_LISTEN) {
		s->backlog += at->unread;
	} else {
		s->unread += at->unread;
		s->ends += is_end_unread(at);
		s->unsent += at->unsent;
	}
}

int diag_read(struct diag_states *s, int family)
{
	int fd = diag_open(), r;

	memset(s, 0, sizeof(*s));
	if (fd < 0)
		return fd;
	r = diag_each(fd, family, count_socket, s);
	close(fd);
	return r;
}

const char *diag_words(const struct diag_states *s, char *text, size_t size)
{
	size_t len = 0;

	snprintf(text, size, "none");
	for (unsigned i = 1; i < DIAG_STATES && len < size; i++) {
		if (s->count[i] == 0 || i == TCP_LISTEN)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%u %s", len ? ", " : "",
					s->count[i], diag_state_name(i));
	}
	return text;
}

/* "Tcp: A B C" and "Tcp: 1 2 3" */
static void counters_pair(struct diag_counters *c, char *names, char *values)
{
	char *n, *v, *save_n, *save_v;
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%.*s", (int)strcspn(names, ":"), names);
	strtok_r(names, " \n", &save_n); /* the prefix */
	strtok_r(values, " \n", &save_v);
	while ((n = strtok_r(NULL, " \n", &save_n)) && (v = strtok_r(NULL, " \n", &save_v))) {
		struct diag_counter *to = &c->at[c->count];

		if (c->count == DIAG_COUNTERS_MAX)
			return;
		snprintf(to->name, sizeof(to->name), "%s%s", prefix, n);
		to->value = strtoll(v, NULL, 10);
		c->count++;
	}
}

static void counters_file(struct diag_counters *c, const char *path)
{
	static char names[8192], values[8192];
	FILE *f = fopen(path, "re");

	while (f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f))
		if (strncmp(names, "Tcp", 3) == 0)
			counters_pair(c, names, values);
	c->unread |= !f || ferror(f);
	if (f)
		fclose(f);
}

void diag_counters_read(struct diag_counters *c)
{
	c->count = 0;
	c->unread = false;
	counters_file(c, "/proc/thread-self/net/snmp");
	counters_file(c, "/proc/thread-self/net/netstat");
}

/* "  c0: " and eight numbers of what came, then bytes and frames of what was sent. */
int64_t diag_sent(const char *dev)
{
	FILE *f = fopen("/proc/thread-self/net/dev", "re");
	int64_t sent = -ENOENT;
	char line[512], name[32];
	unsigned long long frames;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %31[^: ]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", name,
			   &frames) == 2 &&
		    strcmp(name, dev) == 0)
			sent = (int64_t)frames;
	if (f)
		fclose(f);
	return sent;
}

int diag_counter(const struct diag_counters *c, const char *name, int64_t *value)
{
	for (unsigned i = 0; i < c->count; i++)
		if (strcmp(c->at[i].name, name) == 0) {
			*value = c->at[i].value;
			return 0;
		}
	return -ENOENT;
}
