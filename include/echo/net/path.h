/* SPDX-License-Identifier: MIT
 * path: unix sockets in the file system: the one by which a successor finds the echod that serves,
 * and those that clients connect to. A path is taken from nobody who listens there, and what a
 * process that was killed has left behind is replaced.
 */
#ifndef ECHO_PATH_H
#define ECHO_PATH_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

enum {
	PATH_TEXT_MAX = sizeof(((struct sockaddr_un *)0)->sun_path),
	PATH_WHY_MAX = 128,
};

/* How to listen. */
struct path_listener {
	int type;         /* SOCK_STREAM, SOCK_SEQPACKET */
	unsigned backlog; /* connections that may wait */
	mode_t mode;      /* whatever the umask says */
	uid_t uid;        /* (uid_t)-1, (gid_t)-1: those of this process */
	gid_t gid;
};

/* Connects to whoever listens at @path (SOCK_SEQPACKET), who must be a process of this user or of
 * root. Returns the descriptor; -ENOENT: nobody listens there; or -errno with a reason in @why. */
int path_connect(const char *path, char why[PATH_WHY_MAX]);

/* Listens at @path; nobody can connect before mode and owner are what they shall be. A socket that
 * nobody listens on is replaced, anything else is not. Returns the descriptor, or -errno with a
 * reason in @why. */
int path_listen(const char *path, const struct path_listener *how, char why[PATH_WHY_MAX]);

/* The next peer that waits on a listener, who must be of this user or root: *pid is its process.
 * Returns the descriptor, -EAGAIN: there is none, -EPERM: it may not, and has been turned away; or
 * -errno; a reason is in @why. */
int path_accept(int listener, pid_t *pid, char why[PATH_WHY_MAX]);

/* The socket at @path, to know it again; zeroes if there is none. */
struct path_id {
	dev_t dev;
	ino_t ino;
};
struct path_id path_identify(const char *path);

/* Removes @path if it is still the file of which @id was taken, not one that another process made.
 */
void path_remove(const char *path, struct path_id id);

#endif
