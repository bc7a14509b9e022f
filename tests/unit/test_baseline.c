/* SPDX-License-Identifier: MIT
 * test_baseline: what is said of cells whose sides have clients of their own: which kept ones are
 * the same, and what is recommended.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "echobench/bench.h"
#include "echobench/report/output.h"
#include "echobench/run/commands.h"

#include "suites.h"

START_TEST(only_a_server_is_recommended_as_a_backend)
{
	struct bench_config config = { .a = "epoll", .client_b = "load {addr}" };
	struct cell c = { .config = &config };
	struct bench r = { .cells = &c, .count = 1, .recommend_why = "wins" };
	char text[100] = "";
	FILE *to = fmemopen(text, sizeof(text), "w");

	command_sides(&c, &config, "epoll");
	r.recommend = c.name[SIDE_A];
	table_recommendation(&r, to);
	config.client_b[0] = '\0';
	command_sides(&c, &config, "io_uring");
	r.recommend = c.name[SIDE_B];
	table_recommendation(&r, to);
	fclose(to);
	ck_assert_str_eq(text, "; use echoload\n; wins\n[server]\nbackend = io_uring ; wins\n");
}
END_TEST

/* What --baseline says when both sides were kept with this client; NULL: with none named. */
static enum baseline_verdict against(struct cell *c, const char *client)
{
	struct baseline b = { .verdict = BASELINE_NONE };
	struct bench r = { .cells = c, .count = 1, .alpha = 0.01, .baseline = &b };

	r.kept =
		json_pack("{s[{s{sisisiss} s{ss ss*} s{ss ss*} s{sf sf sf}}]}", "cells", "workload",
			  "connections", 4, "size", 64, "pipeline", 1, "mode", "closed", "a",
			  "name", "epoll", "client", client, "b", "name", "io_uring", "client",
			  client, "ratio", "median", 1.0, "low", 0.9, "high", 1.1);
	ck_assert_ptr_nonnull(r.kept);
	baseline_compare(&r);
	json_decref(r.kept);
	return b.verdict;
}

START_TEST(a_baseline_of_another_client_is_none)
{
	static struct bench_config config = {
		.a = "epoll", .client_backend = "epoll", .congestion = "default", .compare = "rate"
	};
	struct cell c = { .config = &config };
	char ours[COMMAND_MAX];

	c.load = (struct workload){ .connections = 4, .size = 64, .pipeline = 1 };
	c.block_count = 20;
	command_sides(&c, &config, "io_uring");
	command_client(&config, &c.load, "", ours);
	ck_assert_int_eq(against(&c, NULL), BASELINE_SAME);
	ck_assert_int_eq(against(&c, ours), BASELINE_SAME);
	ck_assert_int_eq(against(&c, strrchr(ours, '/') + 1), BASELINE_SAME);
	ck_assert_int_eq(against(&c, "wrk -c {connections} {addr}"), BASELINE_NONE);
	ck_assert_int_eq(against(&c, "echoload --gate {gate} -c {connections} {addr}"),
			 BASELINE_NONE);
	snprintf(config.client_a, sizeof(config.client_a), "wrk {addr}");
	snprintf(config.client_b, sizeof(config.client_b), "wrk {addr}");
	command_sides(&c, &config, "io_uring");
	ck_assert_int_eq(against(&c, "wrk {addr}"), BASELINE_SAME);
	ck_assert_int_eq(against(&c, ours), BASELINE_NONE);
	ck_assert_int_eq(against(&c, NULL), BASELINE_NONE);
}
END_TEST

Suite *baseline_suite(void)
{
	Suite *s = suite_create("baseline");
	TCase *t = tcase_create("clients");

	tcase_add_test(t, only_a_server_is_recommended_as_a_backend);
	tcase_add_test(t, a_baseline_of_another_client_is_none);
	suite_add_tcase(s, t);
	return s;
}
