/* SPDX-License-Identifier: MIT
 * tojson: what jansson refuses becomes what it takes.
 *
 * jansson tells of a lack of memory where it makes a value, but not where it copies or dumps one,
 * and a text that it cannot read for that reason looks damaged. So its allocator notes a refusal.
 */
#include "echo/lab/tojson.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { STRING_MAX = 4096 }; /* longer strings with bytes that are no UTF-8 are cut */

static atomic_bool tojson_refused;

static void *tojson_malloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		atomic_store(&tojson_refused, true);
	return p;
}

/* Before any value is made, in whichever program. */
static void __attribute__((constructor)) tojson_init(void)
{
	json_set_alloc_funcs(tojson_malloc, free);
}

bool tojson_no_memory(void)
{
	return atomic_load(&tojson_refused);
}

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

	if (!value || tojson_no_memory()) {
		json_decref(value);
		return -ENOMEM;
	}
	errno = 0;
	if (json_dumpf(value, to, flags) < 0 || fputc('\n', to) == EOF || fflush(to) != 0)
		e = errno ? -errno : -EIO;
	json_decref(value);
	return e;
}
