/* SPDX-License-Identifier: MIT
 * pauses: finds by itself when this program did not run although nobody else used its CPU: it was
 * stopped (SIGSTOP), its control group was frozen, its virtual machine stood still.
 *
 * A thread that wakes up later than it asked to has either waited for a CPU, which the kernel
 * counts (clock_thread_wait_ns), or was paused.
 */
#ifndef ECHOLOAD_PAUSES_H
#define ECHOLOAD_PAUSES_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PAUSES_MAX = 16,     /* a run that has more lists the first ones and counts the rest */
	PAUSES_TICK_MS = 20, /* the watch must wake up as often: no pause begins earlier */
	PAUSES_LEAST_MS = 100,
};

/* Times are of the monotonic clock; reports subtract the start of the run. */
struct pause {
	int64_t begin_ns, end_ns;
};

struct pauses {
	struct pause list[PAUSES_MAX];
	unsigned count;    /* in the list */
	uint64_t unlisted; /* that found no room in it */
	int64_t total_ns;
	int64_t waited_ns; /* by the thread that watches, at the last tick */
};

/* The watch begins; the calling thread has waited @waited_ns for a CPU so far (-1: not known). */
void pauses_start(struct pauses *p, int64_t waited_ns);

/* The same thread meant to wake up at @due_ns, at the latest, and did so at @now_ns; @waited_ns was
 * read after that, so that no wait is missing in it. Less than PAUSES_LEAST_MS is none. */
void pauses_tick(struct pauses *p, int64_t due_ns, int64_t now_ns, int64_t waited_ns);

/* Whether @at_ns lies in a pause of the list, or at most @after_ns behind one. */
bool pauses_explain(const struct pauses *p, int64_t at_ns, int64_t after_ns);

/* The time of them between @begin_ns and @end_ns; of those that are not listed, nothing. */
int64_t pauses_between(const struct pauses *p, int64_t begin_ns, int64_t end_ns);

/* @from_ns, or the end of a pause between it and @to_ns: before that we cannot know anything. */
int64_t pauses_after(const struct pauses *p, int64_t from_ns, int64_t to_ns);

/* Their times become those since @start_ns. */
void pauses_shift(struct pauses *p, int64_t start_ns);

#endif
