/* SPDX-License-Identifier: MIT
 * bare_gate: the gate of a bare client: another program says when it sends, and for how long.
 */
#ifndef BENCH_BARE_GATE_H
#define BENCH_BARE_GATE_H

#include "bare.h"

/* Says through the gate what a slice brought: src/echoload/engine/gate.h has what is said there. */
static inline void bare_gate_answer(int gate, uint64_t messages, int64_t ns)
{
	dprintf(gate, "%llu %lld\n", (unsigned long long)messages, (long long)ns);
}

/* Waits for a command, in nanoseconds. Returns false at the end of file. */
static inline bool bare_gate_wait(int gate, int64_t *ns)
{
	char line[32];
	ssize_t n = read(gate, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	*ns = strtoll(line, NULL, 10);
	if (*ns <= 0 || line[n - 1] != '\n')
		bare_usage("--gate: '%s' is not a time in nanoseconds", line);
	return true;
}

#endif
