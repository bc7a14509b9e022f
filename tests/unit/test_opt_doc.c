/* SPDX-License-Identifier: MIT
 * test_opt_doc: what is printed: --print-config reads back, --help fits, the man page is complete.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "opt_fixture.h"

START_TEST(the_printed_config_names_each_source)
{
	char *text;

	ck_assert_int_eq(opt_test_read("[server]\nidle_timeout = 90s\nlisten = a\nlisten = b"), 0);
	text = opt_test_print(opt_print_config);
	ck_assert_ptr_nonnull(strstr(text, "\nidle_timeout = 90s              ; e.conf:2\n"));
	ck_assert_ptr_nonnull(strstr(text, "listen       = a                ; e.conf\n"
					   "listen       = b                ; e.conf:4\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n;json_file   =                  ; default\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\n\n[io_uring]\nbuffers = 4096             ; default\n"));
	ck_assert_ptr_null(strstr(text, "version"));
	free(text);
	ck_assert_int_eq(opt_test_load("-t3", "ECHOD_IO_URING_SQPOLL=1"), 0);
	text = opt_test_print(opt_print_config);
	ck_assert_ptr_nonnull(strstr(text, "\nworkers      = 3                ; command line\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\nsqpoll  = on               ; environment ECHOD_IO_URING_SQPOLL\n"));
	free(text);
}
END_TEST

static const char *const settings[] = {
	"",
	"-l a:1 -l [::1]:2 -t 1k --max-conns 4Ki --max-unsent 1000001 --idle-timeout 1.5s",
	"--idle-timeout 0.000000001s --interval 9223372036854775807ns --rate 0.3333333333333333",
	"--rate 1e-300 --max-unsent 9223372036854775807 --no-verify --json-file a;b#=c[]",
	"--backend fork --io_uring-buffers 32768 --io_uring-sqpoll --rate 1M --interval 86399999ms",
	"--rate 123456.789 --max-unsent 1024000 --interval 61m --max-conns 1M --rate=0",
};

START_TEST(the_printed_config_reads_back_as_the_same_values)
{
	struct opt_test_uring old_uring;
	struct opt_test_config old;
	char *text, *again;

	if (opt_test_load(settings[_i], NULL) < 0)
		opt_test_error(-EINVAL,
			       "--rate: is given twice"); /* the last: values until there */
	old = opt_test_config;
	old_uring = opt_test_uring;
	text = opt_test_print(opt_print_config);
	opt_test_reset();
	ck_assert_msg(opt_test_read(text) == 0, "%s", opt_test.error);
	ck_assert_mem_eq(&opt_test_config.listen, &old.listen, sizeof(old.listen));
	ck_assert_uint_eq(opt_test_config.backend, old.backend);
	ck_assert_uint_eq(opt_test_config.workers, old.workers);
	ck_assert_uint_eq(opt_test_config.max_conns, old.max_conns);
	ck_assert_uint_eq(opt_test_config.max_unsent, old.max_unsent);
	ck_assert_int_eq(opt_test_config.idle_timeout, old.idle_timeout);
	ck_assert_int_eq(opt_test_config.interval, old.interval);
	ck_assert_mem_eq(&opt_test_config.rate, &old.rate, sizeof(old.rate));
	ck_assert_int_eq(opt_test_config.verify, old.verify);
	ck_assert_str_eq(opt_test_config.json_file, old.json_file);
	ck_assert_uint_eq(opt_test_uring.buffers, old_uring.buffers);
	ck_assert_int_eq(opt_test_uring.sqpoll, old_uring.sqpoll);
	again = opt_test_print(opt_print_config);
	ck_assert_ptr_nonnull(strstr(again, "; e.conf:"));
	free(again);
	free(text);
}
END_TEST

START_TEST(help_fits_a_terminal_and_has_every_option)
{
	char *text = opt_test_print(opt_print_help), *rest = text, *line;

	ck_assert_ptr_nonnull(strstr(text, "Usage: echod [-f FILE] [OPTION]...\n"));
	ck_assert_ptr_nonnull(strstr(text, "  -t, --workers N            threads; 0: one for each "
					   "CPU (0 to 1024; default 0)\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n  -V, --[no-]verify          compare every byte "
					   "(default on)\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nSection [io_uring]:\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nExit status:\n  0  fine\n"));
	while ((line = strsep(&rest, "\n"))) {
		ck_assert_uint_le(strlen(line), 80);
		ck_assert(line[0] == '\0' || line[strlen(line) - 1] != ' ');
	}
	free(text);
}
END_TEST

START_TEST(the_man_page_has_every_option_and_section)
{
	char *text = opt_test_print(opt_print_man);

	ck_assert_ptr_nonnull(strstr(text, ".Dt ECHOD 1\n"));
	ck_assert_ptr_nonnull(strstr(text, ".Nd Serves TCP echo\n"));
	ck_assert_ptr_nonnull(strstr(text, ".It Fl t , Fl -workers Ar \\&N\n"));
	ck_assert_ptr_nonnull(strstr(text, ".Ss Section io_uring\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n.Sh EXIT STATUS\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n.Sh EXAMPLES\n"));
	free(text);
}
END_TEST

static void collect(void *arg, const char *section, const char *key, const char *value)
{
	fprintf(arg, "%s.%s=%s\n", section, key, value);
}

static void print_each(const struct opt_set *s, FILE *to)
{
	opt_each(s, collect, to);
}

START_TEST(each_names_every_config_row_in_order)
{
	char *text;

	ck_assert_int_eq(opt_test_read("[server]\nlisten=a\nlisten=b\n"), 0);
	text = opt_test_print(print_each);
	ck_assert_str_eq(text, "server.listen=a\nserver.listen=b\nserver.backend=auto\n"
			       "server.workers=0\nserver.max_conns=10k\nserver.max_unsent=256Ki\n"
			       "server.idle_timeout=off\nserver.interval=1s\nserver.rate=0.5\n"
			       "server.verify=on\nio_uring.buffers=4096\nio_uring.sqpoll=off\n");
	free(text);
}
END_TEST

TCase *opt_doc_tests(void)
{
	TCase *t = opt_tcase("opt doc");

	tcase_add_test(t, the_printed_config_names_each_source);
	tcase_add_loop_test(t, the_printed_config_reads_back_as_the_same_values, 0,
			    ARRAY_LEN(settings));
	tcase_add_test(t, help_fits_a_terminal_and_has_every_option);
	tcase_add_test(t, the_man_page_has_every_option_and_section);
	tcase_add_test(t, each_names_every_config_row_in_order);
	return t;
}
