/* SPDX-License-Identifier: MIT
 * written: a stream in memory that a test has something written to, and what came out.
 */
#ifndef ECHO_TESTS_WRITTEN_H
#define ECHO_TESTS_WRITTEN_H

#include <check.h>
#include <stdio.h>

/* A test case in which written_to is new for every test. */
TCase *written_tcase(const char *name);

extern FILE *written_to;

/* All that was written, until the test ends. Closes the stream: once in a test. */
const char *written(void);

#endif
