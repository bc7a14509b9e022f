/* SPDX-License-Identifier: MIT
 * test_opt: command line, environment, precedence and blame; the suite with its other parts.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "opt_fixture.h"

Suite *opt_suite(void);

START_TEST(defaults_fill_the_struct)
{
	ck_assert_uint_eq(opt_test_config.max_conns, 10000);
	ck_assert_uint_eq(opt_test_config.max_unsent, 262144);
	ck_assert_int_eq(opt_test_config.idle_timeout, 0);
	ck_assert(opt_test_config.verify && !opt_test_config.check);
	ck_assert_str_eq(opt_test_config.json_file, "");
	ck_assert_uint_eq(opt_test_config.listen.count, 1);
	ck_assert_uint_eq(opt_test_uring.buffers, 4096);
	ck_assert_int_eq(opt_origin_of(&opt_test, "workers")->level, OPT_DEFAULT);
}
END_TEST

START_TEST(a_value_is_whole_or_an_error)
{
	char line[400] = "--listen=";

	memset(line + strlen(line), 'v', OPT_TEXT_MAX);
	opt_test_error(opt_test_load(line, NULL), "--listen: is longer than 255 characters");
}
END_TEST

static const char *const spellings[] = {
	"-c10",
	"-c 10",
	"--max-conns=10",
	"--max_conns=10",
	"--max-conns 10",
	"--max_conns 10 --",
	"-V --max-conns 10",
	"--no-verify -c10",
	"--check -c 10 -h- -",
};

START_TEST(an_option_has_many_spellings)
{
	int r = opt_test_load(spellings[_i], NULL);

	if (strstr(spellings[_i], "-h-")) {
		opt_test_error(r, "-h: takes no value, but '-' follows it");
		return;
	}
	ck_assert_msg(r == 0, "%s", opt_test.error);
	ck_assert_uint_eq(opt_test_config.max_conns, 10);
	ck_assert_int_eq(opt_origin_of(&opt_test, "max_conns")->level, OPT_CLI);
}
END_TEST

START_TEST(a_bool_may_stand_alone_or_take_one_of_its_words)
{
	ck_assert_int_eq(opt_test_load("--verify off -V", NULL), -EINVAL);
	ck_assert_int_eq(opt_test_load("--verify off h:7", NULL), 1);
	ck_assert(!opt_test_config.verify);
	ck_assert_int_eq(opt_test_load("--verify h:7", NULL), 1);
	ck_assert(opt_test_config.verify);
	ck_assert_int_eq(opt_test_load("--no_verify on", NULL), 1);
	ck_assert(!opt_test_config.verify);
	ck_assert_int_eq(opt_test_load("-V0", NULL), 0);
	ck_assert(!opt_test_config.verify);
	ck_assert_int_eq(opt_test_load("--io-uring_sqpoll --no-verify", NULL), 0);
	ck_assert(opt_test_uring.sqpoll && !opt_test_config.verify);
	ck_assert_int_eq(opt_test_load("--no-io_uring-sqpoll", NULL), 0);
	ck_assert(!opt_test_uring.sqpoll);
}
END_TEST

START_TEST(operands_move_to_the_front)
{
	ck_assert_int_eq(opt_test_load("a -c 5 b --check - -- -c --x", NULL), 5);
	ck_assert_str_eq(opt_test_words[1], "a");
	ck_assert_str_eq(opt_test_words[2], "b");
	ck_assert_str_eq(opt_test_words[3], "-");
	ck_assert_str_eq(opt_test_words[4], "-c");
	ck_assert_str_eq(opt_test_words[5], "--x");
	ck_assert(opt_test_config.check);
	ck_assert_uint_eq(opt_test_config.max_conns, 5);
	ck_assert_int_eq(opt_load(&opt_test, 0, opt_test_words, (char *[]){ NULL }), 0);
}
END_TEST

static const struct {
	const char *line, *variable, *error;
} bad_loads[] = {
	{ "--workers", NULL, "--workers: needs a value" },
	{ "--workers -c 5", NULL, "--workers: needs a value" },
	{ "--workers --check", NULL, "--workers: needs a value" },
	{ "--workers --no-verify", NULL, "--workers: needs a value" },
	{ "--workers -- 5", NULL, "--workers: needs a value" },
	{ "-t", NULL, "--workers: needs a value" },
	{ "--workers=", NULL, "--workers: needs a value" },
	{ "--workers -3", NULL, "--workers: '-3' is not a whole number (units: k M G Ki Mi Gi)" },
	{ "--workers=--check", NULL,
	  "--workers: '--check' is not a whole number (units: k M G Ki Mi Gi)" },
	{ "-c5 --max-conns 5", NULL, "--max-conns: is given twice" },
	{ "--wokers 5", NULL, "unknown option '--wokers'; did you mean '--workers'?" },
	{ "--worker=5", NULL, "unknown option '--worker'; did you mean '--workers'?" },
	{ "--buffers 5", NULL, "unknown option '--buffers'" },
	{ "--io_uring-bufers 5", NULL,
	  "unknown option '--io_uring-bufers'; did you mean '--io_uring-buffers'?" },
	{ "-x", NULL, "unknown option '-x'" },
	{ "--no-workers", NULL, "unknown option '--no-workers'; did you mean '--workers'?" },
	{ "--no-check", NULL, "unknown option '--no-check'" },
	{ "--no-verify=on", NULL, "--no-verify: takes no value" },
	{ "--check=on", NULL, "--check: takes no value" },
	{ "---", NULL, "unknown option '---'" },
	{ "--=5", NULL, "unknown option '--'" },
	{ "", "ECHOD_WORKERS=x",
	  "ECHOD_WORKERS: 'x' is not a whole number (units: k M G Ki Mi Gi)" },
	{ "", "ECHOD_WORKERS=", "ECHOD_WORKERS: needs a value" },
	{ "", "ECHOD_WORKERS", "ECHOD_WORKERS: needs a value" },
	{ "", "ECHOD_WORKER=1",
	  "unknown variable 'ECHOD_WORKER' in the environment; did you mean 'ECHOD_WORKERS'?" },
	{ "", "ECHOD_workers=1", "unknown variable 'ECHOD_workers' in the environment" },
	{ "", "ECHOD_CHECK=1", "unknown variable 'ECHOD_CHECK' in the environment" },
	{ "", "ECHOD_CONFIG=x", "unknown variable 'ECHOD_CONFIG' in the environment" },
	{ "", "ECHOD_=1", "unknown variable 'ECHOD_' in the environment" },
	{ "", "ECHOD_IO_URING_BUFFERS=1",
	  "ECHOD_IO_URING_BUFFERS: '1' is out of range: 8 to 32768" },
};

START_TEST(a_bad_word_or_variable_is_an_error_with_its_name)
{
	opt_test_error(opt_test_load(bad_loads[_i].line, bad_loads[_i].variable),
		       bad_loads[_i].error);
}
END_TEST

START_TEST(variables_of_other_programs_are_theirs)
{
	ck_assert_int_eq(opt_test_load("", "ECHO=1"), 0);
	ck_assert_int_eq(opt_test_load("", "ECHODRILL_X=1"), 0);
	ck_assert_int_eq(opt_test_load("", "ECHOD=1"), 0);
	ck_assert_int_eq(opt_test_load("", "MY_ECHOD_X=1"), 0);
	ck_assert_int_eq(opt_test_load("", "echod_x=1"), 0);
}
END_TEST

START_TEST(the_command_line_beats_environment_beats_file_beats_default)
{
	char line[128];

	opt_test_file("[server]\nworkers = 1\nmax_conns = 1\nidle_timeout = 1s\n");
	snprintf(line, sizeof(line), "--workers 3 -f %s", opt_test_path);
	ck_assert_msg(opt_test_load(line, "ECHOD_MAX_CONNS=2") == 0, "%s", opt_test.error);
	ck_assert_uint_eq(opt_test_config.workers, 3);
	ck_assert_uint_eq(opt_test_config.max_conns, 2);
	ck_assert_int_eq(opt_test_config.idle_timeout, SEC(1));
	ck_assert_int_eq(opt_test_config.interval, SEC(1));
	ck_assert_int_eq(opt_origin_of(&opt_test, "workers")->level, OPT_CLI);
	ck_assert_int_eq(opt_origin_of(&opt_test, "max_conns")->level, OPT_ENV);
	ck_assert_int_eq(opt_origin_of(&opt_test, "idle_timeout")->level, OPT_FILE);
	ck_assert_str_eq(opt_test.file, opt_test_path);
	ck_assert_str_eq(opt_test_config.config, opt_test_path);
}
END_TEST

START_TEST(a_row_that_repeats_adds_up_in_one_source_and_starts_anew_in_the_next)
{
	char line[128];

	opt_test_file("[server]\nlisten = a:1\nlisten = b:2\n");
	snprintf(line, sizeof(line), "-f %s", opt_test_path);
	ck_assert_int_eq(opt_test_load(line, NULL), 0);
	ck_assert_uint_eq(opt_test_config.listen.count, 2);
	ck_assert_str_eq(opt_test_config.listen.at[1], "b:2");
	snprintf(line, sizeof(line), "-f %s -l x:1 --listen=y:2 -lz:3", opt_test_path);
	ck_assert_int_eq(opt_test_load(line, "ECHOD_LISTEN=env:1"), 0);
	ck_assert_uint_eq(opt_test_config.listen.count, 3);
	ck_assert_str_eq(opt_test_config.listen.at[0], "x:1");
	opt_test_error(opt_test_load("-l1 -l2 -l3 -l4 -l5", NULL), "--listen: '5' is one too many");
}
END_TEST

START_TEST(help_and_version_end_reading_at_once)
{
	ck_assert_int_eq(opt_test_load("--workers nonsense --help --bogus", "ECHOD_BOGUS=1"), 0);
	ck_assert(opt_test_config.help && !opt_test_config.version);
	ck_assert_int_eq(opt_test_load("-f /nonexistent --version", NULL), 0);
	ck_assert(opt_test_config.version && !opt_test_config.help);
	ck_assert_int_eq(opt_test_load("-- --help", NULL), 1);
	ck_assert(!opt_test_config.help);
	ck_assert_int_eq(opt_test_load("--bogus -h", NULL), -EINVAL);
}
END_TEST

START_TEST(blame_names_the_place_of_the_value)
{
	opt_test_error(opt_error_at(&opt_test, "workers", "too many for %s", "fork"),
		       "default of workers: too many for fork");
	ck_assert_int_eq(opt_test_read("[server]\n\nworkers = 3\n"), 0);
	opt_test_error(opt_error_at(&opt_test, "workers", "no"), "e.conf:3: workers: no");
	ck_assert_int_eq(opt_test_load("-t 3", "ECHOD_IO_URING_BUFFERS=9"), 0);
	opt_test_error(opt_error_at(&opt_test, "workers", "no"), "--workers: no");
	opt_test_error(opt_error_at(&opt_test, "io_uring.buffers", "no"),
		       "ECHOD_IO_URING_BUFFERS: no");
	opt_test_error(opt_error_at(&opt_test, "nothing", "a\nb"), "nothing: a\\x0ab");
}
END_TEST

START_TEST(an_error_is_one_line_that_fits)
{
	char line[700] = "--listen=a --", variable[700] = "ECHOD_";

	memset(line + strlen(line), 'x', 600);
	ck_assert_int_eq(opt_test_load(line, NULL), -EINVAL);
	ck_assert_uint_lt(strlen(opt_test.error), OPT_ERROR_MAX);
	memset(variable + strlen(variable), '\n', 600);
	ck_assert_int_eq(opt_test_load("", variable), -EINVAL);
	ck_assert_ptr_null(strchr(opt_test.error, '\n'));
}
END_TEST

static TCase *opt_origin_tests(void)
{
	TCase *t = opt_tcase("opt origin");

	tcase_add_test(t, defaults_fill_the_struct);
	tcase_add_test(t, a_value_is_whole_or_an_error);
	tcase_add_loop_test(t, an_option_has_many_spellings, 0, ARRAY_LEN(spellings));
	tcase_add_test(t, a_bool_may_stand_alone_or_take_one_of_its_words);
	tcase_add_test(t, operands_move_to_the_front);
	tcase_add_loop_test(t, a_bad_word_or_variable_is_an_error_with_its_name, 0,
			    ARRAY_LEN(bad_loads));
	tcase_add_test(t, variables_of_other_programs_are_theirs);
	tcase_add_test(t, the_command_line_beats_environment_beats_file_beats_default);
	tcase_add_test(t, a_row_that_repeats_adds_up_in_one_source_and_starts_anew_in_the_next);
	tcase_add_test(t, help_and_version_end_reading_at_once);
	tcase_add_test(t, blame_names_the_place_of_the_value);
	tcase_add_test(t, an_error_is_one_line_that_fits);
	return t;
}

Suite *opt_suite(void)
{
	Suite *s = suite_create("opt");

	suite_add_tcase(s, opt_origin_tests());
	suite_add_tcase(s, opt_file_tests());
	suite_add_tcase(s, opt_type_tests());
	suite_add_tcase(s, opt_doc_tests());
	suite_add_tcase(s, opt_change_tests());
	return s;
}
