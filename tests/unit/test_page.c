/* SPDX-License-Identifier: MIT
 * test_page: what a page is made of: runs from the lines of a file, columns, verdicts, and text
 * that stays text.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echoload/page/page_private.h"
#include "echoload/tools/run_file.h"

#include "suites.h"

/* The runs that a file with this text tells of. */
static char error[RUN_FILE_ERROR_MAX];

static json_t *runs_of(const char *text)
{
	char name[] = "/tmp/test_page.XXXXXX";
	int fd = mkstemp(name);
	json_t *runs;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	runs = run_file_read(name, error);
	ck_assert_ptr_nonnull(runs);
	unlink(name);
	return runs;
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_msg(value, "no JSON: %s", text);
	return value;
}

/* Both are given up. */
static void expect_json(json_t *value, const char *text)
{
	json_t *expected = parse(text);
	char *seen = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	ck_assert_msg(json_equal(value, expected), "%s is not %s", seen, text);
	free(seen);
	json_decref(expected);
	json_decref(value);
}

START_TEST(each_start_begins_a_run_and_the_end_says_more_than_the_lines)
{
	json_t *runs =
		runs_of("{\"event\":\"start\",\"phase\":\"a\",\"context\":{\"x\":1}}\n"
			"{\"event\":\"interval\",\"begin_ns\":0,\"end_ns\":5}\n"
			"{\"event\":\"fault\",\"outage\":1,\"begin_ns\":2,\"recovered_ns\":null}\n"
			"{\"event\":\"fault\",\"outage\":3,\"begin_ns\":2}\n"
			"{\"event\":\"fault\",\"outage\":1,\"begin_ns\":2,\"recovered_ns\":4}\n"
			"{\"event\":\"end\",\"result\":{\"phase\":\"A\",\"intervals\":[]}}\n"
			"{\"event\":\"start\",\"phase\":\"b\"}\n"
			"{\"event\":\"interval\",\"begin_ns\":0,\"end_ns\":7}\n"
			"{\"event\":\"interval\",\"begin_ns\":7,\"en");
	const json_t *first = json_array_get(runs, 0), *second = json_array_get(runs, 1);

	ck_assert_uint_eq(json_array_size(runs), 2);
	ck_assert_str_eq(run_file_text(first, "phase"), "A");
	ck_assert_int_eq(run_file_number(json_object_get(first, "context"), "x", 0), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(first, "intervals")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(first, "outages")), 1);
	ck_assert_int_eq(run_file_number(json_array_get(json_object_get(first, "outages"), 0),
					 "recovered_ns", 0),
			 4);
	ck_assert_str_eq(run_file_text(second, "phase"), "b");
	ck_assert_uint_eq(json_array_size(json_object_get(second, "intervals")), 1);
	ck_assert_ptr_null(json_object_get(second, "exit"));
	json_decref(runs);
}
END_TEST

START_TEST(a_damaged_line_costs_no_other_and_is_named)
{
	json_t *runs = runs_of("{\"event\":\"start\",\"phase\":\"a\"}\n"
			       "{\"event\":\"interval\",\"begin_ns\":0,\n"
			       "{\"event\":\"interval\",\"begin_ns\":7,\"end_ns\":9}\n"
			       "nonsense\n\n{\"event\":\"end\",\"result\":{\"phase\":\"A\"}}\n"
			       "{\n  \"schema\": \"echoload/1\",\n  \"outages\": [\n    {\n"
			       "{\"event\":\"start\",\"phase\":\"b\"}\n");

	ck_assert_uint_eq(json_array_size(runs), 2);
	ck_assert_str_eq(run_file_text(json_array_get(runs, 0), "phase"), "A");
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(runs, 0), "intervals")),
			  1);
	ck_assert_str_eq(run_file_text(json_array_get(runs, 1), "phase"), "b");
	ck_assert_str_eq(error, "line 2 is damaged, and what it said is left out");
	json_decref(runs);
	json_decref(runs_of("{\"event\":\"start\"}\n\n"));
	ck_assert_str_eq(error, "");
	json_decref(runs_of("{\"event\":\"start\"}\n{\"event\":\"interv"));
	ck_assert_str_eq(error, "");
}
END_TEST

START_TEST(the_longer_list_of_intervals_counts)
{
	json_t *runs = runs_of(
		"{\"event\":\"start\"}\n{\"event\":\"interval\",\"begin_ns\":7}\n"
		"{\"event\":\"end\",\"result\":{\"intervals\":[{},{}]}}\n"
		"{\"event\":\"start\"}\n{\"event\":\"interval\"}\n{\"event\":\"interval\"}\n"
		"{\"event\":\"end\",\"result\":{\"intervals\":[{}],\"intervals_unlisted\":1}}\n");

	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(
			json_array_size(json_object_get(json_array_get(runs, i), "intervals")), 2);
	ck_assert_int_eq(run_file_number(json_array_get(runs, 1), "intervals_unlisted", -1), 0);
	json_decref(runs);
}
END_TEST

START_TEST(results_that_follow_each_other_are_runs_of_their_own)
{
	json_t *runs = runs_of("{\"schema\":\"echoload/1\",\"phase\":\"x\"}\n"
			       "{\"schema\":\"echoload/1\",\"phase\":\"y\"}\n{\"schema\":\"z\"}");

	ck_assert_uint_eq(json_array_size(runs), 2);
	ck_assert_str_eq(run_file_text(json_array_get(runs, 1), "phase"), "y");
	json_decref(runs);
}
END_TEST

START_TEST(columns_leave_out_what_cannot_be_drawn_and_name_gaps)
{
	json_t *intervals = parse("[{\"begin_ns\":0,\"end_ns\":10,\"echoed\":5,"
				  "\"latency_ns\":{\"count\":5,\"p50\":7},\"ended\":{\"reset\":2}},"
				  "{\"begin_ns\":5,\"end_ns\":9},{\"begin_ns\":9,\"end_ns\":9},"
				  "null,{\"begin_ns\":-1,\"end_ns\":4},"
				  "{\"begin_ns\":12,\"end_ns\":20,\"echoed\":\"many\","
				  "\"latency_ns\":{\"count\":0,\"p50\":0},\"ended\":[]}]");
	json_t *columns = page_columns(intervals);

	json_decref(intervals);
	expect_json(json_incref(json_object_get(columns, "begin_ns")), "[0,2]");
	expect_json(json_incref(json_object_get(columns, "span_ns")), "[10,8]");
	expect_json(json_incref(json_object_get(columns, "echoed")), "[5,null]");
	expect_json(json_incref(json_object_get(columns, "p50")), "[7,null]");
	expect_json(json_incref(json_object_get(columns, "ended")), "{\"reset\":[2,null]}");
	json_decref(columns);
}
END_TEST

START_TEST(a_column_that_hardly_changes_is_short)
{
	json_t *intervals = json_array(), *columns;

	for (int i = 0; i < 100; i++)
		json_array_append_new(intervals, json_pack("{si si si}", "begin_ns", i, "end_ns",
							   i + 1, "open", i < 60 ? 8 : 9));
	columns = page_columns(intervals);
	json_decref(intervals);
	expect_json(json_incref(json_object_get(columns, "open")), "{\"runs\":[8,60,9,40]}");
	expect_json(json_incref(json_object_get(columns, "span_ns")), "{\"runs\":[1,100]}");
	json_decref(columns);
}
END_TEST

static const struct verdict_case {
	const char *run, *grade, *sentence;
} verdicts[] = {
	{ "{\"exit\":{\"code\":0},\"messages\":{\"echoed\":1234,\"lost\":0}}", "good",
	  "All went well: 1,234 messages were echoed, and none was lost." },
	{ "{\"exit\":{\"code\":0},\"messages\":{\"echoed\":9,\"lost\":2}}", "good",
	  "Within its limits: 9 messages were echoed, and 2 were lost." },
	{ "{\"exit\":{\"code\":1,\"reason\":\"x\"}}", "bad", "Not all went well: x." },
	{ "{\"exit\":{\"code\":5,\"reason\":\"y\"}}", "unsure", "Inconclusive: y." },
	{ "{\"exit\":{\"code\":143,\"reason\":\"z\"}}", "unsure", "Interrupted: z." },
	{ "{}", "unsure", "The run has not ended: this is what it told until now." },
	{ "{\"exit\":7}", "unsure", "The run has not ended: this is what it told until now." },
};

START_TEST(a_verdict_is_a_sentence)
{
	const struct verdict_case *v = &verdicts[_i];
	json_t *run = parse(v->run);
	char sentence[200];

	ck_assert_str_eq(page_verdict(run, sentence, sizeof(sentence)), v->grade);
	ck_assert_str_eq(sentence, v->sentence);
	json_decref(run);
}
END_TEST

static char *html_of(const char *title, const json_t *model)
{
	const struct page p = { .title = title,
				.verdict = "<b>",
				.grade = "good",
				.model = model,
				.library = "library",
				.library_css = "css" };
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	ck_assert_int_eq(page_html(&p, to), 0);
	ck_assert_int_eq(fclose(to), 0);
	return text;
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

START_TEST(no_text_becomes_markup)
{
	json_t *evil = json_pack("{ss}", "</script><!--", "<script>&"), *plain = json_object();
	char *good = html_of("title", plain), *bad = html_of("\"'&<script>\x01", evil);

	ck_assert_uint_eq(count(bad, "<script"), count(good, "<script"));
	ck_assert_uint_eq(count(bad, "</script"), count(good, "</script"));
	ck_assert_uint_eq(count(bad, "<!--"), count(good, "<!--"));
	ck_assert_uint_eq(count(bad, "<b>"), 0);
	ck_assert_ptr_nonnull(strstr(bad, "{\"\\u003c/script>\\u003c!--\":\"\\u003cscript>&\"}"));
	ck_assert_ptr_nonnull(strstr(bad, "<h1>&#34;&#39;&#38;&#60;script&#62;\\x01</h1>"));
	ck_assert_uint_eq(count(bad, "{{"), count(good, "{{"));
	free(good);
	free(bad);
	json_decref(evil);
	json_decref(plain);
}
END_TEST

START_TEST(a_nonce_is_of_one_page)
{
	json_t *model = json_object();
	char *one = html_of("", model), *other = html_of("", model), nonce[33];
	const char *at = strstr(one, "'nonce-");

	ck_assert_ptr_nonnull(at);
	snprintf(nonce, sizeof(nonce), "%s", at + strlen("'nonce-"));
	ck_assert_uint_eq(strspn(nonce, "0123456789abcdef"), 32);
	ck_assert_uint_ge(count(one, nonce), 5);
	ck_assert_uint_eq(count(other, nonce), 0);
	free(one);
	free(other);
	json_decref(model);
}
END_TEST

START_TEST(what_is_no_histogram_has_no_curve)
{
	expect_json(page_curve("", 1), "null");
	expect_json(page_curve("HISTFAAA", 1), "null");
}
END_TEST

Suite *page_suite(void)
{
	Suite *s = suite_create("page");
	TCase *t = tcase_create("page");

	tcase_add_test(t, each_start_begins_a_run_and_the_end_says_more_than_the_lines);
	tcase_add_test(t, a_damaged_line_costs_no_other_and_is_named);
	tcase_add_test(t, the_longer_list_of_intervals_counts);
	tcase_add_test(t, results_that_follow_each_other_are_runs_of_their_own);
	tcase_add_test(t, columns_leave_out_what_cannot_be_drawn_and_name_gaps);
	tcase_add_test(t, a_column_that_hardly_changes_is_short);
	tcase_add_loop_test(t, a_verdict_is_a_sentence, 0, sizeof(verdicts) / sizeof(verdicts[0]));
	tcase_add_test(t, no_text_becomes_markup);
	tcase_add_test(t, a_nonce_is_of_one_page);
	tcase_add_test(t, what_is_no_histogram_has_no_curve);
	suite_add_tcase(s, t);
	return s;
}
