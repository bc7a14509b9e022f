/* SPDX-License-Identifier: MIT
 * interactive: two clients for people, the right one and the one that everybody writes first. They
 * differ in one thing: what they wait for. Both tell on stderr what the kernel said, with the time,
 * and print on stdout only what came back.
 */
#include "interactive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/base/clock.h"
#include "echo/base/escape.h"
#include "echo/base/program.h"
#include "echo/net/sock.h"

enum {
	LINE_MAX_BYTES = 64 * 1024,
	QUEUE_MS = 10, /* between two looks at a full queue */
};

struct interactive {
	int fd;
	int64_t start_ns;
	int64_t owed_ns;         /* since when no byte has come of what is owed; 0: nothing is */
	uint64_t sent, received; /* bytes */
	size_t typed_len, typed_sent;
	bool input_ended;
	int input_err;  /* it could not be read: no end of it */
	int output_err; /* what came back could not be printed */
	int poll_err;
	int send_err; /* of the send that failed, while what has come back is still read */
	char typed[LINE_MAX_BYTES], buf[LINE_MAX_BYTES], shown[ESCAPE_MAX * LINE_MAX_BYTES];
};

static volatile sig_atomic_t interactive_sigpipe; /* SIGPIPE has been raised */

static void interactive_on_sigpipe(int number)
{
	(void)number;
	interactive_sigpipe = 1;
}

/* One line, one write, with the time since the connection was made. */
static void __attribute__((format(printf, 2, 3)))
tell(const struct interactive *l, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n = snprintf(text, sizeof(text), "[%8.3f s] ",
			 (double)(clock_now_ns() - l->start_ns) / 1e9);
	ssize_t r;

	va_start(args, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, args);
	va_end(args);
	n = n < (int)sizeof(text) - 1 ? n : (int)sizeof(text) - 2;
	text[n++] = '\n';
	r = write(STDERR_FILENO, text, (size_t)n);
	(void)r; /* a terminal that is gone cannot be told */
}

/* For poll: milliseconds until @ns after @since_ns, rounded up; -1: for ever. */
static int left_ms(int64_t since_ns, int64_t ns)
{
	int64_t left_ns = since_ns + ns - clock_now_ns();

	if (since_ns == 0 || ns == 0)
		return -1;
	return left_ns > 0 ? (int)((left_ns + MSEC(1) - 1) / MSEC(1)) : 0;
}

/* Waits until it is connected, or not. Returns 0, 1 if that took longer than @limit_ns, or -errno.
 */
static int interactive_wait_connected(const struct interactive *l, int64_t limit_ns)
{
	struct pollfd p = { l->fd, POLLOUT, 0 };
	int r;

	do {
		r = poll(&p, 1, left_ms(l->start_ns, limit_ns));
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r == 0 ? 1 : sock_connected(l->fd);
}

/* The queue of a unix listener may be full, and nothing tells when there is room: tries again for
 * @limit_ns, 0: for ever. Returns as sock_dial. */
static int interactive_dial(const struct interactive *l, const struct addr *to,
			    const struct sock_options *o, int64_t limit_ns)
{
	int fd = sock_dial(to, NULL, o);

	while (fd == -EAGAIN && left_ms(l->start_ns, limit_ns) != 0) {
		clock_sleep_until(clock_now_ns() + MSEC(QUEUE_MS));
		fd = sock_dial(to, NULL, o);
	}
	return fd;
}

static const char *interactive_address(const struct addr *a, char text[ESCAPE_MAX * ADDR_TEXT_MAX])
{
	char raw[ADDR_TEXT_MAX];

	return escape_text(addr_format(a, raw), text, ESCAPE_MAX * ADDR_TEXT_MAX);
}

/* Connects to this address; says how that went. Returns whether it did. */
static bool interactive_reaches(struct interactive *l, const struct addr *to,
				const struct sock_options *o, int64_t limit_ns)
{
	char text[ESCAPE_MAX * ADDR_TEXT_MAX];
	enum cause cause;
	int r;

	l->start_ns = clock_now_ns();
	r = l->fd = interactive_dial(l, to, o, limit_ns);
	if (r >= 0)
		r = interactive_wait_connected(l, limit_ns);
	if (r == 0) {
		l->start_ns = clock_now_ns();
		tell(l, "connected to %s", interactive_address(to, text));
		return true;
	}
	r = r == -EAGAIN ? 1 : r;
	cause = r > 0 ? CAUSE_TIMEOUT_CONNECT : cause_from_errno(PHASE_CONNECTING, -r);
	tell(l, "connect: %s (%s, phase connecting)",
	     r > 0 ? "no answer in time" : cause_errno_name(-r), cause_name(cause));
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return false;
}

/* Connects to the first address that answers. Returns 0 or an exit code. */
static int interactive_connect(struct interactive *l, const struct addr_list *to,
			       const struct sock_options *o, int64_t limit_ns)
{
	char text[ESCAPE_MAX * ADDR_TEXT_MAX];

	l->start_ns = clock_now_ns();
	for (unsigned i = 0; i < to->count; i++) {
		if (to->count > 1)
			tell(l, "trying %s", interactive_address(&to->at[i], text));
		if (interactive_reaches(l, &to->at[i], o, limit_ns))
			return EXIT_OK;
	}
	return EXIT_NO_ANSWER;
}

/* All of it, whatever a call takes. Returns 0 or -errno. */
static int interactive_write(int fd, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* What came back, byte by byte for a program; a terminal gets no more than text, lines and tabs.
 * Returns whether it could be written: l->output_err. */
static bool interactive_print(struct interactive *l, size_t len)
{
	size_t shown = 0;

	l->received += len;
	if (!isatty(STDOUT_FILENO)) {
		l->output_err = -interactive_write(STDOUT_FILENO, l->buf, len);
		return l->output_err == 0;
	}
	for (size_t at = 0; at < len;) {
		char out[ESCAPE_MAX] = { l->buf[at] };

		if (out[0] == '\n' || out[0] == '\t')
			at++;
		else
			at += escape_next(l->buf + at, len - at, out);
		memcpy(l->shown + shown, out, strlen(out));
		shown += strlen(out);
	}
	l->output_err = -interactive_write(STDOUT_FILENO, l->shown, shown);
	return l->output_err == 0;
}

static bool interactive_unsent(const struct interactive *l)
{
	return l->typed_sent < l->typed_len;
}

static enum phase interactive_phase(const struct interactive *l)
{
	if (interactive_unsent(l))
		return PHASE_SENDING;
	return l->sent > l->received ? PHASE_AWAITING : PHASE_IDLE;
}

/* The end of a connection, in the words that reports use. @call had the result @err (0: EOF). */
static void interactive_tell_end(const struct interactive *l, const char *call, int err)
{
	enum phase at = interactive_phase(l);
	enum cause cause = cause_from_errno(at, err);

	tell(l, "%s: %s: the %s (%s, phase %s)", call,
	     err ? cause_errno_name(err) : "0, end of input",
	     cause_is_peers(cause) ? "server is gone" : "connection is given up", cause_name(cause),
	     cause_phase_name(at));
}

/* What was wrong here comes before what the server did. */
static int interactive_result(const struct interactive *l)
{
	if (l->output_err)
		tell(l, "cannot write to standard output: %s", strerror(l->output_err));
	else if (l->input_err)
		tell(l, "cannot read standard input: %s", strerror(l->input_err));
	else if (l->poll_err)
		tell(l, "cannot wait: %s", strerror(l->poll_err));
	if (l->output_err || l->input_err || l->poll_err)
		return EXIT_ENVIRONMENT;
	if (l->received == l->sent && l->input_ended)
		return EXIT_OK;
	return l->received == 0 ? EXIT_NO_ANSWER : EXIT_VERDICT;
}

/* ---- the right one ---- */

/* Takes what was typed; nothing more is taken until all of it has been sent. */
static void interactive_type(struct interactive *l)
{
	ssize_t len = read(STDIN_FILENO, l->typed, sizeof(l->typed));

	l->typed_sent = 0;
	l->typed_len = len > 0 ? (size_t)len : 0;
	if (len > 0 || (len < 0 && (errno == EINTR || errno == EAGAIN)))
		return;
	if (len < 0) {
		l->input_err = errno;
		return;
	}
	l->input_ended = true;
	tell(l, "end of input: FIN sent, waiting for what is owed");
	(void)shutdown(l->fd, SHUT_WR); /* it fails on a dead socket only, which recv will name */
}

/* Sends as much as the socket takes. Returns 0, or -errno. */
static int interactive_push(struct interactive *l)
{
	ssize_t n =
		send(l->fd, l->typed + l->typed_sent, l->typed_len - l->typed_sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (l->sent == l->received)
		l->owed_ns = clock_now_ns();
	l->typed_sent += (size_t)n;
	l->sent += (size_t)n;
	return 0;
}

/* Returns whether the connection goes on. */
static bool interactive_arrived(struct interactive *l)
{
	ssize_t n = recv(l->fd, l->buf, sizeof(l->buf), 0);

	if (n > 0) {
		l->owed_ns = l->sent > l->received + (size_t)n ? clock_now_ns() : 0;
		return interactive_print(l, (size_t)n);
	}
	if (n < 0 && (errno == EINTR || (errno == EAGAIN && !l->send_err)))
		return true;
	if (l->send_err && (l->send_err != EPIPE || n < 0))
		interactive_tell_end(l, "send", l->send_err);
	else if (n == 0 && l->input_ended && l->sent == l->received)
		tell(l, "recv: 0, end of input: all %llu bytes came back (finished)",
		     (unsigned long long)l->received);
	else
		interactive_tell_end(l, "recv", n < 0 ? errno : 0);
	return false;
}

/* What the server did first names the end: EPIPE comes after a FIN, which recv will tell, and bytes
 * that came before a reset are there still (conn_send_failed). Returns whether to go on. */
static bool interactive_send_failed(struct interactive *l, int err)
{
	l->send_err = err;
	if (err == EPIPE || err == ECONNRESET)
		return true;
	interactive_tell_end(l, "send", err);
	return false;
}

/* One turn of terminal and socket. Returns whether the connection goes on. */
static bool interactive_turn(struct interactive *l, int64_t answer_ns)
{
	struct pollfd p[] = {
		{ l->fd, POLLIN | (interactive_unsent(l) && !l->send_err ? POLLOUT : 0), 0 },
		{ l->input_ended || interactive_unsent(l) ? -1 : STDIN_FILENO, POLLIN, 0 },
	};
	int r = poll(p, ARRAY_LEN(p), left_ms(l->owed_ns, answer_ns));

	if (r < 0) {
		l->poll_err = errno == EINTR ? 0 : errno;
		return l->poll_err == 0;
	}
	if (r == 0) {
		tell(l, "no answer in time: the server is given up (%s, phase %s)",
		     cause_name(CAUSE_TIMEOUT_ANSWER), cause_phase_name(interactive_phase(l)));
		return false;
	}
	if ((p[0].revents & ~POLLOUT) && !interactive_arrived(l))
		return false;
	if (p[1].revents)
		interactive_type(l);
	if (l->input_err)
		return false;
	if (!(p[0].revents & POLLOUT) && !p[1].revents)
		return true;
	r = interactive_unsent(l) ? interactive_push(l) : 0;
	return r == 0 || interactive_send_failed(l, -r);
}

int interactive_client(const struct addr_list *to, const struct sock_options *o,
		       const struct interactive_patience *p)
{
	static struct interactive l;
	int code = interactive_connect(&l, to, o, p->connect_ns);

	while (code == EXIT_OK && interactive_turn(&l, p->answer_ns))
		;
	if (l.fd >= 0 && (interactive_unsent(&l) || l.input_err))
		sock_abort(l.fd); /* a FIN would say that this was all */
	if (l.fd >= 0)
		close(l.fd);
	return code == EXIT_OK ? interactive_result(&l) : code;
}

/* ---- the textbook's ---- */

/* Blocks until a whole line has come back, as readline does. Returns 1, 0 at end of input or when
 * it cannot be printed, -errno. */
static int interactive_read_back(struct interactive *l)
{
	char last = 0;

	while (last != '\n') {
		ssize_t n = read(l->fd, l->buf, sizeof(l->buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		last = l->buf[n - 1];
		if (!interactive_print(l, (size_t)n))
			return 0;
	}
	return 1;
}

/* A line was typed: write, then read. Returns whether to wait for another one. */
static bool interactive_exchange(struct interactive *l, bool *gone)
{
	const size_t n = strlen(l->typed);
	int r = interactive_write(l->fd, l->typed, n); /* writen, as the book has it */

	if (r < 0) {
		tell(l, "write: %s%s", cause_errno_name(-r),
		     interactive_sigpipe ? ", with SIGPIPE" : "");
		*gone = true;
		return !interactive_sigpipe;
	}
	l->sent += n;
	tell(l, "write: %zu bytes, accepted by our kernel", n);
	r = interactive_read_back(l);
	if (l->output_err)
		return false;
	if (r > 0) {
		tell(l, "read: the line came back");
	} else {
		*gone = true;
		interactive_tell_end(l, "read", -r);
	}
	return true;
}

int interactive_textbook(const struct addr_list *to, const struct sock_options *o)
{
	static struct interactive l;
	bool gone = false;
	int code = interactive_connect(&l, to, o, 0);

	if (code != EXIT_OK)
		return code;
	fcntl(l.fd, F_SETFL, 0); /* it blocks */
	signal(SIGPIPE, interactive_on_sigpipe);
	/* after the server's end it goes on typing, as people do who have not been told */
	while (fgets(l.typed, sizeof(l.typed), stdin)) {
		if (!interactive_exchange(&l, &gone))
			break;
	}
	if (interactive_sigpipe) {
		tell(&l, "a program that does not handle SIGPIPE is killed by it here");
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	l.input_err = ferror(stdin) ? errno : 0;
	l.input_ended = !gone;
	if (!l.input_err && !l.output_err)
		tell(&l, gone ? "end of input; the server was gone" : "end of input");
	close(l.fd);
	return interactive_result(&l);
}
