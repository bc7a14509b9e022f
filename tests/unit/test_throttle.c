/* SPDX-License-Identifier: MIT
 * test_throttle: quotas that were used up and heat are found in the files of an invented machine.
 */
#include "echobench/run/throttle.h"

#include "machine.h"
#include "suites.h"

START_TEST(a_machine_that_tells_nothing_was_never_slowed_down)
{
	ck_assert_uint_eq(throttle_count_at(machine_root), 0);
	throttle_count();
}
END_TEST

START_TEST(a_quota_that_was_used_up_counts)
{
	machine_file("/proc/self/mountinfo",
		     "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	machine_file("/proc/self/cgroup", "0::/a\n");
	machine_file("/sys/fs/cgroup/a/cpu.stat", "nr_throttled 3\n");
	ck_assert_uint_eq(throttle_count_at(machine_root), 3);
}
END_TEST

START_TEST(heat_counts)
{
	machine_file("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "1\n");
	machine_file("/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "10\n");
	ck_assert_uint_eq(throttle_count_at(machine_root), 11);
}
END_TEST

Suite *throttle_suite(void)
{
	Suite *s = suite_create("throttle");
	TCase *t = machine_tcase("throttle");

	tcase_add_test(t, a_machine_that_tells_nothing_was_never_slowed_down);
	tcase_add_test(t, a_quota_that_was_used_up_counts);
	tcase_add_test(t, heat_counts);
	suite_add_tcase(s, t);
	return s;
}
