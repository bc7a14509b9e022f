/* SPDX-License-Identifier: MIT
 * test_report: whole texts as people see them; JSON that is read back; files that are whole or not
 * there.
 */
#include "echoload/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base.h"
#include "echo/hist.h"
#include "echo/provenance.h"
#include "echoload/verdict.h"
#include "opt_fixture.h"
#include "result_fixture.h"

#include "suites.h"

/* The last steps of a run: its one target has all of its books, and a verdict is found. */
static void finish_sample(void)
{
	sample.targets[0].books = sample.books;
	verdict(&sample);
}

/* ---- text ---- */

/* The text of the sample; to be freed. */
static char *text_of_sample(void)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	finish_sample();
	report_text(&sample, to);
	ck_assert_int_eq(fclose(to), 0);
	return text;
}

static void expect_text(const char *expected)
{
	char *text = text_of_sample();

	ck_assert_str_eq(text, expected);
	free(text);
}

static void expect_line(const char *line)
{
	char *text = text_of_sample();

	ck_assert_msg(strstr(text, line), "no '%s' in\n%s", line, text);
	free(text);
}

START_TEST(a_good_run_is_short)
{
	expect_text("target       h:7007 (192.0.2.1:7007)\n"
		    "load         epoll, 2 threads; messages of 64 B, 1 in flight each\n"
		    "time         11.0 s, the first 1.00 s of it warm-up\n"
		    "\n"
		    "connections  4 requested, 4 established, peak 4\n"
		    "messages     100 sent, all echoed and verified\n"
		    "rate         8 echoes/s, 512 B/s each way, over 10.0 s\n"
		    "\n"
		    "latency           mean      p50      p90      p99    p99.9   p99.99      max\n"
		    "  all          40.5 us  40.0 us  72.0 us  80.0 us  80.0 us  80.0 us  80.0 us\n"
		    "\n"
		    "generator    11.0 s of CPU, 50% of 2 threads; bottleneck: target or path\n"
		    "exit 0       ok\n");
}
END_TEST

static const struct outage outages[] = {
	{ SEC(2), SEC(2) + MSEC(4), SEC(2) + MSEC(808), SEC(2) + MSEC(956), 3 },
	{ SEC(5), SEC(6), -1, -1, 0 },
};

START_TEST(a_bad_run_says_what_when_and_what_it_cost)
{
	sample_fails(FAIL_RESET, PHASE_AWAITING, ECONNRESET, 3);
	sample_connect_fails(FAIL_REFUSED, ECONNREFUSED, 1234567);
	sample.books.lost[LOST_UNACKED] = 1;
	sample.books.lost[LOST_ACKED] = 2;
	sample.outages = outages;
	sample.outage_count = 2;
	sample.steal_ns = MSEC(20);
	expect_text(
		"target       h:7007 (192.0.2.1:7007)\n"
		"load         epoll, 2 threads; messages of 64 B, 1 in flight each\n"
		"time         11.0 s, the first 1.00 s of it warm-up\n"
		"\n"
		"connections  4 requested, 1,234,574 attempts, 7 established, 1,234,567 failed,\n"
		"             peak 4\n"
		"messages     103 sent, 100 echoed and verified, 3 lost\n"
		"rate         8 echoes/s, 512 B/s each way, over 10.0 s\n"
		"\n"
		"latency           mean      p50      p90      p99    p99.9   p99.99      max\n"
		"  all          40.5 us  40.0 us  72.0 us  80.0 us  80.0 us  80.0 us  80.0 us\n"
		"  no outage    40.5 us  40.0 us  72.0 us  80.0 us  80.0 us  80.0 us  80.0 us\n"
		"\n"
		"outage           began      noticed  first success    recovered      lost\n"
		"1              2.000 s     +4.00 ms        +808 ms      +956 ms         3\n"
		"2              5.000 s      +1.00 s          never        never         0\n"
		"\n"
		"ended by         phase      errno             count      lost    first     last\n"
		"refused          connecting ECONNREFUSED  1,234,567         0      0 s      0 s\n"
		"reset            awaiting   ECONNRESET            3         3  2.000 s  2.003 s\n"
		"finished         closing    -                     4         0  11.00 s  11.00 s\n"
		"\n"
		"lost messages\n"
		"          1  sent, not acknowledged by the peer's kernel\n"
		"          2  acknowledged by it: may have been processed\n"
		"\n"
		"generator    11.0 s of CPU, 50% of 2 threads, 20.0 ms stolen by the hypervisor;\n"
		"             bottleneck: target or path\n"
		"exit 1       1234567 connects refused, 3 connections ended in reset\n");
}
END_TEST

START_TEST(a_run_without_an_echo_has_no_rate_and_no_latency)
{
	sample_clear();
	sample_connect_fails(FAIL_REFUSED, ECONNREFUSED, 4);
	sample.duration_ns = USEC(394);
	sample.cpu_ns = USEC(1000);
	expect_text(
		"target       h:7007 (192.0.2.1:7007)\n"
		"load         epoll, 2 threads; messages of 64 B, 1 in flight each\n"
		"time         394 us, less than the warm-up of 1.00 s\n"
		"\n"
		"connections  4 requested, 0 established, 4 failed, peak 0\n"
		"messages     0 sent\n"
		"\n"
		"ended by         phase      errno             count      lost    first     last\n"
		"refused          connecting ECONNREFUSED          4         0      0 s      0 s\n"
		"\n"
		"generator    1.00 ms of CPU, 100% of 2 threads\n"
		"exit 3       not one echo: 4 connects refused\n");
}
END_TEST

START_TEST(a_corruption_says_where_and_what)
{
	sample.books.corruption = (struct corruption){ true, 3, 123456, 0x41, 0x0, false };
	expect_line("\ncorruption   connection 3, byte 123,456 of its stream: expected 0x41, seen "
		    "0x00\n");
	sample.books.corruption.surplus = true;
	expect_line("\ncorruption   connection 3, byte 123,456 of its stream: seen 0x00 where "
		    "nothing was\n             owed\n");
}
END_TEST

START_TEST(what_was_not_verified_or_not_sent_is_said)
{
	sample_config.verify = false;
	expect_line("100 sent, all echoed, not verified\n");
	sample.books.missed = 5;
	sample.books.planned += 5;
	expect_line("105 planned, 5 missed, 100 sent, all echoed, not verified\n");
}
END_TEST

START_TEST(an_interrupted_run_says_what_was_open)
{
	sample.interrupted = true;
	sample.books.attempts += 3;
	sample.books.connecting_at_end = 2;
	sample.books.established++;
	sample.books.open_at_end = 1;
	expect_line("4 requested, 7 attempts, 5 established, peak 4; 2 connecting at the\n");
	expect_line("exit 130     interrupted by SIGINT\n");
}
END_TEST

START_TEST(no_line_is_longer_than_80_columns)
{
	static const struct outage last = { INT64_MAX / 2, INT64_MAX, INT64_MAX, -1, 999999999 };
	char name[300], *text, *line;
	uint64_t n = 999999999;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	sample.targets[0].name = name;
	for (unsigned at = 0; at < PHASE_COUNT; at++) {
		for (unsigned why = FAIL_EOF; why <= FAIL_OTHER; why++)
			sample_fails(why, at, EADDRNOTAVAIL, n);
	}
	hist_record((struct hist *)(uintptr_t)sample.latency, SEC(999));
	sample.duration_ns = SEC(999);
	sample.outages = &last;
	sample.outage_count = 1;
	sample.outages_unlisted = 12;
	text = text_of_sample();
	ck_assert_ptr_nonnull(strstr(text, "\n  and 51 more ways\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n  and 12 more outages\n"));
	for (char *rest = text; (line = strsep(&rest, "\n"));)
		ck_assert_msg(strlen(line) <= 80, "%zu columns: %s", strlen(line), line);
	free(text);
}
END_TEST

/* ---- JSON ---- */

static json_t *json_of_sample(void)
{
	json_error_t error;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	json_t *root;

	finish_sample();
	ck_assert_int_eq(report_json(&sample, to), 0);
	ck_assert_int_eq(fclose(to), 0);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(root, "%s in %s", error.text, text);
	free(text);
	return root;
}

/* The value at "messages.sent" or "outages.0.begin_ns". */
static json_t *at(json_t *from, const char *path)
{
	char copy[128], *rest = copy, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")))
		from = json_is_array(from) ? json_array_get(from, (size_t)strtoul(key, NULL, 10))
					   : json_object_get(from, key);
	ck_assert_msg(from, "no %s", path);
	return from;
}

static void expect_integer(json_t *root, const char *path, json_int_t value)
{
	ck_assert(json_is_integer(at(root, path)));
	ck_assert_msg(json_integer_value(at(root, path)) == value, "%s is %lld", path,
		      json_integer_value(at(root, path)));
}

static void expect_string(json_t *root, const char *path, const char *value)
{
	ck_assert(json_is_string(at(root, path)));
	ck_assert_str_eq(json_string_value(at(root, path)), value);
}

START_TEST(json_has_the_keys_of_the_contract)
{
	static const struct {
		const char *path;
		json_int_t value;
	} integers[] = {
		{ "exit.code", 0 },
		{ "context.start_unix_ns", 1 },
		{ "duration_ns", SEC(11) },
		{ "connections.requested", 4 },
		{ "connections.attempts", 4 },
		{ "connections.established", 4 },
		{ "connections.failed", 0 },
		{ "connections.connecting_at_end", 0 },
		{ "connections.open_at_end", 0 },
		{ "connections.peak", 4 },
		{ "messages.planned", 100 },
		{ "messages.missed", 0 },
		{ "messages.sent", 100 },
		{ "messages.echoed", 100 },
		{ "messages.corrupt", 0 },
		{ "messages.lost", 0 },
		{ "messages.unfinished", 0 },
		{ "messages.lost_unsent", 0 },
		{ "messages.lost_partial", 0 },
		{ "messages.lost_unacked", 0 },
		{ "messages.lost_acked", 0 },
		{ "measured.begin_ns", SEC(1) },
		{ "measured.end_ns", SEC(11) },
		{ "measured.sent", 80 },
		{ "measured.echoed", 80 },
		{ "measured.corrupt", 0 },
		{ "measured.lost", 0 },
		{ "measured.unfinished", 0 },
		{ "measured.echoed_in_outage", 0 },
		{ "bytes.sent", 6400 },
		{ "bytes.received", 6400 },
		{ "bytes.partial", 0 },
		{ "bytes.surplus", 0 },
		{ "latency_ns.count", 80 },
		{ "latency_ns.min", 1000 },
		{ "latency_ns.mean", 40500 },
		{ "latency_ns.p50", 40031 },
		{ "latency_ns.p90", 72063 },
		{ "latency_ns.p99", 80000 },
		{ "latency_ns.p99_9", 80000 },
		{ "latency_ns.p99_99", 80000 },
		{ "latency_ns.max", 80000 },
		{ "latency_uncorrected_ns.p50", 40031 },
		{ "latency_outside_outage_ns.count", 80 },
		{ "outcomes.0.count", 4 },
		{ "outcomes.0.messages_lost", 0 },
		{ "outcomes.0.first_ns", SEC(11) },
		{ "outcomes.0.last_ns", SEC(11) + 5 },
		{ "generator.late_sends", 0 },
		{ "generator.cpu_ns", SEC(11) },
	};
	json_t *root = json_of_sample();

	for (size_t i = 0; i < ARRAY_LEN(integers); i++)
		expect_integer(root, integers[i].path, integers[i].value);
	expect_string(root, "schema", "echoload/1");
	expect_string(root, "exit.reason", "ok");
	expect_string(root, "outcomes.0.cause", "finished");
	expect_string(root, "outcomes.0.phase", "closing");
	expect_string(root, "generator.bottleneck", "server");
	expect_string(root, "context.backend", "epoll");
	ck_assert(json_is_false(at(root, "interrupted")));
	ck_assert(json_is_null(at(root, "outcomes.0.errno")));
	ck_assert(json_is_null(at(root, "generator.steal_ns")));
	ck_assert(json_is_null(at(root, "corruption")));
	ck_assert_double_eq(json_number_value(at(root, "messages.per_second")), 8.0);
	ck_assert_uint_eq(json_array_size(at(root, "intervals")), 0);
	ck_assert_uint_eq(json_array_size(at(root, "outages")), 0);
	ck_assert_uint_gt(json_string_length(at(root, "histograms.latency_ns")), 40);
	json_decref(root);
}
END_TEST

START_TEST(json_of_a_run_that_measured_nothing_has_zeros)
{
	json_t *root;

	sample_clear();
	sample.measure_end_ns = sample.measure_begin_ns;
	root = json_of_sample();
	expect_integer(root, "exit.code", 3);
	expect_integer(root, "latency_ns.count", 0);
	expect_integer(root, "latency_ns.min", 0);
	expect_integer(root, "latency_ns.p50", 0);
	expect_integer(root, "latency_ns.max", 0);
	ck_assert_double_eq(json_real_value(at(root, "messages.per_second")), 0);
	json_decref(root);
}
END_TEST

START_TEST(what_never_came_is_null)
{
	json_t *root;

	sample.outages = outages;
	sample.outage_count = 2;
	root = json_of_sample();
	expect_integer(root, "outages.0.recovered_ns", SEC(2) + MSEC(956));
	expect_integer(root, "outages.1.begin_ns", SEC(5));
	ck_assert(json_is_null(at(root, "outages.1.first_success_ns")));
	ck_assert(json_is_null(at(root, "outages.1.recovered_ns")));
	json_decref(root);
}
END_TEST

START_TEST(errnos_and_corruptions_are_in_json)
{
	json_t *root;

	sample_fails(FAIL_CORRUPT, PHASE_AWAITING, 0, 9);
	sample_fails(FAIL_RESET, PHASE_AWAITING, ECONNRESET, 10);
	sample.books.corruption = (struct corruption){ true, 3, 77, 0x41, 0x42, false };
	root = json_of_sample();
	expect_string(root, "outcomes.0.errno", "ECONNRESET");
	expect_integer(root, "outcomes.0.messages_lost", 10);
	expect_integer(root, "corruption.expected", 0x41);
	expect_integer(root, "corruption.offset", 77);
	json_decref(root);
	sample.books.corruption.surplus = true;
	root = json_of_sample();
	ck_assert(json_is_null(at(root, "corruption.expected")));
	json_decref(root);
}
END_TEST

START_TEST(arguments_that_are_no_utf8_are_still_json)
{
	json_t *root = json_of_sample();

	expect_string(root, "context.argv.0", "echoload");
	expect_string(root, "context.argv.1", "h?:7007");
	json_decref(root);
}
END_TEST

START_TEST(json_carries_the_configuration_and_where_it_came_from)
{
	json_t *root;

	ck_assert_int_ge(opt_test_load("--workers=3", "ECHOD_MAX_CONNS=1k"), 0);
	sample.opts = &opt_test;
	root = json_of_sample();
	expect_string(root, "config.workers", "3");
	expect_string(root, "config_source.workers", "command line");
	expect_string(root, "config.max_conns", "1k");
	expect_string(root, "config_source.max_conns", "environment");
	expect_string(root, "config_source.verify", "default");
	ck_assert(json_is_string(json_object_get(at(root, "config"), "io_uring.buffers")));
	json_decref(root);
}
END_TEST

START_TEST(json_carries_the_provenance)
{
	static struct provenance p = { .kernel = "Linux 1",
				       .cpus_online = 8,
				       .sysctls = { { "net.core.somaxconn", "4096" } },
				       .sysctl_count = 1 };
	json_t *root;

	sample.provenance = &p;
	root = json_of_sample();
	expect_string(root, "context.kernel", "Linux 1");
	expect_integer(root, "context.cpus_online", 8);
	ck_assert_ptr_null(json_object_get(at(root, "context"), "cpu"));
	ck_assert_str_eq(json_string_value(json_object_get(at(root, "context.sysctls"),
							   "net.core.somaxconn")),
			 "4096");
	json_decref(root);
}
END_TEST

START_TEST(json_that_cannot_be_written_is_an_error)
{
	FILE *full = fopen("/dev/full", "we");

	ck_assert_ptr_nonnull(full);
	verdict(&sample);
	ck_assert_int_eq(report_json(&sample, full), -ENOSPC);
	fclose(full);
}
END_TEST

/* ---- files ---- */

static char directory[64];

static void setup_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/test_report.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	sample_config.output = OUTPUT_QUIET;
	snprintf(sample_config.json, sizeof(sample_config.json), "%s/r.json", directory);
}

static unsigned files_in_directory(void)
{
	DIR *dir = opendir(directory);
	unsigned n = 0;
	const struct dirent *e;

	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void teardown_directory(void)
{
	unlink(sample_config.json);
	rmdir(directory);
}

START_TEST(a_file_replaces_the_one_before_and_leaves_nothing_else)
{
	const char *what = "";
	json_t *root;
	FILE *old = fopen(sample_config.json, "we");

	ck_assert_int_eq(fclose(old), 0);
	verdict(&sample);
	ck_assert_int_eq(report(&sample, &what), 0);
	root = json_load_file(sample_config.json, 0, NULL);
	ck_assert_ptr_nonnull(root);
	json_decref(root);
	ck_assert_uint_eq(files_in_directory(), 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_made_is_named)
{
	const char *what = "";

	snprintf(sample_config.json, sizeof(sample_config.json), "%s/none/r.json", directory);
	verdict(&sample);
	ck_assert_int_eq(report(&sample, &what), -ENOENT);
	ck_assert_str_eq(what, sample_config.json);
	ck_assert_uint_eq(files_in_directory(), 0);
}
END_TEST

START_TEST(a_name_that_is_no_plain_file_is_written_and_stays_what_it_is)
{
	const char *what = "";
	struct stat st;
	int fd;
	char begin[2] = "";

	ck_assert_int_eq(mkfifo(sample_config.json, 0600), 0);
	fd = open(sample_config.json, O_RDWR | O_CLOEXEC); /* so that neither end waits */
	ck_assert_int_ge(fd, 0);
	verdict(&sample);
	ck_assert_int_eq(report(&sample, &what), 0);
	ck_assert_int_eq(read(fd, begin, 2), 2);
	ck_assert_mem_eq(begin, "{\n", 2);
	close(fd);
	ck_assert_int_eq(lstat(sample_config.json, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* What report prints on stdout, as a number of bytes. */
static off_t printed(enum output_format output)
{
	const char *what = "";
	int out = dup(STDOUT_FILENO), fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	off_t size;

	ck_assert_int_ge(fd, 0);
	fflush(stdout);
	ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
	sample_config.json[0] = 0;
	sample_config.output = output;
	verdict(&sample);
	ck_assert_int_eq(report(&sample, &what), 0);
	ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
	size = lseek(fd, 0, SEEK_END);
	close(out);
	close(fd);
	return size;
}

START_TEST(standard_output_gets_the_format_asked_for)
{
	ck_assert_int_eq(printed(OUTPUT_QUIET), 0);
	ck_assert_int_gt(printed(OUTPUT_TEXT), 500);
	ck_assert_int_gt(printed(OUTPUT_JSON), 2000);
}
END_TEST

static TCase *text_tests(void)
{
	TCase *t = result_tcase("text");

	tcase_add_test(t, a_good_run_is_short);
	tcase_add_test(t, a_bad_run_says_what_when_and_what_it_cost);
	tcase_add_test(t, a_run_without_an_echo_has_no_rate_and_no_latency);
	tcase_add_test(t, a_corruption_says_where_and_what);
	tcase_add_test(t, what_was_not_verified_or_not_sent_is_said);
	tcase_add_test(t, an_interrupted_run_says_what_was_open);
	tcase_add_test(t, no_line_is_longer_than_80_columns);
	return t;
}

static TCase *json_tests(void)
{
	TCase *t = result_tcase("json");

	tcase_add_checked_fixture(t, opt_test_reset, NULL);
	tcase_add_test(t, json_has_the_keys_of_the_contract);
	tcase_add_test(t, json_of_a_run_that_measured_nothing_has_zeros);
	tcase_add_test(t, what_never_came_is_null);
	tcase_add_test(t, errnos_and_corruptions_are_in_json);
	tcase_add_test(t, arguments_that_are_no_utf8_are_still_json);
	tcase_add_test(t, json_carries_the_configuration_and_where_it_came_from);
	tcase_add_test(t, json_carries_the_provenance);
	tcase_add_test(t, json_that_cannot_be_written_is_an_error);
	return t;
}

Suite *report_suite(void)
{
	Suite *s = suite_create("report");
	TCase *t = result_tcase("files");

	suite_add_tcase(s, text_tests());
	suite_add_tcase(s, json_tests());
	tcase_add_checked_fixture(t, setup_directory, teardown_directory);
	tcase_add_test(t, a_file_replaces_the_one_before_and_leaves_nothing_else);
	tcase_add_test(t, a_file_that_cannot_be_made_is_named);
	tcase_add_test(t, a_name_that_is_no_plain_file_is_written_and_stays_what_it_is);
	tcase_add_test(t, standard_output_gets_the_format_asked_for);
	suite_add_tcase(s, t);
	return s;
}
