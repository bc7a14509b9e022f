/* SPDX-License-Identifier: MIT
 * name: the name lies where a unix socket has its path.
 */
#include "name.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char scheme[] = "fd:";

bool name_is_said(const char *text)
{
	return strncmp(text, scheme, sizeof(scheme) - 1) == 0;
}

bool name_is(const struct addr *a)
{
	return a->ss.ss_family == AF_UNSPEC && a->len > 0;
}

int name_parse(struct addr *a, const char *text)
{
	struct sockaddr_un un = { .sun_family = AF_UNSPEC };
	const char *name = text + sizeof(scheme) - 1;
	size_t len = 0;

	if (!name_is_said(text))
		return -EINVAL;
	while ((unsigned char)name[len] > ' ' && name[len] != 0x7f && name[len] != ':')
		len++;
	if (len == 0 || name[len] || len >= sizeof(un.sun_path))
		return -EINVAL;
	memcpy(un.sun_path, name, len);
	*a = (struct addr){ .len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len) };
	memcpy(&a->ss, &un, sizeof(un));
	return 0;
}

char *name_format(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	const struct sockaddr_un *un = (const void *)&a->ss;

	if (!name_is(a))
		return addr_format(a, buf);
	snprintf(buf, ADDR_TEXT_MAX, "%s%s", scheme, un->sun_path);
	return buf;
}
