/* SPDX-License-Identifier: MIT
 * detector: every one alone, so that a table shows what each is worth.
 */
#include "detector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drill.h"
#include "words.h"

#define NO_TIMERS "-T off --connect-timeout off"

const struct detector detectors[DETECTOR_COUNT] = {
	[DETECTOR_NONE] = { "none", NO_TIMERS },
	[DETECTOR_LIMIT] = { "limit", "-T 1s --connect-timeout 1s" },
	[DETECTOR_USER] = { "user", NO_TIMERS " --user-timeout 1s" },
	[DETECTOR_KEEPALIVE] = { "keepalive", NO_TIMERS " --keepalive 1s/1s/2" },
	[DETECTOR_ICMP] = { "icmp", NO_TIMERS " --icmp-errors" },
};

static int detector_why(char why[OPT_ERROR_MAX], const char *reason)
{
	snprintf(why, OPT_ERROR_MAX, "%s", reason);
	return -EINVAL;
}

/* LOW..HIGH */
static int detector_range(const char *range, struct detector_notice *c)
{
	char low[OPT_TEXT_MAX];
	const char *high = opt_range(range, low);

	if (!high || word_time(low, &c->low) < 0 || word_time(high, &c->high) < 0)
		return -EINVAL;
	return c->low <= c->high ? 0 : -EINVAL;
}

static int detector_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	struct detector_notice c = { .set = true };
	const char *at = text;
	char range[32];

	(void)o;
	if (strlen(text) >= sizeof(c.text))
		return detector_why(why, "is too long");
	snprintf(c.text, sizeof(c.text), "%s", text);
	c.never = strcmp(text, "never") == 0;
	if (!c.never &&
	    (word_next(&at, range, sizeof(range)) < 0 || detector_range(range, &c) < 0 ||
	     word_next(&at, c.cause, sizeof(c.cause)) < 0 || at[strspn(at, " ")]))
		return detector_why(why, "must be never, or a time and a cause such as "
					 "1.4s..2s timeout_tcp");
	*(struct detector_notice *)field = c;
	return 0;
}

static bool detector_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	const struct detector_notice *c = field;

	(void)o;
	if (nth > 0 || !c->set)
		return false;
	snprintf(text, OPT_TEXT_MAX, "%s", c->text);
	return true;
}

const struct opt_type detector_notice_type = { "WHEN", detector_parse, detector_print };
