/* SPDX-License-Identifier: MIT
 * pair_proc: programs under measurement. Each runs in a process group of its own and dies with its
 * parent; what it says goes into memory files, so that nobody has to empty a pipe while the clock
 * runs; its CPU time is read from outside, so that any server can be measured.
 */
#ifndef BENCH_PAIR_PROC_H
#define BENCH_PAIR_PROC_H

#include "bare.h"
#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <regex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct proc {
	pid_t pid;    /* 0: none is running */
	int out, err; /* memory files */
	int status;   /* as waitpid() gave it */
};

/* Signals that proc_wait() waits for; they must be blocked in this process. */
static inline sigset_t proc_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

static inline __attribute__((noreturn)) void proc_child(const char *command, const struct proc *p,
							pid_t parent)
{
	sigset_t set = proc_signals();
	char *line;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it died before the call above */
	setpgid(0, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	dup2(p->out, STDOUT_FILENO);
	dup2(p->err, STDERR_FILENO);
	/* no shell in between where one command is all: it would die with us, the command would not
	 */
	if (asprintf(&line, strpbrk(command, ";&|()\n") ? "%s" : "exec %s", command) < 0)
		_exit(127);
	execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(127);
}

/* Starts a command line of the shell. */
static inline void proc_start(struct proc *p, const char *command)
{
	pid_t self = getpid();

	p->out = memfd_create("out", MFD_CLOEXEC);
	p->err = memfd_create("err", MFD_CLOEXEC);
	if (p->out < 0 || p->err < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "memfd_create");
	p->pid = fork();
	if (p->pid < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "fork");
	if (p->pid == 0)
		proc_child(command, p, self);
	setpgid(p->pid, p->pid); /* whoever is first */
}

/*
 * Waits for the end of a process. Returns 0, -ETIME, or -EINTR when a signal asks to stop: the
 * process then runs on.
 */
static inline int proc_wait(struct proc *p, int64_t timeout_ns)
{
	int64_t end_ns = bare_now_ns() + timeout_ns;
	sigset_t set = proc_signals();

	while (waitpid(p->pid, &p->status, WNOHANG) == 0) {
		int64_t left_ns = end_ns - bare_now_ns();
		struct timespec left = { left_ns / 1000000000, left_ns % 1000000000 };
		int sig;

		if (left_ns <= 0)
			return -ETIME;
		sig = sigtimedwait(&set, NULL, &left);
		if (sig == SIGINT || sig == SIGTERM)
			return -EINTR;
	}
	p->pid = 0;
	return 0;
}

/* Ends a process and those it started: asks, waits three seconds, then insists. */
static inline void proc_stop(struct proc *p)
{
	static const int signals[] = { SIGTERM, SIGKILL };

	if (p->pid > 0) {
		pid_t group = p->pid;

		for (int i = 0; i < 2 && p->pid > 0; i++) {
			int r;

			kill(-group, signals[i]);
			do
				r = proc_wait(p, 3000000000);
			while (r == -EINTR); /* we are stopping already */
		}
		kill(-group, SIGKILL); /* children that outlived it */
	}
	close(p->out);
	close(p->err);
}

/* What a process has written so far, as a string that the caller frees. */
static inline char *proc_text(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)(len > 0 ? len : 0) + 1);

	if (!text)
		bare_die(BARE_EXIT_ENVIRONMENT, "memory");
	if (len > 0 && pread(fd, text, (size_t)len, 0) < 0)
		*text = '\0';
	return text;
}

/* The text with every occurrence of a word replaced; the caller frees it. */
static inline char *proc_replace(const char *text, const char *word, const char *by)
{
	size_t len;
	char *out = NULL;
	FILE *f = open_memstream(&out, &len);
	const char *at;

	if (!f)
		bare_die(BARE_EXIT_ENVIRONMENT, "memory");
	for (; (at = strstr(text, word)); text = at + strlen(word))
		fprintf(f, "%.*s%s", (int)(at - text), text, by);
	fprintf(f, "%s", text);
	fclose(f);
	return out;
}

/* The address on a line that says "listening", or false; host:port or [host]:port. */
static inline bool proc_address(int fd, char *addr, size_t size)
{
	char *text = proc_text(fd), *at = strstr(text, "listening");
	regmatch_t m[1];
	regex_t re;
	bool found = false;

	if (regcomp(&re, "([0-9]+(\\.[0-9]+){3}|\\[[0-9a-f:.]+\\]):[0-9]+", REG_EXTENDED) != 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "regcomp");
	/* a whole line: the address may still be half written */
	if (at && strchr(at, '\n') && regexec(&re, at, 1, m, 0) == 0) {
		snprintf(addr, size, "%.*s", (int)(m[0].rm_eo - m[0].rm_so), at + m[0].rm_so);
		found = true;
	}
	regfree(&re);
	free(text);
	return found;
}

/* The JSON that a command printed: its last line, or all it said. NULL when there is none. */
static inline json_t *proc_json(int fd)
{
	char *text = proc_text(fd), *line;
	size_t len = strlen(text);
	json_t *json;

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	line = strrchr(text, '\n');
	json = json_loads(line ? line + 1 : text, 0, NULL);
	if (!json)
		json = json_loads(text, 0, NULL);
	free(text);
	return json;
}

/* Processes whose time is yet to be added. */
struct proc_list {
	pid_t pids[4096];
	unsigned count;
};

/* The children that a task has started. Needs CONFIG_PROC_CHILDREN; else there are none. */
static inline void proc_add_children(struct proc_list *todo, const char *task)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/children", task);
	f = fopen(path, "re");
	while (f && todo->count < 4096 && fscanf(f, "%d", &todo->pids[todo->count]) == 1)
		todo->count++;
	if (f)
		fclose(f);
}

/* Time of children that have gone: fields 16 and 17 of stat (proc(5)), in ticks of 10 ms. */
static inline int64_t proc_gone_cpu_ns(pid_t pid)
{
	char path[64], text[1024] = "", *p;
	long long user = 0, system = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	p = strrchr(text, ')'); /* the name may hold anything */
	if (p)
		sscanf(p + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld %lld",
		       &user, &system);
	return (user + system) * (1000000000 / sysconf(_SC_CLK_TCK));
}

/* CPU time of a process's live threads; their children are added to the list. */
static inline int64_t proc_threads_cpu_ns(pid_t pid, struct proc_list *todo)
{
	char path[320];
	int64_t sum = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		long long ns;
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%lld", &ns) == 1)
			sum += ns;
		if (f)
			fclose(f);
		*strrchr(path, '/') = '\0';
		proc_add_children(todo, path);
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* CPU time of a process and its live descendants, and of the children that they waited for. */
static inline int64_t proc_tree_cpu_ns(pid_t pid)
{
	struct proc_list todo = { .pids = { pid }, .count = 1 };
	int64_t sum = 0;

	while (todo.count > 0) {
		pid_t next = todo.pids[--todo.count];

		sum += proc_gone_cpu_ns(next) + proc_threads_cpu_ns(next, &todo);
	}
	return sum;
}

/* Ticks that the hypervisor took from this machine: field 8 of the first line of /proc/stat. */
static inline long long proc_steal(void)
{
	long long steal = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (f && fscanf(f, "cpu %*s %*s %*s %*s %*s %*s %*s %lld", &steal) != 1)
		steal = 0;
	if (f)
		fclose(f);
	return steal;
}

#endif
