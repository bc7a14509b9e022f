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

/* Fields of /proc/PID/stat behind the name: state and parent. */
static bool proc_stat(pid_t pid, char *state, pid_t *parent)
{
	char path[64], text[512];
	const char *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || strlen(end) < 5)
		return false;
	*state = end[2];
	*parent = (pid_t)strtol(end + 3, NULL, 10);
	return true;
}

char proc_state(pid_t pid)
{
	char state = 0;
	pid_t parent;

	return proc_stat(pid, &state, &parent) ? state : 0;
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
		all = proc_stat(tid, &state, &parent) && state == 'T';
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

/* *count of those that live, or of those that have ended and were not reaped. Returns 0; -errno:
 * none could be looked for. */
static int children_of(pid_t parent, bool ended, pid_t *pids, unsigned max, unsigned *count)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;

	*count = 0;
	if (!d)
		return -errno;
	while (*count < max && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10), its = 0;
		unsigned at = *count;
		char state;

		if (pid <= 0 || !proc_stat(pid, &state, &its) || its != parent ||
		    (state == 'Z') != ended)
			continue;
		for (; at > 0 && pids[at - 1] < pid; at--)
			pids[at] = pids[at - 1];
		pids[at] = pid;
		(*count)++;
	}
	closedir(d);
	return 0;
}

unsigned proc_children(pid_t parent, pid_t *pids, unsigned max)
{
	unsigned count;

	(void)children_of(parent, false, pids, max, &count);
	return count;
}

unsigned proc_tree(pid_t root, pid_t *pids, unsigned max)
{
	unsigned count = max > 0;

	if (count > 0)
		pids[0] = root;
	for (unsigned i = 0; i < count; i++)
		count += proc_children(pids[i], pids + count, max - count);
	return count;
}

int proc_zombies(pid_t root)
{
	enum { ZOMBIES_MAX = 256 };
	pid_t tree[ZOMBIES_MAX], ended[ZOMBIES_MAX];
	const unsigned count = proc_tree(root, tree, ZOMBIES_MAX);
	int zombies = 0;

	for (unsigned i = 0; i < count; i++) {
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
	bool sleeps = true;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && sleeps && (e = readdir(d))) {
		const char *name = "";

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f))
			name = strrchr(line, ')'); /* and a space, and the state */
		sleeps = name && strncmp(name, ") S", 3) == 0;
		fclose(f);
	}
	if (d)
		closedir(d);
	return sleeps;
}
