/* SPDX-License-Identifier: MIT
 * test_gated_client: a client behind a gate, played by a shell: what it answers, and every way in
 * which it may not.
 */
#include "echo/lab/gated_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

#include "suites.h"

static struct gated_client client;

static void setup(void)
{
	child_block_signals();
}

static void teardown(void)
{
	gated_client_stop(&client);
	gated_client_stop(&client); /* harmless */
}

/* Starts a client of bash: its gate is descriptor {gate}. */
static void start(const char *script)
{
	ck_assert_int_eq(gated_client_start(&client, script, NULL), 0);
}

START_TEST(it_is_let_through_and_says_what_it_did)
{
	struct gated_client_slice s;

	start("exec bash -c 'echo 0 0 >&{gate}; while read ns <&{gate}; do echo 5 $ns >&{gate}; "
	      "done; exit 3'");
	ck_assert_int_eq(gated_client_ready(&client, SEC(20)), 0);
	for (int i = 1; i < 4; i++) {
		ck_assert_int_eq(gated_client_slice(&client, MSEC(i), SEC(20), &s), 0);
		ck_assert_uint_eq(s.messages, 5);
		ck_assert_int_eq(s.took_ns, MSEC(i));
	}
	ck_assert_int_eq(gated_client_end(&client, SEC(20)), 0);
	ck_assert(WIFEXITED(client.child.status) && WEXITSTATUS(client.child.status) == 3);
}
END_TEST

START_TEST(an_answer_may_come_in_pieces)
{
	struct gated_client_slice s;

	start("exec bash -c 'echo 0 0 >&{gate}; read ns <&{gate}; printf 12 >&{gate}; /bin/true; "
	      "printf \"34 5\\n\" >&{gate}; read ns <&{gate}'");
	ck_assert_int_eq(gated_client_ready(&client, SEC(20)), 0);
	ck_assert_int_eq(gated_client_slice(&client, 1, SEC(20), &s), 0);
	ck_assert_uint_eq(s.messages, 1234);
	ck_assert_int_eq(s.took_ns, 5);
}
END_TEST

/* The last one is longer than any line may be. */
static const char *const nonsense[] = {
	"hello", "1", "1 2 3",
	"-",     "",  "1000000000000000000000000000000000000000000000000000000000000000000",
};

START_TEST(what_is_no_answer_is_an_error)
{
	char script[256];

	snprintf(script, sizeof(script), "exec bash -c 'echo \"%s\" >&{gate}; read ns <&{gate}'",
		 nonsense[_i]);
	start(script);
	ck_assert_int_eq(gated_client_ready(&client, SEC(20)), -EPROTO);
}
END_TEST

START_TEST(who_has_gone_does_not_answer)
{
	struct gated_client_slice s;

	start("exec bash -c 'echo 0 0 >&{gate}; read ns <&{gate}'");
	ck_assert_int_eq(gated_client_ready(&client, SEC(20)), 0);
	ck_assert_int_eq(gated_client_slice(&client, 1, SEC(20), &s), -EPIPE);
	ck_assert_int_eq(gated_client_slice(&client, 1, SEC(20), &s), -EPIPE);
	ck_assert_int_eq(gated_client_end(&client, SEC(20)), 0);
}
END_TEST

START_TEST(who_is_silent_is_not_waited_for)
{
	start("sleep 1000");
	ck_assert_int_eq(gated_client_ready(&client, MSEC(1)), -ETIME);
	ck_assert_int_eq(gated_client_end(&client, MSEC(1)), -ETIME);
}
END_TEST

START_TEST(a_signal_ends_the_wait)
{
	struct gated_client_slice s;

	start("exec bash -c 'echo 0 0 >&{gate}; read ns <&{gate}; sleep 1000'");
	ck_assert_int_eq(gated_client_ready(&client, SEC(20)), 0);
	kill(getpid(), SIGTERM);
	ck_assert_int_eq(gated_client_slice(&client, 1, SEC(1000), &s), -EINTR);
	ck_assert_int_eq(gated_client_ready(&client, SEC(1000)), -EINTR);
}
END_TEST

Suite *gated_client_suite(void)
{
	Suite *s = suite_create("gated_client");
	TCase *t = tcase_create("gated_client");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, it_is_let_through_and_says_what_it_did);
	tcase_add_test(t, an_answer_may_come_in_pieces);
	tcase_add_loop_test(t, what_is_no_answer_is_an_error, 0, ARRAY_LEN(nonsense));
	tcase_add_test(t, who_has_gone_does_not_answer);
	tcase_add_test(t, who_is_silent_is_not_waited_for);
	tcase_add_test(t, a_signal_ends_the_wait);
	suite_add_tcase(s, t);
	return s;
}
