/* SPDX-License-Identifier: MIT
 * identity: as whom echod serves: a user, a group, and no capability.
 */
#ifndef ECHOD_IDENTITY_H
#define ECHOD_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "echo/base/opt.h"

enum { IDENTITY_NAME_MAX = 64 };

/* The values of `user` and `group`; zeroed: off. */
struct identity_user {
	char name[IDENTITY_NAME_MAX]; /* as given */
	uid_t uid;
	gid_t gid; /* its own group */
};

struct identity_group {
	char name[IDENTITY_NAME_MAX];
	gid_t gid;
};

/* A name or a number; "off". A number that the system does not know is its own group. */
extern const struct opt_type opt_user;
extern const struct opt_type opt_group;

/* Whether this process may become that: 0, or -EPERM. */
int identity_check(const struct identity_user *user, const struct identity_group *group);

/* Whether this would change anything. */
bool identity_changes(const struct identity_user *user, const struct identity_group *group);

/* Becomes that user, in that group and no other, in all threads of the process. What is off stays
 * as it is; root's other groups go with either. Returns 0 or -errno; after a failure the process
 * may be neither the one nor the other, and must end. */
int identity_become(const struct identity_user *user, const struct identity_group *group);

/* Gives up all capabilities of the calling thread, and what exec could give. Returns 0 or -errno.
 */
int identity_drop_capabilities(void);

#endif
