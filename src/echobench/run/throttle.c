/* SPDX-License-Identifier: MIT
 * throttle: quotas that were used up (cpu_quota.c), and the counters of heat.
 */
#include "throttle.h"

#include <limits.h>
#include <stdio.h>

#include "echo/base/cpu_quota.h"

enum { CPUS_MAX = 4096 };

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
	struct cpu_quota q;

	cpu_quota_read_at(root, &q);
	return q.throttled + heat_count(root);
}

uint64_t throttle_count(void)
{
	return throttle_count_at("");
}
