/* SPDX-License-Identifier: MIT
 * test_fail: the names are a contract with the readers of results, so they stand here once more.
 */
#include "echo/base/fail.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

#include "suites.h"

/* docs/results.md, "Outcomes", in the order of the enum. */
static const char *const causes[] = {
	[FAIL_FINISHED] = "finished",
	[FAIL_EOF] = "eof",
	[FAIL_EOF_EARLY] = "eof_early",
	[FAIL_RESET] = "reset",
	[FAIL_REFUSED] = "refused",
	[FAIL_TIMEOUT_CONNECT] = "timeout_connect",
	[FAIL_TIMEOUT_ANSWER] = "timeout_answer",
	[FAIL_TIMEOUT_TCP] = "timeout_tcp",
	[FAIL_HOST_UNREACHABLE] = "host_unreachable",
	[FAIL_NET_UNREACHABLE] = "net_unreachable",
	[FAIL_PROHIBITED] = "prohibited",
	[FAIL_ABORTED] = "aborted",
	[FAIL_LOCAL_LIMIT] = "local_limit",
	[FAIL_CORRUPT] = "corrupt",
	[FAIL_OTHER] = "other",
	[FAIL_IDLE_TIMEOUT] = "idle_timeout",
	[FAIL_STALLED] = "stalled",
	[FAIL_SHED] = "shed",
	[FAIL_SHUTDOWN] = "shutdown",
	[FAIL_CHILD_KILLED] = "child_killed",
};

static const char *const phases[] = { "connecting", "idle", "sending", "awaiting", "closing" };

static const struct {
	int err;
	enum fail why;
} errnos[] = {
	{ ECONNRESET, FAIL_RESET },
	{ EPIPE, FAIL_RESET },
	{ ECONNREFUSED, FAIL_REFUSED },
	{ ETIMEDOUT, FAIL_TIMEOUT_TCP },
	{ EHOSTUNREACH, FAIL_HOST_UNREACHABLE },
	{ EHOSTDOWN, FAIL_HOST_UNREACHABLE },
	{ ENETUNREACH, FAIL_NET_UNREACHABLE },
	{ ENETDOWN, FAIL_NET_UNREACHABLE },
	{ EACCES, FAIL_PROHIBITED },
	{ EPERM, FAIL_PROHIBITED },
	{ ECONNABORTED, FAIL_ABORTED },
	{ EMFILE, FAIL_LOCAL_LIMIT },
	{ ENFILE, FAIL_LOCAL_LIMIT },
	{ EADDRNOTAVAIL, FAIL_LOCAL_LIMIT },
	{ EADDRINUSE, FAIL_LOCAL_LIMIT },
	{ ENOBUFS, FAIL_LOCAL_LIMIT },
	{ ENOMEM, FAIL_LOCAL_LIMIT },
	{ EINVAL, FAIL_OTHER },      /* a local blackhole route */
	{ ENOPROTOOPT, FAIL_OTHER }, /* ICMP protocol unreachable */
	{ 4095, FAIL_OTHER },
};

START_TEST(every_cause_has_the_name_of_the_contract)
{
	ck_assert_uint_eq(ARRAY_LEN(causes), FAIL_COUNT);
	ck_assert_str_eq(fail_name(FAIL_NONE), "none");
	for (unsigned i = FAIL_FINISHED; i < FAIL_COUNT; i++)
		ck_assert_str_eq(fail_name(i), causes[i]);
}
END_TEST

START_TEST(every_phase_has_the_name_of_the_contract)
{
	ck_assert_uint_eq(ARRAY_LEN(phases), PHASE_COUNT);
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		ck_assert_str_eq(fail_phase_name(i), phases[i]);
}
END_TEST

START_TEST(an_errno_is_one_cause_in_every_phase)
{
	for (unsigned at = 0; at < PHASE_COUNT; at++)
		ck_assert_int_eq(fail_from_errno(at, errnos[_i].err), errnos[_i].why);
}
END_TEST

/* A client's EPIPE is none of its own: test_conn has what the peer did first. */
START_TEST(a_reset_has_one_name_in_both_directions)
{
	ck_assert_int_eq(fail_from_errno(PHASE_AWAITING, ECONNRESET), FAIL_RESET);
	ck_assert_int_eq(fail_from_errno(PHASE_SENDING, ECONNRESET), FAIL_RESET);
	ck_assert_int_eq(fail_from_errno(PHASE_SENDING, EPIPE), FAIL_RESET);
}
END_TEST

START_TEST(end_of_input_is_early_where_bytes_are_owed)
{
	ck_assert_int_eq(fail_from_errno(PHASE_IDLE, 0), FAIL_EOF);
	ck_assert_int_eq(fail_from_errno(PHASE_CLOSING, 0), FAIL_EOF);
	ck_assert_int_eq(fail_from_errno(PHASE_SENDING, 0), FAIL_EOF_EARLY);
	ck_assert_int_eq(fail_from_errno(PHASE_AWAITING, 0), FAIL_EOF_EARLY);
}
END_TEST

START_TEST(errnos_have_their_symbols)
{
	ck_assert_str_eq(fail_errno_name(ECONNRESET), "ECONNRESET");
	ck_assert_str_eq(fail_errno_name(ETIMEDOUT), "ETIMEDOUT");
	ck_assert_str_eq(fail_errno_name(0), "");
	for (int err = -1; err <= 5000; err++) {
		ck_assert_ptr_nonnull(fail_errno_name(err));
		ck_assert_int_eq(*fail_errno_name(err) == 0, err == 0);
	}
	ck_assert_str_eq(fail_errno_name(4095), "unknown errno");
}
END_TEST

START_TEST(only_failures_of_peer_and_path_open_an_outage)
{
	static const char *const ours[] = { "none",    "finished", "local_limit",
					    "corrupt", "shed",     "idle_timeout",
					    "stalled", "shutdown", "child_killed" };
	unsigned found = 0;

	for (unsigned why = 0; why < FAIL_COUNT; why++) {
		bool is_ours = false;

		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			is_ours |= strcmp(ours[i], fail_name(why)) == 0;
		ck_assert_int_eq(fail_is_peers(why), !is_ours);
		found += is_ours;
	}
	ck_assert_uint_eq(found, ARRAY_LEN(ours));
}
END_TEST

Suite *fail_suite(void)
{
	Suite *s = suite_create("fail");
	TCase *tc = tcase_create("fail");

	tcase_add_test(tc, every_cause_has_the_name_of_the_contract);
	tcase_add_test(tc, every_phase_has_the_name_of_the_contract);
	tcase_add_loop_test(tc, an_errno_is_one_cause_in_every_phase, 0, ARRAY_LEN(errnos));
	tcase_add_test(tc, a_reset_has_one_name_in_both_directions);
	tcase_add_test(tc, end_of_input_is_early_where_bytes_are_owed);
	tcase_add_test(tc, errnos_have_their_symbols);
	tcase_add_test(tc, only_failures_of_peer_and_path_open_an_outage);
	suite_add_tcase(s, tc);
	return s;
}
