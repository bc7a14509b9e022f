/* SPDX-License-Identifier: MIT
 * libuv_echo: an echo server as libuv's guide shows one, and correct: what the socket does not take
 * at once is queued as one write, and until it is out nothing is received, so one buffer is enough
 * for a connection. Leaves out limits, timeouts, statistics and an orderly end.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <uv.h>

enum { CHUNK = 64 << 10 };

struct conn {
	uv_tcp_t tcp;
	uv_write_t rest;
	char buffer[CHUNK];
};

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void conn_close(struct conn *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->tcp))
		uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct conn *c = handle->data;

	(void)suggested;
	*buf = uv_buf_init(c->buffer, sizeof(c->buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_written(uv_write_t *req, int status)
{
	struct conn *c = req->data;

	if (status < 0 || uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		conn_close(c);
}

/* The end of input is an n < 0 too; nothing is owed then. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = stream->data;
	uv_buf_t out = uv_buf_init(buf->base, n > 0 ? (unsigned)n : 0);
	int sent;

	if (n == 0)
		return;
	sent = n > 0 ? uv_try_write(stream, &out, 1) : 0;
	if (sent == n)
		return;
	if (n < 0 || (sent < 0 && sent != UV_EAGAIN)) {
		conn_close(c);
		return;
	}
	if (sent > 0) {
		out.base += sent;
		out.len -= (size_t)sent;
	}
	uv_read_stop(stream);
	c->rest.data = c;
	if (uv_write(&c->rest, stream, &out, 1, on_written) < 0)
		conn_close(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct conn *c = status < 0 ? NULL : malloc(sizeof(*c));

	if (!c)
		return;
	uv_tcp_init(listener->loop, &c->tcp);
	c->tcp.data = c;
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 || uv_tcp_nodelay(&c->tcp, 1) < 0 ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		conn_close(c);
}

static int open_listener(uv_tcp_t *listener, int port)
{
	struct sockaddr_storage at;
	int len = sizeof(at), r = uv_ip4_addr("127.0.0.1", port, (struct sockaddr_in *)&at);

	if (r == 0)
		r = uv_tcp_init(uv_default_loop(), listener);
	if (r == 0)
		r = uv_tcp_bind(listener, (struct sockaddr *)&at, 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)listener, SOMAXCONN, on_connection);
	if (r == 0)
		r = uv_tcp_getsockname(listener, (struct sockaddr *)&at, &len);
	if (r == 0)
		printf("listening 127.0.0.1:%u\n", ntohs(((struct sockaddr_in *)&at)->sin_port));
	fflush(stdout);
	return r;
}

int main(int argc, char **argv)
{
	static uv_tcp_t listener;
	struct rlimit files;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: libuv_echo PORT\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
	r = open_listener(&listener, (int)strtol(argv[1], NULL, 10));
	if (r < 0) {
		fprintf(stderr, "libuv_echo: port %s: %s\n", argv[1], uv_strerror(r));
		return 4;
	}
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
