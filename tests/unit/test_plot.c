/* SPDX-License-Identifier: MIT
 * test_plot: what is read from a run, whole or cut, and what gnuplot is told of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "echoload/tools/plot_private.h"

#include "suites.h"

static char name[32];
static struct plot_data p;

static void setup(void)
{
	int fd;

	snprintf(name, sizeof(name), "/tmp/test_plot.XXXXXX");
	fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	plot_free(&p);
	p = (struct plot_data){ .count = 0 };
	unlink(name);
}

static int read_text(const char *text, size_t len)
{
	FILE *f = fopen(name, "we");

	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	plot_free(&p);
	return plot_read(&p, name);
}

/* The script for what was read; to be freed. */
static char *script(void)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	plot_script(&p, true, to);
	ck_assert_int_eq(fclose(to), 0);
	return text;
}

static void expect_script(const char *part)
{
	char *text = script();

	ck_assert_msg(strstr(text, part), "no '%s' in\n%s", part, text);
	free(text);
}

/* A run with one outage that was over and one that was not; to be freed. */
static char *run_of_three_seconds(void)
{
	struct hist *h = hist_new(3);
	char *text = NULL, *code;

	for (int i = 1; i <= 1000; i++)
		hist_record(h, USEC(i));
	code = hist_codec_encode(h);
	ck_assert_int_gt(
		asprintf(
			&text,
			"{\"event\":\"start\",\"t_ns\":0,\"context\":{\"argv\":[\"/usr/bin/echoload\",\"-c\",\"it's\"]}}\n"
			"{\"event\":\"interval\",\"begin_ns\":0,\"end_ns\":1000000000,\"echoed\":5000,\"latency_ns\":{\"count\":5000,\"p50\":20000,\"p99\":40000,\"max\":90000}}\n"
			"{\"event\":\"fault\",\"fault\":\"outage_opened\",\"outage\":1,\"begin_ns\":1000000000,\"recovered_ns\":null}\n"
			"{\"event\":\"interval\",\"begin_ns\":1000000000,\"end_ns\":2000000000,\"echoed\":0,\"latency_ns\":{\"count\":0}}\n"
			"{\"event\":\"fault\",\"fault\":\"outage_recovered\",\"outage\":1,\"begin_ns\":1000000000,\"recovered_ns\":2000000000}\n"
			"{\"event\":\"interval\",\"begin_ns\":2000000000,\"end_ns\":3000000000,\"echoed\":7000,\"latency_ns\":{\"count\":7000,\"p50\":20000,\"p99\":40000,\"max\":90000}}\n"
			"{\"event\":\"fault\",\"fault\":\"outage_opened\",\"outage\":2,\"begin_ns\":2500000000,\"recovered_ns\":null}\n"
			""
			"{\"event\":\"end\",\"result\":{\"schema\":\"echoload/1\",\"measured\":{\"begin_ns\":500000000},\"histograms\":{\"latency_ns\":\"%s\"}}}\n",
			code),
		0);
	free(code);
	hist_free(h);
	return text;
}

START_TEST(a_run_is_read_with_its_outages_and_histogram)
{
	char *text = run_of_three_seconds();

	ck_assert_int_eq(read_text(text, strlen(text)), 0);
	free(text);
	ck_assert_uint_eq(p.count, 3);
	ck_assert_uint_eq(p.outage_count, 2);
	ck_assert_int_eq(p.outages[0].recovered_ns, SEC(2));
	ck_assert_int_eq(p.outages[1].recovered_ns, -1);
	ck_assert_int_eq(p.warmup_ns, MSEC(500));
	ck_assert_uint_eq(p.all->count, 1000);
	ck_assert_ptr_null(p.outside);
}
END_TEST

START_TEST(the_script_has_what_was_read)
{
	char *text = run_of_three_seconds();

	ck_assert_int_eq(read_text(text, strlen(text)), 0);
	free(text);
	expect_script("$rate << EOD\n0.000000 5.000000\n1.000000 5.000000\n"); /* thousands */
	expect_script("\nunit = 'k'\n");
	expect_script("$latency << EOD\n0.500000 20000 40000 90000\n\n2.500000 20000");
	expect_script("$outages << EOD\n1.000000 2.000000 'outage 1.00 s'\n"
		      "2.500000 3.000000 'outage 0.50 s, not over'\nEOD\n");
	expect_script("$all << EOD\n1 1000\n");
}
END_TEST

/* Whoever follows a run sees it cut at any place. */
START_TEST(a_run_that_is_cut_anywhere_is_drawn_as_far_as_it_goes)
{
	char *text = run_of_three_seconds();
	const size_t len = strlen(text);
	const char *first = strstr(text, "90000}}\n") + 7;
	size_t rows = 0;

	for (size_t n = 0; n <= len; n++) {
		int r = read_text(text, n);

		ck_assert_int_eq(r == 0, n >= (size_t)(first - text));
		ck_assert_uint_ge(p.count, rows);
		rows = p.count;
		if (r == 0)
			free(script());
		else
			ck_assert_ptr_nonnull(strstr(p.error, "no intervals"));
	}
	free(text);
	ck_assert_uint_eq(rows, 3);
}
END_TEST

START_TEST(what_is_no_run_breaks_nothing)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"\"interval\"",
		"{\"event\":\"interval\"}",
		"{\"event\":\"interval\",\"begin_ns\":9,\"end_ns\":3}",
		"{\"event\":\"interval\",\"begin_ns\":\"0\",\"end_ns\":[]}",
		"{\"event\":\"fault\",\"outage\":-5}",
		"{\"event\":\"fault\",\"outage\":1000000000}",
		"{\"event\":\"end\",\"result\":7}",
		"{\"schema\":\"echoload/1\",\"intervals\":[1,null]}",
		"{\"schema\":\"echoload/1\",\"outages\":[2]}",
		"{\"schema\":\"echoload/1\",\"histograms\":3}",
	};

	ck_assert_int_lt(read_text(texts[_i], strlen(texts[_i])), 0);
	ck_assert(p.error[0]);
}
END_TEST

START_TEST(a_title_is_text_whatever_it_holds)
{
	static const struct {
		const char *argv, *script;
	} titles[] = {
		{ "'quoted'", "\ntitle = \"echoload \\047quoted\\047\"\n" },
		{ "`touch x`", "\ntitle = \"echoload \\140touch x\\140\"\n" },
		{ "\\\"; set output \\\"x", "\ntitle = \"echoload \\042; set output \\042x\"\n" },
		{ "@a\\n", "\ntitle = \"echoload \\100a\\134x0a\"\n" },
		{ "caf\xc3\xa9", "\ntitle = \"echoload caf\xc3\xa9\"\n" },
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
		snprintf(text, sizeof(text),
			 "{\"event\":\"start\",\"context\":{\"argv\":[\"echoload\",\"%s\"]}}\n"
			 "{\"event\":\"interval\",\"begin_ns\":0,\"end_ns\":1}\n",
			 titles[i].argv);
		ck_assert_int_eq(read_text(text, strlen(text)), 0);
		expect_script(titles[i].script);
	}
}
END_TEST

START_TEST(the_script_names_no_file)
{
	char *text = run_of_three_seconds(), *to_gnuplot;

	ck_assert_int_eq(read_text(text, strlen(text)), 0);
	to_gnuplot = script();
	ck_assert_ptr_null(strstr(to_gnuplot, "set output"));
	free(to_gnuplot);
	free(text);
}
END_TEST

START_TEST(numbers_that_cannot_be_are_none)
{
	static const char text[] =
		"{\"event\":\"interval\",\"begin_ns\":-9223372036854775807,\"end_ns\":"
		"9223372036854775807}\n"
		"{\"event\":\"interval\",\"begin_ns\":-5,\"end_ns\":10,\"echoed\":-1}\n"
		"{\"event\":\"fault\",\"outage\":1,\"begin_ns\":-1,\"recovered_ns\":"
		"9223372036854775807}\n";

	ck_assert_int_eq(read_text(text, strlen(text)), 0);
	ck_assert_uint_eq(p.count, 1);
	ck_assert_int_eq(p.rows[0].begin_ns, 0);
	ck_assert_uint_eq(p.rows[0].counts.echoed, 0);
	ck_assert_int_eq(p.outages[0].recovered_ns, -1);
	free(script());
}
END_TEST

START_TEST(a_long_command_line_is_cut)
{
	char text[1024], word[400];

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	snprintf(text, sizeof(text),
		 "{\"event\":\"start\",\"context\":{\"argv\":[\"echoload\",\"%s\"]}}\n"
		 "{\"event\":\"interval\",\"begin_ns\":0,\"end_ns\":1}\n",
		 word);
	ck_assert_int_eq(read_text(text, strlen(text)), 0);
	ck_assert_uint_eq(strlen(p.title), 125);
	ck_assert_str_eq(p.title + 120, "xx...");
}
END_TEST

Suite *plot_suite(void)
{
	Suite *s = suite_create("plot");
	TCase *t = tcase_create("plot");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_run_is_read_with_its_outages_and_histogram);
	tcase_add_test(t, the_script_has_what_was_read);
	tcase_add_test(t, a_run_that_is_cut_anywhere_is_drawn_as_far_as_it_goes);
	tcase_add_loop_test(t, what_is_no_run_breaks_nothing, 0, 13);
	tcase_add_test(t, a_title_is_text_whatever_it_holds);
	tcase_add_test(t, the_script_names_no_file);
	tcase_add_test(t, numbers_that_cannot_be_are_none);
	tcase_add_test(t, a_long_command_line_is_cut);
	tcase_set_timeout(t, 60); /* a file is written and read for each byte */
	suite_add_tcase(s, t);
	return s;
}
