/* SPDX-License-Identifier: MIT
 * suite: runs drills, several at a time, and reports each when it is done.
 */
#ifndef ECHODRILL_SUITE_H
#define ECHODRILL_SUITE_H

struct drill;
struct drill_config;
struct pair_list;

/* Runs every drill with every pair of programs. Returns the exit code. */
int suite_run(const struct drill_config *c, const struct drill *drills, unsigned count,
	      const struct pair_list *pairs);

#endif
