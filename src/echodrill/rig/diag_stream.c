/* SPDX-License-Identifier: MIT
 * diag_stream: how far the two streams of a connection have come.
 */
#include <linux/tcp.h> /* tcp_info with tcpi_bytes_acked; glibc's netinet/tcp.h of 2.36 lacks it */
#include <stddef.h>
#include <string.h>

#include "diag.h"

void diag_stream(struct diag_socket *s, const void *info, size_t size)
{
	struct tcp_info i = { 0 };

	memcpy(&i, info, size < sizeof(i) ? size : sizeof(i));
	/* who has dialed counts the acknowledgement of its SYN as a byte (RFC 9293, 3.4) */
	s->written = i.tcpi_bytes_acked + s->unsent - (i.tcpi_bytes_acked > 0);
	s->received = i.tcpi_bytes_received;
}
