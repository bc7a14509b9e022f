/* SPDX-License-Identifier: MIT
 * clock_steps: see clock_steps.h.
 */
#include "clock_steps.h"

#include <stdlib.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

enum {
	LOOK_MAX_NS = 200 * 1000, /* a longer look was interrupted */
	STEP_NS = 1000 * 1000,    /* what differs by less is noise */
	RATE_PART = 1000,         /* adjtimex(2) corrects the rate by 1/2000 at most */
};

void clock_steps_look(struct clock_steps *s, int64_t before_ns, int64_t unix_ns, int64_t after_ns)
{
	const int64_t at_ns = before_ns + (after_ns - before_ns) / 2, apart_ns = unix_ns - at_ns;

	if (after_ns - before_ns > LOOK_MAX_NS)
		return;
	if (s->known &&
	    llabs(apart_ns - s->apart_ns) > STEP_NS + (at_ns - s->looked_ns) / RATE_PART)
		s->total_ns += llabs(apart_ns - s->apart_ns);
	s->known = true;
	s->looked_ns = at_ns;
	s->apart_ns = apart_ns;
}

void clock_steps_now(struct clock_steps *s)
{
	const int64_t before_ns = clock_now_ns(), unix_ns = clock_unix_ns();

	clock_steps_look(s, before_ns, unix_ns, clock_now_ns());
}
