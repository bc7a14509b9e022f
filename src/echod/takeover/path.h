/* SPDX-License-Identifier: MIT
 * path: the socket by which a successor finds the echod that serves: unix:PATH, for its owner only.
 */
#ifndef ECHOD_PATH_H
#define ECHOD_PATH_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

enum {
	PATH_TEXT_MAX = sizeof(((struct sockaddr_un *)0)->sun_path),
	PATH_WHY_MAX = 128,
};

/* Connects to whoever listens at @path, who must be a process of this user or of root. Returns the
 * descriptor; -ENOENT: nobody listens there; or -errno with a reason in @why. */
int path_connect(const char *path, char why[PATH_WHY_MAX]);

/* Listens at @path, mode 0600. A socket that nobody listens on is replaced, anything else is not.
 * Returns the descriptor, or -errno with a reason in @why. */
int path_listen(const char *path, char why[PATH_WHY_MAX]);

/* The next peer that waits on a listener, who must be of this user or root: *pid is its process.
 * Returns the descriptor, -EAGAIN: there is none, -EPERM: it may not, and has been turned away; or
 * -errno; a reason is in @why. */
int path_accept(int listener, pid_t *pid, char why[PATH_WHY_MAX]);

/* What is at @path, to know it again; zeroes if there is nothing. */
struct path_id {
	dev_t dev;
	ino_t ino;
};
struct path_id path_identify(const char *path);

/* Removes @path if it is still the file of which @id was taken, not one that another process made.
 */
void path_remove(const char *path, struct path_id id);

#endif
