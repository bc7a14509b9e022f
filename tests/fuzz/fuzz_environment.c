/* SPDX-License-Identifier: MIT
 * fuzz_environment: what a supervisor says by variables: LISTEN_FDS and its names, NOTIFY_SOCKET,
 * WATCHDOG_USEC. A line each; "self" as a process stands for this one.
 *
 * reads: src/echod/listen/activation.c src/echod/listen/name.c
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/net/sock.h"
#include "echod/listen/activation.h"
#include "echod/listen/name.h"
#include "echod/notify.h"
#include "lib/fuzz.h"

enum {
	FIRST_FD = 3, /* SD_LISTEN_FDS_START */
	PASSED = 4,   /* so many are listeners; the one behind them is none */
};

static int spare[PASSED + 1];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < PASSED; i++) {
		const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		FUZZ_CHECK(fd >= 0 && listen(fd, 1) == 0);
		spare[i] = fcntl(fd, F_DUPFD_CLOEXEC, 64);
		close(fd);
	}
	spare[PASSED] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i <= PASSED; i++)
		FUZZ_CHECK(spare[i] >= 64 && dup2(spare[i], FIRST_FD + i) == FIRST_FD + i);
	return 0;
}

static void set(const char *variable, const char *value)
{
	char self[16];

	snprintf(self, sizeof(self), "%d", (int)getpid());
	if (value && *value)
		setenv(variable, strcmp(value, "self") == 0 ? self : value, 1);
	else
		unsetenv(variable);
}

static void take(void)
{
	static struct activation a;
	char why[ACTIVATION_WHY_MAX] = "", text[ADDR_TEXT_MAX];
	struct addr again;
	const int r = activation_take(&a, why);

	FUZZ_CHECK((r < 0) == (why[0] != '\0') && a.count <= PASSED + 1);
	for (unsigned i = 0; r == 0 && i < a.count; i++) {
		FUZZ_CHECK(name_is(&a.at[i].asked));
		FUZZ_CHECK(name_parse(&again, name_format(&a.at[i].asked, text)) == 0);
		FUZZ_CHECK(addr_equal(&again, &a.at[i].asked) && !name_is(&a.at[i].bound));
	}
	activation_end(&a);
	FUZZ_CHECK(!getenv("LISTEN_FDS") || r == 0);
	for (int i = 0; i <= PASSED; i++)
		FUZZ_CHECK(dup2(spare[i], FIRST_FD + i) == FIRST_FD + i);
}

static void notify(const char *status)
{
	struct notify n;

	notify_init(&n);
	FUZZ_CHECK(n.watchdog_ns >= 0 && (n.fd >= 0 || n.watchdog_ns == 0));
	notify_ready(&n, status);
	notify_reloading(&n);
	notify_stopping(&n, status);
	notify_fini(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const variables[] = { "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES",
						 "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC" };
	struct fuzz_input in = { data, data + len };
	char *text = fuzz_part(&in, NULL), *rest = text;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		set(variables[i], rest ? strsep(&rest, "\n") : NULL);
	take();
	notify(rest ? rest : "");
	free(text);
	return 0;
}
