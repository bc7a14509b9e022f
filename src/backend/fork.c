/* SPDX-License-Identifier: MIT */
#include "echo/backend.h"
const struct backend_ops backend_fork = { .name = "fork", .caps = BACKEND_ACCEPT | BACKEND_SINGLE };
