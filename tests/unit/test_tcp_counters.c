/* SPDX-License-Identifier: MIT
 * test_tcp_counters: the kernel's counters are found by name, wherever they stand.
 */
#include "echo/lab/tcp_counters.h"

#include "machine.h"
#include "suites.h"

START_TEST(each_stands_under_its_name)
{
	struct tcp_counters c;

	machine_file("/proc/net/netstat",
		     "IpExt: ListenDrops\nIpExt: 99\n"
		     "TcpExt: A ListenOverflows ListenDrops TCPMemoryPressures\nTcpExt: 1 2 3 4\n");
	machine_file("/proc/net/snmp", "Tcp: RetransSegs InErrs\nTcp: 7 0\n");
	tcp_counters_read_at(machine_root, &c);
	ck_assert_int_eq(c.of[TCP_LISTEN_OVERFLOWS], 2);
	ck_assert_int_eq(c.of[TCP_LISTEN_DROPS], 3);
	ck_assert_int_eq(c.of[TCP_MEMORY_PRESSURES], 4);
	ck_assert_int_eq(c.of[TCP_ABORT_ON_MEMORY], -1); /* this kernel has none */
	ck_assert_int_eq(c.of[TCP_RETRANSMITS], 7);
}
END_TEST

START_TEST(what_has_moved_is_the_difference)
{
	struct tcp_counters before, now;

	machine_file("/proc/net/snmp", "Tcp: RetransSegs\nTcp: 7\n");
	tcp_counters_read_at(machine_root, &before);
	machine_file("/proc/net/snmp", "Tcp: RetransSegs\nTcp: 10\n");
	tcp_counters_read_at(machine_root, &now);
	tcp_counters_since(&now, &before);
	ck_assert_int_eq(now.of[TCP_RETRANSMITS], 3);
	ck_assert_int_eq(now.of[TCP_LISTEN_DROPS], -1);
	machine_file("/proc/net/snmp", "Tcp: RetransSegs\n");
	tcp_counters_read_at(machine_root, &now);
	tcp_counters_since(&now, &before);
	ck_assert_int_eq(now.of[TCP_RETRANSMITS], -1);
}
END_TEST

START_TEST(this_machine_has_all_of_them)
{
	struct tcp_counters c;

	tcp_counters_read(&c);
	for (unsigned i = 0; i < TCP_COUNTERS; i++)
		ck_assert_msg(c.of[i] >= 0, "%s", tcp_counter_name(i));
}
END_TEST

Suite *tcp_counters_suite(void)
{
	Suite *s = suite_create("tcp_counters");
	TCase *t = machine_tcase("tcp_counters");

	tcase_add_test(t, each_stands_under_its_name);
	tcase_add_test(t, what_has_moved_is_the_difference);
	tcase_add_test(t, this_machine_has_all_of_them);
	suite_add_tcase(s, t);
	return s;
}
