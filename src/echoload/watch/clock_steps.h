/* SPDX-License-Identifier: MIT
 * clock_steps: notices that the clock of this host was set while a run went on: the clock of the
 * day moves against the monotonic one, by more than a correction of its rate can explain.
 */
#ifndef ECHOLOAD_CLOCK_STEPS_H
#define ECHOLOAD_CLOCK_STEPS_H

#include <stdbool.h>
#include <stdint.h>

struct clock_steps {
	bool known;
	int64_t looked_ns; /* monotonic */
	int64_t apart_ns;  /* the clock of the day minus the monotonic one, then */
	int64_t total_ns;  /* of all steps, forwards and backwards alike */
};

/* The clock of the day was @unix_ns at some time from @before_ns to @after_ns of the monotonic one.
 * A look that took too long to tell anything is none. */
void clock_steps_look(struct clock_steps *s, int64_t before_ns, int64_t unix_ns, int64_t after_ns);

/* The same with both clocks as they are now. */
void clock_steps_now(struct clock_steps *s);

#endif
