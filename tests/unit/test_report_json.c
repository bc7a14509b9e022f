/* SPDX-License-Identifier: MIT
 * test_report_json: JSON that is read back.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/lab/provenance.h"
#include "echoload/report/report.h"
#include "opt_fixture.h"
#include "result_fixture.h"

#include "suites.h"

static json_t *json_of_sample(void)
{
	json_error_t error;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	json_t *root;

	sample_finish();
	ck_assert_int_eq(report_json.end(&sample, to), 0);
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

/* Keys of the contract, with their values in the sample. */
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
START_TEST(json_has_the_keys_of_the_contract)
{
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

	sample.outages = sample_outages;
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

	sample_fails(CAUSE_CORRUPT, PHASE_AWAITING, 0, 9);
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 10);
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
	sample_finish();
	ck_assert_int_eq(report_json.end(&sample, full), -ENOSPC);
	fclose(full);
}
END_TEST

Suite *report_json_suite(void)
{
	Suite *s = suite_create("report_json");
	TCase *json = result_tcase("json");

	tcase_add_checked_fixture(json, opt_test_reset, NULL);
	tcase_add_test(json, json_has_the_keys_of_the_contract);
	tcase_add_test(json, json_of_a_run_that_measured_nothing_has_zeros);
	tcase_add_test(json, what_never_came_is_null);
	tcase_add_test(json, errnos_and_corruptions_are_in_json);
	tcase_add_test(json, arguments_that_are_no_utf8_are_still_json);
	tcase_add_test(json, json_carries_the_configuration_and_where_it_came_from);
	tcase_add_test(json, json_carries_the_provenance);
	tcase_add_test(json, json_that_cannot_be_written_is_an_error);
	suite_add_tcase(s, json);
	return s;
}
