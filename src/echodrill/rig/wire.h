/* SPDX-License-Identifier: MIT
 * wire: the relay between client and router, a process of its own: it passes every frame on after a
 * delay, and keeps what it saw on both sides of the router as pcap.
 */
#ifndef ECHODRILL_WIRE_H
#define ECHODRILL_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hosts;

enum wire_side { WIRE_CLIENT, WIRE_SERVER, WIRE_SIDES };

/* Kept in memory shared with the relay. */
struct wire_counts {
	_Atomic uint32_t dropped; /* frames for which there was no room: the path was not what it
				     should be */
	_Atomic uint32_t frames;
	_Atomic uint64_t seen[3]; /* frames that came in at w0 and w1, and passed r1 */
	uint64_t before[3];       /* frames that devices had sent there before the relay listened */
	_Atomic int64_t late_ns;  /* how much later than due a frame was passed on, at worst */
	_Atomic uint32_t data[2]; /* frames with bytes, of the client and of the server */
	_Atomic uint32_t syns;    /* of the client, repeated ones too */
	_Atomic int64_t syn_ns; /* when the first SYN of the client came, since it was set to 0; it
				 * is known before the SYN goes on */
};

/* Starts the relay; frames come out @delay_ns after they went in. pcap[] are files to write to.
 * Returns its pid or -errno. */
pid_t wire_start(const struct hosts *h, int64_t delay_ns, const int pcap[WIRE_SIDES],
		 struct wire_counts *counts);

/* How many frames the hosts have sent so far, at each of the three places; wire_has_seen says
 * whether the relay has all of these. A frame is on its way for a while: the kernel of a busy
 * machine hands it on later. */
void wire_sent(const struct hosts *h, uint64_t sent[3]);
bool wire_has_seen(const struct wire_counts *c, const uint64_t sent[3]);

/* Ends it; afterwards the files are complete. */
void wire_stop(pid_t pid);

#endif
