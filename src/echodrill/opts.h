/* SPDX-License-Identifier: MIT
 * opts: the options of echodrill.
 */
#ifndef ECHODRILL_OPTS_H
#define ECHODRILL_OPTS_H

#include "echo/base/program.h"

enum timeline_mode { TIMELINE_AUTO, TIMELINE_ALWAYS, TIMELINE_NEVER };

struct drill_config {
	struct program_options program;
	unsigned jobs;
	unsigned output;   /* index of REPORT_FORMATS */
	unsigned timeline; /* enum timeline_mode */
	unsigned progress; /* enum progress_mode */
	unsigned group;    /* what `run` without names runs; see opts.c */
	char json[OPT_TEXT_MAX], pcap[OPT_TEXT_MAX], drills[OPT_TEXT_MAX];
	char svg[OPT_TEXT_MAX], html[OPT_TEXT_MAX];
	char server[OPT_TEXT_MAX], client[OPT_TEXT_MAX];
	char programs[OPT_TEXT_MAX], programs_dir[OPT_TEXT_MAX], request[OPT_TEXT_MAX];
	char server_backend[32], client_backend[32];
	bool all, without_fault, negate;
	/* chaos */
	uint64_t seed;           /* 0: chosen by the clock */
	unsigned faults;         /* of a round */
	unsigned minutes, round; /* of all rounds; of the seed, 0: one after another */
	bool print_drill;
	int64_t until_ns; /* no drill is begun after that; 0: all are */
	bool probe;       /* the command: a client that never notices a fault has failed */
	/* explain */
	int64_t user_timeout, answer_timeout;
	bool icmp_errors;
	unsigned keepalive_idle, keepalive_interval, keepalive_count;
};

extern const struct opt drill_opts[];
/* What --help and the manual say after the options. Static text. */
const char *drill_after(void);

#endif
