/* SPDX-License-Identifier: MIT
 * merge_fixture: see merge_fixture.h.
 */
#include "merge_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echoload/report/report.h"
#include "echoload/tools/merge.h"
#include "result_fixture.h"

char merge_said[4096];

/* @root as a file in memory. */
static int file_of(const json_t *root)
{
	int fd = memfd_create("result", MFD_CLOEXEC);
	FILE *f = fdopen(dup(fd), "w");

	ck_assert(fd >= 0 && f);
	ck_assert_int_eq(json_dumpf(root, f, JSON_REAL_PRECISION(15)), 0);
	ck_assert_int_eq(fclose(f), 0);
	return fd;
}

/* Merges @a and @b, or @a alone. Keeps what is merge_said; a text is made, and goes nowhere. */
int merge_two(const json_t *a, const json_t *b)
{
	char names[2][32], command[] = "merge";
	char *argv[] = { command, names[0], b ? names[1] : NULL, NULL };
	int files[2] = { file_of(a), b ? file_of(b) : -1 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	int out_before, err_before, code;
	ssize_t n;

	for (int i = 0; i < 2; i++)
		snprintf(names[i], sizeof(names[i]), "/proc/self/fd/%d", files[i]);
	fflush(stdout);
	out_before = dup(STDOUT_FILENO);
	err_before = dup(STDERR_FILENO);
	ck_assert(dup2(null, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
	code = merge_main(b ? 3 : 2, argv);
	fflush(stdout);
	ck_assert(dup2(out_before, STDOUT_FILENO) >= 0 && dup2(err_before, STDERR_FILENO) >= 0);
	n = pread(err, merge_said, sizeof(merge_said) - 1, 0);
	merge_said[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i] >= 0)
			close(files[i]);
	close(null);
	close(err);
	close(out_before);
	close(err_before);
	return code;
}

json_t *merge_sample(void)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	json_t *root;

	/* What a merge reserves is fresh from the kernel each time, as in the program, and not
	 * cleared megabyte by megabyte. */
	(void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
	sample.outages = sample_outages;
	sample.outage_count = SAMPLE_OUTAGES;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, 104, 3);
	sample_finish();
	ck_assert_int_eq(report_json.end(&sample, to), 0);
	ck_assert_int_eq(fclose(to), 0);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert(root);
	free(text);
	return root;
}

/* The value at "outcomes.0.cause" becomes @json. */
void merge_change(json_t *root, const char *path, const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL), *at = root;
	char copy[128], *rest = copy, *key;

	ck_assert(value);
	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")) && rest)
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
				       : json_object_get(at, key);
	if (json_is_array(at))
		json_array_set_new(at, strtoul(key, NULL, 10), value);
	else
		ck_assert_int_eq(json_object_set_new(at, key, value), 0);
}

/* Values that a program may not have expected. */
const char *const merge_strange[MERGE_STRANGE] = {
	"null",
	"true",
	"-1",
	"0",
	"1",
	"2305843009213693951",
	"9223372036854775807",
	"1e300",
	"0.5",
	"\"\"",
	"\"none\"",
	"[]",
	"[[]]",
	"{}",
	"\"a\\u001b[2J\\nb\"",
	"\"64\\n[report]\\njson = /nowhere/victim\"",
};

/* Changes the value that is @left-th in order of reading. Returns how many are left to pass. It is
 * as deep as a result of echoload: a few levels.
 * NOLINTNEXTLINE(misc-no-recursion) */
int64_t merge_change_nth(json_t *at, int64_t left, const char *json)
{
	json_t *value;
	const char *key;
	void *next;
	size_t i;

	json_object_foreach_safe(at, next, key, value)
	{
		if (left-- == 0) {
			json_object_set_new(at, key, json_loads(json, JSON_DECODE_ANY, NULL));
			return -1;
		}
		left = merge_change_nth(value, left, json);
		if (left < 0)
			return -1;
	}
	json_array_foreach(at, i, value)
	{
		if (left-- == 0) {
			json_array_set_new(at, i, json_loads(json, JSON_DECODE_ANY, NULL));
			return -1;
		}
		left = merge_change_nth(value, left, json);
		if (left < 0)
			return -1;
	}
	return left;
}
