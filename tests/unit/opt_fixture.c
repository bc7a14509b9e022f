/* SPDX-License-Identifier: MIT
 * opt_fixture: the rows of a small server with one more section, as echod has them, and the ways to
 * feed them. Shared by the parts of the suite opt.
 */
#include "opt_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"

static int words_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct opt_test_words *w = field;

	(void)o;
	if (w->count == ARRAY_LEN(w->at) || strlen(text) >= sizeof(w->at[0])) {
		snprintf(why, OPT_ERROR_MAX, "is one too many");
		return -EINVAL;
	}
	snprintf(w->at[w->count++], sizeof(w->at[0]), "%.31s", text);
	return 0;
}

static bool words_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	const struct opt_test_words *w = field;

	(void)o;
	if (nth < w->count)
		snprintf(text, OPT_TEXT_MAX, "%s", w->at[nth]);
	return nth < w->count;
}

static const struct opt_type words_type = { "ADDR:PORT", words_parse, words_print };
static const char *const backends[] = { "auto", "io_uring", "epoll", "fork", NULL };
static const struct opt rows[] = {
	OPT(opt_test_config, listen, words_type, "127.0.0.1:7007", "address to serve",
	    .repeats = true, .letter = 'l', .live = true),
	OPT_ENUM(opt_test_config, backend, "auto", backends, "backend that serves connections"),
	OPT_UINT(opt_test_config, workers, "0", 0, 1024, "threads; 0: one for each CPU",
		 .letter = 't'),
	OPT_UINT(opt_test_config, max_conns, "10k", 1, 1000000, "all workers together",
		 .letter = 'c'),
	OPT_SIZE(opt_test_config, max_unsent, "256Ki", 1, INT64_MAX,
		 "bytes one slow reader may leave unsent; then reading from it stops"),
	OPT_TIME(opt_test_config, idle_timeout, "off", 0, SEC(86400), "close a silent peer"),
	OPT_TIME(opt_test_config, interval, "1s", 1, INT64_MAX, "between reports"),
	OPT(opt_test_config, rate, opt_double, "0.5", "messages a second", .max = 1000000,
	    .live = true),
	OPT_BOOL(opt_test_config, verify, "on", "compare every byte", .letter = 'V'),
	OPT_STRING(opt_test_config, json_file, NULL, "write the result there"),
	OPT_STRING(opt_test_config, config, NULL, "read this file first", .letter = 'f',
		   .cli_only = true),
	OPT_FLAG(opt_test_config, check, "only check the configuration"),
	OPT_FLAG(opt_test_config, help, "print this help", .letter = 'h'),
	OPT_FLAG(opt_test_config, version, "print the version"),
	OPT_END,
};
static const struct opt uring_rows[] = {
	OPT_UINT(opt_test_uring, buffers, "4096", 8, 32768, "receive buffers of one worker"),
	OPT_BOOL(opt_test_uring, sqpoll, "off", "let a kernel thread submit"),
	OPT_END,
};

struct opt_set opt_test;
struct opt_test_config opt_test_config;
struct opt_test_uring opt_test_uring;
char *opt_test_words[16];
char opt_test_path[64];

void opt_test_reset(void)
{
	opt_test = (struct opt_set){
		.program = "echod",
		.usage = "[-f FILE] [OPTION]...",
		.about = "Serves TCP echo. The backend is chosen in the config file.",
		.after = "Exit status:\n  0  fine\n  2  usage\n\nExamples:\n  echod -f echod.conf",
	};
	memset(&opt_test_config, 0, sizeof(opt_test_config));
	memset(&opt_test_uring, 0, sizeof(opt_test_uring));
	opt_add(&opt_test, "server", rows, &opt_test_config);
	opt_add(&opt_test, "io_uring", uring_rows, &opt_test_uring);
	ck_assert_msg(opt_read_defaults(&opt_test) == 0, "%s", opt_test.error);
}

static void tear_down(void)
{
	if (opt_test_path[0])
		remove(opt_test_path);
	opt_test_path[0] = '\0';
}

int opt_test_read_bytes(const char *bytes, size_t len)
{
	FILE *f = fmemopen((void *)(uintptr_t)bytes, len, "r");
	int r;

	ck_assert_ptr_nonnull(f);
	r = opt_read_file(&opt_test, f, "e.conf");
	fclose(f);
	return r;
}

int opt_test_read(const char *text)
{
	return opt_test_read_bytes(text, strlen(text));
}

/* Loads a command line given as one string, and at most one variable of the environment. */
int opt_test_load(const char *line, const char *variable)
{
	static char copy[1024];
	char *env[] = { (char *)(uintptr_t) "PATH=/bin", (char *)(uintptr_t)variable, NULL }, *rest;
	int argc = 0;

	snprintf(copy, sizeof(copy), "echod %s", line);
	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		opt_test_words[argc++] = w;
	return opt_load(&opt_test, argc, opt_test_words, env);
}

void opt_test_file(const char *text)
{
	FILE *f;

	snprintf(opt_test_path, sizeof(opt_test_path), "/tmp/test_opt.XXXXXX");
	f = fdopen(mkstemp(opt_test_path), "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

char *opt_test_print(void (*printer)(const struct opt_set *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	printer(&opt_test, f);
	fclose(f);
	return text;
}

void opt_test_error(int r, const char *error)
{
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_str_eq(opt_test.error, error);
}

TCase *opt_tcase(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, opt_test_reset, tear_down);
	return t;
}
