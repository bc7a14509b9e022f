/* SPDX-License-Identifier: MIT
 * test_server_file: server files as people write them, each mistake with its place, and the
 * commands that come of those that a side names.
 */
#include "echobench/run/server_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echobench/run/commands.h"
#include "echobench/run/known.h"

#include "suites.h"

#define START "start = exec {program} {port}\n"
#define MOST  "story = s\nprogram = p\nbuild = make\nleaves_out = all\n"
#define WHOLE "[server]\n" MOST "url = u\n" START

static char folder[32], path[64], error[OPT_ERROR_MAX];
static struct server_file f;

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/echolab-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/own-1.conf", folder);
	error[0] = '\0';
}

static void tear_down(void)
{
	unlink(path);
	rmdir(folder);
}

static int read_text(const char *text)
{
	FILE *to = fopen(path, "w");

	ck_assert_ptr_nonnull(to);
	fputs(text, to);
	fclose(to);
	return server_file_read(&f, path, error);
}

START_TEST(a_server_file_has_all_that_it_says)
{
	ck_assert_msg(read_text("[server]\nstory = what it is\nurl = https://e.org\n"
				"package = a-dev b\nprogram = own_echo\nbuild = a && b\n"
				"start = exec {program} {addr}\nleaves_out = much\n") == 0,
		      "%s", error);
	ck_assert_str_eq(f.name, "own-1");
	ck_assert_str_eq(f.story, "what it is");
	ck_assert_str_eq(f.url, "https://e.org");
	ck_assert_str_eq(f.package, "a-dev b");
	ck_assert_str_eq(f.program, "own_echo");
	ck_assert_str_eq(f.build, "a && b");
	ck_assert_str_eq(f.start, "exec {program} {addr}");
	ck_assert_str_eq(f.leaves_out, "much");
}
END_TEST

START_TEST(a_package_is_enough_to_say_where_it_is_from)
{
	ck_assert_msg(read_text("[server]\n" MOST "package = p-dev\n" START) == 0, "%s", error);
}
END_TEST

static const struct {
	const char *text, *error; /* behind the path */
} mistakes[] = {
	{ WHOLE "storey = x\n", ":8: unknown key 'storey'; did you mean 'story'?" },
	{ WHOLE "[sever]\n", ":8: unknown section [sever]; did you mean [server]?" },
	{ WHOLE "url = v\n", ":8: url: is already given in line 6" },
	{ "[server]\n" MOST "url = u\nstart = exec own {port}\n",
	  ":7: start: 'exec own {port}' must have one {program}" },
	{ "[server]\n" MOST "url = u\nstart = {program} {program} {port}\n",
	  ":7: start: '{program} {program} {port}' must have one {program}" },
	{ "[server]\n" MOST "url = u\nstart = exec {program}\n",
	  ":7: start: 'exec {program}' has no {port} or {addr}" },
	{ "[server]\nprogram = bench/own\n",
	  ":2: program: 'bench/own' must be a name, without a folder" },
	{ "[server]\n" MOST START, ": [server] has no url and no package" },
	{ "[server]\n" MOST "url = u\n", ": [server] has no start" },
	{ "[server]\nstory = s\nprogram = p\nbuild = b\n" START, ": [server] has no leaves_out" },
	{ "", ": [server] has no story" },
};

START_TEST(each_mistake_has_its_place)
{
	char expected[OPT_ERROR_MAX];

	snprintf(expected, sizeof(expected), "%s%s", path, mistakes[_i].error);
	ck_assert_int_eq(read_text(mistakes[_i].text), -EINVAL);
	ck_assert_str_eq(error, expected);
}
END_TEST

START_TEST(a_file_that_is_not_there_says_so)
{
	char expected[OPT_ERROR_MAX];

	snprintf(expected, sizeof(expected), "%s: No such file or directory", path);
	ck_assert_int_eq(server_file_read(&f, path, error), -ENOENT);
	ck_assert_str_eq(error, expected);
}
END_TEST

START_TEST(a_name_is_of_small_letters)
{
	ck_assert(server_file_is_name("frevib-io_uring"));
	ck_assert(!server_file_is_name(""));
	ck_assert(!server_file_is_name("../libev"));
	ck_assert(!server_file_is_name("socat TCP-LISTEN:{port}"));
	snprintf(path, sizeof(path), "%s/Own.conf", folder);
	ck_assert_int_eq(read_text(WHOLE), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "Own.conf: a server's name is of small letters"));
}
END_TEST

/* A configuration whose folder of servers is ours, with the sides @a and @b. */
static struct bench_config *config(const char *a, const char *b)
{
	static struct bench_config c;

	memset(&c, 0, sizeof(c));
	snprintf(c.a, sizeof(c.a), "%s", a);
	snprintf(c.b, sizeof(c.b), "%s", b);
	snprintf(c.congestion, sizeof(c.congestion), "default");
	snprintf(c.servers_dir, sizeof(c.servers_dir), "%s", folder);
	return &c;
}

START_TEST(a_side_that_names_a_file_is_that_server)
{
	static struct opt_set s;
	struct bench_config *c = config("own-1", "epoll");
	char command[COMMAND_MAX];

	ck_assert_msg(read_text(WHOLE) == 0, "%s", error);
	ck_assert_int_eq(known_read(&s, c), 0);
	ck_assert_uint_eq(c->known.count, 1);
	ck_assert(!command_is_backend(c, "own-1"));
	ck_assert(command_is_backend(c, "epoll"));
	command_server(c, "own-1", 1, command);
	ck_assert_str_eq(command, "exec p {port}");
}
END_TEST

START_TEST(a_server_is_told_with_how_many_cpus_it_works)
{
	const struct workload one = { 1, 1, 1, MODE_CLOSED };
	struct bench_config *c = config("epoll", "epoll");
	char *filled;

	CPU_SET(1, &c->server_cpus.set);
	CPU_SET(3, &c->server_cpus.set);
	filled = command_fill("own {port} {workers}", c, &one, "127.0.0.1:7007");
	ck_assert_str_eq(filled, "own 7007 2");
	free(filled);
}
END_TEST

START_TEST(one_whose_program_is_missing_says_what_to_do)
{
	static struct opt_set s;
	struct bench_config *c = config("own-1", "own-1");
	char why[WHY_MAX];

	ck_assert_int_eq(read_text("[server]\nstory = s\nprogram = no-such-program\nbuild = b\n"
				   "leaves_out = all\nurl = u\n" START),
			 0);
	ck_assert_int_eq(known_read(&s, c), 0);
	ck_assert_uint_eq(c->known.count, 1);
	ck_assert_int_eq(known_check(c, "own-1", why, sizeof(why)), -ENOENT);
	ck_assert_str_eq(why, "'own-1': no-such-program is not here; how it is built says: "
			      "echobench show own-1");
	ck_assert_int_eq(known_check(c, "epoll", why, sizeof(why)), 0);
}
END_TEST

START_TEST(the_nearest_name_is_suggested)
{
	char hint[OPT_TEXT_MAX];

	ck_assert_int_eq(read_text(WHOLE), 0);
	known_hint(config("", ""), "own_1", hint);
	ck_assert_str_eq(hint, "; did you mean the server 'own-1'?");
	known_hint(config("", ""), "nothing", hint);
	ck_assert_str_eq(hint, "");
}
END_TEST

Suite *server_file_suite(void)
{
	Suite *s = suite_create("server_file");
	TCase *t = tcase_create("file");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_server_file_has_all_that_it_says);
	tcase_add_test(t, a_package_is_enough_to_say_where_it_is_from);
	tcase_add_loop_test(t, each_mistake_has_its_place, 0, (int)ARRAY_LEN(mistakes));
	tcase_add_test(t, a_file_that_is_not_there_says_so);
	tcase_add_test(t, a_name_is_of_small_letters);
	tcase_add_test(t, a_side_that_names_a_file_is_that_server);
	tcase_add_test(t, a_server_is_told_with_how_many_cpus_it_works);
	tcase_add_test(t, one_whose_program_is_missing_says_what_to_do);
	tcase_add_test(t, the_nearest_name_is_suggested);
	suite_add_tcase(s, t);
	return s;
}
