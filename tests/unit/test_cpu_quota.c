/* SPDX-License-Identifier: MIT
 * test_cpu_quota: quotas of both versions of control groups, and what they took, of all groups
 * around ours, are found in the files of an invented machine.
 */
#include "echo/base/cpu_quota.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "echo/base/base.h"

#include "suites.h"

static char root[64];

static void setup(void)
{
	snprintf(root, sizeof(root), "/tmp/echolab-quota-XXXXXX");
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

static const char version_2[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
static const char version_1[] =
	"23 1 0:20 / /sys rw - sysfs sysfs rw\n"
	"32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
	"33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

static struct cpu_quota read_all(void)
{
	struct cpu_quota q;

	cpu_quota_read_at(root, &q);
	return q;
}

START_TEST(a_machine_that_tells_nothing_has_no_quota)
{
	struct cpu_quota q = read_all();

	ck_assert(q.cpus == 0);
	ck_assert_uint_eq(q.throttled, 0);
	make("/proc/self/cgroup", "0::/\nnonsense\n3:\n1:cpu:x\n");
	make("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
	q = read_all();
	ck_assert_uint_eq(q.throttled, 0);
	make("/proc/self/mountinfo", version_2);
	q = read_all();
	ck_assert_uint_eq(q.throttled, 0);
	ck_assert_int_eq(q.throttled_ns, 0);
	cpu_quota_read(&q);
	ck_assert(q.cpus >= 0 && q.throttled_ns >= 0);
}
END_TEST

START_TEST(a_quota_of_our_group_or_of_one_around_it_counts)
{
	struct cpu_quota q;

	make("/proc/self/mountinfo", version_2);
	make("/proc/self/cgroup", "0::/a/b\n");
	make("/sys/fs/cgroup/a/b/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_usec 20\n");
	make("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	q = read_all();
	ck_assert(q.cpus == 0);
	ck_assert_uint_eq(q.throttled, 3);
	ck_assert_int_eq(q.throttled_ns, USEC(20));
	make("/sys/fs/cgroup/a/cpu.stat", "nr_throttled 40\nthrottled_usec 100\n");
	make("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
	make("/sys/fs/cgroup/cpu.stat", "nr_throttled 500\n");
	make("/sys/fs/cgroup/cpu.max", "20000 10000\n");
	make("/sys/fs/cgroup/other/cpu.stat", "nr_throttled 7000\n");
	make("/sys/fs/cpu.stat", "nr_throttled 7000\n");
	make("/sys/fs/cpu.max", "1 10000\n");
	q = read_all();
	ck_assert(q.cpus == 1.5);
	ck_assert_uint_eq(q.throttled, 543);
	ck_assert_int_eq(q.throttled_ns, USEC(120));
}
END_TEST

START_TEST(so_it_does_in_version_1)
{
	struct cpu_quota q;

	make("/proc/self/mountinfo", version_1);
	make("/proc/self/cgroup", "4:cpuset:/x\n3:memory:/x\n2:cpu,cpuacct:/x\n1:name=cpu:/x\n");
	make("/sys/fs/cgroup/cpu,cpuacct/x/cpu.stat", "nr_throttled 2\nthrottled_time 7\n");
	make("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "10000\n");
	make("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	make("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
	make("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
	make("/sys/fs/cgroup/cpuset/x/cpu.stat", "nr_throttled 7000\n");
	q = read_all();
	ck_assert(q.cpus == 0.1);
	ck_assert_uint_eq(q.throttled, 2);
	ck_assert_int_eq(q.throttled_ns, 7);
	make("/proc/self/cgroup", "2:cpu,cpuacct:/\n0::/x\n");
	make("/sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_throttled 4\n");
	q = read_all();
	ck_assert(q.cpus == 0);
	ck_assert_uint_eq(q.throttled, 4);
}
END_TEST

/* /proc/self/cgroup says where our group is in the whole hierarchy, of which a container's mount
 * shows a part. */
START_TEST(a_mount_that_begins_at_a_group_of_its_own_is_understood)
{
	make("/proc/self/mountinfo",
	     "33 31 0:30 /docker/y /elsewhere rw - cgroup cgroup rw,cpu\n"
	     "33 31 0:30 /docker/x /my\\040groups rw - cgroup cgroup rw,cpu\n");
	make("/proc/self/cgroup", "1:cpu:/docker/x/in\n");
	make("/elsewhere/cpu.stat", "nr_throttled 7000\n");
	make("/my groups/in/cpu.stat", "nr_throttled 1\n");
	make("/my groups/cpu.stat", "nr_throttled 2\n");
	ck_assert_uint_eq(read_all().throttled, 3);
	make("/proc/self/cgroup", "1:cpu:/docker/xyz\n");
	ck_assert_uint_eq(read_all().throttled, 0);
}
END_TEST

Suite *cpu_quota_suite(void)
{
	Suite *s = suite_create("cpu_quota");
	TCase *t = tcase_create("cpu_quota");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_machine_that_tells_nothing_has_no_quota);
	tcase_add_test(t, a_quota_of_our_group_or_of_one_around_it_counts);
	tcase_add_test(t, so_it_does_in_version_1);
	tcase_add_test(t, a_mount_that_begins_at_a_group_of_its_own_is_understood);
	suite_add_tcase(s, t);
	return s;
}
