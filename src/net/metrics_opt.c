/* SPDX-License-Identifier: MIT
 * metrics_opt: the rows of [metrics].
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/net/metrics_server.h"
#include "metrics_private.h"

/* A bare port is one of the loopback: to be open to the world is never meant by accident. */
static int listen_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	char local[OPT_TEXT_MAX];
	struct addr a = { 0 };

	(void)o;
	snprintf(local, sizeof(local), "127.0.0.1:%.200s", text);
	if (strcmp(text, "off") != 0 && addr_parse(&a, text) < 0 &&
	    (addr_says_unix(text) || addr_parse(&a, local) < 0)) {
		snprintf(
			why, OPT_ERROR_MAX, "%s",
			addr_port_is_out(text) && !addr_says_unix(text)
				? addr_why_port
				: "must be off, PORT (of 127.0.0.1), ADDR:PORT or unix:PATH, such as "
				  "9907 or [::1]:9907");
		return -EINVAL;
	}
	if (addr_is_unix(&a) && !addr_path(&a)) {
		snprintf(why, OPT_ERROR_MAX, "must be a path: no abstract name");
		return -EINVAL;
	}
	memcpy(field, &a, sizeof(a));
	return 0;
}

static bool listen_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	const struct addr *a = field;
	char at[ADDR_TEXT_MAX];

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", a->len > 0 ? addr_format(a, at) : "off");
	return nth == 0;
}

static const struct opt_type opt_listen = { "WHERE", listen_parse, listen_print };

/* node_exporter reads no other files. */
static int file_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	static const char suffix[] = ".prom";
	const size_t len = strlen(text), end = sizeof(suffix) - 1;

	memset(field, 0, o->size);
	if (strcmp(text, "off") == 0)
		return 0;
	if (len <= end || strcmp(text + len - end, suffix) != 0) {
		snprintf(why, OPT_ERROR_MAX, "must be off or end in %s", suffix);
		return -EINVAL;
	}
	return opt_string.parse(o, text, field, why);
}

static bool file_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const char *path = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", path[0] ? path : "off");
	return nth == 0;
}

static const struct opt_type opt_file = { "PATH", file_parse, file_print };

const struct opt metrics_opts[] = {
	OPT(metrics_options, listen, opt_listen, "off",
	    "serve metrics to Prometheus at GET /metrics of ADDR:PORT, of 127.0.0.1 for a PORT "
	    "alone, or of unix:PATH"),
	OPT(metrics_options, file, opt_file, "off",
	    "write metrics to this file, for node_exporter's textfile collector; it must end in "
	    ".prom"),
	OPT_TIME(metrics_options, interval, "15s", MSEC(100), SEC(3600),
		 "how often that file is written"),
	OPT_END,
};
