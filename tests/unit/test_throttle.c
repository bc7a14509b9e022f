/* SPDX-License-Identifier: MIT
 * test_throttle: quotas of both versions of control groups, of all groups around ours, and heat are
 * found in the files of an invented machine.
 */
#include "echobench/throttle.h"

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
	make("/proc/self/cgroup", "0::/\nnonsense\n3:\n");
	make("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
	ck_assert_uint_eq(throttle_count_at(root), 0);
	throttle_count();
}
END_TEST

START_TEST(a_quota_of_our_group_or_of_one_around_it_counts)
{
	make("/proc/self/cgroup", "0::/a/b\n");
	make("/sys/fs/cgroup/a/b/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 3\n");
	ck_assert_uint_eq(throttle_count_at(root), 3);
	make("/sys/fs/cgroup/a/cpu.stat", "nr_throttled 40\n");
	make("/sys/fs/cgroup/cpu.stat", "nr_throttled 500\n");
	make("/sys/fs/cgroup/other/cpu.stat", "nr_throttled 7000\n");
	make("/sys/fs/cpu.stat", "nr_throttled 7000\n");
	ck_assert_uint_eq(throttle_count_at(root), 543);
}
END_TEST

START_TEST(so_it_does_in_version_1)
{
	make("/proc/self/cgroup", "4:cpuset:/x\n3:memory:/x\n2:cpu,cpuacct:/x\n1:name=cpu:/x\n");
	make("/sys/fs/cgroup/cpu,cpuacct/x/cpu.stat", "nr_periods 1\nnr_throttled 2\n");
	make("/sys/fs/cgroup/cpuset/x/cpu.stat", "nr_throttled 7000\n");
	ck_assert_uint_eq(throttle_count_at(root), 2);
	make("/proc/self/cgroup", "1:cpu:/\n");
	make("/sys/fs/cgroup/cpu/cpu.stat", "nr_throttled 4\n");
	ck_assert_uint_eq(throttle_count_at(root), 4);
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
	tcase_add_test(t, a_quota_of_our_group_or_of_one_around_it_counts);
	tcase_add_test(t, so_it_does_in_version_1);
	tcase_add_test(t, heat_counts);
	suite_add_tcase(s, t);
	return s;
}
