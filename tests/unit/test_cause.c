/* SPDX-License-Identifier: MIT
 * test_cause: the names are a contract with the readers of results, so they stand here once more.
 */
#include "echo/base/cause.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

#include "suites.h"

/* docs/results.md, "Outcomes", in the order of the enum. */
static const char *const causes[] = {
	[CAUSE_FINISHED] = "finished",
	[CAUSE_EOF] = "eof",
	[CAUSE_EOF_EARLY] = "eof_early",
	[CAUSE_RESET] = "reset",
	[CAUSE_REFUSED] = "refused",
	[CAUSE_TIMEOUT_CONNECT] = "timeout_connect",
	[CAUSE_TIMEOUT_ANSWER] = "timeout_answer",
	[CAUSE_TIMEOUT_TCP] = "timeout_tcp",
	[CAUSE_HOST_UNREACHABLE] = "host_unreachable",
	[CAUSE_NET_UNREACHABLE] = "net_unreachable",
	[CAUSE_PROHIBITED] = "prohibited",
	[CAUSE_ABORTED] = "aborted",
	[CAUSE_LOCAL_LIMIT] = "local_limit",
	[CAUSE_CORRUPT] = "corrupt",
	[CAUSE_OTHER] = "other",
	[CAUSE_IDLE_TIMEOUT] = "idle_timeout",
	[CAUSE_STALLED] = "stalled",
	[CAUSE_SHED] = "shed",
	[CAUSE_SHUTDOWN] = "shutdown",
	[CAUSE_CHILD_KILLED] = "child_killed",
	[CAUSE_MOVED] = "moved",
	[CAUSE_ADDRESS_LIMIT] = "address_limit",
	[CAUSE_RATE_LIMIT] = "rate_limit",
	[CAUSE_SLOW] = "slow",
};

static const char *const phases[] = { "connecting", "idle", "sending", "awaiting", "closing" };

static const struct {
	int err;
	enum cause cause;
} errnos[] = {
	{ ECONNRESET, CAUSE_RESET },
	{ EPIPE, CAUSE_RESET },
	{ ECONNREFUSED, CAUSE_REFUSED },
	{ ENOENT, CAUSE_REFUSED }, /* no unix socket */
	{ ETIMEDOUT, CAUSE_TIMEOUT_TCP },
	{ EHOSTUNREACH, CAUSE_HOST_UNREACHABLE },
	{ EHOSTDOWN, CAUSE_HOST_UNREACHABLE },
	{ ENETUNREACH, CAUSE_NET_UNREACHABLE },
	{ ENETDOWN, CAUSE_NET_UNREACHABLE },
	{ EACCES, CAUSE_PROHIBITED },
	{ EPERM, CAUSE_PROHIBITED },
	{ ECONNABORTED, CAUSE_ABORTED },
	{ EMFILE, CAUSE_LOCAL_LIMIT },
	{ ENFILE, CAUSE_LOCAL_LIMIT },
	{ EADDRNOTAVAIL, CAUSE_LOCAL_LIMIT },
	{ EADDRINUSE, CAUSE_LOCAL_LIMIT },
	{ ENOBUFS, CAUSE_LOCAL_LIMIT },
	{ ENOMEM, CAUSE_LOCAL_LIMIT },
	{ ENOSPC, CAUSE_LOCAL_LIMIT },
	{ EINVAL, CAUSE_OTHER },      /* a local blackhole route */
	{ ENOPROTOOPT, CAUSE_OTHER }, /* ICMP protocol unreachable */
	{ 4095, CAUSE_OTHER },
};

START_TEST(every_cause_has_the_name_of_the_contract)
{
	ck_assert_uint_eq(ARRAY_LEN(causes), CAUSE_COUNT);
	ck_assert_str_eq(cause_name(CAUSE_NONE), "none");
	for (unsigned i = CAUSE_FINISHED; i < CAUSE_COUNT; i++) {
		ck_assert_str_eq(cause_name(i), causes[i]);
		ck_assert_int_eq(cause_find(causes[i]), i);
	}
	ck_assert_int_eq(cause_find("of old age"), CAUSE_COUNT);
}
END_TEST

START_TEST(every_phase_has_the_name_of_the_contract)
{
	ck_assert_uint_eq(ARRAY_LEN(phases), PHASE_COUNT);
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		ck_assert_str_eq(cause_phase_name(i), phases[i]);
}
END_TEST

START_TEST(an_errno_is_one_cause_in_every_phase)
{
	for (unsigned at = 0; at < PHASE_COUNT; at++)
		ck_assert_int_eq(cause_from_errno(at, errnos[_i].err), errnos[_i].cause);
}
END_TEST

START_TEST(every_other_errno_is_other)
{
	for (int err = 1; err < 200; err++) {
		bool listed = false;

		for (size_t i = 0; i < ARRAY_LEN(errnos); i++)
			listed |= errnos[i].err == err;
		if (!listed)
			ck_assert_int_eq(cause_from_errno(PHASE_IDLE, err), CAUSE_OTHER);
	}
}
END_TEST

/* A client's EPIPE is none of its own: test_conn has what the peer did first. */
START_TEST(a_reset_has_one_name_in_both_directions)
{
	ck_assert_int_eq(cause_from_errno(PHASE_AWAITING, ECONNRESET), CAUSE_RESET);
	ck_assert_int_eq(cause_from_errno(PHASE_SENDING, ECONNRESET), CAUSE_RESET);
	ck_assert_int_eq(cause_from_errno(PHASE_SENDING, EPIPE), CAUSE_RESET);
}
END_TEST

START_TEST(end_of_input_is_early_where_bytes_are_owed)
{
	ck_assert_int_eq(cause_from_errno(PHASE_IDLE, 0), CAUSE_EOF);
	ck_assert_int_eq(cause_from_errno(PHASE_CLOSING, 0), CAUSE_EOF);
	ck_assert_int_eq(cause_from_errno(PHASE_SENDING, 0), CAUSE_EOF_EARLY);
	ck_assert_int_eq(cause_from_errno(PHASE_AWAITING, 0), CAUSE_EOF_EARLY);
}
END_TEST

START_TEST(errnos_have_their_symbols)
{
	ck_assert_str_eq(cause_errno_name(ECONNRESET), "ECONNRESET");
	ck_assert_str_eq(cause_errno_name(ETIMEDOUT), "ETIMEDOUT");
	ck_assert_str_eq(cause_errno_name(0), "");
	for (int err = -1; err <= 5000; err++) {
		ck_assert_ptr_nonnull(cause_errno_name(err));
		ck_assert_int_eq(*cause_errno_name(err) == 0, err == 0);
	}
	ck_assert_str_eq(cause_errno_name(4095), "unknown errno");
}
END_TEST

START_TEST(only_failures_of_peer_and_path_open_an_outage)
{
	static const char *const ours[] = { "none",    "finished",      "local_limit",
					    "corrupt", "shed",          "idle_timeout",
					    "stalled", "shutdown",      "child_killed",
					    "moved",   "address_limit", "rate_limit",
					    "slow" };
	unsigned found = 0;

	for (unsigned why = 0; why < CAUSE_COUNT; why++) {
		bool is_ours = false;

		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			is_ours |= strcmp(ours[i], cause_name(why)) == 0;
		ck_assert_int_eq(cause_is_peers(why), !is_ours);
		found += is_ours;
	}
	ck_assert_uint_eq(found, ARRAY_LEN(ours));
}
END_TEST

/* README.md, "exit code": ends that were asked for are no error, what this machine lacks is the
 * environment's. */
START_TEST(every_cause_has_the_exit_code_of_the_contract)
{
	for (unsigned why = 0; why < CAUSE_COUNT; why++) {
		const char *name = cause_name(why);
		const bool asked = strcmp(name, "none") == 0 || strcmp(name, "finished") == 0 ||
				   strcmp(name, "moved") == 0;

		ck_assert_int_eq(cause_exit_code(why), asked                              ? 0
						       : strcmp(name, "local_limit") == 0 ? 4
											  : 1);
	}
}
END_TEST

/* Of the others the name is all that there is to say. */
static const struct {
	const char *name, *text;
} texts[] = {
	{ "eof", "end of file" },
	{ "eof_early", "end of file instead of the answer" },
	{ "reset", "`ECONNRESET`" },
	{ "refused", "`ECONNREFUSED`" },
	{ "timeout_connect", "its own time limit" },
	{ "timeout_answer", "its own time limit" },
	{ "timeout_tcp", "`ETIMEDOUT`" },
	{ "host_unreachable", "`EHOSTUNREACH`" },
	{ "net_unreachable", "`ENETUNREACH`" },
	{ "prohibited", "`EACCES`" },
	{ "aborted", "`ECONNABORTED`" },
};

START_TEST(a_reader_is_told_what_a_program_would_see)
{
	for (unsigned why = 0; why < CAUSE_COUNT; why++) {
		const char *text = cause_name(why);

		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			text = strcmp(texts[i].name, cause_name(why)) == 0 ? texts[i].text : text;
		ck_assert_str_eq(cause_text(why), text);
	}
}
END_TEST

START_TEST(a_line_in_the_log_is_for_ends_by_a_limit_that_somebody_set)
{
	static const char *const limits[] = { "stalled", "shed", "address_limit", "rate_limit",
					      "slow" };

	for (unsigned why = 0; why < CAUSE_COUNT; why++) {
		bool is_limit = false;

		for (size_t i = 0; i < ARRAY_LEN(limits); i++)
			is_limit |= strcmp(limits[i], cause_name(why)) == 0;
		ck_assert_int_eq(cause_is_limit(why), is_limit);
	}
}
END_TEST

Suite *cause_suite(void)
{
	Suite *s = suite_create("fail");
	TCase *tc = tcase_create("fail");

	tcase_add_test(tc, every_cause_has_the_name_of_the_contract);
	tcase_add_test(tc, every_phase_has_the_name_of_the_contract);
	tcase_add_loop_test(tc, an_errno_is_one_cause_in_every_phase, 0, ARRAY_LEN(errnos));
	tcase_add_test(tc, every_other_errno_is_other);
	tcase_add_test(tc, a_reset_has_one_name_in_both_directions);
	tcase_add_test(tc, end_of_input_is_early_where_bytes_are_owed);
	tcase_add_test(tc, errnos_have_their_symbols);
	tcase_add_test(tc, only_failures_of_peer_and_path_open_an_outage);
	tcase_add_test(tc, every_cause_has_the_exit_code_of_the_contract);
	tcase_add_test(tc, a_reader_is_told_what_a_program_would_see);
	tcase_add_test(tc, a_line_in_the_log_is_for_ends_by_a_limit_that_somebody_set);
	suite_add_tcase(s, tc);
	return s;
}
