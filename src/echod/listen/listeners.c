/* SPDX-License-Identifier: MIT
 * listeners: names become addresses, addresses become listeners of the workers.
 */
#include "listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/net/sock.h"
#include "echo/net/worker_group.h"
#include "echod/sandbox/helper.h"
#include "name.h"

int listeners_begin(struct listeners *l)
{
	char why[ACTIVATION_WHY_MAX];
	int r = activation_take(&l->activation, why);

	l->asked = *l->bound;
	if (r < 0)
		log_error("what the supervisor passes is of no use: %s", why);
	return r;
}

/* ---- names ---- */

/* What the names become. */
struct expansion {
	struct addr_list asked, bound;
};

static int expansion_add(struct expansion *e, const struct addr *asked, const struct addr *bound)
{
	for (unsigned i = 0; i < e->bound.count; i++) {
		if (name_is(asked) && addr_equal(&e->bound.at[i], bound))
			return 0; /* one of several on the same address */
	}
	if (e->bound.count == ADDR_LIST_MAX) {
		log_error("more than %d addresses, with those that were passed", ADDR_LIST_MAX);
		return -ERANGE;
	}
	e->asked.at[e->asked.count++] = *asked;
	e->bound.at[e->bound.count++] = *bound;
	return 0;
}

/* Adds all that have this name; NULL: any. Returns 0 or -errno. */
static int listeners_add_named(const struct listeners *l, const struct listeners_named *named,
			       unsigned count, const struct addr *name, struct expansion *e)
{
	int r = 0;

	for (unsigned i = 0; i < count && r == 0; i++) {
		if (!name || addr_equal(&named[i].asked, name))
			r = expansion_add(e, &named[i].asked, &named[i].bound);
	}
	for (unsigned i = 0; i < l->activation.count && r == 0; i++) {
		const struct activation_listener *it = &l->activation.at[i];

		if (!name || addr_equal(&it->asked, name))
			r = expansion_add(e, &it->asked, &it->bound);
	}
	return r;
}

int listeners_expand(struct listeners *l, const struct listeners_named *named, unsigned count)
{
	struct expansion e = { 0 };
	char text[ADDR_TEXT_MAX];
	unsigned left = l->asked.count;
	int r = 0;

	if (l->fallback)
		r = listeners_add_named(l, named, count, NULL, &e);
	if (e.bound.count > 0)
		left = 0;
	for (unsigned i = 0; i < left && r == 0; i++) {
		const struct addr *a = &l->asked.at[i];
		const unsigned before = e.bound.count;

		if (name_is(a))
			r = listeners_add_named(l, named, count, a, &e);
		else
			r = expansion_add(&e, a, a);
		if (r == 0 && name_is(a) && e.bound.count == before) {
			log_error("listen: no supervisor has passed a listener %s (LISTEN_FDS, "
				  "LISTEN_FDNAMES)",
				  name_format(a, text));
			r = -ENOENT;
		}
	}
	if (r == 0) {
		l->asked = e.asked;
		*l->bound = e.bound;
	}
	return r;
}

/* ---- listeners ---- */

static int listeners_give(struct worker *w, int fd, enum listener_share share)
{
	int r = worker_give_listener(w, fd, share);

	if (r < 0)
		close(fd);
	return r;
}

/* Workers from number @having on accept from the listeners that the first ones have. */
static int listeners_share(struct listeners *l, const int first[], unsigned having,
			   enum listener_share share)
{
	int r = 0;

	for (unsigned k = having; k < l->group->count && r == 0; k++) {
		int fd = fcntl(first[k % having], F_DUPFD_CLOEXEC, 0);

		r = fd < 0 ? -errno : listeners_give(&l->group->workers[k], fd, share);
	}
	return r;
}

/* Those that were passed and serve address @i: one each for the workers as far as they go. Returns
 * how many there were. */
static int listeners_passed(struct listeners *l, unsigned i)
{
	int first[ACTIVATION_MAX], r = 0;
	unsigned n = 0;

	for (unsigned k = 0; k < l->activation.count && r == 0; k++) {
		struct activation_listener *it = &l->activation.at[k];

		if (it->fd < 0 || !addr_equal(&it->bound, &l->bound->at[i]))
			continue;
		r = sock_inherit(it->fd, l->sock);
		if (r < 0)
			break;
		l->asked.at[i] = it->asked;
		first[n] = it->fd;
		it->fd = -1;
		r = listeners_give(&l->group->workers[n % l->group->count], first[n],
				   LISTENER_KEPT);
		n++;
	}
	if (r == 0 && n > 0)
		r = listeners_share(l, first, n, LISTENER_KEPT);
	return r < 0 ? r : (int)n;
}

/* The others accept from the same queue: the name is taken once. */
static int listeners_open_unix(struct listeners *l, unsigned i, char why[SOCK_WHY_MAX])
{
	const enum listener_share share = l->group->count > 1 ? LISTENER_SHARED : LISTENER_OWN;
	int fd, r = sock_listen_unix(&l->bound->at[i], l->sock, &fd, 1, why);

	if (r < 0)
		return r;
	if (addr_path(&l->bound->at[i]))
		listeners_own_path(l, i, path_identify(addr_path(&l->bound->at[i])));
	r = listeners_give(&l->group->workers[0], fd, share);
	return r < 0 ? r : listeners_share(l, &fd, 1, share);
}

static int listeners_open_tcp(struct listeners *l, unsigned i)
{
	struct addr *at = &l->bound->at[i];
	int r = 0;

	for (unsigned k = 0; k < l->group->count && r >= 0; k++) {
		int fd = -1;

		r = k == 0 ? sock_listen(at, l->sock, &fd, 1) : sock_join(at, l->sock);
		if (k > 0)
			fd = r;
		if (r >= 0)
			r = listeners_give(&l->group->workers[k], fd, LISTENER_OWN);
	}
	return r < 0 ? r : 0;
}

int listeners_open(struct listeners *l, unsigned i)
{
	const struct addr *at = &l->bound->at[i];
	char text[ADDR_TEXT_MAX], why[SOCK_WHY_MAX] = "";
	int r = listeners_passed(l, i);

	if (r == 0 && addr_is_unix(at))
		r = listeners_open_unix(l, i, why);
	else if (r == 0)
		r = listeners_open_tcp(l, i);
	if (r < 0)
		log_error("cannot listen on %s: %s", addr_format(at, text),
			  why[0] ? why : strerror(-r));
	return r < 0 ? r : 0;
}

int listeners_complete(struct listeners *l)
{
	char name[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];

	for (unsigned k = 0; k < l->activation.count; k++) {
		const struct activation_listener *it = &l->activation.at[k];
		unsigned i = 0;

		while (i < l->bound->count && !addr_equal(&l->bound->at[i], &it->bound))
			i++;
		if (it->fd < 0 || i < l->bound->count)
			continue; /* served, by another process's descriptor of the same socket */
		log_error("listen: the supervisor has passed %s on %s, which is not in it",
			  name_format(&it->asked, name), addr_format(&it->bound, text));
		return -EINVAL;
	}
	activation_end(&l->activation);
	return 0;
}

/* ---- files ---- */

void listeners_own_path(struct listeners *l, unsigned i, struct path_id id)
{
	if (name_is(&l->asked.at[i]))
		id.ino = 0;
	l->paths[i] = id;
}

static void listeners_remove(const struct listeners *l, const struct addr *at, struct path_id id)
{
	if (addr_path(at))
		helper_remove_path(l->helper, addr_path(at), id);
}

/* Where an address stands among others, or their number. */
static unsigned listeners_find(const struct addr_list *all, const struct addr *at)
{
	unsigned i = 0;

	while (i < all->count && !addr_equal(&all->at[i], at))
		i++;
	return i;
}

void listeners_change(struct listeners *l, const struct addr_list *asked,
		      const struct addr_list *bound, const struct path_id *made)
{
	const struct addr_list before = *l->bound;
	struct path_id paths[ADDR_LIST_MAX];

	memcpy(paths, l->paths, sizeof(paths));
	l->asked = *asked;
	*l->bound = *bound;
	for (unsigned i = 0; i < bound->count; i++) {
		const unsigned k = listeners_find(&before, &bound->at[i]);

		listeners_own_path(l, i, k < before.count ? paths[k] : made[i]);
	}
	for (unsigned k = 0; k < before.count; k++) {
		if (listeners_find(bound, &before.at[k]) == bound->count)
			listeners_remove(l, &before.at[k], paths[k]);
	}
}

void listeners_retire(struct listeners *l)
{
	for (unsigned i = 0; i < l->bound->count; i++) {
		listeners_remove(l, &l->bound->at[i], l->paths[i]);
		l->paths[i] = (struct path_id){ 0 };
	}
}
