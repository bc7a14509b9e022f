/* SPDX-License-Identifier: MIT
 * echo: the server's role: what comes in goes out again.
 */
#ifndef ECHOD_ECHO_H
#define ECHOD_ECHO_H

#include <stdint.h>

struct echo_config {
	int64_t slow_timeout_ns; /* 0: off */
	int64_t idle_timeout_ns; /* 0: off */
};

/* worker->role_state is a const struct echo_config. */
extern const struct role echo_role;

#endif
