/* SPDX-License-Identifier: MIT
 * line: the interactive client: a person (or a drill, through pipes) types lines and sees them
 * echoed.
 */
#ifndef ECHOLOAD_LINE_H
#define ECHOLOAD_LINE_H

struct addr;
struct sock_options;

/* Waits on the terminal and on the socket at once: it says on stderr the moment that the server is
 * gone, and how. Lines that come back go to stdout. Returns an exit code: 0 when the input ended
 * and all of it had come back, 1 when the server went first, 3 when nothing ever came back. */
int line_client(const struct addr *to, const struct sock_options *o);

/* The textbook's client: blocks on the terminal, then in write, then in read. It learns of the
 * server's end only after the next line, by EOF or ECONNRESET as the timing has it, and the write
 * after that raises SIGPIPE, of which it dies as such clients do. Every step is told on stderr. */
int line_textbook(const struct addr *to, const struct sock_options *o);

#endif
