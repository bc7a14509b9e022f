/* SPDX-License-Identifier: MIT
 * interactive: the interactive client: a person (or a drill, through pipes) types lines and sees
 * them echoed.
 */
#ifndef ECHOLOAD_INTERACTIVE_H
#define ECHOLOAD_INTERACTIVE_H

#include <stdint.h>

struct addr_list;
struct sock_options;

/* How long it waits; 0: for as long as the kernel does. */
struct interactive_patience {
	int64_t connect_ns;
	int64_t answer_ns; /* without a byte of what it is owed */
};

/* Connects to the first of the addresses that answers. Waits on the terminal and on the socket at
 * once: it says on stderr the moment that the server is gone, and how. Lines that come back go to
 * stdout. Returns an exit code: 0 when the input ended and all of it had come back, 1 when the
 * server went first or was given up, 3 when nothing ever came back. */
int interactive_client(const struct addr_list *to, const struct sock_options *o,
		       const struct interactive_patience *p);

/* The textbook's client: blocks on the terminal, then in write, then in read. It learns of the
 * server's end only after the next line, by EOF or ECONNRESET as the timing has it, and the write
 * after that raises SIGPIPE, of which it dies as such clients do. Every step is told on stderr. */
int interactive_textbook(const struct addr_list *to, const struct sock_options *o);

#endif
