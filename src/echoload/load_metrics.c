/* SPDX-License-Identifier: MIT
 * load_metrics: the metrics of a run, in Prometheus' text exposition format.
 */
#include "load_metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/base/clock.h"
#include "echo/base/hist.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echo/net/backend.h"
#include "echoload/engine/run.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

enum { FIRST_BOUND = 13 }; /* of nanoseconds, as a power of two */

struct metric {
	const char *name, *help;
	size_t offset; /* of a uint64_t in struct interval_counts */
};

static const struct metric metrics[] = {
	{ "echoload_messages_sent_total", "Messages begun, those of the warm-up too.",
	  offsetof(struct interval_counts, sent) },
	{ "echoload_messages_echoed_total", "Messages that came back whole and right.",
	  offsetof(struct interval_counts, echoed) },
	{ "echoload_messages_lost_total", "Messages that never will, corrupt ones too.",
	  offsetof(struct interval_counts, lost) },
	{ "echoload_messages_missed_total",
	  "Messages of an open loop that were due and not sent in their time.",
	  offsetof(struct interval_counts, missed) },
	{ "echoload_connections_established_total", "Attempts to connect that succeeded.",
	  offsetof(struct interval_counts, connects) },
};

/* A metric with one sample. */
static void sample(FILE *to, const char *name, const char *type, const char *help, double value)
{
	prom_head(to, name, type, help);
	fprintf(to, "%s %.17g\n", name, value);
}

static void print_about(FILE *to, const struct run *r)
{
	char version[64], commit[64], phase[2 * OPT_PHASE_MAX];

	prom_head(to, "echoload_build_info", "gauge", "What runs; always 1.");
	fprintf(to, "echoload_build_info{version=\"%s\",commit=\"%s\",backend=\"%s\"} 1\n",
		prom_label(program_version(), version, sizeof(version)),
		prom_label(program_commit(), commit, sizeof(commit)), r->net.backend->name);
	if (!r->phase)
		return;
	prom_head(to, "echoload_phase_info", "gauge",
		  "The phase of the profile that runs; always 1. Counters begin anew in each.");
	fprintf(to, "echoload_phase_info{phase=\"%s\"} 1\n",
		prom_label(r->phase, phase, sizeof(phase)));
}

static void print_counts(FILE *to, const struct load_metrics *m)
{
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		const void *n = (const char *)&m->counts + metrics[i].offset;

		prom_head(to, metrics[i].name, "counter", metrics[i].help);
		fprintf(to, "%s %" PRIu64 "\n", metrics[i].name, *(const uint64_t *)n);
	}
	prom_head(to, "echoload_connections_ended_total", "counter",
		  "Connections, and attempts at one, that ended, by cause.");
	for (unsigned c = CAUSE_FINISHED; c <= CAUSE_OTHER; c++)
		fprintf(to, "echoload_connections_ended_total{cause=\"%s\"} %" PRIu64 "\n",
			cause_name((enum cause)c), m->counts.ended[c]);
}

static void print_latency(FILE *to, const struct load_metrics *m)
{
	double bounds[LOAD_METRICS_BOUNDS];

	for (unsigned i = 0; i < LOAD_METRICS_BOUNDS; i++)
		bounds[i] = (double)(1ll << (FIRST_BOUND + i)) / 1e9;
	prom_head(to, "echoload_latency_seconds", "histogram",
		  "Latency of measured messages, from when they were due.");
	prom_hist(to, "echoload_latency_seconds",
		  &(struct prom_hist){ .labels = "",
				       .bounds = bounds,
				       .counts = m->latency,
				       .count = LOAD_METRICS_BOUNDS,
				       .sum = m->latency_sum_s });
}

static void print_connections(FILE *to, const struct run *r)
{
	const struct load_config *c = r->shared.config;

	sample(to, "echoload_connections_requested", "gauge",
	       "Connections that it keeps open if it can, idle ones too.",
	       (double)c->connections + c->idle);
	sample(to, "echoload_connections_open", "gauge", "Connections open now.",
	       atomic_load_explicit(&r->group.conns, memory_order_relaxed));
}

static void print_outages(FILE *to, struct run *r)
{
	struct outage_summary o;

	outage_summarize(&r->shared.outages, clock_now_ns(), &o);
	sample(to, "echoload_outage_open", "gauge", "1 while there is an outage, else 0.", o.open);
	sample(to, "echoload_outages_total", "counter", "Outages that have begun.",
	       (double)o.count);
	sample(to, "echoload_outage_seconds_total", "counter",
	       "How long outages have lasted, together, up to now.", (double)o.ns / 1e9);
}

static void load_metrics_print(FILE *to, void *arg)
{
	struct load_metrics *m = arg;

	print_about(to, m->run);
	print_connections(to, m->run);
	pthread_mutex_lock(&m->lock);
	print_counts(to, m);
	print_latency(to, m);
	pthread_mutex_unlock(&m->lock);
	print_outages(to, m->run);
	prom_process_print(to, &m->process);
}

static void load_metrics_failed(const char *path, int err)
{
	log_warn("cannot write metrics to %s: %s", path, strerror(-err));
}

int load_metrics_start(struct load_metrics *m, struct run *run, struct opt_set *set)
{
	char where[METRICS_WHERE_MAX];
	int r;

	m->run = run;
	m->counts = (struct interval_counts){ 0 };
	memset(m->latency, 0, sizeof(m->latency));
	m->latency_sum_s = 0;
	m->server.print = load_metrics_print;
	m->server.failed = load_metrics_failed;
	m->server.arg = m;
	pthread_mutex_init(&m->lock, NULL);
	if (metrics_server_descriptors(m->server.options) == 0)
		return 0;
	prom_process_open(&m->process);
	r = metrics_server_open(&m->server, false, set);
	if (r < 0)
		goto out;
	r = metrics_server_start(&m->server);
	if (r < 0)
		(void)opt_error_at(set, "metrics.listen", "cannot serve: %s", strerror(-r));
out:
	if (r < 0)
		prom_process_close(&m->process);
	else if (metrics_server_where(&m->server, where)[0])
		log_info("metrics at %s", where);
	return r;
}

void load_metrics_interval(struct load_metrics *m, const struct series *s)
{
	uint64_t buckets[BUCKETS];

	if (!m->server.running)
		return;
	result_buckets(s->latency, buckets);
	pthread_mutex_lock(&m->lock);
	m->counts = s->total;
	memset(m->latency, 0, sizeof(m->latency));
	for (unsigned i = 0; i < BUCKETS; i++) {
		unsigned bound = 0;

		while (bound < LOAD_METRICS_BOUNDS &&
		       result_bucket_ns(i) >= 1ll << (FIRST_BOUND + bound))
			bound++;
		m->latency[bound] += buckets[i];
	}
	m->latency_sum_s = (double)s->latency->sum / 1e9;
	pthread_mutex_unlock(&m->lock);
}

void load_metrics_stop(struct load_metrics *m)
{
	metrics_server_stop(&m->server);
	prom_process_close(&m->process);
}
