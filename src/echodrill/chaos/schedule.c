/* SPDX-License-Identifier: MIT
 * schedule: a row for each kind of fault: the steps that make it and those that heal it.
 */
#include "schedule.h"

#include <inttypes.h>
#include <stddef.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"
#include "echodrill/script/drill.h"

enum {
	/* write, start server, start client, settled; calm, TERM and exit of client and server */
	STEPS_AROUND = 9,
	STEPS_OF_FAULT = 5,
	MAX_CONNS = 1000, /* and one more with each change of the configuration */
};
static_assert(STEPS_AROUND + SCHEDULE_FAULTS_MAX * STEPS_OF_FAULT <= DRILL_STEPS_MAX,
	      "a round is one drill");

struct writer {
	FILE *to;
	uint64_t rng;
	unsigned connections;
	bool churns;      /* connections end by themselves */
	unsigned changes; /* of the configuration */
};

/* From @least to @most. */
static unsigned between(struct writer *w, unsigned least, unsigned most)
{
	return least + (unsigned)rng_below(&w->rng, most - least + 1);
}

static void step(struct writer *w, const char *text)
{
	fprintf(w->to, "step = %s\n", text);
}

/* A fault, a moment after all had settled. */
static void fault(struct writer *w, const char *text)
{
	fprintf(w->to, "step = after %ums fault %s\n", between(w, 50, 800), text);
}

/* What ends it, after so many milliseconds. */
static void later(struct writer *w, unsigned least, unsigned most, const char *text)
{
	fprintf(w->to, "step = after %ums %s\n", between(w, least, most), text);
}

static void write_config(struct writer *w, const char *before)
{
	fprintf(w->to, "step = %s [server] | max_conns = %u\n", before, MAX_CONNS + w->changes);
}

static void start_again(struct writer *w)
{
	step(w, "await exit server within 20s");
	later(w, 10, 1500, "start server");
}

static void kill_server(struct writer *w)
{
	fault(w, "signal KILL server");
	start_again(w);
}

/* What the clients sent is not read: they are reset. */
static void kill_hung_server(struct writer *w)
{
	fault(w, "signal STOP server");
	later(w, 10, 1500, "signal KILL server");
	start_again(w);
}

static void end_server(struct writer *w)
{
	fault(w, "signal TERM server");
	start_again(w);
}

/* Up to three of the client's time limits. */
static void hang_server(struct writer *w)
{
	fault(w, "signal STOP server");
	later(w, 10, 3000, "signal CONT server");
}

static void hang_client(struct writer *w)
{
	fault(w, "signal STOP client");
	later(w, 10, 2000, "signal CONT client");
}

static void rule(struct writer *w, const char *from, const char *what)
{
	fprintf(w->to, "step = after %ums fault nft add rule inet drill forward %s%s\n",
		between(w, 50, 800), from, what);
}

/* In both directions, in that of the requests, or of the answers. */
static void silence(struct writer *w)
{
	static const char *const from[] = { "", "iifname r0 ", "iifname r1 " };

	rule(w, from[rng_below(&w->rng, ARRAY_LEN(from))], "counter name fault drop");
	later(w, 100, 3000, "heal");
}

static void lose(struct writer *w)
{
	char what[96];

	snprintf(what, sizeof(what),
		 "meta l4proto tcp numgen inc mod %u == 1 counter name fault drop",
		 between(w, 3, 10));
	rule(w, "", what);
	later(w, 500, 2000, "heal");
}

static void reject(struct writer *w)
{
	static const char *const how[] = { "icmp type host-unreachable",
					   "icmp type net-unreachable",
					   "icmp type admin-prohibited" };
	char what[96];

	snprintf(what, sizeof(what), "counter name fault reject with %s",
		 how[rng_below(&w->rng, ARRAY_LEN(how))]);
	rule(w, "iifname r0 ", what);
	later(w, 100, 2000, "heal");
}

static void reset(struct writer *w)
{
	rule(w, "iifname r0 ", "meta l4proto tcp counter name fault reject with tcp reset");
	later(w, 300, 1000, "heal");
}

static void cut_link(struct writer *w)
{
	fault(w, "ip router link set r1 down");
	later(w, 100, 2500, "ip router link set r1 up");
}

/* No fault of the drill: clients that come anew at once leave no moment for the proof. */
static void destroy(struct writer *w)
{
	later(w, 50, 800, rng_below(&w->rng, 2) ? "destroy server" : "destroy client");
}

static void reload(struct writer *w)
{
	w->changes++;
	write_config(w, "write echod.conf");
	fault(w, "signal HUP server");
	fprintf(w->to, "step = await server /SIGHUP: now max_conns = %u/ within 20s\n",
		MAX_CONNS + w->changes);
}

static void take_over(struct writer *w)
{
	char before[64];

	w->changes++;
	snprintf(before, sizeof(before), "after %ums fault restart 1 echod.conf",
		 between(w, 50, 800));
	write_config(w, before);
}

/* Those that prove themselves first, then those of a server that is one process. */
static void (*const faults[])(struct writer *w) = {
	kill_server, kill_hung_server, end_server, hang_server, hang_client, silence, lose, reject,
	reset,       cut_link,         reload,     destroy,     take_over,
};
enum { PROVEN = 11, OF_FORK = 12 };
static_assert(OF_FORK + 1 == ARRAY_LEN(faults), "the last one is take_over");

/* Memory is touched when it is used: with few and small buffers it soon is all that there is, and
 * what then still grows is a leak. */
static void buffers(struct writer *w)
{
	fprintf(w->to, "options = --io_uring-buffers %u --io_uring-buffer-size 8Ki\n",
		rng_below(&w->rng, 2) ? 16U : 64U);
}

/* A load: its requests are due by the clock, whatever becomes of the server. */
static void load(struct writer *w, const struct schedule *s)
{
	static const unsigned sizes[] = { 16, 64, 1000, 3000 };

	const unsigned connections = between(w, 3, 16), each = between(w, 10, 20);
	const unsigned size = sizes[rng_below(&w->rng, ARRAY_LEN(sizes))];
	const unsigned pipeline = between(w, 1, 4);

	w->connections = connections;
	fprintf(w->to, "[client]\noptions = --backend %s -c %u -R %u -s %u -p %u -d 1h -w 0s\n",
		s->client, connections, connections * each, size, pipeline);
	fprintf(w->to,
		"options = -T 1s --connect-timeout 1s --reconnect 'backoff 100ms..500ms' "
		"--seed %" PRIu64 "\n",
		rng_below(&w->rng, 1000000));
	buffers(w);
	/* processes that come and go all the time are never counted at one moment */
	w->churns = rng_below(&w->rng, 3) == 0 && !s->forks;
	if (w->churns)
		fprintf(w->to, "options = --churn %u\n", between(w, 5, 50));
}

static void server(struct writer *w, const struct schedule *s)
{
	/* peers that have gone in silence are noticed within 3 s */
	fprintf(w->to,
		"[server]\noptions = -f /run/echod.conf --backend %s --keepalive 1s/1s/2 "
		"--user-timeout 2s\n",
		s->server);
	buffers(w);
	if (!s->forks)
		fprintf(w->to, "options = --takeover unix:/run/takeover --workers %u\n",
			between(w, 1, 3));
}

static void settle(struct writer *w)
{
	fprintf(w->to, "step = settled %u\n", w->connections);
}

static void steps(struct writer *w, const struct schedule *s)
{
	fprintf(w->to, "[steps]\n");
	write_config(w, "write echod.conf");
	step(w, "start server");
	step(w, "start client");
	settle(w);
	for (unsigned i = 0; i < s->faults; i++) {
		const unsigned choice = i == 0     ? PROVEN
					: s->forks ? OF_FORK
						   : (unsigned)ARRAY_LEN(faults);

		faults[rng_below(&w->rng, choice)](w);
		settle(w);
	}
	if (!w->churns)
		step(w, "calm 3s");
	step(w, "signal TERM client");
	step(w, "await exit client within 20s");
	step(w, "signal TERM server");
	step(w, "await exit server within 20s");
}

static uint64_t mixed(uint64_t seed, unsigned round)
{
	return rng_mix(rng_mix(seed) ^ round);
}

void schedule_write(const struct schedule *s, FILE *to)
{
	struct writer w = { .to = to, .rng = mixed(s->seed, s->round) };

	fprintf(to, "[drill]\nstory = Chaos, seed %" PRIu64 ", round %u: %s serves %s.\n", s->seed,
		s->round, s->server, s->client);
	fprintf(to, "group = long\nlimit = 10m\ntimeless = on\ndelay = %ums\n", between(&w, 1, 8));
	server(&w, s);
	load(&w, s);
	steps(&w, s);
	/* 70 where the books do not balance */
	fprintf(to, "[expect]\nexpect = client.exit == 143\nexpect = server.exit == 0\n"
		    "expect = load.messages.corrupt == 0\nexpect = mismatch.wire == 0\n");
}

unsigned schedule_choose(uint64_t seed, unsigned round, const char *of, unsigned n)
{
	uint64_t rng = mixed(seed, round) ^ (unsigned char)of[0];

	return (unsigned)rng_below(&rng, n);
}
