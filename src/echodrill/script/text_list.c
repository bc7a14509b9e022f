/* SPDX-License-Identifier: MIT
 * text_list: see text_list.h.
 */
#include "text_list.h"

#include <errno.h>
#include <stdio.h>

int text_list_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct text_list *l = field;

	(void)o;
	if (l->count == TEXT_LIST_MAX) {
		snprintf(why, OPT_ERROR_MAX, "is one too many: at most %d", TEXT_LIST_MAX);
		return -ERANGE;
	}
	snprintf(l->at[l->count++], OPT_TEXT_MAX, "%s", text);
	return 0;
}

bool text_list_print(const struct opt *o, const void *field, unsigned nth, char text[OPT_TEXT_MAX])
{
	const struct text_list *l = field;

	(void)o;
	if (nth < l->count)
		snprintf(text, OPT_TEXT_MAX, "%s", l->at[nth]);
	return nth < l->count;
}

const struct opt_type text_list_type = { "TEXT", text_list_parse, text_list_print };
