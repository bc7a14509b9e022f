/* SPDX-License-Identifier: MIT
 * diag: what the kernel of a host knows: the states of its TCP sockets (sock_diag) and its counters
 * (/proc/net/snmp and netstat).
 */
#ifndef ECHODRILL_DIAG_H
#define ECHODRILL_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DIAG_STATES = 13, /* TCP_ESTABLISHED is 1, TCP_NEW_SYN_RECV 12 */
	DIAG_COUNTERS_MAX = 320,
	DIAG_NAME_MAX = 40,
};

/* Sockets of the drill's ports, by state. */
struct diag_states {
	unsigned count[DIAG_STATES];
	uint64_t unread, unsent; /* bytes queued, of those that are connections */
	unsigned ends;           /* FINs that lie there unread: each counts as one byte of them */
	unsigned backlog;        /* waiting to be accepted */
};

/* "ESTAB", "CLOSE-WAIT", ... as ss says it; 0 if there is none of that name. */
unsigned diag_state(const char *name);

/* One TCP socket of the drill's ports. */
struct diag_socket {
	unsigned local; /* port */
	bool to_server; /* its peer's port is one of the drill's */
	unsigned state; /* TCP_ESTABLISHED, ... */
	uint32_t inode; /* 0: no program has it */
	uint32_t unread, unsent;
	/* bytes of its stream that its program has written, and its kernel received; of one that
	 * has dialed */
	uint64_t written, received;
};

/* Takes what @info, the kernel's tcp_info of @size bytes, says of the bytes of its stream; after
 * unsent is known. */
void diag_stream(struct diag_socket *s, const void *info, size_t size);

/* A socket that asks the kernel of the network namespace that this thread is in. Returns it or
 * -errno; the caller closes it. */
int diag_open(void);

/* Calls @each for all of that namespace's sockets. Returns 0 or -errno. */
int diag_each(int fd, int family, void (*each)(void *arg, const struct diag_socket *s), void *arg);

/* Asks the kernel of the network namespace that this thread is in. Returns 0 or -errno. */
int diag_read(struct diag_states *s, int family);

/* "2 ESTAB, 1 LISTEN" or "none". */
const char *diag_words(const struct diag_states *s, char *text, size_t size);

struct diag_counters {
	bool unread; /* some of them could not be */
	unsigned count;
	struct diag_counter {
		char name[DIAG_NAME_MAX]; /* "TcpRetransSegs", "TcpExtTCPTimeouts" */
		int64_t value;
	} at[DIAG_COUNTERS_MAX];
};

/* Frames that a network device of this thread's namespace has sent since it was made, or -ENOENT.
 */
int64_t diag_sent(const char *dev);

/* Of the namespace that this thread is in. */
void diag_counters_read(struct diag_counters *c);
/* Returns 0, or -ENOENT when this kernel has no such counter. */
int diag_counter(const struct diag_counters *c, const char *name, int64_t *value);

#endif
