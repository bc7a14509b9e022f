/* SPDX-License-Identifier: MIT
 * metrics: the counters of the workers, in Prometheus' text exposition format (version 0.0.4). They
 * are read while the workers run: each counter is exact, their sum at an instant is not.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stddef.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/net/worker.h"

struct metric {
	const char *name, *type, *help;
	size_t offset; /* of the counter in struct stats */
};

static const struct metric metrics[] = {
	{ "echod_connections_accepted_total", "counter",
	  "Connections accepted, shed ones included.", offsetof(struct stats, opened) },
	{ "echod_connections_adopted_total", "counter",
	  "Connections that another process had accepted, and handed over.",
	  offsetof(struct stats, adopted) },
	{ "echod_connections_open", "gauge", "Connections open now.",
	  offsetof(struct stats, open) },
	{ "echod_accept_errors_total", "counter",
	  "Times that accept failed: no descriptors, no memory.",
	  offsetof(struct stats, accept_errors) },
	{ "echod_received_bytes_total", "counter", "Bytes received.",
	  offsetof(struct stats, bytes_in) },
	{ "echod_sent_bytes_total", "counter", "Bytes that the sockets accepted.",
	  offsetof(struct stats, bytes_out) },
	{ "echod_pool_waits_total", "counter", "Times that reading waited for room in the pool.",
	  offsetof(struct stats, starved) },
};

static void metric_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metrics_closed(FILE *to, const struct worker *w)
{
	for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
		uint64_t n = stats_get(&w->stats.closed[cause]);

		if (n > 0)
			fprintf(to,
				"echod_connections_closed_total{worker=\"%u\",cause=\"%s\"} "
				"%" PRIu64 "\n",
				w->index, cause_name((enum cause)cause), n);
	}
}

void metrics_print(FILE *to, const struct worker *workers, unsigned count)
{
	for (size_t m = 0; m < ARRAY_LEN(metrics); m++) {
		metric_head(to, metrics[m].name, metrics[m].type, metrics[m].help);
		for (unsigned i = 0; i < count; i++) {
			const char *stats = (const char *)&workers[i].stats;
			const void *counter = stats + metrics[m].offset;

			fprintf(to, "%s{worker=\"%u\"} %" PRIu64 "\n", metrics[m].name,
				workers[i].index, stats_get(counter));
		}
	}
	metric_head(to, "echod_connections_closed_total", "counter",
		    "Connections ended, by cause.");
	for (unsigned i = 0; i < count; i++)
		metrics_closed(to, &workers[i]);
	fprintf(to, "# EOF\n"); /* tells a reader of a pipe that this is all */
}
