/* SPDX-License-Identifier: MIT
 * metrics_unix: a listener at a path. It listens before it has its name, which it gets by rename:
 * whoever finds it can connect, and it takes the place of one that is stale, or that is going to
 * leave, with no moment in between.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo/net/metrics_server.h"
#include "metrics_private.h"

static struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

/* Whether @path is free to be taken. Returns 0 or -errno. */
static int unix_check(const char *path)
{
	const struct sockaddr_un at = unix_address(path);
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ? EADDRINUSE : errno;
	close(fd);
	if (r == ECONNREFUSED)
		return 0;
	return r == EAGAIN ? -EADDRINUSE : -r; /* EAGAIN: so many wait there already */
}

static int unix_name(int fd, const char *path)
{
	const mode_t owner_and_group = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;
	struct sockaddr_un beside;
	char name[sizeof(beside.sun_path)]; /* METRICS_PATH_MAX, a dot and a number */
	int r = 0;

	snprintf(name, sizeof(name), "%.*s.%d", METRICS_PATH_MAX - 1, path, (int)getpid());
	beside = unix_address(name);
	(void)unlink(beside.sun_path); /* what a process of our number left when it was killed */
	if (bind(fd, (const struct sockaddr *)&beside, sizeof(beside)) < 0)
		return -errno;
	if (chmod(beside.sun_path, owner_and_group) < 0 || listen(fd, METRICS_SERVER_PEERS) < 0 ||
	    rename(beside.sun_path, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(beside.sun_path);
	return r;
}

int metrics_unix_listen(const char *path, bool join, struct metrics_unix_id *id)
{
	int fd, r = join ? 0 : unix_check(path);
	struct stat st = { 0 };

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = unix_name(fd, path);
	if (r < 0) {
		close(fd);
		return r;
	}
	(void)lstat(path, &st);
	*id = (struct metrics_unix_id){ st.st_dev, st.st_ino };
	return fd;
}

void metrics_unix_remove(const char *path, const struct metrics_unix_id *id)
{
	struct stat st;

	if (id->ino != 0 && lstat(path, &st) == 0 && st.st_ino == id->ino && st.st_dev == id->dev)
		(void)unlink(path);
}
