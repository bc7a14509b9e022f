/* SPDX-License-Identifier: MIT
 * provenance: reads small files of /proc and /sys, each with one bounded read. A file that is not
 * there is a fact that is not known, never an error.
 */
#include "echo/lab/provenance.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"

enum {
	CPUINFO_MAX = 8192, /* the first CPU's entry */
	ISSUES_MAX = 64,    /* vulnerabilities that a kernel knows */
};

/* What changes the results of programs that speak TCP, and how fast they notice failures. */
static const char *const sysctls[] = {
	"kernel.io_uring_disabled",
	"net.core.busy_poll",
	"net.core.busy_read",
	"net.core.default_qdisc",
	"net.core.rmem_max",
	"net.core.somaxconn",
	"net.core.wmem_max",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_abort_on_overflow",
	"net.ipv4.tcp_congestion_control",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_max_syn_backlog",
	"net.ipv4.tcp_mem",
	"net.ipv4.tcp_orphan_retries",
	"net.ipv4.tcp_retries1",
	"net.ipv4.tcp_retries2",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_rto_max_ms",
	"net.ipv4.tcp_rto_min_us",
	"net.ipv4.tcp_slow_start_after_idle",
	"net.ipv4.tcp_syn_linear_timeouts",
	"net.ipv4.tcp_syn_retries",
	"net.ipv4.tcp_synack_retries",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_timestamps",
	"net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_wmem",
};
static_assert(ARRAY_LEN(sysctls) <= PROVENANCE_SYSCTLS_MAX, "every sysctl has room");

/* The beginning of a file, at most @size - 1 bytes. Returns its length, 0 if there is none. */
static size_t read_some(const char *root, const char *path, char *text, size_t size)
{
	char full[PATH_MAX];
	ssize_t n = -1;
	int fd;

	text[0] = 0;
	if ((size_t)snprintf(full, sizeof(full), "%s%s", root, path) >= sizeof(full))
		return 0;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	do
		n = read(fd, text, size - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	n = n < 0 ? 0 : n;
	text[n] = 0;
	return (size_t)n;
}

/* Ends @text at its first line; tabs become spaces, other control characters '?'. */
static void one_line(char *text)
{
	size_t len = strcspn(text, "\n");

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	text[len] = 0;
	for (; *text; text++) {
		if (*text == '\t')
			*text = ' ';
		else if (iscntrl((unsigned char)*text))
			*text = '?';
	}
}

static void read_line(const char *root, const char *path, char *text, size_t size)
{
	read_some(root, path, text, size);
	one_line(text);
}

/* The value of "key : value" in the text of /proc/cpuinfo; "" if there is no such key. */
static void cpuinfo_value(const char *text, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);

	value[0] = 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || !strchr(" \t:", line[len]))
			continue;
		line += len + strspn(line + len, " \t:");
		snprintf(value, size, "%s", line);
		one_line(value);
		return;
	}
}

/* Whether @word stands in @text, between spaces. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		if ((at == text || isspace((unsigned char)at[-1])) &&
		    (at[len] == 0 || isspace((unsigned char)at[len])))
			return true;
	}
	return false;
}

/* Model, and whether a hypervisor says that it is there. */
static void read_cpu(struct provenance *p, const char *root)
{
	char text[CPUINFO_MAX], implementer[32], part[32];
	char *const name = p->virtualization;
	const size_t size = sizeof(p->virtualization);

	read_some(root, "/proc/cpuinfo", text, sizeof(text));
	cpuinfo_value(text, "model name", p->cpu, sizeof(p->cpu));
	cpuinfo_value(text, "CPU implementer", implementer, sizeof(implementer));
	cpuinfo_value(text, "CPU part", part, sizeof(part));
	if (!p->cpu[0] && implementer[0]) /* arm64 gives numbers only */
		snprintf(p->cpu, sizeof(p->cpu), "implementer %s, part %s", implementer, part);
	if (!has_word(text, "hypervisor"))
		return;
	read_line(root, "/sys/class/dmi/id/product_name", name, size);
	if (!name[0])
		read_line(root, "/sys/hypervisor/type", name, size);
	if (!name[0])
		snprintf(name, size, "hypervisor");
}

static void read_kernel(struct provenance *p)
{
	struct utsname u;

	if (uname(&u) < 0)
		return;
	snprintf(p->kernel, sizeof(p->kernel), "%.30s %.70s %.20s", u.sysname, u.release,
		 u.machine);
	snprintf(p->kernel_build, sizeof(p->kernel_build), "%.120s", u.version);
}

static void read_cpu_count(struct provenance *p)
{
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	p->cpus_online = online > 0 ? (unsigned)online : 0;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		p->cpus_allowed = (unsigned)CPU_COUNT(&set);
}

struct issue {
	char name[48], state[16]; /* of the state, the first word decides */
};

static int issue_compare(const void *left, const void *right)
{
	const struct issue *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/* The vulnerabilities that the kernel knows, in order, each with its state. Returns how many. */
static unsigned read_issues(const char *root, struct issue issues[ISSUES_MAX])
{
	static const char dir_path[] = "/sys/devices/system/cpu/vulnerabilities";
	char path[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", root, dir_path) >= sizeof(path))
		return 0;
	dir = opendir(path);
	if (!dir)
		return 0;
	while (n < ISSUES_MAX && (e = readdir(dir))) {
		struct issue *is = &issues[n];

		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(is->name))
			continue;
		snprintf(is->name, sizeof(is->name), "%.*s", (int)sizeof(is->name) - 1, e->d_name);
		snprintf(path, sizeof(path), "%s/%.*s", dir_path, (int)sizeof(is->name) - 1,
			 is->name);
		read_line(root, path, is->state, sizeof(is->state));
		n++;
	}
	closedir(dir);
	qsort(issues, n, sizeof(issues[0]), issue_compare);
	return n;
}

/* "vulnerable: a, b; mitigated: c"; what the CPU is not affected by is left out. */
static void read_mitigations(struct provenance *p, const char *root)
{
	static const char *const states[][2] = {
		{ "Vulnerable", "vulnerable" },
		{ "Mitigation", "mitigated" },
		{ "Unknown", "unknown" },
	};
	struct issue issues[ISSUES_MAX];
	const unsigned count = read_issues(root, issues);
	const size_t size = sizeof(p->mitigations);
	size_t len = 0;

	for (size_t s = 0; s < ARRAY_LEN(states); s++) {
		bool first = true;

		for (unsigned i = 0; i < count && len < size; i++) {
			if (strncmp(issues[i].state, states[s][0], strlen(states[s][0])) != 0)
				continue;
			len += (size_t)snprintf(p->mitigations + len, size - len, "%s%s%s%s",
						first && len > 0 ? "; " : "",
						first ? states[s][1] : "", first ? ": " : ", ",
						issues[i].name);
			first = false;
		}
	}
	if (count > 0 && len == 0)
		snprintf(p->mitigations, size, "none needed");
}

static void read_sysctls(struct provenance *p, const char *root)
{
	char path[PROVENANCE_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(sysctls); i++) {
		struct provenance_sysctl *s = &p->sysctls[p->sysctl_count];

		snprintf(path, sizeof(path), "/proc/sys/%s", sysctls[i]);
		for (char *c = path; *c; c++)
			*c = *c == '.' ? '/' : *c;
		read_line(root, path, s->value, sizeof(s->value));
		s->name = sysctls[i];
		p->sysctl_count += s->value[0] != 0;
	}
}

void provenance_read(struct provenance *p, const char *root)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->version, sizeof(p->version), "%s", program_version());
	snprintf(p->commit, sizeof(p->commit), "%s", program_commit());
	read_kernel(p);
	read_cpu_count(p);
	read_cpu(p, root);
	read_line(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", p->governor,
		  sizeof(p->governor));
	read_line(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  p->clocksource, sizeof(p->clocksource));
	read_mitigations(p, root);
	read_sysctls(p, root);
}

void provenance_each(const struct provenance *p,
		     void (*each)(void *arg, const char *name, const char *value), void *arg)
{
	char online[16], allowed[16];

	snprintf(online, sizeof(online), "%u", p->cpus_online);
	snprintf(allowed, sizeof(allowed), "%u", p->cpus_allowed);

	const struct {
		const char *name, *value;
	} facts[] = {
		{ "version", p->version },
		{ "commit", p->commit },
		{ "kernel", p->kernel },
		{ "kernel_build", p->kernel_build },
		{ "cpu", p->cpu },
		{ "cpus_online", p->cpus_online ? online : "" },
		{ "cpus_allowed", p->cpus_allowed ? allowed : "" },
		{ "governor", p->governor },
		{ "clocksource", p->clocksource },
		{ "virtualization", p->virtualization },
		{ "mitigations", p->mitigations },
	};

	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		if (facts[i].value[0])
			each(arg, facts[i].name, facts[i].value);
	}
	for (unsigned i = 0; i < p->sysctl_count; i++)
		each(arg, p->sysctls[i].name, p->sysctls[i].value);
}

int64_t provenance_steal_at(const char *root)
{
	/* cpu user nice system idle iowait irq softirq steal ..., in ticks */
	char text[512];
	unsigned long long ticks;
	const long per_second = sysconf(_SC_CLK_TCK);

	read_line(root, "/proc/stat", text, sizeof(text));
	if (per_second <= 0 || sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) != 1 ||
	    ticks > INT64_MAX / 1000000000ull * (unsigned long long)per_second)
		return -1;
	return (int64_t)(ticks * (1000000000ull / (unsigned long long)per_second));
}

int64_t provenance_steal_ns(void)
{
	return provenance_steal_at("");
}
