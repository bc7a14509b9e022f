/* SPDX-License-Identifier: MIT
 * test_opt_file: config files as people write them, and each way to get them wrong, with its line.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "opt_fixture.h"

START_TEST(a_file_is_read_as_it_is_written)
{
	const char text[] = "\xef\xbb\xbf; a comment\r\n"
			    "  # an indented comment\r\n"
			    "\t \r\n"
			    "[server] ; the first\r\n"
			    "listen = [::1]:7007   ; v6\r\n"
			    "workers=4;5\n" /* no blank before ';': part of the value */;

	opt_test_error(opt_test_read(text),
		       "e.conf:6: workers: '4;5' is not a whole number (units: k M G Ki Mi Gi)");
	ck_assert_str_eq(opt_test_config.listen.at[0], "[::1]:7007");
	opt_test_reset();
	ck_assert_int_eq(opt_test_read("[server]\nmax-conns = 5\n[io_uring]\nbuffers=8\n[server]\n"
				       "json_file\t=\ta = b # c ; d"),
			 0);
	ck_assert_uint_eq(opt_test_config.max_conns, 5);
	ck_assert_uint_eq(opt_test_uring.buffers, 8);
	ck_assert_str_eq(opt_test_config.json_file, "a = b # c");
	ck_assert_int_eq(opt_origin_of(&opt_test, "io_uring.buffers")->level, OPT_FILE);
	ck_assert_uint_eq(opt_origin_of(&opt_test, "io-uring.buffers")->line, 4);
	ck_assert_ptr_null(opt_origin_of(&opt_test, "buffers"));
}
END_TEST

START_TEST(an_empty_file_says_nothing)
{
	ck_assert_int_eq(opt_test_read("\n"), 0);
	ck_assert_int_eq(opt_test_read("[server]"), 0);
	ck_assert_int_eq(opt_test_read(" \t"), 0);
	ck_assert_int_eq(opt_test_read("\xef\xbb\xbf"), 0);
}
END_TEST

static const struct {
	const char *text, *error;
} bad_files[] = {
	{ "[server]\nworkers = 1\nlisten = a\nworkers = 1\n",
	  "e.conf:4: workers: is already given in line 2" },
	{ "[server]\nworkers = 1\n[io_uring]\n[server]\nworkers = 2",
	  "e.conf:5: workers: is already given in line 2" },
	{ "[server]\nmax_conns = 1\nmax-conns = 1\n",
	  "e.conf:3: max_conns: is already given in line 2" },
	{ "[server]\n\nworker = 1\n", "e.conf:3: unknown key 'worker'; did you mean 'workers'?" },
	{ "[server]\nxyz = 1\n", "e.conf:2: unknown key 'xyz'" },
	{ "[server]\nWORKERS = 1\n", "e.conf:2: unknown key 'WORKERS'" },
	{ "[server]\nbuffers = 1\n", "e.conf:2: unknown key 'buffers'; it belongs in [io_uring]" },
	{ "[server]\ncheck = on\n", "e.conf:2: unknown key 'check'" },
	{ "[server]\nconfig = a.conf\n", "e.conf:2: unknown key 'config'" },
	{ "workers = 1\n", "e.conf:1: key stands before the first [section]" },
	{ "[sever]\n", "e.conf:1: unknown section [sever]; did you mean [server]?" },
	{ "[]\n", "e.conf:1: unknown section []" },
	{ "[server\n", "e.conf:1: a section must be '[name]', alone on its line" },
	{ "[server] workers = 1\n", "e.conf:1: a section must be '[name]', alone on its line" },
	{ "[server]\n workers = 1\n", "e.conf:2: line is indented; a key begins its line" },
	{ "\n\t[server]\n", "e.conf:2: line is indented; a key begins its line" },
	{ "[server]\nworkers\n", "e.conf:2: line is not 'key = value'" },
	{ "[server]\nworkers: 1\n", "e.conf:2: line is not 'key = value'" },
	{ "[server]\nworkers ;= 1\n", "e.conf:2: line is not 'key = value'" },
	{ "[server]\n= 1\n", "e.conf:2: line is not 'key = value'" },
	{ "[server]\nworkers =\n", "e.conf:2: workers: needs a value" },
	{ "[server]\nworkers = ; 4\n", "e.conf:2: workers: needs a value" },
	{ "[server]\nworkers = 4 # four\n",
	  "e.conf:2: workers: '4 # four' is not a whole number (units: k M G Ki Mi Gi)" },
	{ "[server]\nworkers = 2k\n", "e.conf:2: workers: '2k' is out of range: 0 to 1024" },
	{ "[server]\nidle_timeout = 2\n",
	  "e.conf:2: idle_timeout: '2' needs a unit (ns us ms s m h): 2s?" },
	{ "[server]\nidle_timeout = 25h\n",
	  "e.conf:2: idle_timeout: '25h' is out of range: off to 24h" },
	{ "[server]\nbackend = poll\n",
	  "e.conf:2: backend: 'poll' must be auto, io_uring, epoll or fork" },
	{ "[server]\nverify = maybe\n", "e.conf:2: verify: 'maybe' must be on or off" },
	{ "[server]\njson_file = 0123456789abcdef\n",
	  "e.conf:2: json_file: '0123456789abcdef' is longer than 15 characters" },
	{ "[server]\njson_file = a\x1b[m\n",
	  "e.conf:2: json_file: 'a\\x1b[m' holds what a config file cannot (blanks at an end, ' ;', "
	  "control bytes)" },
	{ "[io_uring]\nbuffers = 1\n",
	  "e.conf:2: io_uring.buffers: '1' is out of range: 8 to 32768" },
};

START_TEST(a_bad_file_is_an_error_with_its_line)
{
	opt_test_error(opt_test_read(bad_files[_i].text), bad_files[_i].error);
}
END_TEST

START_TEST(a_nul_byte_is_an_error_with_its_line)
{
	opt_test_error(opt_test_read_bytes("[server]\nwork\0ers = 1\n", 22),
		       "e.conf:2: line has a NUL byte; this is no text file");
}
END_TEST

START_TEST(a_line_is_whole_or_an_error)
{
	char text[2000] = "[server]\njson_file = /x ; ";
	size_t begin = strlen("[server]\n"), len = strlen(text);

	memset(text + len, '#', sizeof(text) - len);
	memcpy(text + begin + OPT_LINE_MAX, "\n", 2);
	ck_assert_int_eq(opt_test_read(text), 0);
	ck_assert_str_eq(opt_test_config.json_file, "/x");
	memcpy(text + begin + OPT_LINE_MAX, "#\n", 3);
	opt_test_reset();
	opt_test_error(opt_test_read(text), "e.conf:2: line is longer than 512 bytes");
	memset(text + begin, 'k', sizeof(text) - begin); /* a key longer than any */
	memcpy(text + 400, " = 1", 5);
	opt_test_error(opt_test_read(text), "e.conf:2: unknown key, longer than any known");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
	ck_assert_int_eq(opt_test_load("-f /nonexistent/x.conf", NULL), -ENOENT);
	ck_assert_str_eq(opt_test.error,
			 "/nonexistent/x.conf: cannot be opened: No such file or directory");
	ck_assert_int_eq(opt_test_load("--config=/tmp", NULL), -EISDIR);
	ck_assert_str_eq(opt_test.error, "/tmp: cannot be read: Is a directory");
}
END_TEST

TCase *opt_file_tests(void)
{
	TCase *t = opt_tcase("opt file");

	tcase_add_test(t, a_file_is_read_as_it_is_written);
	tcase_add_test(t, an_empty_file_says_nothing);
	tcase_add_loop_test(t, a_bad_file_is_an_error_with_its_line, 0, ARRAY_LEN(bad_files));
	tcase_add_test(t, a_nul_byte_is_an_error_with_its_line);
	tcase_add_test(t, a_line_is_whole_or_an_error);
	tcase_add_test(t, a_file_that_cannot_be_read_is_named);
	return t;
}
