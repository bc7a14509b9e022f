/* SPDX-License-Identifier: MIT
 * identity: user and group by name or number, and the change to them. libc changes them in all
 * threads; capabilities belong to each thread, so each gives up its own.
 */
#include "identity.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Returns whether @text is a number that can be an id: -1 means "as it is" to the kernel. */
static bool identity_number(const char *text, unsigned *id)
{
	char *end;
	unsigned long n;

	if (!text[0] || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || n >= UINT32_MAX)
		return false;
	*id = (unsigned)n;
	return true;
}

static int identity_fits(const char *text, char why[OPT_ERROR_MAX])
{
	if (strlen(text) < IDENTITY_NAME_MAX)
		return 0;
	snprintf(why, OPT_ERROR_MAX, "is too long");
	return -EINVAL;
}

static int user_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct identity_user u = { .name = "" };
	const struct passwd *p;
	unsigned id = 0;
	bool number;

	(void)o;
	memset(field, 0, sizeof(u));
	if (strcmp(text, "off") == 0)
		return 0;
	if (identity_fits(text, why) < 0)
		return -EINVAL;
	number = identity_number(text, &id);
	p = number ? getpwuid(id) : getpwnam(text);
	if (!p && !number) {
		snprintf(why, OPT_ERROR_MAX, "is no user of this system, nor a number");
		return -EINVAL;
	}
	memcpy(u.name, text, strlen(text));
	u.uid = p ? p->pw_uid : id;
	if (u.uid == 0) {
		snprintf(why, OPT_ERROR_MAX, "is root: that is nobody to become");
		return -EINVAL;
	}
	u.gid = p ? p->pw_gid : id;
	memcpy(field, &u, sizeof(u));
	return 0;
}

static int group_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct identity_group g = { .name = "" };
	const struct group *p = NULL;
	unsigned id = 0;

	(void)o;
	memset(field, 0, sizeof(g));
	if (strcmp(text, "off") == 0)
		return 0;
	if (identity_fits(text, why) < 0)
		return -EINVAL;
	if (!identity_number(text, &id)) {
		p = getgrnam(text);
		if (!p) {
			snprintf(why, OPT_ERROR_MAX, "is no group of this system, nor a number");
			return -EINVAL;
		}
		id = p->gr_gid;
	}
	memcpy(g.name, text, strlen(text));
	g.gid = id;
	memcpy(field, &g, sizeof(g));
	return 0;
}

/* Both begin with the name. */
static bool name_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const char *name = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", name[0] ? name : "off");
	return nth == 0;
}

const struct opt_type opt_user = { "USER", user_parse, name_print };
const struct opt_type opt_group = { "GROUP", group_parse, name_print };

static gid_t identity_gid(const struct identity_user *user, const struct identity_group *group)
{
	if (group->name[0])
		return group->gid;
	return user->name[0] ? user->gid : getegid();
}

static uid_t identity_uid(const struct identity_user *user)
{
	return user->name[0] ? user->uid : geteuid();
}

bool identity_changes(const struct identity_user *user, const struct identity_group *group)
{
	return identity_uid(user) != geteuid() || identity_gid(user, group) != getegid();
}

int identity_check(const struct identity_user *user, const struct identity_group *group)
{
	if (!identity_changes(user, group))
		return 0;
	if (geteuid() != 0)
		return -EPERM;
	if (capng_get_caps_process() < 0)
		return 0;
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
			       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID)
		       ? 0
		       : -EPERM;
}

int identity_become(const struct identity_user *user, const struct identity_group *group)
{
	const uid_t uid = identity_uid(user);
	const gid_t gid = identity_gid(user, group);

	if (!user->name[0] && !group->name[0])
		return 0;
	if (!identity_changes(user, group) && geteuid() != 0)
		return 0;
	if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

int identity_drop_capabilities(void)
{
	/* who has none need not ask, which a supervisor's filter may forbid */
	if (capng_get_caps_process() == 0 &&
	    capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
		return 0;
	/* without CAP_SETPCAP the bounding set stays: no_new_privs makes it mean nothing */
	capng_clear(CAPNG_SELECT_BOTH);
	(void)!capng_apply(CAPNG_SELECT_BOUNDS);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}
