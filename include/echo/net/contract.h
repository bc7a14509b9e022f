/* SPDX-License-Identifier: MIT
 * contract: what role.h and conn.h promise a role, held against what its backend does: a layer
 * between the two that looks at every callback, and changes nothing. For tests: programs of the
 * variants that look for faults (make VARIANT=contract, asan, tsan ...) have it (ECHO_CONTRACT), a
 * normal build does not link it. The simulator and unit tests put it in themselves.
 *
 * Its rules, by name:
 *
 *     nested          a callback within another of the same thread
 *     after-closed    a callback behind the last, or of a slot that is free
 *     not-open        a callback of a connection that is closing or moving (`closed` apart)
 *     opened-twice    or `resumed` of one that was never open and did not come from elsewhere
 *     data-late       bytes before `opened` or behind `eof`, or none at all
 *     data-count      c->received is not the sum of what was delivered
 *     eof-twice       a second FIN, or one before `opened`
 *     eof-early       a FIN while bytes before it lie in the socket
 *     drained-early   bytes are unsent
 *     owed            what is sent and what is unsent are not together what the role has asked for
 *     no-cause        an end without a cause
 *     owed-behind-fin an end that is a FIN, and not all was sent
 *     pool-leaks      blocks of the pool of unsent bytes that are not back when nobody is left
 *     books           connections that were opened and not closed when nobody is left
 */
#ifndef ECHO_CONTRACT_H
#define ECHO_CONTRACT_H

struct conn;
struct role;
struct worker;

/* What happens when a rule is broken: by default a line on stderr, and abort. @broken does not
 * return. NULL: the default. */
void contract_on_break(void (*broken)(const char *rule, const char *why));

/* The role that calls @role's callbacks and checks each of them; for worker.role, before
 * worker_init. All workers of a process have the same @role. Of one that is checked already:
 * itself, with what its own role has become. */
const struct role *contract_role(const struct role *role);

/* The worker's loop and its backend are over. */
void contract_over(const struct worker *w);

/* Where the layer is put in, and looks at what is left: nothing in a normal build. */
#ifdef ECHO_CONTRACT
#define CONTRACT_HOLD(w) ((w)->role = contract_role((w)->role))
#define CONTRACT_OVER(w) contract_over(w)
#else
#define CONTRACT_HOLD(w) ((void)0)
#define CONTRACT_OVER(w) ((void)0)
#endif

#endif
