/* SPDX-License-Identifier: MIT
 * sock: sockets as backends want them: non-blocking, close-on-exec, and one listener for each
 * worker on a shared port, so that the kernel spreads the connections and no thread hands over a
 * descriptor.
 */
#include "echo/net/sock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/net/path.h"

enum {
	BIND_TRIES = 500, /* x 1 ms: a killed io_uring process frees its port some 10 ms late, on a
			   * busy machine much later */
	SOCK_TTL_MAX = 255,
};

static int sock_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int sock_set_keepalive(int fd, const struct sock_keepalive *k)
{
	int r;

	if (k->idle_s == 0)
		return 0;
	r = sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (r == 0)
		r = sock_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)k->idle_s);
	if (r == 0)
		r = sock_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)k->interval_s);
	if (r == 0)
		r = sock_set(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)k->count);
	return r;
}

static bool sock_chooses_congestion(const struct sock_options *o)
{
	return o->congestion[0] && strcmp(o->congestion, "default") != 0;
}

/* Options that an accepted socket inherits from its listener, and a dialed one needs too. */
static int sock_set_options(int fd, const struct sock_options *o)
{
	int r = sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	/* urgent bytes are bytes of the stream: else TCP takes out the last one, or not, by chance
	 * of when the next came (RFC 6093, 6, asks for this too) */
	if (r == 0)
		r = sock_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	if (r == 0)
		r = sock_set_keepalive(fd, &o->keepalive);
	if (r == 0 && o->user_timeout_ns > 0)
		r = sock_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			     (int)(o->user_timeout_ns / MSEC(1)));
	if (r == 0 && sock_chooses_congestion(o) &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, o->congestion,
		       (socklen_t)strlen(o->congestion)) < 0)
		r = -errno;
	return r;
}

/* The connection survives such an error; that it is reported is all that changes. */
static int sock_set_icmp_errors(int fd, int family)
{
	return family == AF_INET6 ? sock_set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1)
				  : sock_set(fd, IPPROTO_IP, IP_RECVERR, 1);
}

/* A kernel without urgent bytes on unix sockets (before 5.15) needs no such option. */
void sock_accepted_unix(int fd)
{
	(void)sock_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

static int sock_open(int family, const struct sock_options *o)
{
	int r, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (family == AF_UNIX) {
		sock_accepted_unix(fd);
		return fd;
	}
	r = sock_set_options(fd, o);
	if (r == 0 && o->icmp_errors)
		r = sock_set_icmp_errors(fd, family);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int sock_try_bind(int fd, const struct addr *at, unsigned backlog)
{
	if (bind(fd, (const struct sockaddr *)&at->ss, at->len) < 0)
		return -errno;
	return listen(fd, (int)backlog) < 0 ? -errno : 0;
}

static int sock_bind(int fd, const struct addr *at, unsigned backlog)
{
	const struct timespec ms = { .tv_nsec = MSEC(1) };
	int r = sock_try_bind(fd, at, backlog);

	for (int i = 0; r == -EADDRINUSE && i < BIND_TRIES; i++) {
		nanosleep(&ms, NULL);
		r = sock_try_bind(fd, at, backlog);
	}
	return r;
}

/* One listener of the group; the first of them shows that nobody else listens there. */
static int sock_listen_one(struct addr *at, const struct sock_options *o, bool first)
{
	int r, fd = sock_open(at->ss.ss_family, o);

	if (fd < 0)
		return fd;
	r = sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* sockets of a killed server may linger */
	if (r == 0 && at->ss.ss_family == AF_INET6)
		r = sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* [::]:7 and 0.0.0.0:7 are two */
	if (r == 0 && !first)
		r = sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0)
		r = first ? sock_bind(fd, at, o->backlog) : sock_try_bind(fd, at, o->backlog);
	/* from here on our own next listeners may join, and nobody else's user may */
	if (r == 0 && first)
		r = sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && first) {
		at->len = sizeof(at->ss);
		if (getsockname(fd, (struct sockaddr *)&at->ss, &at->len) < 0)
			r = -errno;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int sock_listen_abstract(const struct addr *at, const struct sock_options *o,
				char why[SOCK_WHY_MAX])
{
	int fd = sock_open(AF_UNIX, o), r = fd;

	if (fd >= 0)
		r = sock_bind(fd, at, o->backlog); /* who was killed leaves it late, as a port */
	if (r == 0)
		return fd;
	snprintf(why, SOCK_WHY_MAX, "%s", strerrordesc_np(-r));
	if (fd >= 0)
		close(fd);
	return r;
}

int sock_listen_unix(const struct addr *at, const struct sock_options *o, int fds[], unsigned count,
		     char why[SOCK_WHY_MAX])
{
	const struct path_listener how = { SOCK_STREAM, o->backlog, o->unix_mode, o->unix_owner.uid,
					   o->unix_owner.gid };
	const char *path = addr_path(at);
	unsigned n = 0;
	int r;

	static_assert((int)SOCK_WHY_MAX == (int)PATH_WHY_MAX, "one reason for both");
	assert(count > 0);
	r = path ? path_listen(path, &how, why) : sock_listen_abstract(at, o, why);
	while (r >= 0 && n < count) {
		fds[n++] = r;
		r = n < count ? fcntl(fds[0], F_DUPFD_CLOEXEC, 0) : 0;
		if (r < 0)
			r = -errno;
	}
	if (r == 0 || n == 0)
		return r;
	snprintf(why, SOCK_WHY_MAX, "%s", strerrordesc_np(-r));
	while (n > 0)
		close(fds[--n]);
	return r;
}

int sock_listen(struct addr *at, const struct sock_options *o, int fds[], unsigned count)
{
	struct addr bound = *at;
	unsigned n;

	assert(count > 0);
	for (n = 0; n < count; n++) {
		int fd = sock_listen_one(&bound, o, n == 0);

		if (fd < 0) {
			while (n > 0)
				close(fds[--n]);
			return fd;
		}
		fds[n] = fd;
	}
	*at = bound;
	return 0;
}

int sock_join(const struct addr *at, const struct sock_options *o)
{
	struct addr a = *at;

	return addr_is_unix(at) ? -EOPNOTSUPP : sock_listen_one(&a, o, false);
}

/* The value of an option that is an int, or -errno. */
static int sock_get(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

bool sock_is_unix(int fd)
{
	return sock_get(fd, SO_DOMAIN) == AF_UNIX;
}

uint64_t sock_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static bool sock_is_stream(int fd)
{
	return sock_get(fd, SO_PROTOCOL) == IPPROTO_TCP ||
	       (sock_is_unix(fd) && sock_get(fd, SO_TYPE) == SOCK_STREAM);
}

int sock_listens(int fd, struct addr *at)
{
	struct addr a = { .len = sizeof(a.ss) };

	if (!sock_is_stream(fd) || sock_get(fd, SO_ACCEPTCONN) != 1)
		return -ENOTSOCK;
	if (getsockname(fd, (struct sockaddr *)&a.ss, &a.len) < 0)
		return -errno;
	*at = a;
	return 0;
}

bool sock_is_open(int fd)
{
	return sock_is_stream(fd) && sock_get(fd, SO_ACCEPTCONN) == 0;
}

int sock_system_congestion(char name[SOCK_CONGESTION_MAX])
{
	socklen_t len = SOCK_CONGESTION_MAX;
	int r, fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fresh < 0)
		return -errno;
	r = getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, name, &len) < 0 ? -errno : 0;
	close(fresh);
	return r;
}

/* Another listener's may have been set. */
static int sock_default_congestion(int fd, const struct sock_options *o)
{
	char name[SOCK_CONGESTION_MAX];
	int r = 0;

	memcpy(name, o->system_congestion, sizeof(name));
	if (!name[0])
		r = sock_system_congestion(name);
	if (r == 0 && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name,
				 (socklen_t)strnlen(name, sizeof(name))) < 0)
		r = -errno;
	return r;
}

bool sock_options_equal(const struct sock_options *a, const struct sock_options *b)
{
	return a->keepalive.idle_s == b->keepalive.idle_s &&
	       a->keepalive.interval_s == b->keepalive.interval_s &&
	       a->keepalive.count == b->keepalive.count &&
	       a->user_timeout_ns == b->user_timeout_ns && a->backlog == b->backlog &&
	       a->icmp_errors == b->icmp_errors && strcmp(a->congestion, b->congestion) == 0;
}

static int sock_configure_tcp(int fd, const struct sock_options *o)
{
	int r = 0;

	/* its old configuration may have had these on: off is set explicitly */
	if (o->keepalive.idle_s == 0)
		r = sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (r == 0 && o->user_timeout_ns == 0)
		r = sock_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
	if (r == 0)
		r = sock_set_options(fd, o);
	if (r == 0 && !sock_chooses_congestion(o))
		r = sock_default_congestion(fd, o);
	return r;
}

int sock_configure(int fd, const struct sock_options *o)
{
	int r = sock_is_unix(fd) ? 0 : sock_configure_tcp(fd, o);

	if (r == 0 && listen(fd, (int)o->backlog) < 0)
		r = -errno;
	return r;
}

int sock_inherit(int fd, const struct sock_options *o)
{
	int r = sock_configure(fd, o);

	return r == 0 && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : r;
}

int sock_dial(const struct addr *to, const struct addr *from, const struct sock_options *o)
{
	int r = 0, fd = sock_open(to->ss.ss_family, o);

	if (fd < 0)
		return fd;
	if (from) {
		/* the port is chosen at connect, when the whole 4-tuple is known */
		r = sock_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (r == 0 && bind(fd, (const struct sockaddr *)&from->ss, from->len) < 0)
			r = -errno;
	}
	if (r == 0 && connect(fd, (const struct sockaddr *)&to->ss, to->len) < 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	/* the port has been chosen, whether or not it is connected yet */
	if (r == 0 && addr_dialed_itself(fd, to)) {
		sock_abort(fd);
		r = -ECONNREFUSED;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Whether an error of this socket is a hint of which it does not die: it is connected, and the last
 * segment of its handshake was answered by ICMP (tcp_v4_err). With IP_RECVERR it is no hint. */
static bool sock_has_hint(int fd)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(peer), size = sizeof(int);
	int strict = 0;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	if (peer.ss_family == AF_INET6)
		(void)getsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &strict, &size);
	else if (peer.ss_family == AF_INET)
		(void)getsockopt(fd, IPPROTO_IP, IP_RECVERR, &strict, &size);
	return strict == 0;
}

int sock_connected(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	if (err == EPIPE) /* a FIN had come, and recv tells it */
		return 0;
	return err != 0 && sock_has_hint(fd) ? 0 : -err;
}

void sock_abort(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void sock_end(int fd, bool reset)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	/* tcp_disconnect: an RST, if it lives; a unix socket knows nothing of the kind */
	if (reset && connect(fd, &none, sizeof(none)) == 0)
		return;
	if (shutdown(fd, SHUT_RDWR) < 0) /* a sandbox may allow no more than this: */
		(void)shutdown(fd, SHUT_WR);
}

void sock_deafen(int fd)
{
	/* a socket of IPv6 may serve IPv4 as well; one of IPv4 has no option of IPv6 */
	(void)sock_set(fd, IPPROTO_IP, IP_MINTTL, SOCK_TTL_MAX);
	(void)sock_set(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, SOCK_TTL_MAX);
}

uint64_t sock_raise_nofile(uint64_t want)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	if (l.rlim_cur < want) {
		rlim_t old = l.rlim_cur;

		l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0)
			return old;
	}
	return l.rlim_cur;
}
