/* SPDX-License-Identifier: MIT
 * net_opt: option types for what only a program with sockets has (opt.h says what a type is).
 */
#ifndef ECHO_NET_OPT_H
#define ECHO_NET_OPT_H

#include <sched.h>
#include <stdbool.h>

struct opt_type;

/* CPUs as people list them: "0-3,8"; "all": every CPU that the process may use, without pinning. */
struct cpu_list {
	cpu_set_t set;
	bool all;
};

/* struct addr_list; "ADDR:PORT", or "NAME:PORT", which stands for all addresses of the name and may
 * take the time of a lookup; rows repeat */
extern const struct opt_type opt_addr;
extern const struct opt_type opt_cpus;       /* struct cpu_list */
extern const struct opt_type opt_keepalive;  /* struct sock_keepalive: "30s/5s/3" or "off" */
extern const struct opt_type opt_congestion; /* char[SOCK_CONGESTION_MAX] that this kernel has */

/* The @nth CPU (from 0, going round) of those that are both in @l and open to this process. Returns
 * -ENOENT if there is none. */
int cpu_list_nth(const struct cpu_list *l, unsigned nth);

/* How many threads of this process can run at once on CPUs of @l: as many as both have in common,
 * but no more than the CPU quota of its control group has room for. 0: none. */
unsigned cpu_list_count(const struct cpu_list *l);

#endif
