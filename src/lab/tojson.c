/* SPDX-License-Identifier: MIT
 * tojson: what jansson refuses becomes what it takes.
 */
#include "echo/lab/tojson.h"

#include <errno.h>
#include <math.h>

enum { STRING_MAX = 4096 }; /* longer strings with bytes that are no UTF-8 are cut */

json_t *tojson_text(const char *s)
{
	json_t *text = json_string(s);
	char ascii[STRING_MAX];
	size_t n = 0;

	if (text)
		return text;
	for (; n < sizeof(ascii) && s[n]; n++)
		ascii[n] = (unsigned char)s[n] < 0x80 ? s[n] : '?';
	return json_stringn(ascii, n);
}

json_t *tojson_real(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

int tojson_write(json_t *value, size_t flags, FILE *to)
{
	int e = 0;

	if (!value)
		return -ENOMEM;
	errno = 0;
	if (json_dumpf(value, to, flags) < 0 || fputc('\n', to) == EOF || fflush(to) != 0)
		e = errno ? -errno : -EIO;
	json_decref(value);
	return e;
}
