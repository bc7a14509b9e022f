/* SPDX-License-Identifier: MIT
 * test_throttle: quotas that were used up and heat are found in the files of an invented machine.
 */
#include "echobench/run/throttle.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "suites.h"

static char root[64];

static void setup(void)
{
	snprintf(root, sizeof(root), "/tmp/echolab-throttle-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void make(const char *path, const char *text)
{
	char all[PATH_MAX];
	FILE *f;

	snprintf(all, sizeof(all), "%s%s", root, path);
	for (char *p = all + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(all, 0700);
		*p = '/';
	}
	f = fopen(all, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(a_machine_that_tells_nothing_was_never_slowed_down)
{
	ck_assert_uint_eq(throttle_count_at(root), 0);
	throttle_count();
}
END_TEST

START_TEST(a_quota_that_was_used_up_counts)
{
	make("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	make("/proc/self/cgroup", "0::/a\n");
	make("/sys/fs/cgroup/a/cpu.stat", "nr_throttled 3\n");
	ck_assert_uint_eq(throttle_count_at(root), 3);
}
END_TEST

START_TEST(heat_counts)
{
	make("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "1\n");
	make("/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "10\n");
	ck_assert_uint_eq(throttle_count_at(root), 11);
}
END_TEST

Suite *throttle_suite(void)
{
	Suite *s = suite_create("throttle");
	TCase *t = tcase_create("throttle");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_machine_that_tells_nothing_was_never_slowed_down);
	tcase_add_test(t, a_quota_that_was_used_up_counts);
	tcase_add_test(t, heat_counts);
	suite_add_tcase(s, t);
	return s;
}
