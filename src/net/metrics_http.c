/* SPDX-License-Identifier: MIT
 * metrics_http: GET /metrics and nothing else. libmicrohttpd reads requests and writes responses;
 * it has no thread of its own, its epoll descriptor is one of those that the metrics server waits
 * on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/prom.h"
#include "echo/net/metrics_server.h"
#include "metrics_private.h"

enum {
	SILENCE_S = 10,          /* then a connection ends */
	REQUEST_MAX = 16 * 1024, /* head of a request, and of its response */
	LAST_ROUNDS = 16,        /* for what had arrived at the end */
	LAST_MS = 1000,          /* for the request of who was accepted just before */
};

/* Queues the response, if there is one, and lets go of it. */
static enum MHD_Result http_respond(struct MHD_Connection *c, unsigned status,
				    struct MHD_Response *r)
{
	enum MHD_Result done;

	if (!r)
		return MHD_NO; /* no memory: the connection ends */
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result http_refuse(struct MHD_Connection *c, unsigned status, const char *text)
{
	/* the library writes to no buffer that it shall only send */
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	return http_respond(c, status, r);
}

static enum MHD_Result http_metrics(struct MHD_Connection *c, const struct metrics_server *s)
{
	size_t len;
	char *text = metrics_text(s, &len);
	struct MHD_Response *r =
		text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;

	if (text && !r)
		free(text);
	if (r)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, prom_content_type);
	return http_respond(c, MHD_HTTP_OK, r);
}

/* A connection has a place in s->http_peers from its accept to its close. */
static void http_connection(void *arg, struct MHD_Connection *c, void **place,
			    enum MHD_ConnectionNotificationCode what)
{
	struct metrics_server *s = arg;
	int i = 0;

	(void)c;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		*(enum metrics_peer *)*place = METRICS_PEER_NONE;
		return;
	}
	/* the library lets in no more of them than there are places */
	while (i < METRICS_SERVER_PEERS - 1 && s->http_peers[i] != METRICS_PEER_NONE)
		i++;
	s->http_peers[i] = METRICS_PEER_SILENT;
	*place = &s->http_peers[i];
}

/* Whether one of them has been accepted and has yet to ask for something. */
static bool http_any_silent(const struct metrics_server *s)
{
	for (int i = 0; i < METRICS_SERVER_PEERS; i++)
		if (s->http_peers[i] == METRICS_PEER_SILENT)
			return true;
	return false;
}

/* The head of a request has come. Its body, if it has one, is not waited for. */
static enum MHD_Result http_answer(void *arg, struct MHD_Connection *c, const char *path,
				   const char *method, const char *version, const char *body,
				   size_t *body_len, void **state)
{
	const union MHD_ConnectionInfo *peer =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	*(enum metrics_peer *)peer->socket_context = METRICS_PEER_ASKS;
	(void)version;
	(void)body;
	(void)body_len;
	(void)state;
	if (strcmp(path, "/metrics") != 0)
		return http_refuse(c, MHD_HTTP_NOT_FOUND, "Nothing here but /metrics.\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return http_refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
	return http_metrics(c, arg);
}

/* Paths are compared as they are sent: "%00" would end one early. */
static size_t http_unescape(void *arg, struct MHD_Connection *c, char *text)
{
	(void)arg;
	(void)c;
	return strlen(text);
}

int metrics_http_begin(struct metrics_server *s)
{
	const union MHD_DaemonInfo *info;

	s->http = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, http_answer, s, MHD_OPTION_LISTEN_SOCKET,
		s->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_SERVER_PEERS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MAX,
		MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, NULL, MHD_OPTION_NOTIFY_CONNECTION,
		http_connection, s, MHD_OPTION_END);

	info = s->http ? MHD_get_daemon_info(s->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return errno ? -errno : -ENOMEM; /* it says no more */
	s->listen_fd = -1;
	s->http_fd = info->epoll_fd;
	return 0;
}

int metrics_http_wait_ms(const struct metrics_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (!s->http || MHD_get_timeout(s->http, &ms) != MHD_YES)
		return -1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static unsigned http_peers(const struct metrics_server *s)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(s->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

void metrics_http_run(const struct metrics_server *s)
{
	unsigned before;

	if (!s->http)
		return;
	/* Where there were as many peers as there may be the library does not look at its listener.
	 * It does so again in the first call after one has gone, which nothing would ask for. */
	do {
		before = http_peers(s);
		(void)MHD_run(s->http);
	} while (http_peers(s) < before);
}

/* Waits for the requests of those who have been accepted: they cannot know that we end. */
static void http_hear(const struct metrics_server *s)
{
	const int64_t end_ns = clock_now_ns() + MSEC(LAST_MS);
	struct pollfd p = { s->http_fd, POLLIN, 0 };
	int64_t left_ns;

	while (http_any_silent(s) && (left_ns = end_ns - clock_now_ns()) > 0) {
		(void)poll(&p, 1, (int)(left_ns / MSEC(1)) + 1);
		metrics_http_run(s);
	}
}

void metrics_http_end(struct metrics_server *s)
{
	struct pollfd p = { s->http_fd, POLLIN, 0 };

	if (!s->http)
		return;
	for (int i = 0; i < LAST_ROUNDS && poll(&p, 1, 0) > 0; i++)
		metrics_http_run(s);
	http_hear(s);
	MHD_stop_daemon(s->http);
	s->http = NULL;
	s->http_fd = -1;
}
