/* SPDX-License-Identifier: MIT
 * late_ends: completions in the order of Linux 6.1: what several connections received first, and
 * then which of them have ended. Newer kernels tell of an end next to the last bytes before it.
 */
#include <dlfcn.h>
#include <liburing.h>
#include <stdbool.h>

/* A receive that found the end of its stream. */
static bool is_end(const struct io_uring_cqe *e)
{
	return e->res == 0 && e->flags == IORING_CQE_F_SOCK_NONEMPTY;
}

static void order(struct io_uring *ring)
{
	const unsigned head = *ring->cq.khead, tail = io_uring_smp_load_acquire(ring->cq.ktail);
	const unsigned mask = *ring->cq.kring_mask;
	struct io_uring_cqe *const e = ring->cq.cqes;
	unsigned at = head;

	for (unsigned n = tail - head; n > 0; n--) {
		const struct io_uring_cqe end = e[at & mask];

		if (!is_end(&end)) {
			at++;
			continue;
		}
		for (unsigned i = at; i + 1 != tail; i++)
			e[i & mask] = e[(i + 1) & mask];
		e[(tail - 1) & mask] = end;
	}
}

unsigned io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count)
{
	unsigned (*f)(struct io_uring *, struct io_uring_cqe **, unsigned) =
		(unsigned (*)(struct io_uring *, struct io_uring_cqe **, unsigned))dlsym(
			RTLD_NEXT, "io_uring_peek_batch_cqe");

	order(ring);
	return f ? f(ring, cqes, count) : 0;
}
