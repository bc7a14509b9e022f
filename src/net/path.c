/* SPDX-License-Identifier: MIT
 * path: connects to, listens on and removes unix sockets in the file system.
 */
#include "echo/net/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

enum {
	CLEAR_TRIES = 500, /* x 1 ms: a process that was killed may not have closed it yet */
	LOCK_TRIES = 2000, /* x 1 ms: longer than CLEAR_TRIES of who holds it */
};

static int path_fail(int err, char why[PATH_WHY_MAX], const char *what)
{
	snprintf(why, PATH_WHY_MAX, "%s", what);
	return -err;
}

static struct sockaddr_un path_addr(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int path_socket(int type)
{
	return socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether the process at the other end may hand over to us, or take over: root may do anything to
 * us, and we ourselves. Of a listener it is who listened first. */
static int path_check_peer(int fd, pid_t *pid, char why[PATH_WHY_MAX])
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return path_fail(errno, why, "its owner cannot be found out");
	if (pid)
		*pid = peer.pid;
	if (peer.uid == geteuid() || peer.uid == 0)
		return 0;
	snprintf(why, PATH_WHY_MAX, "process %d is of user %u: neither this one nor root", peer.pid,
		 peer.uid);
	return -EPERM;
}

/* Returns 0: there is a socket; -ENOENT: nothing; -ENOTSOCK: something else. */
static int path_check_file(const char *path, char why[PATH_WHY_MAX])
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return path_fail(errno, why, strerror(errno));
	return S_ISSOCK(st.st_mode) ? 0 : path_fail(ENOTSOCK, why, "it is there, and no socket");
}

/* As path_connect, to a listener of this type, whoever it is. */
static int path_reach(const char *path, int type, char why[PATH_WHY_MAX])
{
	const struct sockaddr_un at = path_addr(path);
	int fd, r = path_check_file(path, why);

	if (r < 0)
		return r;
	fd = path_socket(type);
	if (fd < 0)
		return path_fail(errno, why, strerror(errno));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	if (errno == ECONNREFUSED)
		r = path_fail(ENOENT, why, "nobody listens there");
	else if (errno == EPROTOTYPE)
		r = path_fail(EPROTOTYPE, why, "who listens there is no echod");
	else
		r = path_fail(errno, why, strerror(errno));
	close(fd);
	return r;
}

int path_connect(const char *path, char why[PATH_WHY_MAX])
{
	int r, fd = path_reach(path, SOCK_SEQPACKET, why);

	if (fd < 0)
		return fd;
	r = path_check_peer(fd, NULL, why);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* Until it listens nobody can connect, whatever the mode of the file is by then. */
static int path_bind(int fd, const char *path, const struct path_listener *how)
{
	const struct sockaddr_un at = path_addr(path);
	int r = 0;

	/* that of the socket before there is a file */
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	if ((how->uid != (uid_t)-1 || how->gid != (gid_t)-1) &&
	    lchown(path, how->uid, how->gid) < 0)
		r = -errno;
	if (r == 0 && chmod(path, how->mode) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(path);
	return r;
}

/* Removes a socket that nobody listens on. Returns 0 or -errno. */
static int path_clear(const char *path, int type, char why[PATH_WHY_MAX])
{
	int r = path_reach(path, type, why);

	/* -EAGAIN: so many wait there already */
	for (int i = 0; (r >= 0 || r == -EAGAIN) && i < CLEAR_TRIES; i++) {
		if (r >= 0)
			close(r);
		clock_sleep_until(clock_now_ns() + MSEC(1));
		r = path_reach(path, type, why);
	}
	if (r >= 0)
		close(r);
	if (r >= 0 || r == -EAGAIN)
		return path_fail(EADDRINUSE, why, "another process listens there");
	if (r != -ENOENT)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? path_fail(errno, why, strerror(errno)) : 0;
}

/* Holds the folder of @path, as all do who put a socket there: between bind and listen it would
 * look stale to another. Returns a descriptor, whose close lets go of it, or -errno. */
static int path_lock(const char *path, char why[PATH_WHY_MAX])
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_TEXT_MAX];
	int fd, r;

	/* "/" itself, or "." for a bare name */
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return path_fail(errno, why, strerror(errno));
	r = flock(fd, LOCK_EX | LOCK_NB);
	for (int i = 0; r < 0 && errno == EWOULDBLOCK && i < LOCK_TRIES; i++) {
		clock_sleep_until(clock_now_ns() + MSEC(1));
		r = flock(fd, LOCK_EX | LOCK_NB);
	}
	if (r == 0)
		return fd;
	r = path_fail(errno, why, errno == EWOULDBLOCK ? "its folder is locked" : strerror(errno));
	close(fd);
	return r;
}

static int path_listen_locked(const char *path, const struct path_listener *how,
			      char why[PATH_WHY_MAX])
{
	int fd = path_socket(how->type), r;

	if (fd < 0)
		return path_fail(errno, why, strerror(errno));
	r = path_bind(fd, path, how);
	if (r == -EADDRINUSE) {
		r = path_clear(path, how->type, why);
		if (r < 0)
			goto out;
		r = path_bind(fd, path, how);
	}
	if (r == 0 && listen(fd, (int)how->backlog) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	(void)path_fail(-r, why, strerror(-r));
out:
	close(fd);
	return r;
}

int path_listen(const char *path, const struct path_listener *how, char why[PATH_WHY_MAX])
{
	int fd, lock = path_lock(path, why);

	if (lock < 0)
		return lock;
	fd = path_listen_locked(path, how, why);
	close(lock);
	return fd;
}

int path_accept(int listener, pid_t *pid, char why[PATH_WHY_MAX])
{
	struct pollfd p = { listener, POLLIN, 0 };
	int r, fd;

	/* accept wants a descriptor before it looks for a peer: a lack of them is none of ours */
	if (poll(&p, 1, 0) == 0)
		return -EAGAIN;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return path_fail(errno, why, strerror(errno));
	r = path_check_peer(fd, pid, why);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

struct path_id path_identify(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return (struct path_id){ 0 };
	return (struct path_id){ st.st_dev, st.st_ino };
}

void path_remove(const char *path, struct path_id id)
{
	const struct path_id now = path_identify(path);

	if (id.ino != 0 && now.ino == id.ino && now.dev == id.dev)
		(void)unlink(path);
}
