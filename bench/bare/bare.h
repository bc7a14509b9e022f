/* SPDX-License-Identifier: MIT
 * bare: what the standalone measuring programs share, header only. Nothing of echolab is in it: a
 * loop that used the product's code could not say what that code costs.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BARE_EXIT_FAILED = 1,      /* a connection broke or a byte was wrong */
	BARE_EXIT_USAGE = 2,       /* nothing was run */
	BARE_EXIT_ENVIRONMENT = 4, /* the kernel or the machine refused something */
	BARE_CHUNK = 64 << 10,     /* most bytes received at once */
	BARE_PRIME = 1048583,      /* smallest prime above 1 MiB: length of the table */
	BARE_STEP = 7919,          /* a of T[(a*k + o) mod P]: where connection k starts */
	BARE_CONNS = 16384,        /* most connections of one client */
	BARE_DEPTH = 1024,         /* most messages in flight on one connection */
	BARE_GRACE = 5,            /* seconds that the last echoes may take */
	BARE_SUB_BITS = 5,         /* histogram: 32 steps in each power of two, 3 % */
	BARE_BUCKETS = 60 << BARE_SUB_BITS,
};

struct bare_options {
	bool server;
	struct sockaddr_in addr; /* of the server; the client's target */
	unsigned conns, size, depth;
	double seconds, warmup;
	int cpu; /* -1: not pinned */
	bool verify, latency;
	bool discard;  /* the kernel drops what comes back: cheaper than its server */
	bool spin;     /* never sleeps: the server is not charged for waking us */
	pid_t observe; /* the server's process: its CPU time while we measure; 0: nobody's */
	const char *congestion; /* NULL: the system's default */
	bool threaded;          /* the loop is a second thread's, as a worker's is */
	bool nagle, quickack;   /* ablations: what a server's sockets usually are not */
	char *variant;          /* of the loop, for ablations; NULL: as it should be */
	int gate;               /* another program says when to send; 0: nobody does */
};

/* What a client has measured; printed as one JSON line. */
struct bare_result {
	uint64_t messages, turns;
	int64_t duration_ns, cpu_ns, server_cpu_ns;
	uint32_t hist[BARE_BUCKETS];
};

static inline __attribute__((noreturn)) void bare_die(int code, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(code);
}

static inline __attribute__((noreturn, format(printf, 1, 2))) void bare_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, " (try --help)\n");
	va_end(args);
	exit(BARE_EXIT_USAGE);
}

static inline int64_t bare_clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t bare_now_ns(void)
{
	return bare_clock_ns(CLOCK_MONOTONIC);
}

/*
 * CPU time of the calling thread: the sum_exec_runtime that /proc/thread-self/schedstat shows, but
 * brought up to date by the call; the file lags by up to a tick for a thread that is running.
 */
static inline int64_t bare_cpu_ns(void)
{
	return bare_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* CPU time of a process, all its threads together. */
static inline int64_t bare_process_cpu_ns(pid_t pid)
{
	clockid_t clock;

	errno = clock_getcpuclockid(pid, &clock);
	if (errno != 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "--observe");
	return bare_clock_ns(clock);
}

/* Pins the calling thread to one CPU; cpu < 0 leaves it alone. */
static inline void bare_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "--cpu");
}

static inline double bare_number(const char *text, const char *name, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max))
		bare_usage("%s: '%s' is not a number from %.9g to %.9g", name, text, min, max);
	return value;
}

static inline unsigned bare_count(const char *text, const char *name, unsigned min, unsigned max)
{
	double value = bare_number(text, name, min, max);

	if (value != (double)(unsigned)value)
		bare_usage("%s: '%s' is not a whole number", name, text);
	return (unsigned)value;
}

/* As many descriptors as this process may have. */
static inline void bare_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* A TCP socket without Nagle's delay and with the congestion control asked for. */
static inline int bare_socket(const char *congestion, bool nagle, int flags)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "socket");
	if (!nagle)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (congestion && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
				     (socklen_t)strlen(congestion)) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, congestion);
	return fd;
}

/* Listens and says where; what is set on the listener, its children inherit. */
static inline int bare_listen(const struct bare_options *o, int flags)
{
	struct sockaddr_in at = o->addr;
	socklen_t len = sizeof(at);
	int one = 1, fd = bare_socket(o->congestion, o->nagle, flags);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "listen");
	printf("listening %s:%u\n", inet_ntoa(at.sin_addr), ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

/* What an accepted socket does not inherit. */
static inline void bare_accepted(const struct bare_options *o, int fd)
{
	int one = 1;

	if (o->quickack)
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

/* A connected socket, and not to itself; flags (SOCK_NONBLOCK) are set once it is. */
static inline int bare_dial(const struct bare_options *o)
{
	struct sockaddr_in own;
	int fd = bare_socket(o->congestion, o->nagle, 0);

	if (connect(fd, (const struct sockaddr *)&o->addr, sizeof(o->addr)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof(own) }) < 0 ||
	    memcmp(&own, &o->addr, sizeof(own)) == 0)
		bare_die(BARE_EXIT_FAILED, "connect");
	return fd;
}

/* A descriptor that becomes readable on SIGTERM or SIGINT: no race between a test and a sleep. */
static inline int bare_stop_fd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "signalfd");
	return fd;
}

/*
 * The bytes all clients send: stream offset o of connection k carries T[(a*k + o) mod P]
 * (docs/results.md). One chunk of the beginning follows the end, so that any span of a chunk lies
 * in one piece.
 */
static inline const unsigned char *bare_table(void)
{
	unsigned char *table = malloc(BARE_PRIME + BARE_CHUNK);
	uint64_t x = 0x9e3779b97f4a7c15;

	if (!table)
		bare_die(BARE_EXIT_ENVIRONMENT, "table");
	for (size_t i = 0; i < BARE_PRIME; i++) {
		x ^= x << 13; /* xorshift64, Marsaglia 2003 */
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (unsigned char)(x >> 56);
	}
	memcpy(table + BARE_PRIME, table, BARE_CHUNK);
	return table;
}

/* Where in the table a connection's stream starts. */
static inline uint32_t bare_start(unsigned conn)
{
	return (uint32_t)((uint64_t)conn * BARE_STEP % BARE_PRIME);
}

/* A table position moved on by at most a chunk: a compare, not a division, for each message. */
static inline uint32_t bare_advance(uint32_t at, size_t len)
{
	at += (uint32_t)len;
	return at < BARE_PRIME ? at : at - BARE_PRIME;
}

/* Log-linear bucket: the position of the highest bit and the BARE_SUB_BITS bits after it. */
static inline unsigned bare_bucket(uint64_t ns)
{
	unsigned shift;

	if (ns < 1 << BARE_SUB_BITS)
		return (unsigned)ns;
	shift = 63 - BARE_SUB_BITS - (unsigned)__builtin_clzll(ns);
	return (shift << BARE_SUB_BITS) + (unsigned)(ns >> shift);
}

/* The lowest value of the bucket in which the quantile lies. */
static inline uint64_t bare_quantile(const struct bare_result *r, double q)
{
	uint64_t seen = 0, want = (uint64_t)(q * (double)r->messages);

	for (unsigned i = 0; i < BARE_BUCKETS; i++) {
		seen += r->hist[i];
		if (seen > want) {
			unsigned shift = i >> BARE_SUB_BITS;

			return shift ? (uint64_t)(i - ((shift - 1) << BARE_SUB_BITS)) << (shift - 1)
				     : i;
		}
	}
	return 0;
}

static inline void bare_print(const struct bare_options *o, const struct bare_result *r)
{
	double n = r->messages ? (double)r->messages : 1;

	printf("{\"messages\": %llu, \"duration_ns\": %lld, \"per_second\": %.1f, \"cpu_ns\": "
	       "%lld, \"cpu_ns_per_message\": %.1f, \"turns\": %llu, \"connections\": %u, "
	       "\"size\": %u, \"depth\": %u, \"verify\": %s",
	       (unsigned long long)r->messages, (long long)r->duration_ns,
	       (double)r->messages * 1e9 / (double)r->duration_ns, (long long)r->cpu_ns,
	       (double)r->cpu_ns / n, (unsigned long long)r->turns, o->conns, o->size, o->depth,
	       o->verify ? "true" : "false");
	if (o->latency)
		printf(", \"p50_ns\": %llu, \"p99_ns\": %llu",
		       (unsigned long long)bare_quantile(r, 0.5),
		       (unsigned long long)bare_quantile(r, 0.99));
	if (o->observe)
		printf(", \"server_cpu_ns_per_message\": %.1f, \"server_busy\": %.4f",
		       (double)r->server_cpu_ns / n,
		       (double)r->server_cpu_ns / (double)r->duration_ns);
	printf("}\n");
}

/* What a server has done; events: readiness events or completions. */
struct bare_served {
	uint64_t bytes, recvs, turns, events;
	int64_t cpu_ns;
};

/* A server's line: -s says how many bytes make an echo. */
static inline void bare_print_server(const struct bare_options *o, const struct bare_served *s)
{
	uint64_t echoes = s->bytes / o->size;

	printf("{\"echoes\": %llu, \"bytes\": %llu, \"recvs\": %llu, \"turns\": %llu, "
	       "\"events\": %llu, \"cpu_ns\": %lld, \"cpu_ns_per_echo\": %.1f}\n",
	       (unsigned long long)echoes, (unsigned long long)s->bytes,
	       (unsigned long long)s->recvs, (unsigned long long)s->turns,
	       (unsigned long long)s->events, (long long)s->cpu_ns,
	       (double)s->cpu_ns / (echoes ? (double)echoes : 1));
}

static inline void bare_address(struct bare_options *o, const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		bare_usage("'%s' is not HOST:PORT", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &o->addr.sin_addr) != 1)
		bare_usage("'%s' is not an IPv4 address", host);
	o->addr.sin_port = htons((uint16_t)bare_count(colon + 1, "port", 1, 65535));
}

static inline void bare_help(void)
{
	printf("usage: %s server [--port P] [-s SIZE] [--cpu N] [--congestion NAME]\n"
	       "              [--threaded] [--nagle] [--quickack] [--variant LIST]\n"
	       "       %s client HOST:PORT [-c CONNECTIONS] [-s SIZE] [-p DEPTH]\n"
	       "              [-d SECONDS] [-w SECONDS] [--cpu N] [--congestion NAME] [--verify]\n"
	       "              [--latency] [--discard] [--spin] [--observe PID] [--gate FD]\n"
	       "              [--threaded]\n"
	       "The server echoes until SIGTERM; both end with one line of JSON. -s tells the\n"
	       "server only by what to divide. --discard: what comes back is not even copied, so\n"
	       "that a server of large messages has more to do than its client. --spin: the\n"
	       "client never sleeps, so that nobody has to wake it; --observe: it also tells\n"
	       "what CPU time the process PID, its server, used while it measured, which it does\n"
	       "for -d seconds after -w seconds.\n"
	       "--gate: echobench says when to send, and for how long, as it does to echoload.\n"
	       "--threaded: the loop is not that of the only thread of its process, so that\n"
	       "descriptors are shared, as a worker's are: each call counts its reference.\n"
	       "--variant: leaves something out, or does it in another way, to find out what it\n"
	       "is worth; an unknown name lists them. Defaults: port 0 (chosen and printed), 64\n"
	       "connections, 64 bytes, depth 1, 2 seconds after 0.1 of warm-up, not pinned.\n",
	       program_invocation_short_name, program_invocation_short_name);
	exit(0);
}

/* Options without a value. Returns whether it was one. */
static inline bool bare_flag(struct bare_options *o, int option)
{
	switch (option) {
	case 'V':
		o->verify = true;
		return true;
	case 'L':
		o->latency = true;
		return true;
	case 'D':
		o->discard = true;
		return true;
	case 'S':
		o->spin = true;
		return true;
	case 'T':
		o->threaded = true;
		return true;
	case 'N':
		o->nagle = true;
		return true;
	case 'Q':
		o->quickack = true;
		return true;
	default:
		return false;
	}
}

static inline void bare_option(struct bare_options *o, int option)
{
	if (bare_flag(o, option))
		return;
	switch (option) {
	case 'P':
		o->addr.sin_port = htons((uint16_t)bare_count(optarg, "--port", 0, 65535));
		break;
	case 'c':
		o->conns = bare_count(optarg, "-c", 1, BARE_CONNS);
		break;
	case 's':
		o->size = bare_count(optarg, "-s", 1, BARE_CHUNK);
		break;
	case 'p':
		o->depth = bare_count(optarg, "-p", 1, BARE_DEPTH);
		break;
	case 'd':
		o->seconds = bare_number(optarg, "-d", 0.01, 86400);
		break;
	case 'w':
		o->warmup = bare_number(optarg, "-w", 0, 3600);
		break;
	case 'C':
		o->cpu = (int)bare_count(optarg, "--cpu", 0, CPU_SETSIZE - 1);
		break;
	case 'G':
		o->congestion = optarg;
		break;
	case 'O':
		o->observe = (pid_t)bare_count(optarg, "--observe", 1, INT32_MAX);
		break;
	case 'g':
		o->gate = (int)bare_count(optarg, "--gate", 3, 1023);
		break;
	case 'X':
		o->variant = optarg;
		break;
	case 'h':
		bare_help();
		break;
	default:
		exit(BARE_EXIT_USAGE); /* getopt said which */
	}
}

/* Reads the command line of a bare loop, or ends the program with 2. */
static inline struct bare_options bare_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", 1, NULL, 'P' },       { "cpu", 1, NULL, 'C' },
		{ "congestion", 1, NULL, 'G' }, { "verify", 0, NULL, 'V' },
		{ "latency", 0, NULL, 'L' },    { "spin", 0, NULL, 'S' },
		{ "observe", 1, NULL, 'O' },    { "variant", 1, NULL, 'X' },
		{ "nagle", 0, NULL, 'N' },      { "quickack", 0, NULL, 'Q' },
		{ "threaded", 0, NULL, 'T' },   { "gate", 1, NULL, 'g' },
		{ "discard", 0, NULL, 'D' },    { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct bare_options o = {
		.conns = 64, .size = 64, .depth = 1, .seconds = 2, .warmup = 0.1, .cpu = -1
	};
	int option;

	o.addr.sin_family = AF_INET;
	o.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((option = getopt_long(argc, argv, "c:s:p:d:w:h", longs, NULL)) != -1)
		bare_option(&o, option);
	if (optind >= argc)
		bare_usage("say server or client");
	o.server = strcmp(argv[optind], "server") == 0;
	if (!o.server && strcmp(argv[optind], "client") != 0)
		bare_usage("'%s' is neither server nor client", argv[optind]);
	if (argc - optind != (o.server ? 1 : 2))
		bare_usage(o.server ? "a server takes no argument"
				    : "a client takes one HOST:PORT");
	if (o.verify && o.discard)
		bare_usage("--verify: what --discard drops cannot be compared");
	if (!o.server)
		bare_address(&o, argv[optind + 1]);
	return o;
}

/* Runs a loop, in a second thread if so asked. */
static inline void bare_thread(const struct bare_options *o, void *(*loop)(void *options))
{
	pthread_t thread;

	if (!o->threaded) {
		loop((void *)(uintptr_t)o);
		return;
	}
	bare_stop_fd(); /* blocks the signals that it reads, in both threads */
	if (pthread_create(&thread, NULL, loop, (void *)(uintptr_t)o) != 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "thread");
	pthread_join(thread, NULL);
}

#endif
