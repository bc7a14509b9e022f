/* SPDX-License-Identifier: MIT
 * fuzz_takeover: what comes from the other side of a takeover, which may be anybody: packets with
 * descriptors of many kinds. The first byte chooses who reads them: a successor, or the one that
 * serves. Nothing is read that was not sent, and no descriptor is left open.
 *
 * A packet is a byte of flags, its type, its number of descriptors, its length (two bytes), and its
 * bytes.
 *
 * reads: src/echod/takeover/message.c src/echod/takeover/take.c
 * reads: src/echod/takeover/give.c:give_run,give_offer,give_receive,give_change,give_done,give_say
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/net/backend.h"
#include "echo/net/worker_group.h"
#include "echod/listen/listeners.h"
#include "echod/takeover/give.h"
#include "echod/takeover/take.h"
#include "lib/fuzz.h"

enum {
	WORKERS = 2,
	PACKETS_MAX = 24,
	PACKET_FDS_MAX = MESSAGE_FDS_MAX,
	MAGIC = 0x6563746b,  /* as message.c has it */
	FLAG_RAW = 1,        /* the bytes are the whole packet: no head is put before them */
	FLAG_NO_VERSION = 2, /* another version than ours */
};

enum kind { A_LISTENER, A_FILE, A_CONNECTION, A_PIPE, KINDS };
static int kinds[KINDS];

static struct net_config config = { .backend = &backend_epoll, .slots = 8, .workers = WORKERS };
static const struct sock_options sock = { .backlog = 8 };
static struct worker workers[WORKERS];
static struct addr listens_at;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int pair[2], ends[2];

	(void)argc;
	(void)argv;
	FUZZ_CHECK(addr_parse(&listens_at, "127.0.0.1:0") == 0);
	FUZZ_CHECK(sock_listen(&listens_at, &sock, &kinds[A_LISTENER], 1) == 0);
	kinds[A_FILE] = memfd_create("owed", MFD_CLOEXEC);
	FUZZ_CHECK(kinds[A_FILE] >= 0 && ftruncate(kinds[A_FILE], 256) == 0);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	kinds[A_CONNECTION] = pair[0];
	FUZZ_CHECK(pipe2(ends, O_CLOEXEC) == 0);
	kinds[A_PIPE] = ends[0];
	return 0;
}

static void send_packet(int fd, const struct message *m, size_t len, unsigned fds, uint8_t flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(fds * sizeof(int)) } };
	struct iovec v = { .iov_base = (void *)(uintptr_t)m, .iov_len = len };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

	for (unsigned i = 0; i < fds; i++) {
		/* of connections the first is the file with what they are owed */
		const int *from = &kinds[i == 0 && m->head.type != MESSAGE_LISTENERS_ARE
						 ? A_FILE
						 : (flags >> 4) % KINDS];

		memcpy(CMSG_DATA(&control.head) + i * sizeof(int), from, sizeof(int));
	}
	if (fds > 0) {
		h.msg_control = control.room;
		h.msg_controllen = CMSG_SPACE(fds * sizeof(int));
	}
	(void)!sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* One packet of the input. */
static void next_packet(struct fuzz_input *in, int fd)
{
	static struct message m;
	const uint8_t flags = fuzz_byte(in), type = fuzz_byte(in);
	const unsigned fds = fuzz_byte(in) % (PACKET_FDS_MAX + 1u);
	size_t len = fuzz_byte(in) | (size_t)fuzz_byte(in) << 8,
	       head = flags & FLAG_RAW ? 0 : sizeof(m.head);

	len = len < sizeof(m) - head ? len : sizeof(m) - head;
	len = len < (size_t)(in->end - in->at) ? len : (size_t)(in->end - in->at);
	memset(&m, 0, sizeof(m));
	memcpy((char *)&m + head, in->at, len);
	in->at += len;
	if (head > 0)
		m.head = (struct message_head){ .magic = MAGIC,
						.version = MESSAGE_VERSION +
							   (flags & FLAG_NO_VERSION ? 1 : 0),
						.type = type % (MESSAGE_TYPES + 1),
						.len = (uint32_t)(head + len) };
	send_packet(fd, &m, head + len, fds, flags);
}

static void begin_workers(struct worker_group *g)
{
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = (struct worker){ .config = &config, .index = i, .wake_fd = -1 };
	*g = (struct worker_group){ .workers = workers, .count = WORKERS };
}

static void end_workers(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		while (workers[i].listener_count > 0)
			close(workers[i].listeners[--workers[i].listener_count]);
}

/* All steps of a successor. Connections are taken by no worker: there are none for them. */
static void succeed(int fd)
{
	static struct take t;
	static struct listeners l;
	struct worker_group g, none = { .workers = workers };
	struct addr_list bound = { .at = { listens_at }, .count = 1 };
	int path_fd = -1, r;

	begin_workers(&g);
	t = (struct take){ .sock = &sock };
	l = (struct listeners){ .group = &g, .sock = &sock, .bound = &bound };
	r = take_begin(&t, fd, true);
	if (r == 0 && take_listen(&t, &l, 0) > 0 && take_ready(&t, &g, &bound) == 0) {
		FUZZ_CHECK(take_count(&t) > 0);
		t.talk.group = &none;
		r = take_finish(&t, &path_fd);
		FUZZ_CHECK(r < 0 || t.alone || t.adopted == 0);
	}
	FUZZ_CHECK(r >= 0 || t.talk.why[0]);
	if (r < 0)
		take_refuse(&t, "fuzzed");
	if (path_fd >= 0)
		close(path_fd);
	take_end(&t);
	end_workers();
}

static void serve_on(int fd)
{
	static struct give g;
	static struct listeners l;
	struct worker_group none = { .workers = workers };
	struct addr_list bound = { .at = { listens_at }, .count = 1 };

	workers[0] = (struct worker){ .config = &config };
	l = (struct listeners){ .group = &none, .sock = &sock, .bound = &bound };
	g = (struct give){
		.group = &none, .listeners = &l, .moves = true, .path_fd = kinds[A_FILE]
	};
	(void)give_run(&g, fd, getpid());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, data + len };
	const bool successor = fuzz_byte(&in) % 2;
	const unsigned before = fuzz_open_files();
	int ends[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	for (int i = 0; i < PACKETS_MAX && in.at < in.end; i++)
		next_packet(&in, ends[1]);
	(void)shutdown(ends[1], SHUT_WR);
	if (successor)
		succeed(ends[0]);
	else
		serve_on(ends[0]);
	close(ends[1]);
	FUZZ_CHECK(fuzz_open_files() == before);
	return 0;
}
