/* SPDX-License-Identifier: MIT
 * notice: the kernel's table of the client's host says which sockets there are, and in which state.
 * One that has left the table was ended by the kernel, which its program need not know: whether it
 * has closed it is seen by its descriptors.
 */
#include "notice.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "loop.h"
#include "run.h"
#include "said.h"

enum { LOOK_EVERY_MS = 10, LOOK_OFTEN_S = 3, LOOK_LATER_MS = 50, TABLE_EVERY_MS = 300 };

const char *notice_name(unsigned kind)
{
	static const char *const names[NOTICE_KINDS] = {
		[NOTICE_CLOSED] = "closed", [NOTICE_SHUT] = "shut",     [NOTICE_ENDED] = "ended",
		[NOTICE_SAID] = "said",     [NOTICE_DIALED] = "dialed",
	};

	return names[kind];
}

bool notice_is_meant(const char *pattern)
{
	static const char *const words[] = { "server is gone", "recv: ",   "read: 0",
					     "read: E",        "write: E", "connect: E" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(pattern, words[i]))
			return true;
	return false;
}

/* Whether the client was started into the fault. */
static bool is_late(const struct record *rec)
{
	const struct mark *fault = record_mark(rec, "fault");
	const struct mark *started = record_mark(rec, RECORD_CLIENT_STARTED);

	return fault && started && started->begin_ns > fault->begin_ns;
}

int64_t notice_base(const struct record *rec)
{
	const struct mark *fault = record_mark(rec, "fault");
	const struct mark *from = record_mark(rec, "from");
	int64_t begin, syn;

	if (!fault)
		return 0;
	if (from && from->begin_ns > fault->begin_ns)
		return from->begin_ns;
	if (!is_late(rec))
		return fault->begin_ns;
	begin = record_mark(rec, RECORD_CLIENT_STARTED)->begin_ns;
	syn = atomic_load(&rec->wire.syn_ns);
	return syn > begin ? syn : begin;
}

/* What notices count from, or 0: the client was started into the fault and has not met it yet. One
 * that ends without trying to connect has noticed something. */
static int64_t base_so_far(const struct run *r)
{
	const struct record *rec = r->record;

	if (is_late(rec) && atomic_load(&rec->wire.syn_ns) == 0 && !r->procs[WHO_CLIENT].ended)
		return 0;
	return notice_base(rec);
}

const struct notice *notice_first(const struct record *rec)
{
	const struct notice *first = NULL;

	for (unsigned i = 0; i < NOTICE_KINDS; i++)
		if (rec->notice[i].seen && (!first || rec->notice[i].t_ns < first->t_ns))
			first = &rec->notice[i];
	return first;
}

static void notice_add(struct run *r, enum notice_kind kind, int64_t t_ns, const char *text)
{
	struct notice *n = &r->record->notice[kind];
	const int64_t base = base_so_far(r);

	if (n->seen || base == 0 || t_ns < base)
		return;
	*n = (struct notice){ .seen = true, .t_ns = t_ns };
	snprintf(n->text, sizeof(n->text), "%s", text);
	if (kind != NOTICE_SAID && kind != NOTICE_ENDED) /* those are there already */
		timeline_add(&r->record->timeline, t_ns, WHO_CLIENT, "(%s)", text);
}

/* Whether this descriptor is that socket. */
static bool is_socket_at(const char *path, uint32_t inode)
{
	char want[32], is[32];
	const ssize_t n = readlink(path, is, sizeof(is) - 1);

	is[n > 0 ? n : 0] = '\0';
	snprintf(want, sizeof(want), "socket:[%u]", inode);
	return strcmp(is, want) == 0;
}

/* Looks for it among the descriptors of a process. *error: why they could not be looked at. */
static bool has_socket(const char *pid, struct run_socket *c, int *error)
{
	char path[64];
	const struct dirent *e;
	DIR *fds;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	if (!fds && !proc_tells_nothing(errno))
		*error = -errno;
	while (fds && !found && (e = readdir(fds))) {
		snprintf(c->holder, sizeof(c->holder), "/proc/%.20s/fd/%.10s", pid, e->d_name);
		found = is_socket_at(c->holder, c->inode);
	}
	if (fds)
		closedir(fds);
	return found;
}

/* Whether any process here has it; who had it the last time is asked first. Returns 1, 0, or
 * -errno: none was found, and not all could be looked at. */
static int is_held(struct run_socket *c)
{
	const struct dirent *p;
	bool held = c->holder[0] && is_socket_at(c->holder, c->inode);
	DIR *proc = held ? NULL : opendir("/proc");
	int error = held || proc ? 0 : -errno;

	while (proc && !held && (p = readdir(proc)))
		held = isdigit((unsigned char)p->d_name[0]) && has_socket(p->d_name, c, &error);
	if (proc)
		closedir(proc);
	return held ? 1 : error;
}

/* What was not seen may have happened: such a drill has no verdict. */
static void look_failed(struct run *r, int e)
{
	char *problem = r->record->problem;

	if (!problem[0])
		snprintf(problem, sizeof(r->record->problem),
			 "a look at the client's connections: %s", strerror(-e));
}

static bool is_shut(unsigned state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_LAST_ACK ||
	       state == TCP_CLOSING;
}

struct looking {
	struct run *r;
	int64_t now_ns;
	bool fault; /* it has been */
	unsigned live;
};

static struct run_socket *find_socket(struct run *r, unsigned port)
{
	for (unsigned i = 0; i < r->sockets; i++)
		if (r->socket[i].port == port)
			return &r->socket[i];
	return NULL;
}

/* Whether the connection that it has just opened means something: not when it begins with many. */
static bool is_anew(const struct run *r)
{
	if (r->sockets > 1 && !is_late(r->record))
		return true;
	for (unsigned i = 0; i + 1 < r->sockets; i++)
		if (r->socket[i].closed)
			return true;
	return false;
}

/* A socket of the client's host, as its kernel's table has it. */
static void look_socket(void *arg, const struct diag_socket *s)
{
	struct looking *l = arg;
	struct run *r = l->r;
	struct run_socket *c = find_socket(r, s->local);
	char text[64];

	if (!s->to_server || s->local == 0)
		return;
	l->live += s->inode != 0;
	if (!c) {
		/* one that is over already may be the drill's own (dial) */
		if (s->inode == 0 || r->sockets == RUN_SOCKETS_MAX)
			return;
		c = &r->socket[r->sockets++];
		*c = (struct run_socket){ .port = s->local, .inode = s->inode };
		snprintf(text, sizeof(text), "connects anew, from port %u", s->local);
		if (is_anew(r))
			notice_add(r, NOTICE_DIALED, l->now_ns, text);
	}
	if (s->inode == 0 && !c->closed) {
		c->closed = true;
		snprintf(text, sizeof(text), "has closed its connection, port %u", c->port);
		notice_add(r, NOTICE_CLOSED, l->now_ns, text);
	} else if (s->inode != 0 && is_shut(s->state) && !c->shut) {
		c->shut = true;
		snprintf(text, sizeof(text), "has shut its connection, port %u", c->port);
		notice_add(r, NOTICE_SHUT, l->now_ns, text);
	}
}

/* Connections that nobody has any more. */
static void look_gone(struct looking *l)
{
	char text[64];

	for (unsigned i = 0; i < l->r->sockets; i++) {
		struct run_socket *c = &l->r->socket[i];
		const int held = c->closed ? 1 : is_held(c);

		if (held < 0)
			look_failed(l->r, held);
		if (held != 0)
			continue;
		c->closed = true;
		snprintf(text, sizeof(text), "has closed its connection, port %u", c->port);
		notice_add(l->r, NOTICE_CLOSED, l->now_ns, text);
	}
}

/* Lines that are new, and its end. What notices count from may turn out later: then all lines are
 * looked at again. */
static void look_words(struct run *r)
{
	const struct timeline *t = &r->record->timeline;
	const struct proc *p = &r->procs[WHO_CLIENT];
	const int64_t base = base_so_far(r);

	if (base != r->noticed_base)
		r->noticed = 0;
	r->noticed_base = base;
	for (; base != 0 && r->noticed < t->count; r->noticed++)
		if (t->at[r->noticed].t_ns >= base && said_means(r, r->noticed, base))
			notice_add(r, NOTICE_SAID, t->at[r->noticed].t_ns, t->at[r->noticed].text);
	if (p->pid && p->ended && !r->record->notice[NOTICE_ENDED].seen) {
		char text[64];

		notice_add(r, NOTICE_ENDED, p->ended_ns, proc_status(p, text));
	}
}

/* The kernel's table is costly to read, and changes with what goes over the wire, or rarely. */
static void look_table(struct looking *l)
{
	struct run *r = l->r;
	const uint32_t frames = atomic_load(&r->record->wire.frames);
	int e;

	if (frames == r->table_frames && l->now_ns - r->table_ns < MSEC(TABLE_EVERY_MS))
		return;
	r->table_frames = frames;
	r->table_ns = l->now_ns;
	if (r->client_diag == 0) {
		hosts_enter(&r->hosts, HOST_CLIENT);
		r->client_diag = diag_open();
		hosts_leave(&r->hosts);
	}
	e = r->client_diag;
	if (e > 0)
		e = diag_each(r->client_diag, r->hosts.family, look_socket, l);
	if (e < 0)
		look_failed(r, e);
	if (l->live > r->record->connections)
		r->record->connections = l->live;
}

/* What takes long need not be known to 10 ms. */
static int64_t look_every(const struct run *r, int64_t now_ns)
{
	const int64_t base = notice_base(r->record);

	return MSEC(base != 0 && now_ns - base > SEC(LOOK_OFTEN_S) ? LOOK_LATER_MS : LOOK_EVERY_MS);
}

void notice_look(struct run *r)
{
	struct looking l = { .r = r, .now_ns = clock_now_ns() };

	/* in the clean-up it is told to end */
	if (!r->options->client || r->record->end_ns != 0 ||
	    l.now_ns - r->looked_ns < look_every(r, l.now_ns))
		return;
	r->looked_ns = l.now_ns;
	look_table(&l);
	look_gone(&l);
	look_words(r);
}

void notice_settle(struct run *r)
{
	r->looked_ns = r->table_ns = 0;
	notice_look(r);
}

bool notice_is_too_late(const struct run *r)
{
	const struct proc *p = &r->procs[WHO_CLIENT];

	return p->pid && p->ended && p->ended_ns < base_so_far(r);
}

bool notice_any(struct run *r)
{
	r->looked_ns = 0;
	notice_look(r);
	return notice_first(r->record) != NULL;
}
