/* SPDX-License-Identifier: MIT
 * floor: what the kernel's TCP path costs when nobody waits. One thread owns both ends of all
 * connections, sends a message at one end and receives it at the other, so there is no sleep, no
 * wake-up and no second CPU: what is left is the price that every backend pays for an echo.
 * With --peer-cpu the other ends belong to a thread on another CPU. Both take turns and spin
 * between them, so that still nobody sleeps; the difference is what it costs that cache lines
 * travel.
 */
#include "bare_gate.h"
#include <pthread.h>
#include <stdatomic.h>

enum { MAX_ROUNDS = 4096, ROUND_NS = 20 * 1000 * 1000, STOP = 2 };

struct pair {
	int end[2];
};

struct floor {
	struct bare_options o;
	bool json;
	int peer_cpu;    /* -1: one thread does it all */
	atomic_int turn; /* whose, with a peer: an index into end[], or STOP */
	struct pair *pairs;
	uint64_t messages;
	unsigned rounds;
	double ns[MAX_ROUNDS]; /* one way, per message, of each round */
	unsigned char out[BARE_CHUNK], in[2][BARE_CHUNK];
};

static void help(void)
{
	printf("usage: floor [-c CONNECTIONS] [-s SIZE] [-d SECONDS] [--cpu N] [--congestion "
	       "NAME]\n"
	       "             [--json] [--peer-cpu N] [--gate FD]\n"
	       "Prints the CPU time of one send and one recv over loopback TCP: the median of\n"
	       "rounds of 20 ms, with the first and third quartile. Defaults: 64 connections,\n"
	       "64 bytes, 2 seconds, not pinned. --peer-cpu: the other ends are another thread's,\n"
	       "there; --gate: echobench says when to work, and for how long.\n");
	exit(0);
}

static void options(struct floor *f, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cpu", 1, NULL, 'C' },  { "congestion", 1, NULL, 'G' },
		{ "json", 0, NULL, 'J' }, { "peer-cpu", 1, NULL, 'E' },
		{ "gate", 1, NULL, 'g' }, { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	f->peer_cpu = -1;
	f->o = (struct bare_options){ .conns = 64, .size = 64, .seconds = 2, .cpu = -1 };
	f->o.addr.sin_family = AF_INET;
	f->o.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((option = getopt_long(argc, argv, "c:s:d:h", longs, NULL)) != -1) {
		if (option == 'J')
			f->json = true;
		else if (option == 'E')
			f->peer_cpu = (int)bare_count(optarg, "--peer-cpu", 0, CPU_SETSIZE - 1);
		else if (option == 'h')
			help();
		else
			bare_option(&f->o, option);
	}
	if (optind < argc)
		bare_usage("'%s': floor takes no argument", argv[optind]);
	if (f->o.gate && f->peer_cpu >= 0)
		bare_usage("--gate: only for one thread: another one would spin meanwhile");
	if (f->o.seconds > MAX_ROUNDS * (ROUND_NS / 1e9))
		bare_usage("-d: at most %.0f seconds", MAX_ROUNDS * (ROUND_NS / 1e9));
}

/* A listener of its own, silent: bare_listen() announces. */
static int listener(struct floor *f)
{
	socklen_t len = sizeof(f->o.addr);
	int fd = bare_socket(f->o.congestion, false, 0);

	if (bind(fd, (struct sockaddr *)&f->o.addr, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&f->o.addr, &len) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "listen");
	return fd;
}

static void connect_all(struct floor *f)
{
	int at = listener(f);

	bare_raise_files();
	f->pairs = calloc(f->o.conns, sizeof(*f->pairs));
	if (!f->pairs)
		bare_die(BARE_EXIT_ENVIRONMENT, "pairs");
	for (unsigned k = 0; k < f->o.conns; k++) {
		f->pairs[k].end[0] = bare_dial(&f->o);
		f->pairs[k].end[1] = accept4(at, NULL, NULL, SOCK_CLOEXEC);
		if (f->pairs[k].end[1] < 0)
			bare_die(BARE_EXIT_ENVIRONMENT, "accept");
	}
	close(at);
}

static void give(struct floor *f, int fd)
{
	if (send(fd, f->out, f->o.size, MSG_NOSIGNAL) != (ssize_t)f->o.size)
		bare_die(BARE_EXIT_FAILED, "send");
}

/* Takes one message. It is there, or the other thread has just sent it: no call sleeps. */
static void take(struct floor *f, int fd, int who)
{
	for (size_t got = 0; got < f->o.size;) {
		ssize_t n = recv(fd, f->in[who], sizeof(f->in[who]), 0);

		if (n <= 0)
			bare_die(BARE_EXIT_FAILED, "recv");
		got += (size_t)n;
	}
}

/* Both directions of each connection in turn: an echo, by one thread. */
static void sweep_alone(struct floor *f)
{
	for (unsigned k = 0; k < f->o.conns; k++) {
		const int *end = f->pairs[k].end;

		give(f, end[0]);
		take(f, end[1], 1);
		give(f, end[1]);
		take(f, end[0], 0);
	}
}

/* Echoes what waits at one end of all connections, when it is that end's turn. False: stop. */
static bool sweep_end(struct floor *f, int who, int64_t *cpu_ns)
{
	int turn;

	while ((turn = atomic_load_explicit(&f->turn, memory_order_acquire)) != who)
		if (turn == STOP)
			return false;
	*cpu_ns -= bare_cpu_ns(); /* without the spinning */
	for (unsigned k = 0; k < f->o.conns; k++) {
		take(f, f->pairs[k].end[who], who);
		give(f, f->pairs[k].end[who]);
	}
	*cpu_ns += bare_cpu_ns();
	/* unless it was told to stop meanwhile */
	atomic_compare_exchange_strong(&f->turn, &turn, !who);
	return true;
}

static void *peer(void *arg)
{
	struct floor *f = arg;
	int64_t cpu_ns = 0;

	bare_pin(f->peer_cpu);
	while (sweep_end(f, 0, &cpu_ns))
		;
	return NULL;
}

/* One message each way on all connections. Returns the CPU time of a message one way, summed. */
static int64_t sweep(struct floor *f)
{
	int64_t cpu_ns = 0;

	if (f->peer_cpu >= 0) {
		sweep_end(f, 1, &cpu_ns);
		f->messages += f->o.conns;
		return cpu_ns;
	}
	cpu_ns -= bare_cpu_ns();
	sweep_alone(f);
	f->messages += 2 * (uint64_t)f->o.conns;
	return cpu_ns + bare_cpu_ns();
}

/* A round ends after ROUND_NS. CPU time: what others take from us is not the kernel's price. */
static void measure(struct floor *f)
{
	int64_t end_ns = bare_now_ns() + (int64_t)(f->o.seconds * 1e9);

	sweep(f); /* warm: slow start, first touch */
	f->messages = 0;
	do {
		uint64_t before = f->messages;
		int64_t cpu_ns = 0, round_end_ns = bare_now_ns() + ROUND_NS;

		do
			cpu_ns += sweep(f);
		while (bare_now_ns() < round_end_ns);
		f->ns[f->rounds++] = (double)cpu_ns / (double)(f->messages - before);
	} while (bare_now_ns() < end_ns && f->rounds < MAX_ROUNDS);
}

/* The same with another thread at the other ends, which begins. */
static void measure_with_peer(struct floor *f)
{
	pthread_t thread;

	for (unsigned k = 0; k < f->o.conns; k++)
		give(f, f->pairs[k].end[1]);
	if (pthread_create(&thread, NULL, peer, f) != 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "thread");
	measure(f);
	atomic_store(&f->turn, STOP);
	pthread_join(thread, NULL);
}

/* As the other end of the gate says; it looks at our CPU clock itself. */
static void measure_through_gate(struct floor *f)
{
	int64_t ns, took_ns = 0;

	sweep(f);
	f->messages = 0;
	for (;;) {
		int64_t begin_ns;

		bare_gate_answer(f->o.gate, f->messages, took_ns);
		if (!bare_gate_wait(f->o.gate, &ns))
			return;
		begin_ns = bare_now_ns();
		f->messages = 0;
		do
			sweep(f);
		while (bare_now_ns() < begin_ns + ns);
		took_ns = bare_now_ns() - begin_ns;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct floor *f)
{
	double median, low, high;

	qsort(f->ns, f->rounds, sizeof(f->ns[0]), by_value);
	median = f->ns[f->rounds / 2];
	low = f->ns[f->rounds / 4];
	high = f->ns[f->rounds * 3 / 4];
	if (f->json)
		printf("{\"floor_ns\": %.1f, \"low_ns\": %.1f, \"high_ns\": %.1f, \"rounds\": %u, "
		       "\"messages\": %llu, \"connections\": %u, \"size\": %u, \"two_cpus\": %s}\n",
		       median, low, high, f->rounds, (unsigned long long)f->messages, f->o.conns,
		       f->o.size, f->peer_cpu >= 0 ? "true" : "false");
	else
		printf("floor: %.0f ns one way (quartiles %.0f to %.0f, %u rounds), "
		       "%u connections x %u B%s\n",
		       median, low, high, f->rounds, f->o.conns, f->o.size,
		       f->peer_cpu >= 0 ? ", two CPUs" : "");
}

int main(int argc, char **argv)
{
	static struct floor f;

	options(&f, argc, argv);
	bare_pin(f.o.cpu);
	connect_all(&f);
	if (f.o.gate) {
		measure_through_gate(&f);
		return 0;
	}
	if (f.peer_cpu >= 0)
		measure_with_peer(&f);
	else
		measure(&f);
	report(&f);
	return 0;
}
