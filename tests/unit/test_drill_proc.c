/* SPDX-License-Identifier: MIT
 * test_drill_proc: a tool whose input did not reach it has not done what it was asked.
 */
#include "echodrill/stage/proc.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/lab/process.h"

#include "suites.h"

/* More than a pipe holds: who does not read it all ends before it was all written. */
static int helped(const char *script, char *out, size_t size)
{
	static char input[1 << 20];
	const char *const argv[] = { "sh", "-c", script, NULL };

	signal(SIGPIPE, SIG_IGN);
	memset(input, 'x', sizeof(input) - 1);
	return proc_helper(PROCESS_SAME, argv, input, out, size, clock_now_ns() + SEC(20));
}

START_TEST(input_that_a_tool_did_not_get_is_an_error)
{
	char out[64];

	ck_assert_int_eq(helped("true", out, sizeof(out)), -EPIPE);
}
END_TEST

START_TEST(input_is_given_whole)
{
	char out[64];

	ck_assert_int_eq(helped("wc -c", out, sizeof(out)), 0);
	ck_assert_str_eq(out, "1048575\n");
}
END_TEST

START_TEST(a_tool_that_fails_says_why_itself)
{
	char out[64];

	ck_assert_int_eq(helped("echo no >&2; exit 3", out, sizeof(out)), 3);
	ck_assert_str_eq(out, "no\n");
}
END_TEST

Suite *drill_proc_suite(void)
{
	Suite *s = suite_create("drill_proc");
	TCase *t = tcase_create("proc");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, input_that_a_tool_did_not_get_is_an_error);
	tcase_add_test(t, input_is_given_whole);
	tcase_add_test(t, a_tool_that_fails_says_why_itself);
	suite_add_tcase(s, t);
	return s;
}
