/* SPDX-License-Identifier: MIT
 * written: a memory stream that lives as long as a test.
 */
#include "written.h"

#include <stdlib.h>

FILE *written_to;
static char *text;
static size_t size;

static void set_up(void)
{
	written_to = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(written_to);
}

static void tear_down(void)
{
	if (written_to)
		fclose(written_to);
	free(text);
}

TCase *written_tcase(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, set_up, tear_down);
	return t;
}

const char *written(void)
{
	fclose(written_to);
	written_to = NULL;
	return text;
}
