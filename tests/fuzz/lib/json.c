/* SPDX-License-Identifier: MIT
 * json: a mutator that knows the form of JSON: byte by byte most changes would only show that the
 * library refuses what is none.
 */
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"
#include "fuzz.h"

enum {
	OBJECTS_MAX = 64,
	STRING_MAX = 4096,
	BYTES_ONE_IN = 8, /* so often bytes are changed instead */
};

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);

/* Values that a program may not expect. */
static const char *const strange[] = {
	"null",
	"true",
	"-1",
	"0",
	"1",
	"2",
	"1000000000",
	"2305843009213693951",
	"9223372036854775807",
	"-9223372036854775808",
	"1e300",
	"0.5",
	"\"\"",
	"[]",
	"{}",
	"[[]]",
	"\"a\\u001b[2J\\nb\"",
};

/* NOLINTNEXTLINE(misc-no-recursion): as below. */
static size_t count_values(const json_t *at)
{
	const json_t *value;
	const char *key;
	size_t n = 0, i;

	json_object_foreach((json_t *)(uintptr_t)at, key, value) n += 1 + count_values(value);
	json_array_foreach(at, i, value) n += 1 + count_values(value);
	return n;
}

/* What stands in a container, and where. */
struct place {
	json_t *in, *value;
	const char *key; /* NULL: @in is an array */
	size_t index;
};

/* The value that is @left-th in order of reading. It is as deep as JSON may be here: a few levels.
 * NOLINTNEXTLINE(misc-no-recursion) */
static bool find_nth(json_t *at, size_t *left, struct place *p)
{
	json_t *value;
	const char *key;
	size_t i;

	json_object_foreach(at, key, value)
	{
		if ((*left)-- == 0) {
			*p = (struct place){ at, value, key, 0 };
			return true;
		}
		if (find_nth(value, left, p))
			return true;
	}
	json_array_foreach(at, i, value)
	{
		if ((*left)-- == 0) {
			*p = (struct place){ at, value, NULL, i };
			return true;
		}
		if (find_nth(value, left, p))
			return true;
	}
	return false;
}

static json_t *mutate_text(const char *text)
{
	uint8_t buf[STRING_MAX];
	size_t len = strlen(text);
	json_t *s;

	len = LLVMFuzzerMutate(memcpy(buf, text, len < STRING_MAX ? len : STRING_MAX),
			       len < STRING_MAX ? len : STRING_MAX, sizeof(buf));
	s = json_stringn((const char *)buf, len);
	return s ? s : json_string("?");
}

/* Another value in the place of @value, from @root or from nowhere. */
static json_t *another(const json_t *value, json_t *root, uint64_t *seed)
{
	size_t left = rng_below(seed, count_values(root));
	struct place other;

	switch (rng_below(seed, 4)) {
	case 0:
		if (json_is_string(value))
			return mutate_text(json_string_value(value));
		if (json_is_integer(value))
			return json_integer(json_integer_value(value) ^
					    (1ll << rng_below(seed, 63)));
		break;
	case 1:
		if (find_nth(root, &left, &other))
			return json_deep_copy(other.value);
		break;
	case 2:
		if (json_is_integer(value))
			return json_integer((json_int_t)rng_below(seed, 16));
		break;
	default:
		break;
	}
	return json_loads(strange[rng_below(seed, ARRAY_LEN(strange))], JSON_DECODE_ANY, NULL);
}

static void mutate_place(const struct place *p, json_t *root, uint64_t *seed)
{
	const uint64_t how = rng_below(seed, 8);

	if (p->key && how == 0)
		(void)json_object_del(p->in, p->key);
	else if (p->key)
		(void)json_object_set_new(p->in, p->key, another(p->value, root, seed));
	else if (how == 0)
		(void)json_array_remove(p->in, p->index);
	else if (how < 4)
		(void)json_array_insert_new(p->in, p->index, json_deep_copy(p->value));
	else
		(void)json_array_set_new(p->in, p->index, another(p->value, root, seed));
}

static void mutate_object(json_t *root, uint64_t *seed)
{
	const size_t count = count_values(root);
	struct place p;

	for (uint64_t n = 1 + rng_below(seed, 3); n > 0 && count > 0; n--) {
		size_t left = rng_below(seed, count);

		if (find_nth(root, &left, &p))
			mutate_place(&p, root, seed);
	}
}

/* An input, and the object in it that is changed: bytes @begin to @end. */
struct input {
	char *text;
	size_t len, max;
	size_t begin, end;
};

/* One of the objects that follow one another, chosen at random. NULL: there is none. */
static json_t *choose_object(struct input *in, uint64_t *seed)
{
	json_t *chosen = NULL;
	size_t at = 0;

	for (unsigned n = 1; n <= OBJECTS_MAX; n++) {
		const char *next = at < in->len ? memchr(in->text + at, '{', in->len - at) : NULL;
		json_error_t where;
		json_t *o;

		if (!next)
			break;
		at = (size_t)(next - in->text);
		o = json_loadb(next, in->len - at, JSON_DISABLE_EOF_CHECK, &where);
		if (!o) {
			at++;
			continue;
		}
		if (rng_below(seed, n) == 0) {
			json_decref(chosen);
			chosen = json_incref(o);
			in->begin = at;
			in->end = at + (size_t)where.position;
		}
		json_decref(o);
		at += (size_t)where.position;
	}
	return chosen;
}

/* Writes @o in the place of the object that was chosen. Returns the new length, 0: there is no
 * room. */
static size_t put_object(const struct input *in, const json_t *o)
{
	const size_t others = in->len - (in->end - in->begin),
		     size = json_dumpb(o, NULL, 0, JSON_COMPACT);

	if (size == 0 || size > in->max - others)
		return 0;
	memmove(in->text + in->begin + size, in->text + in->end, in->len - in->end);
	return others + json_dumpb(o, in->text + in->begin, size, JSON_COMPACT);
}

size_t fuzz_mutate_json(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	struct input in = { .text = (char *)data, .len = len, .max = max };
	uint64_t rng = seed;
	size_t changed = 0;
	json_t *root = NULL;

	if (rng_below(&rng, BYTES_ONE_IN) > 0)
		root = choose_object(&in, &rng);
	if (root) {
		mutate_object(root, &rng);
		changed = put_object(&in, root);
		json_decref(root);
	}
	return changed ? changed : LLVMFuzzerMutate(data, len, max);
}
