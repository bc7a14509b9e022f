/* SPDX-License-Identifier: MIT
 * opt_fixture: a set of options to test with, anew for each test.
 */
#ifndef ECHO_TESTS_OPT_FIXTURE_H
#define ECHO_TESTS_OPT_FIXTURE_H

#include <check.h>

#include "echo/base/opt.h"

struct opt_test_words {
	unsigned count;
	char at[4][32];
};

struct opt_test_config {
	struct opt_test_words listen;
	unsigned backend, workers;
	uint64_t max_conns, max_unsent;
	int64_t idle_timeout, interval;
	double rate;
	bool verify, check, help, version;
	char json_file[16], config[64];
};

struct opt_test_uring {
	unsigned buffers;
	bool sqpoll;
};

extern struct opt_set opt_test;
extern struct opt_test_config opt_test_config;
extern struct opt_test_uring opt_test_uring;
extern char *opt_test_words[16]; /* argv of the last load */
extern char opt_test_path[64];   /* of the last file made */

/* Back to the defaults. */
void opt_test_reset(void);

/* Reads a config file that is called e.conf. */
int opt_test_read(const char *text);
int opt_test_read_bytes(const char *bytes, size_t len);

/* Loads a command line given as one string, and at most one variable of the environment. */
int opt_test_load(const char *line, const char *variable);

/* Makes a file, opt_test_path, that is gone after the test. */
void opt_test_file(const char *text);

/* What a printer prints; the caller frees it. */
char *opt_test_print(void (*printer)(const struct opt_set *, FILE *));

void opt_test_error(int r, const char *error);

/* A test case with this fixture, and those of the suite. */
TCase *opt_tcase(const char *name);
TCase *opt_file_tests(void);
TCase *opt_type_tests(void);
TCase *opt_doc_tests(void);
TCase *opt_change_tests(void);

#endif
