/* SPDX-License-Identifier: MIT
 * test_drill_run: a run that cannot be opened keeps nothing.
 */
#include "echodrill/stage/run.h"

#include <errno.h>

#include "descriptors.h"
#include "suites.h"

START_TEST(what_was_opened_of_a_run_that_cannot_be_is_closed)
{
	static const struct drill d;
	static const struct run_options o;
	const int next = descriptors_limit(1); /* room for the capture of one side */
	struct run r;

	ck_assert_int_eq(run_open(&r, &d, &o), -EMFILE);
	descriptors_unlimited();
	ck_assert_int_eq(descriptors_limit(0), next);
	descriptors_unlimited();
}
END_TEST

Suite *drill_run_suite(void)
{
	Suite *s = suite_create("drill_run");
	TCase *t = tcase_create("run");

	tcase_add_test(t, what_was_opened_of_a_run_that_cannot_be_is_closed);
	suite_add_tcase(s, t);
	return s;
}
