/* SPDX-License-Identifier: MIT
 * progress: says how long it will take before it starts, and what is left as it goes.
 */
#include "progress.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echobench/report/output.h"
#include "echobench/verdict/cell.h"

/* Other programs that want the CPUs make everything slower to decide, and rates meaningless. */
static void warn_of_load(void)
{
	double load;

	if (getloadavg(&load, 1) == 1 && load > (double)sysconf(_SC_NPROCESSORS_ONLN))
		log_warn("others are at work here (load %.1f): intervals will be wide", load);
}

/* With one CPU, or by wish. */
static void warn_of_sharing(const struct bench_config *c)
{
	cpu_set_t both;

	CPU_AND(&both, &c->server_cpus.set, &c->client_cpus.set);
	if (CPU_COUNT(&both) > 0)
		log_warn("server and client share CPUs: rates say little, what a message costs "
			 "does");
}

void progress_begin(struct progress *p, struct progress_left left)
{
	const struct bench *r = p->run;
	char least[PROGRESS_LINE_SPAN_MAX], most[PROGRESS_LINE_SPAN_MAX];
	unsigned mode = r->plans[0].config.progress;

	p->lines = mode != PROGRESS_NEVER;
	progress_line_begin(&p->line, mode);
	log_info("%u cell%s, %s to %s; servers on CPU %s, client on CPU %s", r->count,
		 r->count == 1 ? "" : "s", progress_line_span(left.least_ns, least),
		 progress_line_span(left.most_ns, most), r->plans[0].config.server_cpus.text,
		 r->plans[0].config.client_cpus.text);
	if (p->lines)
		warn_of_load();
	if (p->lines)
		warn_of_sharing(&r->plans[0].config);
}

void progress_block(struct progress *p, const struct cell *c)
{
	const struct bench *r = p->run;
	char load[80], text[120];

	snprintf(text, sizeof(text), "%u/%u %.50s: %u blocks", r->done + 1, r->count,
		 cell_workload_text(&c->load, load, sizeof(load)), c->block_count);
	progress_line_show(&p->line, text);
}

void progress_cell(struct progress *p, const struct cell *c, struct progress_left left)
{
	const struct bench *r = p->run;
	char load[80], least[PROGRESS_LINE_SPAN_MAX], most[PROGRESS_LINE_SPAN_MAX],
		rest[3 * PROGRESS_LINE_SPAN_MAX] = "", said[WHY_MAX];

	progress_line_clear(&p->line);
	if (!p->lines)
		return;
	if (r->done < r->count)
		snprintf(rest, sizeof(rest), "; %s to %s left",
			 progress_line_span(left.least_ns, least),
			 progress_line_span(left.most_ns, most));
	log_info("%u/%u %s: %s%s", r->done, r->count,
		 cell_workload_text(&c->load, load, sizeof(load)),
		 table_sentence(c, r->alpha, said), rest);
}

void progress_end(struct progress *p)
{
	progress_line_clear(&p->line);
}
