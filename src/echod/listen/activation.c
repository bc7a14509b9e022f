/* SPDX-License-Identifier: MIT
 * activation: what a supervisor says is checked before anything believes it.
 */
#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/net/sock.h"
#include "name.h"

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

/* What the supervisors call one that has no name (sd_listen_fds_with_names). */
static const char unnamed[] = "unknown";

/* The variable as a number up to @max: -ENOENT: there is none, or -EINVAL. */
static int64_t activation_number(const char *variable, int64_t max)
{
	const struct opt row = { .type = &opt_uint, .max = max, .size = sizeof(uint64_t) };
	const char *text = getenv(variable);
	char why[OPT_ERROR_MAX];
	uint64_t n;

	if (!text)
		return -ENOENT;
	return opt_uint.parse(&row, text, &n, why) < 0 ? -EINVAL : (int64_t)n;
}

/* The next of the names; *rest moves behind it. */
static int activation_name(struct addr *asked, const char **rest)
{
	char text[ADDR_TEXT_MAX];
	size_t len = *rest ? strcspn(*rest, ":") : 0;
	const char *name = len > 0 ? *rest : unnamed;

	snprintf(text, sizeof(text), "fd:%.*s", len > 0 ? (int)len : (int)strlen(unnamed), name);
	if (*rest)
		*rest += len + ((*rest)[len] == ':');
	return len < sizeof(text) ? name_parse(asked, text) : -EINVAL;
}

static int activation_check(struct activation_listener *l, char why[ACTIVATION_WHY_MAX])
{
	char name[ADDR_TEXT_MAX];
	int r = fcntl(l->fd, F_GETFD);

	if (r >= 0)
		r = fcntl(l->fd, F_SETFD, FD_CLOEXEC);
	if (r < 0)
		r = -errno;
	else
		r = sock_listens(l->fd, &l->bound);
	if (r < 0)
		snprintf(why, ACTIVATION_WHY_MAX, "descriptor %d (%s) of LISTEN_FDS %s", l->fd,
			 name_format(&l->asked, name),
			 r == -EBADF ? "is not open" : "is no listener of TCP or of a unix stream");
	return r;
}

static int activation_read(struct activation *a, unsigned count, char why[ACTIVATION_WHY_MAX])
{
	const char *names = getenv("LISTEN_FDNAMES");
	int r = 0;

	for (unsigned i = 0; i < count && r == 0; i++) {
		struct activation_listener *l = &a->at[a->count++];

		l->fd = FIRST_FD + (int)i;
		r = activation_name(&l->asked, &names);
		if (r < 0)
			snprintf(why, ACTIVATION_WHY_MAX,
				 "name %u of LISTEN_FDNAMES is too long, or no name", i + 1);
		else
			r = activation_check(l, why);
	}
	return r;
}

int activation_take(struct activation *a, char why[ACTIVATION_WHY_MAX])
{
	const int64_t pid = activation_number("LISTEN_PID", INT32_MAX);
	const int64_t count = activation_number("LISTEN_FDS", ACTIVATION_MAX);
	int r = 0;

	a->count = 0;
	if (pid != getpid()) /* not meant for us: a parent's that has not taken them out */
		return 0;
	if (count == -EINVAL) {
		snprintf(why, ACTIVATION_WHY_MAX, "LISTEN_FDS must be a number up to %d",
			 (int)ACTIVATION_MAX);
		r = -EINVAL;
	} else if (count > 0) {
		r = activation_read(a, (unsigned)count, why);
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}

void activation_end(struct activation *a)
{
	for (unsigned i = 0; i < a->count; i++) {
		if (a->at[i].fd >= 0)
			close(a->at[i].fd);
	}
	a->count = 0;
}
