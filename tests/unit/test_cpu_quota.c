/* SPDX-License-Identifier: MIT
 * test_cpu_quota: quotas of both versions of control groups, and what they took, of all groups
 * around ours, are found in the files of an invented machine.
 */
#include "echo/base/cpu_quota.h"

#include "echo/base/base.h"

#include "machine.h"
#include "suites.h"

static const char version_2[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
static const char version_1[] =
	"23 1 0:20 / /sys rw - sysfs sysfs rw\n"
	"32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
	"33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

static struct cpu_quota read_all(void)
{
	struct cpu_quota q;

	cpu_quota_read_at(machine_root, &q);
	return q;
}

START_TEST(a_machine_that_tells_nothing_has_no_quota)
{
	struct cpu_quota q = read_all();

	ck_assert(q.cpus == 0);
	ck_assert_uint_eq(q.throttled, 0);
	machine_file("/proc/self/cgroup", "0::/\nnonsense\n3:\n1:cpu:x\n");
	machine_file("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
	q = read_all();
	ck_assert_uint_eq(q.throttled, 0);
	machine_file("/proc/self/mountinfo", version_2);
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

	machine_file("/proc/self/mountinfo", version_2);
	machine_file("/proc/self/cgroup", "0::/a/b\n");
	machine_file("/sys/fs/cgroup/a/b/cpu.stat",
		     "nr_periods 9\nnr_throttled 3\nthrottled_usec 20\n");
	machine_file("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	q = read_all();
	ck_assert(q.cpus == 0);
	ck_assert_uint_eq(q.throttled, 3);
	ck_assert_int_eq(q.throttled_ns, USEC(20));
	machine_file("/sys/fs/cgroup/a/cpu.stat", "nr_throttled 40\nthrottled_usec 100\n");
	machine_file("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
	machine_file("/sys/fs/cgroup/cpu.stat", "nr_throttled 500\n");
	machine_file("/sys/fs/cgroup/cpu.max", "20000 10000\n");
	machine_file("/sys/fs/cgroup/other/cpu.stat", "nr_throttled 7000\n");
	machine_file("/sys/fs/cpu.stat", "nr_throttled 7000\n");
	machine_file("/sys/fs/cpu.max", "1 10000\n");
	q = read_all();
	ck_assert(q.cpus == 1.5);
	ck_assert_uint_eq(q.throttled, 543);
	ck_assert_int_eq(q.throttled_ns, USEC(120));
}
END_TEST

START_TEST(so_it_does_in_version_1)
{
	struct cpu_quota q;

	machine_file("/proc/self/mountinfo", version_1);
	machine_file("/proc/self/cgroup",
		     "4:cpuset:/x\n3:memory:/x\n2:cpu,cpuacct:/x\n1:name=cpu:/x\n");
	machine_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.stat", "nr_throttled 2\nthrottled_time 7\n");
	machine_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "10000\n");
	machine_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	machine_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
	machine_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
	machine_file("/sys/fs/cgroup/cpuset/x/cpu.stat", "nr_throttled 7000\n");
	q = read_all();
	ck_assert(q.cpus == 0.1);
	ck_assert_uint_eq(q.throttled, 2);
	ck_assert_int_eq(q.throttled_ns, 7);
	machine_file("/proc/self/cgroup", "2:cpu,cpuacct:/\n0::/x\n");
	machine_file("/sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_throttled 4\n");
	q = read_all();
	ck_assert(q.cpus == 0);
	ck_assert_uint_eq(q.throttled, 4);
}
END_TEST

/* /proc/self/cgroup says where our group is in the whole hierarchy, of which a container's mount
 * shows a part. */
START_TEST(a_mount_that_begins_at_a_group_of_its_own_is_understood)
{
	machine_file("/proc/self/mountinfo",
		     "33 31 0:30 /docker/y /elsewhere rw - cgroup cgroup rw,cpu\n"
		     "33 31 0:30 /docker/x /my\\040groups rw - cgroup cgroup rw,cpu\n");
	machine_file("/proc/self/cgroup", "1:cpu:/docker/x/in\n");
	machine_file("/elsewhere/cpu.stat", "nr_throttled 7000\n");
	machine_file("/my groups/in/cpu.stat", "nr_throttled 1\n");
	machine_file("/my groups/cpu.stat", "nr_throttled 2\n");
	ck_assert_uint_eq(read_all().throttled, 3);
	machine_file("/proc/self/cgroup", "1:cpu:/docker/xyz\n");
	ck_assert_uint_eq(read_all().throttled, 0);
}
END_TEST

Suite *cpu_quota_suite(void)
{
	Suite *s = suite_create("cpu_quota");
	TCase *t = machine_tcase("cpu_quota");

	tcase_add_test(t, a_machine_that_tells_nothing_has_no_quota);
	tcase_add_test(t, a_quota_of_our_group_or_of_one_around_it_counts);
	tcase_add_test(t, so_it_does_in_version_1);
	tcase_add_test(t, a_mount_that_begins_at_a_group_of_its_own_is_understood);
	suite_add_tcase(s, t);
	return s;
}
