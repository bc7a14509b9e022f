/* SPDX-License-Identifier: MIT
 * server_file: somebody else's echo server as a file that says where it comes from, how it is built
 * and started, and what it leaves out (docs/benchmarking.md).
 *
 *     [server] story, url, package, program, build, start, leaves_out
 */
#ifndef ECHOBENCH_SERVER_FILE_H
#define ECHOBENCH_SERVER_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "echo/base/opt.h"

enum { SERVER_NAME_MAX = 64 };

struct server_file {
	char name[SERVER_NAME_MAX]; /* of its file */
	char story[OPT_TEXT_MAX];   /* what it is */
	char url[OPT_TEXT_MAX];     /* where it is from; "": from @package alone */
	char package[OPT_TEXT_MAX]; /* of Debian, what building it needs; "": nothing */
	char program[OPT_TEXT_MAX]; /* the name of its executable */
	char build[OPT_TEXT_MAX];   /* commands for the user to run; nobody else does */
	char start[OPT_TEXT_MAX];   /* a command line with {program}, and {port} or {addr} */
	char leaves_out[OPT_TEXT_MAX];
};

/* Whether @text may be the name of one: letters, digits, '_' and '-'. */
bool server_file_is_name(const char *text);

/* Reads a file. Returns 0, or -errno with the place and the reason in @error. */
int server_file_read(struct server_file *f, const char *path, char error[OPT_ERROR_MAX]);

/* Finds its program: in the folder bench beside echobench's own, else in PATH. Returns 0 or
 * -ENOENT. */
int server_file_program(const struct server_file *f, char *path, size_t size);

/* Its command line, {program} replaced; one that is not there is left for the shell to miss. */
void server_file_command(const struct server_file *f, char *command, size_t size);

#endif
