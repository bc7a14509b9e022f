/* SPDX-License-Identifier: MIT
 * reread: the part of a reload that needs files, names and new sockets, which an echod in its
 * sandbox cannot have: the helper does it (sandbox/helper.h), or echod itself where there is none.
 * The helper is a copy of the process that it works for, so a configuration goes from one to the
 * other as it lies in memory: pointers in it are to constants.
 */
#ifndef ECHOD_REREAD_H
#define ECHOD_REREAD_H

#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "opts.h"
#include "sandbox/helper.h"

enum { REREAD_BACKEND_MAX = 128 }; /* bytes of the options of a backend */

struct reread_packet {
	struct echod_config config;
	struct opt_origin origin[OPT_SECTIONS_MAX][OPT_ROWS_MAX];
	char backends[BACKENDS_MAX][REREAD_BACKEND_MAX];
};

struct reread {
	struct echod_config config; /* as it was read last */
	struct addr bound;          /* the address that a listener was opened on last */
	struct reread_packet packet;
};

/* ---- in the helper ---- */

/* The configuration is read anew, as at the start, and checked whole: with @running where it
 * leaves the backend open. Its text goes to r->packet. */
void reread_load(struct reread *r, const struct backend_ops *running, const char *file, char **argv,
		 struct helper_work *w);

/* A listener for address number w->index of what was read last: the first on it, or, of TCP, if
 * w->joins or w->nth > 0, one that shares it with others of ours. @now: the options in force, of
 * which some take a restart. */
void reread_listen(struct reread *r, const struct sock_options *now, struct helper_work *w);

/* ---- in echod ---- */

/* What reread_load has read, of which @file is the name: as echod_load. @s, @c and @b are zeroed.
 * Returns 0 or -errno, the reason in s->error. */
int reread_unpack(const struct reread_packet *p, const char *file, struct opt_set *s,
		  struct echod_config *c, struct backend_choice *b);

#endif
