/* SPDX-License-Identifier: MIT
 * segment: what went over the wire, with both of its ends: the captures of the client's and of the
 * server's side of the router, put together.
 */
#ifndef ECHODRILL_SEGMENT_H
#define ECHODRILL_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "echodrill/rig/frame.h"

enum { SEGMENTS_MAX = 4000 };

struct segment {
	struct frame frame;
	int64_t sent_ns;    /* when its sender's side saw it */
	int64_t arrived_ns; /* when the other side did; -1: never, it was lost in between */
	unsigned port;      /* of the client's end; ICMP: 0 */
	bool to_server;
	bool of_router;  /* an ICMP error: it begins in the middle */
	unsigned repeat; /* how many times it was sent before */
};

struct segments {
	unsigned count, left_out; /* in order of time; those that find no room */
	struct segment at[SEGMENTS_MAX];
};

/* Reads both captures: fds of pcap files. */
void segment_read(struct segments *s, int client_pcap, int server_pcap);

/* "PSH ACK 6 bytes", "SYN, again", "ICMP 3/1" */
const char *segment_words(const struct segment *s, char text[96]);

#endif
