/* SPDX-License-Identifier: MIT
 * sock: sockets as backends want them: non-blocking, close-on-exec, with the options of the
 * configuration set once, on the listener, from which accepted sockets inherit them.
 */
#ifndef ECHO_SOCK_H
#define ECHO_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct addr;

enum { SOCK_CONGESTION_MAX = 16 }; /* TCP_CA_NAME_MAX */

/* Whole seconds, as TCP_KEEPIDLE and TCP_KEEPINTVL take them; idle 0: off. */
struct sock_keepalive {
	unsigned idle_s, interval_s, count;
};

/* Of a unix listener in the file system; -1: those of this process. */
struct sock_owner {
	uid_t uid;
	gid_t gid;
};

/* Of a unix socket only the backlog and what begins with unix_ is used: the others are TCP's. */
struct sock_options {
	struct sock_keepalive keepalive;
	int64_t user_timeout_ns;              /* TCP_USER_TIMEOUT, in whole milliseconds; 0: off */
	char congestion[SOCK_CONGESTION_MAX]; /* TCP_CONGESTION; "" or "default": the system's */
	/* what "default" means, for a process that may make no socket to find out; "": it may */
	char system_congestion[SOCK_CONGESTION_MAX];
	bool icmp_errors; /* IP_RECVERR: an ICMP unreachable is an error of the next call at once */
	unsigned backlog; /* of a listener */
	unsigned unix_mode; /* permissions of a unix listener */
	struct sock_owner unix_owner;
};

/* Opens @count listeners on one address of TCP, which spread its connections among them
 * (SO_REUSEPORT).
 * A port that any other process listens on is refused: the first socket listens without
 * SO_REUSEPORT and gets it afterwards. A busy port is tried again for half a second, since a killed
 * io_uring process frees its port only after waitpid has returned. Port 0 is chosen by the kernel
 * and written to *at. fds[] gets the descriptors, the caller's to close.
 * Returns 0, or -errno with nothing left open. */
int sock_listen(struct addr *at, const struct sock_options *o, int fds[], unsigned count);

/* The same for a unix socket (path.h): there can be but one listener, and the others are duplicates
 * of it. On failure the reason is in @why. */
enum { SOCK_WHY_MAX = 128 };
int sock_listen_unix(const struct addr *at, const struct sock_options *o, int fds[], unsigned count,
		     char why[SOCK_WHY_MAX]);

/* One more listener that shares the connections of @at with those of ours that listen there
 * already: sock_listen's, or inherited ones, of the same user. Returns the descriptor or -errno,
 * -EOPNOTSUPP for a unix socket. */
int sock_join(const struct addr *at, const struct sock_options *o);

/* Whether it is a unix socket. */
bool sock_is_unix(int fd);

/* The same for all descriptors of one socket, and no other's; 0: it is none. */
uint64_t sock_cookie(int fd);

/* The address that a listener serves, or (sock_is_open) whether a socket is a connection, of TCP or
 * a unix stream: of descriptors that another process has sent. sock_listens: 0 or -errno, -ENOTSOCK
 * for what is no such listener. */
int sock_listens(int fd, struct addr *at);
bool sock_is_open(int fd);

/* What an accepted socket does not inherit from its listener, as those of TCP do all. */
void sock_accepted_unix(int fd);

bool sock_options_equal(const struct sock_options *a, const struct sock_options *b);

/* The congestion control that a new socket begins with. Returns 0 or -errno. */
int sock_system_congestion(char name[SOCK_CONGESTION_MAX]);

/* Gives a listener the options of this configuration, the backlog too: what it accepts from now on
 * has them. Returns 0 or -errno. */
int sock_configure(int fd, const struct sock_options *o);

/* The same for an inherited listener, which becomes non-blocking. Returns 0 or -errno. */
int sock_inherit(int fd, const struct sock_options *o);

/* Begins to connect, from @from unless that is NULL. Returns the descriptor, the connection still
 * being made, or -errno; -ECONNREFUSED also where it would be connected to itself (addr.h);
 * -EAGAIN: as many wait on a unix listener as may, and nothing tells when that changes. */
int sock_dial(const struct addr *to, const struct addr *from, const struct sock_options *o);

/* The outcome of a connect that has become writable or failed: 0 or -errno. Consumes SO_ERROR: for
 * sockets that are not connected yet only (cause.h says why). 0 also where the connection is over
 * by a reset behind the peer's FIN: it had begun, and what the peer did first names its end. 0
 * where it is connected and ICMP has answered the last segment of its handshake, unless it asks for
 * such errors (IP_RECVERR). */
int sock_connected(int fd);

/* Stream bytes that the peer's kernel has acknowledged. @dialed: this side began the connection, so
 * the kernel's figure is one too high (it counts the SYN). Of the @sent bytes that a unix socket
 * has taken all are with the peer's kernel, which is ours. Works on dead sockets too. Returns 0 or
 * -errno. */
int sock_acked(int fd, bool dialed, uint64_t sent, uint64_t *bytes);

/* How far a connection has come, as its kernel sees it. */
struct sock_progress {
	uint64_t acked;   /* stream bytes that the peer's kernel has acknowledged, give or take the
			     SYN; of a unix socket a figure that changes when the peer has read */
	int64_t quiet_ns; /* since bytes were last received or sent (retransmissions included) */
	bool owes;        /* the socket holds bytes that are not acknowledged */
};

/* Asks for the progress of a connected socket, which has taken @sent bytes. The resolution of
 * quiet_ns is one of the kernel's ticks, at most 10 ms. Returns 0; 1: it is a unix socket, of which
 * the kernel keeps no times: quiet_ns is left as it was; or -errno. */
int sock_progress(int fd, uint64_t sent, struct sock_progress *p);

/* Connections that wait to be accepted on a listener, or -errno: -EOPNOTSUPP of a unix socket. */
int sock_queued(int fd);

/* Makes close send RST and drop what is unsent. Best effort: a dead socket does not mind, and of a
 * unix socket the peer gets ECONNRESET only if bytes of its own were not read. */
void sock_abort(int fd);

/* Nobody gets in any more: of a listener of TCP that is not wanted, as long as another process
 * holds it. A SYN counts only if its TTL is 255, which no system's is by itself (RFC 5082). Not
 * shutdown(2), which would make a socket of it that can be connected, and not a filter, for which
 * some kernels want a capability. */
void sock_deafen(int fd);

/* Ends a connection whose file something beside @fd holds, so that close would not: by a FIN, or an
 * RST if @reset. */
void sock_end(int fd, bool reset);

/* Raises the soft limit of descriptors to at least @want, up to the hard one. Returns the limit
 * that holds afterwards. */
uint64_t sock_raise_nofile(uint64_t want);

#endif
