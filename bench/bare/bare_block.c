/* SPDX-License-Identifier: MIT
 * bare_block: the smallest correct echo server and client without any loop: a thread a connection,
 * which blocks in recv and send. What one connection, or a few large ones, cost when nobody has to
 * find out who is ready. With --spin nobody sleeps either: recv is asked again and again.
 */
#include "bare_client.h"
#include <pthread.h>

enum { STACK = 64 << 10 };

static struct bare_options o;

/* Receives what is there; blocks or spins until something is. 0: the end of input. */
static ssize_t take(int fd, void *to, size_t len)
{
	ssize_t n;

	do
		n = recv(fd, to, len, o.spin ? MSG_DONTWAIT : 0);
	while (n < 0 && (errno == EAGAIN || errno == EINTR));
	return n;
}

/* Sends all of it. Returns false when the connection is over. */
static bool give(int fd, const unsigned char *from, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	unsigned char *buffer = malloc(BARE_CHUNK);
	ssize_t n;

	while (buffer && (n = take(fd, buffer, BARE_CHUNK)) > 0 && give(fd, buffer, (size_t)n))
		;
	free(buffer);
	close(fd);
	return NULL;
}

/* Until SIGTERM, which ends the process: there is nothing to finish. */
static void server_run(void)
{
	pthread_attr_t attr;
	int at;

	bare_raise_files();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	at = bare_listen(&o, 0);
	for (;;) {
		pthread_t thread;
		int fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			usleep(10000); /* out of descriptors, most likely: do not spin */
		} else if (pthread_create(&thread, &attr, serve, (void *)(intptr_t)fd) != 0) {
			close(fd);
		}
	}
}

/* One connection, one message after the other; the timer is looked at now and then. */
static void client_run(void)
{
	static struct bare_client cl;
	static unsigned char buffer[BARE_CHUNK];
	struct bare_peer *p;

	if (o.conns != 1)
		bare_usage("-c: a blocking client has one connection");
	if (o.gate)
		bare_usage("--gate: this client has none");
	bare_client_open(&cl, &o, NULL);
	bare_client_start(&cl);
	p = &cl.peers[0];
	while (!cl.stopping || cl.owed > 0) {
		ssize_t n;

		while (p->unsent > 0) {
			uint32_t len;
			const unsigned char *span = bare_client_span(&cl, p, &len);

			if (!give(p->fd, span, len))
				bare_die(BARE_EXIT_FAILED, "send");
			bare_client_sent(p, len);
		}
		n = take(p->fd, buffer, sizeof(buffer));
		if (n == 0)
			errno = ECONNRESET; /* an end of input is as bad: we are owed bytes */
		if (n <= 0)
			bare_die(BARE_EXIT_FAILED, "recv");
		bare_client_data(&cl, p, buffer, (uint32_t)n);
		if (++cl.result.turns % 64 == 0)
			bare_client_tick(&cl);
	}
	bare_client_report(&cl);
}

int main(int argc, char **argv)
{
	o = bare_options(argc, argv);
	if (o.variant)
		bare_usage("--variant: this loop has none");
	bare_pin(o.cpu);
	if (o.server)
		server_run();
	else
		client_run();
	return 0;
}
