/* SPDX-License-Identifier: MIT
 * page_verdict: the exit code and its reason as a sentence for people.
 */
#include <ctype.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echo/base/units.h"
#include "echoload/tools/run_file.h"
#include "page_private.h"

struct reading {
	int64_t code;
	const char *grade, *says;
};

static const struct reading readings[] = {
	{ EXIT_VERDICT, "bad", "Not all went well" },
	{ EXIT_NO_ANSWER, "bad", "The target never answered" },
	{ EXIT_ENVIRONMENT, "unsure", "This machine did not allow it" },
	{ EXIT_INCONCLUSIVE, "unsure", "Inconclusive" },
	{ EXIT_INTERNAL, "bad", "A bug of echoload" },
	{ EXIT_SIGHUP, "unsure", "Interrupted" },
	{ EXIT_SIGINT, "unsure", "Interrupted" },
	{ EXIT_SIGTERM, "unsure", "Interrupted" },
};

static const char *say_good(const json_t *run, char *text, size_t size)
{
	const json_t *messages = json_object_get(run, "messages");
	const int64_t echoed = run_file_number(messages, "echoed", 0);
	const uint64_t lost = (uint64_t)run_file_number(messages, "lost", 0);
	char count[UNITS_MAX], gone[UNITS_MAX];

	if (lost == 0)
		snprintf(text, size, "All went well: %s messages were echoed, and none was lost.",
			 units_count((uint64_t)echoed, count));
	else
		snprintf(text, size,
			 "Within its limits: %s messages were echoed, and %s were lost.",
			 units_count((uint64_t)echoed, count), units_count(lost, gone));
	return "good";
}

const char *page_verdict(const json_t *run, char *text, size_t size)
{
	const json_t *verdict = json_object_get(run, "exit");
	const int64_t code = run_file_number(verdict, "code", -1);
	const char *reason = run_file_text(verdict, "reason");

	if (code == EXIT_OK)
		return say_good(run, text, size);
	for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
		if (readings[i].code != code)
			continue;
		snprintf(text, size, "%s: %s.", readings[i].says, reason);
		return readings[i].grade;
	}
	snprintf(text, size, "The run has not ended: this is what it told until now.");
	return "unsure";
}
