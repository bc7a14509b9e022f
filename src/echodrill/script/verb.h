/* SPDX-License-Identifier: MIT
 * verb: what a step of a drill does. A verb is one file, src/echodrill/verbs/verb_NAME.c (waits/
 * for those that only wait and look), and a line in verbs.c: the reader of drills, --help, the
 * manual and the list of errors take it from there.
 */
#ifndef ECHODRILL_VERB_H
#define ECHODRILL_VERB_H

#include <stdbool.h>

#include "echo/base/opt.h"

struct doing;
struct step;

struct verb {
	const char *name;
	const char *usage; /* as it stands in --help: "signal NAME PROC" */

	/* Reads what follows the name (arguments.h). Returns 0, or -EINVAL with @why. */
	int (*parse)(struct step *s, const char **text, char why[OPT_ERROR_MAX]);

	/* Does it. Returns 0; less: the drill ends here (doing.h). */
	int (*act)(struct doing *d);
	bool quiet;  /* the timeline does not say that it was done: what it does shows there */
	bool awaits; /* what makes it done may have come before it began */

	/* Whether the step asks a program what only ours answers: with another program in its place
	 * it is left out. NULL: never. */
	bool (*is_for_ours)(const struct step *s);

	/* A verb that can be the fault of a drill, which counts only when its effect was seen: act
	 * shows it, or looks before and after do, or what was caught until the end. Each may be
	 * NULL. */
	bool can_be_fault;
	void (*before)(struct doing *d);
	void (*after)(struct doing *d);
	void (*end)(struct doing *d);
};

/* All of them, in the order of --help; NULL at the end. */
extern const struct verb *const verbs[];

extern const struct verb verb_await, verb_calm, verb_client, verb_destroy, verb_dial, verb_exhaust,
	verb_hangup, verb_heal, verb_ip, verb_leak, verb_look, verb_nft, verb_restart, verb_settled,
	verb_share, verb_signal, verb_start, verb_sysctl, verb_tc, verb_type, verb_wait, verb_write;

#endif
