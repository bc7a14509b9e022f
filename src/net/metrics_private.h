/* SPDX-License-Identifier: MIT
 * metrics_private: the parts of the metrics server.
 */
#ifndef NET_METRICS_PRIVATE_H
#define NET_METRICS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "echo/net/path.h"

struct metrics_server;

/* metrics_text.c: the text as it is now; *len bytes, the caller's to free. NULL: no memory. */
char *metrics_text(const struct metrics_server *s, size_t *len);

/* metrics_http.c: begins to answer on s->listen_fd, which is its own then. Returns 0 or -errno. */
int metrics_http_begin(struct metrics_server *s);
/* How long it may wait, -1: for ever. */
int metrics_http_wait_ms(const struct metrics_server *s);
/* Does what there is to do. */
void metrics_http_run(const struct metrics_server *s);
/* Answers what has arrived, and whoever asks for the first time within a second; closes everything.
 */
void metrics_http_end(struct metrics_server *s);

/* metrics_path.c: listens at the path of s->bound; @join: as metrics_server_open. Returns 0, or
 * -errno with a reason in @why. */
int metrics_path_listen(struct metrics_server *s, bool join, char why[PATH_WHY_MAX]);
/* What lies beside the path comes back to it, or, with @keep, goes. Without anything beside it the
 * socket goes, or stays. */
void metrics_path_close(struct metrics_server *s, bool keep);

/* metrics_file.c: writes the file anew. Returns 0 or -errno. */
int metrics_file_write(const struct metrics_server *s);

#endif
