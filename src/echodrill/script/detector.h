/* SPDX-License-Identifier: MIT
 * detector: what a client has to notice a failure. A drill with a section [means] is run once with
 * each that it names, and says when the client must know:
 *
 *     none = never
 *     user = 1.4s..2s timeout_tcp
 */
#ifndef ECHODRILL_DETECTOR_H
#define ECHODRILL_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/base/opt.h"

enum detector_id {
	DETECTOR_NONE,
	DETECTOR_LIMIT,
	DETECTOR_USER,
	DETECTOR_KEEPALIVE,
	DETECTOR_ICMP,
	DETECTOR_COUNT
};

struct detector {
	const char *name;
	const char *options; /* words for the client's command line */
};

extern const struct detector detectors[DETECTOR_COUNT];

/* When the client must know, as `knew` counts it (judge.h). */
struct detector_notice {
	bool set, never;
	int64_t low, high;
	char cause[32];
	char text[64];
};

extern const struct opt_type detector_notice_type;

#endif
