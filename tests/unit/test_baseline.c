/* SPDX-License-Identifier: MIT
 * test_baseline: what is said of cells whose sides have clients of their own: what is recommended.
 */
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

Suite *baseline_suite(void)
{
	Suite *s = suite_create("baseline");
	TCase *t = tcase_create("clients");

	tcase_add_test(t, only_a_server_is_recommended_as_a_backend);
	suite_add_tcase(s, t);
	return s;
}
