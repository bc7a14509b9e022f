/* SPDX-License-Identifier: MIT
 * net_opt: option types for what only a program with sockets has (opt.h says what a type is).
 */
#ifndef ECHO_NET_OPT_H
#define ECHO_NET_OPT_H

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "sock.h"

/* struct addr_list; what addr_parse reads, or "NAME:PORT", which stands for all addresses of the
 * name and may take the time of a lookup; rows repeat */
extern const struct opt_type opt_addr;
extern const struct opt_type opt_keepalive;  /* struct sock_keepalive: "30s/5s/3" or "off" */
extern const struct opt_type opt_busy_poll;  /* int64_t: nanoseconds, or BUSY_POLL_AUTO */
extern const struct opt_type opt_congestion; /* char[SOCK_CONGESTION_MAX] that this kernel has */

/* A row for member @field_ of struct sock_options, which the program's struct has as `sock`. */
#define SOCK_ROW(config_, key_, field_, type_, fallback_, help_, ...)                              \
	{                                                                                          \
		.key = #key_, .type = &(type_), .fallback = (fallback_), .help = (help_),          \
		OPT_FIELD(config_, sock.field_), __VA_ARGS__                                       \
	}

/* What both ends of a connection can set: rows of every program that has sockets. sock.c gives them
 * to the kernel. */
#define SOCK_ROWS(config_)                                                                         \
	SOCK_ROW(config_, keepalive, keepalive, opt_keepalive, "off",                              \
		 "TCP keepalive: probe after IDLE, every INTERVAL, give up after COUNT",           \
		 .live = true),                                                                    \
		SOCK_ROW(config_, user_timeout, user_timeout_ns, opt_time, "off",                  \
			 "TCP_USER_TIMEOUT: unacknowledged bytes end the connection after this",   \
			 .max = SEC(86400), .step = MSEC(1), .live = true),                        \
		SOCK_ROW(config_, congestion, congestion, opt_congestion, "default",               \
			 "congestion control of the connections, such as reno, cubic or bbr",      \
			 .live = true)

#endif
