/* SPDX-License-Identifier: MIT
 * stop: the one list of the signals that end a program.
 */
#include "echo/base/stop.h"

#include <stddef.h>

void stop_signals(sigset_t *set)
{
	struct sigaction hangup;

	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
}
