/* SPDX-License-Identifier: MIT
 * wire: packet sockets on both ends of the relay and one that only listens behind the router. The
 * delay is the same for all frames, so each direction is a queue in order.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diag.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "frame.h"
#include "hosts.h"

enum {
	WIRE_FRAME_MAX = 1600, /* MTU 1500 and headers */
	WIRE_QUEUE = 2048,
	WIRE_SNAP = 256,            /* bytes of a frame that are kept */
	WIRE_FILE_MAX = 32 << 20,   /* of a capture */
	PCAP_MAGIC_NS = 0xa1b23c4d, /* time stamps in nanoseconds */
	PCAP_ETHERNET = 1,
};

struct frame_slot {
	int64_t due_ns;
	uint32_t len;
	unsigned char data[WIRE_FRAME_MAX];
};

struct wire_queue {
	unsigned head, count;
	int to;          /* socket */
	const char *dev; /* that it sends from */
	struct frame_slot at[WIRE_QUEUE];
};

struct wire {
	int fds[3]; /* w0, w1, r1 */
	int64_t delay_ns;
	FILE *pcap[WIRE_SIDES];
	long written[WIRE_SIDES];
	int64_t unix_offset_ns; /* of the kernel's stamps, against the timeline's clock */
	struct wire_counts *counts;
	struct wire_queue queue[2]; /* what came in at w0, at w1 */
};

static volatile sig_atomic_t wire_ended;

static void wire_end(int number)
{
	(void)number;
	wire_ended = 1;
}

static int wire_socket(const struct hosts *h, enum host host, const char *dev, bool incoming)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1, room = 8 << 20, fd, r = 0;

	hosts_enter(h, host);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	at.sll_ifindex = (int)if_nametoindex(dev);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		r = -errno;
	if (r == 0 && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) < 0)
		r = -errno;
	if (r == 0 && incoming &&
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0)
		r = -errno;
	/* the first is for root, the second takes what it gets */
	if (r == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	hosts_leave(h);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static void pcap_begin(FILE *f)
{
	const uint32_t head[] = { PCAP_MAGIC_NS, 2 | 4 << 16, 0, 0, WIRE_SNAP, PCAP_ETHERNET };

	fwrite(head, sizeof(head), 1, f);
}

static void pcap_frame(struct wire *w, enum wire_side side, const struct frame_slot *f)
{
	int64_t now = f->due_ns;
	size_t len = f->len;
	uint32_t kept = (uint32_t)size_min(len, WIRE_SNAP);
	const uint32_t head[] = { (uint32_t)(now / SEC(1)), (uint32_t)(now % SEC(1)), kept,
				  (uint32_t)len };

	atomic_fetch_add(&w->counts->frames, 1);
	if (w->written[side] > WIRE_FILE_MAX) {
		atomic_fetch_add(&w->counts->dropped, 1);
		return;
	}
	if (fwrite(head, sizeof(head), 1, w->pcap[side]) != 1 ||
	    fwrite(f->data, kept, 1, w->pcap[side]) != 1)
		atomic_fetch_add(&w->counts->dropped, 1);
	w->written[side] += (long)(sizeof(head) + kept);
}

/* Receives a frame and when it came, by the kernel's stamp: we may be late. Returns false when
 * there is none; its length may be more than was kept. */
static bool wire_receive(const struct wire *w, int fd, struct frame_slot *f)
{
	_Alignas(struct cmsghdr) char control[64];
	struct iovec part = { f->data, sizeof(f->data) };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, MSG_TRUNC);
	struct timespec ts;

	if (n <= 0)
		return false;
	f->len = (uint32_t)n;
	f->due_ns = clock_now_ns();
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			f->due_ns = SEC(ts.tv_sec) + ts.tv_nsec - w->unix_offset_ns;
		}
	return true;
}

/* Keeps when the client first tries to connect, and who has sent how many bytes. */
static void wire_see(struct wire *w, unsigned from, const struct frame_slot *s)
{
	struct frame f;

	if (!frame_read(&f, s->data, s->len) || f.kind != FRAME_TCP)
		return;
	if (f.len > 0)
		atomic_fetch_add(&w->counts->data[from], 1);
	if (from != 0 || (f.flags & (FRAME_SYN | FRAME_ACK)) != FRAME_SYN)
		return;
	atomic_fetch_add(&w->counts->syns, 1);
	if (atomic_load(&w->counts->syn_ns) == 0)
		atomic_store(&w->counts->syn_ns, s->due_ns);
}

/* Takes what arrived; a bounded batch, so that what is due goes out in time. */
static void wire_take(struct wire *w, unsigned from)
{
	struct wire_queue *q = from < 2 ? &w->queue[from] : NULL;
	struct frame_slot f, *s;

	for (unsigned i = 0; i < 64; i++) {
		bool cut;

		if (!wire_receive(w, w->fds[from], &f))
			return;
		atomic_fetch_add(&w->counts->seen[from], 1);
		cut = f.len > sizeof(f.data);
		f.len = (uint32_t)size_min(f.len, sizeof(f.data));
		pcap_frame(w, q ? WIRE_CLIENT : WIRE_SERVER, &f);
		if (!q)
			continue;
		wire_see(w, from, &f);
		if (cut || q->count == WIRE_QUEUE) {
			atomic_fetch_add(&w->counts->dropped, 1);
			continue;
		}
		s = &q->at[(q->head + q->count++) % WIRE_QUEUE];
		s->len = f.len;
		s->due_ns = f.due_ns + w->delay_ns;
		memcpy(s->data, f.data, f.len);
	}
}

/* Whether the other end of a link is up. */
static bool has_carrier(const struct wire_queue *q)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GLINK };
	struct ifreq ifr = { .ifr_data = (char *)&v };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", q->dev);
	return ioctl(q->to, SIOCETHTOOL, &ifr) < 0 || v.data != 0;
}

/* A link that is down loses it, as links do, and says that it has no room. What really has none is
 * lost by us, not by the link. */
static void wire_send(const struct wire *w, const struct wire_queue *q, const struct frame_slot *s)
{
	ssize_t n;

	do
		n = send(q->to, s->data, s->len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == ENOBUFS || errno == ENOMEM || errno == EAGAIN) && has_carrier(q))
		atomic_fetch_add(&w->counts->dropped, 1);
}

/* Sends what is due. Returns when the next one is, or -1. */
static int64_t wire_give(const struct wire *w, struct wire_queue *q)
{
	while (q->count > 0) {
		struct frame_slot *s = &q->at[q->head];
		int64_t late_ns = clock_now_ns() - s->due_ns;

		if (late_ns < 0)
			return s->due_ns;
		if (late_ns > atomic_load(&w->counts->late_ns))
			atomic_store(&w->counts->late_ns, late_ns);
		wire_send(w, q, s);
		q->head = (q->head + 1) % WIRE_QUEUE;
		q->count--;
	}
	return -1;
}

static void wire_kernel_drops(struct wire *w)
{
	for (size_t i = 0; i < ARRAY_LEN(w->fds); i++) {
		struct tpacket_stats stats;
		socklen_t len = sizeof(stats);

		if (getsockopt(w->fds[i], SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
			atomic_fetch_add(&w->counts->dropped, stats.tp_drops);
	}
}

static void wire_run(struct wire *w)
{
	sigset_t all;

	/* SIGTERM arrives only while ppoll waits */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGTERM, wire_end);
	sigemptyset(&all);
	while (!wire_ended) {
		struct pollfd p[] = { { w->fds[0], POLLIN, 0 },
				      { w->fds[1], POLLIN, 0 },
				      { w->fds[2], POLLIN, 0 } };
		int64_t a = wire_give(w, &w->queue[0]), b = wire_give(w, &w->queue[1]);
		int64_t next = a < 0 || (b >= 0 && b < a) ? b : a;
		int64_t wait = next < 0 ? SEC(1) : next - clock_now_ns();
		struct timespec ts = { wait > 0 ? wait / SEC(1) : 0, wait > 0 ? wait % SEC(1) : 0 };

		if (ppoll(p, ARRAY_LEN(p), &ts, &all) < 0)
			continue;
		for (unsigned i = 0; i < ARRAY_LEN(p); i++)
			if (p[i].revents)
				wire_take(w, i);
	}
	wire_kernel_drops(w);
}

static int wire_open(struct wire *w, const struct hosts *h, const int pcap[WIRE_SIDES])
{
	w->fds[0] = wire_socket(h, HOST_WIRE, "w0", true);
	w->fds[1] = wire_socket(h, HOST_WIRE, "w1", true);
	w->fds[2] = wire_socket(h, HOST_ROUTER, "r1", false);
	for (size_t i = 0; i < ARRAY_LEN(w->fds); i++)
		if (w->fds[i] < 0)
			return w->fds[i];
	wire_sent(h, w->counts->before); /* no program has been started yet */
	w->queue[0].to = w->fds[1];
	w->queue[0].dev = "w1";
	w->queue[1].to = w->fds[0];
	w->queue[1].dev = "w0";
	for (unsigned i = 0; i < WIRE_SIDES; i++) {
		w->pcap[i] = fdopen(dup(pcap[i]), "w");
		if (!w->pcap[i])
			return -errno;
		pcap_begin(w->pcap[i]);
	}
	return 0;
}

pid_t wire_start(const struct hosts *h, int64_t delay_ns, const int pcap[WIRE_SIDES],
		 struct wire_counts *counts)
{
	static struct wire w;
	pid_t pid;
	int r;

	w.delay_ns = delay_ns;
	w.unix_offset_ns = clock_unix_ns() - clock_now_ns();
	w.counts = counts;
	r = wire_open(&w, h, pcap);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		wire_run(&w);
		for (unsigned i = 0; i < WIRE_SIDES; i++)
			if (fclose(w.pcap[i]) != 0)
				atomic_fetch_add(&w.counts->dropped, 1);
		_exit(0);
	}
	return pid < 0 ? -errno : pid;
}

/* Frames that a device has sent since it was made. */
static uint64_t sent_by(const struct hosts *h, enum host host, const char *dev)
{
	int64_t sent;

	hosts_enter(h, host);
	sent = diag_sent(dev);
	hosts_leave(h);
	return sent < 0 ? 0 : (uint64_t)sent;
}

void wire_sent(const struct hosts *h, uint64_t sent[3])
{
	sent[0] = sent_by(h, HOST_CLIENT, "c0");
	sent[1] = sent_by(h, HOST_ROUTER, "r0");
	sent[2] = sent_by(h, HOST_ROUTER, "r1") + sent_by(h, HOST_SERVER, "s0");
}

bool wire_has_seen(const struct wire_counts *c, const uint64_t sent[3])
{
	for (size_t i = 0; i < ARRAY_LEN(c->seen); i++)
		if (c->before[i] + atomic_load(&c->seen[i]) < sent[i])
			return false;
	return true;
}

void wire_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
