/* SPDX-License-Identifier: MIT
 * addr: parses and prints host:port and unix:path. The text is cut into host and port once; numeric
 * hosts go to inet_pton, which knows no abbreviations (127.1, 0x7f.1), and only the rest may be a
 * name.
 */
#include "echo/base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "echo/base/base.h"

enum {
	HOST_MAX = 256, /* DNS names have 253 characters */
	PORT_MAX = 65535,
	UNIX_AT = offsetof(struct sockaddr_un, sun_path),
	UNIX_MAX = sizeof(((struct sockaddr_un *)0)->sun_path), /* a 0 included */
};

static const char unix_scheme[] = "unix:";

const char addr_why_unix[] = "must be unix:PATH or, in the abstract namespace, unix:@NAME, of 1 to "
			     "107 bytes, without blanks and control characters";

static_assert(ADDR_TEXT_MAX > sizeof(unix_scheme) + UNIX_MAX, "the longest path fits");
/* both lengths include a terminator: one is that of the text, the other's place is the '%' */
static_assert(ADDR_TEXT_MAX >= sizeof("[]:65535") - 1 + INET6_ADDRSTRLEN + IF_NAMESIZE,
	      "the longest address fits");

struct host_port {
	char host[HOST_MAX];
	bool bracketed;
	unsigned port;
};

/* Reads all of @text as a decimal number of at most @max. Returns it, -EINVAL, or -ERANGE. */
static int64_t read_number(const char *text, uint32_t max)
{
	int64_t n = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (n <= max)
			n = n * 10 + (*text - '0');
	}
	return n <= max ? n : -ERANGE;
}

/* Cuts HOST:PORT or [HOST]:PORT. Returns 0 or -EINVAL. */
static int cut(struct host_port *hp, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;

	if (!colon)
		return -EINVAL;
	size_t len = (size_t)(colon - text);
	int64_t port = read_number(colon + 1, PORT_MAX);

	hp->bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (hp->bracketed) {
		host++;
		len -= 2;
	}
	if (port < 0 || len == 0 || len >= HOST_MAX)
		return -EINVAL;
	memcpy(hp->host, host, len);
	hp->host[len] = 0;
	hp->port = (unsigned)port;
	return 0;
}

static int parse4(struct addr *a, const struct host_port *hp)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)hp->port) };

	if (inet_pton(AF_INET, hp->host, &in.sin_addr) != 1)
		return -EINVAL;
	*a = (struct addr){ .len = sizeof(in) };
	memcpy(&a->ss, &in, sizeof(in));
	return 0;
}

static bool is_link_local(const struct in6_addr *ip)
{
	return IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_MC_LINKLOCAL(ip);
}

/* Sets the interface that @name (or its number) stands for. Elsewhere than on link-local addresses
 * the kernel would ignore it. Returns 0 or -EINVAL. */
static int set_scope(struct sockaddr_in6 *in6, const char *name)
{
	int64_t n = if_nametoindex(name);

	if (n == 0)
		n = read_number(name, UINT32_MAX);
	if (n <= 0 || !is_link_local(&in6->sin6_addr))
		return -EINVAL;
	in6->sin6_scope_id = (uint32_t)n;
	return 0;
}

static int parse6(struct addr *a, struct host_port *hp)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)hp->port) };
	char *scope = strchr(hp->host, '%');

	if (scope)
		*scope++ = 0;
	if (inet_pton(AF_INET6, hp->host, &in6.sin6_addr) != 1)
		return -EINVAL;
	if (scope && set_scope(&in6, scope) < 0)
		return -EINVAL;
	*a = (struct addr){ .len = sizeof(in6) };
	memcpy(&a->ss, &in6, sizeof(in6));
	return 0;
}

bool addr_says_unix(const char *text)
{
	return strncmp(text, unix_scheme, sizeof(unix_scheme) - 1) == 0;
}

bool addr_is_unix(const struct addr *a)
{
	return a->ss.ss_family == AF_UNIX;
}

/* What a line of a configuration file or of a log can hold, and be read back from. */
static bool is_plain(const char *text)
{
	while ((unsigned char)*text > ' ' && *text != 0x7f)
		text++;
	return !*text;
}

/* An abstract name begins with a 0 in the place of its '@', and has none at its end. */
static int parse_unix(struct addr *a, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const bool abstract = path[0] == '@';
	const size_t len = strlen(path);

	if (len <= abstract || len >= UNIX_MAX || !is_plain(path))
		return -EINVAL;
	memcpy(un.sun_path, path, len);
	if (abstract)
		un.sun_path[0] = 0;
	*a = (struct addr){ .len = (socklen_t)(UNIX_AT + len + !abstract) };
	memcpy(&a->ss, &un, sizeof(un));
	return 0;
}

const char *addr_path(const struct addr *a)
{
	const struct sockaddr_un *un = (const void *)&a->ss;

	return addr_is_unix(a) && a->len > UNIX_AT && un->sun_path[0] ? un->sun_path : NULL;
}

int addr_parse(struct addr *a, const char *text)
{
	struct host_port hp;
	int r;

	if (addr_says_unix(text))
		return parse_unix(a, text + sizeof(unix_scheme) - 1);
	r = cut(&hp, text);
	if (r < 0)
		return r;
	return hp.bracketed ? parse6(a, &hp) : parse4(a, &hp);
}

bool addr_needs_interface(const struct addr *a)
{
	const struct sockaddr_in6 *in6 = (const void *)&a->ss;

	return a->ss.ss_family == AF_INET6 && is_link_local(&in6->sin6_addr) &&
	       in6->sin6_scope_id == 0;
}

const char addr_why_interface[] =
	"a link-local address needs its interface, such as [fe80::1%eth0]:7007";

/* Takes the first address of @from that is of another family than @but; where there is none, the
 * first of all. */
static struct addr take_other(struct addr_list *from, int but)
{
	unsigned i = 0;
	struct addr a;

	while (i < from->count && from->at[i].ss.ss_family == but)
		i++;
	if (i == from->count)
		i = 0;
	a = from->at[i];
	from->count--;
	memmove(&from->at[i], &from->at[i + 1], (from->count - i) * sizeof(a));
	return a;
}

void addr_interleave(struct addr_list *l)
{
	struct addr_list from = *l;
	int last = AF_UNSPEC;

	for (unsigned i = 0; from.count > 0; i++) {
		l->at[i] = take_other(&from, last);
		last = l->at[i].ss.ss_family;
	}
}

static const char *why_no_family(int family)
{
	return family == AF_INET ? "no IPv4 address" : "no IPv6 address";
}

/* Appends it, unless it is not of @family, or is there. */
static void take_address(struct addr_list *l, const struct addrinfo *info, int family)
{
	struct addr a = { .len = info->ai_addrlen };

	if (l->count == ADDR_LIST_MAX || (family != AF_UNSPEC && family != info->ai_family))
		return;
	assert(info->ai_addrlen <= sizeof(a.ss));
	memcpy(&a.ss, info->ai_addr, info->ai_addrlen);
	for (unsigned i = 0; i < l->count; i++) {
		if (addr_equal(&l->at[i], &a))
			return;
	}
	l->at[l->count++] = a;
}

/* Of a name's addresses only those are left that a socket can use. */
static void drop_unusable(struct addr_list *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->count; i++) {
		if (!addr_needs_interface(&l->at[i]))
			l->at[n++] = l->at[i];
	}
	l->count = n;
}

/* Looks up @name. Returns 0, -ENOENT or -EAFNOSUPPORT with the reason in *why. */
static int resolve_name(struct addr_list *l, const char *name, int family, const char **why)
{
	struct addrinfo want = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all;
	int r = getaddrinfo(name, NULL, &want, &all);

	if (r != 0) {
		*why = r == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(r);
		return -ENOENT;
	}
	for (const struct addrinfo *i = all; i; i = i->ai_next)
		take_address(l, i, family);
	freeaddrinfo(all);
	if (l->count == 0) {
		*why = why_no_family(family);
		return -EAFNOSUPPORT;
	}
	drop_unusable(l);
	*why = addr_why_interface;
	return l->count > 0 ? 0 : -ENOENT;
}

const char addr_why_port[] = "the port must be at most 65535";

bool addr_port_is_out(const char *text)
{
	const char *colon = strrchr(text, ':');

	return read_number(colon ? colon + 1 : text, PORT_MAX) == -ERANGE;
}

/* A single address that is written as one. */
static int check_numeric(const struct addr *a, int family, const char **why)
{
	if (addr_needs_interface(a)) {
		*why = addr_why_interface;
		return -EINVAL;
	}
	if (family == AF_UNSPEC || family == a->ss.ss_family)
		return 0;
	*why = why_no_family(family);
	return -EAFNOSUPPORT;
}

static int resolve_unix(struct addr_list *l, const char *text, int family, const char **why)
{
	struct addr_list found = { .count = 1 };
	int r;

	*why = addr_why_unix;
	if (addr_parse(&found.at[0], text) < 0)
		return -EINVAL;
	r = check_numeric(&found.at[0], family, why);
	if (r == 0)
		*l = found;
	return r;
}

int addr_resolve(struct addr_list *l, const char *text, int family, const char **why)
{
	struct addr_list found = { .count = 0 };
	struct host_port hp;
	int r;

	if (addr_says_unix(text))
		return resolve_unix(l, text, family, why);
	*why = addr_port_is_out(text) ? addr_why_port
				      : "must be HOST:PORT, with an IPv6 address in brackets";
	if (cut(&hp, text) < 0)
		return -EINVAL;
	found.count = addr_parse(&found.at[0], text) == 0;
	if (found.count == 0 && (hp.bracketed || strpbrk(hp.host, ":[] ")))
		return -EINVAL;
	if (hp.port == 0) {
		*why = "the port must be 1 to 65535";
		return -EINVAL;
	}
	if (found.count > 0)
		r = check_numeric(&found.at[0], family, why);
	else
		r = resolve_name(&found, hp.host, family, why);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < found.count; i++)
		addr_set_port(&found.at[i], hp.port);
	addr_interleave(&found);
	*l = found;
	return 0;
}

static void format6(const struct sockaddr_in6 *in6, char buf[ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN], name[IF_NAMESIZE] = "";
	uint32_t scope = in6->sin6_scope_id;

	inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
	/* an interface that is gone is known by its number */
	if (scope != 0 && !if_indextoname(scope, name))
		snprintf(name, sizeof(name), "%u", scope);
	snprintf(buf, ADDR_TEXT_MAX, "[%s%s%s]:%u", ip, scope ? "%" : "", name,
		 ntohs(in6->sin6_port));
}

/* What is 0 in an abstract name is shown as '@', as /proc/net/unix does. */
static void format_unix(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	const struct sockaddr_un *un = (const void *)&a->ss;
	const size_t len = a->len > UNIX_AT ? a->len - UNIX_AT : 0;
	size_t n = sizeof(unix_scheme) - 1;

	memcpy(buf, unix_scheme, n);
	for (size_t i = 0; i < len && i < UNIX_MAX && (un->sun_path[i] || !un->sun_path[0]); i++)
		buf[n++] = un->sun_path[i] ? un->sun_path[i] : '@';
	buf[n] = 0;
}

char *addr_format(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	const struct sockaddr_in *in = (const void *)&a->ss;
	char ip[INET_ADDRSTRLEN];

	if (a->ss.ss_family == AF_INET6) {
		format6((const void *)&a->ss, buf);
	} else if (a->ss.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(buf, ADDR_TEXT_MAX, "%s:%u", ip, ntohs(in->sin_port));
	} else if (addr_is_unix(a)) {
		format_unix(a, buf);
	} else {
		snprintf(buf, ADDR_TEXT_MAX, "?");
	}
	return buf;
}

unsigned addr_port(const struct addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a->ss)->sin_port);
	if (a->ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a->ss)->sin6_port);
	return 0;
}

void addr_set_port(struct addr *a, unsigned port)
{
	assert(port <= PORT_MAX);
	assert(a->ss.ss_family == AF_INET || a->ss.ss_family == AF_INET6);
	if (a->ss.ss_family == AF_INET)
		((struct sockaddr_in *)&a->ss)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)&a->ss)->sin6_port = htons((uint16_t)port);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->ss, *b4 = (const void *)&b->ss;
	const struct sockaddr_in6 *a6 = (const void *)&a->ss, *b6 = (const void *)&b->ss;

	if (a->ss.ss_family != b->ss.ss_family || addr_port(a) != addr_port(b))
		return false;
	if (a->ss.ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (a->ss.ss_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr) &&
		       a6->sin6_scope_id == b6->sin6_scope_id;
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

static bool is_any(const struct addr *a)
{
	const struct sockaddr_in *in = (const void *)&a->ss;
	const struct sockaddr_in6 *in6 = (const void *)&a->ss;

	if (a->ss.ss_family == AF_INET)
		return in->sin_addr.s_addr == htonl(INADDR_ANY);
	return a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

bool addr_overlaps(const struct addr *a, const struct addr *b)
{
	if (a->ss.ss_family != b->ss.ss_family || addr_port(a) != addr_port(b))
		return false;
	return is_any(a) || is_any(b) || addr_equal(a, b);
}

/* The address that connect(2) takes for @a: unspecified ones stand for this host. */
static struct addr reached(const struct addr *a)
{
	struct addr to = *a;
	struct sockaddr_in *in = (void *)&to.ss;
	struct sockaddr_in6 *in6 = (void *)&to.ss;

	if (a->ss.ss_family == AF_INET && in->sin_addr.s_addr == htonl(INADDR_ANY))
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
		in6->sin6_addr = in6addr_loopback;
	return to;
}

bool addr_dialed_itself(int fd, const struct addr *to)
{
	struct addr own = { .len = sizeof(own.ss) }, there = reached(to);

	return getsockname(fd, (struct sockaddr *)&own.ss, &own.len) == 0 &&
	       addr_equal(&own, &there);
}
