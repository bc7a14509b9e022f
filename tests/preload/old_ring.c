/* SPDX-License-Identifier: MIT
 * old_ring: an io_uring like that of Linux 6.0: completions are not deferred, there is no table of
 * files and no number for the ring.
 */
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	int (*f)(unsigned, struct io_uring *, struct io_uring_params *) =
		(int (*)(unsigned, struct io_uring *, struct io_uring_params *))dlsym(
			RTLD_NEXT, "io_uring_queue_init_params");

	if (p->flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	return f ? f(entries, ring, p) : -ENOSYS;
}

int io_uring_register_files_sparse(struct io_uring *ring, unsigned nr)
{
	(void)ring;
	(void)nr;
	return -EINVAL;
}

int io_uring_register_ring_fd(struct io_uring *ring)
{
	(void)ring;
	return -EINVAL;
}
