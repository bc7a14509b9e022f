/* SPDX-License-Identifier: MIT
 * worker_tell: what a worker tells whoever waits for it.
 */
#include <sys/eventfd.h>

#include "echo/net/worker.h"

void worker_tell_first(struct worker *w)
{
	if (w->done_fd >= 0)
		(void)eventfd_write(w->done_fd, 1); /* full, it is readable anyway */
}
