/* SPDX-License-Identifier: MIT
 * step: a step of a drill, from text: [at T|after T] [LABEL:] [fault] VERB ARGUMENTS.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drill.h"
#include "verb.h"
#include "words.h"

static const struct verb *find_verb(const char *name)
{
	for (unsigned i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

/* "must begin with start, type, ... or leak" */
static int unknown_verb(char why[OPT_ERROR_MAX])
{
	size_t len = (size_t)snprintf(why, OPT_ERROR_MAX, "must begin with ");

	for (unsigned i = 0; verbs[i] && len < OPT_ERROR_MAX; i++)
		len += (size_t)snprintf(why + len, OPT_ERROR_MAX - len, "%s%s",
					i == 0         ? ""
					: verbs[i + 1] ? ", "
						       : " or ",
					verbs[i]->name);
	return -EINVAL;
}

/* at T, after T, LABEL:, fault; *text then is at the verb. */
static int step_head(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *before = *text;
	char word[OPT_TEXT_MAX];
	size_t len;

	while (word_next(text, word, sizeof(word)) == 0) {
		len = strlen(word);
		if (strcmp(word, "at") == 0 || strcmp(word, "after") == 0) {
			s->at = word[1] == 't';
			if (word_next(text, word, sizeof(word)) < 0 ||
			    word_time(word, &s->start_ns) < 0)
				return word_refuse(why, "needs a time, such as 500ms");
		} else if (word[len - 1] == ':' && len <= sizeof(s->label)) {
			memcpy(s->label, word, len - 1);
		} else if (strcmp(word, "fault") == 0) {
			s->fault = true;
		} else {
			*text = before;
			return 0;
		}
		before = *text;
	}
	return word_refuse(why, "has no verb");
}

static int step_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct step_list *l = field;
	struct step s = { 0 };
	char word[DRILL_WORD_MAX] = "";
	const char *at = text;
	int r;

	(void)o;
	if (l->count == DRILL_STEPS_MAX)
		return word_refuse(why, "is one step too many");
	r = step_head(&s, &at, why);
	if (r < 0)
		return r;
	snprintf(s.text, sizeof(s.text), "%s", at);
	word_next(&at, word, sizeof(word));
	s.verb = find_verb(word);
	if (!s.verb)
		return unknown_verb(why);
	r = s.verb->parse(&s, &at, why);
	if (r < 0)
		return r;
	if (s.fault && !s.verb->can_be_fault)
		return word_refuse(why, "cannot be the fault: nothing shows that it is active");
	if (at[strspn(at, " ")])
		return word_refuse(why, "goes on after its end");
	for (unsigned i = 0; i < l->count; i++)
		if (s.label[0] && strcmp(l->at[i].label, s.label) == 0)
			return word_refuse(why, "has the label of another step");
	l->at[l->count++] = s;
	return 0;
}

static bool step_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const struct step_list *l = field;
	const struct step *s = nth < l->count ? &l->at[nth] : NULL;

	(void)o;
	if (s)
		snprintf(text, OPT_TEXT_MAX, "%s%.230s", s->fault ? "fault " : "", s->text);
	return s;
}

const struct opt_type step_type = { "STEP", step_parse, step_print };
