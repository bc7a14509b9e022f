/* SPDX-License-Identifier: MIT
 * program: what every program of echolab does alike: its exit codes, and the options that ask it
 * about itself.
 */
#ifndef ECHO_PROGRAM_H
#define ECHO_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "opt.h"

/* Exit codes; a public contract. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_VERDICT = 1,      /* the answer is no: an error, a limit missed, a regression */
	EXIT_USAGE = 2,        /* usage or config error; nothing was run */
	EXIT_NO_ANSWER = 3,    /* the target never answered */
	EXIT_ENVIRONMENT = 4,  /* privilege, descriptors, a missing kernel feature, a port in use */
	EXIT_INCONCLUSIVE = 5, /* too noisy or too few samples to say */
	EXIT_INTERNAL = 70,    /* a bug */
	EXIT_SKIPPED = 77,
	EXIT_SIGHUP = 129,
	EXIT_SIGINT = 130,
	EXIT_SIGTERM = 143,
};

/* The first member of a program's config struct. */
struct program_options {
	char config[OPT_TEXT_MAX]; /* -f */
	bool help, version, man, print_config;
	unsigned completion; /* enum opt_shell */
};

/* Rows for them; @config is the program's struct, whose member `program` they fill. */
#define PROGRAM_ROW(config_, field_, type_, help_, ...)                                            \
	{                                                                                          \
		.key = #field_, .type = &(type_), .help = (help_), .cli_only = true,               \
		OPT_FIELD(config_, program.field_), __VA_ARGS__                                    \
	}
#define PROGRAM_ROWS(config_)                                                                      \
	PROGRAM_ROW(config_, config, opt_path, "read this config file", .letter = 'f'),            \
		PROGRAM_ROW(config_, print_config, opt_flag,                                       \
			    "print the effective configuration and where it came from"),           \
		PROGRAM_ROW(config_, man, opt_flag, "print the manual page (mdoc)"),               \
		PROGRAM_ROW(config_, completion, opt_enum,                                         \
			    "print a script that completes the command line, for this shell",      \
			    .fallback = "off", .names = opt_shells),                               \
		PROGRAM_ROW(config_, version, opt_flag, "print version and features"),             \
		PROGRAM_ROW(config_, help, opt_flag, "print this text", .letter = 'h')

/* Call it first in main, with the name for log lines. Descriptors 0 to 2 that are closed become
 * /dev/null opened for reading: no socket or file gets their numbers, input is at its end, and what
 * is written fails as it would on a closed one. SIGCHLD is not ignored, as some start us: nobody
 * would be told how a child has ended. A file that may not become longer (ulimit -f) is an errno.
 * From then on stdout is written as output.h says, and the program's folder is known. */
void program_begin(const char *name);

/* What `git describe` said when it was built, and the commit's hash ("" if unknown). */
const char *program_version(void);
const char *program_commit(void);

/* The folder of the running program, "" if it is unknown: where it was when program_begin was
 * called. Under another root or in another mount namespace the kernel names it differently. */
const char *program_folder(void);

/* Writes the path of @name in that folder into @path if it can be run there, else @name, for PATH
 * to find. Returns @path. */
char *program_beside(const char *name, char *path, size_t size);

/* Whether an executable is there, as a shell finds it: by its path, or in PATH. */
bool program_is_there(const char *name);

/* A folder of the configurations that came with the program: the source tree's or the installed
 * one. Returns 0 or -ENOENT. */
int program_configs(const char *name, char path[OPT_TEXT_MAX]);

/* Answers --help, --version, --man, --completion or --print-config on stdout. Returns whether one
 * was asked. */
bool program_answer(const struct opt_set *s, const struct program_options *o);

/* The exit code for a file that could not be read for @e, an errno: EXIT_ENVIRONMENT for want of
 * memory, descriptors or a device that works, else EXIT_USAGE: another name would do. */
int program_exit_unread(int e);

/* Answers "this text could not be written": flushes stdout and returns @code, or EXIT_ENVIRONMENT
 * with a message when what was printed there is lost. */
int program_exit(int code);

#endif
