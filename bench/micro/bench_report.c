/* SPDX-License-Identifier: MIT
 * bench_report: writes results as a table for people and as Google Benchmark's JSON, whose keys
 * (version 1.7's) are what compare.py reads: name, run_type, aggregate_name, real_time, cpu_time,
 * time_unit.
 */
#include "bench_private.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void bench_rows_add(struct bench_rows *all, const struct bench_row *row)
{
	if (all->count == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		all->rows = realloc(all->rows, all->room * sizeof(*all->rows));
		assert(all->rows);
	}
	all->rows[all->count++] = *row;
}

static void row_name(char *name, size_t size, const struct bench_row *row)
{
	snprintf(name, size, "%s%s%s", row->run_name, row->aggregate ? "_" : "",
		 row->aggregate ? row->aggregate : "");
}

static bool is_cv(const struct bench_row *row)
{
	return row->aggregate && strcmp(row->aggregate, "cv") == 0;
}

/* Three digits that mean something, then the unit. */
static void print_time(FILE *f, const struct bench_row *row, double ns)
{
	double value = is_cv(row) ? ns * 100 : ns;
	int digits = value < 10 ? 2 : value < 100 ? 1 : 0;

	fprintf(f, " %10.*f %s", value < 1 ? 3 : digits, value, is_cv(row) ? "% " : "ns");
}

void bench_console_head(FILE *f, int name_width)
{
	fprintf(f, "%-*s %13s %13s %11s\n", name_width, "Benchmark", "Time", "CPU", "Iterations");
}

/* "items/s=3.53M": the table's short form of a rate or counter. */
static void metric_text(char *text, size_t size, const struct bench_row *row,
			const struct bench_metric *m)
{
	static const char units[] = " kMGTPE";
	const char *name = strcmp(m->name, "items_per_second") == 0   ? "items/s"
			   : strcmp(m->name, "bytes_per_second") == 0 ? "bytes/s"
								      : m->name;
	double value = m->value;
	int unit = 0;

	if (is_cv(row)) {
		snprintf(text, size, "%s=%.2f%%", name, value * 100);
		return;
	}
	for (; fabs(value) >= 1000 && units[unit + 1]; unit++)
		value /= 1000;
	snprintf(text, size, unit ? "%s=%.4g%c" : "%s=%.4g", name, value, units[unit]);
}

void bench_console_row(FILE *f, int name_width, const struct bench_row *row)
{
	char text[BENCH_NAME_LEN + 16];
	int column = name_width + 40;

	row_name(text, sizeof(text), row);
	fprintf(f, "%-*s", name_width, text);
	if (row->skipped) {
		fprintf(f, " skipped: %s\n", row->skipped);
		return;
	}
	print_time(f, row, row->real_ns);
	print_time(f, row, row->cpu_ns);
	fprintf(f, " %11llu", (unsigned long long)row->iterations);
	for (unsigned i = 0; i < row->metric_count; i++) {
		int len;

		metric_text(text, sizeof(text), row, &row->metrics[i]);
		len = (int)strlen(text) + 1;
		if (column + len > 80) {
			fprintf(f, "\n   ");
			column = 3;
		}
		column += len;
		fprintf(f, " %s", text);
	}
	fprintf(f, "\n");
	fflush(f);
}

/* The first word of a small file, or "" when there is none. */
static void read_word(char *word, size_t size, const char *path)
{
	FILE *f = fopen(path, "re");

	word[0] = '\0';
	if (f && fgets(word, (int)size, f))
		word[strcspn(word, " \n")] = '\0';
	if (f)
		fclose(f);
}

/* The processor's frequency: the highest it can have, else what /proc/cpuinfo says. */
static int mhz_per_cpu(void)
{
	char line[256];
	double mhz = 0;
	FILE *f;

	read_word(line, sizeof(line), "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
	if (line[0])
		return (int)(strtol(line, NULL, 10) / 1000);
	f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "cpu MHz : %lf", &mhz) != 1)
		;
	if (f)
		fclose(f);
	return (int)lround(mhz);
}

/* Whether some processor changes its frequency as it likes. */
static bool cpu_scaling(long cpus)
{
	for (long i = 0; i < cpus; i++) {
		char path[96], governor[32];

		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%ld/cpufreq/scaling_governor", i);
		read_word(governor, sizeof(governor), path);
		if (governor[0] && strcmp(governor, "performance") != 0)
			return true;
	}
	return false;
}

/* How many processors a list like 0-3,8 names. */
static int count_list(const char *list)
{
	int count = 0;

	while (*list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			break;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		count += (int)(last - first) + 1;
		list = *end == ',' ? end + 1 : end;
	}
	return count;
}

static json_t *caches(void)
{
	json_t *all = json_array();

	for (int i = 0; i < 16; i++) {
		static const char *const files[] = { "type", "level", "size", "shared_cpu_list" };
		char words[4][256], path[96];

		for (int k = 0; k < 4; k++) {
			snprintf(path, sizeof(path),
				 "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, files[k]);
			read_word(words[k], sizeof(words[k]), path);
		}
		if (!words[0][0])
			break;
		/* size is in KiB: "48K" */
		json_array_append_new(all,
				      json_pack("{s:s, s:i, s:I, s:i}", "type", words[0], "level",
						(int)strtol(words[1], NULL, 10), "size",
						(json_int_t)strtol(words[2], NULL, 10) * 1024,
						"num_sharing", count_list(words[3])));
	}
	return all;
}

static json_t *context(const char *executable)
{
#ifdef __OPTIMIZE__
	const char *build = "release"; /* asserts stay in: NDEBUG says nothing here */
#else
	const char *build = "debug";
#endif
	char date[40], host[256] = "";
	double load[3] = { 0, 0, 0 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	time_t now = time(NULL);
	struct tm tm;
	size_t len =
		strftime(date, sizeof(date) - 1, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &tm));

	/* ISO 8601 wants +00:00 where strftime writes +0000 */
	memmove(date + len - 1, date + len - 2, 3);
	date[len - 2] = ':';
	gethostname(host, sizeof(host) - 1);
	(void)!getloadavg(load, 3);
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:o, s:[f, f, f], s:s}", "date", date,
			 "host_name", host, "executable", executable, "num_cpus", (int)cpus,
			 "mhz_per_cpu", mhz_per_cpu(), "cpu_scaling_enabled", cpu_scaling(cpus),
			 "caches", caches(), "load_avg", load[0], load[1], load[2],
			 "library_build_type", build);
}

static json_t *json_row(const struct bench_row *row)
{
	char name[BENCH_NAME_LEN + 16];
	json_t *o;

	row_name(name, sizeof(name), row);
	o = json_pack("{s:s, s:i, s:i, s:s, s:s, s:i, s:i}", "name", name, "family_index",
		      (int)row->family, "per_family_instance_index", (int)row->instance, "run_name",
		      row->run_name, "run_type", row->aggregate ? "aggregate" : "iteration",
		      "repetitions", (int)row->repetitions, "threads", 1);
	if (row->aggregate) {
		json_object_set_new(o, "aggregate_name", json_string(row->aggregate));
		json_object_set_new(o, "aggregate_unit",
				    json_string(is_cv(row) ? "percentage" : "time"));
	} else {
		json_object_set_new(o, "repetition_index", json_integer(row->repetition));
	}
	if (row->skipped) {
		json_object_set_new(o, "error_occurred", json_true());
		json_object_set_new(o, "error_message", json_string(row->skipped));
	}
	json_object_set_new(o, "iterations", json_integer((json_int_t)row->iterations));
	json_object_set_new(o, "real_time", json_real(row->real_ns));
	json_object_set_new(o, "cpu_time", json_real(row->cpu_ns));
	json_object_set_new(o, "time_unit", json_string("ns"));
	for (unsigned i = 0; i < row->metric_count; i++)
		json_object_set_new(o, row->metrics[i].name, json_real(row->metrics[i].value));
	return o;
}

int bench_json(FILE *f, const char *executable, const struct bench_rows *all)
{
	json_t *rows = json_array();
	json_t *json = json_pack("{s:o, s:o}", "context", context(executable), "benchmarks", rows);
	int r;

	for (size_t i = 0; i < all->count; i++)
		json_array_append_new(rows, json_row(&all->rows[i]));
	r = json_dumpf(json, f, JSON_INDENT(2));
	json_decref(json);
	fputc('\n', f);
	return r < 0 || ferror(f) ? -EIO : 0;
}
