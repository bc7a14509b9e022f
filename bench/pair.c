/* SPDX-License-Identifier: MIT
 * pair: is B faster than A, on a machine that changes its mind every minute? Both run once in each
 * round, in random order, close enough in time to meet the same machine; what counts is the ratio
 * within the round, never a mean over rounds. A against A shows what noise remains.
 */
#include <ctype.h>
#include <jansson.h>
#include <sys/wait.h>

#include "bare/bare.h"
#include "echo/base/base.h"
#include "echo/base/rng.h"
#include "echo/lab/child.h"
#include "echo/lab/provenance.h"
#include "echo/lab/tasks.h"
#include "pair_stats.h"

enum {
	MAX_KEYS = 16,
	CHECK_EVERY = 5,
	EXIT_INCONCLUSIVE = 5,
};

#define PATIENCE_NS SEC(3) /* for a program to end when it is asked to */

struct side {
	const char *server, *client; /* server may be NULL */
};

struct pair {
	struct side side[2];
	struct key *keys;
	unsigned key_count, rounds, max_rounds, done, stolen;
	double round_seconds, width; /* width 0: run the rounds asked for */
	uint64_t seed;
	const char *json;
	bool interrupted;
	struct child server, client; /* those that run now */
};

/* Ends everything, then the program: whatever goes wrong, nobody stays behind. */
static __attribute__((noreturn, format(printf, 2, 3))) void fail(struct pair *p, const char *fmt,
								 ...)
{
	va_list args;

	child_stop(&p->client, PATIENCE_NS);
	child_stop(&p->server, PATIENCE_NS);
	va_start(args, fmt);
	fprintf(stderr, "pair: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(BARE_EXIT_ENVIRONMENT);
}

static void start(struct pair *p, struct child *c, const char *command)
{
	int r = child_start(c, command, NULL);

	if (r < 0)
		fail(p, "cannot start: %s: %s", command, strerror(-r));
}

/* What a program said, or "". Never freed: the program is about to end. */
static const char *said(const struct child *c)
{
	const char *text = child_text(c->err);

	return text ? text : "";
}

/* The JSON that a command printed: its last line, or all it said. NULL when there is none. */
static json_t *printed_json(const struct child *c)
{
	char *text = child_text(c->out), *line;
	size_t len = text ? strlen(text) : 0;
	json_t *json = NULL;

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	line = text ? strrchr(text, '\n') : NULL;
	if (text)
		json = json_loads(line ? line + 1 : text, 0, NULL);
	if (text && !json)
		json = json_loads(text, 0, NULL);
	free(text);
	return json;
}

static int64_t tree_cpu_ns(const struct child *c)
{
	struct tasks_usage u;

	tasks_usage(c->keeper, &u);
	return u.cpu_ns;
}

/* Starts a server and waits until it says where it listens. Returns false when interrupted. */
static bool start_server(struct pair *p, const char *command, char *addr, size_t size)
{
	start(p, &p->server, command);
	for (int i = 0; i < 5000; i++) {
		int r;

		if (child_address(p->server.out, addr, size) ||
		    child_address(p->server.err, addr, size))
			return true;
		r = child_wait(&p->server, 1000000);
		if (r == -EINTR)
			p->interrupted = true;
		if (p->interrupted)
			return false;
		if (r == 0)
			fail(p, "server ended: %s: %s", command, said(&p->server));
	}
	fail(p, "server said no 'listening' with an address in 5 s: %s", command);
}

/* Adds what only an observer can know: the server's CPU time while the client ran. A client that
 * observed the server itself knows better: how much of it was after its warm-up. */
static void add_server(struct pair *p, json_t *json, int64_t cpu_ns, int64_t wall_ns)
{
	double messages = key_number(json, "messages");

	if (json_object_get(json, "server_busy"))
		return;
	if (!(messages > 0))
		fail(p, "the client's JSON has no \"messages\" to divide the server's CPU time by");
	json_object_set_new(json, "server_cpu_ns_per_message",
			    json_real((double)cpu_ns / messages));
	json_object_set_new(json, "server_busy", json_real((double)cpu_ns / (double)wall_ns));
}

/* Runs one side once. Returns its JSON, or NULL when interrupted. */
static json_t *run_side(struct pair *p, const struct side *s)
{
	int64_t cpu_ns = 0, begin_ns, limit_ns = (int64_t)(p->round_seconds * 10e9) + 30000000000;
	char addr[80] = "", seconds[32], pid[16], *timed, *aimed, *command;
	json_t *json = NULL;
	int r;

	if (s->server && !start_server(p, s->server, addr, sizeof(addr)))
		goto out_server;
	snprintf(seconds, sizeof(seconds), "%g", p->round_seconds);
	timed = child_replace(s->client, "{seconds}", seconds);
	snprintf(pid, sizeof(pid), "%d", (int)p->server.pid);
	aimed = child_replace(timed, "{addr}", addr);
	command = child_replace(aimed, "{server}", pid);
	if (s->server)
		cpu_ns = tree_cpu_ns(&p->server);
	begin_ns = bare_now_ns();
	start(p, &p->client, command);
	r = child_wait(&p->client, limit_ns);
	if (s->server)
		cpu_ns = tree_cpu_ns(&p->server) - cpu_ns;
	if (r == -ETIME)
		fail(p, "did not end in %.0f s: %s", (double)limit_ns / 1e9, command);
	if (r == -EINTR)
		p->interrupted = true;
	else if (p->client.status != 0)
		fail(p, "%s %d: %s: %s", WIFEXITED(p->client.status) ? "exit" : "signal",
		     WIFEXITED(p->client.status) ? WEXITSTATUS(p->client.status)
						 : WTERMSIG(p->client.status),
		     command, said(&p->client));
	else if (!(json = printed_json(&p->client)))
		fail(p, "no line of JSON came from: %s", command);
	if (json && s->server)
		add_server(p, json, cpu_ns, bare_now_ns() - begin_ns);
	free(timed);
	free(aimed);
	free(command);
	child_stop(&p->client, PATIENCE_NS);
out_server:
	if (s->server)
		child_stop(&p->server, PATIENCE_NS);
	return json;
}

/* One round: both sides in random order. A round that was interrupted leaves no trace. */
static void run_round(struct pair *p)
{
	int64_t steal_ns = provenance_steal_ns();
	unsigned first = (unsigned)rng_below(&p->seed, 2);
	json_t *json[2] = { NULL, NULL };

	json[first] = run_side(p, &p->side[first]);
	p->interrupted |= child_stop_signal() != 0; /* it may come while a server is stopped */
	if (!p->interrupted)
		json[!first] = run_side(p, &p->side[!first]);
	p->interrupted |= child_stop_signal() != 0;
	for (unsigned i = 0; i < p->key_count && !p->interrupted; i++) {
		struct key *k = &p->keys[i];

		for (int s = 0; s < 2; s++) {
			k->value[s][p->done] = key_number(json[s], k->path[s]);
			if (!(k->value[s][p->done] > 0))
				fail(p, "%c gave no positive number for the key %s", 'A' + s,
				     k->path[s]);
		}
		k->ratio[p->done] = log(k->value[1][p->done] / k->value[0][p->done]);
	}
	json_decref(json[0]);
	json_decref(json[1]);
	if (p->interrupted)
		return;
	p->done++;
	p->stolen += provenance_steal_ns() > steal_ns;
}

static void print_report(const struct pair *p)
{
	keys_print(p->keys, p->key_count, p->done);
	if (p->stolen > 0)
		printf("in %u rounds the hypervisor took CPU time away\n", p->stolen);
	if (p->interrupted)
		printf("interrupted\n");
}

static void write_report(struct pair *p, uint64_t seed)
{
	json_t *json =
		json_pack("{s:s, s:i, s:I, s:b, s:i, s:f, s:[{s:s?, s:s}, {s:s?, s:s}], s:o}",
			  "schema", "pair/1", "rounds", (int)p->done, "seed", (json_int_t)seed,
			  "interrupted", p->interrupted, "rounds_with_steal", (int)p->stolen,
			  "round_seconds", p->round_seconds, "sides", "server", p->side[0].server,
			  "client", p->side[0].client, "server", p->side[1].server, "client",
			  p->side[1].client, "keys", keys_json(p->keys, p->key_count, p->done));

	if (!json_write(json, p->json))
		fail(p, "cannot write %s", p->json);
}

static void help(void)
{
	printf("usage: pair [OPTIONS] --a 'CMD' --b 'CMD'\n"
	       "       pair [OPTIONS] --server-a 'CMD' --server-b 'CMD' --client 'CMD'\n"
	       "Runs both sides in interleaved rounds in random order and prints B / A for each\n"
	       "key of the JSON line that each command prints last. A server says 'listening'\n"
	       "with its address; {addr} in a client's command is replaced by it, {server} by\n"
	       "its process, {seconds} by the length of a round. --a and --b may be the clients\n"
	       "of two servers, or one side may do without a server.\n"
	       "  --key PATH            key of the JSON, dotted; PATH_A=PATH_B if they differ;\n"
	       "                        repeatable; default per_second, or with servers\n"
	       "                        server_cpu_ns_per_message and server_busy\n"
	       "  --rounds N            pairs of runs (30; at least so many with --until-width)\n"
	       "  --round-seconds S     for {seconds}, and a run is killed after 10 S + 30 (1)\n"
	       "  --until-width W       go on until the interval is within +-W, e.g. 0.02\n"
	       "  --max-rounds N        but not longer than this (400)\n"
	       "  --seed N              of the order and the interval (1)\n"
	       "  --json FILE           the result for programs\n"
	       "Exit: 0 measured, 2 usage, 4 something did not run, 5 fewer than 6 rounds or\n"
	       "interval too wide, 130 interrupted (what was measured is printed).\n");
	exit(0);
}

static void add_key(struct pair *p, char *text)
{
	char *equals = strchr(text, '=');
	struct key *k = &p->keys[p->key_count];

	if (p->key_count == MAX_KEYS)
		bare_usage("--key: at most %d keys", MAX_KEYS);
	k->label = strdup(text);
	k->path[0] = text;
	k->path[1] = equals ? equals + 1 : text;
	if (equals)
		*equals = '\0';
	p->key_count++;
}

/* Completes what was not said, and refuses what cannot be run. */
static void complete(struct pair *p, const char *client)
{
	static char per_second[] = "per_second", cpu[] = "server_cpu_ns_per_message",
		    busy[] = "server_busy";
	bool servers = p->side[0].server && p->side[1].server;

	for (int s = 0; s < 2; s++) {
		if (!p->side[s].client && p->side[s].server)
			p->side[s].client = client;
		if (!p->side[s].client)
			bare_usage("side %c has no command", 'A' + s);
		if (p->side[s].server && !strstr(p->side[s].client, "{addr}"))
			bare_usage("the client of side %c does not use {addr}", 'A' + s);
	}
	if (p->key_count == 0 && servers) {
		add_key(p, cpu);
		add_key(p, busy);
	} else if (p->key_count == 0) {
		add_key(p, per_second);
	}
	if (p->max_rounds < p->rounds || p->width <= 0)
		p->max_rounds = p->rounds;
}

/* The options that take a number. Returns false for one that is none of them. */
static bool number_option(struct pair *p, int option)
{
	switch (option) {
	case 'r':
		p->rounds = bare_count(optarg, "--rounds", 1, MAX_ROUNDS);
		return true;
	case 's':
		p->round_seconds = bare_number(optarg, "--round-seconds", 0.01, 3600);
		return true;
	case 'S':
		p->seed = bare_count(optarg, "--seed", 1, UINT32_MAX);
		return true;
	case 'w':
		p->width = bare_number(optarg, "--until-width", 0.0001, 1);
		return true;
	case 'm':
		p->max_rounds = bare_count(optarg, "--max-rounds", 1, MAX_ROUNDS);
		return true;
	default:
		return false;
	}
}

static void options(struct pair *p, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "a", 1, NULL, 'a' },          { "b", 1, NULL, 'b' },
		{ "server-a", 1, NULL, 'A' },   { "server-b", 1, NULL, 'B' },
		{ "client", 1, NULL, 'c' },     { "key", 1, NULL, 'k' },
		{ "rounds", 1, NULL, 'r' },     { "round-seconds", 1, NULL, 's' },
		{ "seed", 1, NULL, 'S' },       { "until-width", 1, NULL, 'w' },
		{ "max-rounds", 1, NULL, 'm' }, { "json", 1, NULL, 'j' },
		{ "help", 0, NULL, 'h' },       { NULL, 0, NULL, 0 },
	};
	const char *client = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (number_option(p, option))
			continue;
		if (option == 'a' || option == 'b')
			p->side[option - 'a'].client = optarg;
		else if (option == 'A' || option == 'B')
			p->side[option - 'A'].server = optarg;
		else if (option == 'c')
			client = optarg;
		else if (option == 'k')
			add_key(p, optarg);
		else if (option == 'j')
			p->json = optarg;
		else if (option == 'h')
			help();
		else
			exit(BARE_EXIT_USAGE); /* getopt said which */
	}
	if (optind < argc)
		bare_usage("'%s': quote each command as one argument", argv[optind]);
	complete(p, client);
}

int main(int argc, char **argv)
{
	static struct key keys[MAX_KEYS];
	struct pair p = {
		.keys = keys, .rounds = 30, .max_rounds = 400, .round_seconds = 1, .seed = 1
	};
	bool narrow = false;
	uint64_t seed;

	options(&p, argc, argv);
	seed = p.seed;
	child_block_signals();
	while (p.done < p.max_rounds && !p.interrupted && !narrow) {
		run_round(&p);
		if (p.width > 0 && p.done >= p.rounds && p.done % CHECK_EVERY == 0)
			narrow = keys_judge(p.keys, p.key_count, p.done, p.width, seed);
	}
	narrow = keys_judge(p.keys, p.key_count, p.done, p.width, seed);
	if (p.done > 0)
		print_report(&p);
	if (p.json)
		write_report(&p, seed);
	if (p.interrupted)
		return 130;
	return narrow ? 0 : EXIT_INCONCLUSIVE;
}
