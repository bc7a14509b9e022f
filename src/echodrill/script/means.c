/* SPDX-License-Identifier: MIT
 * means: every one alone, so that a table shows what each is worth.
 */
#include "means.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drill.h"

#define NO_TIMERS "-T off --connect-timeout off"

const struct means_kind means_kinds[MEANS_COUNT] = {
	[MEANS_NONE] = { "none", NO_TIMERS },
	[MEANS_LIMIT] = { "limit", "-T 1s --connect-timeout 1s" },
	[MEANS_USER] = { "user", NO_TIMERS " --user-timeout 1s" },
	[MEANS_KEEPALIVE] = { "keepalive", NO_TIMERS " --keepalive 1s/1s/2" },
	[MEANS_ICMP] = { "icmp", NO_TIMERS " --icmp-errors" },
};

static int means_why(char why[OPT_ERROR_MAX], const char *reason)
{
	snprintf(why, OPT_ERROR_MAX, "%s", reason);
	return -EINVAL;
}

/* LOW..HIGH */
static int means_range(const char *range, struct means_cell *c)
{
	const char *dots = strstr(range, "..");
	char low[DRILL_WORD_MAX];

	if (!dots || (size_t)(dots - range) >= sizeof(low))
		return -EINVAL;
	snprintf(low, sizeof(low), "%.*s", (int)(dots - range), range);
	if (drill_time(low, &c->low) < 0 || drill_time(dots + 2, &c->high) < 0)
		return -EINVAL;
	return c->low <= c->high ? 0 : -EINVAL;
}

static int means_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct means_cell c = { .set = true };
	const char *at = text;
	char range[32];

	(void)o;
	if (strlen(text) >= sizeof(c.text))
		return means_why(why, "is too long");
	snprintf(c.text, sizeof(c.text), "%s", text);
	c.never = strcmp(text, "never") == 0;
	if (!c.never && (drill_word(&at, range, sizeof(range)) < 0 || means_range(range, &c) < 0 ||
			 drill_word(&at, c.cause, sizeof(c.cause)) < 0 || at[strspn(at, " ")]))
		return means_why(why, "must be never, or a time and a cause such as "
				      "1.4s..2s timeout_tcp");
	*(struct means_cell *)field = c;
	return 0;
}

static bool means_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	const struct means_cell *c = field;

	(void)o;
	if (nth > 0 || !c->set)
		return false;
	snprintf(text, OPT_TEXT_MAX, "%s", c->text);
	return true;
}

const struct opt_type means_type = { "WHEN", means_parse, means_print };
