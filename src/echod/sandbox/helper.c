/* SPDX-License-Identifier: MIT
 * helper: one packet asks, one packet answers, with a descriptor beside it where there is one.
 */
#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echod/again.h"

/* Follows a descriptor when the helper has closed its own: what the asker closes then is closed. */
static const char helper_closed = 1;

union helper_control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

/* An answer, whose descriptor stays the caller's. Returns 0 or -errno. */
static int helper_answer(int to, const struct helper_work *w)
{
	union helper_control control = { .room = "" };
	struct iovec v[] = { { (void *)(uintptr_t)w, sizeof(*w) }, { w->data, w->data_len } };
	struct msghdr h = { .msg_iov = v, .msg_iovlen = ARRAY_LEN(v) };
	unsigned tries = 0;
	ssize_t n;

	if (w->fd >= 0) {
		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS,
						 .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(&control.head), &w->fd, sizeof(int));
	}
	do
		n = sendmsg(to, &h, MSG_NOSIGNAL);
	while (n < 0 && again_soon(&tries));
	return n < 0 ? -errno : 0;
}

/* w->data is where data may go. Returns 1, 0: the other side has gone, or -errno. */
static int helper_receive(int from, struct helper_work *w)
{
	void *const data = w->data;
	const size_t room = data ? w->data_len : 0;
	union helper_control control;
	struct iovec v[] = { { w, sizeof(*w) }, { data, room } };
	struct msghdr h = { .msg_iov = v, .msg_iovlen = ARRAY_LEN(v) };
	const struct cmsghdr *c;
	unsigned tries = 0;
	ssize_t n;

	do {
		h.msg_control = control.room;
		h.msg_controllen = CMSG_LEN(sizeof(int)); /* one, and no other */
		n = recvmsg(from, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && again_soon(&tries));
	if (n <= 0)
		return n < 0 && errno != ECONNRESET ? -errno : 0;
	w->fd = -1;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&w->fd, CMSG_DATA(c), sizeof(int));
	w->data = data;
	if (h.msg_flags & MSG_CTRUNC) { /* no room for the descriptor that came */
		w->result = -EMFILE;
		snprintf(w->why, sizeof(w->why), "%s", strerror(EMFILE));
	}
	return (size_t)n == sizeof(*w) + w->data_len && w->data_len <= room ? 1 : -EPROTO;
}

/* ---- in the helper ---- */

static int helper_say_closed(int fd)
{
	unsigned tries = 0;
	ssize_t n;

	do
		n = send(fd, &helper_closed, sizeof(helper_closed), MSG_NOSIGNAL);
	while (n < 0 && again_soon(&tries));
	return n < 0 ? -errno : 0;
}

/* Returns 0, or -errno: whoever asked has no answer, and waits for one. */
static int helper_serve(const struct helper *h, int fd, struct helper_work *w)
{
	int r;

	if (w->fd >= 0) /* nobody sends it any */
		close(w->fd);
	w->fd = -1;
	w->why[0] = '\0';
	w->result = -EINVAL;
	if ((unsigned)w->task < HELPER_TASKS) {
		w->result = 0;
		h->work(h->arg, w);
	}
	w->passes = w->fd >= 0;
	r = helper_answer(fd, w);
	if (!w->passes)
		return r;
	close(w->fd);
	return r < 0 ? r : helper_say_closed(fd);
}

static noreturn void helper_main(const struct helper *h, int fd)
{
	struct helper_work w = { .fd = -1 };
	sigset_t all;

	/* what a terminal or a supervisor sends to all is for echod, whose end is ours */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL); /* ignored, a successor would leave no exit code */
	prctl(PR_SET_NAME, "echod-helper");
	for (;;) {
		struct pollfd p[] = { { fd, POLLIN, 0 }, { h->watch(h->arg), POLLIN, 0 } };

		(void)poll(p, ARRAY_LEN(p), -1);
		if (p[1].revents)
			h->poll(h->arg);
		if (!p[0].revents)
			continue;
		w.data = NULL;
		/* its end tells who waits for an answer that there is none */
		if (helper_receive(fd, &w) != 1 || helper_serve(h, fd, &w) < 0)
			_exit(0);
	}
}

/* The child of a child, so that it is none of ours. Keeps 0 to 2 and its end of the socket. */
static noreturn void helper_detach(struct helper *h, int fd)
{
	pid_t pid = fork();

	if (pid != 0)
		_exit(pid < 0);
	(void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	h->inside = true;
	helper_main(h, fd);
}

/* ---- in echod ---- */

int helper_start(struct helper *h)
{
	int pair[2], status = 0;
	pid_t pid, waited;

	h->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		helper_detach(h, pair[1]);
	close(pair[1]);
	do
		waited = pid > 0 ? waitpid(pid, &status, 0) : 0;
	while (waited < 0 && errno == EINTR);
	/* where children are not waited for (SIGCHLD ignored) its status is not known: then the
	 * first request finds out */
	if (pid < 0 || (waited == pid && status != 0)) {
		close(pair[0]);
		return pid < 0 ? -errno : -EAGAIN;
	}
	h->fd = pair[0];
	h->started = true;
	return 0;
}

/* What main does otherwise while it waits goes on. */
static void helper_wait(const struct helper *h, int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int n = 0;

	while (gettid() == getpid() && (n == 0 || (n < 0 && errno == EINTR)))
		n = poll(&p, 1, h->meanwhile(h->arg));
}

/* Waits for the answer, however long that takes: a name may have to be looked up. Returns 1, or
 * less. */
static int helper_await(const struct helper *h, struct helper_work *w)
{
	unsigned tries = 0;
	char closed = 0;
	ssize_t n;
	int r;

	helper_wait(h, h->fd);
	r = helper_receive(h->fd, w);
	if (r != 1 || !w->passes)
		return r;
	do
		n = recv(h->fd, &closed, sizeof(closed), 0);
	while (n < 0 && again_soon(&tries));
	if (n == sizeof(closed) && closed == helper_closed)
		return 1;
	if (w->fd >= 0)
		close(w->fd);
	return -EPROTO;
}

static int helper_request(const struct helper *h, const struct helper_work *w)
{
	struct helper_work request = *w;
	unsigned tries = 0;
	ssize_t n;

	request.data = NULL; /* the answer alone has data */
	request.data_len = 0;

	if (h->fd < 0)
		return -ESRCH;
	do
		n = send(h->fd, &request, sizeof(request), MSG_NOSIGNAL);
	while (n < 0 && again_soon(&tries));
	return n < 0 ? -errno : 0;
}

void helper_end(struct helper *h)
{
	if (h->started && h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

static int helper_gone(struct helper *h, struct helper_work *w)
{
	helper_end(h);
	w->fd = -1;
	snprintf(w->why, sizeof(w->why), "the helper process has gone");
	return w->result = -ESRCH;
}

struct helper_here {
	const struct helper *h;
	struct helper_work *w;
	int done; /* an eventfd */
};

static void *helper_here_main(void *arg)
{
	const struct helper_here *here = arg;

	here->h->work(here->h->arg, here->w);
	(void)eventfd_write(here->done, 1);
	return NULL;
}

/* Without a helper. A configuration is read beside main, since a name in it may have to be looked
 * up; all else is done at once. */
static int helper_do(const struct helper *h, struct helper_work *w)
{
	struct helper_here here = { h, w, -1 };
	pthread_t thread;

	if (w->task == HELPER_READ && gettid() == getpid())
		here.done = eventfd(0, EFD_CLOEXEC);
	if (here.done < 0 || pthread_create(&thread, NULL, helper_here_main, &here) != 0) {
		h->work(h->arg, w);
	} else {
		helper_wait(h, here.done);
		(void)pthread_join(thread, NULL);
	}
	if (here.done >= 0)
		close(here.done);
	return w->result;
}

static int helper_ask_one(struct helper *h, struct helper_work *w)
{
	const enum helper_task task = w->task;

	w->fd = -1;
	w->result = 0;
	w->why[0] = '\0';
	if (!h->started)
		return helper_do(h, w);
	if (helper_request(h, w) < 0 || helper_await(h, w) != 1 || w->task != task)
		return helper_gone(h, w);
	w->why[HELPER_WHY_MAX - 1] = '\0';
	return w->result;
}

int helper_ask(struct helper *h, struct helper_work *w)
{
	int r;

	pthread_mutex_lock(&h->lock);
	r = helper_ask_one(h, w);
	pthread_mutex_unlock(&h->lock);
	return r;
}

void helper_remove_path(struct helper *h, const char *path, struct path_id id)
{
	struct helper_work w = { .task = HELPER_REMOVE, .id = id };

	if (id.ino == 0)
		return;
	if (h->started)
		(void)helper_ask(h, &w);
	else
		path_remove(path, id);
}
