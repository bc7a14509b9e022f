/* SPDX-License-Identifier: MIT
 * test_targets: a target that is slow, died or never answered among others that are well.
 */
#include "echoload/result/targets.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echoload/result/verdict.h"
#include "result_fixture.h"

#include "suites.h"

enum { TARGETS = 10, MESSAGES = 2000 };

static char names[TARGETS][8];

/* Ten targets with the same latency, all of which echoed up to the end. */
static void ten(void)
{
	sample.target_count = TARGETS;
	sample_config.stall = SEC(1);
	for (unsigned i = 0; i < TARGETS; i++) {
		struct target_result *t = &sample.targets[i];

		snprintf(names[i], sizeof(names[i]), "h%u:7", i);
		t->name = names[i];
		t->books = sample.books;
		t->books.last_echo_ns = sample.measure_end_ns;
		t->latency = hist_new(2);
		hist_record_many(t->latency, USEC(100), MESSAGES);
	}
}

static void done(void)
{
	for (unsigned i = 0; i < TARGETS; i++)
		hist_free(sample.targets[i].latency);
}

static void fails(unsigned t)
{
	books_outcome(&sample.targets[t].books,
		      &(struct outcome){ .cause = CAUSE_RESET, .at = PHASE_IDLE, .count = 1 });
}

static const char *said(void)
{
	static char text[RESULT_REASON_MAX];

	targets_say(&sample, text, sizeof(text));
	return text;
}

START_TEST(of_targets_that_are_well_nothing_is_said)
{
	ten();
	ck_assert_uint_eq(targets_count(&sample, TARGET_OK, NULL), TARGETS);
	ck_assert_str_eq(said(), "");
	fails(3); /* it went on */
	ck_assert_int_eq(targets_state(&sample, 3), TARGET_OK);
	done();
}
END_TEST

START_TEST(one_that_gave_no_echo_is_silent)
{
	ten();
	sample.targets[4].books.all.echoed = 0;
	ck_assert_int_eq(targets_state(&sample, 4), TARGET_SILENT);
	ck_assert_str_eq(said(), ", 1 of 10 targets gave no echo: h4:7");
	sample.targets[7].books.all.echoed = 0;
	ck_assert_str_eq(said(), ", 2 of 10 targets gave no echo: h4:7 and 1 more");
	sample.targets[7].books.all.sent = 0; /* nobody asked it */
	ck_assert_int_eq(targets_state(&sample, 7), TARGET_OK);
	done();
}
END_TEST

START_TEST(one_that_stopped_to_echo_before_the_end_died)
{
	ten();
	sample.targets[2].books.last_echo_ns = sample.measure_end_ns - SEC(3);
	ck_assert_int_eq(targets_state(&sample, 2), TARGET_OK); /* it may have had its share */
	fails(2);
	ck_assert_int_eq(targets_state(&sample, 2), TARGET_DIED);
	ck_assert_str_eq(said(), ", 1 of 10 targets died: h2:7");
	done();
}
END_TEST

START_TEST(one_that_is_twice_as_slow_as_the_one_in_the_middle_is_slow)
{
	ten();
	hist_clear(sample.targets[9].latency);
	hist_record_many(sample.targets[9].latency, USEC(_i == 0 ? 190 : 210), MESSAGES);
	ck_assert_int_eq(targets_state(&sample, 9), _i == 0 ? TARGET_OK : TARGET_SLOW);
	ck_assert_str_eq(said(), _i == 0 ? "" : ", 1 of 10 targets was slow: h9:7");
	done();
}
END_TEST

START_TEST(a_tail_of_many_messages_is_slow_and_of_few_is_not)
{
	ten();
	hist_record_many(sample.targets[0].latency, MSEC(1), MESSAGES / 20);
	ck_assert_int_eq(targets_state(&sample, 0), TARGET_SLOW);
	hist_clear(sample.targets[0].latency);
	hist_record_many(sample.targets[0].latency, USEC(100), 100);
	hist_record_many(sample.targets[0].latency, MSEC(1), 5);
	ck_assert_int_eq(targets_state(&sample, 0), TARGET_OK);
	done();
}
END_TEST

START_TEST(the_verdict_names_them)
{
	ten();
	for (unsigned i = 0; i < TARGETS; i++)
		sample.targets[i].books.last_echo_ns = sample.measure_end_ns;
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 5);
	sample.targets[6].books.all.echoed = 0;
	sample_config.ignore_errors = _i;
	verdict(&sample);
	ck_assert_str_eq(
		sample.exit_reason,
		_i ? "ok, errors ignored: 5 connects refused, 1 of 10 targets gave no echo: "
		     "h6:7"
		   : "5 connects refused, 1 of 10 targets gave no echo: h6:7");
	done();
}
END_TEST

Suite *targets_suite(void)
{
	Suite *s = suite_create("targets");
	TCase *t = result_tcase("targets");

	tcase_add_test(t, of_targets_that_are_well_nothing_is_said);
	tcase_add_test(t, one_that_gave_no_echo_is_silent);
	tcase_add_test(t, one_that_stopped_to_echo_before_the_end_died);
	tcase_add_loop_test(t, one_that_is_twice_as_slow_as_the_one_in_the_middle_is_slow, 0, 2);
	tcase_add_test(t, a_tail_of_many_messages_is_slow_and_of_few_is_not);
	tcase_add_loop_test(t, the_verdict_names_them, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
