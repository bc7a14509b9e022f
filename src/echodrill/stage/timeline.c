/* SPDX-License-Identifier: MIT
 * timeline: an array to which every observer adds, and which is sorted once, at the end, because
 * what went over the wire is read only then.
 */
#include "timeline.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"

const char *timeline_who(enum who who)
{
	static const char *const names[] = {
		[WHO_CLIENT] = "client", [WHO_SERVER] = "server", [WHO_SERVER2] = "server2",
		[WHO_DRILL] = "drill",   [WHO_STATES] = "states", [WHO_WIRE] = "wire",
	};

	assert(who < ARRAY_LEN(names));
	return names[who];
}

void timeline_add(struct timeline *t, int64_t t_ns, enum who who, const char *fmt, ...)
{
	struct event *e = &t->at[t->count];
	va_list args;

	if (t->count == TIMELINE_MAX) {
		t->lost++;
		t->lost_frames += who == WHO_WIRE;
		return;
	}
	e->t_ns = t_ns;
	e->who = who;
	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	for (char *c = e->text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	t->count++;
}

const char *timeline_words(const struct event *e)
{
	const char *end = e->who == WHO_CLIENT && e->text[0] == '[' ? strchr(e->text, ']') : NULL;

	return end && end[1] == ' ' ? end + 2 : e->text;
}

bool timeline_is_counter(const struct event *e)
{
	return (e->who == WHO_SERVER || e->who == WHO_SERVER2) &&
	       (e->text[0] == '#' || strncmp(e->text, "echod_", 6) == 0);
}

/* Insertion sort: it is nearly in order, and stable. */
void timeline_sort(struct timeline *t)
{
	for (unsigned i = 1; i < t->count; i++) {
		struct event e = t->at[i];
		unsigned k = i;

		for (; k > 0 && t->at[k - 1].t_ns > e.t_ns; k--)
			t->at[k] = t->at[k - 1];
		t->at[k] = e;
	}
}
