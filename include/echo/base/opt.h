/* SPDX-License-Identifier: MIT
 * opt: one row per key is the only place where an option exists. The rows of a program drive its
 * config file, command line, environment, --help, --print-config and man page, with ranges, hints
 * and the place of every error.
 *
 * A row says which field of a config struct it fills (offset) and how text becomes that field (its
 * type). Values are applied in rising precedence: default, file, environment, command line; each
 * row remembers where its value came from.
 */
#ifndef ECHO_OPT_H
#define ECHO_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	OPT_SECTIONS_MAX = 8,
	OPT_ROWS_MAX = 96,  /* of one section */
	OPT_TEXT_MAX = 256, /* longest value, as text */
	OPT_LINE_MAX = 512, /* longest line of a config file */
	OPT_ERROR_MAX = 512,
	OPT_PHASES_MAX = 32,
	OPT_PHASE_MAX = 33, /* a phase's name and its end */
};

struct opt;

/* How a kind of value is read and printed. A program may have types of its own. */
struct opt_type {
	/* "TIME"; NULL: takes no argument (a bare flag, field is bool). A shell completes the
	 * names of files where it is "PATH". */
	const char *metavar;
	/* Text to *field. Returns 0, or -EINVAL / -ERANGE with the reason in @why, which goes on
	 * after the quoted text: "must be ...", "is not ...". *field is written only on success.
	 * For a row that repeats: adds to it; all bytes 0 is a field without values. */
	int (*parse)(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX]);
	/* *field to text that parse reads back to the same value. @nth counts the values of a row
	 * that repeats from 0; returns false when there is no nth value (even no 0th:
	 * --print-config then shows the key as a comment). What is printed must not hold " ;". */
	bool (*print)(const struct opt *o, const void *field, unsigned nth,
		      char text[OPT_TEXT_MAX]);
};

struct opt {
	const char *key;      /* words joined by '_'; '-' is the same when read */
	const char *fallback; /* the default, as text; NULL or "": the field is zeroed */
	const char *help;     /* one line; the man page's too */
	const struct opt_type *type;
	const char *const *names; /* the values of OPT_ENUM; words that another type may take, for
				     completion; NULL-terminated */
	int64_t min, max;         /* inclusive; both 0: what the field holds, up to INT64_MAX;
				     ignored by types without a range */
	int64_t step;             /* a number is a multiple of it; 0: any */
	size_t offset, size;      /* of the field in the config struct */
	char letter;              /* short option, 0: none */
	const char *group; /* section of a config file where the row stands, when that is not its
			      own section; the environment and the command line do not know it */
	bool repeats;  /* may be given more than once; a value of higher precedence starts anew */
	bool cli_only; /* not a config key: --check, --print-config */
	bool live;     /* a program that reads its configuration again changes it while it runs */
};

/* A type may call the parse and print of these with a row of its own: type, size, min, max. Numbers
 * with a unit may have a fraction ("1.5k"), as long as the result is exact. */
extern const struct opt_type opt_uint; /* unsigned int or uint64_t by size: "4096", "10k", "4Ki" */
extern const struct opt_type opt_size; /* uint64_t bytes: "64", "256Ki", "1M" */
extern const struct opt_type opt_time; /* int64_t ns: "50us", "5s", "1.5m", "2h"; "off" is 0 where
					  min is 0; a unit is required but for 0 */
extern const struct opt_type opt_bool; /* bool: on/off, yes/no, true/false, 1/0 */
extern const struct opt_type opt_enum; /* unsigned int: index into names */
extern const struct opt_type opt_string; /* char[size], terminated; too long is an error, and so is
					    what a config file cannot hold: blanks at an end, " ;",
					    control bytes */
extern const struct opt_type opt_path;   /* the same: the name of a file or a folder */
extern const struct opt_type opt_flag;   /* bool; no argument */
extern const struct opt_type opt_double; /* double: "0.5", "1e-3", "50k"; min and max apply */

/* Splits "A..B": writes A to @low. Returns B, or NULL: it is no range. */
const char *opt_range(const char *text, char low[OPT_TEXT_MAX]);

#define OPT_FIELD(config, field)                                                                   \
	.offset = offsetof(struct config, field), .size = sizeof(((struct config *)0)->field)

/* Any type; more members (.letter, .repeats, .names, .min, .max) may follow the help. */
#define OPT(config, field, type_, fallback_, help_, ...)                                           \
	{                                                                                          \
		.key = #field, .type = &(type_), .fallback = (fallback_), .help = (help_),         \
		OPT_FIELD(config, field), __VA_ARGS__                                              \
	}
#define OPT_UINT(config, field, fallback_, min_, max_, help_, ...)                                 \
	OPT(config, field, opt_uint, fallback_, help_, .min = (min_), .max = (max_), __VA_ARGS__)
#define OPT_SIZE(config, field, fallback_, min_, max_, help_, ...)                                 \
	OPT(config, field, opt_size, fallback_, help_, .min = (min_), .max = (max_), __VA_ARGS__)
#define OPT_TIME(config, field, fallback_, min_, max_, help_, ...)                                 \
	OPT(config, field, opt_time, fallback_, help_, .min = (min_), .max = (max_), __VA_ARGS__)
#define OPT_ENUM(config, field, fallback_, names_, help_, ...)                                     \
	OPT(config, field, opt_enum, fallback_, help_, .names = (names_), __VA_ARGS__)
#define OPT_BOOL(config, field, fallback_, help_, ...)                                             \
	OPT(config, field, opt_bool, fallback_, help_, __VA_ARGS__)
#define OPT_STRING(config, field, fallback_, help_, ...)                                           \
	OPT(config, field, opt_string, fallback_, help_, __VA_ARGS__)
#define OPT_PATH(config, field, fallback_, help_, ...)                                             \
	OPT(config, field, opt_path, fallback_, help_, __VA_ARGS__)
#define OPT_FLAG(config, field, help_, ...)                                                        \
	OPT(config, field, opt_flag, NULL, help_, .cli_only = true, __VA_ARGS__)
#define OPT_END                                                                                    \
	{                                                                                          \
		.key = NULL                                                                        \
	}

enum opt_level { OPT_DEFAULT, OPT_FILE, OPT_ENV, OPT_CLI };

/* Where a row's value came from. */
struct opt_origin {
	enum opt_level level;
	unsigned line; /* OPT_FILE: in that file; of a row that repeats: the last */
	bool phase;    /* OPT_FILE: in the section of s->phase */
};

struct opt_section {
	const char *name;       /* "server" */
	const struct opt *rows; /* ends with OPT_END */
	void *base;             /* the config struct that offsets refer to */
	struct opt_origin origin[OPT_ROWS_MAX];
};

/* A command that is a program's first operand. */
struct opt_command {
	const char *name;
	/* What follows it, for completion: a text with "NAME" stands for names that are the second
	 * column of what `PROGRAM list` prints, one with "FILE" for files, with both for either. */
	const char *operands;
	bool own_options; /* it has a set of its own, whose `command` is this name */
};

/* All options of a program. The first section's keys are plain options (--workers); those of a
 * later one carry its name (--io_uring-buffers). */
struct opt_set {
	const char *program; /* "echod"; upper case and '_' it prefixes the environment:
				ECHOD_WORKERS */
	const char *usage;   /* what follows the program's name: "[-f FILE] [OPTION]..." */
	const char *about;   /* a sentence or two for --help and the man page */
	const char *after;   /* text at the end of --help and the man page: examples, exit codes;
				NULL: none. A line that begins with a letter and ends with ':'
				("Exit status:") becomes a section of the man page */
	const struct opt_command *commands; /* ends with a name of NULL; NULL: it has none */
	const char *command; /* NULL: the program's own options, else those of this command */
	char features[OPT_ERROR_MAX]; /* the second line of --version; "": none */
	struct opt_section sections[OPT_SECTIONS_MAX];
	unsigned count;  /* sections */
	bool reloads;    /* the program reads its configuration again: rows say if they are live */
	bool has_phases; /* config files may end with sections [phase NAME] */
	const char *phase; /* keys of this one override those of the first section and its
			      groups; NULL: all phases are only checked */
	char phases[OPT_PHASES_MAX][OPT_PHASE_MAX]; /* that the file has, in its order */
	unsigned phase_count;
	const char *file;          /* the file that was read, NULL: none */
	char error[OPT_ERROR_MAX]; /* set when a function returned < 0: one line with its place, no
				      newline */
};

/* Adds a section. @base stays the caller's and must outlive the set. s->program is set before.
 * Asserts that no two rows share a name or a letter. */
void opt_add(struct opt_set *s, const char *name, const struct opt *rows, void *base);

/* Applies everything in order: defaults, the file given by -f/--config (if any), environment
 * (@env: NULL-terminated "NAME=value" list, only names that begin with the program's prefix count;
 * an unknown one with that prefix is an error), the command line. Options may stand before and
 * after operands; "--" ends them, "-" is one; "--key value", "--key=value", "-k value" and
 * "-kvalue" are the same; a bool may stand alone (on), or as --no-key (off), and takes the next
 * word only if it is one of on, off, yes, no, true, false, 1, 0. The next word is no value if it is
 * a known option. An option given twice is an error unless its row repeats; an empty value always
 * is one. Moves operands to the front of @argv + 1.
 *
 * The config file is the cli_only string row "config" of the first section, with letter 'f'. --help
 * and --version are not handled here: give cli_only rows (OPT_FLAG) for them in the first section;
 * they end reading at once, with the defaults, no operands, and without looking at other origins'
 * errors or the values of other options.
 *
 * Returns the number of operands, or -EINVAL (bad input) or -errno (file cannot be read) with
 * s->error set, such as "echod.conf:12: unknown key 'worker'; did you mean 'workers'?" or
 * "--workers: '-3' is not a whole number" or "ECHOD_WORKERS: ...". */
int opt_load(struct opt_set *s, int argc, char **argv, char *const *env);

/* Steps of opt_load, for tests and for reading a text that is no file. @name stands in errors and
 * must outlive the set. A file is read once for each opt_read_defaults. */
int opt_read_defaults(struct opt_set *s);
int opt_read_file(struct opt_set *s, FILE *f, const char *name);

/* A key whose value differs in two sets of the same rows. */
struct opt_change {
	const char *name;           /* "max_conns", "epoll.buffer" */
	const char *place;          /* of the new value: "echod.conf:3: max_conns: " */
	const char *before, *after; /* values as text, joined by ", " */
	bool live;
};

/* For a program that has read its configuration again, into @next, and runs with @now: calls @each
 * for every key whose value differs, in order. Of those that are not live @next gets the value and
 * origin of @now: what a program can run with that does not restart. */
void opt_merge(struct opt_set *next, const struct opt_set *now,
	       void (*each)(void *arg, const struct opt_change *c), void *arg);

/* After that: @now gets all values and origins of @next. */
void opt_take(struct opt_set *now, const struct opt_set *next);

/* Whether the row @key asks for something else than its default, whoever gave it its value: a file
 * with every key at its default asks for nothing. Of rows with one value of a small size. */
bool opt_differs(const struct opt_set *s, const char *key);

/* Where the value of row @key ("workers", or "io_uring.buffers") came from; NULL: no such row. */
const struct opt_origin *opt_origin_of(const struct opt_set *s, const char *key);

/* Sets s->error to "<place of key's value>: <reason>" for checks across rows that only the program
 * can make: "echod.conf:3: workers: fork serves with one acceptor", "--workers: fork ...",
 * "ECHOD_WORKERS: fork ...", "default of workers: fork ...". Returns -EINVAL. */
int opt_error_at(struct opt_set *s, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether @known may be what somebody meant who wrote @name, and is closer to it than what was
 * asked about before. *@best keeps how close that was, from SIZE_MAX for none. */
bool opt_is_closer(const char *name, const char *known, size_t *best);

/* opt_doc.c and opt_man.c: what people read. --help: at most 80 columns, aligned. --print-config: a
 * valid config file, each line with the origin of its value as a comment. Man page: mdoc(7),
 * complete; dated SOURCE_DATE_EPOCH if that is set. */
void opt_print_help(const struct opt_set *s, FILE *to);
void opt_print_config(const struct opt_set *s, FILE *to);
void opt_print_man(const struct opt_set *s, FILE *to);

/* Completion of a command line (opt_completion.c): a script for the shell of that name. A program
 * whose commands have options of their own prints theirs before its own: the last one makes it
 * known to the shell. */
enum opt_shell { OPT_SHELL_NONE, OPT_SHELL_BASH, OPT_SHELL_ZSH, OPT_SHELL_FISH };
extern const char *const opt_shells[]; /* "off" and their names */
void opt_print_completion(const struct opt_set *s, enum opt_shell shell, FILE *to);

/* After opt_print_config, for every phase that was loaded: its section, with what it overrides. */
void opt_print_phase(const struct opt_set *s, FILE *to);

/* Calls @each for every config row with its value as text, in order: for results that carry their
 * configuration. */
void opt_each(const struct opt_set *s,
	      void (*each)(void *arg, const char *section, const char *key, const char *value),
	      void *arg);

#endif
