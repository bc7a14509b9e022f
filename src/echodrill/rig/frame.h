/* SPDX-License-Identifier: MIT
 * frame: what an Ethernet frame of a drill says: TCP flags and lengths, ICMP types, in words.
 */
#ifndef ECHODRILL_FRAME_H
#define ECHODRILL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_kind { FRAME_OTHER, FRAME_TCP, FRAME_ICMP, FRAME_ARP };
enum frame_flag { FRAME_FIN = 1, FRAME_SYN = 2, FRAME_RST = 4, FRAME_PSH = 8, FRAME_ACK = 16 };

struct frame {
	enum frame_kind kind;
	unsigned from, to; /* TCP ports */
	unsigned flags;    /* of TCP; type << 8 | code of ICMP */
	uint32_t seq, ack;
	uint32_t len;   /* TCP payload */
	bool about_tcp; /* ICMP error that quotes a TCP segment */
};

/* Reads a frame of which the first @len bytes are there. Returns false for what it cannot read
 * (kind is then FRAME_OTHER). */
bool frame_read(struct frame *f, const unsigned char *data, size_t len);

/* "SYN", "FIN ACK", "RST", "6 bytes", "ACK" */
const char *frame_words(const struct frame *f, char text[64]);

#endif
