/* SPDX-License-Identifier: MIT
 * merge_load: what a sum was asked for, as the text for people says it: of all, as far as it is one
 * load.
 */
#include "merge_private.h"

void merge_load_first(struct merge *m, const struct load_config *c)
{
	struct load_config *to = &m->config;

	to->connections = c->connections;
	to->idle = c->idle;
	to->rate = c->rate;
	to->size = c->size;
	to->pipeline = c->pipeline;
	to->churn = c->churn;
	to->arrivals = c->arrivals;
	to->close = c->close;
	to->verify = c->verify;
}

void merge_load_add(struct merge *m, const struct load_config *c)
{
	struct load_config *to = &m->config;

	to->connections += c->connections;
	to->idle += c->idle;
	if (to->rate == 0 || c->rate == 0 || (!m->together && to->rate != c->rate))
		to->rate = 0;
	else if (m->together)
		to->rate += c->rate;
	if (to->size.count != c->size.count || to->size.total != c->size.total ||
	    to->size.min != c->size.min || to->size.max != c->size.max) {
		to->size.count = 1;
		to->size.min = to->size.min < c->size.min ? to->size.min : c->size.min;
		to->size.max = to->size.max > c->size.max ? to->size.max : c->size.max;
	}
	to->pipeline = to->pipeline > c->pipeline ? to->pipeline : c->pipeline;
	to->churn = to->churn == c->churn ? c->churn : 0;
	to->arrivals = to->arrivals == c->arrivals ? c->arrivals : ARRIVALS_CONSTANT;
	to->close = to->close == c->close ? c->close : CLOSE_FIN;
	to->verify &= c->verify;
}
