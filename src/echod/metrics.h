/* SPDX-License-Identifier: MIT
 * metrics: the counters of the workers as text.
 */
#ifndef ECHOD_METRICS_H
#define ECHOD_METRICS_H

#include <stdio.h>

struct worker;

/* Writes all counters in Prometheus' text exposition format, a line for each worker. Causes that
 * have not happened are left out. From any thread, while the workers run. */
void metrics_print(FILE *to, const struct worker *workers, unsigned count);

#endif
