/* SPDX-License-Identifier: MIT
 * worker_change: running workers get another configuration and other listeners, between two turns:
 * all of them, or none. Nothing on the path of a message asks whether that has happened.
 */
#ifndef ECHO_WORKER_CHANGE_H
#define ECHO_WORKER_CHANGE_H

struct addr_list;
struct net_config;
struct worker_group;

struct worker_change {
	/* From now on, and as long as the workers run or until the next change. The backend, its
	 * configuration, max_unsent_total and own_descriptors are what they were, and slots are at
	 * most the slots_max that the workers were prepared with. */
	const struct net_config *config;
	void *role_state; /* the same for each */
	/* Listeners that come: fds[k * group->count + i] is number k of worker i. Those that are
	 * the caller's no more become -1. */
	int *fds;
	unsigned each; /* of a worker */
	/* Addresses at which nobody listens any more: what waits there is accepted first. */
	const struct addr_list *gone;
};

/* Returns 0: it is done; or -errno: nothing has changed, but that listeners that came may have
 * accepted already. *kept_options: 0, or -errno of a listener that stays and keeps its options.
 * Blocks for a turn of each worker, twice; from the thread that posts calls. */
int worker_group_change(struct worker_group *g, const struct worker_change *c, int *kept_options);

#endif
