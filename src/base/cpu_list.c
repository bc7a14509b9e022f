/* SPDX-License-Identifier: MIT
 * cpu_list: ranges of CPUs, and what the scheduler leaves of them to this process.
 */
#include "echo/base/cpu_list.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/cpu_quota.h"
#include "echo/base/opt.h"

/* One number; *end is what follows it. */
static bool cpu_number(const char *text, char **end, unsigned long *n)
{
	if (*text < '0' || *text > '9')
		return false;
	*n = strtoul(text, end, 10);
	return *n < CPU_SETSIZE;
}

int cpu_list_read(const char *text, cpu_set_t *set)
{
	unsigned long first, last;
	cpu_set_t all;
	char *end;

	CPU_ZERO(&all);
	for (;; text = end + 1) {
		if (!cpu_number(text, &end, &first))
			return -EINVAL;
		last = first;
		if (*end == '-' && !cpu_number(end + 1, &end, &last))
			return -EINVAL;
		if (last < first || (*end && *end != ','))
			return -EINVAL;
		for (; first <= last; first++)
			CPU_SET(first, &all);
		if (!*end)
			break;
	}
	*set = all;
	return 0;
}

static int cpu_list_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	struct cpu_list l = { .all = strcmp(text, "all") == 0 };

	(void)o;
	if (!l.all && cpu_list_read(text, &l.set) < 0) {
		snprintf(why, OPT_ERROR_MAX,
			 "must be all, or CPUs and ranges such as 0-3,8 below %d", CPU_SETSIZE);
		return -EINVAL;
	}
	memcpy(field, &l, sizeof(l));
	return 0;
}

static bool cpu_list_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	const struct cpu_list *l = field;
	size_t n = 0;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "all");
	for (unsigned i = 0; i < CPU_SETSIZE && !l->all && n < OPT_TEXT_MAX; i++) {
		unsigned last = i;

		if (!CPU_ISSET(i, &l->set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &l->set))
			last++;
		n += (size_t)snprintf(text + n, OPT_TEXT_MAX - n, last > i ? "%s%u-%u" : "%s%u",
				      n ? "," : "", i, last);
		i = last;
	}
	return nth == 0;
}

const struct opt_type opt_cpus = { "CPUS", cpu_list_parse, cpu_list_print };

/* The CPUs of @l that this process may use. */
static cpu_set_t cpu_list_usable(const struct cpu_list *l)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		CPU_SET(0, &mine);
	if (!l->all)
		CPU_AND(&mine, &mine, &l->set);
	return mine;
}

unsigned cpu_list_count(const struct cpu_list *l)
{
	cpu_set_t usable = cpu_list_usable(l);
	const double count = (double)CPU_COUNT(&usable);
	struct cpu_quota quota;

	cpu_quota_read(&quota);
	return (unsigned)(quota.cpus > 0 ? fmin(count, ceil(quota.cpus)) : count);
}

int cpu_list_nth(const struct cpu_list *l, unsigned nth)
{
	cpu_set_t usable = cpu_list_usable(l);
	unsigned count = (unsigned)CPU_COUNT(&usable);

	if (count == 0)
		return -ENOENT;
	nth %= count;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET((unsigned)i, &usable) && nth-- == 0)
			return i;
	}
	return -ENOENT;
}
