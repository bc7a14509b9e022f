/* SPDX-License-Identifier: MIT
 * footprint: reads /proc. A server may be many processes, so that all counts are sums.
 */
#include "footprint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "echodrill/stage/proc.h"

enum { FOOTPRINT_PROCESSES_MAX = 256, PATH_LEN = 64 };

/* What cannot be looked at, in *e. */
static void note_error(int *e)
{
	if (!proc_tells_nothing(errno) && *e == 0)
		*e = -errno;
}

static unsigned count_descriptors(pid_t pid, int *error)
{
	char path[PATH_LEN];
	const struct dirent *e;
	unsigned count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		note_error(error);
	while (d && (e = readdir(d)))
		count += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return count;
}

static uint64_t read_memory(pid_t pid, int *error)
{
	char path[PATH_LEN], line[256];
	uint64_t sum = 0, kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		note_error(error);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "RssShmem: %" SCNu64, &kib) == 1)
			sum += kib << 10;
	if (f)
		fclose(f);
	return sum;
}

/* "iou-wrk-1234" is what io_uring calls a thread that waits in place of the program. */
static bool is_io_worker(pid_t pid, const char *tid, int *error)
{
	char path[PATH_LEN], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", (int)pid, tid);
	f = fopen(path, "re");
	if (!f)
		note_error(error);
	if (f && !fgets(name, sizeof(name), f))
		name[0] = '\0';
	if (f)
		fclose(f);
	return strncmp(name, "iou-wrk-", 8) == 0;
}

static unsigned count_io_workers(pid_t pid, int *error)
{
	char path[PATH_LEN];
	const struct dirent *e;
	unsigned count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		note_error(error);
	while (d && (e = readdir(d)))
		count += e->d_name[0] != '.' && is_io_worker(pid, e->d_name, error);
	if (d)
		closedir(d);
	return count;
}

int footprint_read(pid_t root, struct footprint *h)
{
	pid_t pids[FOOTPRINT_PROCESSES_MAX];
	const int count = proc_tree(root, pids, FOOTPRINT_PROCESSES_MAX);
	const int zombies = proc_zombies(root);
	int e = count < 0 ? count : zombies < 0 ? zombies : 0;

	*h = (struct footprint){ .root = root,
				 .memory = read_memory(root, &e),
				 .zombies = zombies > 0 ? (unsigned)zombies : 0 };
	for (int i = 0; i < count; i++) {
		h->descriptors += count_descriptors(pids[i], &e);
		h->io_workers += count_io_workers(pids[i], &e);
	}
	return e;
}

void footprint_learn(struct footprint *right, const struct footprint *now)
{
	right->root = now->root;
	if (now->descriptors > right->descriptors)
		right->descriptors = now->descriptors;
	if (now->memory > right->memory)
		right->memory = now->memory;
}

bool footprint_compare(struct footprint *right, const struct footprint *now,
		       char why[FOOTPRINT_WHY_MAX])
{
	why[0] = '\0';
	if (right->root != now->root) {
		right->root = now->root;
		right->memory = now->memory;
	}
	if (now->zombies > 0)
		snprintf(why, FOOTPRINT_WHY_MAX, "%u processes were not reaped", now->zombies);
	else if (now->io_workers > 0)
		snprintf(why, FOOTPRINT_WHY_MAX, "%u io worker threads", now->io_workers);
	else if (now->descriptors > right->descriptors)
		snprintf(why, FOOTPRINT_WHY_MAX, "%u descriptors, at first %u", now->descriptors,
			 right->descriptors);
	else if (now->memory > right->memory + FOOTPRINT_MEMORY_SLACK)
		snprintf(why, FOOTPRINT_WHY_MAX,
			 "%" PRIu64 " KiB of memory, at first %" PRIu64 " KiB", now->memory >> 10,
			 right->memory >> 10);
	return why[0] == '\0';
}
