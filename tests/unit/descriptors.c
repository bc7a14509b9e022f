/* SPDX-License-Identifier: MIT
 * descriptors: the limit of this process.
 */
#include "descriptors.h"

#include <check.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit before;

int descriptors_limit(unsigned more)
{
	const int next = dup(STDERR_FILENO);
	struct rlimit limit;

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next + more;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return next;
}

void descriptors_unlimited(void)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
