/* SPDX-License-Identifier: MIT
 * stop: the signals that ask a program to end. Programs that have a result block them and take them
 * when they look, so that the result is written first.
 */
#ifndef ECHO_STOP_H
#define ECHO_STOP_H

#include <signal.h>

/* SIGTERM, SIGINT and SIGHUP; the last two not where they are ignored, as under nohup or in the
 * background of a script: a signal that is blocked is kept even if it is ignored. */
void stop_signals(sigset_t *set);

#endif
