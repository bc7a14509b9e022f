/* SPDX-License-Identifier: MIT
 * metrics_path: the unix socket of the metrics server. Where another process listens that is going
 * to leave, the two sockets change places, so that whoever looks for one always finds one that
 * listens; and they change back if it stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/net/metrics_server.h"
#include "metrics_private.h"

static int path_fail(int err, char why[PATH_WHY_MAX], const char *what)
{
	snprintf(why, PATH_WHY_MAX, "%s", what);
	return -err;
}

/* Returns 0, or -ENAMETOOLONG. */
static int path_beside(const char *path, pid_t pid, char beside[PATH_TEXT_MAX])
{
	return snprintf(beside, PATH_TEXT_MAX, "%s.%d", path, (int)pid) < PATH_TEXT_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

/* Puts the socket that lies beside it at @path. Returns 1: what was there lies beside it now; 0:
 * nothing does; or -errno. */
static int path_exchange(const char *beside, const char *path)
{
	if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
		return 1;
	/* nothing is there, or this file system cannot do it */
	return rename(beside, path) < 0 ? -errno : 0;
}

static int path_join(struct metrics_server *s, const struct path_listener *how,
		     char why[PATH_WHY_MAX])
{
	const char *path = addr_path(&s->bound);
	char beside[PATH_TEXT_MAX];
	struct stat st;
	int fd, r;

	if (path_beside(path, s->pid, beside) < 0)
		return path_fail(ENAMETOOLONG, why, "too long a path to be taken over");
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return path_fail(ENOTSOCK, why, "it is there, and no socket");
	fd = path_listen(beside, how, why);
	if (fd < 0)
		return fd;
	s->listen_fd = fd;
	r = path_exchange(beside, path);
	s->displaces = r > 0;
	if (r >= 0)
		return 0;
	(void)unlink(beside);
	return path_fail(-r, why, strerror(-r));
}

int metrics_path_listen(struct metrics_server *s, bool join, char why[PATH_WHY_MAX])
{
	const struct path_listener how = { .type = SOCK_STREAM,
					   .backlog = METRICS_SERVER_PEERS,
					   .mode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP,
					   .uid = (uid_t)-1,
					   .gid = (gid_t)-1 };
	int r;

	if (join) {
		r = path_join(s, &how, why);
	} else {
		r = path_listen(addr_path(&s->bound), &how, why);
		s->listen_fd = r;
	}
	if (r < 0)
		return r;
	s->path_id = path_identify(addr_path(&s->bound));
	return 0;
}

int metrics_path_end(const char *path, pid_t pid, bool keep)
{
	char beside[PATH_TEXT_MAX];
	int r = path_beside(path, pid, beside);

	if (r == 0 && (keep ? unlink(beside) : rename(beside, path)) < 0)
		r = -errno;
	return r;
}

void metrics_path_close(struct metrics_server *s, bool keep)
{
	const char *path = addr_path(&s->bound);

	if (s->displaces && s->path_end)
		(void)s->path_end(s->arg, keep);
	else if (s->displaces)
		(void)metrics_path_end(path, s->pid, keep);
	else if (path && !keep && s->remove_path)
		s->remove_path(s->arg, path, s->path_id);
	else if (path && !keep)
		path_remove(path, s->path_id);
	s->displaces = false;
}
