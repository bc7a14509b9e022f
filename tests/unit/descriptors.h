/* SPDX-License-Identifier: MIT
 * descriptors: a process that has no more of them, or few.
 */
#ifndef ECHO_TESTS_DESCRIPTORS_H
#define ECHO_TESTS_DESCRIPTORS_H

/* Leaves room for @more descriptors than are open, until descriptors_unlimited. Returns the number
 * that the next one gets. */
int descriptors_limit(unsigned more);
/* The limit is what it was: a test of which Check makes no process of its own needs some. */
void descriptors_unlimited(void);

#endif
