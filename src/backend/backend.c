/* SPDX-License-Identifier: MIT
 * backend: the list of them. A new backend is a file of its own and a line here.
 */
#include "echo/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/opt.h"

const struct backend_ops *const backends[] = {
	&backend_epoll,
	&backend_fork,
	NULL,
};

const struct backend_ops *backend_find(const char *name)
{
	for (size_t i = 0; backends[i]; i++) {
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	}
	return NULL;
}

const struct backend_ops *backend_auto(unsigned caps, const char **why)
{
	const char *lacks = "";

	for (size_t i = 0; backends[i]; i++) {
		const struct backend_ops *b = backends[i];

		if ((b->caps & caps) != caps)
			continue;
		if (b->probe(&lacks) == 0) {
			*why = lacks;
			return b;
		}
	}
	*why = lacks;
	return &backend_epoll;
}

static int opt_backend_parse(const struct opt *o, const char *text, void *field,
			     char why[OPT_ERROR_MAX])
{
	const struct backend_ops *b = backend_find(text);
	size_t n;

	(void)o;
	if (!b && strcmp(text, "auto") != 0) {
		n = (size_t)snprintf(why, OPT_ERROR_MAX, "must be auto");
		for (size_t i = 0; backends[i]; i++)
			n += (size_t)snprintf(why + n, OPT_ERROR_MAX - n, "%s %s",
					      backends[i + 1] ? "," : " or", backends[i]->name);
		return -EINVAL;
	}
	memcpy(field, &b, sizeof(b));
	return 0;
}

static bool opt_backend_print(const struct opt *o, const void *field, unsigned nth,
			      char text[OPT_TEXT_MAX])
{
	const struct backend_ops *b;

	(void)o;
	memcpy(&b, field, sizeof(b));
	snprintf(text, OPT_TEXT_MAX, "%s", b ? b->name : "auto");
	return nth == 0;
}

const struct opt_type opt_backend = { "BACKEND", opt_backend_parse, opt_backend_print };
