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
#include "result_fixture.h"

#include "suites.h"

static char said[4096]; /* on standard error */

/* @root as a file in memory. */
static int file_of(const json_t *root)
{
	int fd = memfd_create("result", MFD_CLOEXEC);
	FILE *f = fdopen(dup(fd), "w");

	ck_assert(fd >= 0 && f);
	ck_assert_int_eq(json_dumpf(root, f, JSON_REAL_PRECISION(15)), 0);
	ck_assert_int_eq(fclose(f), 0);
	return fd;
}

/* Merges @a and @b, or @a alone. Keeps what is said; a text is made, and goes nowhere. */
static int merged(const json_t *a, const json_t *b)
{
	char names[2][32], command[] = "merge";
	char *argv[] = { command, names[0], b ? names[1] : NULL, NULL };
	int files[2] = { file_of(a), b ? file_of(b) : -1 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	int out_before, err_before, code;
	ssize_t n;

	for (int i = 0; i < 2; i++)
		snprintf(names[i], sizeof(names[i]), "/proc/self/fd/%d", files[i]);
	fflush(stdout);
	out_before = dup(STDOUT_FILENO);
	err_before = dup(STDERR_FILENO);
	ck_assert(dup2(null, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
	code = merge_main(b ? 3 : 2, argv);
	fflush(stdout);
	ck_assert(dup2(out_before, STDOUT_FILENO) >= 0 && dup2(err_before, STDERR_FILENO) >= 0);
	n = pread(err, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i] >= 0)
			close(files[i]);
	close(null);
	close(err);
	close(out_before);
	close(err_before);
	return code;
}

static json_t *result(void)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	json_t *root;

	sample.outages = sample_outages;
	sample.outage_count = SAMPLE_OUTAGES;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, 104, 3);
	sample_finish();
	ck_assert_int_eq(report_json.end(&sample, to), 0);
	ck_assert_int_eq(fclose(to), 0);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert(root);
	free(text);
	return root;
}

/* The value at "outcomes.0.cause" becomes @json. */
static void change(json_t *root, const char *path, const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL), *at = root;
	char copy[128], *rest = copy, *key;

	ck_assert(value);
	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")) && rest)
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
				       : json_object_get(at, key);
	if (json_is_array(at))
		json_array_set_new(at, strtoul(key, NULL, 10), value);
	else
		ck_assert_int_eq(json_object_set_new(at, key, value), 0);
}

START_TEST(a_result_is_merged_with_itself_a_second_later)
{
	json_t *a = result(), *b = json_deep_copy(a);

	change(b, "context.start_unix_ns", "1000000001");
	ck_assert_msg(merged(a, b) == EXIT_VERDICT, "%s", said);
	ck_assert_str_eq(said, "");
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
	json_t *root = result();

	change(root, refused[_i].path, refused[_i].json);
	ck_assert_int_eq(merged(root, NULL), EXIT_USAGE);
	ck_assert_msg(strstr(said, refused[_i].reason), "%s, not %s", said, refused[_i].reason);
	ck_assert_msg(strstr(said, "/proc/self/fd/"), "%s", said);
	json_decref(root);
}
END_TEST

START_TEST(what_is_asked_of_another_run_is_not_done_here)
{
	char victim[] = "/tmp/test_merge_XXXXXX", text[128];
	int fd = mkstemp(victim);
	json_t *root = result();
	static const char *const keys[] = { "config.json", "config.jsonl", "config.csv",
					    "config.hist" };

	ck_assert_int_eq(write(fd, "mine", 4), 4);
	snprintf(text, sizeof(text), "\"%s\"", victim);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		change(root, keys[i], text);
	ck_assert_msg(merged(root, NULL) == EXIT_VERDICT, "%s", said);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 4);
	ck_assert_int_eq(memcmp(text, "mine", 4), 0);
	close(fd);
	unlink(victim);
	json_decref(root);
}
END_TEST

START_TEST(together_they_are_no_more_than_can_be_counted)
{
	json_t *a = result(), *b;

	change(a, "generator.cpu_ns", "2000000000000000000");
	b = json_deep_copy(a);
	change(b, "context.start_unix_ns", "1000000001");
	ck_assert_int_eq(merged(a, NULL), EXIT_VERDICT);
	ck_assert_int_eq(merged(a, b), EXIT_USAGE);
	ck_assert_msg(strstr(said, "the sum is more than can be counted"), "%s", said);
	json_decref(a);
	json_decref(b);
}
END_TEST

/* ---- any change ---- */

/* Values that a program may not have expected. */
static const char *const strange[] = {
	"null",
	"true",
	"-1",
	"0",
	"1",
	"2305843009213693951",
	"9223372036854775807",
	"1e300",
	"0.5",
	"\"\"",
	"\"none\"",
	"[]",
	"[[]]",
	"{}",
	"\"a\\u001b[2J\\nb\"",
	"\"64\\n[report]\\njson = /nowhere/victim\"",
};

/* Changes the value that is @left-th in order of reading. Returns how many are left to pass. It is
 * as deep as a result of echoload: a few levels.
 * NOLINTNEXTLINE(misc-no-recursion) */
static int64_t change_nth(json_t *at, int64_t left, const char *json)
{
	json_t *value;
	const char *key;
	void *next;
	size_t i;

	json_object_foreach_safe(at, next, key, value)
	{
		if (left-- == 0) {
			json_object_set_new(at, key, json_loads(json, JSON_DECODE_ANY, NULL));
			return -1;
		}
		left = change_nth(value, left, json);
		if (left < 0)
			return -1;
	}
	json_array_foreach(at, i, value)
	{
		if (left-- == 0) {
			json_array_set_new(at, i, json_loads(json, JSON_DECODE_ANY, NULL));
			return -1;
		}
		left = change_nth(value, left, json);
		if (left < 0)
			return -1;
	}
	return left;
}

START_TEST(no_change_of_a_value_does_harm)
{
	json_t *good = result(), *later = json_deep_copy(good);

	change(later, "context.start_unix_ns", "1000000001");
	for (int64_t n = 0;; n++) {
		for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
			json_t *root = json_deep_copy(good);
			int code;

			if (change_nth(root, n, strange[i]) >= 0) { /* there are no more */
				json_decref(root);
				goto out;
			}
			code = merged(root, later);
			ck_assert_msg(code != EXIT_INTERNAL && code != EXIT_ENVIRONMENT,
				      "value %lld as %s: %s", (long long)n, strange[i], said);
			ck_assert((code == EXIT_USAGE) == (said[0] != '\0'));
			json_decref(root);
		}
	}
out:
	json_decref(good);
	json_decref(later);
}
END_TEST

START_TEST(no_two_changes_do_harm)
{
	uint64_t seed = 1;
	json_t *good = result();

	for (int i = 0; i < 2000; i++) {
		json_t *root = json_deep_copy(good);

		for (int k = 0; k < 2; k++)
			(void)change_nth(root, (int64_t)(rng_next(&seed) % 150),
					 strange[rng_next(&seed) % ARRAY_LEN(strange)]);
		ck_assert_msg(merged(root, NULL) != EXIT_INTERNAL, "round %d: %s", i, said);
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
