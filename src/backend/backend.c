/* SPDX-License-Identifier: MIT
 * backend: what is asked of the list of them.
 */
#include "echo/net/backend.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/opt.h"
#include "echo/net/worker.h"

const struct backend_ops *const backends[] = {
#define BACKEND_ENTRY(name_) &backend_##name_,
	BACKENDS(BACKEND_ENTRY) NULL
};

const char *const backend_names[] = { "auto", "io_uring", "epoll", "fork", NULL };
const char *const backend_dial_names[] = { "auto", "io_uring", "epoll", NULL };

const struct backend_ops *backend_find(const char *name)
{
	for (size_t i = 0; backends[i]; i++) {
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	}
	return NULL;
}

/* The best one that is behind @last in the list (NULL: of all) and can take the place of another,
 * which fork cannot: it has a single worker. *why is written as far as others lack something. */
static const struct backend_ops *backend_next(const struct backend_ops *last, unsigned caps,
					      const char **why)
{
	bool behind = !last;

	for (size_t i = 0; backends[i]; i++) {
		const struct backend_ops *b = backends[i];

		if (behind && (b->caps & caps) == caps && !(b->caps & BACKEND_SINGLE) &&
		    b->probe(why) == 0)
			return b;
		behind |= b == last;
	}
	return NULL;
}

const struct backend_ops *backend_auto(unsigned caps, const char **why)
{
	const struct backend_ops *b;

	*why = "";
	b = backend_next(NULL, caps, why);
	return b ? b : &backend_epoll;
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

int backend_options(struct backend_choice *b, unsigned caps, struct opt_set *s)
{
	const bool dials = !(caps & BACKEND_ACCEPT);
	size_t len = (size_t)snprintf(s->features, sizeof(s->features), "backends:");

	for (size_t i = 0; backends[i]; i++) {
		assert(i < BACKENDS_MAX);
		if ((backends[i]->caps & caps) != caps)
			continue;
		len += (size_t)snprintf(s->features + len, sizeof(s->features) - len, " %s",
					backends[i]->name);
		if (!backends[i]->opts)
			continue;
		b->configs[i] = calloc(1, backends[i]->config_size);
		if (!b->configs[i])
			return -ENOMEM;
		opt_add(s, backends[i]->name,
			dials && backends[i]->dial_opts ? backends[i]->dial_opts
							: backends[i]->opts,
			b->configs[i]);
	}
	return 0;
}

static void backend_configure(struct backend_choice *b)
{
	for (size_t i = 0; backends[i]; i++) {
		if (backends[i] == b->ops)
			b->config = b->configs[i];
	}
}

int backend_choose(struct backend_choice *b, unsigned caps, const struct backend_ops *wanted)
{
	int r;

	b->why = "";
	b->caps = caps;
	b->automatic = !wanted;
	b->ops = wanted ? wanted : backend_auto(caps, &b->why);
	if (wanted) {
		r = wanted->probe(&b->why);
		if (r < 0)
			return r;
	}
	backend_configure(b);
	return 0;
}

bool backend_instead(struct backend_choice *b, struct net_config *config, int err)
{
	const char *drop = "";
	const struct backend_ops *next = b->automatic ? backend_next(b->ops, b->caps, &drop) : NULL;

	if (b->ops->lacks)
		b->ops->lacks(config, err, b->lacks);
	else
		snprintf(b->lacks, sizeof(b->lacks), "%s", strerror(err));
	b->why = b->lacks;
	if (!next)
		return false;
	b->ops = next;
	backend_configure(b);
	config->backend = b->ops;
	config->backend_config = b->config;
	return true;
}

int backend_check(const struct backend_choice *b, struct opt_set *s)
{
	return b->ops->check ? b->ops->check(s, b->config) : 0;
}

void backend_choice_free(struct backend_choice *b)
{
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		free(b->configs[i]);
}
