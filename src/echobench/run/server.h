/* SPDX-License-Identifier: MIT
 * server: an echo server under measurement, ours or a foreign one, as a process on its own CPUs.
 */
#ifndef ECHOBENCH_SERVER_H
#define ECHOBENCH_SERVER_H

#include "echo/lab/child.h"
#include "echobench/opts.h"
#include "echobench/verdict/cell.h"

enum { ADDRESS_MAX = 120 }; /* ADDR_TEXT_MAX, and room */

struct server {
	struct child child;
	char address[ADDRESS_MAX]; /* host:port or unix:path; "": it will say where it listens */
};

/* Whether our own programs understand what they will be told, before anything is measured. Returns
 * 0, or -EINVAL with @why in the program's own words, or another -errno. *key: of our option that
 * @why is about, NULL: it says so itself. */
int server_check_sides(const struct bench_config *c, char why[WHY_MAX], const char **key);

/* Starts it; it need not listen yet. Returns 0 or -errno with @why. */
int server_start(struct server *s, const struct cell *c, const char *side, char why[WHY_MAX]);

/* Waits until it accepts connections and echoes one byte. Returns 0, -EINTR, or -errno with @why;
 * it is for the caller to stop it. */
int server_ready(struct server *s, char why[WHY_MAX]);

/* Whether it has ended by itself; @why says how. */
bool server_ended(struct server *s, char why[WHY_MAX]);

void server_stop(struct server *s);

#endif
