/* SPDX-License-Identifier: MIT
 * metrics_private: the parts of the metrics server.
 */
#ifndef NET_METRICS_PRIVATE_H
#define NET_METRICS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "echo/base/opt.h"

struct metrics_address;
struct metrics_server;
struct metrics_unix_id;

/* metrics_opt.c: as the option says it. Returns @text. */
char *metrics_opt_text(const struct metrics_address *a, char text[OPT_TEXT_MAX]);

/* metrics_text.c: the text as it is now; *len bytes, the caller's to free. NULL: no memory. */
char *metrics_text(const struct metrics_server *s, size_t *len);

/* metrics_http.c: begins to answer on s->listen_fd, which is its own then. Returns 0 or -errno. */
int metrics_http_begin(struct metrics_server *s);
/* How long it may wait, -1: for ever. */
int metrics_http_wait_ms(const struct metrics_server *s);
/* Does what there is to do. */
void metrics_http_run(const struct metrics_server *s);
/* Answers what has arrived, and closes everything. */
void metrics_http_end(struct metrics_server *s);

/* metrics_unix.c: listens at a path, mode 0660. What lies there must be a socket that nobody
 * listens on, or with @join that of a process that is going to leave. Returns the descriptor or
 * -errno. */
int metrics_unix_listen(const char *path, bool join, struct metrics_unix_id *id);
/* Removes it, if it is what it was. */
void metrics_unix_remove(const char *path, const struct metrics_unix_id *id);

/* metrics_file.c: writes the file anew. Returns 0 or -errno. */
int metrics_file_write(const struct metrics_server *s);

#endif
