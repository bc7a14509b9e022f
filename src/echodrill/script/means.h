/* SPDX-License-Identifier: MIT
 * means: what a client can do to notice a failure. A drill with a section [means] is run once with
 * each that it names, and says when the client must know:
 *
 *     none = never
 *     user = 1.4s..2s timeout_tcp
 */
#ifndef ECHODRILL_MEANS_H
#define ECHODRILL_MEANS_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/base/opt.h"

enum means { MEANS_NONE, MEANS_LIMIT, MEANS_USER, MEANS_KEEPALIVE, MEANS_ICMP, MEANS_COUNT };

struct means_kind {
	const char *name;
	const char *options; /* words for the client's command line */
};

extern const struct means_kind means_kinds[MEANS_COUNT];

/* When the client must know, as `knew` counts it (judge.h). */
struct means_cell {
	bool set, never;
	int64_t low, high;
	char cause[32];
	char text[64];
};

extern const struct opt_type means_type;

#endif
