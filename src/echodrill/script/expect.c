/* SPDX-License-Identifier: MIT
 * expect: read and compared. Values are whole numbers, times (they have a unit) or words.
 */
#include "expect.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"
#include "echo/base/base.h"
#include "echodrill/verdict/observe.h"
#include "selector.h"
#include "words.h"

static const char *const ops[] = {
	[EXPECT_EQ] = "==", [EXPECT_NE] = "!=", [EXPECT_LT] = "<",  [EXPECT_LE] = "<=",
	[EXPECT_GT] = ">",  [EXPECT_GE] = ">=", [EXPECT_IN] = "in",
};

/* A number or a time. */
static int value_number(struct expect *e, const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0)
		return 0;
	if (!isdigit((unsigned char)text[0]) || word_time(text, value) < 0)
		return -EINVAL;
	e->is_time = true;
	return 0;
}

static int expect_value(struct expect *e, const char *text, char why[OPT_ERROR_MAX])
{
	char low[OPT_TEXT_MAX];
	const char *high = opt_range(text, low);

	if (e->op == EXPECT_IN) {
		if (!high)
			return word_refuse(why, "needs a range, such as 1s..2s");
		if (value_number(e, low, &e->low) < 0 || value_number(e, high, &e->high) < 0)
			return word_refuse(why, "has a range that is none");
		return e->low <= e->high ? 0 : word_refuse(why, "has the larger end first");
	}
	if (value_number(e, text, &e->low) == 0) {
		e->high = e->low;
		return 0;
	}
	if ((e->op != EXPECT_EQ && e->op != EXPECT_NE) || strlen(text) >= sizeof(e->word))
		return word_refuse(why, "compares with something that is no number and no time");
	e->is_text = true;
	snprintf(e->word, sizeof(e->word), "%s", text);
	return 0;
}

/* WHAT ends at the first blank outside of /.../ */
static size_t what_length(const char *text)
{
	bool inside = false;
	size_t n = 0;

	for (; text[n] && (inside || text[n] != ' '); n++)
		inside ^= text[n] == '/';
	return n;
}

/* Is there such a thing, of that unit? */
static int expect_check(const struct expect *e, char why[OPT_ERROR_MAX])
{
	if (selector_check(e->what, why) < 0)
		return -EINVAL;
	if (selector_is_time(e->what) != e->is_time && !e->is_text && (e->low != 0 || e->high != 0))
		return word_refuse(why, e->is_time ? "is no time, and has no unit"
						   : "is a time, and needs a unit such as 500ms");
	return 0;
}

static int expect_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct expect_list *l = field;
	struct expect e = { .op = EXPECT_EQ };
	size_t len = what_length(text);
	const char *at = text + len;
	char op[8] = "", value[64] = "";
	int r;

	(void)o;
	if (l->count == DRILL_EXPECTS_MAX)
		return word_refuse(why, "is one too many");
	snprintf(e.text, sizeof(e.text), "%s", text);
	snprintf(e.what, sizeof(e.what), "%.*s", (int)len, text);
	if (word_next(&at, op, sizeof(op)) < 0 || word_next(&at, value, sizeof(value)) < 0 ||
	    at[strspn(at, " ")])
		return word_refuse(why, "must be WHAT OP VALUE, such as client.exit == 1");
	while (e.op <= EXPECT_IN && strcmp(ops[e.op], op) != 0)
		e.op++;
	if (e.op > EXPECT_IN)
		return word_refuse(why, "compares with none of == != < <= > >= in");
	r = expect_value(&e, value, why);
	if (r == 0)
		r = expect_check(&e, why);
	if (r == 0)
		l->at[l->count++] = e;
	return r;
}

static bool expect_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	const struct expect_list *l = field;

	(void)o;
	if (nth < l->count)
		snprintf(text, OPT_TEXT_MAX, "%s", l->at[nth].text);
	return nth < l->count;
}

const struct opt_type expect_type = { "EXPECTATION", expect_parse, expect_print };

static enum held holds_text(const struct expect *e, const struct seen *s)
{
	bool same = s->kind == SEEN_TEXT && strcmp(s->text, e->word) == 0;

	return same == (e->op == EXPECT_EQ) ? HELD_YES : HELD_NO;
}

enum held expect_holds(const struct expect *e, const struct seen *s)
{
	bool late;

	if (s->kind == SEEN_NOTHING || s->kind == SEEN_UNKNOWN)
		return HELD_NO;
	if (e->is_text || s->kind == SEEN_TEXT)
		return e->is_text ? holds_text(e, s) : HELD_NO;
	late = s->kind == SEEN_TIME || (s->kind == SEEN_FRAMES && s->least > e->high);
	switch (e->op) {
	case EXPECT_EQ:
		if (s->least <= e->low && s->most >= e->low)
			return HELD_YES;
		return late && s->kind == SEEN_FRAMES ? HELD_LATE : HELD_NO;
	case EXPECT_NE:
		return s->least != e->low ? HELD_YES : HELD_NO;
	case EXPECT_LT:
		return s->least < e->low ? HELD_YES : late ? HELD_LATE : HELD_NO;
	case EXPECT_LE:
		return s->least <= e->low ? HELD_YES : late ? HELD_LATE : HELD_NO;
	case EXPECT_GT:
		return s->most > e->low ? HELD_YES : HELD_NO;
	case EXPECT_GE:
		return s->most >= e->low ? HELD_YES : HELD_NO;
	case EXPECT_IN:
		if (s->most < e->low)
			return HELD_NO;
		return s->least <= e->high ? HELD_YES : late ? HELD_LATE : HELD_NO;
	}
	return HELD_NO;
}
