/* SPDX-License-Identifier: MIT
 * again: waits by poll, which the sandbox allows.
 */
#include "again.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

enum { TRIES = 100, EVERY_MS = 10 };

bool again_soon(unsigned *tries)
{
	if (errno == EINTR)
		return true;
	if ((errno != ENOMEM && errno != ENOBUFS) || ++*tries > TRIES)
		return false;
	(void)poll(NULL, 0, EVERY_MS);
	return true;
}
