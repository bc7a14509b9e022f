/* SPDX-License-Identifier: MIT
 * listeners: where the workers' listeners come from. Those that a supervisor has passed, and those
 * that are opened here; what another echod hands over comes first (takeover/take.h).
 */
#ifndef ECHOD_LISTENERS_H
#define ECHOD_LISTENERS_H

#include <stdbool.h>

#include "activation.h"
#include "echo/base/addr.h"
#include "echo/net/path.h"

struct helper;
struct sock_options;
struct worker_group;

struct listeners {
	struct worker_group *group;
	struct helper *helper; /* removes files where this process may not */
	const struct sock_options *sock;
	struct addr_list *bound; /* the addresses: as configured, then as they are served */
	struct addr_list asked;  /* as configured; fd:NAME of what a supervisor has passed */
	bool fallback;           /* nobody has configured any: what is passed takes their place */
	struct activation activation;
	struct path_id paths[ADDR_LIST_MAX]; /* of unix sockets that are ours to remove */
};

/* What the rest returns where it fails is -errno, and the reason has been logged. */

/* Takes what a supervisor has passed. Before anything is opened; the members up to fallback are
 * set. */
int listeners_begin(struct listeners *l);

/* Another process has, or had, a listener fd:NAME, bound so: what the next two functions know
 * beside what was passed to us. */
struct listeners_named {
	struct addr asked, bound;
};

/* Puts the addresses in the place of names: each name stands for all of its listeners. @named:
 * those of another process. */
int listeners_expand(struct listeners *l, const struct listeners_named *named, unsigned count);

/* Opens the listeners of address @i for all workers, or gives them those that were passed. */
int listeners_open(struct listeners *l, unsigned i);

/* All addresses have their listeners, here or from another process: what was passed and is none of
 * them must not be kept in silence. */
int listeners_complete(struct listeners *l);

/* From now on these are the addresses, each with its listeners already: a reload. @made: the files
 * of those that are new. Files of those that are not among them any more are removed. */
void listeners_change(struct listeners *l, const struct addr_list *asked,
		      const struct addr_list *bound, const struct path_id *made);

/* The file of address @i is ours to remove, unless a supervisor keeps it; zeroes: it has none, or
 * it is another's. */
void listeners_own_path(struct listeners *l, unsigned i, struct path_id id);

/* Nobody shall find us any more: removes the files. May be called again. */
void listeners_retire(struct listeners *l);

#endif
