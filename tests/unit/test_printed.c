/* SPDX-License-Identifier: MIT
 * test_printed: figures from what anybody's client has printed.
 */
#include "echobench/run/printed.h"

#include <math.h>

#include "echo/base/base.h"

#include "suites.h"

static const struct {
	const char *text, *path;
	double number; /* NAN: there is none */
} numbers[] = {
	{ "{\"a\": {\"b\": 2.5}}", ".a.b", 2.5 },
	{ "{\"a\": [1, 7]}\n", ".a.1", 7 },
	{ "hello\nof 3 lines\n{\"rate\": 4}\n\n", ".rate", 4 },
	{ "{\"a\": \"5\"}", ".a", (double)NAN },
	{ "{\"a\": 5}", ".a.b", (double)NAN },
	{ "{\"a\": 5}", "a", (double)NAN },
	{ "no JSON\n", ".a", (double)NAN },
	{ "", ".a", (double)NAN },
};

START_TEST(a_number_is_found_by_its_path)
{
	json_t *json = printed_json(numbers[_i].text);
	const double n = printed_number(json, numbers[_i].path);

	ck_assert(isnan(numbers[_i].number) ? isnan(n) : n == numbers[_i].number);
	json_decref(json);
}
END_TEST

static const struct {
	const char *text;
	uint64_t messages;
} counts[] = {
	{ "{\"messages\": 12}", 12 },
	{ "{\"messages\": {\"sent\": 9, \"echoed\": 7}}", 7 },
	{ "{\"messages\": -1}", 0 },
	{ "{\"messages\": 0.5}", 0 },
	{ "{\"messages\": \"12\"}", 0 },
	{ "[12]", 0 },
	{ "{\"messages\": 9007199254740992}", 9007199254740992 },
	{ "{\"messages\": 1e300}", 0 },
	{ "{\"messages\": 18446744073709551616.0}", 0 },
	{ "{\"messages\": {\"echoed\": 1e19}}", 0 },
};

START_TEST(what_can_be_no_count_of_messages_is_not_known)
{
	json_t *json = printed_json(counts[_i].text);

	ck_assert_uint_eq(printed_messages(json), counts[_i].messages);
	json_decref(json);
}
END_TEST

Suite *printed_suite(void)
{
	Suite *s = suite_create("printed");
	TCase *t = tcase_create("printed");

	tcase_add_loop_test(t, a_number_is_found_by_its_path, 0, ARRAY_LEN(numbers));
	tcase_add_loop_test(t, what_can_be_no_count_of_messages_is_not_known, 0, ARRAY_LEN(counts));
	suite_add_tcase(s, t);
	return s;
}
