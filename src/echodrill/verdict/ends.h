/* SPDX-License-Identifier: MIT
 * ends: how the client's connections must have ended, by what went over its wire alone.
 *
 * What came first decides: a FIN of the server that is in order, a RST of it that the client took
 * (it sends nothing any more), or the client's own end. Where two of them were under way at the
 * same moment, or the client's own time limit was near, either name is right: so there are bounds,
 * not counts.
 */
#ifndef ECHODRILL_ENDS_H
#define ECHODRILL_ENDS_H

#include <stdbool.h>
#include <stdint.h>

struct frame;

enum end_kind {
	END_REFUSED,    /* a RST has answered the SYN */
	END_UNANSWERED, /* the attempt has failed in another way */
	END_RESET,
	END_EOF,
	END_OWN, /* the client has ended it, or nobody has */
	END_KINDS
};

/* "refused", ... */
const char *ends_name(enum end_kind kind);

/* What the wire does not say. */
struct ends_about {
	int64_t timeout_ns, connect_timeout_ns; /* the client's own limits, 0: none */
	int64_t crossing_ns; /* so long frames of both directions may be under way */
	int64_t over_ns;     /* from then on the client ends its connections by itself */
	bool churn;          /* it does so all the time, when nothing is owed to it */
};

struct ends {
	unsigned attempts;
	unsigned least[END_KINDS], most[END_KINDS];
};

/* Reads them from the capture of the client's side. Returns 0, or -EIO: it cannot be read. */
int ends_read(struct ends *e, int fd, const struct ends_about *about);

/* The same, frame by frame, for tests: ends_begin, ends_see in order of time, ends_end. Not from
 * two threads. */
void ends_begin(const struct ends_about *about);
void ends_see(const struct frame *f, int64_t t_ns);
void ends_end(struct ends *e);

#endif
