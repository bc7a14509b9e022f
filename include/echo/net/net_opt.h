/* SPDX-License-Identifier: MIT
 * net_opt: option types for what only a program with sockets has (opt.h says what a type is).
 */
#ifndef ECHO_NET_OPT_H
#define ECHO_NET_OPT_H

struct opt_type;

/* struct addr_list; "ADDR:PORT", or "NAME:PORT", which stands for all addresses of the name and may
 * take the time of a lookup; rows repeat */
extern const struct opt_type opt_addr;
extern const struct opt_type opt_keepalive;  /* struct sock_keepalive: "30s/5s/3" or "off" */
extern const struct opt_type opt_congestion; /* char[SOCK_CONGESTION_MAX] that this kernel has */

#endif
