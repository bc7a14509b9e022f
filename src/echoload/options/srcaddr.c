/* SPDX-License-Identifier: MIT
 * srcaddr: ranges of addresses, as networks are written. Only the last 32 bits are counted in,
 * which is more addresses than a host has.
 */
#include "srcaddr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"

enum { FREE_BITS_MAX = 24 };

/* The last 32 bits of an address. */
static void *srcaddr_tail(struct addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return &((struct sockaddr_in *)(void *)&a->ss)->sin_addr;
	return ((struct sockaddr_in6 *)(void *)&a->ss)->sin6_addr.s6_addr + 12;
}

static uint32_t srcaddr_get(struct addr *a)
{
	uint32_t n;

	memcpy(&n, srcaddr_tail(a), sizeof(n));
	return ntohl(n);
}

static void srcaddr_set(struct addr *a, uint32_t n)
{
	n = htonl(n);
	memcpy(srcaddr_tail(a), &n, sizeof(n));
}

struct addr srcaddr_nth(const struct srcaddr_range *s, uint64_t number)
{
	struct addr a = s->first;

	assert(s->count > 0);
	srcaddr_set(&a, srcaddr_get(&a) + (uint32_t)(number % s->count));
	return a;
}

/* The bits that the prefix of @slash ("/28", NULL for none) leaves free, or -1. */
static int srcaddr_free_bits(const char *slash, int width)
{
	char *end;
	long prefix;

	if (!slash)
		return 0;
	prefix = strtol(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || prefix > width ||
	    width - prefix > FREE_BITS_MAX)
		return -1;
	return width - (int)prefix;
}

/* Reads the address before the prefix. */
static int srcaddr_address(const char *text, size_t len, struct addr *a)
{
	char with_port[SRCADDR_TEXT_MAX + 8];
	bool v6 = memchr(text, ':', len) != NULL;

	snprintf(with_port, sizeof(with_port), v6 ? "[%.*s]:0" : "%.*s:0", (int)len, text);
	return addr_parse(a, with_port);
}

static int srcaddr_read(const char *text, struct srcaddr_range *s)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	int bits;

	if (strlen(text) >= sizeof(s->text) || srcaddr_address(text, len, &s->first) < 0)
		return -EINVAL;
	if (addr_needs_interface(&s->first))
		return -ENODEV;
	bits = srcaddr_free_bits(slash, s->first.ss.ss_family == AF_INET ? 32 : 128);
	if (bits < 0)
		return -EINVAL;
	s->count = 1u << bits;
	srcaddr_set(&s->first, srcaddr_get(&s->first) & ~(s->count - 1));
	if (bits >= 2) { /* the network itself and its broadcast address are no host's */
		srcaddr_set(&s->first, srcaddr_get(&s->first) + 1);
		s->count -= 2;
	}
	return 0;
}

static int srcaddr_parse(const struct opt *o, const char *text, void *field,
			 char why[OPT_ERROR_MAX])
{
	struct srcaddr_range s = { .count = 0 };
	int r = 0;

	(void)o;
	if (strcmp(text, "any") != 0)
		r = srcaddr_read(text, &s);
	if (r == -ENODEV)
		snprintf(why, OPT_ERROR_MAX,
			 "a link-local address needs its interface, such as fe80::1%%eth0");
	else if (r < 0)
		snprintf(why, OPT_ERROR_MAX,
			 "must be any, an address, or a network of at most %d free bits, such as "
			 "127.0.0.0/28",
			 FREE_BITS_MAX);
	if (r < 0)
		return -EINVAL;
	snprintf(s.text, sizeof(s.text), "%s", text);
	memcpy(field, &s, sizeof(s));
	return 0;
}

static bool srcaddr_print(const struct opt *o, const void *field, unsigned nth,
			  char text[OPT_TEXT_MAX])
{
	const struct srcaddr_range *s = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", s->text);
	return nth == 0;
}

const struct opt_type opt_srcaddr_range = { "ADDR[/PREFIX]", srcaddr_parse, srcaddr_print };
