/* SPDX-License-Identifier: MIT
 * clock: the one monotonic clock that all times in echolab are taken from.
 */
#ifndef ECHO_CLOCK_H
#define ECHO_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t clock_now_ns(void);

/* Nanoseconds since the epoch (CLOCK_REALTIME): for provenance only, never for durations. */
int64_t clock_unix_ns(void);

/* CPU time of the calling thread, nanoseconds. */
int64_t clock_thread_cpu_ns(void);

/* Time that the calling thread has been ready to run since it began, but had no CPU: others ran, or
 * a quota of its control group was used up (schedstat of proc(5)). Time that it was stopped, or
 * that a hypervisor took, is not in it. -1: this kernel does not tell. */
int64_t clock_thread_wait_ns(void);

/* Sleeps until clock_now_ns() >= at_ns; a signal does not shorten it. */
void clock_sleep_until(int64_t at_ns);

#endif
