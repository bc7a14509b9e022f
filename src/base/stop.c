/* SPDX-License-Identifier: MIT
 * stop: the one list of the signals that end a program.
 */
#include "echo/base/stop.h"

#include <stddef.h>

#include "echo/base/base.h"

void stop_signals(sigset_t *set)
{
	static const int of_terminals[] = { SIGINT, SIGHUP };
	struct sigaction now;

	sigemptyset(set);
	sigaddset(set, SIGTERM);
	for (size_t i = 0; i < ARRAY_LEN(of_terminals); i++)
		if (sigaction(of_terminals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(set, of_terminals[i]);
}
