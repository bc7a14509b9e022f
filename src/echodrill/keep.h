/* SPDX-License-Identifier: MIT
 * keep: files that a run of drills leaves behind: captures and pictures. Each has its name only
 * when it is whole. Returns of all: 0, or -errno, said.
 */
#ifndef ECHODRILL_KEEP_H
#define ECHODRILL_KEEP_H

struct drill_config;
struct result;
struct summary;

/* Both captures of a drill, in --pcap. */
int keep_pcap(const struct drill_config *c, const struct result *r);

/* The picture of a drill: --svg, and in --html. */
int keep_picture(const struct drill_config *c, const struct result *r);

/* The page of all of them, in --html. */
int keep_index(const struct drill_config *c, const struct summary *at, unsigned count);

/* Whether these options can be satisfied, before anything is run. Returns an exit code, said. */
int keep_check(const struct drill_config *c, unsigned count);

#endif
