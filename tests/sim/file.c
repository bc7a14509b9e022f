/* SPDX-License-Identifier: MIT
 * file: the table of descriptors, and the system calls of the code under test that name one. The
 * linker puts __wrap_NAME in the place of NAME (the Makefile's SIM_WRAPS); descriptors that are not
 * ours are passed on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/worker.h"
#include "sim.h"
#include "wrap.h"

struct file file_table[FILES_MAX];

static struct {
	struct file *fds[FILES_MAX]; /* by descriptor */
	int listener;
} files;

/* ---- the table ---- */

void file_begin(void)
{
	memset(file_table, 0, sizeof(file_table));
	memset(&files, 0, sizeof(files));
	files.listener = -1;
}

static bool is_ours(int fd)
{
	return fd >= FD_BASE && fd < FD_BASE + FILES_MAX;
}

struct file *file_of(int fd)
{
	return is_ours(fd) ? files.fds[fd - FD_BASE] : NULL;
}

static int lowest_free(void)
{
	int fd = 0;

	while (files.fds[fd])
		fd++;
	return fd;
}

int file_open(enum file_kind kind, struct flow *flow)
{
	struct file *f = file_table;
	const int fd = lowest_free();

	while (f->refs > 0)
		f++;
	*f = (struct file){ .kind = kind, .refs = 1, .flow = flow };
	files.fds[fd] = f;
	if (flow)
		flow->file = f;
	return FD_BASE + fd;
}

int file_dup(int fd)
{
	const int other = lowest_free();

	files.fds[other] = file_of(fd);
	files.fds[other]->refs++;
	return FD_BASE + other;
}

int file_listen(void)
{
	if (files.listener < 0) {
		files.listener = file_open(FILE_LISTENER, NULL);
		file_of(files.listener)->nonblock = true;
	}
	return files.listener;
}

unsigned file_open_count(enum file_kind kind)
{
	unsigned n = 0;

	for (int i = 0; i < FILES_MAX; i++)
		n += files.fds[i] && files.fds[i]->kind == kind;
	return n;
}

struct flow *file_queued(void)
{
	for (unsigned i = 0; i < world_flow_count; i++) {
		if (world_flows[i].state == FLOW_QUEUED)
			return &world_flows[i];
	}
	return NULL;
}

/* Those that nobody accepts any more. */
static void listener_closed(void)
{
	struct flow *f;

	files.listener = -1;
	while ((f = file_queued())) {
		f->state = FLOW_CLOSED;
		f->reset = f->got_reset = true;
	}
}

void file_put(struct file *f)
{
	if (--f->refs > 0)
		return;
	if (f->kind == FILE_FLOW && ring_pending(f) > 0)
		sim_fail("closed-in-use", "flow %u: closed with %u requests in flight", f->flow->id,
			 ring_pending(f));
	if (f->kind == FILE_FLOW)
		flow_close(f->flow, f->abort);
	if (f->kind == FILE_LISTENER)
		listener_closed();
	f->kind = FILE_NONE;
	f->watched = false;
}

int file_close(int fd)
{
	struct file *f = file_of(fd);

	if (!f)
		sim_fail("closed-twice", "close(%d)", fd);
	files.fds[fd - FD_BASE] = NULL;
	file_put(f);
	return 0;
}

unsigned file_poll(struct file *f)
{
	switch (f->kind) {
	case FILE_FLOW:
		return flow_poll(f->flow);
	case FILE_LISTENER:
		return file_queued() ? POLLIN : 0;
	case FILE_EVENT:
		return f->count > 0 ? POLLIN : 0;
	default:
		return 0;
	}
}

void file_wake(struct file *f, unsigned events)
{
	if (!f)
		return;
	if (f->watched && (events & (f->events | POLLERR | POLLHUP)))
		f->ready = true;
	ring_wake(f, events);
}

void file_signal(void)
{
	struct file *f = file_of(sim.worker->wake_fd);

	f->count++;
	file_wake(f, POLLIN);
}

/* What a call on @fd is about; NULL is no socket. */
static struct flow *flow_of(int fd)
{
	struct file *f = file_of(fd);

	if (!f)
		sim_fail("bad-descriptor", "a call on %d, which is closed", fd);
	return f->kind == FILE_FLOW ? f->flow : NULL;
}

/* As libc reports it. */
static ssize_t result(ssize_t r)
{
	if (r < 0)
		errno = (int)-r;
	return r < 0 ? -1 : r;
}

/* ---- accept, receive, send ---- */

int file_accept(int fd, int flags)
{
	static const int faults[] = { EMFILE, ECONNABORTED, ENOMEM, EPERM };
	struct flow *f = file_queued();
	int new_fd;

	if (file_of(fd)->kind != FILE_LISTENER)
		sim_fail("bad-descriptor", "accept on %d", fd);
	if (world_fault(100))
		return -CHOICE_OF(faults);
	if (!f)
		return -EAGAIN;
	f->state = FLOW_OPEN;
	new_fd = file_open(FILE_FLOW, f);
	file_of(new_fd)->nonblock = (flags & SOCK_NONBLOCK) != 0;
	TRACE("flow %u: accepted as %d", f->id, new_fd);
	return new_fd;
}

WRAP(int, accept4, int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	(void)a;
	(void)len;
	world_tick();
	return (int)result(file_accept(fd, flags));
}

static ssize_t call_recv(int fd, void *buf, size_t len, int flags)
{
	struct flow *f = flow_of(fd);
	ssize_t n;

	world_tick();
	if (world_fault(100))
		return -EINTR;
	n = flow_recv(f, buf, len, flags);
	TRACE("flow %u: recv(%zu, %d) = %zd", f->id, len, flags, n);
	return n;
}

static ssize_t call_send(int fd, const void *buf, size_t len)
{
	struct flow *f = flow_of(fd);
	ssize_t n;

	world_tick();
	if (world_fault(100))
		return -EINTR;
	n = flow_send(f, buf, len);
	TRACE("flow %u: send(%zu) = %zd", f->id, len, n);
	return n;
}

WRAP(ssize_t, recv, int fd, void *buf, size_t len, int flags)
{
	return result(call_recv(fd, buf, len, flags));
}

WRAP(ssize_t, send, int fd, const void *buf, size_t len, int flags)
{
	(void)flags;
	return result(call_send(fd, buf, len));
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *m, int flags)
{
	ssize_t all = 0, n;

	(void)flags;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		n = call_send(fd, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
		if (n < 0)
			return all > 0 ? all : result(n);
		all += n;
		if ((size_t)n < m->msg_iov[i].iov_len)
			break;
	}
	return all;
}

WRAP(long, syscall, long number, ...)
{
	va_list args;
	void *buf;
	size_t len;
	int fd;

	va_start(args, number);
	fd = va_arg(args, int);
	buf = va_arg(args, void *);
	len = va_arg(args, size_t);
	va_end(args);
	if (number == SYS_recvfrom)
		return result(call_recv(fd, buf, len, 0));
	if (number == SYS_sendto)
		return result(call_send(fd, buf, len));
	sim_fail("not-simulated", "system call %ld", number);
}

/* ---- other calls ---- */

WRAP(int, shutdown, int fd, int how)
{
	struct flow *f = flow_of(fd);

	world_tick();
	if (!f)
		return 0;
	TRACE("flow %u: shutdown %d", f->id, how);
	if (f->rst)
		return (int)result(-ENOTCONN);
	if (how != SHUT_RD)
		flow_shut(f);
	return 0;
}

WRAP(int, close, int fd)
{
	if (!is_ours(fd))
		return __real_close(fd);
	world_tick();
	return file_close(fd);
}

WRAP(ssize_t, read, int fd, void *buf, size_t len)
{
	struct file *f = file_of(fd);

	if (!is_ours(fd))
		return __real_read(fd, buf, len);
	world_tick();
	if (!f || f->kind != FILE_EVENT)
		sim_fail("bad-descriptor", "read(%d)", fd);
	if (f->count == 0)
		return result(-EAGAIN);
	memcpy(buf, &f->count, sizeof(f->count));
	f->count = 0;
	return sizeof(f->count);
}

WRAP(ssize_t, write, int fd, const void *buf, size_t len)
{
	struct file *f = file_of(fd);

	if (!is_ours(fd))
		return __real_write(fd, buf, len);
	f->count++;
	file_wake(f, POLLIN);
	return (ssize_t)len;
}

WRAP(int, eventfd, unsigned count, int flags)
{
	int fd = file_open(FILE_EVENT, NULL);

	(void)flags;
	file_of(fd)->count = count;
	return fd;
}

WRAP(int, fcntl, int fd, int what, int flags)
{
	struct file *f = file_of(fd);

	if (!f || what != F_SETFL)
		sim_fail("bad-descriptor", "fcntl(%d, %d)", fd, what);
	f->nonblock = (flags & O_NONBLOCK) != 0;
	return 0;
}

WRAP(int, setsockopt, int fd, int level, int name, const void *value, socklen_t len)
{
	(void)value;
	(void)len;
	(void)flow_of(fd);
	if (level == SOL_SOCKET && name == SO_LINGER)
		file_of(fd)->abort = true;
	return 0;
}

static void tell_info(const struct flow *f, struct tcp_info *info)
{
	memset(info, 0, sizeof(*info));
	if (!f) {
		for (unsigned i = 0; i < world_flow_count; i++)
			info->tcpi_unacked += world_flows[i].state == FLOW_QUEUED;
		return;
	}
	info->tcpi_bytes_acked = f->taken;
	info->tcpi_unacked = f->written > f->taken;
	info->tcpi_last_data_recv = info->tcpi_last_data_sent =
		(uint32_t)((sim.now_ns - f->moved_ns) / MSEC(1));
}

WRAP(int, getsockopt, int fd, int level, int name, void *value, socklen_t *len)
{
	struct flow *f = flow_of(fd);

	if (level == IPPROTO_TCP && name == TCP_INFO) {
		tell_info(f, value);
	} else if (level == SOL_SOCKET && name == SO_ERROR) {
		memcpy(value, &f->err, sizeof(int));
		f->err = 0;
	} else if (level == SOL_SOCKET && name == SO_DOMAIN) {
		memcpy(value, &(int){ AF_INET }, sizeof(int));
	} else {
		sim_fail("not-simulated", "getsockopt %d, %d", level, name);
	}
	*len = level == IPPROTO_TCP ? sizeof(struct tcp_info) : sizeof(int);
	return 0;
}

WRAP(int, socket, int family, int type, int protocol)
{
	(void)family;
	(void)protocol;
	world_tick();
	if (world_fault(50))
		return (int)result(-EMFILE);
	int fd = file_open(FILE_FLOW, flow_new(FLOW_CONNECTING));

	file_of(fd)->nonblock = (type & SOCK_NONBLOCK) != 0;
	return fd;
}

/* Or tcp_disconnect, for AF_UNSPEC: it resets what lives. */
WRAP(int, connect, int fd, const struct sockaddr *to, socklen_t len)
{
	struct flow *f = flow_of(fd);

	(void)len;
	world_tick();
	if (to->sa_family == AF_UNSPEC) {
		if (!f->rst)
			f->reset = f->got_reset = true;
		return 0;
	}
	if (choice_chance(8)) {
		f->state = FLOW_OPEN;
		return 0;
	}
	return (int)result(-EINPROGRESS);
}

WRAP(int, getsockname, int fd, struct sockaddr *a, socklen_t *len)
{
	const struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons((uint16_t)fd) };

	memcpy(a, &own, sizeof(own));
	*len = sizeof(own);
	return 0;
}

/* ---- time ---- */

WRAP(int, clock_gettime, clockid_t id, struct timespec *t)
{
	(void)id; /* CPU time passes as time does */
	sim.now_ns += 20;
	*t = (struct timespec){ .tv_sec = sim.now_ns / SEC(1), .tv_nsec = sim.now_ns % SEC(1) };
	return 0;
}

WRAP(int, nanosleep, const struct timespec *t, struct timespec *left)
{
	(void)left;
	sim.now_ns += SEC(t->tv_sec) + t->tv_nsec;
	world_tick();
	return 0;
}
