/* SPDX-License-Identifier: MIT
 * pattern: remembers a lack of memory, as lab/tojson.c does; whoever gives out a verdict looks.
 */
#include "pattern.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static atomic_bool refused;

static int pattern_result(int r)
{
	if (r == REG_ESPACE)
		atomic_store(&refused, true);
	return r == 0 ? 0 : r == REG_ESPACE ? -ENOMEM : -EINVAL;
}

int pattern_open(regex_t *re, const char *text)
{
	return pattern_result(regcomp(re, text, REG_EXTENDED | REG_NOSUB));
}

int pattern_check(const char *text)
{
	regex_t re;
	const int r = pattern_open(&re, text);

	if (r == 0)
		regfree(&re);
	return r;
}

bool pattern_finds(const regex_t *re, const char *text)
{
	return pattern_result(regexec(re, text, 0, NULL, 0)) == 0;
}

bool pattern_no_memory(void)
{
	return atomic_load(&refused);
}

int pattern_outcome(int r, const char *path, char error[OPT_ERROR_MAX])
{
	if (r == 0 || !pattern_no_memory())
		return r;
	snprintf(error, OPT_ERROR_MAX, "%.300s: %s", path, strerror(ENOMEM));
	return -ENOMEM;
}
