/* SPDX-License-Identifier: MIT
 * timeline: what was done and what was seen, in order, with the time of each. Bounded: when it is
 * full, later events are counted and not kept, and the drill has no verdict.
 */
#ifndef ECHODRILL_TIMELINE_H
#define ECHODRILL_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

/* An echod that ends prints about 80 lines: as many as 150 restarts have room. */
enum { TIMELINE_MAX = 16384, EVENT_TEXT_MAX = 200 };

/* Who did or said it. The first three are programs. */
enum who { WHO_CLIENT, WHO_SERVER, WHO_SERVER2, WHO_DRILL, WHO_STATES, WHO_WIRE, WHO_COUNT };

struct event {
	int64_t t_ns; /* clock_now_ns */
	enum who who;
	char text[EVENT_TEXT_MAX];
};

struct timeline {
	unsigned count, lost;
	unsigned lost_frames; /* those of the wire among them, which only people read here */
	struct event at[TIMELINE_MAX];
};

/* "client", "server", "server2", "drill", "states", "wire" */
const char *timeline_who(enum who who);

void timeline_add(struct timeline *t, int64_t t_ns, enum who who, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* What is shown to people of it: without the time that the client prints itself. */
const char *timeline_words(const struct event *e);

/* Whether it is a counter of echod's, which is for programs. */
bool timeline_is_counter(const struct event *e);

/* Puts events in order of time; those of one time stay as they are. */
void timeline_sort(struct timeline *t);

#endif
