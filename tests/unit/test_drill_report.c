/* SPDX-License-Identifier: MIT
 * test_drill_report: cells, and the table of faults by detectors.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/picture/picture.h"
#include "echodrill/report/report.h"
#include "suites.h"
#include "written.h"

START_TEST(a_text_stays_in_its_cell)
{
	report_cell("a | b\n| c", written_to);
	ck_assert_str_eq(written(), "a \\| b\\x0a\\| c");
}
END_TEST

static struct summary cell(const struct drill *d, enum detector_id detector, int64_t knew_ns)
{
	struct summary s = { .drill = d,
			     .detector = &detectors[detector],
			     .done = true,
			     .sound = true,
			     .verdict = VERDICT_PASS,
			     .knew_ns = knew_ns };

	snprintf(s.knew, sizeof(s.knew), "timeout_tcp");
	return s;
}

/* Two drills; the second has not been run with all detectors, and has failed with one. */
static unsigned some(struct summary at[4])
{
	static struct drill a = { .name = "grid-silent" }, b = { .name = "other" };

	snprintf(a.story.at[0], OPT_TEXT_MAX, "It is silent.");
	snprintf(b.story.at[0], OPT_TEXT_MAX, "It is not.");
	at[0] = cell(&a, DETECTOR_NONE, -1);
	at[1] = cell(&a, DETECTOR_KEEPALIVE, MSEC(3070));
	at[2] = cell(&b, DETECTOR_NONE, MSEC(40));
	at[3] = cell(&b, DETECTOR_ICMP, SEC(1));
	at[3].verdict = VERDICT_FAIL;
	return 4;
}

START_TEST(the_table_has_a_row_for_each_drill_and_a_column_for_each_detector)
{
	struct summary at[4];
	unsigned count = some(at);

	report_matrix_text(at, count, written_to);
	ck_assert_ptr_nonnull(strstr(
		written(),
		"\nfault                         none      limit       user  keepalive       icmp\n"
		"silent                       never          -          -     3.07 s          -\n"
		"other                      40.0 ms          -          -          -    1.00 "
		"s!\n"));
}
END_TEST

START_TEST(the_page_says_what_was_seen_and_when)
{
	struct summary at[4];
	unsigned count = some(at);

	report_matrix_markdown(at, count, written_to);
	ck_assert_ptr_nonnull(
		strstr(written(), "| It is silent. | never | - | - | 3.07 s, `ETIMEDOUT` | - |\n"));
}
END_TEST

/* It was skipped, or broken off. */
START_TEST(nobody_says_never_of_a_drill_that_was_not_run_to_its_end)
{
	struct summary at[4];
	unsigned count = some(at);
	const char *text;

	at[0].sound = false;
	at[0].knew[0] = '\0';
	at[0].verdict = VERDICT_INCONCLUSIVE;
	report_matrix_text(at, count, written_to);
	report_matrix_markdown(at, count, written_to);
	ck_assert_int_eq(picture_index(at, count, written_to), 0);
	text = written();
	ck_assert_ptr_nonnull(strstr(text, "| It is silent. | - | - | - | 3.07 s,"));
	ck_assert_ptr_nonnull(strstr(text, ">inconclusive</td><td>-</td><td></td>"));
	ck_assert_ptr_null(strstr(text, "never!"));
	ck_assert_ptr_null(strstr(text, "grid-silent/none: never"));
}
END_TEST

START_TEST(without_drills_that_have_detectors_there_is_no_table)
{
	struct summary at[4];

	some(at);
	at[0].detector = NULL;
	report_matrix_text(at, 1, written_to);
	ck_assert_str_eq(written(), "");
}
END_TEST

Suite *drill_report_suite(void)
{
	Suite *s = suite_create("drill_report");
	TCase *c = written_tcase("report");

	tcase_add_test(c, a_text_stays_in_its_cell);
	tcase_add_test(c, the_table_has_a_row_for_each_drill_and_a_column_for_each_detector);
	tcase_add_test(c, the_page_says_what_was_seen_and_when);
	tcase_add_test(c, nobody_says_never_of_a_drill_that_was_not_run_to_its_end);
	tcase_add_test(c, without_drills_that_have_detectors_there_is_no_table);
	suite_add_tcase(s, c);
	return s;
}
