/* SPDX-License-Identifier: MIT
 * sandbox: what an echod that serves may still do: as little as can be (docs/security.md).
 *
 *     sandbox_begin      nothing is open, no thread runs: the helper is forked
 *       ...              listeners, rings, the socket of a takeover, with all privileges
 *     sandbox_settle     in each worker's thread, when its backend is there
 *     sandbox_enter      user, group, capabilities of the process
 *       ...              threads beside the workers, which inherit that
 *     sandbox_close      nobody is served yet: the filter
 *     sandbox_narrow     a successor has taken over
 */
#ifndef ECHOD_SANDBOX_H
#define ECHOD_SANDBOX_H

#include <stdbool.h>

#include "helper.h"
#include "identity.h"

struct backend_ops;

enum sandbox_mode { SANDBOX_ON, SANDBOX_OFF, SANDBOX_REQUIRED };

struct sandbox_config {
	unsigned mode; /* enum sandbox_mode */
	struct identity_user user;
	struct identity_group group;
};

struct sandbox {
	const struct sandbox_config *config; /* set by the caller, as are the first of `helper` */
	bool wants_helper;                   /* there may be something for it to do */
	bool wide;                           /* the filter is that of a successor */
	struct helper helper;
};

/* What each returns is 0, or -errno, and the reason has been logged. Where `sandbox` is on and this
 * machine does not let us, that is logged and no failure. */

int sandbox_begin(struct sandbox *s);
int sandbox_enter(struct sandbox *s);
/* @takes_over: from another echod; sandbox_narrow follows when that is over, and says what is in
 * its way. */
int sandbox_close(struct sandbox *s, const struct backend_ops *backend, bool takes_over);
void sandbox_narrow(struct sandbox *s);
void sandbox_end(struct sandbox *s);

/* What each worker does in its own thread before it serves (net_config.settle), or NULL. What is
 * in its way is in main's way too, which says so (sandbox_enter). */
void (*sandbox_settle(const struct sandbox *s))(void);

#endif
