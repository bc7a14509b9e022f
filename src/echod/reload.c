/* SPDX-License-Identifier: MIT
 * reload: in three steps. Read: from the file to a configuration that this process can run with, in
 * which what takes a restart is as it was. Open: everything that can fail, beside what is in force.
 * Change: what cannot fail any more. Whether a key can be changed says its row (opt.h: live).
 */
#include "reload.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/log.h"
#include "echo/net/worker_change.h"
#include "listen/name.h"
#include "server.h"

enum { SAID_MAX = 1024 };

struct reload {
	struct server *s;
	/* as it was read, but for what takes a restart */
	struct opt_set opts;
	struct echod_config config;
	struct backend_choice backend;
	unsigned changed, staying; /* keys that change, and that would take a restart */
	char said[SAID_MAX];       /* "max_conns = 20, idle_timeout = 5s" */
	size_t said_len;
	/* what it comes to */
	struct settings *next;
	struct takeover_next takeover;
	struct addr_list asked, bound; /* that are served then, as configured and as they are */
	struct addr_list gone;         /* that are no more */
	struct path_id made[ADDR_LIST_MAX]; /* of bound: files of unix sockets that are new */
	uint64_t nofile;                    /* the limit of descriptors */
	bool kept[ADDR_LIST_MAX];           /* of bound: they are served already */
	unsigned wanted[ADDR_LIST_MAX];     /* of the others: which of config.listen they are */
	int *fds;                           /* listeners of the others, as worker_change has them */
	unsigned each;                      /* addresses that they are for */
	char why[OPT_ERROR_MAX];            /* nothing has changed */
};

static int reload_fail(struct reload *r, int err, const char *what, const char *reason)
{
	snprintf(r->why, sizeof(r->why), "%.300s: %.200s", what, reason);
	return err;
}

/* ---- read ---- */

static void reload_note(void *arg, const struct opt_change *c)
{
	struct reload *r = arg;

	if (!c->live) {
		log_warn("SIGHUP: %s%s takes a restart, until then %s stays in force%s", c->place,
			 c->after, c->before,
			 r->s->takeover.path_fd >= 0 ? "; SIGUSR2 makes one that no client sees"
						     : "");
		r->staying++;
		return;
	}
	r->changed++;
	if (r->said_len < sizeof(r->said))
		r->said_len +=
			(size_t)snprintf(r->said + r->said_len, sizeof(r->said) - r->said_len,
					 "%s%s = %s", r->said_len ? ", " : "", c->name, c->after);
}

static int reload_read(struct reload *r)
{
	struct server *s = r->s;
	struct helper_work w = { .task = HELPER_READ,
				 .data = &s->reread.packet,
				 .data_len = sizeof(s->reread.packet) };
	int e = helper_ask(&s->sandbox.helper, &w);

	if (e < 0) {
		snprintf(r->why, sizeof(r->why), "%s", w.why);
		return e;
	}
	e = reread_unpack(&s->reread.packet, s->opts.file, &r->opts, &r->config, &r->backend);
	if (e >= 0) {
		opt_merge(&r->opts, &s->opts, reload_note, r);
		e = echod_check(&r->opts, &r->config, s->backend.ops);
	}
	if (e < 0)
		snprintf(r->why, sizeof(r->why), "%s", r->opts.error);
	return e < 0 ? e : 0;
}

/* ---- open ---- */

/* One more address, which has listeners if it is @kept. */
static int reload_add(struct reload *r, const struct addr *asked, const struct addr *bound,
		      bool kept)
{
	const unsigned i = r->bound.count;

	if (i == ADDR_LIST_MAX)
		return reload_fail(r, -ERANGE, "listen", "too many addresses");
	r->asked.at[r->asked.count++] = *asked;
	r->bound.at[r->bound.count++] = *bound;
	r->kept[i] = kept;
	return 0;
}

/* All that a supervisor has passed by this name, NULL: by any. Returns how many those are, or
 * -errno. */
static int reload_match_name(struct reload *r, const struct addr *name, bool used[ADDR_LIST_MAX])
{
	const struct listeners *l = &r->s->listeners;
	int n = 0, e = 0;

	for (unsigned k = 0; k < l->bound->count && e == 0; k++) {
		if (used[k] || !name_is(&l->asked.at[k]) ||
		    (name && !addr_equal(&l->asked.at[k], name)))
			continue;
		used[k] = true;
		n++;
		e = reload_add(r, &l->asked.at[k], &l->bound->at[k], true);
	}
	return e < 0 ? e : n;
}

/* Number @i of the configuration. */
static int reload_match_one(struct reload *r, unsigned i, bool used[ADDR_LIST_MAX])
{
	const struct listeners *l = &r->s->listeners;
	const struct addr *wanted = &r->config.listen.at[i];
	char text[ADDR_TEXT_MAX];
	int n;

	if (name_is(wanted)) {
		n = reload_match_name(r, wanted, used);
		return n != 0 ? n
			      : reload_fail(r, -ENOENT, name_format(wanted, text),
					    "a supervisor passes listeners at the start only");
	}
	for (unsigned k = 0; k < l->bound->count; k++) {
		if (used[k] ||
		    (!addr_equal(&l->asked.at[k], wanted) && !addr_equal(&l->bound->at[k], wanted)))
			continue;
		used[k] = true;
		return reload_add(r, name_is(&l->asked.at[k]) ? &l->asked.at[k] : wanted,
				  &l->bound->at[k], true);
	}
	r->wanted[r->bound.count % ADDR_LIST_MAX] = i;
	return reload_add(r, wanted, wanted, false);
}

/* Addresses are matched as configured, or as they are served, each once. */
static int reload_match(struct reload *r)
{
	const struct addr_list *bound = &r->s->bound, *wanted = &r->config.listen;
	bool used[ADDR_LIST_MAX] = { false };
	int e = 0;

	assert(r->s->listeners.asked.count == bound->count);
	if (opt_origin_of(&r->opts, "listen")->level == OPT_DEFAULT)
		e = reload_match_name(r, NULL, used); /* in the place of the default */
	for (unsigned i = 0; e >= 0 && i < wanted->count && !(i == 0 && e > 0); i++)
		e = reload_match_one(r, i, used);
	for (unsigned k = 0; e >= 0 && k < bound->count; k++) {
		if (!used[k])
			r->gone.at[r->gone.count++] = bound->at[k];
	}
	return e < 0 ? e : 0;
}

/* Who listens there is us, on an address that is given up. */
static bool reload_is_ours(const struct reload *r, const struct addr *at)
{
	for (unsigned k = 0; k < r->gone.count; k++) {
		if (addr_overlaps(&r->gone.at[k], at))
			return true;
	}
	return false;
}

/* The next listener of the address that @w says, or another descriptor of its unix socket, which
 * there can be only once. */
static int reload_open_one(struct reload *r, unsigned i, int first, struct helper_work *w)
{
	int e;

	if (w->nth > 0 && addr_is_unix(&r->bound.at[i])) {
		w->fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
		if (w->fd < 0)
			snprintf(w->why, sizeof(w->why), "%s", strerror(errno));
		return w->fd < 0 ? -EMFILE : 0;
	}
	e = helper_ask(&r->s->sandbox.helper, w);
	if (e < 0 || w->nth > 0)
		return e;
	r->made[i] = w->id;
	return addr_is_unix(&r->bound.at[i]) ? 0 : sock_listens(w->fd, &r->bound.at[i]);
}

/* One for each worker. */
static int reload_listen(struct reload *r, unsigned i)
{
	const unsigned workers = r->s->group.count;
	const struct addr asked = r->bound.at[i]; /* port 0 becomes another */
	struct helper_work w = { .task = HELPER_LISTEN,
				 .index = r->wanted[i],
				 .joins = reload_is_ours(r, &asked) };
	int *fds = &r->fds[r->each * workers], e = 0;
	char text[ADDR_TEXT_MAX];

	for (; w.nth < workers && e == 0; w.nth++) {
		fds[w.nth] = -1;
		e = reload_open_one(r, i, fds[0], &w);
		fds[w.nth] = w.fd;
	}
	r->each += e == 0;
	for (unsigned n = 0; e < 0 && n < w.nth; n++) {
		if (fds[n] >= 0)
			close(fds[n]);
	}
	return e < 0 ? reload_fail(r, e, addr_format(&asked, text), w.why) : 0;
}

static int reload_listen_all(struct reload *r)
{
	const size_t most = (size_t)r->bound.count * r->s->group.count;
	int e = 0;

	r->fds = calloc(most + 1, sizeof(*r->fds));
	if (!r->fds)
		return reload_fail(r, -ENOMEM, "listen", strerror(ENOMEM));
	for (unsigned i = 0; i < r->bound.count && e == 0; i++) {
		if (!r->kept[i])
			e = reload_listen(r, i);
	}
	return e;
}

static int reload_takeover(struct reload *r)
{
	struct takeover_next *n = &r->takeover;
	char why[PATH_WHY_MAX] = "";
	int e;

	n->config = server_takeover_config(&r->config);
	n->sock = &r->next->net.sock;
	e = takeover_prepare(&r->s->takeover, n, why);
	return e < 0 ? reload_fail(r, e, n->config.path, why) : 0;
}

static int reload_open(struct reload *r)
{
	struct server *s = r->s;
	int e;

	r->nofile = server_raise_nofile(r->config.max_conns);
	r->next = s->now == &s->settings[0] ? &s->settings[1] : &s->settings[0];
	*r->next = *s->now;
	server_configure(s, &r->config, r->next);
	e = reload_match(r);
	if (e == 0)
		e = reload_listen_all(r);
	return e < 0 ? e : reload_takeover(r);
}

/* What is still ours of what was opened. */
static void reload_close(struct reload *r)
{
	for (unsigned i = 0; r->fds && i < r->each * r->s->group.count; i++) {
		if (r->fds[i] >= 0)
			close(r->fds[i]);
	}
	free(r->fds);
}

/* ---- change ---- */

static int reload_workers(struct reload *r)
{
	const struct worker_change c = { .config = &r->next->net,
					 .role_state = &r->next->echo,
					 .fds = r->fds,
					 .each = r->each,
					 .gone = &r->gone };
	int kept = 0, e = worker_group_change(&r->s->group, &c, &kept);

	if (e < 0)
		return reload_fail(r, e, "the workers cannot change", strerror(-e));
	if (kept < 0)
		log_warn("SIGHUP: a listener keeps the options that it had: %s", strerror(-kept));
	return 0;
}

static void reload_commit(struct reload *r)
{
	struct server *s = r->s;
	const unsigned level = s->config.log.level;
	struct helper_work w = { .task = HELPER_CHANGED };
	int e;

	takeover_change(&s->takeover, &r->takeover);
	listeners_change(&s->listeners, &r->asked, &r->bound, r->made);
	(void)helper_ask(&s->sandbox.helper, &w); /* without it nothing is read any more */
	opt_take(&s->opts, &r->opts);
	s->now = r->next;
	s->listeners.sock = &s->now->net.sock;
	metrics_limit(&s->metrics, s->config.max_conns);
	watch_change(&s->watch, &s->config);
	if (s->config.log.level > level)
		log_configure(&s->config.log); /* what has changed is said under either level */
	e = server_signals(s, &s->config.shutdown);
	if (e < 0)
		log_error("SIGHUP: signals are taken as before: %s", strerror(-e));
}

/* The files of what was opened in vain. */
static void reload_discard(struct reload *r)
{
	for (unsigned i = 0; i < r->bound.count; i++) {
		if (addr_path(&r->bound.at[i]))
			helper_remove_path(&r->s->sandbox.helper, addr_path(&r->bound.at[i]),
					   r->made[i]);
	}
	takeover_discard(&r->s->takeover, &r->takeover);
}

static int reload_change(struct reload *r)
{
	int e = reload_open(r);

	if (e == 0)
		e = reload_workers(r);
	if (e == 0)
		reload_commit(r);
	else
		reload_discard(r);
	reload_close(r);
	return e;
}

static void reload_tell(const struct reload *r)
{
	char all[SERVER_ADDRESSES_MAX];
	const bool moved = r->each > 0 || r->gone.count > 0;

	if (r->changed > 0)
		server_warn_nofile(r->nofile, r->config.max_conns);
	if (r->changed > 0)
		log_info("SIGHUP: now %s%s%s", r->said, moved ? "; listening on " : "",
			 moved ? server_addresses(r->s, all) : "");
	else
		log_info("SIGHUP: nothing has changed%s",
			 r->staying > 0 ? " but what takes a restart" : "");
}

void reload_run(struct server *s)
{
	struct reload r = { .s = s, .takeover.path_fd = -1 };
	int e = reload_read(&r);

	if (e == 0 && r.changed > 0)
		e = reload_change(&r);
	if (e == 0)
		reload_tell(&r);
	else
		log_error("SIGHUP: %s; nothing has changed", r.why);
	log_configure(&s->config.log);
	backend_choice_free(&r.backend);
}
