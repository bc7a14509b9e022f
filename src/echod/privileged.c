/* SPDX-License-Identifier: MIT
 * privileged: a task is a number, and what it is about stands in configurations.
 */
#include "privileged.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/log.h"
#include "server.h"

static void privileged_remove(const struct echod_config *c, struct path_id id)
{
	for (unsigned i = 0; i < c->listen.count; i++) {
		if (addr_path(&c->listen.at[i]))
			path_remove(addr_path(&c->listen.at[i]), id);
	}
	if (addr_path(&c->metrics.listen))
		path_remove(addr_path(&c->metrics.listen), id);
	if (c->takeover[0])
		path_remove(c->takeover, id);
}

/* Of what was read that alone which a reload changes, and a task looks at. */
static void privileged_change(struct server *s)
{
	s->config.listen = s->reread.config.listen;
	memcpy(s->config.takeover, s->reread.config.takeover, sizeof(s->config.takeover));
	s->takeover.config = server_takeover_config(&s->reread.config);
	if (s->sandbox.helper.inside) /* it has a line for a successor that ends */
		log_configure(&s->reread.config.log);
}

/* What nobody has configured is not to be had by asking for it. */
static bool privileged_knows(const struct server *s, enum helper_task task)
{
	switch (task) {
	case HELPER_SUCCESSOR:
	case HELPER_LISTEN_PATH:
		return s->takeover.config.path[0];
	case HELPER_LISTEN_NEXT_PATH:
		return s->reread.config.takeover[0];
	case HELPER_METRICS_BEGIN:
	case HELPER_METRICS_END:
		return s->config.metrics.file[0];
	case HELPER_METRICS_PATH:
		return addr_path(&s->config.metrics.listen);
	default:
		return true;
	}
}

static void privileged_work(void *arg, struct helper_work *w)
{
	struct server *s = arg;

	if (!privileged_knows(s, w->task)) {
		w->result = -EINVAL;
		return;
	}
	switch (w->task) {
	case HELPER_READ:
		reread_load(&s->reread, s->backend.ops, s->config.program.config,
			    s->takeover.successor.argv, w);
		break;
	case HELPER_LISTEN:
		reread_listen(&s->reread, &s->now->net.sock, w);
		break;
	case HELPER_REMOVE:
		privileged_remove(&s->config, w->id);
		privileged_remove(&s->reread.config, w->id);
		break;
	case HELPER_CHANGED:
		privileged_change(s);
		break;
	case HELPER_METRICS_BEGIN:
		w->fd = metrics_file_begin(s->config.metrics.file);
		w->result = w->fd < 0 ? w->fd : 0;
		break;
	case HELPER_METRICS_END:
		w->result = metrics_file_end(s->config.metrics.file, w->keep);
		break;
	case HELPER_METRICS_PATH:
		w->result = metrics_path_end(addr_path(&s->config.metrics.listen),
					     s->metrics.server.pid, w->keep);
		break;
	default:
		takeover_work(&s->takeover, s->reread.config.takeover, w);
	}
}

static int privileged_watch(void *arg)
{
	return takeover_work_fd(&((struct server *)arg)->takeover);
}

static void privileged_poll(void *arg)
{
	takeover_work_poll(&((struct server *)arg)->takeover);
}

/* Whoever watches over echod hears of it as always. */
static int privileged_meanwhile(void *arg)
{
	return worker_group_run_tick(&((struct server *)arg)->group, -1);
}

/* Whether anything may have to be read, opened, removed or started later. */
static bool privileged_needed(const struct echod_config *c)
{
	bool path = addr_path(&c->metrics.listen);

	for (unsigned i = 0; i < c->listen.count; i++)
		path = path || addr_path(&c->listen.at[i]);
	return path || c->takeover[0] || c->program.config[0] || c->metrics.file[0];
}

void privileged_begin(struct server *s)
{
	s->metrics.server.pid = getpid(); /* the helper's is another */
	s->sandbox.wants_helper = privileged_needed(&s->config);
	s->sandbox.helper = (struct helper){ .work = privileged_work,
					     .watch = privileged_watch,
					     .poll = privileged_poll,
					     .meanwhile = privileged_meanwhile,
					     .arg = s };
}
