/* SPDX-License-Identifier: MIT
 * merge_fixture: results as JSON, changed by hand, and what `echoload merge` says of them.
 */
#ifndef ECHO_TESTS_MERGE_FIXTURE_H
#define ECHO_TESTS_MERGE_FIXTURE_H

#include <jansson.h>
#include <stdint.h>

enum { MERGE_STRANGE = 16 };

/* What merge_two said on standard error. */
extern char merge_said[4096];

/* Merges @a and @b, or @a alone. Keeps what is said; a text is made, and goes nowhere. Returns the
 * exit code. */
int merge_two(const json_t *a, const json_t *b);

/* The sample of result_fixture, with two outages and three resets, as JSON. */
json_t *merge_sample(void);

/* The value at "outcomes.0.cause" becomes @json. */
void merge_change(json_t *root, const char *path, const char *json);

/* Values that a program may not have expected. */
extern const char *const merge_strange[MERGE_STRANGE];

/* Changes the value that is @left-th in order of reading. Returns how many are left to pass; -1: it
 * was changed. */
int64_t merge_change_nth(json_t *at, int64_t left, const char *json);

#endif
