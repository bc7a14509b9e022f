/* SPDX-License-Identifier: MIT
 * throttle: adds up cpu.stat of all control groups from ours to the top, and the counters of heat.
 */
#include "throttle.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { CPUS_MAX = 4096 };

static uint64_t group_count(const char *dir)
{
	char path[PATH_MAX], line[128];
	unsigned long long n = 0;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/cpu.stat", dir) >= (int)sizeof(path))
		return 0;
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "nr_throttled %llu", &n) != 1)
		;
	if (f)
		fclose(f);
	return n;
}

/* The group at @group in the hierarchy at @top, and all that it is in. */
static uint64_t groups_count(const char *root, const char *top, const char *group)
{
	char dir[PATH_MAX];
	size_t least = strlen(root) + strlen(top);
	uint64_t sum = 0;

	if (snprintf(dir, sizeof(dir), "%s%s%s", root, top, group) >= (int)sizeof(dir))
		return 0;
	for (char *end = dir + strlen(dir); end && (size_t)(end - dir) >= least;
	     end = strrchr(dir, '/')) {
		*end = '\0';
		if (end[-1] != '/') /* a hierarchy's own group is "/" */
			sum += group_count(dir);
	}
	return sum;
}

/* A line of /proc/self/cgroup: number, controllers, group (cgroups(7)). */
static uint64_t line_count(const char *root, char *line)
{
	char *controllers = strchr(line, ':'),
	     *group = controllers ? strchr(controllers + 1, ':') : 0;
	char top[128];

	if (!group)
		return 0;
	*group++ = '\0';
	controllers++;
	group[strcspn(group, "\n")] = '\0';
	if (!*controllers)
		return groups_count(root, "/sys/fs/cgroup", group) +
		       groups_count(root, "/sys/fs/cgroup/unified", group);
	if (strcmp(controllers, "cpu") != 0 && strncmp(controllers, "cpu,", 4) != 0 &&
	    !strstr(controllers, ",cpu"))
		return 0;
	snprintf(top, sizeof(top), "/sys/fs/cgroup/%.100s", controllers);
	return groups_count(root, top, group);
}

static uint64_t quota_count(const char *root)
{
	char path[PATH_MAX], line[PATH_MAX];
	uint64_t sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%.2000s/proc/self/cgroup", root);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sum += line_count(root, line);
	if (f)
		fclose(f);
	return sum;
}

static uint64_t heat_count(const char *root)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
		char path[PATH_MAX];
		unsigned long long n = 0;
		FILE *f;

		snprintf(path, sizeof(path),
			 "%.2000s/sys/devices/system/cpu/cpu%u/thermal_throttle/"
			 "core_throttle_count",
			 root, cpu);
		f = fopen(path, "re");
		if (!f)
			break;
		if (fscanf(f, "%llu", &n) == 1)
			sum += n;
		fclose(f);
	}
	return sum;
}

uint64_t throttle_count_at(const char *root)
{
	return quota_count(root) + heat_count(root);
}

uint64_t throttle_count(void)
{
	return throttle_count_at("");
}
