/* SPDX-License-Identifier: MIT
 * printed: finds JSON in the output of a command, and numbers in JSON.
 */
#include "printed.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/opt.h"

json_t *printed_json(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	size_t len = strlen(text);
	const char *line;

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	line = len > 0 ? memrchr(text, '\n', len) : NULL;
	if (line && !json)
		json = json_loadb(line + 1, (size_t)(text + len - line - 1), 0, NULL);
	return json;
}

/* What stands under @name in an object, or at that index in an array; NULL: nothing does. */
static json_t *member(const json_t *json, const char *name)
{
	if (!json_is_array(json))
		return json_object_get(json, name);
	if (!name[0] || name[strspn(name, "0123456789")])
		return NULL;
	return json_array_get(json, strtoul(name, NULL, 10));
}

double printed_number(const json_t *json, const char *path)
{
	while (*path == '.' && json) {
		size_t len = strcspn(++path, ".");
		char name[OPT_TEXT_MAX];

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		json = member(json, name);
		path += len;
	}
	return json_is_number(json) ? json_number_value(json) : (double)NAN;
}

uint64_t printed_messages(const json_t *json)
{
	double n = printed_number(json, ".messages");

	if (isnan(n))
		n = printed_number(json, ".messages.echoed"); /* echoload/1 */
	/* a double of 2^64 or more has no uint64_t that it could become; nobody counts so far */
	return n > 0 && n <= (double)INT64_MAX ? (uint64_t)n : 0;
}
