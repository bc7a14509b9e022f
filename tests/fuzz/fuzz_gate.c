/* SPDX-License-Identifier: MIT
 * fuzz_gate: both ends of a client's gate: what another program commands, in pieces, and what a
 * client answers to us.
 *
 * reads:
 * src/echoload/engine/gate.c:gate_poll,gate_read,gate_command,gate_answer,gate_init,gate_fini
 * reads: src/lab/gated_client.c:gated_client_answer,gated_client_wait,gated_client_ready
 * reads: src/lab/gated_client.c:gated_client_slice
 */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/lab/gated_client.h"
#include "echo/net/worker_group.h"
#include "echoload/engine/gate.h"
#include "lib/fuzz.h"

enum { ROUNDS_MAX = 64 };

static void ends(int fds[2])
{
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
}

/* Workers come to rest as soon as they have been told to work. */
static int command(struct gate *g, struct worker_group *none)
{
	const uint64_t one = 1;
	int r = 0;

	for (int i = 0; i < ROUNDS_MAX && r == 0; i++) {
		FUZZ_CHECK(write(g->fds[1], &one, sizeof(one)) == sizeof(one));
		r = gate_poll(g, none, NULL);
	}
	return r;
}

static void commands(struct fuzz_input *in)
{
	static struct worker_group none;
	struct gate g;
	int fds[2], r = 0;

	ends(fds);
	FUZZ_CHECK(gate_init(&g, fds[0], 1) == 0);
	while (r == 0 && in->at < in->end) {
		size_t n = fuzz_byte(in) % 64u;

		n = n < (size_t)(in->end - in->at) ? n : (size_t)(in->end - in->at);
		if (n > 0)
			FUZZ_CHECK(write(fds[1], in->at, n) == (ssize_t)n);
		in->at += n;
		r = command(&g, &none);
	}
	(void)shutdown(fds[1], SHUT_WR);
	FUZZ_CHECK(r < 0 || command(&g, &none) != 0);
	gate_fini(&g);
	close(fds[0]);
	close(fds[1]);
}

static void answers(const struct fuzz_input *in)
{
	struct gated_client_slice slice = { 0, 0 };
	struct gated_client client = { .gate = -1 };
	const size_t len = (size_t)(in->end - in->at);
	int fds[2], r;

	ends(fds);
	client.gate = fds[0];
	if (len > 0)
		FUZZ_CHECK(write(fds[1], in->at, len) == (ssize_t)len);
	(void)shutdown(fds[1], SHUT_WR);
	r = gated_client_ready(&client, INT64_MAX / 2);
	if (r == 0)
		r = gated_client_slice(&client, 1000000, INT64_MAX / 4, &slice);
	FUZZ_CHECK(r <= 0);
	close(fds[0]);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, data + (len < 4096 ? len : 4096) };

	answers(&in);
	commands(&in);
	return 0;
}
