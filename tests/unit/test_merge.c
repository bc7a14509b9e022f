/* SPDX-License-Identifier: MIT
 * test_merge: results that somebody has changed. A result is data: whatever stands in it, it is
 * added up or refused with its file and its key, and nothing is written but what the command line
 * names.
 */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echo/base/rng.h"
#include "echoload/report/report.h"
#include "echoload/tools/merge.h"
#include "merge_fixture.h"
#include "result_fixture.h"

#include "suites.h"

START_TEST(a_result_is_merged_with_itself_a_second_later)
{
	json_t *a = merge_sample(), *b = json_deep_copy(a);

	merge_change(b, "context.start_unix_ns", "1000000001");
	ck_assert_msg(merge_two(a, b) == EXIT_VERDICT, "%s", merge_said);
	ck_assert_str_eq(merge_said, "");
	json_decref(a);
	json_decref(b);
}
END_TEST

static const struct {
	const char *path, *json, *reason;
} refused[] = {
	{ "config.size", "\"64\\n[report]\\njsonl = /tmp/victim\"",
	  "'size' has control characters" },
	{ "config.size", "\"many\"", "'config.size': 'many' " },
	{ "config.size", "64", "'size' is no text" },
	{ "config.pipeline", "\"0\"", "'config.pipeline': '0' is out of range" },
	{ "config.close", "\"rst ; fin\"", "'config.close': 'rst ; fin' must be fin or rst" },
	{ "config", "[]", "'config' is missing" },
	{ "targets.0.target", "\"h\\u001b[2J\"", "'target' has control characters" },
	{ "targets.0.address", "\"h\\u009b2J\"", "'address' has control characters" },
	{ "exit.reason", "\"ok\\nexit 0\"", "'reason' has control characters" },
	{ "context.backend", "\"\\u202eepoll\"", "'backend' has control characters" },
	{ "phase", "\"a\\rb\"", "'phase' has control characters" },
	{ "outcomes.0.cause", "\"none\"", "'outcomes' 0: cause 'none' or phase" },
	{ "outcomes.1.phase", "\"asleep\"", "'outcomes' 1: cause" },
	{ "outcomes.0.first_ns", "9000000000", "'outcomes' 0: 'first_ns' is after 'last_ns'" },
	{ "targets.0.outcomes.0.first_ns", "9000000000", "'first_ns' is after 'last_ns'" },
	{ "outcomes.0.count", "0", "'outcomes' 0: 'count' is 0" },
	{ "outages.0.noticed_ns", "1", "'outages' 0: its times are not in order" },
	{ "outages.0.recovered_ns", "2500000000", "'outages' 0: its times are not in order" },
	{ "context.threads", "4294967297", "nobody runs 4294967297 threads" },
	{ "targets.0.connections.requested", "5", "'targets' do not add up" },
	{ "targets.0.messages.sent", "99", "'targets' 0: its books do not balance" },
	{ "generator.cpu_ns", "2305843009213693951", "more than can be added up" },
	{ "corruption", "{\"connection\": 1, \"offset\": 1, \"expected\": 256, \"seen\": 1}",
	  "'expected' is no byte" },
};

START_TEST(what_cannot_be_is_refused_with_its_place)
{
	json_t *root = merge_sample();

	merge_change(root, refused[_i].path, refused[_i].json);
	ck_assert_int_eq(merge_two(root, NULL), EXIT_USAGE);
	ck_assert_msg(strstr(merge_said, refused[_i].reason), "%s, not %s", merge_said,
		      refused[_i].reason);
	ck_assert_msg(strstr(merge_said, "/proc/self/fd/"), "%s", merge_said);
	json_decref(root);
}
END_TEST

START_TEST(what_is_asked_of_another_run_is_not_done_here)
{
	char victim[] = "/tmp/test_merge_XXXXXX", text[128];
	int fd = mkstemp(victim);
	json_t *root = merge_sample();
	static const char *const keys[] = { "config.json", "config.jsonl", "config.csv",
					    "config.hist" };

	ck_assert_int_eq(write(fd, "mine", 4), 4);
	snprintf(text, sizeof(text), "\"%s\"", victim);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		merge_change(root, keys[i], text);
	ck_assert_msg(merge_two(root, NULL) == EXIT_VERDICT, "%s", merge_said);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 4);
	ck_assert_int_eq(memcmp(text, "mine", 4), 0);
	close(fd);
	unlink(victim);
	json_decref(root);
}
END_TEST

START_TEST(together_they_are_no_more_than_can_be_counted)
{
	json_t *a = merge_sample(), *b;

	merge_change(a, "generator.cpu_ns", "2000000000000000000");
	b = json_deep_copy(a);
	merge_change(b, "context.start_unix_ns", "1000000001");
	ck_assert_int_eq(merge_two(a, NULL), EXIT_VERDICT);
	ck_assert_int_eq(merge_two(a, b), EXIT_USAGE);
	ck_assert_msg(strstr(merge_said, "the sum is more than can be counted"), "%s", merge_said);
	json_decref(a);
	json_decref(b);
}
END_TEST

/* ---- any change ---- */

START_TEST(no_change_of_a_value_does_harm)
{
	json_t *good = merge_sample(), *later = json_deep_copy(good);

	merge_change(later, "context.start_unix_ns", "1000000001");
	for (int64_t n = 0;; n++) {
		for (size_t i = 0; i < MERGE_STRANGE; i++) {
			json_t *root = json_deep_copy(good);
			int code;

			if (merge_change_nth(root, n, merge_strange[i]) >=
			    0) { /* there are no more */
				json_decref(root);
				goto out;
			}
			code = merge_two(root, later);
			ck_assert_msg(code != EXIT_INTERNAL && code != EXIT_ENVIRONMENT,
				      "value %lld as %s: %s", (long long)n, merge_strange[i],
				      merge_said);
			ck_assert((code == EXIT_USAGE) == (merge_said[0] != '\0'));
			json_decref(root);
		}
	}
out:
	json_decref(good);
	json_decref(later);
}
END_TEST

/* Some; the fuzzer of merge does not end. */
START_TEST(no_two_changes_do_harm)
{
	uint64_t seed = 1;
	json_t *good = merge_sample();

	for (int i = 0; i < 400; i++) {
		json_t *root = json_deep_copy(good);

		for (int k = 0; k < 2; k++)
			(void)merge_change_nth(root, (int64_t)(rng_next(&seed) % 150),
					       merge_strange[rng_next(&seed) % MERGE_STRANGE]);
		ck_assert_msg(merge_two(root, NULL) != EXIT_INTERNAL, "round %d: %s", i,
			      merge_said);
		json_decref(root);
	}
	json_decref(good);
}
END_TEST

Suite *merge_suite(void)
{
	Suite *s = suite_create("merge");
	TCase *t = result_tcase("merge");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_result_is_merged_with_itself_a_second_later);
	tcase_add_loop_test(t, what_cannot_be_is_refused_with_its_place, 0, ARRAY_LEN(refused));
	tcase_add_test(t, what_is_asked_of_another_run_is_not_done_here);
	tcase_add_test(t, together_they_are_no_more_than_can_be_counted);
	tcase_add_test(t, no_change_of_a_value_does_harm);
	tcase_add_test(t, no_two_changes_do_harm);
	suite_add_tcase(s, t);
	return s;
}
