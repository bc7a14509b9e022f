/* SPDX-License-Identifier: MIT
 * throttle: how often this program and its children, or the CPUs, were slowed down.
 */
#ifndef ECHOBENCH_THROTTLE_H
#define ECHOBENCH_THROTTLE_H

#include <stdint.h>

/* Periods in which a CPU quota (cgroup versions 1 and 2) of ours, or of a group around it, was used
 * up, and times that a CPU was too hot, since the machine started. What cannot be read counts as 0:
 * only differences mean something. throttle_count_at: of the machine whose files are under @root.
 */
uint64_t throttle_count(void);
uint64_t throttle_count_at(const char *root);

#endif
