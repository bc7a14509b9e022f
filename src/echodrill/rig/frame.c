/* SPDX-License-Identifier: MIT
 * frame: Ethernet, IPv4 and IPv6 without extension headers, TCP, ICMP: what a drill's own network
 * carries, and nothing else.
 */
#include "frame.h"

#include <stdio.h>
#include <string.h>

enum {
	ETH_HEAD = 14,
	TYPE_IP4 = 0x0800,
	TYPE_IP6 = 0x86dd,
	TYPE_ARP = 0x0806,
	IP6_HEAD = 40,
	PROTO_TCP = 6,
	PROTO_ICMP = 1,
	PROTO_ICMP6 = 58,
};

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

struct packet {
	const unsigned char *at; /* the transport header */
	size_t have, len;        /* bytes that are there, bytes that there were */
	unsigned proto;
};

/* Splits an IP packet. */
static bool packet_read(struct packet *p, unsigned type, const unsigned char *ip, size_t len)
{
	size_t head = type == TYPE_IP6 ? IP6_HEAD : len > 0 ? (size_t)(ip[0] & 15) * 4 : 0;
	size_t total;

	if (len < head || head < 20)
		return false;
	total = type == TYPE_IP6 ? get16(ip + 4) + (size_t)IP6_HEAD : get16(ip + 2);
	if (total < head)
		return false;
	p->at = ip + head;
	p->have = len - head;
	p->len = total - head;
	p->proto = type == TYPE_IP6 ? ip[6] : ip[9];
	return true;
}

static bool tcp_read(struct frame *f, const struct packet *p)
{
	size_t head;

	if (p->have < 20)
		return false;
	head = (size_t)(p->at[12] >> 4) * 4;
	if (head < 20 || p->len < head)
		return false;
	f->kind = FRAME_TCP;
	f->from = get16(p->at);
	f->to = get16(p->at + 2);
	f->seq = get32(p->at + 4);
	f->ack = get32(p->at + 8);
	f->flags = p->at[13];
	f->len = (uint32_t)(p->len - head);
	return true;
}

static bool icmp_read(struct frame *f, const struct packet *p, unsigned type)
{
	struct packet quoted;

	if (p->have < 8)
		return false;
	f->kind = FRAME_ICMP;
	f->flags = get16(p->at);
	f->about_tcp =
		packet_read(&quoted, type, p->at + 8, p->have - 8) && quoted.proto == PROTO_TCP;
	return true;
}

bool frame_read(struct frame *f, const unsigned char *data, size_t len)
{
	struct packet p;
	unsigned type;

	memset(f, 0, sizeof(*f));
	if (len < ETH_HEAD)
		return false;
	type = get16(data + 12);
	if (type == TYPE_ARP) {
		f->kind = FRAME_ARP;
		return true;
	}
	if ((type != TYPE_IP4 && type != TYPE_IP6) ||
	    !packet_read(&p, type, data + ETH_HEAD, len - ETH_HEAD))
		return false;
	if (p.proto == PROTO_TCP)
		return tcp_read(f, &p);
	if (p.proto == PROTO_ICMP || p.proto == PROTO_ICMP6)
		return icmp_read(f, &p, type);
	return false;
}

const char *frame_words(const struct frame *f, char text[64])
{
	if (f->kind == FRAME_ICMP)
		snprintf(text, 64, "ICMP %u/%u", f->flags >> 8, f->flags & 255);
	else if (f->kind == FRAME_ARP)
		snprintf(text, 64, "ARP");
	else if (f->kind != FRAME_TCP)
		snprintf(text, 64, "?");
	else if (f->flags & (FRAME_SYN | FRAME_RST | FRAME_FIN))
		snprintf(text, 64, "%s%s%s%s", f->flags & FRAME_SYN ? "SYN" : "",
			 f->flags & FRAME_RST ? "RST" : "", f->flags & FRAME_FIN ? "FIN" : "",
			 f->flags & FRAME_ACK ? " ACK" : "");
	else if (f->len > 0)
		snprintf(text, 64, "%u bytes", f->len);
	else
		snprintf(text, 64, "ACK");
	return text;
}
