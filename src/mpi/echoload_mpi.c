/* SPDX-License-Identifier: MIT
 * echoload_mpi: one part of a load for each rank of MPI. Every rank starts an echoload of its own,
 * which makes the load and writes its own file; MPI is used before it, to measure clocks and to
 * agree on a start, and after it, to bring the files to rank 0, which merges them. While the load
 * runs no rank does anything but wait, so that MPI takes nothing from it, and an echoload that is
 * killed ends neither its rank nor the job.
 *
 *   mpirun -n 8 --hostfile hosts echoload-mpi [--dir DIR] ECHOLOAD-OPTION... HOST:PORT...
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <mpi.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echo/lab/process.h"

enum {
	ROUNDS = 30,       /* stamps that are exchanged with each rank */
	NAME_MAX_LEN = 64, /* of a run */
	POLL_US = 5000,    /* waiting in MPI would burn a CPU that others need */
	TAG_CLOCK = 1,
	TAG_FILE = 2,
};

struct job {
	int rank, size;
	char echoload[PATH_MAX]; /* the program beside this one */
	const char *dir;
	char run[NAME_MAX_LEN];
	int64_t start_unix_ns; /* by the clock of rank 0 */
	int64_t offset_ns, uncertainty_ns;
	const char **part, **merge; /* command lines */
	size_t part_len, merge_len;
};

static volatile sig_atomic_t child;

static void forward(int number)
{
	if (child > 0)
		kill((pid_t)child, number);
}

/* ---- clocks ---- */

/* Rank 0 answers @rank with its time. */
static void clock_answer(int rank)
{
	for (int i = 0; i < ROUNDS; i++) {
		int64_t now_ns;

		MPI_Recv(NULL, 0, MPI_INT64_T, rank, TAG_CLOCK, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		now_ns = clock_unix_ns();
		MPI_Send(&now_ns, 1, MPI_INT64_T, rank, TAG_CLOCK, MPI_COMM_WORLD);
	}
}

/* How far this clock is ahead of that of rank 0: the exchange that took the least time knows it
 * best, to half of that time (Cristian 1989). */
static void clock_ask(struct job *j)
{
	int64_t best_ns = INT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t sent_ns = clock_unix_ns(), its_ns, took_ns;

		MPI_Send(NULL, 0, MPI_INT64_T, 0, TAG_CLOCK, MPI_COMM_WORLD);
		MPI_Recv(&its_ns, 1, MPI_INT64_T, 0, TAG_CLOCK, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		took_ns = clock_unix_ns() - sent_ns;
		if (took_ns < 0 || took_ns >= best_ns)
			continue;
		best_ns = took_ns;
		j->offset_ns = sent_ns + took_ns / 2 - its_ns;
		j->uncertainty_ns = took_ns / 2 + 1;
	}
}

/* Measures the clocks one after the other, and agrees on a start and a name. */
static void agree(struct job *j)
{
	MPI_Barrier(MPI_COMM_WORLD);
	for (int rank = 1; j->rank == 0 && rank < j->size; rank++)
		clock_answer(rank);
	if (j->rank > 0)
		clock_ask(j);
	MPI_Barrier(MPI_COMM_WORLD);
	if (j->rank == 0) {
		j->start_unix_ns = clock_unix_ns() + SEC(2) + MSEC(1) * j->size;
		snprintf(j->run, sizeof(j->run), "mpi-%" PRId64 "-%d", clock_unix_ns(), getpid());
	}
	MPI_Bcast(&j->start_unix_ns, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
	MPI_Bcast(j->run, sizeof(j->run), MPI_CHAR, 0, MPI_COMM_WORLD);
}

/* ---- command lines ---- */

/* What is asked of the report of all, and means nothing to a part: "-o json", "--json=FILE".
 * Returns how many words it has; 0: it is something else. */
static int words_of_report(char *const argv[])
{
	static const char *const names[] = { "--output", "--json", "--hist" };

	if (strncmp(argv[0], "-o", 2) == 0)
		return argv[0][2] ? 1 : 2;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const size_t len = strlen(names[i]);

		if (strncmp(argv[0], names[i], len) == 0 && (!argv[0][len] || argv[0][len] == '='))
			return argv[0][len] ? 1 : 2;
	}
	return 0;
}

static int split_arguments(struct job *j, int argc, char **argv)
{
	j->dir = ".";
	j->part = calloc((size_t)argc + 16, sizeof(*j->part));
	j->merge = calloc((size_t)argc + (size_t)j->size + 16, sizeof(*j->merge));
	if (!j->part || !j->merge)
		return -ENOMEM;
	j->part[j->part_len++] = j->merge[j->merge_len++] = j->echoload;
	j->merge[j->merge_len++] = "merge";
	for (int i = 1; i < argc; i++) {
		int words = words_of_report(&argv[i]);

		if (strcmp(argv[i], "--dir") == 0 && argv[i + 1]) {
			j->dir = argv[++i];
		} else if (words == 0) {
			j->part[j->part_len++] = argv[i];
		} else {
			for (; words > 0 && i < argc; words--)
				j->merge[j->merge_len++] = argv[words > 1 ? i++ : i];
		}
	}
	return 0;
}

/* The echoload that lies beside this program. */
static int find_echoload(char path[PATH_MAX])
{
	char own[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (n < 0)
		return -errno;
	own[n] = '\0';
	return snprintf(path, PATH_MAX, "%s/echoload", dirname(own)) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void file_of(const struct job *j, int rank, char name[PATH_MAX])
{
	snprintf(name, PATH_MAX, "%s/part.%d.jsonl", j->dir, rank + 1);
}

/* What an earlier run has left here would be taken for this one's, if a part writes none. Before
 * any part begins: hosts may share the folder. */
static void forget_files(const struct job *j)
{
	char name[PATH_MAX];

	for (int rank = 0; rank < j->size; rank++) {
		file_of(j, rank, name);
		if (j->rank == 0 || j->rank == rank)
			(void)unlink(name);
	}
	snprintf(name, sizeof(name), "%s/done", j->dir);
	if (j->rank == 0)
		(void)unlink(name);
}

/* ---- the part ---- */

/* Starts the echoload of this rank and waits for its end, which signals to us are sent on to. It
 * ends by SIGTERM, with its file written, when this rank is killed. */
static int run_part(struct job *j)
{
	char part[32], start[48], clock[64], file[PATH_MAX];
	const int64_t at_ns = j->start_unix_ns + j->offset_ns;
	const struct process p = { .argv = j->part,
				   .in = PROCESS_SAME,
				   .out = PROCESS_SAME,
				   .err = PROCESS_SAME,
				   .netns = PROCESS_SAME,
				   .keep = PROCESS_SAME,
				   .parent_death_signal = SIGTERM };
	struct sigaction act = { .sa_handler = forward };
	pid_t pid;
	int status;

	snprintf(part, sizeof(part), "--part=%d/%d", j->rank + 1, j->size);
	snprintf(start, sizeof(start), "--start-at=%" PRId64 ".%09" PRId64, at_ns / SEC(1),
		 at_ns % SEC(1));
	snprintf(clock, sizeof(clock), "--clock=%" PRId64 "/%" PRId64, j->offset_ns,
		 j->uncertainty_ns);
	file_of(j, j->rank, file);
	const char *const more[] = { part, start, clock,   "--run-id",   j->run, "--jsonl",
				     file, "-o",  "quiet", "--progress", "never" };

	memcpy(j->part + j->part_len, more, sizeof(more));
	pid = process_start(&p);
	if (pid < 0)
		return pid;
	child = pid;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	child = 0;
	return 0;
}

/* ---- the files ---- */

static char *read_file(const char *name, size_t *size)
{
	FILE *f = fopen(name, "re");
	struct stat st;
	char *text = NULL;

	*size = 0;
	if (f && fstat(fileno(f), &st) == 0)
		text = malloc((size_t)st.st_size + 1);
	if (text)
		*size = fread(text, 1, (size_t)st.st_size, f);
	if (f)
		fclose(f);
	return text;
}

/* Writes what a rank has sent, unless its file is here already: hosts may share the folder. */
static void write_file(const char *name, const char *text, size_t size)
{
	struct stat st;
	FILE *f;

	if (stat(name, &st) == 0 && (size_t)st.st_size == size)
		return;
	f = fopen(name, "we");
	if (!f || fwrite(text, 1, size, f) != size)
		log_error("cannot write %s: %s", name, strerror(errno));
	if (f && fclose(f) != 0)
		log_error("cannot write %s: %s", name, strerror(errno));
}

/* Takes the file of one rank, when it comes. */
static void receive_file(const struct job *j)
{
	char name[PATH_MAX], *text;
	MPI_Status from;
	int there = 0, size = 0;

	while (!there) {
		MPI_Iprobe(MPI_ANY_SOURCE, TAG_FILE, MPI_COMM_WORLD, &there, &from);
		if (!there)
			usleep(POLL_US);
	}
	MPI_Get_count(&from, MPI_BYTE, &size);
	text = malloc((size_t)size + 1);
	if (!text)
		MPI_Abort(MPI_COMM_WORLD, EXIT_ENVIRONMENT);
	MPI_Recv(text, size, MPI_BYTE, from.MPI_SOURCE, TAG_FILE, MPI_COMM_WORLD,
		 MPI_STATUS_IGNORE);
	file_of(j, from.MPI_SOURCE, name);
	if (size > 0)
		write_file(name, text, (size_t)size);
	free(text);
}

static void send_file(const struct job *j)
{
	char name[PATH_MAX], *text;
	MPI_Request sent;
	size_t size;
	int done = 0;

	file_of(j, j->rank, name);
	text = read_file(name, &size);
	MPI_Isend(text, size <= INT_MAX ? (int)size : 0, MPI_BYTE, 0, TAG_FILE, MPI_COMM_WORLD,
		  &sent);
	while (!done) {
		MPI_Test(&sent, &done, MPI_STATUS_IGNORE);
		if (!done)
			usleep(POLL_US);
	}
	free(text);
}

/* ---- the report ---- */

/* Says that the report was printed, to tools/echoload-mpirun. */
static void note_done(const struct job *j, int code)
{
	char name[PATH_MAX], text[16];

	snprintf(name, sizeof(name), "%s/done", j->dir);
	snprintf(text, sizeof(text), "%d\n", code);
	write_file(name, text, strlen(text));
}

/* Merges what is there. Returns the exit code. */
static int merge(struct job *j)
{
	const struct process p = { .argv = j->merge,
				   .in = PROCESS_SAME,
				   .out = PROCESS_SAME,
				   .err = PROCESS_SAME,
				   .netns = PROCESS_SAME,
				   .keep = PROCESS_SAME };
	char name[PATH_MAX];
	int status = 0, code;
	pid_t pid;

	for (int rank = 0; rank < j->size; rank++) {
		file_of(j, rank, name);
		if (access(name, R_OK) == 0)
			j->merge[j->merge_len++] = strdup(name);
	}
	pid = process_start(&p);
	if (pid < 0) {
		log_error("cannot start %s: %s", j->echoload, strerror(-pid));
		return EXIT_ENVIRONMENT;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INCONCLUSIVE;
	note_done(j, code);
	return code;
}

int main(int argc, char **argv)
{
	struct job j = { .uncertainty_ns = 0 };
	int e, code = EXIT_OK;

	program_begin("echoload-mpi");
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &j.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &j.size);
	e = find_echoload(j.echoload);
	if (e == 0)
		e = split_arguments(&j, argc, argv);
	if (e == 0)
		forget_files(&j);
	agree(&j);
	if (e == 0)
		e = run_part(&j);
	if (e < 0)
		log_error("part %d of %d cannot start: %s", j.rank + 1, j.size, strerror(-e));
	if (j.rank > 0)
		send_file(&j);
	for (int i = 1; j.rank == 0 && i < j.size; i++)
		receive_file(&j);
	if (j.rank == 0)
		code = merge(&j);
	MPI_Finalize();
	free(j.part);
	free(j.merge);
	return code;
}
