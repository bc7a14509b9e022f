/* SPDX-License-Identifier: MIT
 * test_stream: the files of a run are whole or not there, and what could not be written is said.
 */
#include "echoload/report/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echoload/report/report.h"
#include "opt_fixture.h"
#include "result_fixture.h"

#include "suites.h"

static char directory[64];
static struct outputs outputs;

static void setup(void)
{
	snprintf(directory, sizeof(directory), "/tmp/test_stream.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	sample_config.output = REPORT_PRINT_quiet;
}

/* Every file that is there, taken away if @take. Returns how many. */
static unsigned files(bool take)
{
	DIR *dir = opendir(directory);
	unsigned n = 0;
	const struct dirent *e;

	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (take)
			unlinkat(dirfd(dir), e->d_name, 0);
	}
	closedir(dir);
	return n;
}

static void teardown(void)
{
	files(true);
	rmdir(directory);
}

/* The configuration asks for this file in the directory of the test. */
static void ask(char field[OPT_TEXT_MAX], const char *name)
{
	snprintf(field, OPT_TEXT_MAX, "%s/%s", directory, name);
}

static bool there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* The lines of a file; the last whole one stays in @line. */
static unsigned lines(const char *name, char line[256])
{
	unsigned n = 0;
	FILE *f;

	snprintf(line, 256, "%s/%s", directory, name);
	f = fopen(line, "re");
	ck_assert_ptr_nonnull(f);
	for (char *text = NULL; text || !feof(f);) {
		size_t room = 0;
		ssize_t len = getline(&text, &room, f);

		if (len > 0) {
			ck_assert_int_eq(text[len - 1], '\n');
			snprintf(line, 256, "%.200s", text);
			n++;
		}
		free(text);
		text = NULL;
	}
	ck_assert_int_eq(fclose(f), 0);
	return n;
}

static void ask_for_all(const char *hist)
{
	ask(sample_config.jsonl, "r.jsonl");
	ask(sample_config.csv, "r.csv");
	ask(sample_config.json, "r.json");
	ask(sample_config.hist, hist);
}

/* A row of the run, with what @h has in it. */
static void tell_interval(int64_t begin_ns, int64_t end_ns, const struct hist *h)
{
	struct interval row = { .begin_ns = begin_ns, .end_ns = end_ns, .open = 4 };

	row.counts.echoed = h->count;
	result_latency(h, &row.latency);
	outputs_interval(&outputs, &row, h);
}

static void tell_all(void)
{
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), 0);
	outputs_start(&outputs, &sample);
	tell_interval(0, SEC(1), sample.latency);
	tell_interval(SEC(1), SEC(2), sample.lateness); /* nothing in it */
	outputs_outage(&outputs, 1, &sample_outages[0], false);
	outputs_outage(&outputs, 1, &sample_outages[0], true);
}

static json_t *result_in_file(const char *name)
{
	char path[128];
	json_t *root;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(root);
	return root;
}

static int exit_code_in(const char *name)
{
	json_t *root = result_in_file(name);
	int code = (int)json_integer_value(json_object_get(json_object_get(root, "exit"), "code"));

	json_decref(root);
	return code;
}

START_TEST(every_file_is_there_when_the_run_has_ended)
{
	static const char *const hists[] = { "r.hlog", "r.hgrm" };
	char line[256];

	ask_for_all(hists[_i]);
	tell_all();
	ck_assert(!there("r.csv") && !there("r.json") && !there(hists[_i]));
	ck_assert_uint_eq(lines("r.jsonl", line), 5); /* whoever follows has it all by now */
	ck_assert_int_eq(outputs_end(&outputs, &sample), 0);
	ck_assert_uint_eq(files(false), 4);
	ck_assert_uint_eq(lines("r.csv", line), 1 + 2);
	ck_assert_uint_eq(lines("r.jsonl", line), 6);
	ck_assert_int_eq(strncmp(line, "{\"event\":\"end\"", 14), 0);
	ck_assert_int_eq(exit_code_in("r.json"), 0);
	if (_i == 0)
		ck_assert_uint_eq(lines("r.hlog", line), 4 + 2);
	else
		ck_assert_uint_gt(lines("r.hgrm", line), 10);
}
END_TEST

START_TEST(a_run_that_was_over_before_it_began_leaves_whole_files_too)
{
	char line[256];

	ask_for_all("r.hlog");
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), 0);
	ck_assert_int_eq(outputs_end(&outputs, &sample), 0);
	ck_assert_uint_eq(lines("r.jsonl", line), 2);
	ck_assert_uint_eq(lines("r.csv", line), 1);
	ck_assert_uint_eq(lines("r.hlog", line), 4);
}
END_TEST

START_TEST(what_was_dropped_is_not_there)
{
	ask_for_all("r.hgrm");
	tell_all();
	outputs_drop(&outputs);
	ck_assert_uint_eq(files(false), 1); /* lines that somebody may have read already */
	ck_assert(there("r.jsonl"));
}
END_TEST

START_TEST(what_one_that_was_killed_has_left_is_in_nobodys_way)
{
	char path[256];
	FILE *left;

	/* in a container all have the same number */
	snprintf(path, sizeof(path), "%s/r.json.%d.tmp", directory, (int)getpid());
	left = fopen(path, "we");
	ck_assert_ptr_nonnull(left);
	ck_assert_int_eq(fclose(left), 0);
	ask(sample_config.json, "r.json");
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), 0);
	ck_assert_int_eq(outputs_end(&outputs, &sample), 0);
	ck_assert_int_eq(exit_code_in("r.json"), 0);
	ck_assert_uint_eq(files(false), 2);
}
END_TEST

START_TEST(a_file_that_cannot_be_made_is_named_before_the_run)
{
	char(*const names[])[OPT_TEXT_MAX] = { &sample_config.jsonl, &sample_config.csv,
					       &sample_config.json, &sample_config.hist,
					       &sample_config.hist };
	static const char *const paths[] = { "no/r.jsonl", "no/r.csv", "no/r.json", "no/r.hgrm",
					     "no/r.hlog" };
	char *name = *names[_i];

	ask_for_all("r.hgrm");
	sample_config.jsonl[0] = 0;
	ask(name, paths[_i]);
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), -ENOENT);
	ck_assert_str_eq(outputs.what, name);
	ck_assert_uint_eq(files(false), 0);
}
END_TEST

START_TEST(what_cannot_be_written_is_the_verdict_that_the_result_tells)
{
	ask(sample_config.json, "r.json");
	snprintf(sample_config.jsonl, OPT_TEXT_MAX, "/dev/full");
	ask(sample_config.csv, "r.csv");
	tell_all();
	ck_assert_int_eq(outputs_end(&outputs, &sample), -ENOSPC);
	ck_assert_str_eq(outputs.what, "/dev/full");
	ck_assert_int_eq(sample.exit_code, 4);
	ck_assert_str_eq(sample.exit_reason, "cannot write /dev/full: No space left on device");
	ck_assert_int_eq(exit_code_in("r.json"), 4);
	ck_assert_uint_eq(files(false), 2); /* the table is whole */
}
END_TEST

START_TEST(a_worse_verdict_stays)
{
	snprintf(sample_config.json, OPT_TEXT_MAX, "/dev/full");
	sample.books.attempts++;
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), 0);
	ck_assert_int_eq(outputs_end(&outputs, &sample), -ENOSPC);
	ck_assert_int_eq(sample.exit_code, 70);
}
END_TEST

START_TEST(every_phase_has_files_of_its_own)
{
	ask_for_all("r.hgrm");
	for (int i = 0; i < 2; i++) {
		sample.phase = i ? "two" : "one";
		tell_all();
		ck_assert_int_eq(outputs_end(&outputs, &sample), 0);
	}
	ck_assert_uint_eq(files(false), 8);
	ck_assert(there("r.one.json") && there("r.two.hgrm") && there("r.two.jsonl"));
}
END_TEST

START_TEST(a_file_replaces_the_one_before)
{
	FILE *old;

	ask(sample_config.json, "r.json");
	old = fopen(sample_config.json, "we");
	ck_assert_int_eq(fputs("old\n", old), 1);
	ck_assert_int_eq(fclose(old), 0);
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), 0);
	ck_assert_int_eq(outputs_end(&outputs, &sample), 0);
	ck_assert_int_eq(exit_code_in("r.json"), 0);
	ck_assert_uint_eq(files(false), 1);
}
END_TEST

START_TEST(a_name_that_is_no_plain_file_is_written_and_stays_what_it_is)
{
	struct stat st;
	int fd;
	char begin[2] = "";

	ask(sample_config.json, "r.json");
	ck_assert_int_eq(mkfifo(sample_config.json, 0600), 0);
	fd = open(sample_config.json, O_RDWR | O_CLOEXEC); /* so that neither end waits */
	ck_assert_int_ge(fd, 0);
	sample_finish();
	ck_assert_int_eq(outputs_open(&outputs, &sample), 0);
	ck_assert_int_eq(outputs_end(&outputs, &sample), 0);
	ck_assert_int_eq(read(fd, begin, 2), 2);
	ck_assert_mem_eq(begin, "{\n", 2);
	close(fd);
	ck_assert_int_eq(lstat(sample_config.json, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* What report prints on stdout, as a number of bytes. */
static off_t printed(enum report_printed output)
{
	int out = dup(STDOUT_FILENO), fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	off_t size;

	ck_assert_int_ge(fd, 0);
	fflush(stdout);
	ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
	sample_config.output = output;
	sample_finish();
	ck_assert_int_eq(report(&sample), 0);
	ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
	size = lseek(fd, 0, SEEK_END);
	close(out);
	close(fd);
	return size;
}

START_TEST(standard_output_gets_the_format_asked_for)
{
	ck_assert_int_eq(printed(REPORT_PRINT_quiet), 0);
	ck_assert_int_gt(printed(REPORT_PRINT_text), 500);
	ck_assert_int_gt(printed(REPORT_PRINT_json), 2000);
}
END_TEST

Suite *outputs_suite(void)
{
	Suite *s = suite_create("stream");
	TCase *t = result_tcase("files");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_checked_fixture(t, opt_test_reset, NULL);
	tcase_add_loop_test(t, every_file_is_there_when_the_run_has_ended, 0, 2);
	tcase_add_test(t, a_run_that_was_over_before_it_began_leaves_whole_files_too);
	tcase_add_test(t, what_was_dropped_is_not_there);
	tcase_add_test(t, what_one_that_was_killed_has_left_is_in_nobodys_way);
	tcase_add_loop_test(t, a_file_that_cannot_be_made_is_named_before_the_run, 0, 5);
	tcase_add_test(t, what_cannot_be_written_is_the_verdict_that_the_result_tells);
	tcase_add_test(t, a_worse_verdict_stays);
	tcase_add_test(t, every_phase_has_files_of_its_own);
	tcase_add_test(t, a_file_replaces_the_one_before);
	tcase_add_test(t, a_name_that_is_no_plain_file_is_written_and_stays_what_it_is);
	tcase_add_test(t, standard_output_gets_the_format_asked_for);
	suite_add_tcase(s, t);
	return s;
}
