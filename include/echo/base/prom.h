/* SPDX-License-Identifier: MIT
 * prom: Prometheus' text exposition format, version 0.0.4, and the metrics that its client
 * libraries give of every process.
 */
#ifndef ECHO_PROM_H
#define ECHO_PROM_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the format is called in HTTP. */
extern const char prom_content_type[];

/* The lines before a metric's samples. */
void prom_head(FILE *to, const char *name, const char *type, const char *help);

/* Writes @text as it may stand between the quotes of a label, cut off where @to is full. Returns
 * @to. */
char *prom_label(const char *text, char *to, size_t size);

/* A classic histogram: of each bound alone, and behind the last those that are above it. */
struct prom_hist {
	const char *labels; /* 'worker="0"', or "" */
	const double *bounds;
	const uint64_t *counts; /* count + 1 of them */
	unsigned count;
	double sum;
};

/* Its samples; prom_head comes before, once for all of a name. */
void prom_hist(FILE *to, const char *name, const struct prom_hist *h);

/* Entries of a folder of descriptors in /proc, without its own; -1: it cannot be read. */
int64_t prom_count_fds(DIR *fds);

/* What is known of this process. It is opened once and read again and again: where opening files is
 * forbidden later it still works. */
struct prom_process {
	bool open;
	DIR *fds; /* of the main thread; NULL: there is no /proc */
	int statm_fd;
	double start_s; /* since the epoch */
	uint64_t max_fds;
};

void prom_process_open(struct prom_process *p); /* zeroes before */
void prom_process_print(FILE *to, const struct prom_process *p);
void prom_process_close(struct prom_process *p); /* if it is open */

#endif
