/* SPDX-License-Identifier: MIT
 * metrics_server: a thread that shows a program's metrics to Prometheus: by HTTP (libmicrohttpd),
 * and as a file for node_exporter's textfile collector.
 *
 * It looks at what others count and asks nobody: they do not know that it is there. Whatever is
 * asked of it, it rests nine times as long as it worked, so that it takes at most a tenth of a CPU.
 */
#ifndef ECHO_METRICS_SERVER_H
#define ECHO_METRICS_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "echo/base/addr.h"
#include "echo/base/opt.h"
#include "path.h"

struct MHD_Daemon;

enum { METRICS_WHERE_MAX = ADDR_TEXT_MAX + 24 };

/* A section [metrics] of a program's options: rows and what they fill. */
struct metrics_options {
	struct addr listen;      /* len 0: nowhere */
	char file[OPT_TEXT_MAX]; /* "": none */
	int64_t interval;        /* between two writes of it */
};
extern const struct opt metrics_opts[];

/* Descriptors that it may have open; 0: nothing is asked for. */
unsigned metrics_server_descriptors(const struct metrics_options *o);

enum { METRICS_SERVER_PEERS = 16 }; /* connections at one time */

/* What is known of one of them; NONE: it has none. */
enum metrics_peer { METRICS_PEER_NONE, METRICS_PEER_SILENT, METRICS_PEER_ASKS };

struct metrics_server {
	/* set by the caller */
	const struct metrics_options *options;
	void (*print)(FILE *to, void *arg); /* the text; in the server's own thread */
	/* the file could not be written any more: -@err says why. In that thread, once. */
	void (*failed)(const char *path, int err);
	/* Do what metrics_file_begin and metrics_file_end do, for a process that may not; NULL:
	 * those do it. */
	int (*file_begin)(void *arg);
	int (*file_end)(void *arg, bool keep);
	/* The same of path_remove, of the socket that it listens on. */
	void (*remove_path)(void *arg, const char *path, struct path_id id);
	int (*path_end)(void *arg, bool keep); /* and of metrics_path_end */
	void *arg;
	pid_t pid; /* in names of what lies beside its path; 0: of the process that opens it */

	/* its own; zeroes before it is opened */
	struct addr bound;      /* where it listens */
	struct path_id path_id; /* of a unix socket */
	int listen_fd, stop_fd;
	bool opened, joined, running;
	bool displaces; /* another's unix socket, which lies beside its own */
	_Atomic bool leaving;
	bool file_failed;        /* which has been said */
	int64_t file_due_ns;     /* monotonic */
	struct MHD_Daemon *http; /* NULL: it does not listen */
	int http_fd;             /* readable when there is something to do */
	enum metrics_peer http_peers[METRICS_SERVER_PEERS];
	pthread_t thread;
};

/* Opens a file beside @path to be filled. Returns the descriptor or -errno. */
int metrics_file_begin(const char *path);
/* It takes the place of @path, or goes. Returns 0 or -errno. */
int metrics_file_end(const char *path, bool keep);

/* The socket that lies beside @path, whose process @pid has taken its place, goes; or, unless
 * @keep, comes back to it. Returns 0 or -errno. */
int metrics_path_end(const char *path, pid_t pid, bool keep);

/* Opens what the options, a section "metrics" of @set, ask for; nothing is served yet. @join:
 * another process of this user that listens there now is going to leave. Returns 0, or -errno with
 * set->error set. */
int metrics_server_open(struct metrics_server *s, bool join, struct opt_set *set);

/* Serves. Returns 0 or -errno. Signals are not delivered to its thread. */
int metrics_server_start(struct metrics_server *s);

/* Where it is, for people: "http://127.0.0.1:9907/metrics"; "" if it does not listen. Returns
 * @text.
 */
char *metrics_server_where(const struct metrics_server *s, char text[METRICS_WHERE_MAX]);

/* The other process that it was opened with @join for leaves; until then that one's path is given
 * back when this one ends. */
void metrics_server_stay(struct metrics_server *s);

/* Ends it, if it runs: answers what has been asked, waits up to a second for the first request of
 * who has been accepted, and writes the file a last time. */
void metrics_server_stop(struct metrics_server *s);

/* The same, but the file is another process's by now. */
void metrics_server_leave(struct metrics_server *s);

#endif
