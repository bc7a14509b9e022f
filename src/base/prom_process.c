/* SPDX-License-Identifier: MIT
 * prom_process: what Prometheus' client libraries say of every process, under their names, from
 * files in /proc that are kept open.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/prom.h"

enum { START_FIELD = 22 }; /* of /proc/PID/stat: proc(5) */

/* The seconds from boot to the start of this process; 0: not known. */
static double process_start(void)
{
	FILE *f = fopen("/proc/self/stat", "re");
	char text[1024] = "", *at;

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		(void)fclose(f);
	at = strrchr(text, ')'); /* the second field, a name, may hold anything */
	for (int field = 2; at && field < START_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK) : 0;
}

static double seconds_of(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void prom_process_open(struct prom_process *p)
{
	struct rlimit limit = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	p->open = true;
	p->max_fds = limit.rlim_cur;
	p->start_s = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) + process_start();
	p->fds = opendir("/proc/self/fd");
	p->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

void prom_process_close(struct prom_process *p)
{
	if (p->open && p->fds)
		(void)closedir(p->fds);
	if (p->open && p->statm_fd >= 0)
		close(p->statm_fd);
	*p = (struct prom_process){ 0 };
}

int64_t prom_count_fds(DIR *fds)
{
	const struct dirent *entry;
	struct stat st;
	int64_t n = 0;

	/* their number is the folder's size from Linux 6.2 on; before that it is 0 */
	if (fstat(dirfd(fds), &st) == 0 && st.st_size > 0)
		return st.st_size;
	rewinddir(fds);
	errno = 0;
	while ((entry = readdir(fds)))
		n += entry->d_name[0] != '.';
	return errno == 0 ? n : -1;
}

static void gauge(FILE *to, const char *name, const char *help, double value)
{
	prom_head(to, name, "gauge", help);
	fprintf(to, "%s %.17g\n", name, value);
}

static void process_memory(FILE *to, const struct prom_process *p)
{
	const double page = (double)sysconf(_SC_PAGESIZE);
	char text[64] = "";
	unsigned long long size, resident;

	if (p->statm_fd < 0 || pread(p->statm_fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%llu %llu", &size, &resident) != 2)
		return;
	gauge(to, "process_resident_memory_bytes", "Resident memory.", (double)resident * page);
	gauge(to, "process_virtual_memory_bytes", "Virtual memory.", (double)size * page);
}

void prom_process_print(FILE *to, const struct prom_process *p)
{
	const int64_t fds = p->fds ? prom_count_fds(p->fds) : -1;

	prom_head(to, "process_cpu_seconds_total", "counter",
		  "CPU time of user and system together.");
	fprintf(to, "process_cpu_seconds_total %.9f\n", seconds_of(CLOCK_PROCESS_CPUTIME_ID));
	if (fds >= 0)
		gauge(to, "process_open_fds", "Open descriptors of the main thread's table.",
		      (double)fds);
	gauge(to, "process_max_fds", "Descriptors that it may have open.", (double)p->max_fds);
	process_memory(to, p);
	gauge(to, "process_start_time_seconds", "When it was started, since the epoch.",
	      p->start_s);
}
