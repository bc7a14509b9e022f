/* SPDX-License-Identifier: MIT
 * merge_value: single values of a result that is read back. What stands in it is data, and nobody
 * knows from whom.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/escape.h"
#include "merge_private.h"

int merge_value_fail(struct merge_part *p, const char *fmt, ...)
{
	const size_t len = p->error[0] ? MERGE_ERROR_MAX : 0; /* the first stays */
	va_list args;

	va_start(args, fmt);
	if (len == 0)
		vsnprintf(p->error, sizeof(p->error), fmt, args);
	va_end(args);
	return -EINVAL;
}

int merge_value_no_memory(struct merge_part *p)
{
	p->lack = -ENOMEM;
	return merge_value_fail(p, "no memory");
}

const json_t *merge_value_object(struct merge_part *p, const json_t *from, const char *key)
{
	const json_t *o = json_object_get(from, key);

	if (!json_is_object(o))
		merge_value_fail(p, "'%s' is missing", key);
	return o;
}

/* A number that is not negative, and no sum will have. */
int64_t merge_value_moment(struct merge_part *p, const json_t *from, const char *key)
{
	const json_t *v = json_object_get(from, key);

	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_integer_value(v) <= merge_number_max)
		return json_integer_value(v);
	merge_value_fail(p, "'%s' is missing, or no whole number that can be", key);
	return 0;
}

/* One that is added up, with others of this file or of others. */
int64_t merge_value_number(struct merge_part *p, const json_t *from, const char *key)
{
	const int64_t n = merge_value_moment(p, from, key);

	if (__builtin_add_overflow(p->total, (uint64_t)n, &p->total))
		p->total = UINT64_MAX;
	return n;
}

uint64_t merge_value_count(struct merge_part *p, const json_t *from, const char *key)
{
	return (uint64_t)merge_value_number(p, from, key);
}

/* The same; null or nothing is -1. */
int64_t merge_value_number_or_none(struct merge_part *p, const json_t *from, const char *key)
{
	const json_t *v = json_object_get(from, key);

	return !v || json_is_null(v) ? -1 : merge_value_number(p, from, key);
}

/* A line of text; "": there is none, as an errno may be null. */
const char *merge_value_text(struct merge_part *p, const json_t *from, const char *key)
{
	const json_t *v = json_object_get(from, key);
	const char *s = json_string_value(v);

	if (v && !s && !json_is_null(v))
		merge_value_fail(p, "'%s' is no text", key);
	if (s && escape_needed(s))
		merge_value_fail(p, "'%s' has control characters", key);
	return s ? s : "";
}

const struct opt *merge_config_row(const char *key)
{
	const struct opt *o = load_opts;

	while (strcmp(o->key, key) != 0)
		o++;
	return o;
}

void merge_config_value(struct merge_part *p, struct load_config *to, const char *key,
			const char *value)
{
	const struct opt *o = merge_config_row(key);
	char why[OPT_ERROR_MAX];

	if (p->error[0] || !value[0])
		return;
	if (strlen(value) >= OPT_TEXT_MAX)
		merge_value_fail(p, "'config.%s' is longer than %d characters", key,
				 OPT_TEXT_MAX - 1);
	else if (o->type->parse(o, value, (char *)to + o->offset, why) < 0)
		merge_value_fail(p, "'config.%s': '%.100s' %s", key, value, why);
}
