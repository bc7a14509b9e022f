/* SPDX-License-Identifier: MIT
 * machine: files in a folder that lives as long as a test.
 */
#include "machine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char machine_root[64];

static void set_up(void)
{
	snprintf(machine_root, sizeof(machine_root), "/tmp/echolab-machine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(machine_root));
}

static void tear_down(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -r %s", machine_root);
	ck_assert_int_eq(system(command), 0);
}

TCase *machine_tcase(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, set_up, tear_down);
	return t;
}

void machine_file(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", machine_root, path);
	for (char *p = full + strlen(machine_root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}
