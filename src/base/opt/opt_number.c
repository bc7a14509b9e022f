/* SPDX-License-Identifier: MIT
 * opt_number: counts, sizes, times and reals. A number with a unit is read as an exact decimal
 * fraction (digits, then a power of ten to divide by), so 1.0000001s loses no nanosecond and
 * nothing rounds: what the field cannot hold exactly is an error. What is printed reads back as the
 * same value.
 */
#include "opt_private.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"

enum { FRACTION_MAX = 18 }; /* digits after the point that fit uint64_t */

struct unit {
	const char *suffix;
	uint64_t scale;
};

/* Largest first; printing takes the first that divides the value. 0 ends. */
static const struct unit count_units[] = {
	{ "G", 1000000000 }, { "M", 1000000 },  { "k", 1000 },     { "", 1 },
	{ "Gi", 1 << 30 },   { "Mi", 1 << 20 }, { "Ki", 1 << 10 }, { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "Gi", 1 << 30 }, { "Mi", 1 << 20 }, { "Ki", 1 << 10 }, { "G", 1000000000 },
	{ "M", 1000000 },  { "k", 1000 },     { "", 1 },         { NULL, 0 },
};
static const struct unit time_units[] = {
	{ "h", (uint64_t)SEC(3600) },
	{ "m", (uint64_t)SEC(60) },
	{ "s", (uint64_t)SEC(1) },
	{ "ms", (uint64_t)MSEC(1) },
	{ "us", (uint64_t)USEC(1) },
	{ "ns", 1 },
	{ NULL, 0 },
};

static int why_not(char why[OPT_ERROR_MAX], int r, const char *reason)
{
	snprintf(why, OPT_ERROR_MAX, "%s", reason);
	return r;
}

/* Reads digits. Returns how many, or -ERANGE when they overflow; -EINVAL when there are none. */
static int read_digits(const char *text, uint64_t *value)
{
	uint64_t v = 0;
	int n = 0;

	for (; isdigit((unsigned char)text[n]); n++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(text[n] - '0'), &v))
			return -ERANGE;
	if (n == 0)
		return -EINVAL;
	*value = v;
	return n;
}

/* A decimal number without its unit: (whole * tens + part) / tens. */
struct decimal {
	uint64_t whole, part, tens;
};

/* Returns the length read, or -EINVAL, -ERANGE (too large), -EDOM (too fine). */
static int read_decimal(const char *text, struct decimal *d)
{
	char part[FRACTION_MAX + 1] = "";
	size_t len, n;
	int r = read_digits(text, &d->whole);

	d->part = 0;
	d->tens = 1;
	if (r < 0 || text[r] != '.')
		return r;
	text += r + 1;
	len = strspn(text, "0123456789");
	if (len == 0)
		return -EINVAL;
	for (n = len; n > 0 && text[n - 1] == '0'; n--)
		;
	if (n > FRACTION_MAX)
		return -EDOM;
	memcpy(part, text, n);
	for (size_t i = 0; i < n; i++)
		d->tens *= 10;
	if (n > 0)
		read_digits(part, &d->part);
	return r + 1 + (int)len;
}

/* Returns 0, or -EINVAL, -ERANGE (too large), -EDOM (not a whole number of the smallest unit). */
static int read_scaled(const char *text, const struct unit *u, uint64_t *value)
{
	unsigned __int128 part;
	struct decimal d;
	uint64_t whole;
	int r = read_decimal(text, &d);

	if (r < 0)
		return r;
	while (u->suffix && strcmp(u->suffix, text + r) != 0)
		u++;
	if (!u->suffix)
		return -EINVAL;
	part = (unsigned __int128)d.part * u->scale;
	if (part % d.tens != 0)
		return -EDOM;
	if (__builtin_mul_overflow(d.whole, u->scale, &whole) ||
	    __builtin_add_overflow(whole, (uint64_t)(part / d.tens), &whole))
		return -ERANGE;
	*value = whole;
	return 0;
}

static void print_scaled(uint64_t value, const struct unit *u, char text[OPT_TEXT_MAX])
{
	while (u->scale > 1 && (value == 0 || value % u->scale != 0))
		u++;
	snprintf(text, OPT_TEXT_MAX, "%" PRIu64 "%s", value / u->scale, u->suffix);
}

/* The limits that hold: those of the row, or if it gives none (both 0), those of the field. */
static void limits_of(const struct opt *o, int64_t *min, int64_t *max)
{
	bool any = o->min == 0 && o->max == 0;

	*min = o->min;
	*max = !any ? o->max : o->size == sizeof(uint32_t) ? UINT32_MAX : INT64_MAX;
	assert(*min <= *max && *min >= 0);
	assert(o->size == sizeof(uint64_t) || *max <= UINT32_MAX);
}

static void print_limit(const struct opt *o, int64_t limit, char text[OPT_TEXT_MAX])
{
	uint32_t narrow = (uint32_t)limit;
	double real = (double)limit;
	const void *field = &limit;

	if (o->size == sizeof(narrow))
		field = &narrow;
	if (o->type == &opt_double)
		field = &real;
	o->type->print(o, field, 0, text);
}

static int why_range(const struct opt *o, int64_t min, int64_t max, char why[OPT_ERROR_MAX])
{
	char low[OPT_TEXT_MAX], high[OPT_TEXT_MAX];

	print_limit(o, min, low);
	print_limit(o, max, high);
	snprintf(why, OPT_ERROR_MAX, "is out of range: %.200s to %.200s", low, high);
	return -ERANGE;
}

static int why_step(const struct opt *o, char why[OPT_ERROR_MAX])
{
	char step[OPT_TEXT_MAX];

	print_limit(o, o->step, step);
	snprintf(why, OPT_ERROR_MAX, "must be a multiple of %.200s", step);
	return -ERANGE;
}

/* What uint, size and time share. Returns 0, -ERANGE with @why, or -EINVAL or -EDOM without. */
static int read_limited(const struct opt *o, const char *text, uint64_t *value,
			char why[OPT_ERROR_MAX])
{
	const struct unit *units = o->type == &opt_time   ? time_units
				   : o->type == &opt_size ? size_units
							  : count_units;
	int64_t min, max;
	uint64_t v = 0;
	int r = read_scaled(text, units, &v);

	limits_of(o, &min, &max);
	if (r == -ERANGE || (r == 0 && (v < (uint64_t)min || v > (uint64_t)max)))
		return why_range(o, min, max, why);
	if (r == 0 && o->step > 0 && v % (uint64_t)o->step != 0)
		return why_step(o, why);
	if (r == 0)
		*value = v;
	return r;
}

static int uint_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	uint32_t narrow;
	uint64_t value = 0;
	int r = read_limited(o, text, &value, why);

	if (r == -EINVAL || r == -EDOM)
		return why_not(why, -EINVAL, "is not a whole number (units: k M G Ki Mi Gi)");
	if (r < 0)
		return r;
	narrow = (uint32_t)value;
	memcpy(field, o->size == sizeof(narrow) ? (void *)&narrow : (void *)&value, o->size);
	return 0;
}

static bool uint_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	uint32_t narrow;
	uint64_t value;

	if (nth > 0)
		return false;
	if (o->size == sizeof(narrow)) {
		memcpy(&narrow, field, sizeof(narrow));
		value = narrow;
	} else {
		memcpy(&value, field, sizeof(value));
	}
	print_scaled(value, count_units, text);
	return true;
}

static int size_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	uint64_t value = 0;
	int r = read_limited(o, text, &value, why);

	assert(o->size == sizeof(value));
	if (r == -EDOM)
		return why_not(why, -EINVAL, "is not a whole number of bytes");
	if (r == -EINVAL)
		return why_not(why, r, "is not a size (such as 64, 256Ki or 1M)");
	if (r == 0)
		memcpy(field, &value, sizeof(value));
	return r;
}

static bool size_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	uint64_t value;

	(void)o;
	if (nth > 0)
		return false;
	memcpy(&value, field, sizeof(value));
	print_scaled(value, size_units, text);
	return true;
}

static int time_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	/* 0 is the same in every unit */
	bool zero = text[0] == '0' && text[strspn(text, "0")] == '\0';
	bool off = o->min == 0 && (zero || strcmp(text, "off") == 0);
	uint64_t value = 0;
	int r = off ? 0 : read_limited(o, text, &value, why);

	assert(o->size == sizeof(value));
	if (r == -EDOM)
		return why_not(why, -EINVAL, "is finer than a nanosecond");
	if (r == -EINVAL && zero)
		return why_range(o, o->min, o->max, why);
	if (r == -EINVAL && isdigit((unsigned char)text[0]) &&
	    text[strspn(text, "0123456789.")] == '\0') {
		snprintf(why, OPT_ERROR_MAX, "needs a unit (ns us ms s m h): %ss?", text);
		return r;
	}
	if (r == -EINVAL)
		return why_not(why, r, "is not a time (such as 50us, 1.5s or 2h)");
	if (r == 0)
		memcpy(field, &value, sizeof(value)); /* at most INT64_MAX: the limits saw to it */
	return r;
}

static bool time_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	int64_t value;

	if (nth > 0)
		return false;
	memcpy(&value, field, sizeof(value));
	if (value == 0 && o->min == 0)
		snprintf(text, OPT_TEXT_MAX, "off");
	else
		print_scaled((uint64_t)value, time_units, text);
	return true;
}

/* Returns 0, or -EINVAL (no decimal number), -ERANGE (no double is near it). A unit becomes an
 * exponent, so that "50.1k" is the double nearest to 50100. */
static int read_real(const char *text, double *value)
{
	size_t len = strspn(text, "0123456789.-+eE");
	const char *exponent = "";
	char copy[OPT_TEXT_MAX + 4], *end;

	if (text[len] != '\0') {
		exponent = strcmp(text + len, "k") == 0   ? "e3"
			   : strcmp(text + len, "M") == 0 ? "e6"
			   : strcmp(text + len, "G") == 0 ? "e9"
							  : NULL;
		if (!exponent || memchr(text, 'e', len) || memchr(text, 'E', len))
			return -EINVAL;
	}
	if (len >= OPT_TEXT_MAX || !isdigit((unsigned char)text[text[0] == '-']))
		return -EINVAL;
	snprintf(copy, sizeof(copy), "%.*s%s", (int)len, text, exponent);
	errno = 0;
	*value = strtod(copy, &end);
	return *end != '\0' ? -EINVAL : -errno;
}

static int double_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	bool limited = o->min != 0 || o->max != 0;
	double value;
	int r = read_real(text, &value);

	assert(o->size == sizeof(value));
	if (r == -EINVAL)
		return why_not(why, r, "is not a number (such as 0.5 or 50k)");
	if (r < 0 && !limited)
		return why_not(why, r, "is out of range: a double cannot hold it");
	if (r < 0 || (limited && (value < (double)o->min || value > (double)o->max)))
		return why_range(o, o->min, o->max, why);
	memcpy(field, &value, sizeof(value));
	return 0;
}

static bool double_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	double value;

	(void)o;
	if (nth > 0)
		return false;
	memcpy(&value, field, sizeof(value));
	for (int digits = 15; digits <= 17; digits++) { /* 17 always suffice */
		snprintf(text, OPT_TEXT_MAX, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return true;
}

bool opt_number_limits(const struct opt *o, char text[OPT_ERROR_MAX])
{
	char low[OPT_TEXT_MAX], high[OPT_TEXT_MAX];

	if ((o->min == 0 && o->max == 0) || o->max == INT64_MAX)
		return false;
	print_limit(o, o->min, low);
	print_limit(o, o->max, high);
	snprintf(text, OPT_ERROR_MAX, "%.200s to %.200s", low, high);
	return true;
}

const char *opt_range(const char *text, char low[OPT_TEXT_MAX])
{
	const char *dots = strstr(text, "..");

	if (!dots || dots - text >= OPT_TEXT_MAX)
		return NULL;
	snprintf(low, OPT_TEXT_MAX, "%.*s", (int)(dots - text), text);
	return dots + 2;
}

const struct opt_type opt_uint = { "N", uint_parse, uint_print };
const struct opt_type opt_size = { "SIZE", size_parse, size_print };
const struct opt_type opt_time = { "TIME", time_parse, time_print };
const struct opt_type opt_double = { "NUMBER", double_parse, double_print };
