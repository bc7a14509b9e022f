/* SPDX-License-Identifier: MIT
 * options: what is printed of a configuration is read back as the same.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/opt.h"
#include "fuzz.h"

static void write_value(void *arg, const char *section, const char *key, const char *value)
{
	fprintf(arg, "%s.%s = %s\n", section, key, value);
}

/* All values, a line each; to be freed. */
static char *values_of(const struct opt_set *s)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	FUZZ_CHECK(to);
	opt_each(s, write_value, to);
	FUZZ_CHECK(fclose(to) == 0);
	return text;
}

void fuzz_print_back(const struct opt_set *s, struct opt_set *again)
{
	char *printed = NULL, *was, *is;
	size_t len;
	FILE *f = open_memstream(&printed, &len);

	FUZZ_CHECK(f);
	opt_print_config(s, f);
	FUZZ_CHECK(fclose(f) == 0);
	f = fmemopen(printed, len, "r");
	FUZZ_CHECK(f && opt_read_defaults(again) == 0);
	if (opt_read_file(again, f, "printed.conf") < 0) {
		fprintf(stderr, "%s\n%s", again->error, printed);
		abort();
	}
	fclose(f);
	was = values_of(s);
	is = values_of(again);
	if (strcmp(was, is) != 0) {
		fprintf(stderr, "%s%s%s", was, "---\n", is);
		abort();
	}
	free(was);
	free(is);
	free(printed);
}

int fuzz_read_file(struct opt_set *s, const char *text, size_t len)
{
	FILE *f;
	int r;

	if (len == 0)
		return 0;
	f = fmemopen((void *)(uintptr_t)text, len, "r");
	FUZZ_CHECK(f);
	r = opt_read_file(s, f, "fuzz.conf");
	FUZZ_CHECK((r < 0) == (s->error[0] != '\0'));
	FUZZ_CHECK(s->phase_count <= OPT_PHASES_MAX);
	fclose(f);
	return r;
}
