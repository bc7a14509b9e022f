/* SPDX-License-Identifier: MIT
 * selector: its first part says whose it is, and how many parts there are.
 */
#include "selector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/rig/diag.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/capture.h"
#include "echodrill/verdict/observe.h"
#include "pattern.h"

/* How names of a kind look. */
static const struct {
	const char *first;
	unsigned least, most; /* parts */
	enum selector_kind kind;
} kinds[] = {
	{ "client", 2, 3, SELECTOR_PROGRAM },  { "server", 2, 3, SELECTOR_PROGRAM },
	{ "server2", 2, 3, SELECTOR_PROGRAM }, { "load", 2, 6, SELECTOR_LOAD },
	{ "outcome", 5, 5, SELECTOR_OUTCOME }, { "outage", 2, 3, SELECTOR_OUTAGE },
	{ "state", 4, 4, SELECTOR_SOCKETS },   { "unread", 3, 3, SELECTOR_SOCKETS },
	{ "unsent", 3, 3, SELECTOR_SOCKETS },  { "backlog", 3, 3, SELECTOR_SOCKETS },
	{ "zombies", 3, 3, SELECTOR_SOCKETS }, { "wire", 3, 5, SELECTOR_WIRE },
	{ "counter", 3, 3, SELECTOR_COUNTER }, { "fault", 2, 2, SELECTOR_FAULT },
	{ "dial", 2, 2, SELECTOR_DIAL },       { "mismatch", 2, 2, SELECTOR_MISMATCH },
};

static int selector_find_kind(struct selector *n)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].first, n->part[0]) == 0 && n->count >= kinds[i].least &&
		    n->count <= kinds[i].most) {
			n->kind = kinds[i].kind;
			return 0;
		}
	return -EINVAL;
}

/* Cuts at dots outside of /.../; "@LABEL" at the end is the base. */
int selector_read(struct selector *n, const char *what)
{
	const char *at = strrchr(what, '@');
	bool inside = false;
	size_t len = 0;

	memset(n, 0, sizeof(*n));
	snprintf(n->base, sizeof(n->base), "fault");
	if (at && !strchr(at, '/'))
		snprintf(n->base, sizeof(n->base), "%s", at + 1);
	else
		at = what + strlen(what);
	for (n->count = 1; what < at; what++) {
		inside ^= *what == '/';
		if (*what == '.' && !inside) {
			if (n->count++ == SELECTOR_PARTS_MAX)
				return -EINVAL;
			len = 0;
		} else if (len + 1 < SELECTOR_PART_MAX) {
			n->part[n->count - 1][len++] = *what;
		} else {
			return -EINVAL;
		}
	}
	return inside ? -EINVAL : selector_find_kind(n);
}

int selector_program(const char *text)
{
	for (int i = 0; i < RUN_PROCS; i++)
		if (strcmp(timeline_who((enum who)i), text) == 0)
			return i;
	return -1;
}

int selector_end(const char *text)
{
	return strcmp(text, "client") == 0 ? 0 : strcmp(text, "server") == 0 ? 1 : -1;
}

static bool one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

/* "/re/" that is a regular expression. */
static bool is_regex(const char *part)
{
	char pattern[SELECTOR_PART_MAX];
	size_t len = strlen(part);

	if (len < 3 || part[0] != '/' || part[len - 1] != '/')
		return false;
	snprintf(pattern, sizeof(pattern), "%.*s", (int)len - 2, part + 1);
	return pattern_check(pattern) == 0;
}

static bool wire_is_known(const struct selector *n)
{
	bool filter = n->part[2][0] == '/';
	unsigned least = filter ? 3 : 4; /* "when" may follow */
	char what[SELECTOR_PART_MAX * 2];

	snprintf(what, sizeof(what), filter ? "%s" : "%s.%s", n->part[2], n->part[3]);
	if (n->count < least || n->count > least + 1 ||
	    (n->count > least && strcmp(n->part[least], "when") != 0))
		return false;
	return selector_end(n->part[1]) >= 0 && capture_check(what) == 0;
}

static bool outage_is_known(const struct selector *n)
{
	static const char *const times[] = { "begin", "noticed", "first_success", "recovered",
					     NULL };

	if (n->count == 2)
		return strcmp(n->part[1], "count") == 0;
	return n->part[1][0] >= '1' && n->part[1][0] <= '9' && n->part[1][1] == '\0' &&
	       one_of(n->part[2], times);
}

/* Is every part of it one that can be looked up? */
static bool selector_is_known(const struct selector *n)
{
	static const char *const ends[] = { "exit", "signal", "ended", "running", NULL };
	static const char *const lines[] = { "said", "when", NULL };
	static const char *const numbers[] = { "count", "lost", "first", "last", NULL };

	if (n->kind == SELECTOR_PROGRAM)
		return n->count == 2 ? one_of(n->part[1], ends)
				     : one_of(n->part[1], lines) && is_regex(n->part[2]);
	if (n->kind == SELECTOR_OUTCOME)
		return one_of(n->part[4], numbers);
	if (n->kind == SELECTOR_OUTAGE)
		return outage_is_known(n);
	if (n->kind == SELECTOR_WIRE)
		return wire_is_known(n);
	if (n->kind == SELECTOR_FAULT)
		return strcmp(n->part[1], "packets") == 0;
	if (n->kind == SELECTOR_MISMATCH)
		return strcmp(n->part[1], "wire") == 0;
	if (n->kind == SELECTOR_COUNTER)
		return selector_end(n->part[1]) >= 0;
	if (strcmp(n->part[0], "zombies") == 0)
		return strcmp(n->part[2], "server") == 0;
	if (n->kind == SELECTOR_SOCKETS)
		return selector_end(n->part[2]) >= 0 &&
		       (n->count == 3 || diag_state(n->part[3]) > 0);
	return n->part[1][0] != '\0';
}

int selector_check(const char *what, char why[OPT_ERROR_MAX])
{
	struct selector n;

	if (selector_read(&n, what) == 0 && selector_is_known(&n))
		return 0;
	snprintf(why, OPT_ERROR_MAX, "expects something of '%.100s', which is no name of anything",
		 what);
	return -EINVAL;
}

bool selector_is_time(const char *what)
{
	static const char *const times[] = { "when",          "first",     "last",
					     "ended",         "begin",     "noticed",
					     "first_success", "recovered", NULL };
	struct selector n;

	if (selector_read(&n, what) < 0)
		return false;
	if (n.kind == SELECTOR_PROGRAM && n.count == 3)
		return strcmp(n.part[1], "when") == 0;
	return n.kind != SELECTOR_LOAD && n.kind != SELECTOR_DIAL &&
	       one_of(n.part[n.count - 1], times);
}

/* A step, or what is always there. */
static bool has_label(const struct drill *d, const char *label, const char *const *always)
{
	if (one_of(label, always))
		return true;
	for (unsigned i = 0; i < d->step.count; i++)
		if (strcmp(d->step.at[i].label, label) == 0)
			return true;
	return false;
}

const char *selector_missing(const struct drill *d, const char *what)
{
	static const char *const bases[] = { "fault", "start", "heard", NULL };
	static const char *const looks[] = { "before", "end", NULL };
	static struct selector n;

	selector_read(&n, what); /* it was checked */
	if (!has_label(d, n.base, bases))
		return n.base;
	if (n.kind == SELECTOR_SOCKETS && !has_label(d, n.part[1], looks))
		return n.part[1];
	if (n.kind == SELECTOR_DIAL && !has_label(d, n.part[1], looks + 2))
		return n.part[1];
	return NULL;
}
