/* SPDX-License-Identifier: MIT
 * owed: bytes of each stream, by the client's port.
 */
#include "owed.h"

#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>

#include "echodrill/stage/loop.h"

/* [local port] */
static uint64_t owed_written[UINT16_MAX + 1];

static void owed_take(void *arg, const struct diag_socket *s)
{
	(void)arg;
	if (s->to_server && s->state == TCP_ESTABLISHED)
		owed_written[s->local] = s->written;
}

int owed_note(struct run *r)
{
	memset(owed_written, 0, sizeof(owed_written));
	return loop_sockets(r, HOST_CLIENT, owed_take, NULL);
}

/* A stream that is shorter than it was is another connection's. */
static void owed_look(void *arg, const struct diag_socket *s)
{
	int *count = arg;
	const uint64_t owed = owed_written[s->local];

	if (s->to_server && s->state == TCP_ESTABLISHED && s->written >= owed && s->received < owed)
		++*count;
}

int owed_count(struct run *r)
{
	int count = 0;
	const int result = loop_sockets(r, HOST_CLIENT, owed_look, &count);

	return result < 0 ? result : count;
}
