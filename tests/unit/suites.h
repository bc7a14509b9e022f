/* SPDX-License-Identifier: MIT
 * suites: the list of unit test suites. test_<module>.c includes this and exports <module>_suite;
 * a new one adds its line here.
 */
#ifndef ECHO_TESTS_SUITES_H
#define ECHO_TESTS_SUITES_H

#include <check.h>

/* clang-format off */
#define SUITES(X)         \
	X(acceptor)       \
	X(addr)           \
	X(arrivals)       \
	X(backend)        \
	X(balance)        \
	X(busy_poll)      \
	X(baseline)       \
	X(books)          \
	X(bottleneck)     \
	X(cause)          \
	X(cell)           \
	X(child)          \
	X(clock)          \
	X(clock_steps)    \
	X(conn)           \
	X(conn_slot)      \
	X(contract)       \
	X(cpu_quota)      \
	X(drill_capture)  \
	X(drill_chaos)    \
	X(drill_diag)     \
	X(drill_ends)     \
	X(drill_footprint) \
	X(drill_explain)  \
	X(drill_file)     \
	X(drill_frame)    \
	X(drill_judge)    \
	X(drill_notice)   \
	X(drill_picture)  \
	X(drill_proc)     \
	X(drill_progress) \
	X(drill_report)   \
	X(drill_run)      \
	X(escape)         \
	X(gated_client)   \
	X(hist)           \
	X(hist_codec)     \
	X(hist_merge)     \
	X(limit)          \
	X(listen)         \
	X(log)            \
	X(log_limit)      \
	X(merge)          \
	X(merge_outages)  \
	X(merge_parts)    \
	X(net_opt)        \
	X(opt)            \
	X(opts_type)      \
	X(pace)           \
	X(part)           \
	X(outage)         \
	X(output)         \
	X(outputs)        \
	X(paired)         \
	X(pauses)         \
	X(path)           \
	X(payload)        \
	X(page)           \
	X(plot)           \
	X(printed)        \
	X(process)        \
	X(prom)           \
	X(provenance)     \
	X(report)         \
	X(report_json)    \
	X(rng)            \
	X(series)         \
	X(server_file)    \
	X(service)        \
	X(size)           \
	X(shed)           \
	X(sock)           \
	X(srcaddr)        \
	X(tcp_counters)   \
	X(targets)        \
	X(textwrap)       \
	X(throttle)       \
	X(timer)          \
	X(units)          \
	X(unsent)         \
	X(verdict)        \
	X(verdict_bounds) \
	X(worker)         \
	X(worker_turn)
/* clang-format on */

#define SUITE_DECLARE(module) Suite *module##_suite(void);
SUITES(SUITE_DECLARE)
#undef SUITE_DECLARE

#endif
