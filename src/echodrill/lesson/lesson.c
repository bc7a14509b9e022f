/* SPDX-License-Identifier: MIT
 * lesson: the table. A new lesson is a row here, its drills, and its page in docs/lesson.
 */
#include "lesson.h"

const struct lesson lessons[LESSON_COUNT] = {
	{ "the server's process is killed",
	  .client = { "client-killed-idle", "client-killed-typing" },
	  .server = { "server-clients-leave", "server-restarted" } },
	{ "the host crashes",
	  .client = { "client-crashed-asked", "client-crashed-idle", "client-outage" },
	  .server = { "server-crashed-idle", "server-crashed-owed", "server-outage" } },
	{ "the host crashes and reboots",
	  .client = { "client-rebooted-asked", "client-rebooted-idle" },
	  .server = { "server-rebooted-idle", "server-rebooted-owed" } },
	{ "the host is shut down", .client = { "client-shutdown", "client-end-of-input" },
	  .server = { "server-shutdown", "server-shutdown-idle" } },
};

const struct lesson *lesson_find(const char *number)
{
	const char digit = number[0];

	if (digit < '1' || digit >= '1' + LESSON_COUNT || number[1] != '\0')
		return NULL;
	return &lessons[digit - '1'];
}
