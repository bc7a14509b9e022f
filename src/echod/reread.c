/* SPDX-License-Identifier: MIT
 * reread: reads a configuration for another process, and opens what it names.
 */
#include "reread.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "echo/net/sock.h"

static void reread_fail(struct helper_work *w, int err, const char *what, const char *reason)
{
	snprintf(w->why, sizeof(w->why), "%.300s: %.200s", what, reason);
	w->result = err;
}

/* A pipe, as of <(...), has been read, and whoever opened one again might wait for ever. */
static bool reread_can(const char *file)
{
	struct stat st;

	/* what is wrong with it, reading it says */
	return file[0] && (stat(file, &st) < 0 || S_ISREG(st.st_mode));
}

static void reread_pack(struct reread_packet *p, const struct opt_set *s,
			const struct echod_config *c, const struct backend_choice *b)
{
	*p = (struct reread_packet){ .config = *c };
	for (unsigned i = 0; i < s->count; i++)
		memcpy(p->origin[i], s->sections[i].origin, sizeof(p->origin[i]));
	for (unsigned i = 0; i < BACKENDS_MAX; i++) {
		if (!b->configs[i])
			continue;
		assert(backends[i]->config_size <= REREAD_BACKEND_MAX);
		memcpy(p->backends[i], b->configs[i], backends[i]->config_size);
	}
}

void reread_load(struct reread *r, const struct backend_ops *running, const char *file, char **argv,
		 struct helper_work *w)
{
	struct opt_set opts = { .count = 0 };
	struct backend_choice backend = { .ops = NULL };
	struct echod_config config = { .check = false };
	int argc = 0, e;

	if (!reread_can(file)) {
		reread_fail(w, -EINVAL, file[0] ? file : "no configuration file (-f)",
			    "cannot be read again");
		return;
	}
	while (argv[argc])
		argc++;
	e = echod_load(&opts, &config, &backend, argc, argv);
	if (e >= 0) /* is it one that an echod can start with? */
		e = echod_check(&opts, &config, config.backend ? config.backend : running);
	if (e < 0) {
		snprintf(w->why, sizeof(w->why), "%s", opts.error);
		w->result = e;
	} else {
		r->config = config;
		reread_pack(&r->packet, &opts, &config, &backend);
		w->data = &r->packet;
		w->data_len = sizeof(r->packet);
	}
	backend_choice_free(&backend);
}

/* What no reload changes stays. */
static struct sock_options reread_options(const struct reread *r, const struct sock_options *now)
{
	struct sock_options o = r->config.sock;

	memcpy(o.system_congestion, now->system_congestion, sizeof(o.system_congestion));
	o.unix_mode = now->unix_mode;
	o.unix_owner = now->unix_owner;
	return o;
}

static int reread_listen_tcp(struct reread *r, const struct sock_options *o, struct helper_work *w)
{
	if (w->nth == 0)
		r->bound = r->config.listen.at[w->index];
	if (!w->joins && w->nth == 0)
		return sock_listen(&r->bound, o, &w->fd, 1);
	w->fd = sock_join(&r->bound, o);
	return w->fd < 0 ? w->fd : 0;
}

static int reread_listen_unix(const struct addr *at, const struct sock_options *o,
			      struct helper_work *w)
{
	int e = sock_listen_unix(at, o, &w->fd, 1, w->why);

	if (e == 0 && addr_path(at))
		w->id = path_identify(addr_path(at));
	return e;
}

void reread_listen(struct reread *r, const struct sock_options *now, struct helper_work *w)
{
	const struct sock_options o = reread_options(r, now);
	const struct addr *at;

	w->result = -EINVAL;
	if (w->index < r->config.listen.count) {
		at = &r->config.listen.at[w->index];
		w->result = addr_is_unix(at) ? reread_listen_unix(at, &o, w)
					     : reread_listen_tcp(r, &o, w);
	}
	if (w->result < 0) {
		w->fd = -1;
		if (!w->why[0])
			snprintf(w->why, sizeof(w->why), "%s", strerrordesc_np(-w->result));
	}
}

int reread_unpack(const struct reread_packet *p, const char *file, struct opt_set *s,
		  struct echod_config *c, struct backend_choice *b)
{
	int r = echod_options(s, c, b);

	if (r < 0)
		return r;
	*c = p->config;
	for (unsigned i = 0; i < s->count; i++)
		memcpy(s->sections[i].origin, p->origin[i], sizeof(p->origin[i]));
	for (unsigned i = 0; i < BACKENDS_MAX; i++) {
		if (b->configs[i])
			memcpy(b->configs[i], p->backends[i], backends[i]->config_size);
	}
	s->file = file;
	return 0;
}
