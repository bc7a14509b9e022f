/* SPDX-License-Identifier: MIT
 * devices: made below /run, and moved to /dev when all is there. Root makes nodes of its own. In a
 * user namespace nobody may: there the machine's nodes are mounted over files, which cannot be
 * replaced or changed, since they belong to a user who does not exist there.
 */
#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "echo/base/base.h"

#define STAGE "/run/dev"

static const struct {
	const char *name;
	unsigned major, minor; /* Documentation/admin-guide/devices.txt of the kernel */
} nodes[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *to, *name;
} links[] = {
	{ "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" },
	{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
	{ "pts/ptmx", "ptmx" },
};

static int node_from_machine(const char *path, const char *name)
{
	char of[32];
	int fd = open(path, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	close(fd);
	snprintf(of, sizeof(of), "/dev/%s", name);
	return mount(of, path, NULL, MS_BIND, NULL);
}

static int make_nodes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		char path[32];

		snprintf(path, sizeof(path), STAGE "/%s", nodes[i].name);
		if (mknod(path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) == 0) {
			if (chmod(path, 0666) < 0) /* whatever the umask is */
				return -1;
		} else if (errno != EPERM || node_from_machine(path, nodes[i].name) < 0) {
			return -1;
		}
	}
	return 0;
}

static int make_links(void)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		char path[32];

		snprintf(path, sizeof(path), STAGE "/%s", links[i].name);
		if (symlink(links[i].to, path) < 0)
			return -1;
	}
	return 0;
}

static int make_folder(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 ? -1 : chmod(path, mode);
}

int devices_mount(const char **what)
{
	*what = "a private /dev";
	if (mkdir(STAGE, 0755) < 0 ||
	    mount("dev", STAGE, "tmpfs", MS_NOSUID, "size=64m,mode=755") < 0)
		return -errno;
	*what = "devices of a private /dev";
	if (make_nodes() < 0 || make_links() < 0 || make_folder(STAGE "/shm", 01777) < 0)
		return -errno;
	*what = "terminals of a private /dev";
	if (make_folder(STAGE "/pts", 0755) < 0 ||
	    mount("devpts", STAGE "/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=620") < 0)
		return -errno;
	*what = "a private /dev in its place";
	if (mount(STAGE, "/dev", NULL, MS_MOVE, NULL) < 0 || rmdir(STAGE) < 0)
		return -errno;
	return 0;
}
