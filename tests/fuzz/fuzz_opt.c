/* SPDX-License-Identifier: MIT
 * fuzz_opt: any configuration file, command line and environment: sizes, times, counts, names. They
 * may be refused, with a reason; what is taken is printed so that it reads back as the same. Parts:
 * the file, words of the command line, variables, each on a line of its own.
 *
 * reads: src/base/opt/opt.c src/base/opt/opt_args.c src/base/opt/opt_file.c src/base/opt/opt_load.c
 * reads: src/base/opt/opt_name.c src/base/opt/opt_number.c src/base/opt/opt_type.c
 * reads: src/base/opt/opt_change.c
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/opt.h"
#include "lib/fuzz.h"

enum { WORDS_MAX = 64, FIRST_WORD = 3 };

struct config {
	unsigned workers, backend;
	uint64_t size, bytes;
	int64_t timeout, wait;
	double rate;
	char name[16], config[OPT_TEXT_MAX];
	bool fast, check;
};

static const char *const names[] = { "auto", "epoll", "fork", NULL };
static const struct opt rows[] = {
	OPT_UINT(config, workers, "0", 0, 1024, "threads", .letter = 'w', .live = true),
	OPT_ENUM(config, backend, "auto", names, "backend", .live = true),
	OPT_SIZE(config, size, "64", 1, INT64_MAX, "bytes", .letter = 's'),
	OPT_TIME(config, timeout, "off", 0, INT64_MAX, "time", .live = true),
	OPT(config, rate, opt_double, "0.5", "rate", .min = -5, .max = 5, .letter = 'R'),
	OPT_STRING(config, name, NULL, "name", .repeats = true),
	OPT_BOOL(config, fast, "no", "fast", .letter = 'q'),
	OPT_STRING(config, config, NULL, "file", .cli_only = true, .letter = 'f'),
	OPT_FLAG(config, check, "flag", .letter = 'c'),
	OPT_END,
};
static const struct opt more_rows[] = {
	OPT_UINT(config, bytes, "4Ki", 0, 0, "bytes", .step = 1024),
	OPT_TIME(config, wait, "1s", 1000, 3600000000000, "time", .group = "limits"),
	OPT_END,
};

struct set {
	struct opt_set opts;
	struct config first, second;
};

static void begin(struct set *s)
{
	memset(s, 0, sizeof(*s));
	s->opts.program = "fuzz";
	s->opts.has_phases = true;
	opt_add(&s->opts, "server", rows, &s->first);
	opt_add(&s->opts, "net_io", more_rows, &s->second);
}

/* Lines as words; a file of the command line's own would be any file of this machine. */
static int split(char *text, char **words, int count)
{
	for (char *word; (word = strsep(&text, "\n")) && count < WORDS_MAX - 1;) {
		if (strncmp(word, "-f", 2) != 0 && strncmp(word, "--config", 8) != 0)
			words[count++] = word;
	}
	words[count] = NULL;
	return count;
}

static void see_change(void *arg, const struct opt_change *c)
{
	unsigned *n = arg;

	FUZZ_CHECK(c->name && c->place && c->before && c->after);
	(*n)++;
}

/* What a reload does: over a configuration of defaults. */
static void reload(struct set *next)
{
	static struct set now;
	unsigned n = 0;

	begin(&now);
	FUZZ_CHECK(opt_read_defaults(&now.opts) == 0);
	opt_merge(&next->opts, &now.opts, see_change, &n);
	opt_take(&now.opts, &next->opts);
	n = 0;
	opt_merge(&next->opts, &now.opts, see_change, &n);
	FUZZ_CHECK(n == 0);
	(void)opt_differs(&next->opts, "size");
	(void)opt_differs(&next->opts, "net_io.bytes");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct set s;

	begin(&s);
	fuzz_words(*argc, *argv, &s.opts);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct set s, again;
	struct fuzz_input in = { data, data + len };
	size_t size;
	char *file = fuzz_part(&in, &size), *line = fuzz_part(&in, NULL);
	char *env = fuzz_part(&in, NULL), name[FUZZ_NAME_MAX];
	char program[] = "fuzz", dash_f[] = "-f";
	char *words[WORDS_MAX] = { program, dash_f, name }, *variables[WORDS_MAX];
	const int fd = fuzz_file(file, size, name), argc = split(line, words, FIRST_WORD);
	int r;

	begin(&s);
	begin(&again);
	split(env, variables, 0);
	s.opts.phase = size % 2 ? "a" : NULL;
	r = opt_load(&s.opts, argc, words, variables);
	FUZZ_CHECK((r < 0) == (s.opts.error[0] != '\0') && r <= argc - FIRST_WORD);
	if (r >= 0 && !s.first.check) {
		fuzz_print_back(&s.opts, &again.opts);
		reload(&s);
	}
	if (r >= 0)
		(void)opt_error_at(&s.opts, s.first.name, "%s", s.first.config);
	close(fd);
	free(file);
	free(line);
	free(env);
	return 0;
}
