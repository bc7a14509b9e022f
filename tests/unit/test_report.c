/* SPDX-License-Identifier: MIT
 * test_report: whole texts, as people see them.
 */
#include "echoload/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "result_fixture.h"

#include "suites.h"

/* The text of the sample; to be freed. */
static char *text_of_sample(void)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	sample_finish();
	ck_assert_int_eq(report_text.end(&sample, to), 0);
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
		    "  all          40.5 us  40.0 us  72.1 us  80.0 us  80.0 us  80.0 us  80.0 us\n"
		    "\n"
		    "generator    11.0 s of CPU, 50% of 2 threads; bottleneck: target or path\n"
		    "exit 0       ok\n");
}
END_TEST

START_TEST(a_bad_run_says_what_when_and_what_it_cost)
{
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 3);
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 1234567);
	sample.books.lost[LOST_UNACKED] = 1;
	sample.books.lost[LOST_ACKED] = 2;
	sample.outages = sample_outages;
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
		"  all          40.5 us  40.0 us  72.1 us  80.0 us  80.0 us  80.0 us  80.0 us\n"
		"  no outage    40.5 us  40.0 us  72.1 us  80.0 us  80.0 us  80.0 us  80.0 us\n"
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
		"          1  sent: may have been processed, acknowledged or not\n"
		"          2  acknowledged by the peer's kernel: may have been processed\n"
		"\n"
		"generator    11.0 s of CPU, 50% of 2 threads, 20.0 ms stolen by the hypervisor;\n"
		"             bottleneck: target or path\n"
		"exit 1       1234567 connects refused, 3 connections ended in reset\n");
}
END_TEST

START_TEST(a_run_without_an_echo_has_no_rate_and_no_latency)
{
	sample_clear();
	sample_connect_fails(CAUSE_REFUSED, ECONNREFUSED, 4);
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
	expect_line(
		"\ncorruption   connection 3, byte 123,456 of its stream: seen 0x00 where nothing\n"
		"             was owed\n");
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

START_TEST(an_open_loop_says_its_rate_and_both_latencies)
{
	sample_config.rate = 12500;
	sample_config.pipeline = 16;
	expect_line("\nload         epoll, 2 threads; open loop of 12,500/s; messages of 64 B, up "
		    "to 16\n             in flight each\n");
	expect_line("\nrate         8 of 12,500 echoes/s, 512 B/s each way, over 10.0 s\n");
	expect_line("\n  from due     40.5 us");
	expect_line("\n  from send    40.5 us");
	sample_config.rate = 0.5;
	sample_config.arrivals = ARRIVALS_POISSON;
	expect_line("open loop of 0.5/s at random times; ");
}
END_TEST

START_TEST(a_rate_below_one_is_no_zero)
{
	sample_config.rate = 0.2;
	expect_line("load         epoll, 2 threads; open loop of 0.2/s; ");
	expect_line("rate         8 of 0.2 echoes/s, ");
}
END_TEST

START_TEST(a_rate_beyond_all_counting_is_said)
{
	struct books *b = &sample.books;

	/* such a result can be read by merge: its books balance */
	sample_config.churn = 1;
	b->measured.sent = b->measured.echoed = b->all.sent = b->all.echoed = b->planned = 1ull
											   << 61;
	b->attempts = b->established = b->reached = 1ull << 61;
	sample.measure_end_ns = sample.measure_begin_ns + 1;
	sample.duration_ns = 1;
	expect_line("rate         2.31e+27 echoes/s, ");
	expect_line(" established, 2.31e+27 each second, ");
}
END_TEST

START_TEST(a_sum_of_open_and_closed_loops_has_both_latencies)
{
	struct hist *late = hist_new(3);

	hist_record(late, 5);
	sample.lateness = late; /* of an open loop; there is no one rate */
	expect_line("; open loops of several rates, or closed ones;\n");
	expect_line("\n  from due     40.5 us");
	expect_line("\n  from send    40.5 us");
	hist_free(late);
}
END_TEST

START_TEST(churn_and_idle_connections_are_said)
{
	sample_config.churn = 5;
	sample_config.close = CLOSE_RST;
	sample_config.idle = 2;
	sample.books.established = sample.books.attempts = 44;
	sample.books.outcomes[0].count = 44;
	expect_line("64 B, 1 in flight each; a new\n"
		    "             connection after 5 messages, by RST\n");
	expect_line("\nconnections  4 requested and 2 idle, 44 attempts, 44 established, 4 each "
		    "second,\n             peak 4\n");
	expect_line("\n  connect     no message\n");
}
END_TEST

START_TEST(a_mix_of_sizes_is_said_with_its_shares)
{
	sample_config.size = (struct sizes){
		.min = 64,
		.max = 4096,
		.count = 3,
		.total = 8,
		.parts = { { 64, 64, 5 }, { 70, 90, 2 }, { 4096, 4096, 1 } },
	};
	expect_line("messages of 64 B (62.5%), 70 to 90 B (25%) or\n"
		    "             4,096 B (12.5%), 1 in flight each\n");
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

START_TEST(a_terminal_obeys_nothing_that_came_from_elsewhere)
{
	sample.targets[0].name = "h\033[2J\nexit 0       ok";
	sample.target_count = 2;
	snprintf(sample.targets[0].address, ADDR_TEXT_MAX,
		 "caf\xc3\xa9\x9b"
		 "1m");
	snprintf(sample.targets[1].address, ADDR_TEXT_MAX, "b\r");
	sample.targets[1].name = "b";
	sample.targets[1].books = sample.books;
	sample_fails(CAUSE_RESET, PHASE_AWAITING, ECONNRESET, 3);
	expect_line(
		"target       h\\x1b[2J\\x0aexit 0       ok (caf\xc3\xa9\\x9b1m), b (b\\x0d)\n");
	expect_line("\ncaf\xc3\xa9\\x9b1m ");
	expect_line("\nb\\x0d ");
	expect_line("\ncaf\xc3\xa9\\x9b1m\nended by");
}
END_TEST

START_TEST(no_line_is_longer_than_80_columns)
{
	static const struct outage last = { INT64_MAX / 2, INT64_MAX, INT64_MAX, -1,
					    999999999,     false };
	char name[300], *text, *line;
	uint64_t n = 999999999;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	sample.targets[0].name = name;
	for (unsigned at = 0; at < PHASE_COUNT; at++) {
		for (unsigned why = CAUSE_EOF; why <= CAUSE_OTHER; why++)
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

Suite *report_suite(void)
{
	Suite *s = suite_create("report");
	TCase *t = result_tcase("report");

	tcase_add_test(t, a_good_run_is_short);
	tcase_add_test(t, a_bad_run_says_what_when_and_what_it_cost);
	tcase_add_test(t, a_run_without_an_echo_has_no_rate_and_no_latency);
	tcase_add_test(t, a_corruption_says_where_and_what);
	tcase_add_test(t, what_was_not_verified_or_not_sent_is_said);
	tcase_add_test(t, an_open_loop_says_its_rate_and_both_latencies);
	tcase_add_test(t, a_rate_below_one_is_no_zero);
	tcase_add_test(t, a_rate_beyond_all_counting_is_said);
	tcase_add_test(t, a_sum_of_open_and_closed_loops_has_both_latencies);
	tcase_add_test(t, churn_and_idle_connections_are_said);
	tcase_add_test(t, a_mix_of_sizes_is_said_with_its_shares);
	tcase_add_test(t, an_interrupted_run_says_what_was_open);
	tcase_add_test(t, no_line_is_longer_than_80_columns);
	tcase_add_test(t, a_terminal_obeys_nothing_that_came_from_elsewhere);
	suite_add_tcase(s, t);
	return s;
}
