/* SPDX-License-Identifier: MIT
 * chaos: makes the drills of all rounds that there could be time for, and has the suite run them.
 */
#include "chaos.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echodrill/opts.h"
#include "echodrill/pairs.h"
#include "echodrill/report/report.h"
#include "echodrill/script/drill.h"
#include "echodrill/stage/backends.h"
#include "echodrill/suite.h"
#include "schedule.h"

enum {
	ROUNDS_MAX = 1024,
	TEXT_MAX = 16384,
	SEEDS = 1000000,
};

struct backends {
	struct backend_list server, client;
};

/* Those of a round: what was asked for, or chosen among those that run here. */
static const char *backend_of(const char *asked, const struct backend_list *l,
			      const struct drill_config *c, unsigned round, const char *of)
{
	return asked[0] ? asked : l->name[schedule_choose(c->seed, round, of, l->count)];
}

static struct schedule schedule_of(const struct drill_config *c, const struct backends *b,
				   unsigned round)
{
	struct schedule s = { .seed = c->seed, .faults = c->faults, .round = round };

	s.server = backend_of(c->server_backend, &b->server, c, round, "server");
	s.client = backend_of(c->client_backend, &b->client, c, round, "client");
	s.forks = strcmp(s.server, "fork") == 0;
	return s;
}

/* Reads what the schedule has written. Returns an exit code. */
static int chaos_round(const struct schedule *s, struct drill *d)
{
	static char text[TEXT_MAX];
	char name[DRILL_NAME_MAX], error[OPT_ERROR_MAX];
	FILE *f = fmemopen(text, sizeof(text), "w");
	int r = f ? 0 : -errno;

	snprintf(name, sizeof(name), "chaos-%llu-%u", (unsigned long long)s->seed, s->round);
	if (f)
		schedule_write(s, f);
	if (f && fclose(f) != 0)
		r = -errno;
	f = r == 0 ? fmemopen(text, strlen(text), "r") : NULL;
	if (!f) {
		log_error("%s: %s", name, strerror(r < 0 ? -r : errno));
		return EXIT_ENVIRONMENT;
	}
	r = drill_read_stream(d, f, name, error);
	fclose(f);
	if (r < 0)
		log_error("%s", error);
	snprintf(d->again, sizeof(d->again),
		 "echodrill chaos --seed %llu --round %u --faults %u --server-backend %s "
		 "--client-backend %s",
		 (unsigned long long)s->seed, s->round, s->faults, s->server, s->client);
	return r < 0 ? EXIT_INTERNAL : EXIT_OK;
}

/* Faults, and what they need to settle, take longer than that. */
static unsigned least_seconds(const struct drill_config *c)
{
	return 1 + c->faults / 2;
}

/* How many rounds there could be time for. */
static unsigned rounds_of(const struct drill_config *c)
{
	return c->round > 0 ? 1 : c->minutes * 60 * c->jobs / least_seconds(c) + c->jobs;
}

static int chaos_check(const struct drill_config *c)
{
	if (c->server[0] || c->client[0] || c->programs[0]) {
		log_error("chaos runs echod and echoload, no other programs");
		return EXIT_USAGE;
	}
	if (c->output != REPORT_text && c->output != REPORT_json && c->output != REPORT_tap) {
		log_error("chaos prints text, json or tap");
		return EXIT_USAGE;
	}
	if (c->print_drill && c->round == 0) {
		log_error("--print-drill needs --round");
		return EXIT_USAGE;
	}
	if (c->round == 0 && rounds_of(c) > ROUNDS_MAX) {
		log_error("chaos of %u faults has room for %u minutes, divided by --jobs",
			  c->faults, ROUNDS_MAX * least_seconds(c) / 60);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

int chaos(struct drill_config *c, FILE *to)
{
	static struct drill rounds[ROUNDS_MAX];
	static struct backends b;
	static struct pair_list pairs = { .count = 1 };
	char why[OPT_ERROR_MAX];
	int code = chaos_check(c);
	unsigned count;

	if (code != EXIT_OK)
		return code;
	if (c->seed == 0)
		c->seed = (uint64_t)clock_unix_ns() / MSEC(1) % SEEDS + 1;
	if (backends_find(&b.server, "echod", why) < 0 ||
	    backends_find(&b.client, "echoload", why) < 0) {
		log_error("%s", why);
		return EXIT_ENVIRONMENT;
	}
	if (c->print_drill) {
		const struct schedule s = schedule_of(c, &b, c->round);

		schedule_write(&s, to);
		return EXIT_OK;
	}
	count = rounds_of(c);
	for (unsigned i = 0; i < count && code == EXIT_OK; i++) {
		const struct schedule s = schedule_of(c, &b, c->round > 0 ? c->round : i + 1);

		code = chaos_round(&s, &rounds[i]);
	}
	if (c->round == 0)
		c->until_ns = clock_now_ns() + (int64_t)c->minutes * SEC(60);
	code = code == EXIT_OK ? suite_run(c, rounds, count, &pairs) : code;
	if (code == EXIT_OK && clock_now_ns() < c->until_ns)
		log_warn("there was room for %u rounds, and time for more", count);
	return code;
}
