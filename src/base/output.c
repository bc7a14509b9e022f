/* SPDX-License-Identifier: MIT
 * output: poll() before each write, on the file and on a signalfd that shows the pending signals
 * without taking them.
 *
 * O_NONBLOCK is a property of the open file, which other processes share with us, so it is not set
 * on what we were given. A pipe or terminal is opened once more for a write; where that is not
 * allowed, a write of at most PIPE_BUF bytes after POLLOUT does not block on a pipe either, as long
 * as nobody else fills it meanwhile.
 */
#include "echo/base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/stop.h"

enum {
	STOP_GRACE_MS = 1000, /* for a reader that is only slow, when a signal is pending */
	AGAIN_MS = 10,        /* until a terminal has room for a whole character */
	STANDARD = 3,         /* descriptors whose readers are remembered */
	TEXT_MIN = 1024,      /* bytes of a stream into memory, at first */
};

struct sink {
	int fd, own; /* own: the same file, opened once more; -1: it is not */
	bool kept;   /* `own` stays open */
	int stop_fd; /* readable while a signal is pending; -1: not needed yet, or that was seen */
	bool socket;
	bool refused; /* the last write, although poll() had said that there is room */
	int64_t patience_ns, give_up_ns; /* give_up_ns: 0: not waiting yet */
};

static atomic_bool output_gave_up[STANDARD];
static int output_kept[STANDARD] = { -1, -1, -1 }; /* set before threads run */

/* The same file, opened once more, where that is a pipe or a terminal; else -1. */
static int output_reopen(int fd)
{
	struct stat st;
	char path[32];

	if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd))))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void output_keep(void)
{
	for (int fd = STDOUT_FILENO; fd < STANDARD; fd++)
		output_kept[fd] = output_reopen(fd);
}

static void sink_open(struct sink *s, int fd, int64_t patience_ns)
{
	struct stat st;

	*s = (struct sink){ .fd = fd, .own = -1, .stop_fd = -1, .patience_ns = patience_ns };
	if (fstat(fd, &st) < 0)
		return; /* write will say so */
	s->socket = S_ISSOCK(st.st_mode);
	s->kept = fd < STANDARD && output_kept[fd] >= 0;
	s->own = s->kept ? output_kept[fd] : output_reopen(fd);
}

static void sink_close(struct sink *s)
{
	if (s->own >= 0 && !s->kept)
		close(s->own);
	if (s->stop_fd >= 0)
		close(s->stop_fd);
}

/* It begins to wait: until when, and for which signals. */
static void sink_begin_wait(struct sink *s)
{
	sigset_t stop;

	if (s->give_up_ns != 0)
		return;
	s->give_up_ns =
		s->patience_ns == OUTPUT_FOREVER ? INT64_MAX : clock_now_ns() + s->patience_ns;
	stop_signals(&stop);
	s->stop_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A signal is pending: from now on the time is short. */
static void sink_hurry(struct sink *s)
{
	int64_t end_ns = clock_now_ns() + MSEC(STOP_GRACE_MS);

	close(s->stop_fd);
	s->stop_fd = -1;
	if (end_ns < s->give_up_ns)
		s->give_up_ns = end_ns;
}

/* Milliseconds for poll, rounded up. */
static int sink_left_ms(const struct sink *s)
{
	int64_t left_ns = s->give_up_ns - clock_now_ns();

	if (s->give_up_ns == INT64_MAX)
		return -1;
	return left_ns > 0 ? (int)(left_ns / MSEC(1)) + 1 : 0;
}

/* Waits until it can be written. Returns 0 or -ETIME. */
static int sink_wait(struct sink *s)
{
	struct pollfd p[] = { { s->fd, POLLOUT, 0 }, { -1, POLLIN, 0 } };
	int left_ms, n;

	if (!s->refused && poll(p, 1, 0) > 0)
		return 0;
	sink_begin_wait(s);
	while ((left_ms = sink_left_ms(s)) != 0) {
		p[0].fd = s->refused ? -1 : s->fd;
		p[1].fd = s->stop_fd;
		if (s->refused && (left_ms < 0 || left_ms > AGAIN_MS))
			left_ms = AGAIN_MS;
		n = poll(p, ARRAY_LEN(p), left_ms);
		if (n > 0 && p[1].revents)
			sink_hurry(s);
		else if (n > 0 || (n == 0 && s->refused))
			return 0;
	}
	return -ETIME;
}

/* How much is written at once: whole lines, if they fit. */
static size_t piece_of(const char *text, size_t len)
{
	const char *end;

	if (len <= PIPE_BUF)
		return len;
	end = memrchr(text, '\n', PIPE_BUF);
	return end ? (size_t)(end - text) + 1 : PIPE_BUF;
}

/* Returns what was taken, 0: nothing now, or -errno. */
static ssize_t sink_write(struct sink *s, const char *text, size_t len)
{
	ssize_t n = s->socket ? send(s->fd, text, len, MSG_DONTWAIT)
			      : write(s->own >= 0 ? s->own : s->fd, text, len);

	s->refused = n < 0 && errno == EAGAIN;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	return n > 0 ? n : 0;
}

int output_write(int fd, const char *text, size_t len, int64_t patience_ns)
{
	atomic_bool *gave_up = fd >= 0 && fd < STANDARD ? &output_gave_up[fd] : NULL;
	struct sink s;
	size_t done = 0;
	int r = 0;

	sink_open(&s, fd, gave_up && atomic_load(gave_up) ? OUTPUT_NO_WAIT : patience_ns);
	while (done < len && r == 0) {
		ssize_t n;

		r = sink_wait(&s);
		n = r == 0 ? sink_write(&s, text + done, piece_of(text + done, len - done)) : 0;
		r = n < 0 ? (int)n : r;
		done += n > 0 ? (size_t)n : 0;
		s.patience_ns = done > 0 ? patience_ns : s.patience_ns; /* it reads again */
	}
	sink_close(&s);
	if (gave_up && patience_ns != OUTPUT_NO_WAIT)
		atomic_store(gave_up, r == -ETIME);
	return r;
}

/* ---- streams ---- */

/* The address sanitizer puts its own between fopencookie and us, in memory where its search for
 * leaks does not look: what stdout uses until the end is not lost. */
#ifdef __SANITIZE_ADDRESS__
void __lsan_ignore_object(const void *at);
#define NOT_LOST(at) __lsan_ignore_object(at)
#else
#define NOT_LOST(at) ((void)(at))
#endif

struct output_stream {
	int fd;
	int error; /* the first one: later writes must not wait again */
	bool owned;
};

static ssize_t stream_write(void *cookie, const char *text, size_t len)
{
	struct output_stream *s = cookie;

	if (s->error == 0)
		s->error = output_write(s->fd, text, len, OUTPUT_FOREVER);
	if (s->error == 0)
		return (ssize_t)len;
	errno = -s->error;
	return 0; /* what fopencookie(3) wants for an error */
}

static int stream_close(void *cookie)
{
	struct output_stream *s = cookie;
	int r = s->owned ? close(s->fd) : 0;

	free(s);
	return r;
}

static FILE *stream_new(int fd, bool owned)
{
	static const cookie_io_functions_t io = { .write = stream_write, .close = stream_close };
	struct output_stream *s = calloc(1, sizeof(*s));
	FILE *f;

	if (!s)
		return NULL;
	*s = (struct output_stream){ .fd = fd, .owned = owned };
	f = fopencookie(s, "w", io);
	if (f)
		NOT_LOST(s);
	else
		free(s);
	return f;
}

FILE *output_stream(int fd)
{
	return stream_new(fd, false);
}

/* ---- a stream into memory ---- */

/* Makes room for @len bytes and a 0 behind them. */
static int output_text_reserve(struct output_text *b, size_t len)
{
	size_t room = b->room ? b->room : TEXT_MIN;
	char *more;

	while (room <= len)
		room *= 2;
	if (room == b->room)
		return 0;
	more = realloc(b->text, room);
	if (!more)
		return -ENOMEM;
	b->text = more;
	b->room = room;
	return 0;
}

static ssize_t output_text_write(void *cookie, const char *text, size_t len)
{
	struct output_text *b = cookie;

	if (b->error == 0)
		b->error = output_text_reserve(b, b->len + len);
	if (b->error < 0) {
		errno = -b->error;
		return 0; /* what fopencookie(3) wants for an error */
	}
	memcpy(b->text + b->len, text, len);
	b->len += len;
	return (ssize_t)len;
}

int output_text_open(struct output_text *b)
{
	static const cookie_io_functions_t io = { .write = output_text_write };

	*b = (struct output_text){ .to = NULL };
	b->to = fopencookie(b, "w", io);
	return b->to ? 0 : -errno;
}

int output_text_close(struct output_text *b)
{
	if (fclose(b->to) != 0 && b->error == 0)
		b->error = errno ? -errno : -EIO;
	b->to = NULL;
	if (b->error == 0)
		b->error = output_text_reserve(b, b->len);
	if (b->error == 0) {
		b->text[b->len] = '\0';
		return 0;
	}
	free(b->text);
	b->text = NULL;
	return b->error;
}

/* ---- files ---- */

/* As open(2), which would wait for the reader of a pipe whatever signal is pending. */
static int open_pipe(const char *path)
{
	struct pollfd p = { .events = POLLIN };
	sigset_t stop;
	int fd;

	stop_signals(&stop);
	p.fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p.fd < 0)
		return -1;
	do {
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	} while (fd < 0 && errno == ENXIO && poll(&p, 1, AGAIN_MS) <= 0);
	if (fd < 0 && errno == ENXIO)
		errno = EINTR;
	close(p.fd);
	return fd;
}

FILE *output_open(const char *path)
{
	struct stat st;
	FILE *f = NULL;
	int fd;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return fopen(path, "we");
	fd = S_ISFIFO(st.st_mode) ? open_pipe(path) : open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	f = stream_new(fd, true);
	if (!f)
		close(fd);
	return f;
}

int output_flush(FILE *to)
{
	errno = 0;
	if (fflush(to) == 0 && !ferror(to))
		return 0;
	return errno ? -errno : -EIO;
}

unsigned output_columns(int fd, unsigned most)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 2 || size.ws_col > most)
		return most;
	return size.ws_col - 1u;
}

const char *output_strerror(int e)
{
	return e == ETIME ? "nobody reads it" : strerror(e);
}
