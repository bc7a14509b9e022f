/* SPDX-License-Identifier: MIT
 * addr: socket addresses as people write them: 127.0.0.1:7007, [::1]:7007, name:7007,
 * unix:/run/echod.socket, and unix:@echod in Linux' abstract namespace.
 */
#ifndef ECHO_ADDR_H
#define ECHO_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

enum {
	ADDR_TEXT_MAX = 116, /* "unix:", 108 bytes and 0 are 114: addr.c checks it */
	ADDR_LIST_MAX = 16,  /* addresses that one option can hold */
};

struct addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

struct addr_list {
	struct addr at[ADDR_LIST_MAX];
	unsigned count;
};

/* Reads a numeric "ADDR:PORT" or "[ADDR6]:PORT"; a link-local ADDR6 may name its interface, which
 * must exist: [fe80::1%eth0]:7. Port 0 to 65535. Or "unix:PATH" or "unix:@NAME", of at most 107
 * bytes without blanks and control characters. Returns 0 or -EINVAL; *a is written only on success.
 * No name is looked up. */
int addr_parse(struct addr *a, const char *text);

/* Whether @text is written as the address of a unix socket, or @a is one. */
bool addr_says_unix(const char *text);
bool addr_is_unix(const struct addr *a);
extern const char addr_why_unix[]; /* what to say of a text that addr_parse refuses then */

/* Whether the port of HOST:PORT, or @text itself, is a number and too large, and what to say then.
 */
bool addr_port_is_out(const char *text);
extern const char addr_why_port[];

/* The path of a unix socket in the file system; NULL: it has none. */
const char *addr_path(const struct addr *a);

/* Whether it is a link-local address without its interface: no socket can use it. */
bool addr_needs_interface(const struct addr *a);
extern const char addr_why_interface[]; /* what to say of one */

/* As addr_parse, but a host name is looked up too (getaddrinfo; may block), and all addresses of
 * @family (AF_UNSPEC: of both) that it has are taken, ADDR_LIST_MAX at most, in the order in which
 * they are to be tried: the system's (RFC 6724), IPv4 and IPv6 in turn (RFC 8305, section 4).
 * Returns 0, -EINVAL for text that is no HOST:PORT (port 0 included), -ENOENT when the name gives
 * no address, or -EAFNOSUPPORT when none is of @family, as no unix socket is but of AF_UNSPEC; on
 * failure *why names the reason as static text. */
int addr_resolve(struct addr_list *l, const char *text, int family, const char **why);

/* The families take turns, beginning with that of the first; else the order stays. */
void addr_interleave(struct addr_list *l);

/* Writes the form that addr_parse reads ("?" for other families); always terminated. Returns @buf.
 * A path may hold what a terminal must not see: escape.h. */
char *addr_format(const struct addr *a, char buf[ADDR_TEXT_MAX]);

/* Port in host order; 0 for families other than IPv4 and IPv6. */
unsigned addr_port(const struct addr *a);
/* @a must be IPv4 or IPv6. */
void addr_set_port(struct addr *a, unsigned port);

/* Same family, address, interface and port. */
bool addr_equal(const struct addr *a, const struct addr *b);

/* Whether a listener on one would take connections from one on the other: the same port, and the
 * same address or all addresses of the family. */
bool addr_overlaps(const struct addr *a, const struct addr *b);

/* Whether the socket @fd, for which connect(2) to @to has been called, is being connected to
 * itself: the kernel gave it the very address of its target, whose port then is one of those for
 * clients, and where nobody listens TCP lets a socket open to itself (RFC 9293, section 3.5:
 * simultaneous open). Such a target has refused, and the socket must go at once, by RST: it holds
 * the port of the server that is to come back. */
bool addr_dialed_itself(int fd, const struct addr *to);

#endif
