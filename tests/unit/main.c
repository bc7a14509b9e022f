/* SPDX-License-Identifier: MIT
 * main: runs the suites that suites.h lists. Check's variables work: CK_RUN_SUITE=timer, CK_FORK=no
 * (debuggers, valgrind), CK_VERBOSITY=verbose.
 */
#include <stdio.h>
#include <stdlib.h>

#include "echo/base/base.h"

#include "suites.h"

/* one that is listed twice does not compile: it would run twice */
#define SUITE_ONCE(module) SUITE_IS_##module,
enum { SUITES(SUITE_ONCE) SUITE_COUNT };

#define SUITE_ENTRY(module) module##_suite,
static Suite *(*const suites[SUITE_COUNT])(void) = { SUITES(SUITE_ENTRY) };

int main(void)
{
	SRunner *sr = srunner_create(NULL);

	for (size_t i = 0; i < ARRAY_LEN(suites); i++)
		srunner_add_suite(sr, suites[i]());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr), run = srunner_ntests_run(sr);

	srunner_free(sr);
	if (run == 0)
		fprintf(stderr, "unit: no test was run; CK_RUN_SUITE names a suite of suites.h\n");
	return failed > 0 || run == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
