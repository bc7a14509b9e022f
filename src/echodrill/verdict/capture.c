/* SPDX-License-Identifier: MIT
 * capture: a pass over a pcap file for each question; captures are small.
 */
#include "capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echodrill/rig/frame.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/stage/timeline.h"

enum { SNAP = 65536 };

static const char *const kinds[] = { "syn", "fin", "rst", "data", "ack", "all", "icmp" };

struct question {
	bool filtered;
	struct bpf_program filter;
	int direction; /* 1 c2s, -1 s2c, 0 any */
	unsigned kind;
};

static int question_filter(struct question *q, const char *what)
{
	const size_t len = strlen(what);
	char text[256];
	pcap_t *dead;
	int r;

	if (len < 3 || len - 2 >= sizeof(text) || what[len - 1] != '/')
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s", (int)len - 2, what + 1);
	dead = pcap_open_dead(DLT_EN10MB, SNAP);
	if (!dead)
		return -ENOMEM;
	r = pcap_compile(dead, &q->filter, text, 1, PCAP_NETMASK_UNKNOWN);
	pcap_close(dead);
	q->filtered = r == 0;
	return r == 0 ? 0 : -EINVAL;
}

static int question_read(struct question *q, const char *what)
{
	memset(q, 0, sizeof(*q));
	if (what[0] == '/')
		return question_filter(q, what);
	if (strncmp(what, "c2s.", 4) == 0)
		q->direction = 1;
	else if (strncmp(what, "s2c.", 4) == 0)
		q->direction = -1;
	else if (strncmp(what, "any.", 4) != 0)
		return -EINVAL;
	for (q->kind = 0; q->kind < ARRAY_LEN(kinds); q->kind++)
		if (strcmp(what + 4, kinds[q->kind]) == 0)
			return 0;
	return -EINVAL;
}

static void question_free(struct question *q)
{
	if (q->filtered)
		pcap_freecode(&q->filter);
}

int capture_check(const char *what)
{
	struct question q;
	int r = question_read(&q, what);

	question_free(&q);
	return r;
}

/* Ports of a drill's servers are HOSTS_PORT and the one after it. */
static bool is_server_port(unsigned port)
{
	return port == HOSTS_PORT || port == HOSTS_PORT + 1;
}

static bool matches_kind(const struct frame *f, const char *kind)
{
	unsigned flags = f->flags;

	if (strcmp(kind, "icmp") == 0)
		return f->kind == FRAME_ICMP && f->about_tcp;
	if (f->kind != FRAME_TCP)
		return false;
	if (strcmp(kind, "syn") == 0)
		return flags & FRAME_SYN;
	if (strcmp(kind, "fin") == 0)
		return flags & FRAME_FIN;
	if (strcmp(kind, "rst") == 0)
		return flags & FRAME_RST;
	if (strcmp(kind, "data") == 0)
		return f->len > 0;
	if (strcmp(kind, "ack") == 0)
		return f->len == 0 && !(flags & (FRAME_SYN | FRAME_FIN | FRAME_RST));
	return true;
}

static bool matches(const struct question *q, const struct pcap_pkthdr *h,
		    const unsigned char *data)
{
	struct frame f;

	if (q->filtered)
		return pcap_offline_filter(&q->filter, h, data) != 0;
	if (!frame_read(&f, data, h->caplen) || !matches_kind(&f, kinds[q->kind]))
		return false;
	if (f.kind == FRAME_ICMP)
		return q->direction <= 0; /* they come from the router */
	return q->direction == 0 || (is_server_port(f.to) ? 1 : -1) == q->direction;
}

/* Opens the capture anew, from its start. */
static pcap_t *capture_open(int fd)
{
	char why[PCAP_ERRBUF_SIZE], path[64];
	pcap_t *p = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	f = fopen(path, "re");
	if (f)
		p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (f && !p)
		fclose(f); /* it is pcap_close's only where there is a capture */
	return p;
}

/* with that precision tv_usec counts nanoseconds */
static int64_t frame_time(const struct pcap_pkthdr *h)
{
	return SEC(h->ts.tv_sec) + h->ts.tv_usec;
}

int64_t capture_count(int fd, const char *what, const struct capture_span *span, int64_t *first_ns,
		      int64_t *last_ns)
{
	struct pcap_pkthdr *h;
	const unsigned char *data;
	struct question q;
	int64_t count = 0;
	pcap_t *p;
	int r = question_read(&q, what);

	*first_ns = *last_ns = 0;
	if (r < 0)
		return r;
	p = capture_open(fd);
	while (p && pcap_next_ex(p, &h, &data) == 1) {
		if (frame_time(h) < span->since_ns || frame_time(h) >= span->until_ns ||
		    !matches(&q, h, data))
			continue;
		*first_ns = count == 0 ? frame_time(h) : *first_ns;
		*last_ns = frame_time(h);
		count++;
	}
	if (p)
		pcap_close(p);
	question_free(&q);
	return p ? count : -EIO;
}

/* Data that was not there before; a server whose ACKs are lost repeats itself. */
static void capture_new(const struct frame *f, int64_t t_ns, int64_t *heard, uint32_t *next)
{
	uint32_t end = f->seq + f->len;

	if (*heard != 0 && (int32_t)(end - *next) <= 0)
		return;
	*heard = t_ns;
	*next = end;
}

int capture_heard(int fd, int64_t until_ns, int64_t *earliest_ns, int64_t *latest_ns)
{
	static int64_t heard[65536]; /* by the client's port */
	static uint32_t next[65536]; /* data from there on is new */
	struct pcap_pkthdr *h;
	const unsigned char *data;
	pcap_t *p = capture_open(fd);
	int count = 0;

	memset(heard, 0, sizeof(heard));
	while (p && pcap_next_ex(p, &h, &data) == 1) {
		struct frame f;

		if (frame_read(&f, data, h->caplen) && f.kind == FRAME_TCP && f.len > 0 &&
		    is_server_port(f.from) && frame_time(h) < until_ns)
			capture_new(&f, frame_time(h), &heard[f.to & 65535], &next[f.to & 65535]);
	}
	if (p)
		pcap_close(p);
	for (size_t i = 0; i < ARRAY_LEN(heard); i++) {
		if (heard[i] == 0)
			continue;
		*earliest_ns = count == 0 || heard[i] < *earliest_ns ? heard[i] : *earliest_ns;
		*latest_ns = count == 0 || heard[i] > *latest_ns ? heard[i] : *latest_ns;
		count++;
	}
	return p ? count : -EIO;
}

int capture_each(int fd, void (*see)(void *arg, const struct frame *f, int64_t t_ns), void *arg)
{
	struct pcap_pkthdr *h;
	const unsigned char *data;
	pcap_t *p = capture_open(fd);
	struct frame f;

	while (p && pcap_next_ex(p, &h, &data) == 1)
		if (frame_read(&f, data, h->caplen))
			see(arg, &f, frame_time(h));
	if (p)
		pcap_close(p);
	return p ? 0 : -EIO;
}

bool capture_to_server(const struct frame *f)
{
	return f->kind == FRAME_TCP && is_server_port(f->to);
}

int capture_tell(int fd, struct timeline *t, const char *side, unsigned max)
{
	struct pcap_pkthdr *h;
	const unsigned char *data;
	pcap_t *p = capture_open(fd);

	while (p && max > 0 && pcap_next_ex(p, &h, &data) == 1) {
		struct frame f;
		char words[64];

		if (!frame_read(&f, data, h->caplen) || f.kind == FRAME_ARP)
			continue;
		if (f.kind == FRAME_ICMP && !f.about_tcp)
			continue;
		if (matches_kind(&f, "ack"))
			continue;
		timeline_add(t, frame_time(h), WHO_WIRE, "%s %s %s",
			     f.kind == FRAME_ICMP || !is_server_port(f.to) ? "<--" : "-->",
			     frame_words(&f, words), side);
		max--;
	}
	if (p)
		pcap_close(p);
	return p ? 0 : -EIO;
}
