/* SPDX-License-Identifier: MIT
 * floor: what the kernel's TCP path costs when nobody waits. One thread owns both ends of all
 * connections, sends a message at one end and receives it at the other, so there is no sleep, no
 * wake-up and no second CPU: what is left is the price that every backend pays for an echo.
 */
#include "bare.h"

enum { MAX_ROUNDS = 4096, ROUND_NS = 20 * 1000 * 1000 };

struct pair {
	int end[2];
};

struct floor {
	struct bare_options o;
	bool json;
	unsigned next; /* the connection whose turn it is */
	struct pair *pairs;
	uint64_t messages;
	unsigned rounds;
	double ns[MAX_ROUNDS]; /* one way, per message, of each round */
	unsigned char out[BARE_CHUNK], in[BARE_CHUNK];
};

static void help(void)
{
	printf("usage: floor [-c CONNECTIONS] [-s SIZE] [-d SECONDS] [--cpu N] [--congestion "
	       "NAME]\n"
	       "             [--json]\n"
	       "Prints the CPU time of one send and one recv over loopback TCP: the median of\n"
	       "rounds of 20 ms, with the first and third quartile. Defaults: 64 connections,\n"
	       "64 bytes, 2 seconds, not pinned.\n");
	exit(0);
}

static void options(struct floor *f, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cpu", 1, NULL, 'C' },  { "congestion", 1, NULL, 'G' }, { "json", 0, NULL, 'J' },
		{ "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int option;

	f->o = (struct bare_options){ .conns = 64, .size = 64, .seconds = 2, .cpu = -1 };
	f->o.addr.sin_family = AF_INET;
	f->o.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((option = getopt_long(argc, argv, "c:s:d:h", longs, NULL)) != -1) {
		if (option == 'J')
			f->json = true;
		else if (option == 'h')
			help();
		else
			bare_option(&f->o, option);
	}
	if (optind < argc)
		bare_usage("'%s': floor takes no argument", argv[optind]);
	if (f->o.seconds > MAX_ROUNDS * (ROUND_NS / 1e9))
		bare_usage("-d: at most %.0f seconds", MAX_ROUNDS * (ROUND_NS / 1e9));
}

/* A listener of its own, silent: bare_listen() announces. */
static int listener(struct floor *f)
{
	socklen_t len = sizeof(f->o.addr);
	int fd = bare_socket(f->o.congestion, 0);

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

/* One message one way. What is in flight fits the socket, so neither call can block. */
static void pass(struct floor *f, int from, int to)
{
	size_t got = 0;

	if (send(from, f->out, f->o.size, MSG_NOSIGNAL) != (ssize_t)f->o.size)
		bare_die(BARE_EXIT_FAILED, "send");
	while (got < f->o.size) {
		ssize_t n = recv(to, f->in, sizeof(f->in), 0);

		if (n <= 0)
			bare_die(BARE_EXIT_FAILED, "recv");
		got += (size_t)n;
	}
}

/* Both directions of each connection in turn: an echo, by one thread. */
static void sweep(struct floor *f)
{
	for (unsigned k = 0; k < f->o.conns; k++) {
		struct pair *p = &f->pairs[k];

		pass(f, p->end[0], p->end[1]);
		pass(f, p->end[1], p->end[0]);
	}
	f->messages += 2 * (uint64_t)f->o.conns;
}

/* A round ends after ROUND_NS; the clock is read once a sweep. CPU time: steal is not the kernel's
 * price. */
static void measure(struct floor *f)
{
	int64_t end_ns = bare_now_ns() + (int64_t)(f->o.seconds * 1e9);

	sweep(f); /* warm: slow start, first touch */
	f->messages = 0;
	do {
		uint64_t before = f->messages;
		int64_t cpu_ns = bare_cpu_ns(), round_end_ns = bare_now_ns() + ROUND_NS;

		do
			sweep(f);
		while (bare_now_ns() < round_end_ns);
		f->ns[f->rounds++] =
			(double)(bare_cpu_ns() - cpu_ns) / (double)(f->messages - before);
	} while (bare_now_ns() < end_ns && f->rounds < MAX_ROUNDS);
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
		       "\"messages\": %llu, \"connections\": %u, \"size\": %u}\n",
		       median, low, high, f->rounds, (unsigned long long)f->messages, f->o.conns,
		       f->o.size);
	else
		printf("floor: %.0f ns one way (quartiles %.0f to %.0f, %u rounds), "
		       "%u connections x %u B\n",
		       median, low, high, f->rounds, f->o.conns, f->o.size);
}

int main(int argc, char **argv)
{
	static struct floor f;

	options(&f, argc, argv);
	bare_pin(f.o.cpu);
	connect_all(&f);
	measure(&f);
	report(&f);
	return 0;
}
