/* SPDX-License-Identifier: MIT
 * fuzz: see fuzz.h.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/opt.h"

enum { FILES_SEEN = 512 };

char *fuzz_part(struct fuzz_input *in, size_t *len)
{
	static const char between[] = "===\n";
	const size_t left = (size_t)(in->end - in->at);
	const uint8_t *cut = left ? memmem(in->at, left, between, sizeof(between) - 1) : NULL;
	const size_t size = cut ? (size_t)(cut - in->at) : left;
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, in->at, size);
	text[size] = '\0';
	in->at = cut ? cut + sizeof(between) - 1 : in->end;
	if (len)
		*len = size;
	return text;
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

int fuzz_file(const void *data, size_t len, char name[FUZZ_NAME_MAX])
{
	const int fd = memfd_create("input", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && (len == 0 || pwrite(fd, data, len, 0) == (ssize_t)len));
	snprintf(name, FUZZ_NAME_MAX, "/proc/self/fd/%d", fd);
	return fd;
}

unsigned fuzz_open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < FILES_SEEN; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A word of a dictionary (libFuzzer's -dict). */
static void print_word(const char *before, const char *word, const char *after)
{
	printf("\"%s", before);
	for (; *word; word++)
		printf(strchr("\"\\", *word) ? "\\%c" : "%c", *word);
	printf("%s\"\n", after);
}

static void print_section(const struct opt_section *section)
{
	print_word("[", section->name, "]\\x0a");
	for (const struct opt *o = section->rows; o->key; o++) {
		print_word("\\x0a", o->key, " = ");
		print_word("--", o->key, "=");
		if (o->group)
			print_word("[", o->group, "]\\x0a");
		if (o->fallback && o->fallback[0])
			print_word("", o->fallback, "");
		for (size_t i = 0; o->names && o->names[i]; i++)
			print_word("", o->names[i], "");
	}
}

void fuzz_words(int argc, char *const *argv, const struct opt_set *s)
{
	if (argc < 2 || strcmp(argv[1], "-words") != 0)
		return;
	for (unsigned i = 0; i < s->count; i++)
		print_section(&s->sections[i]);
	exit(0);
}
