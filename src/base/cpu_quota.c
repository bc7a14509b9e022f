/* SPDX-License-Identifier: MIT
 * cpu_quota: /proc/self/cgroup names our group in each hierarchy, /proc/self/mountinfo says where
 * that hierarchy is mounted and which group stands at the mount point. All groups from ours up to
 * the mount point count: each has a quota of its own. A container sees no further up.
 */
#include "echo/base/cpu_quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"

enum { LINE_LEN = 2 * PATH_MAX };

/* Where the hierarchy that counts CPU time is mounted, and the group that is seen there. */
struct mount {
	char group[PATH_MAX], point[PATH_MAX];
};

static FILE *open_at(const char *root, const char *path)
{
	char full[2 * PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return NULL;
	return fopen(full, "re");
}

static bool has_cpu(const char *controllers)
{
	char all[256];

	return snprintf(all, sizeof(all), ",%s,", controllers) < (int)sizeof(all) &&
	       strstr(all, ",cpu,");
}

/* The escapes of mountinfo (proc(5)): a backslash and three octal digits. */
static void unescape(char *text)
{
	char *to = text;
	unsigned code;

	for (; *text; text++) {
		if (sscanf(text, "\\%3o", &code) == 1) {
			*to++ = (char)code;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* The part of @group's path below @above, NULL: it is not under it. Of equals it is "". */
static const char *path_below(const char *group, const char *above)
{
	const size_t len = strcmp(above, "/") == 0 ? 0 : strlen(above);

	if (strncmp(group, above, len) != 0 || (group[len] && group[len] != '/'))
		return NULL;
	return strcmp(group + len, "/") == 0 ? "" : group + len;
}

/* Finds a mount of version 2, or of the version 1 hierarchy with the controller cpu, that shows
 * @group. */
static bool find_mount(const char *root, bool version_2, const char *group, struct mount *m)
{
	char line[LINE_LEN], type[32], options[256];
	FILE *f = open_at(root, "/proc/self/mountinfo");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(rest, " - %31s %*s %255s", type, options) != 2 ||
		    sscanf(line, "%*s %*s %*s %4095s %4095s", m->group, m->point) != 2)
			continue;
		unescape(m->group);
		unescape(m->point);
		found = version_2 ? strcmp(type, "cgroup2") == 0
				  : strcmp(type, "cgroup") == 0 && has_cpu(options);
		found = found && path_below(group, m->group);
	}
	if (f)
		fclose(f);
	return found;
}

static void smaller_quota(struct cpu_quota *q, double quota, double period)
{
	const double cpus = quota / period;

	if (quota > 0 && period > 0 && (q->cpus == 0 || cpus < q->cpus))
		q->cpus = cpus;
}

/* The first number of a file; -1: there is none. */
static long long read_number(const char *root, const char *dir, const char *name)
{
	char path[PATH_MAX];
	long long n = -1;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -1;
	f = open_at(root, path);
	if (f && fscanf(f, "%lld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* The quota of one group: cpu.max of version 2 ("max" is none), two files of version 1. */
static void read_quota(const char *root, const char *dir, struct cpu_quota *q)
{
	char path[PATH_MAX];
	double quota, period;
	FILE *f;

	smaller_quota(q, (double)read_number(root, dir, "cpu.cfs_quota_us"),
		      (double)read_number(root, dir, "cpu.cfs_period_us"));
	if (snprintf(path, sizeof(path), "%s/cpu.max", dir) >= (int)sizeof(path))
		return;
	f = open_at(root, path);
	if (f && fscanf(f, "%lf %lf", &quota, &period) == 2)
		smaller_quota(q, quota, period);
	if (f)
		fclose(f);
}

/* The counters of one group: throttled_time is version 1's (ns), throttled_usec version 2's. */
static void read_stat(const char *root, const char *dir, struct cpu_quota *q)
{
	char path[PATH_MAX], line[128], name[64];
	unsigned long long n;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/cpu.stat", dir) >= (int)sizeof(path))
		return;
	f = open_at(root, path);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %llu", name, &n) != 2)
			continue;
		if (strcmp(name, "nr_throttled") == 0)
			q->throttled += n;
		else if (strcmp(name, "throttled_time") == 0)
			q->throttled_ns += (int64_t)n;
		else if (strcmp(name, "throttled_usec") == 0)
			q->throttled_ns += (int64_t)n * USEC(1);
	}
	if (f)
		fclose(f);
}

/* @group, and all that it is in, as far as the mount shows them. */
static void read_groups(const char *root, const struct mount *m, const char *group,
			struct cpu_quota *q)
{
	const size_t point = strlen(m->point);
	char dir[PATH_MAX];
	char *end;

	if (snprintf(dir, sizeof(dir), "%s%s", m->point, path_below(group, m->group)) >=
	    (int)sizeof(dir))
		return;
	for (end = dir + strlen(dir); end && (size_t)(end - dir) >= point;
	     end = strrchr(dir, '/')) {
		*end = '\0';
		read_quota(root, dir, q);
		read_stat(root, dir, q);
	}
}

/* A line of /proc/self/cgroup: number, controllers (none in version 2), group (cgroups(7)). */
static void read_hierarchy(const char *root, char *line, struct cpu_quota *q)
{
	char *controllers = strchr(line, ':'), *group;
	struct mount m;

	group = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!group)
		return;
	*group++ = '\0';
	controllers++;
	group[strcspn(group, "\n")] = '\0';
	if (*group != '/' || (*controllers && !has_cpu(controllers)))
		return;
	if (find_mount(root, !*controllers, group, &m))
		read_groups(root, &m, group, q);
}

void cpu_quota_read_at(const char *root, struct cpu_quota *q)
{
	char line[LINE_LEN];
	FILE *f = open_at(root, "/proc/self/cgroup");

	*q = (struct cpu_quota){ 0 };
	while (f && fgets(line, sizeof(line), f))
		read_hierarchy(root, line, q);
	if (f)
		fclose(f);
}

void cpu_quota_read(struct cpu_quota *q)
{
	cpu_quota_read_at("", q);
}
