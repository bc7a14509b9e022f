/* SPDX-License-Identifier: MIT
 * test_provenance: a machine made of files, with what it tells and what it does not.
 */
#include "echo/lab/provenance.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"

#include "machine.h"
#include "suites.h"

static struct provenance p;

static void make_issue(const char *name, const char *state)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", name);
	machine_file(path, state);
}

/* The value that provenance_each calls with this name; "" if it does not. */
struct wanted {
	const char *name;
	char value[PROVENANCE_MITIGATIONS_MAX];
	unsigned calls;
};

static void want(void *arg, const char *name, const char *value)
{
	struct wanted *w = arg;

	w->calls++;
	ck_assert_str_ne(value, "");
	if (strcmp(name, w->name) == 0)
		snprintf(w->value, sizeof(w->value), "%s", value);
}

static void expect(const char *name, const char *value)
{
	struct wanted w = { .name = name };

	provenance_each(&p, want, &w);
	ck_assert_str_eq(w.value, value);
}

START_TEST(this_machine_has_a_kernel_cpus_and_a_congestion_control)
{
	provenance_read(&p, "");
	ck_assert_int_eq(strncmp(p.kernel, "Linux ", 6), 0);
	ck_assert_uint_ge(p.cpus_online, 1);
	ck_assert_uint_ge(p.cpus_allowed, 1);
	ck_assert_uint_gt(strlen(p.version), 0);
	ck_assert_uint_le(p.sysctl_count, PROVENANCE_SYSCTLS_MAX);
	if (access("/proc/sys/net/ipv4/tcp_congestion_control", R_OK) == 0) {
		struct wanted w = { .name = "net.ipv4.tcp_congestion_control" };

		provenance_each(&p, want, &w);
		ck_assert_str_ne(w.value, "");
	}
}
END_TEST

START_TEST(what_a_machine_does_not_tell_is_left_out)
{
	struct wanted w = { .name = "cpu" };

	provenance_read(&p, machine_root);
	provenance_each(&p, want, &w);
	ck_assert_str_eq(w.value, "");
	ck_assert_uint_le(w.calls, 6); /* version, commit, kernel and its build, CPUs */
	ck_assert_uint_eq(p.sysctl_count, 0);
	ck_assert_int_eq(provenance_steal_at(machine_root), -1);
}
END_TEST

START_TEST(the_model_of_an_x86_cpu_is_found)
{
	machine_file("/proc/cpuinfo",
		     "processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some CPU @ 3 GHz\n"
		     "flags\t\t: fpu nohypervisor\n");
	provenance_read(&p, machine_root);
	expect("cpu", "Some CPU @ 3 GHz");
	expect("virtualization", "");
}
END_TEST

START_TEST(an_arm_cpu_has_numbers)
{
	machine_file("/proc/cpuinfo",
		     "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
	provenance_read(&p, machine_root);
	expect("cpu", "implementer 0x41, part 0xd0c");
}
END_TEST

START_TEST(a_virtual_machine_has_its_name_if_it_tells_it)
{
	machine_file("/proc/cpuinfo", "flags\t\t: fpu hypervisor\n");
	provenance_read(&p, machine_root);
	expect("virtualization", "hypervisor");
	machine_file("/sys/hypervisor/type", "xen\n");
	provenance_read(&p, machine_root);
	expect("virtualization", "xen");
	machine_file("/sys/class/dmi/id/product_name", "HVM domU\n");
	provenance_read(&p, machine_root);
	expect("virtualization", "HVM domU");
}
END_TEST

START_TEST(mitigations_are_summed_up)
{
	make_issue("meltdown", "Not affected\n");
	provenance_read(&p, machine_root);
	expect("mitigations", "none needed");
	make_issue("spectre_v2", "Mitigation: Retpolines\n");
	make_issue("retbleed", "Vulnerable: Safe RET, no microcode\n");
	make_issue("mds", "Vulnerable\n");
	make_issue("srbds", "Unknown: Dependent on hypervisor status\n");
	provenance_read(&p, machine_root);
	expect("mitigations", "vulnerable: mds, retbleed; mitigated: spectre_v2; unknown: srbds");
}
END_TEST

START_TEST(more_mitigations_than_there_is_room_for_are_cut)
{
	char name[64];

	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "a_vulnerability_with_a_long_name_%d", i);
		make_issue(name, "Vulnerable\n");
	}
	provenance_read(&p, machine_root);
	ck_assert_uint_eq(strlen(p.mitigations), PROVENANCE_MITIGATIONS_MAX - 1);
}
END_TEST

START_TEST(sysctls_have_their_names_and_plain_spaces)
{
	machine_file("/proc/sys/net/ipv4/tcp_retries2", "15\n");
	machine_file("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
	provenance_read(&p, machine_root);
	ck_assert_uint_eq(p.sysctl_count, 2);
	expect("net.ipv4.tcp_retries2", "15");
	expect("net.ipv4.tcp_rmem", "4096 131072 6291456");
}
END_TEST

START_TEST(stolen_time_is_the_eighth_figure)
{
	machine_file("/proc/stat", "cpu  1 2 3 4 5 6 7 250 9 10\ncpu0 1 2 3 4 5 6 7 99 9 10\n");
	ck_assert_int_eq(provenance_steal_at(machine_root), 250 * (SEC(1) / sysconf(_SC_CLK_TCK)));
	machine_file("/proc/stat", "cpu  1 2 3 4 5 6 7\n");
	ck_assert_int_eq(provenance_steal_at(machine_root), -1);
	machine_file("/proc/stat", "cpu  1 2 3 4 5 6 7 18446744073709551615 0 0\n");
	ck_assert_int_eq(provenance_steal_at(machine_root), -1);
	ck_assert_int_ge(provenance_steal_ns(), -1);
}
END_TEST

Suite *provenance_suite(void)
{
	Suite *s = suite_create("provenance");
	TCase *t = machine_tcase("provenance");

	tcase_add_test(t, this_machine_has_a_kernel_cpus_and_a_congestion_control);
	tcase_add_test(t, what_a_machine_does_not_tell_is_left_out);
	tcase_add_test(t, the_model_of_an_x86_cpu_is_found);
	tcase_add_test(t, an_arm_cpu_has_numbers);
	tcase_add_test(t, a_virtual_machine_has_its_name_if_it_tells_it);
	tcase_add_test(t, mitigations_are_summed_up);
	tcase_add_test(t, more_mitigations_than_there_is_room_for_are_cut);
	tcase_add_test(t, sysctls_have_their_names_and_plain_spaces);
	tcase_add_test(t, stolen_time_is_the_eighth_figure);
	suite_add_tcase(s, t);
	return s;
}
