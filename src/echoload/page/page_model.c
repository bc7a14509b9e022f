/* SPDX-License-Identifier: MIT
 * page_model: a run as the page needs it: its result without what only programs read, and beside
 * it what charts are drawn from.
 */
#include "page_private.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echoload/report/report_private.h"
#include "echoload/tools/run_file.h"

enum { SENTENCE_MAX = 512 };

/* The result but for its bulk. */
static json_t *model_result(json_t *run)
{
	static const char *const bulk[] = { "intervals", "histograms" };
	json_t *result = json_copy(run); /* shares what is in it */

	for (size_t i = 0; i < ARRAY_LEN(bulk); i++)
		(void)json_object_del(result, bulk[i]); /* it need not be there */
	return result;
}

static json_t *model_curves(const json_t *run)
{
	static const char *const names[] = { "latency_ns", "latency_uncorrected_ns",
					     "latency_outside_outage_ns" };
	const json_t *histograms = json_object_get(run, "histograms");
	json_t *curves = json_object();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *hdr = run_file_text(histograms, names[i]);
		const json_t *latency = json_object_get(run, names[i]);
		const int64_t max_ns = run_file_number(latency, "max", INT64_MAX);

		if (report_json_put(curves, names[i], page_curve(hdr, max_ns)))
			continue;
		json_decref(curves);
		return NULL;
	}
	return curves;
}

static bool put_verdict(json_t *model, const json_t *run)
{
	char sentence[SENTENCE_MAX];
	const char *grade = page_verdict(run, sentence, sizeof(sentence));

	return report_json_put(model, "verdict", tojson_text(sentence)) &&
	       report_json_put(model, "grade", json_string(grade));
}

int page_model(json_t *run, const char *label, json_t **model)
{
	const json_t *intervals = json_object_get(run, "intervals");
	json_t *m = json_object(), *heat = NULL;
	int e = page_heat(intervals, &heat);

	if (e == 0 && !(report_json_put(m, "label", tojson_text(label)) && put_verdict(m, run) &&
			report_json_put(m, "result", model_result(run)) &&
			report_json_put(m, "columns", page_columns(intervals)) &&
			report_json_put(m, "curves", model_curves(run)) &&
			report_json_put(m, "heat", json_incref(heat)))) {
		e = -ENOMEM;
		log_error("%s", strerror(ENOMEM));
	}
	json_decref(heat);
	if (e == 0)
		*model = m;
	else
		json_decref(m);
	return e;
}
