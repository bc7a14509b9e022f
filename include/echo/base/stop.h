/* SPDX-License-Identifier: MIT
 * stop: the signals that ask a program to end. Programs that have a result block them and take them
 * when they look, so that the result is written first.
 */
#ifndef ECHO_STOP_H
#define ECHO_STOP_H

#include <signal.h>

/* SIGINT, SIGTERM and SIGHUP; the last one not where it is ignored, as under nohup: a signal that
 * is blocked is kept even if it is ignored. */
void stop_signals(sigset_t *set);

#endif
