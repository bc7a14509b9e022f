/* SPDX-License-Identifier: MIT
 * proc_tree: what /proc says of processes, and of those that they have started.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

/* Fields of /proc/PID/stat behind the name: state and parent. Returns 0; -ESRCH: it is gone; or
 * -errno: it could not be looked at. */
static int proc_stat(pid_t pid, char *state, pid_t *parent)
{
	char path[64], text[512];
	const char *end;
	ssize_t n;
	int fd, e;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	e = n < 0 ? -errno : 0;
	close(fd);
	if (e < 0)
		return e;
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end || strlen(end) < 5)
		return -ESRCH;
	*state = end[2];
	*parent = (pid_t)strtol(end + 3, NULL, 10);
	return 0;
}

char proc_state(pid_t pid)
{
	char state = 0;
	pid_t parent;
	const int r = proc_stat(pid, &state, &parent);

	return r == 0 ? state : r == -ESRCH ? 0 : PROC_UNKNOWN;
}

bool proc_tells_nothing(int e)
{
	return e == ENOENT || e == ESRCH || e == EACCES;
}

bool proc_is_stopped(pid_t pid)
{
	char path[64], state;
	struct dirent *e;
	unsigned threads = 0;
	bool all = true;
	pid_t parent;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && all && (e = readdir(d))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		threads++;
		all = proc_stat(tid, &state, &parent) == 0 && state == 'T';
	}
	if (d)
		closedir(d);
	return all && threads > 0;
}

int proc_signals(pid_t pid, struct proc_signals *s)
{
	char path[64], line[256];
	unsigned long long set;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	memset(s, 0, sizeof(*s));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SigPnd: %llx", &set) == 1 ||
		    sscanf(line, "ShdPnd: %llx", &set) == 1)
			s->pending |= set;
		else if (sscanf(line, "SigBlk: %llx", &set) == 1)
			s->blocked = set;
		else if (sscanf(line, "SigIgn: %llx", &set) == 1)
			s->ignored = set;
		else if (sscanf(line, "SigCgt: %llx", &set) == 1)
			s->caught = set;
	}
	fclose(f);
	return 0;
}

/* Puts it among the others, the youngest first. */
static void children_add(pid_t *pids, unsigned count, pid_t pid)
{
	for (; count > 0 && pids[count - 1] < pid; count--)
		pids[count] = pids[count - 1];
	pids[count] = pid;
}

/* *count of those that live, or of those that have ended and were not reaped. Returns 0; -errno:
 * not all could be looked at. */
static int children_of(pid_t parent, bool ended, pid_t *pids, unsigned max, unsigned *count)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	int r = 0;

	*count = 0;
	if (!d)
		return -errno;
	while (*count < max && r == 0 && (errno = 0, e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10), its = 0;
		char state = 0;

		if (pid <= 0)
			continue;
		r = proc_stat(pid, &state, &its);
		if (r == 0 && its == parent && (state == 'Z') == ended)
			children_add(pids, (*count)++, pid);
		r = r == -ESRCH ? 0 : r;
	}
	if (r == 0 && *count < max)
		r = -errno; /* of readdir: 0 at the end */
	closedir(d);
	return r;
}

int proc_children(pid_t parent, pid_t *pids, unsigned max)
{
	unsigned count;
	const int r = children_of(parent, false, pids, max, &count);

	return r < 0 ? r : (int)count;
}

int proc_tree(pid_t root, pid_t *pids, unsigned max)
{
	unsigned count = max > 0;

	if (count > 0)
		pids[0] = root;
	for (unsigned i = 0; i < count; i++) {
		const int r = proc_children(pids[i], pids + count, max - count);

		if (r < 0)
			return r;
		count += (unsigned)r;
	}
	return (int)count;
}

int proc_zombies(pid_t root)
{
	enum { ZOMBIES_MAX = 256 };
	pid_t tree[ZOMBIES_MAX], ended[ZOMBIES_MAX];
	const int count = proc_tree(root, tree, ZOMBIES_MAX);
	int zombies = count < 0 ? count : 0;

	for (int i = 0; i < count; i++) {
		unsigned here;
		const int r = children_of(tree[i], true, ended, ZOMBIES_MAX, &here);

		if (r < 0)
			return r;
		zombies += (int)here;
	}
	return zombies;
}

bool proc_sleeps(pid_t pid)
{
	char path[64], line[512];
	struct dirent *e;
	bool sleeps;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	sleeps = d || errno == ENOENT; /* who is gone wants no CPU */
	while (d && sleeps && (e = readdir(d))) {
		const char *name = "";

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat", pid, e->d_name);
		if (e->d_name[0] == '.')
			continue;
		f = fopen(path, "re");
		if (!f) {
			sleeps = errno == ENOENT;
			continue;
		}
		if (fgets(line, sizeof(line), f))
			name = strrchr(line, ')'); /* and a space, and the state */
		sleeps = name && strncmp(name, ") S", 3) == 0;
		fclose(f);
	}
	if (d)
		closedir(d);
	return sleeps;
}
