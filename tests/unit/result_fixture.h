/* SPDX-License-Identifier: MIT
 * result_fixture: a result to test with, whose books balance: 4 connections that each had 25
 * messages of 64 bytes echoed, 20 of them measured, and finished.
 */
#ifndef ECHO_TESTS_RESULT_FIXTURE_H
#define ECHO_TESTS_RESULT_FIXTURE_H

#include <check.h>

#include "echoload/options/opts.h"
#include "echoload/result/result.h"

extern struct result sample;
extern struct load_config sample_config;

/* One that ended and one that did not; sample does not have them. */
enum {
	SAMPLE_OUTAGES = 2,
	SAMPLE_TARGETS = 12, /* for which it has room; it has one */
};
extern const struct outage sample_outages[SAMPLE_OUTAGES];

/* A test case with this fixture: `sample` is new for every test. */
TCase *result_tcase(const char *name);

/* @n connections that owed a message each, sent but not acknowledged, ended by @why in @at. */
void sample_fails(enum cause cause, enum phase at, int err, uint64_t n);

/* @n attempts failed. */
void sample_connect_fails(enum cause cause, int err, uint64_t n);

/* Not one echo, no connection, no attempt. */
void sample_clear(void);

/* The last steps of a run: its one target has all of its books, and a verdict is found. */
void sample_finish(void);

#endif
