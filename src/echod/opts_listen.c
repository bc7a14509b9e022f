/* SPDX-License-Identifier: MIT
 * opts_listen: the types of the options that say where to listen, and what only some addresses can
 * honour.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/net/net_opt.h"
#include "listen/name.h"
#include "opts.h"

static int listen_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct addr_list *l = field;
	struct addr a;

	if (!name_is_said(text))
		return opt_addr.parse(o, text, field, why);
	if (name_parse(&a, text) < 0) {
		snprintf(why, OPT_ERROR_MAX,
			 "must be fd:NAME, with a name of 1 to 107 bytes without blanks and ':'");
		return -EINVAL;
	}
	if (l->count == ARRAY_LEN(l->at)) {
		snprintf(why, OPT_ERROR_MAX, "more than %zu addresses", ARRAY_LEN(l->at));
		return -ERANGE;
	}
	l->at[l->count++] = a;
	return 0;
}

static bool listen_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	const struct addr_list *l = field;
	char buf[ADDR_TEXT_MAX];

	(void)o;
	if (nth >= l->count)
		return false;
	snprintf(text, OPT_TEXT_MAX, "%s", name_format(&l->at[nth], buf));
	return true;
}

const struct opt_type opt_listen = { "ADDRESS", listen_parse, listen_print };

/* Read and write for owner, group and others: nothing else of a socket's mode means anything. */
static int mode_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	const size_t len = strspn(text, "01234567");
	const unsigned long mode = strtoul(text, NULL, 8);
	const unsigned value = (unsigned)mode;

	(void)o;
	if (len == 0 || len > 4 || text[len] || mode > (S_IRWXU | S_IRWXG | S_IRWXO)) {
		snprintf(why, OPT_ERROR_MAX,
			 "must be permissions as chmod takes them, such as 0660");
		return -EINVAL;
	}
	memcpy(field, &value, sizeof(value));
	return 0;
}

static bool mode_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const unsigned *mode = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%04o", *mode);
	return nth == 0;
}

const struct opt_type opt_mode = { "MODE", mode_parse, mode_print };

/* A number below 2^32 - 1, which stands for none. */
static bool owner_number(const char *text, unsigned *id)
{
	const struct opt row = { .type = &opt_uint, .max = UINT32_MAX - 1, .size = sizeof(*id) };
	char why[OPT_ERROR_MAX];

	return text[0] >= '0' && text[0] <= '9' && opt_uint.parse(&row, text, id, why) == 0;
}

/* "USER", "USER:GROUP" or ":GROUP", as names or numbers. Returns what is unknown, or NULL. */
static const char *owner_read(const char *user, const char *group, struct sock_owner *owner)
{
	const struct passwd *u = user[0] ? getpwnam(user) : NULL;
	const struct group *g = group[0] ? getgrnam(group) : NULL;
	unsigned id;

	if (u)
		owner->uid = u->pw_uid;
	else if (user[0] && owner_number(user, &id))
		owner->uid = id;
	else if (user[0])
		return user;
	if (g)
		owner->gid = g->gr_gid;
	else if (group[0] && owner_number(group, &id))
		owner->gid = id;
	else if (group[0])
		return group;
	return NULL;
}

static int owner_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct sock_owner owner = { (uid_t)-1, (gid_t)-1 };
	const size_t len = strcspn(text, ":");
	const char *unknown = NULL, *group = text[len] ? text + len + 1 : "";
	char user[OPT_TEXT_MAX];

	(void)o;
	snprintf(user, sizeof(user), "%.*s", (int)len, text);
	if (strcmp(text, "self") != 0)
		unknown = owner_read(user, group, &owner);
	if (unknown || !text[0] || (text[len] && !group[0])) {
		snprintf(why, OPT_ERROR_MAX, "must be self, USER, USER:GROUP or :GROUP%s%.100s%s",
			 unknown ? "; nobody is called '" : "", unknown ? unknown : "",
			 unknown ? "'" : "");
		return -EINVAL;
	}
	memcpy(field, &owner, sizeof(owner));
	return 0;
}

static bool owner_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	const struct sock_owner *owner = field;
	int n = 0;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "self");
	if (owner->uid != (uid_t)-1)
		n = snprintf(text, OPT_TEXT_MAX, "%u", owner->uid);
	if (owner->gid != (gid_t)-1)
		snprintf(text + n, OPT_TEXT_MAX - (size_t)n, ":%u", owner->gid);
	return nth == 0;
}

const struct opt_type opt_owner = { "USER:GROUP", owner_parse, owner_print };

/* ---- across rows ---- */

/* What a supervisor passes may be anything. */
static bool listens_on(const struct echod_config *c, bool (*kind)(const struct addr *a))
{
	for (unsigned i = 0; i < c->listen.count; i++) {
		if (name_is(&c->listen.at[i]) || kind(&c->listen.at[i]))
			return true;
	}
	return false;
}

static bool is_tcp(const struct addr *a)
{
	return !addr_is_unix(a);
}

static bool is_path(const struct addr *a)
{
	return addr_path(a) != NULL;
}

int opts_listen_check(struct opt_set *s, const struct echod_config *c)
{
	static const char *const of_tcp[] = { "keepalive", "user_timeout", "congestion" };
	static const char *const of_path[] = { "unix_mode", "unix_owner" };
	const bool passed = opt_origin_of(s, "listen")->level == OPT_DEFAULT;

	for (size_t i = 0; i < ARRAY_LEN(of_tcp) && !listens_on(c, is_tcp); i++) {
		if (opt_differs(s, of_tcp[i]))
			return opt_error_at(s, of_tcp[i],
					    "is of TCP, and every address is a unix socket");
	}
	for (size_t i = 0; i < ARRAY_LEN(of_path) && !passed && !listens_on(c, is_path); i++) {
		if (opt_differs(s, of_path[i]))
			return opt_error_at(s, of_path[i],
					    "is of unix:PATH, and no address is one");
	}
	return 0;
}
