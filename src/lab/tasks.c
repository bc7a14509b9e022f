/* SPDX-License-Identifier: MIT
 * tasks: walks the tree of a process through /proc. CPU time comes from each process's CPU clock,
 * which the scheduler brings up to date when it is read; schedstat and stat lag by a tick.
 */
#include "echo/lab/tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

enum {
	TREE_MAX = 8192,
	PATH_LEN = 128,
	TRACEPOINT_UNKNOWN = -1,
	KTHREADD = 2, /* starts all of the kernel's threads */
};

/* Processes that are yet to be visited. */
struct tree {
	pid_t pids[TREE_MAX];
	unsigned count;
};

/* The beginning of a small file, as text. Returns its length, 0 if there is none. */
static size_t read_text_at(int dir, const char *path, char *text, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static size_t read_text(const char *path, char *text, size_t size)
{
	return read_text_at(AT_FDCWD, path, text, size);
}

/* The children that a thread has started. Needs CONFIG_PROC_CHILDREN; else there are none. */
static void tree_add_children(struct tree *t, pid_t pid, const char *tid)
{
	char path[PATH_LEN];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", pid, tid);
	f = fopen(path, "re");
	while (f && t->count < TREE_MAX && fscanf(f, "%d", &t->pids[t->count]) == 1)
		t->count++;
	if (f)
		fclose(f);
}

/* Time of children that have gone: fields 16 and 17 of stat (proc(5)), in ticks. */
static int64_t gone_cpu_ns(pid_t pid)
{
	char path[PATH_LEN], text[1024], *p;
	long long user = 0, system = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_text(path, text, sizeof(text));
	p = strrchr(text, ')'); /* the name may hold anything */
	if (p)
		sscanf(p + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld %lld",
		       &user, &system);
	return (user + system) * (SEC(1) / sysconf(_SC_CLK_TCK));
}

static int64_t process_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return t.tv_sec * SEC(1) + t.tv_nsec;
}

static uint64_t number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* How long and how often a thread has waited for a CPU. Returns whether this kernel tells. */
static bool read_schedstat(int fd, long long *wait_ns, long long *runs)
{
	char text[128];
	long long ran;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%lld %lld %lld", &ran, wait_ns, runs) == 3;
}

static bool read_wait(pid_t pid, const char *tid, long long *wait_ns, long long *runs)
{
	char path[PATH_LEN];
	bool told;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	told = fd >= 0 && read_schedstat(fd, wait_ns, runs);
	if (fd >= 0)
		close(fd);
	return told;
}

static void add_thread(struct tasks_usage *u, pid_t pid, const char *tid)
{
	char path[PATH_LEN], text[4096];
	long long waited, runs;

	if (read_wait(pid, tid, &waited, &runs))
		u->wait_ns += waited;
	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", pid, tid);
	read_text(path, text, sizeof(text));
	u->switches += number_after(text, "\nvoluntary_ctxt_switches:");
	u->switches += number_after(text, "\nnonvoluntary_ctxt_switches:");
	u->threads++;
}

/* Calls @each for every living thread of the tree, @process for every process. */
static void tree_walk(pid_t root, void (*process)(void *, pid_t),
		      void (*each)(void *, pid_t, const char *), void *arg)
{
	static struct tree t;
	char path[PATH_LEN];

	t.pids[0] = root;
	t.count = 1;
	while (t.count > 0) {
		pid_t pid = t.pids[--t.count];
		struct dirent *e;
		DIR *dir;

		if (process)
			process(arg, pid);
		snprintf(path, sizeof(path), "/proc/%d/task", pid);
		dir = opendir(path);
		while (dir && (e = readdir(dir))) {
			if (e->d_name[0] == '.')
				continue;
			each(arg, pid, e->d_name);
			tree_add_children(&t, pid, e->d_name);
		}
		if (dir)
			closedir(dir);
	}
}

static void usage_process(void *arg, pid_t pid)
{
	struct tasks_usage *u = arg;

	u->cpu_ns += process_cpu_ns(pid) + gone_cpu_ns(pid);
}

static void usage_thread(void *arg, pid_t pid, const char *tid)
{
	add_thread(arg, pid, tid);
}

void tasks_usage(pid_t pid, struct tasks_usage *u)
{
	*u = (struct tasks_usage){ 0 };
	tree_walk(pid, usage_process, usage_thread, u);
}

struct longest {
	struct tasks_waits *waits;
	int64_t now_ns, wait_ns;
};

static struct tasks_wait *find_wait(struct tasks_waits *w, pid_t tid)
{
	unsigned i = 0;

	while (i < w->count && w->at[i].tid != tid)
		i++;
	if (i == ARRAY_LEN(w->at))
		return NULL;
	if (i == w->count)
		w->at[w->count++] = (struct tasks_wait){ .tid = tid };
	return &w->at[i];
}

/* A thread has waited @wait_ns and run @runs times so far. */
static void longest_take(struct longest *l, struct tasks_wait *t, long long wait_ns, long long runs)
{
	long long waited = wait_ns - t->wait_ns, ran = runs - t->runs;

	/* schedstat counts a wait when it is over, so one longer than the time between two samples
	 * stands out; the others may be one or many */
	if (waited <= l->now_ns - l->waits->sampled_ns && ran > 1)
		waited /= ran;
	if (waited > l->wait_ns)
		l->wait_ns = waited;
	*t = (struct tasks_wait){ t->tid, true, wait_ns, runs };
}

static void longest_thread(void *arg, pid_t pid, const char *name)
{
	struct longest *l = arg;
	struct tasks_wait *t = find_wait(l->waits, (pid_t)strtol(name, NULL, 10));
	long long wait_ns, runs;

	if (t && read_wait(pid, name, &wait_ns, &runs))
		longest_take(l, t, wait_ns, runs);
}

static void softirq_thread(void *arg, pid_t pid, const char *name)
{
	struct tasks_waits *w = arg;
	char path[PATH_LEN], text[64] = "";
	int fd;

	(void)name;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (w->softirqs == ARRAY_LEN(w->softirq) || !read_text(path, text, sizeof(text)) ||
	    strncmp(text, "ksoftirqd/", strlen("ksoftirqd/")) != 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		w->softirq[w->softirqs++] = (struct tasks_softirq){ .fd = fd };
}

void tasks_find_softirqs(struct tasks_waits *w)
{
	tree_walk(KTHREADD, NULL, softirq_thread, w);
}

void tasks_close_softirqs(struct tasks_waits *w)
{
	while (w->softirqs > 0)
		close(w->softirq[--w->softirqs].fd);
}

static void longest_softirq(struct longest *l, struct tasks_softirq *s)
{
	long long wait_ns, runs;

	if (read_schedstat(s->fd, &wait_ns, &runs))
		longest_take(l, &s->wait, wait_ns, runs);
}

int64_t tasks_longest_wait(struct tasks_waits *w, pid_t pid)
{
	struct longest l = { w, clock_now_ns(), 0 };
	unsigned kept = 0;

	for (unsigned i = 0; i < w->count; i++)
		w->at[i].seen = false;
	tree_walk(pid, NULL, longest_thread, &l);
	for (unsigned i = 0; i < w->softirqs; i++)
		longest_softirq(&l, &w->softirq[i]);
	for (unsigned i = 0; i < w->count; i++)
		if (w->at[i].seen)
			w->at[kept++] = w->at[i];
	w->count = kept;
	w->sampled_ns = l.now_ns;
	return l.wait_ns;
}

struct opening {
	struct tasks_syscalls *to;
	struct perf_event_attr attr;
	int error;
};

static void open_thread(void *arg, pid_t pid, const char *tid)
{
	struct opening *o = arg;
	int fd;

	(void)pid;
	if (o->to->count == ARRAY_LEN(o->to->fds))
		o->error = -E2BIG;
	if (o->error)
		return;
	fd = (int)syscall(SYS_perf_event_open, &o->attr, (pid_t)strtol(tid, NULL, 10), -1, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		o->to->fds[o->to->count++] = fd;
	else if (errno != ESRCH) /* it has ended meanwhile */
		o->error = -errno;
}

/* The number of the tracepoint at which every system call begins. Where nobody has mounted tracefs
 * we open one that is mounted nowhere. */
static int64_t tracepoint(void)
{
	static int64_t id = TRACEPOINT_UNKNOWN; /* never changes */
	char text[32] = "";
	int fs, root;

	if (id != TRACEPOINT_UNKNOWN)
		return id;
	if (!read_text("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", text,
		       sizeof(text))) {
		fs = fsopen("tracefs", FSOPEN_CLOEXEC);
		if (fs < 0)
			return -errno;
		root = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
			       ? -1
			       : fsmount(fs, FSMOUNT_CLOEXEC, 0);
		close(fs);
		if (root < 0)
			return -EPERM;
		read_text_at(root, "events/raw_syscalls/sys_enter/id", text, sizeof(text));
		close(root);
	}
	if (!text[0])
		return -ENOENT;
	id = strtoll(text, NULL, 10);
	return id;
}

int tasks_syscalls_begin(struct tasks_syscalls *s, pid_t pid)
{
	int64_t id = tracepoint();
	struct opening o = { .to = s,
			     .attr = { .type = PERF_TYPE_TRACEPOINT,
				       .size = sizeof(struct perf_event_attr),
				       .inherit = 1 } };

	s->count = 0;
	if (id < 0)
		return (int)id;
	o.attr.config = (uint64_t)id;
	tree_walk(pid, NULL, open_thread, &o);
	if (o.error) {
		tasks_syscalls_end(s);
		return o.error;
	}
	return 0;
}

uint64_t tasks_syscalls_sum(const struct tasks_syscalls *s)
{
	uint64_t sum = 0, n;

	for (unsigned i = 0; i < s->count; i++) {
		if (read(s->fds[i], &n, sizeof(n)) == sizeof(n))
			sum += n;
	}
	return sum;
}

void tasks_syscalls_end(struct tasks_syscalls *s)
{
	for (unsigned i = 0; i < s->count; i++)
		close(s->fds[i]);
	s->count = 0;
}
