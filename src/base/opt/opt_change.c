/* SPDX-License-Identifier: MIT
 * opt_change: what differs between the configuration that a program runs with and one that it has
 * read again. Two values are the same if they print the same.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "opt_private.h"

enum {
	OPT_VALUES_MAX = OPT_ERROR_MAX, /* values of a row that repeats, joined */
	FIELD_MAX = 256,
};

static void join_values(const struct opt_set *s, struct opt_at at, char text[OPT_VALUES_MAX])
{
	const struct opt *o = opt_row(s, at);
	char value[OPT_TEXT_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned n = 0; len < OPT_VALUES_MAX && o->type->print(o, opt_field(s, at), n, value);
	     n++)
		len += (size_t)snprintf(text + len, OPT_VALUES_MAX - len, "%s%s", n ? ", " : "",
					value);
}

static bool same_value(const struct opt_set *a, const struct opt_set *b, struct opt_at at)
{
	const struct opt *o = opt_row(a, at);
	char text[2][OPT_TEXT_MAX];
	bool is[2];
	unsigned n = 0;

	do {
		is[0] = o->type->print(o, opt_field(a, at), n, text[0]);
		is[1] = o->type->print(o, opt_field(b, at), n, text[1]);
		n++;
	} while (is[0] && is[1] && strcmp(text[0], text[1]) == 0);
	return !is[0] && !is[1];
}

bool opt_differs(const struct opt_set *s, const char *key)
{
	_Alignas(max_align_t) char field[FIELD_MAX] = { 0 };
	char text[2][OPT_TEXT_MAX], why[OPT_ERROR_MAX];
	const struct opt *o;
	struct opt_at at;
	int r = 0;

	if (!opt_find(s, OPT_DEFAULT, key, &at))
		return false;
	o = opt_row(s, at);
	assert(!o->repeats && o->size <= sizeof(field));
	if (o->fallback && o->fallback[0])
		r = o->type->parse(o, o->fallback, field, why);
	assert(r == 0);
	return o->type->print(o, opt_field(s, at), 0, text[0]) !=
		       o->type->print(o, field, 0, text[1]) ||
	       strcmp(text[0], text[1]) != 0;
}

static void take_value(struct opt_set *to, const struct opt_set *from, struct opt_at at)
{
	memcpy(opt_field(to, at), opt_field(from, at), opt_row(to, at)->size);
	to->sections[at.section].origin[at.row] = from->sections[at.section].origin[at.row];
}

static void tell(const struct opt_set *next, const struct opt_set *now, struct opt_at at,
		 void (*each)(void *arg, const struct opt_change *c), void *arg)
{
	char name[OPT_NAME_MAX], place[OPT_PLACE_MAX];
	char before[OPT_VALUES_MAX], after[OPT_VALUES_MAX];

	opt_name(next, at, OPT_DEFAULT, name);
	opt_place(next, at, next->sections[at.section].origin[at.row], place);
	join_values(now, at, before);
	join_values(next, at, after);
	each(arg, &(struct opt_change){ name, place, before, after, opt_row(next, at)->live });
}

void opt_merge(struct opt_set *next, const struct opt_set *now,
	       void (*each)(void *arg, const struct opt_change *c), void *arg)
{
	assert(next->count == now->count);
	for (struct opt_at i = { 0, 0 }; opt_valid(next, &i); i.row++) {
		const struct opt *o = opt_row(next, i);

		assert(o == opt_row(now, i));
		if (o->cli_only || same_value(next, now, i))
			continue;
		tell(next, now, i, each, arg);
		if (!o->live)
			take_value(next, now, i);
	}
}

void opt_take(struct opt_set *now, const struct opt_set *next)
{
	assert(next->count == now->count);
	for (struct opt_at i = { 0, 0 }; opt_valid(now, &i); i.row++)
		take_value(now, next, i);
	now->file = next->file;
}
