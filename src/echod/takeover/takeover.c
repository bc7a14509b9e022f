/* SPDX-License-Identifier: MIT
 * takeover: what main does about restarts: both sides of one, and what is between two.
 */
#include "takeover.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/net/backend.h"
#include "echo/net/sock.h"
#include "echo/net/worker_group.h"
#include "echod/listen/listeners.h"
#include "echod/listen/name.h"
#include "echod/sandbox/helper.h"

enum {
	RETRY_MS = 100,
	WAITING_MAX = 8, /* successors */
};

static int takeover_failed(struct takeover *t, int r)
{
	const char *why = t->take.talk.why[0] ? t->take.talk.why : strerror(-r);

	log_error("cannot take over at %s: %s", t->config.path, why);
	take_refuse(&t->take, "it gives up");
	return r;
}

/* Whom it takes over from has what supervisors have passed to it. */
static int takeover_expand(struct takeover *t)
{
	struct listeners_named named[ADDR_LIST_MAX + 1]; /* one too many is for it to say */
	unsigned n = 0;

	for (unsigned i = 0; i < t->take.got && n < ARRAY_LEN(named); i++) {
		const struct take_listener *l = &t->take.listeners[i];
		unsigned k = 0;

		while (k < n && !addr_equal(&named[k].bound, &l->bound))
			k++;
		if (name_is(&l->asked) && k == n)
			named[n++] = (struct listeners_named){ l->asked, l->bound };
	}
	return listeners_expand(t->listeners, named, n);
}

static int takeover_connect(struct takeover *t)
{
	const struct worker *w = &t->group->workers[0];
	const bool adopts = t->config.handover == HANDOVER_MOVE && move_can(w);
	char why[PATH_WHY_MAX];
	int fd, r;

	if (!t->config.path[0])
		return 0;
	fd = path_connect(t->config.path, why);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0) {
		log_error("cannot take over at %s: %s", t->config.path, why);
		return fd;
	}
	t->taking = true;
	t->id = path_identify(t->config.path);
	r = take_begin(&t->take, fd, adopts);
	return r < 0 ? takeover_failed(t, r) : 0;
}

int takeover_begin(struct takeover *t)
{
	int r;

	t->path_fd = -1;
	t->take.talk.fd = -1;
	t->take.sock = t->sock;
	r = takeover_connect(t);
	return r < 0 ? r : takeover_expand(t);
}

int takeover_listen(struct takeover *t, unsigned i)
{
	int r = t->taking ? take_listen(&t->take, t->listeners, i) : 0;

	if (r < 0)
		return takeover_failed(t, r);
	if (r == 0)
		return listeners_open(t->listeners, i);
	if (addr_path(&t->listeners->bound->at[i]))
		t->files[i] = path_identify(addr_path(&t->listeners->bound->at[i]));
	return 0;
}

/* for its owner only */
static const struct path_listener path_how = { SOCK_SEQPACKET, WAITING_MAX, S_IRUSR | S_IWUSR,
					       (uid_t)-1, (gid_t)-1 };

static int takeover_listen_path(struct takeover *t)
{
	struct helper_work w = { .task = HELPER_LISTEN_PATH };
	int r = helper_ask(t->helper, &w);

	if (r < 0)
		log_error("cannot listen on unix:%s: %s", t->config.path, w.why);
	t->path_fd = w.fd;
	t->id = w.id;
	return r;
}

int takeover_ready(struct takeover *t)
{
	int r;

	if (!t->config.path[0])
		return 0;
	if (!t->taking)
		return takeover_listen_path(t);
	r = take_ready(&t->take, t->group, t->listeners->bound);
	return r < 0 ? takeover_failed(t, r) : 0;
}

int takeover_finish(struct takeover *t)
{
	unsigned listeners;
	int r;

	if (!t->taking)
		return 0;
	t->take.talk.group = t->group;
	t->take.talk.signalled = t->signalled;
	t->take.talk.arg = t->arg;
	r = take_finish(&t->take, &t->path_fd);
	if (r < 0)
		return takeover_failed(t, r);
	t->taking = false;
	if (t->take.alone)
		t->give.died_ns = clock_now_ns();
	for (unsigned i = 0; i < t->listeners->bound->count; i++) {
		if (t->files[i].ino != 0)
			listeners_own_path(t->listeners, i, t->files[i]);
	}
	/* without it there would be no next time; but who serves goes on */
	if (t->path_fd < 0)
		(void)takeover_listen_path(t);
	listeners = take_count(&t->take);
	take_end(&t->take); /* before it is said: what was not wanted is closed */
	log_info("took over: %u listeners, %u connections%s", listeners, t->take.adopted,
		 t->take.alone ? "; the other process has died" : "");
	if (t->take.refused > 0)
		log_warn("no room for %u connections (slots, memory, descriptors): the other "
			 "process serves them",
			 t->take.refused);
	return 0;
}

/* From here on this process accepts nothing more, and ends when its last connection has. */
static void takeover_leave(struct takeover *t)
{
	t->left = true;
	listeners_retire(t->listeners); /* what the other one does not serve */
	if (t->config.deadline_ns > 0)
		t->until_ns = clock_now_ns() + t->config.deadline_ns;
}

void takeover_withdraw(struct takeover *t)
{
	takeover_leave(t);
	take_end(&t->take); /* else what the other one closes would listen on */
	worker_group_stop(t->group, WORKER_LEAVE);
	if (atomic_load(&t->group->conns) > 0)
		log_info("connections that are this process's already stay here until they end");
}

/* Only what takeover_poll takes note of: what stays readable would end every wait at once. */
void takeover_watch(struct takeover *t)
{
	unsigned n = 0;

	if (t->path_fd >= 0 && t->retry_ns == 0)
		t->watched[n++] = t->path_fd;
	if (t->path_fd >= 0 && t->successor.fd >= 0)
		t->watched[n++] = t->successor.fd;
	worker_group_watch(t->group, t->watched, n);
}

static bool takeover_give(struct takeover *t, int fd, pid_t pid)
{
	struct give *g = &t->give;

	g->group = t->group;
	g->listeners = t->listeners;
	g->moves = t->config.handover == HANDOVER_MOVE;
	g->path_fd = t->path_fd;
	g->talk.signalled = t->signalled;
	g->talk.arg = t->arg;
	if (!give_run(g, fd, pid)) {
		t->refused = pid == t->started ? pid : t->refused;
		return false;
	}
	close(t->path_fd);
	t->path_fd = -1;
	t->heir = pid;
	takeover_leave(t);
	log_info("process %d has taken over: %u connections moved, %u stay here until they end",
		 (int)pid, g->moved, atomic_load(&t->group->conns));
	return true;
}

/* Whoever waits still does after a failure of ours: that is said once, and tried again soon. */
static void takeover_accept_failed(struct takeover *t, int r, const char *why)
{
	if (t->retry_ns == 0 || r == -EPERM)
		log_warn("nobody takes over at %s: %s", t->config.path, why);
	t->retry_ns = r == -EPERM ? 0 : clock_now_ns() + MSEC(RETRY_MS);
}

bool takeover_poll(struct takeover *t)
{
	char why[PATH_WHY_MAX];
	pid_t pid = 0;
	int fd;

	if (t->path_fd < 0)
		return false;
	successor_poll(&t->successor);
	if (clock_now_ns() < t->retry_ns)
		return false;
	fd = path_accept(t->path_fd, &pid, why);
	if (fd < 0 && fd != -EAGAIN) {
		takeover_accept_failed(t, fd, why);
		return false;
	}
	t->retry_ns = 0;
	return fd >= 0 && takeover_give(t, fd, pid);
}

/* Nobody takes over there any more. */
static void takeover_leave_path(struct takeover *t, const char *refusal)
{
	struct talk *talk = &t->give.talk; /* of nobody now */
	char why[PATH_WHY_MAX];
	pid_t pid;

	if (t->path_fd < 0)
		return;
	helper_remove_path(t->helper, t->config.path, t->id);
	while ((talk->fd = path_accept(t->path_fd, &pid, why)) >= 0)
		message_refuse(talk, refusal);
	close(t->path_fd);
	t->path_fd = -1;
}

void takeover_retire(struct takeover *t)
{
	t->until_ns = 0;
	if (t->listeners) /* else it has not come as far as that */
		listeners_retire(t->listeners);
	takeover_leave_path(t, "it is ending");
}

static bool takeover_has_path(const struct takeover *t, const struct takeover_next *n)
{
	return strcmp(t->config.path, n->config.path) == 0;
}

int takeover_prepare(const struct takeover *t, struct takeover_next *n, char why[PATH_WHY_MAX])
{
	struct helper_work w = { .task = HELPER_LISTEN_NEXT_PATH };

	n->path_fd = -1;
	if (takeover_has_path(t, n) || !n->config.path[0])
		return 0;
	(void)helper_ask(t->helper, &w);
	snprintf(why, PATH_WHY_MAX, "%.*s", PATH_WHY_MAX - 1, w.why);
	n->path_fd = w.fd;
	n->id = w.id;
	return w.result;
}

void takeover_change(struct takeover *t, const struct takeover_next *n)
{
	assert(!t->taking && !t->left);
	if (!takeover_has_path(t, n)) {
		takeover_leave_path(t, "its path is another now");
		t->path_fd = n->path_fd;
		t->retry_ns = 0;
		t->id = n->id;
	}
	t->config = n->config;
	t->sock = n->sock;
}

void takeover_discard(const struct takeover *t, struct takeover_next *n)
{
	if (n->path_fd < 0)
		return;
	helper_remove_path(t->helper, n->config.path, n->id);
	close(n->path_fd);
	n->path_fd = -1;
}

static int64_t takeover_next_ns(const struct takeover *t)
{
	const int64_t retry_ns = t->path_fd >= 0 ? t->retry_ns : 0;

	if (t->until_ns == 0 || retry_ns == 0)
		return t->until_ns + retry_ns;
	return t->until_ns < retry_ns ? t->until_ns : retry_ns;
}

int takeover_wait_ms(const struct takeover *t)
{
	const int64_t next_ns = takeover_next_ns(t), left_ns = next_ns - clock_now_ns();

	if (next_ns == 0)
		return -1;
	if (left_ns <= 0)
		return 0;
	return left_ns > SEC(3600) ? 3600 * 1000 : (int)(left_ns / MSEC(1)) + 1;
}

bool takeover_overdue(const struct takeover *t)
{
	return t->until_ns != 0 && clock_now_ns() >= t->until_ns;
}

void takeover_start(struct takeover *t)
{
	struct helper_work w = { .task = HELPER_SUCCESSOR, .pid = t->refused };
	int r;

	if (t->path_fd < 0) {
		log_warn("SIGUSR2: no successor can take over: %s",
			 t->left             ? "another process serves"
			 : t->taking         ? "this one is still taking over"
			 : t->config.path[0] ? "nothing listens at its path"
					     : "there is no `takeover`");
		return;
	}
	r = helper_ask(t->helper, &w);
	if (r == -EALREADY)
		log_warn("SIGUSR2: a successor is starting already");
	else if (r < 0)
		log_warn("SIGUSR2: cannot start a successor: %s", w.why);
	else
		log_info("SIGUSR2: process %d is to take over", (int)w.pid);
	if (r == 0)
		t->started = w.pid;
}

/* ---- in the helper, where there is one ---- */

static void takeover_work_listen(const char *path, struct helper_work *w)
{
	w->fd = path_listen(path, &path_how, w->why);
	w->result = w->fd < 0 ? w->fd : 0;
	w->id = path_identify(path);
}

static void takeover_work_start(struct takeover *t, struct helper_work *w)
{
	w->result = successor_start(&t->successor, w->pid);
	w->pid = t->successor.pid;
	if (w->result < 0)
		snprintf(w->why, sizeof(w->why), "%s", strerror(-w->result));
}

void takeover_work(struct takeover *t, const char *next_path, struct helper_work *w)
{
	switch (w->task) {
	case HELPER_SUCCESSOR:
		takeover_work_start(t, w);
		break;
	case HELPER_LISTEN_PATH:
		takeover_work_listen(t->config.path, w);
		break;
	case HELPER_LISTEN_NEXT_PATH:
		takeover_work_listen(next_path, w);
		break;
	default:
		w->result = -EINVAL;
	}
}

int takeover_work_fd(const struct takeover *t)
{
	return t->successor.fd;
}

void takeover_work_poll(struct takeover *t)
{
	successor_poll(&t->successor);
}

void takeover_end(struct takeover *t)
{
	if (t->taking)
		take_refuse(&t->take, "it could not start");
	take_end(&t->take);
	takeover_retire(t);
	successor_fini(&t->successor);
}
