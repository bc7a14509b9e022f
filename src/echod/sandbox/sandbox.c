/* SPDX-License-Identifier: MIT
 * sandbox: the order in which privileges go.
 *
 * A change of the user takes the capabilities of all threads along, and needs them in all; so a
 * thread gives up its own only where the user stays.
 */
#include "sandbox.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "echo/base/log.h"
#include "echo/base/output.h"
#include "filter.h"

/* Only in a program that gcc counts the coverage of, whose objects all ask for it. */
extern void __gcov_init(void *) __attribute__((weak));

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* What else runs in this process, opens files and makes calls of its own; NULL: nothing. */
static const char *sandbox_guest(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (sizeof(long) < sizeof(int64_t))
		return "the calls of 32 bits are not known";
	if (SANITIZED)
		return "a sanitizer is built in";
	if (__gcov_init)
		return "coverage is built in";
	return preload && strstr(preload, "/vgpreload_") ? "valgrind runs it" : NULL;
}

static enum sandbox_mode sandbox_mode(const struct sandbox *s)
{
	if (s->config->mode == SANDBOX_ON && sandbox_guest())
		return SANDBOX_OFF;
	return s->config->mode;
}

static bool sandbox_changes_identity(const struct sandbox *s)
{
	return identity_changes(&s->config->user, &s->config->group);
}

int sandbox_begin(struct sandbox *s)
{
	const struct sandbox_config *c = s->config;
	int r = identity_check(&c->user, &c->group);

	s->helper.fd = -1;
	(void)pthread_mutex_init(&s->helper.lock, NULL);
	if (r < 0) {
		log_error("cannot become %s %s: only root can", c->user.name[0] ? "user" : "group",
			  c->user.name[0] ? c->user.name : c->group.name);
		return r;
	}
	if (c->mode != SANDBOX_OFF && sandbox_guest()) {
		if (c->mode == SANDBOX_REQUIRED) {
			log_error("sandbox = required: cannot be had where %s", sandbox_guest());
			return -ENOTSUP;
		}
		log_warn("sandbox: off, since %s", sandbox_guest());
	}
	if (sandbox_mode(s) == SANDBOX_OFF && !sandbox_changes_identity(s))
		return 0;
	r = s->wants_helper ? helper_start(&s->helper) : 0;
	if (r < 0)
		log_error("cannot start the helper process: %s", strerror(-r));
	output_keep(); /* the helper can still open what it writes to */
	return r;
}

/* No exec gives this thread, or its children, anything more. */
static int sandbox_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int sandbox_give_up(void)
{
	int r = sandbox_no_new_privs();

	return r < 0 ? r : identity_drop_capabilities();
}

static void sandbox_settle_as_user(void)
{
	(void)sandbox_no_new_privs();
}

static void sandbox_settle_as_we_are(void)
{
	(void)sandbox_give_up();
}

void (*sandbox_settle(const struct sandbox *s))(void)
{
	if (sandbox_mode(s) == SANDBOX_OFF)
		return NULL;
	return sandbox_changes_identity(s) ? sandbox_settle_as_user : sandbox_settle_as_we_are;
}

/* What is in the way: returns r where that must not be. */
static int sandbox_lacks(const struct sandbox *s, int r, const char *what)
{
	if (r == 0)
		return 0;
	if (s->config->mode == SANDBOX_REQUIRED) {
		log_error("sandbox = required: %s: %s", what, strerror(-r));
		return r;
	}
	log_warn("sandbox: %s: %s; serving without", what, strerror(-r));
	return 0;
}

int sandbox_enter(struct sandbox *s)
{
	const struct sandbox_config *c = s->config;
	int r = identity_become(&c->user, &c->group);

	if (r < 0) {
		log_error("cannot become user %s, group %s: %s", c->user.name, c->group.name,
			  strerror(-r));
		return r;
	}
	if (sandbox_mode(s) == SANDBOX_OFF)
		return 0;
	return sandbox_lacks(s, sandbox_give_up(), "capabilities cannot be given up");
}

int sandbox_close(struct sandbox *s, const struct backend_ops *backend, bool takes_over)
{
	int r;

	if (sandbox_mode(s) == SANDBOX_OFF)
		return 0;
	r = filter_load(backend, takes_over);
	s->wide = r == 0 && takes_over;
	return sandbox_lacks(s, r, "no filter of system calls");
}

void sandbox_narrow(struct sandbox *s)
{
	int r = s->wide ? filter_narrow() : 0;

	s->wide = false;
	if (r < 0)
		log_warn("sandbox: the filter stays that of a successor: %s", strerror(-r));
}

void sandbox_end(struct sandbox *s)
{
	helper_end(&s->helper);
}
