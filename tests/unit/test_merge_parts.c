/* SPDX-License-Identifier: MIT
 * test_merge_parts: parts of one load become one result; what is not of one load is refused with
 * the names of its files and of what differs; and a part that is missing is exit code 5.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echo/base/rng.h"
#include "merge_fixture.h"
#include "result_fixture.h"

#include "suites.h"

static struct load_config whole;
static const struct service_row lost[] = {
	{ SEC(2), SEC(2) + MSEC(3), SEC(2) - 5, -1, 3, 3, 3 },
	{ SEC(3), SEC(3), -1, SEC(3), 0, 0, 0 },
};

/* Part @number of @count, each of which has the 4 connections of the sample. */
static json_t *part(uint32_t number, uint32_t count)
{
	char config[256];
	json_t *root;

	whole = (struct load_config){ .connections = 4 * count,
				      .part = { .number = number, .count = count } };
	snprintf(whole.run_id, sizeof(whole.run_id), "night");
	sample.whole = &whole;
	sample.service = lost;
	sample.service_count = ARRAY_LEN(lost);
	sample_clear();
	sample.books.attempts = sample.books.established = sample.books.reached =
		sample.books.peak = 4;
	sample.books.planned = sample.books.all.sent = sample.books.all.echoed = 4;
	books_outcome(&sample.books, &(struct outcome){ .cause = CAUSE_FINISHED,
							.at = PHASE_CLOSING,
							.count = 4,
							.first_ns = SEC(11),
							.last_ns = SEC(11) });
	root = merge_sample();
	snprintf(config, sizeof(config),
		 "{\"connections\": \"%u\", \"interval\": \"1s\", \"messages\": \"0\", "
		 "\"part\": \"%u/%u\", \"stall\": \"1s\"}",
		 whole.connections, number, count);
	merge_change(root, "config", config);
	merge_change(root, "context.version", "\"1\"");
	return root;
}

START_TEST(all_of_them_are_judged_as_one)
{
	json_t *a = part(1, 2), *b = part(2, 2);

	ck_assert_msg(merge_two(a, b) == EXIT_VERDICT, "%s", merge_said); /* three resets each */
	ck_assert_str_eq(merge_said, "");
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(one_that_is_missing_is_inconclusive)
{
	json_t *a = part(1, 3), *b = part(3, 3);

	ck_assert_msg(merge_two(a, b) == EXIT_INCONCLUSIVE, "%s", merge_said);
	ck_assert_msg(merge_two(a, NULL) == EXIT_INCONCLUSIVE, "%s", merge_said);
	json_decref(a);
	json_decref(b);
}
END_TEST

static const struct {
	const char *path, *json, *reason;
} refused[] = {
	{ "part.number", "1", "are both part 1 of 2" },
	{ "part.count", "3", "part 2 of 3 of 8 connections has 3, not 4" },
	{ "part.run", "\"day\"", "are not of one load: run is 'night' and 'day'" },
	{ "part", "null", "'number' is missing" },
	{ "part.number", "3", "'part' is 3 of 2" },
	{ "part.number", "0", "'part' is 0 of 2" },
	{ "part.clock_offset_ns", "\"\"", "'clock_offset_ns' is missing" },
	{ "context.version", "\"2\"", "are not of one load: version is '1' and '2'" },
	{ "config.messages", "\"100\"", "are not of one load: config.messages is '0' and '100'" },
	{ "config.connections", "\"12\"", "part 2 of 2 of 12 connections has 6, not 4" },
	{ "config.connections", "\"1\"", "1 connections are too few for 2 parts" },
	{ "config.interval", "\"\"", "'config.interval' is missing" },
	{ "targets.0.target", "\"other:7\"",
	  "are not of one load: target is 'h:7007' and 'other:7'" },
	{ "context.start_unix_ns", "12000000001", "the one began when the other had ended" },
	{ "phase", "\"warm\"", "are not of one load: phase is '' and 'warm'" },
	{ "service", "null", "'service' is missing" },
	{ "service.0", "[]", "'service' has what is no number" },
	{ "service.0", "[5, 4, 0, 0, 0, 0, 0]", "'service' says what cannot be" },
	{ "service.0", "[9000000000, 9000000000, 0, 0, 0, 0, 0]", "'service' is not in order" },
	{ "service.1.4", "5", "'service' says what cannot be" },
};

START_TEST(what_is_not_of_one_load_is_refused)
{
	json_t *a = part(1, 2), *b = part(2, 2);

	merge_change(b, refused[_i].path, refused[_i].json);
	ck_assert_int_eq(merge_two(a, b), EXIT_USAGE);
	ck_assert_msg(strstr(merge_said, refused[_i].reason), "%s, not %s", merge_said,
		      refused[_i].reason);
	ck_assert_msg(strstr(merge_said, "/proc/self/fd/"), "%s", merge_said);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(parts_of_loads_with_other_numbers_of_parts_are_refused)
{
	json_t *a = part(1, 2), *b = part(2, 3);

	ck_assert_int_eq(merge_two(a, b), EXIT_USAGE);
	ck_assert_msg(strstr(merge_said, "is one of 2 parts, "), "%s", merge_said);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(a_part_and_a_whole_load_are_not_added_up)
{
	json_t *a = part(1, 2), *b;

	sample.whole = NULL;
	b = merge_sample();
	ck_assert_int_eq(merge_two(a, b), EXIT_USAGE);
	ck_assert_msg(strstr(merge_said, "is a part of a load, "), "%s", merge_said);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(no_two_changes_of_a_part_do_harm)
{
	uint64_t seed = 1;
	json_t *good = part(1, 2), *other = part(2, 2);

	for (int i = 0; i < 300; i++) {
		json_t *root = json_deep_copy(good);

		for (int k = 0; k < 2; k++)
			(void)merge_change_nth(root, (int64_t)(rng_next(&seed) % 190),
					       merge_strange[rng_next(&seed) % MERGE_STRANGE]);
		ck_assert_msg(merge_two(root, other) != EXIT_INTERNAL, "round %d: %s", i,
			      merge_said);
		json_decref(root);
	}
	json_decref(good);
	json_decref(other);
}
END_TEST

Suite *merge_parts_suite(void)
{
	Suite *s = suite_create("merge_parts");
	TCase *t = result_tcase("merge_parts");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, all_of_them_are_judged_as_one);
	tcase_add_test(t, one_that_is_missing_is_inconclusive);
	tcase_add_loop_test(t, what_is_not_of_one_load_is_refused, 0, ARRAY_LEN(refused));
	tcase_add_test(t, parts_of_loads_with_other_numbers_of_parts_are_refused);
	tcase_add_test(t, a_part_and_a_whole_load_are_not_added_up);
	tcase_add_test(t, no_two_changes_of_a_part_do_harm);
	suite_add_tcase(s, t);
	return s;
}
