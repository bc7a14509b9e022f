/* SPDX-License-Identifier: MIT
 * capture: what went over the wire, read back from the relay's pcap with libpcap.
 */
#ifndef ECHODRILL_CAPTURE_H
#define ECHODRILL_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

struct timeline;

/* Counts what matches in the capture @fd. @what is "c2s.syn", "s2c.rst": a direction (c2s, s2c,
 * any) and a kind (syn fin rst data ack all; icmp: about TCP), or "/a filter of libpcap/". Only
 * frames at or after @since_ns and before @until_ns. *first_ns and *last_ns: the times of the first
 * and last of them, 0: none. Returns the count, or -EINVAL when @what is none of these, -EIO: it
 * cannot be read. */
struct capture_span {
	int64_t since_ns, until_ns;
};
int64_t capture_count(int fd, const char *what, const struct capture_span *span, int64_t *first_ns,
		      int64_t *last_ns);

/* When the clients have last heard data of a server, of those connections that have: the earliest
 * and the latest of these times before @until_ns. Returns the number of connections, or -EIO. */
int capture_heard(int fd, int64_t until_ns, int64_t *earliest_ns, int64_t *latest_ns);

/* Is @what one that capture_count knows? */
int capture_check(const char *what);

/* Calls @see for every frame of a capture that can be read. Returns 0, or -EIO: it is no capture.
 */
struct frame;
int capture_each(int fd, void (*see)(void *arg, const struct frame *f, int64_t t_ns), void *arg);

/* Whether a frame of TCP goes to a server of the drill. */
bool capture_to_server(const struct frame *f);

/* Adds the frames of a capture to a timeline: everything but plain ACKs and ARP, at most @max.
 * Returns 0, or -EIO. */
int capture_tell(int fd, struct timeline *t, const char *side, unsigned max);

#endif
