/* SPDX-License-Identifier: MIT
 * watch: says what the limits did: a line for each, at most one in ten seconds, however many
 * connections it was.
 */
#ifndef ECHOD_WATCH_H
#define ECHOD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct echod_config;
struct worker_group;

enum { WATCHED = 7 };

struct watch {
	struct worker_group *group;
	bool warned;      /* of what is open to the world */
	int64_t check_ns; /* the next check; 0: when a worker tells that there is something */
	int64_t checked_ns;
	struct watched {
		uint64_t told;
		int64_t told_ns;
	} of[WATCHED];
};

/* Says at once what is open to the world without a limit. */
void watch_begin(struct watch *w, const struct echod_config *c, struct worker_group *group);

/* After a reload: what is open that was not. */
void watch_change(struct watch *w, const struct echod_config *c);

/* If it is time. */
void watch_check(struct watch *w);

/* What was not told yet: the end. */
void watch_end(struct watch *w);

/* Milliseconds until the next check, if that is sooner than @ms (-1: never). */
int watch_wait_ms(const struct watch *w, int ms);

#endif
