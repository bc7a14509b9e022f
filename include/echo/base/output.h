/* SPDX-License-Identifier: MIT
 * output: writing to what another program reads: a pipe, a terminal, a socket. A reader that stops
 * reading must not hold up a signal: while the other end takes nothing, a write gives up when its
 * patience is over, or one second after one of stop_signals() is pending (they are blocked then).
 * Plain files are written as usual.
 */
#ifndef ECHO_OUTPUT_H
#define ECHO_OUTPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	OUTPUT_FOREVER = -1, /* until a signal is pending: for results */
	OUTPUT_NO_WAIT = 0,  /* for what is out of date soon */
};

/* Writes all of @text, in pieces of whole lines as far as they fit PIPE_BUF, which a pipe takes as
 * a whole. Returns 0, or -errno when a part of it is lost; -ETIME: it was not read for so long. A
 * reader of descriptor 0 to 2 that was given up once is not waited for again until it has taken
 * something. */
int output_write(int fd, const char *text, size_t len, int64_t patience_ns);

/* Opens now what a write to standard output or standard error would open each time, and keeps it:
 * for a program that will be able to open nothing. Before threads run. */
void output_keep(void);

/* A stream over @fd, which stays the caller's and open; NULL and errno if there cannot be one. It
 * waits for ever; once a write has failed all others do, at once. */
FILE *output_stream(int fd);

/* Opens a file for writing and empties it. A pipe is waited for until a reader opens it or
 * a signal is pending (EINTR). NULL and errno. */
FILE *output_open(const char *path);

/* A stream into memory. Unlike open_memstream, which loses what it has no memory for and closes
 * well, it says so. */
struct output_text {
	FILE *to;   /* to be written, from output_text_open until output_text_close */
	char *text; /* after output_text_close: len bytes and a 0; the caller's to free */
	size_t len;
	size_t room;
	int error;
};

/* Returns 0 or -errno. */
int output_text_open(struct output_text *b);

/* Returns 0 with b->text, or -errno without: a part of what was written is lost. */
int output_text_close(struct output_text *b);

/* Hands the system what @to still holds. Returns 0, or -errno of what is lost, now or before. */
int output_flush(FILE *to);

/* How many columns a line that is written again and again may have: one less than the terminal @fd
 * has, at most @most, which it is as well where @fd is no terminal. */
unsigned output_columns(int fd, unsigned most);

/* strerror() of what the functions here return, without its sign. */
const char *output_strerror(int e);

#endif
