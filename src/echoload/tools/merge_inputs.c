/* SPDX-License-Identifier: MIT
 * merge_inputs: where a sum comes from: what all results were asked for alike, and each for
 * itself.
 */
#include "echo/base/base.h"
#include "echoload/report/report_private.h"
#include "merge_private.h"

/* Values that all parts have alike. */
json_t *merge_config(const struct merge *m)
{
	json_t *common = json_object(), *first = json_object_get(m->parts[0].root, "config"),
	       *value;
	const char *key;

	json_object_foreach(first, key, value)
	{
		bool alike = true;

		for (unsigned i = 1; i < m->count; i++)
			alike &= json_equal(
				value,
				json_object_get(json_object_get(m->parts[i].root, "config"), key));
		if (alike && json_object_set(common, key, value) < 0) {
			json_decref(common);
			return NULL;
		}
	}
	return common;
}

/* What of the configuration is not that of all. */
static json_t *merge_own_config(const struct merge *m, const json_t *config)
{
	const json_t *common = m->sum.merged_config;
	json_t *own = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)config, key, value)
	{
		if (!json_object_get(common, key))
			(void)json_object_set(own, key, value);
	}
	return own;
}

/* Of many parts of one load what they have alike is said once, and outages are those that each saw
 * for itself. */
static bool merge_source_of_part(const struct merge *m, const struct merge_part *p, json_t *o)
{
	static const char *const keys[] = { "part", "outages" };
	bool ok = report_json_put(o, "config",
				  merge_own_config(m, json_object_get(p->root, "config")));

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		json_t *value = json_object_get(p->root, keys[k]);

		ok &= !value || json_object_set(o, keys[k], value) == 0;
	}
	return ok;
}

/* The configuration and context of each part. */
json_t *merge_inputs(const struct merge *m)
{
	static const char *const keys[] = { "phase", "exit", "config", "context" };
	json_t *a = json_array();
	bool ok = true;

	for (unsigned i = 0; i < m->count; i++) {
		json_t *o = json_object();

		ok &= report_json_put(o, "file", tojson_text(m->parts[i].name));
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			json_t *value = json_object_get(m->parts[i].root, keys[k]);

			ok &= !value || json_object_set(o, keys[k], value) == 0;
		}
		if (m->parts[i].part.count > 0)
			ok &= merge_source_of_part(m, &m->parts[i], o);
		ok &= json_array_append_new(a, o) == 0;
	}
	if (ok)
		return a;
	json_decref(a);
	return NULL;
}
