/* SPDX-License-Identifier: MIT
 * words: cut at blanks. Times are those of every other option.
 */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"

int word_next(const char **text, char *word, size_t size)
{
	size_t len;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	if (len == 0 || len >= size)
		return -EINVAL;
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len;
	return 0;
}

int word_time(const char *text, int64_t *ns)
{
	static const struct opt row = { .type = &opt_time,
					.max = SEC(86400),
					.size = sizeof(int64_t) };
	char why[OPT_ERROR_MAX];

	return opt_time.parse(&row, text, ns, why) < 0 ? -EINVAL : 0;
}

int word_refuse(char why[OPT_ERROR_MAX], const char *reason)
{
	snprintf(why, OPT_ERROR_MAX, "%s", reason);
	return -EINVAL;
}
