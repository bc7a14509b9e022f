/* SPDX-License-Identifier: MIT
 * test_drill_file: drill files as people write them: steps, expectations, and each mistake with its
 * place.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/expect.h"
#include "echodrill/script/pattern.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/timeline.h"
#include "suites.h"

static const char whole[] = "[drill]\nstory = s\n[steps]\nstep = fault signal KILL server\n"
			    "[expect]\nexpect = client.exit == 1\n";
static struct drill d;
static char error[OPT_ERROR_MAX];

static int read_text(const char *text)
{
	char path[] = "/tmp/echolab-drill-XXXXXX";
	int r, fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	r = drill_read(&d, path, error);
	unlink(path);
	return r;
}

/* The one step of a drill that is otherwise fine. */
static const struct step *one_step(const char *step)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s[steps]\nstep = %s\n", whole, step);
	ck_assert_msg(read_text(text) == 0, "%s", error);
	return &d.step.at[1];
}

START_TEST(a_drill_has_all_that_its_file_says)
{
	ck_assert_int_eq(read_text("[drill]\nstory = one\nstory = two\nfamily = ipv6\ndelay = 5ms\n"
				   "[client]\noptions = --interactive\n[server]\ncount = 2\n"
				   "[steps]\nstep = await client /up/ within 2s\n"
				   "step = at 1s kill: fault signal KILL child\n"
				   "[expect]\nexpect = client.when./a b/@kill in 1s..2s\n"),
			 0);
	ck_assert_uint_eq(d.story.count, 2);
	ck_assert_uint_eq(d.family, 6);
	ck_assert_int_eq(d.delay, MSEC(5));
	ck_assert(d.client_lines);
	ck_assert_uint_eq(d.servers, 2);
	ck_assert_ptr_eq(d.step.at[0].verb, &verb_await);
	ck_assert_str_eq(d.step.at[0].rest, "up");
	ck_assert_int_eq(d.step.at[0].limit_ns, SEC(2));
	ck_assert(d.step.at[1].fault && d.step.at[1].at);
	ck_assert_int_eq(d.step.at[1].start_ns, SEC(1));
	ck_assert_str_eq(d.step.at[1].label, "kill");
	ck_assert_int_eq(d.step.at[1].number, SIGKILL);
	ck_assert_uint_eq(d.step.at[1].proc, STEP_CHILD);
	ck_assert_str_eq(d.expect.at[0].what, "client.when./a b/@kill");
	ck_assert_int_eq(d.expect.at[0].low, SEC(1));
	ck_assert_int_eq(d.expect.at[0].high, SEC(2));
}
END_TEST

START_TEST(steps_know_their_words)
{
	ck_assert_str_eq(one_step("type two words")->rest, "two words");
	ck_assert_str_eq(one_step("nft add rule x")->rest, "add rule x");
	ck_assert_uint_eq(one_step("ip router link set r1 down")->host, HOST_ROUTER);
	ck_assert_str_eq(one_step("ip router link set r1 down")->rest, "link set r1 down");
	ck_assert_uint_eq(one_step("await state server FIN-WAIT-2 3")->count, 3);
	ck_assert_int_eq(one_step("await exit client")->what, AWAIT_EXIT);
	ck_assert_uint_eq(one_step("await unread server 512")->count, 512);
	ck_assert_str_eq(one_step("look here")->label, "here");
	ck_assert_int_eq(one_step("after 20ms wait 3s")->limit_ns, SEC(3));
	ck_assert_ptr_eq(one_step("hangup")->verb, &verb_hangup);
}
END_TEST

START_TEST(a_label_names_one_step)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s[steps]\nstep = look a\nstep = a: hangup\n", whole);
	ck_assert_int_eq(read_text(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "has the label of another step"));
}
END_TEST

static const struct {
	const char *step, *why;
} bad_steps[] = {
	{ "jump", "must begin with" },
	{ "fault", "has no verb" },
	{ "at noon look x", "needs a time" },
	{ "signal FOO server", "needs a signal" },
	{ "signal KILL nobody", "needs a process" },
	{ "start child", "needs a program" },
	{ "exhaust children", "needs a program" },
	{ "await exit listener", "needs a program" },
	{ "leak server", "needs the word child" },
	{ "share it", "goes on after its end" },
	{ "fault wait 1s", "cannot be the fault" },
	{ "fault start client", "cannot be the fault" },
	{ "await client up", "needs a /regular expression/" },
	{ "await client /(/", "that is none" },
	{ "await client /a/ in 3s", "within TIME" },
	{ "await state client WEIRD 1", "needs a state" },
	{ "await state client ESTAB many", "needs a number" },
	{ "ip moon link", "needs a host" },
	{ "type", "says nothing" },
	{ "hangup now", "goes on after its end" },
	{ "fault nft add rule drop", "counter name fault" },
	{ "sysctl client net.ipv4.tcp_retries2", "HOST NAME VALUE" },
	{ "sysctl client vm.swappiness 1", "of the whole machine" },
};

START_TEST(a_wrong_step_is_told_with_its_line)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s[steps]\nstep = %s\n", whole, bad_steps[_i].step);
	ck_assert_int_eq(read_text(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, ":8: "));
	ck_assert_msg(strstr(error, bad_steps[_i].why), "%s", error);
}
END_TEST

static const struct {
	const char *expect, *why;
} bad_expects[] = {
	{ "client.exit", "must be WHAT OP VALUE" },
	{ "client.exit = 1", "compares with none of" },
	{ "client.exit == 1 2", "must be WHAT OP VALUE" },
	{ "client.exit < soon", "no number and no time" },
	{ "client.ended in 2s..1s", "larger end first" },
	{ "client.ended in 2s", "needs a range" },
	{ "client.colour == 1", "no name of anything" },
	{ "moon.exit == 1", "no name of anything" },
	{ "state.x.client.WEIRD == 1", "no name of anything" },
	{ "wire.client.c2s.smile == 1", "no name of anything" },
	{ "wire.client./port port/ == 1", "no name of anything" },
	{ "outcome.reset.count == 1", "no name of anything" },
	{ "client.said./(/ == 1", "no name of anything" },
	{ "client.said./a/b == 1", "no name of anything" },
	{ "wire.client.c2s.syn.soon == 1", "no name of anything" },
	{ "outage.first.noticed <= 1s", "no name of anything" },
	{ "fault.smile == 1", "no name of anything" },
	{ "client.when./a/ <= 2", "needs a unit" },
	{ "outcome.reset.*.*.count == 2s", "has no unit" },
	{ "client.when./a/@nowhere <= 2s", "'nowhere', a label that no step above has" },
	{ "state.nowhere.client.ESTAB == 1", "'nowhere', a label" },
	{ "dial.nowhere == connected", "'nowhere', a label" },
	{ "zombies.end.client == 0", "no name of anything" },
};

START_TEST(a_wrong_expectation_is_told_with_its_line)
{
	char text[1024];

	snprintf(text, sizeof(text), "%sexpect = %s\n", whole, bad_expects[_i].expect);
	ck_assert_int_eq(read_text(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, ":7: "));
	ck_assert_msg(strstr(error, bad_expects[_i].why), "%s", error);
}
END_TEST

static const struct {
	const char *text, *why;
} bad_lines[] = {
	{ "[hosts]\nsysctl = moon net.ipv4.tcp_retries2 1\n", "begins with no host" },
	{ "[hosts]\nsysctl = client net.ipv4.tcp_retries2\n", "must be HOST NAME VALUE" },
	{ "[hosts]\nsysctl = client kernel.panic 1\n", "of the whole machine" },
	{ "[hosts]\nip = client\n", "must be HOST TEXT" },
	{ "[server]\noptions = --shutdown 'drain 1s\n", "a quote that is not closed" },
	{ "[means]\nnone = soon\n", "must be never, or a time and a cause" },
	{ "[means]\nuser = 2s..1s timeout_tcp\n", "must be never, or a time and a cause" },
	{ "[means]\nkeepalive = 1s..2s\n", "must be never, or a time and a cause" },
	{ "[means]\nluck = never\n", "luck" },
};

START_TEST(a_wrong_line_is_told_with_its_number)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s", whole, bad_lines[_i].text);
	ck_assert_int_lt(read_text(text), 0);
	ck_assert_msg(strstr(error, ":8: "), "%s", error);
	ck_assert_msg(strstr(error, bad_lines[_i].why), "%s", error);
}
END_TEST

START_TEST(a_drill_needs_a_story_a_fault_and_an_expectation)
{
	ck_assert_int_eq(read_text("[drill]\n"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "story"));
	ck_assert_int_eq(read_text("[drill]\nstory = s\n[steps]\nstep = look x\n"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "fault"));
	ck_assert_int_eq(read_text("[drill]\nstory = s\n[steps]\nstep = fault destroy client\n"),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "expectation"));
	ck_assert_int_eq(drill_read(&d, "/nowhere/x.conf", error), -ENOENT);
}
END_TEST

START_TEST(what_was_missed_belongs_to_the_line_above_it)
{
	char text[512];

	ck_assert_msg(read_text("[drill]\nstory = s\nwords = on\n[steps]\nstep = look x\n"
				"step = fault signal KILL server\nmissed = one\nmissed = two\n"
				"[expect]\nexpect = client.exit == 1\nmissed = three\n"
				"expect = zombies.x.server == 0\nmissed = four\n") == 0,
		      "%s", error);
	ck_assert(d.words);
	ck_assert_str_eq(drill_missed(&d.step_missed, 0, text, sizeof(text)), "");
	ck_assert_str_eq(drill_missed(&d.step_missed, 1, text, sizeof(text)), "one two");
	ck_assert_str_eq(drill_missed(&d.expect_missed, 0, text, sizeof(text)), "three");
	ck_assert_str_eq(drill_missed(&d.expect_missed, 1, text, sizeof(text)), "four");
	ck_assert_str_eq(drill_missed(&d.step_missed, 1, text, 6), "one t");
	ck_assert_int_eq(read_text("[drill]\nstory = s\n[steps]\nmissed = one\n"), -EINVAL);
	ck_assert_msg(strstr(error, ":4: ") && strstr(error, "below nothing"), "%s", error);
	ck_assert_int_eq(read_text("[drill]\nstory = s\n[expect]\nmissed = one\n"), -EINVAL);
	ck_assert_msg(strstr(error, ":4: ") && strstr(error, "below nothing"), "%s", error);
}
END_TEST

START_TEST(a_key_that_repeats_has_a_bound)
{
	static const char line[] = "sysctl = client net.ipv4.tcp_retries2 3\n";
	char text[2048];
	int len = snprintf(text, sizeof(text), "%s[hosts]\n", whole);

	for (unsigned i = 0; i < TEXT_LIST_MAX; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s", line);
	ck_assert_msg(read_text(text) == 0, "%s", error);
	ck_assert_uint_eq(d.sysctl.count, TEXT_LIST_MAX);
	snprintf(text + len, sizeof(text) - (size_t)len, "%s", line);
	ck_assert_int_eq(read_text(text), -EINVAL);
	ck_assert_msg(strstr(error, ":24: ") && strstr(error, "is one too many: at most 16"), "%s",
		      error);
}
END_TEST

static const struct expect *one_expect(const char *expect)
{
	char text[1024];

	snprintf(text, sizeof(text), "%sexpect = %s\n", whole, expect);
	ck_assert_msg(read_text(text) == 0, "%s", error);
	return &d.expect.at[1];
}

START_TEST(numbers_are_compared_exactly)
{
	const struct seen three = { .kind = SEEN_NUMBER, .least = 3, .most = 3 };
	const struct seen nothing = { .kind = SEEN_NOTHING };

	ck_assert_int_eq(expect_holds(one_expect("fault.packets == 3"), &three), HELD_YES);
	ck_assert_int_eq(expect_holds(one_expect("fault.packets != 3"), &three), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("fault.packets < 3"), &three), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("fault.packets in 2..3"), &three), HELD_YES);
	ck_assert_int_eq(expect_holds(one_expect("fault.packets > 3"), &three), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("fault.packets >= 0"), &nothing), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("fault.packets != 1"), &nothing), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("client.signal == PIPE"), &three), HELD_NO);
}
END_TEST

START_TEST(a_time_is_wrong_from_below_and_late_from_above)
{
	/* it took between 0.9 and 1.1 s */
	const struct seen t = { .kind = SEEN_TIME, .least = MSEC(900), .most = MSEC(1100) };

	ck_assert_int_eq(expect_holds(one_expect("client.ended >= 1s"), &t), HELD_YES);
	ck_assert_int_eq(expect_holds(one_expect("client.ended >= 1200ms"), &t), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("client.ended <= 1s"), &t), HELD_YES);
	ck_assert_int_eq(expect_holds(one_expect("client.ended <= 800ms"), &t), HELD_LATE);
	ck_assert_int_eq(expect_holds(one_expect("client.ended in 500ms..800ms"), &t), HELD_LATE);
	ck_assert_int_eq(expect_holds(one_expect("client.ended in 2s..3s"), &t), HELD_NO);
}
END_TEST

START_TEST(frames_may_be_too_many_because_of_a_late_machine_but_not_too_few)
{
	const struct seen three = { .kind = SEEN_FRAMES, .least = 3, .most = 3 };

	ck_assert_int_eq(expect_holds(one_expect("wire.client.s2c.fin == 3"), &three), HELD_YES);
	ck_assert_int_eq(expect_holds(one_expect("wire.client.s2c.fin == 2"), &three), HELD_LATE);
	ck_assert_int_eq(expect_holds(one_expect("wire.client.s2c.fin <= 2"), &three), HELD_LATE);
	ck_assert_int_eq(expect_holds(one_expect("wire.client.s2c.fin == 4"), &three), HELD_NO);
	ck_assert_int_eq(expect_holds(one_expect("wire.client.s2c.fin >= 4"), &three), HELD_NO);
}
END_TEST

START_TEST(a_timeline_is_sorted_and_bounded)
{
	static struct timeline t;

	timeline_add(&t, 5, WHO_DRILL, "second");
	timeline_add(&t, 5, WHO_WIRE, "third");
	timeline_add(&t, 1, WHO_CLIENT, "first\x1b[31m");
	timeline_sort(&t);
	ck_assert_str_eq(t.at[0].text, "first [31m");
	ck_assert_str_eq(t.at[1].text, "second");
	ck_assert_str_eq(t.at[2].text, "third");
	for (int i = 0; i < TIMELINE_MAX; i++)
		timeline_add(&t, i, WHO_DRILL, "%d", i);
	ck_assert_uint_eq(t.count, TIMELINE_MAX);
	ck_assert_uint_eq(t.lost, 3);
}
END_TEST

/* libc would write all of it out: the first would be 2^40 nodes, the second eight million. */
START_TEST(a_pattern_that_repeats_its_repetitions_is_refused)
{
	static const char *const large[] = {
		"a++++++++++++++++++++++++++++++++++++++++",
		"((a{200}){200}){200}",
		"((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
		"[a-z+]{20000}",
		"((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))",
	};
	static const char *const good[] = {
		"connected to",      "^[0-9]+ (tick|tock)+$",
		"a{3}b{2,}c{1,4}",   "[]+++]+",
		"[[:digit:]+++]{9}", "\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+",
		"((a)|(b))*",        "",
	};

	for (size_t i = 0; i < ARRAY_LEN(large); i++)
		ck_assert_msg(pattern_check(large[i]) == -EINVAL, "%s", large[i]);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(pattern_check(good[i]) == 0, "%s", good[i]);
}
END_TEST

Suite *drill_file_suite(void)
{
	Suite *s = suite_create("drill_file");
	TCase *c = tcase_create("file");

	tcase_add_test(c, a_drill_has_all_that_its_file_says);
	tcase_add_test(c, steps_know_their_words);
	tcase_add_test(c, a_label_names_one_step);
	tcase_add_loop_test(c, a_wrong_step_is_told_with_its_line, 0, ARRAY_LEN(bad_steps));
	tcase_add_loop_test(c, a_wrong_expectation_is_told_with_its_line, 0,
			    ARRAY_LEN(bad_expects));
	tcase_add_loop_test(c, a_wrong_line_is_told_with_its_number, 0, ARRAY_LEN(bad_lines));
	tcase_add_test(c, a_drill_needs_a_story_a_fault_and_an_expectation);
	tcase_add_test(c, what_was_missed_belongs_to_the_line_above_it);
	tcase_add_test(c, a_key_that_repeats_has_a_bound);
	tcase_add_test(c, numbers_are_compared_exactly);
	tcase_add_test(c, a_time_is_wrong_from_below_and_late_from_above);
	tcase_add_test(c, frames_may_be_too_many_because_of_a_late_machine_but_not_too_few);
	tcase_add_test(c, a_timeline_is_sorted_and_bounded);
	tcase_add_test(c, a_pattern_that_repeats_its_repetitions_is_refused);
	suite_add_tcase(s, c);
	return s;
}
