/* SPDX-License-Identifier: MIT
 * opt_type: the kinds of values that are words: bool, flag, enum and string. A string takes only
 * what a config file can hold, whatever the origin, so that --print-config can always be read back.
 */
#include "opt_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

bool opt_bool_word(const char *text, bool *value)
{
	static const char *const words[] = { "off", "on", "no", "yes", "false", "true", "0", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*value = i % 2 == 1;
			return true;
		}
	return false;
}

static int bool_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	assert(o->size == sizeof(bool));
	if (opt_bool_word(text, field))
		return 0;
	snprintf(why, OPT_ERROR_MAX, "must be on or off");
	return -EINVAL;
}

static bool bool_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", *(const bool *)field ? "on" : "off");
	return nth == 0;
}

/* "a, b or c", as much of it as fits. */
static void list_names(const char *const *names, char text[OPT_ERROR_MAX])
{
	size_t len = 0;

	text[0] = '\0';
	for (; *names && len < OPT_ERROR_MAX - 1; names++) {
		const char *glue = len == 0 ? "" : names[1] ? ", " : " or ";

		len += (size_t)snprintf(text + len, OPT_ERROR_MAX - len, "%s%s", glue, *names);
	}
}

static int enum_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	char list[OPT_ERROR_MAX];

	assert(o->size == sizeof(unsigned) && o->names);
	for (unsigned i = 0; o->names[i]; i++)
		if (strcmp(text, o->names[i]) == 0) {
			memcpy(field, &i, sizeof(i));
			return 0;
		}
	list_names(o->names, list);
	snprintf(why, OPT_ERROR_MAX, "must be %.400s", list);
	return -EINVAL;
}

static bool enum_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	unsigned value, count = 0;

	memcpy(&value, field, sizeof(value));
	while (o->names[count])
		count++;
	assert(value < count);
	snprintf(text, OPT_TEXT_MAX, "%s", o->names[value]);
	return nth == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Would the text survive a config file? There blanks around it and " ;" comments are cut. */
static bool fits_in_file(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || is_blank(text[0]) || is_blank(text[len - 1]) || text[0] == ';')
		return false;
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f ||
		    (is_blank(text[i]) && text[i + 1] == ';'))
			return false;
	return true;
}

static int string_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	size_t len = strlen(text);

	assert(o->size > 1);
	if (len >= o->size) {
		snprintf(why, OPT_ERROR_MAX, "is longer than %zu characters", o->size - 1);
		return -ERANGE;
	}
	if (!fits_in_file(text)) {
		snprintf(why, OPT_ERROR_MAX,
			 "holds what a config file cannot (blanks at an end, ' ;', control bytes)");
		return -EINVAL;
	}
	memcpy(field, text, len + 1);
	return 0;
}

static bool string_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	const char *value = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", value);
	return nth == 0 && value[0] != '\0';
}

bool opt_limits(const struct opt *o, char text[OPT_ERROR_MAX])
{
	if (o->type == &opt_enum)
		list_names(o->names, text);
	else if (o->type == &opt_uint || o->type == &opt_size || o->type == &opt_time ||
		 o->type == &opt_double)
		return opt_number_limits(o, text);
	else
		return false;
	return true;
}

const struct opt_type opt_bool = { "BOOL", bool_parse, bool_print };
const struct opt_type opt_flag = { NULL, bool_parse, bool_print };
const struct opt_type opt_enum = { "NAME", enum_parse, enum_print };
const struct opt_type opt_string = { "TEXT", string_parse, string_print };
const struct opt_type opt_path = { "PATH", string_parse, string_print };
