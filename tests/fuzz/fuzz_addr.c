/* SPDX-License-Identifier: MIT
 * fuzz_addr: any text is refused, or is an address whose printed form is the same address. The
 * first line is the address, the second another one, and what follows is what the resolver says of
 * names.
 *
 * reads: src/base/addr.c
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "echo/base/addr.h"
#include "lib/fuzz.h"

enum { ANSWERS_MAX = 2 * ADDR_LIST_MAX };

static struct fuzz_input names; /* what the resolver will say */
static struct addrinfo answers[ANSWERS_MAX];
static struct sockaddr_in6 answered[ANSWERS_MAX];

/* In the place of libc's: two bytes are an address. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *want,
		struct addrinfo **all)
{
	unsigned n;

	(void)name;
	(void)service;
	(void)want;
	for (n = 0; n < ANSWERS_MAX && names.end - names.at >= 2; n++) {
		struct sockaddr_in *in = (void *)&answered[n];
		const bool six = fuzz_byte(&names) % 2;
		const uint8_t last = fuzz_byte(&names);

		answered[n] = (struct sockaddr_in6){ .sin6_family = six ? AF_INET6 : AF_INET };
		if (six)
			answered[n].sin6_addr.s6_addr[last % 16] = 0xfe;
		else
			in->sin_addr.s_addr = htonl(0x7f000000u + last);
		if (six && last % 16 == 0)
			answered[n].sin6_addr.s6_addr[1] = last; /* 0x80: link-local */
		answers[n] =
			(struct addrinfo){ .ai_family = six ? AF_INET6 : AF_INET,
					   .ai_addr = (struct sockaddr *)&answered[n],
					   .ai_addrlen = six ? sizeof(answered[n]) : sizeof(*in) };
		if (n > 0)
			answers[n - 1].ai_next = &answers[n];
	}
	*all = answers;
	errno = EIO;
	return n > 0 ? 0 : names.at < names.end ? EAI_SYSTEM : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *all)
{
	FUZZ_CHECK(all == answers);
}

static void check_one(const struct addr *a)
{
	char printed[ADDR_TEXT_MAX];
	struct addr again;

	addr_format(a, printed);
	FUZZ_CHECK(addr_parse(&again, printed) == 0 && addr_equal(a, &again));
	FUZZ_CHECK(addr_port(a) <= 65535 && strlen(printed) < ADDR_TEXT_MAX);
	FUZZ_CHECK(!addr_path(a) || addr_is_unix(a));
	FUZZ_CHECK(addr_overlaps(a, a) && addr_overlaps(&again, a));
	(void)addr_dialed_itself(-1, a);
}

static void resolve(const char *text, int family)
{
	const char *why = NULL;
	struct addr_list l;

	if (addr_resolve(&l, text, family, &why) < 0) {
		FUZZ_CHECK(why && *why);
		return;
	}
	FUZZ_CHECK(l.count > 0 && l.count <= ADDR_LIST_MAX);
	for (unsigned i = 0; i < l.count; i++) {
		check_one(&l.at[i]);
		FUZZ_CHECK(!addr_needs_interface(&l.at[i]));
		for (unsigned k = 0; k < i; k++)
			FUZZ_CHECK(!addr_equal(&l.at[i], &l.at[k]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct fuzz_input in = { data, data + len };
	char *text = fuzz_part(&in, NULL), *other = fuzz_part(&in, NULL);
	struct addr a, b;

	text[strcspn(text, "\n")] = '\0';
	other[strcspn(other, "\n")] = '\0';
	if (addr_parse(&a, text) == 0) {
		check_one(&a);
		if (addr_parse(&b, other) == 0)
			FUZZ_CHECK(addr_overlaps(&a, &b) == addr_overlaps(&b, &a) &&
				   addr_equal(&a, &b) == addr_equal(&b, &a));
	}
	for (size_t i = 0; i < 3; i++) {
		names = in;
		resolve(text, families[i]);
	}
	free(text);
	free(other);
	return 0;
}
