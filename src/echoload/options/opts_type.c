/* SPDX-License-Identifier: MIT
 * opts_type: the types of options that only echoload has.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "opts.h"

static const struct opt wait_row = {
	.type = &opt_time, .min = MSEC(1), .max = SEC(3600), .size = sizeof(int64_t)
};

int opts_range_parse(const struct opt *row, const char *text, void *low, void *high, char *why)
{
	char first[OPT_TEXT_MAX];
	const char *second = opt_range(text, first);
	int r = row->type->parse(row, second ? first : text, low, why);

	return r < 0 ? r : row->type->parse(row, second ? second : text, high, why);
}

static int reconnect_parse(const struct opt *o, const char *text, void *field,
			   char why[OPT_ERROR_MAX])
{
	struct reconnect_policy p = { .mode = RECONNECT_NEVER };
	int r;

	(void)o;
	if (strcmp(text, "immediate") == 0) {
		p.mode = RECONNECT_IMMEDIATE;
	} else if (strncmp(text, "backoff ", 8) == 0 && strstr(text, "..")) {
		p.mode = RECONNECT_BACKOFF;
		r = opts_range_parse(&wait_row, text + 8, &p.min_ns, &p.max_ns, why);
		if (r < 0)
			return r;
	} else if (strcmp(text, "never") != 0) {
		snprintf(why, OPT_ERROR_MAX,
			 "must be never, immediate or backoff MIN..MAX, such as "
			 "'backoff 10ms..1s'");
		return -EINVAL;
	}
	if (p.min_ns > p.max_ns) {
		snprintf(why, OPT_ERROR_MAX,
			 "the shorter time stands first, as in backoff 10ms..1s");
		return -EINVAL;
	}
	memcpy(field, &p, sizeof(p));
	return 0;
}

static bool reconnect_print(const struct opt *o, const void *field, unsigned nth,
			    char text[OPT_TEXT_MAX])
{
	const struct reconnect_policy *p = field;
	char low[OPT_TEXT_MAX], high[OPT_TEXT_MAX];

	(void)o;
	opt_time.print(&wait_row, &p->min_ns, 0, low);
	opt_time.print(&wait_row, &p->max_ns, 0, high);
	if (p->mode == RECONNECT_BACKOFF)
		snprintf(text, OPT_TEXT_MAX, "backoff %.100s..%.100s", low, high);
	else
		snprintf(text, OPT_TEXT_MAX, "%s",
			 p->mode == RECONNECT_NEVER ? "never" : "immediate");
	return nth == 0;
}

const struct opt_type opt_reconnect = { "POLICY", reconnect_parse, reconnect_print };

/* ---- a time of day ---- */

enum { HALF_A_DAY = 12 * 3600, ALMOST_A_DAY = 23 * 3600 }; /* s */

/* @tm, whose time of day was set, moved by @days, as seconds since the epoch. */
static time_t day_moved(struct tm tm, int days)
{
	tm.tm_mday += days;
	tm.tm_isdst = -1;
	return mktime(&tm);
}

/* "HH:MM" or "HH:MM:SS", today or, when that was half a day ago, tomorrow. Who is late does not
 * want to wait for a day: what has just passed stays so, over midnight too. Returns seconds since
 * the epoch, or -1: it is none. */
static int64_t next_time_of_day(const char *text)
{
	time_t now = (time_t)(clock_unix_ns() / SEC(1)), at;
	struct tm tm, day;
	const char *end;

	memset(&day, 0, sizeof(day));
	end = strptime(text, "%H:%M", &day);
	if (end && *end == ':')
		end = strptime(end, ":%S", &day);
	if (!end || *end || day.tm_sec > 59 || !localtime_r(&now, &tm)) /* %S takes leap seconds */
		return -1;
	tm.tm_hour = day.tm_hour;
	tm.tm_min = day.tm_min;
	tm.tm_sec = day.tm_sec;
	at = day_moved(tm, 0);
	if (at < now - HALF_A_DAY)
		return day_moved(tm, 1);
	return at > now + ALMOST_A_DAY ? day_moved(tm, -1) : at;
}

/* Seconds since the epoch, with up to nine decimals, as nanoseconds; -1: it is none. */
static int64_t unix_time(const char *text)
{
	char *end;
	const int64_t seconds = strtoll(text, &end, 10);
	int64_t ns = 0, unit = SEC(1);

	if (end == text || text[0] == '-' || text[0] == '+' || seconds > INT64_MAX / SEC(1) - 1)
		return -1;
	if (*end == '.') {
		for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
			unit /= 10;
			ns += (*end - '0') * unit;
		}
	}
	return *end ? -1 : seconds * SEC(1) + ns;
}

static int start_at_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	int64_t at = 0;

	(void)o;
	if (strchr(text, ':'))
		at = next_time_of_day(text);
	else if (strcmp(text, "now") != 0)
		at = unix_time(text);
	if (at < 0) {
		snprintf(
			why, OPT_ERROR_MAX,
			"must be now, HH:MM:SS or seconds since the epoch, as date +%%s says them");
		return -EINVAL;
	}
	at *= strchr(text, ':') ? SEC(1) : 1;
	memcpy(field, &at, sizeof(at));
	return 0;
}

static bool start_at_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	int64_t at;

	(void)o;
	memcpy(&at, field, sizeof(at));
	if (at == 0)
		snprintf(text, OPT_TEXT_MAX, "now");
	else
		snprintf(text, OPT_TEXT_MAX, "%" PRId64 ".%09" PRId64, at / SEC(1), at % SEC(1));
	return nth == 0;
}

const struct opt_type opt_start_at = { "TIME", start_at_parse, start_at_print };

/* ---- --clock ---- */

enum { CLOCK_MAX_DIGITS = 18 };

/* A whole number of nanoseconds up to @end; false: it is none. */
static bool clock_number(const char *text, const char *end, int64_t *ns)
{
	const char *digits = text + (text[0] == '-');
	char *stop;

	if (digits[0] < '0' || digits[0] > '9' || end - digits > CLOCK_MAX_DIGITS)
		return false;
	*ns = strtoll(text, &stop, 10);
	return stop == end;
}

static int clock_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	const char *slash = strchr(text, '/');
	struct clock_offset c = { .known = false };

	(void)o;
	if (strcmp(text, "unknown") != 0) {
		c.known = slash && clock_number(text, slash, &c.offset_ns) &&
			  clock_number(slash + 1, text + strlen(text), &c.uncertainty_ns) &&
			  c.uncertainty_ns >= 0;
		if (!c.known) {
			snprintf(why, OPT_ERROR_MAX,
				 "must be unknown or OFFSET/UNCERTAINTY in nanoseconds, such as "
				 "-1500/200");
			return -EINVAL;
		}
	}
	memcpy(field, &c, sizeof(c));
	return 0;
}

static bool clock_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	const struct clock_offset *c = field;

	(void)o;
	if (c->known)
		snprintf(text, OPT_TEXT_MAX, "%" PRId64 "/%" PRId64, c->offset_ns,
			 c->uncertainty_ns);
	else
		snprintf(text, OPT_TEXT_MAX, "unknown");
	return nth == 0;
}

const struct opt_type opt_clock = { "OFFSET/UNCERTAINTY", clock_parse, clock_print };
