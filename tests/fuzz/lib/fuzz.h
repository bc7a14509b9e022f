/* SPDX-License-Identifier: MIT
 * fuzz: what the fuzzers share. A fuzzer is a file tests/fuzz/fuzz_NAME.c, whose header comment
 * tells tests/fuzz/run what to measure:
 *
 *     reads: files of the parser, of which it has to reach 80 % of the lines; FILE:FUNCTION,...
 * where only those of a file are seeds: inputs beside those of tests/fuzz/corpus/NAME, as a pattern
 * of the shell words: files whose words in quotes go into the dictionary, beside those of the
 * parser
 */
#ifndef ECHO_TESTS_FUZZ_H
#define ECHO_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct opt_set;

/* libFuzzer's; every fuzzer has the first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed);

/* assert() says its text on standard error, which is closed while fuzzers run: their stack tells.
 */
#define FUZZ_CHECK(holds)                                                                          \
	do {                                                                                       \
		if (!(holds))                                                                      \
			abort();                                                                   \
	} while (0)

/* The bytes that are left of an input. */
struct fuzz_input {
	const uint8_t *at, *end;
};

/* The next of the parts that lines of "===" stand between, as text of its own with a 0 behind it,
 * to be freed; "" when there is none. *len, if it is wanted: how long it is, since there may be
 * zeroes in it. */
char *fuzz_part(struct fuzz_input *in, size_t *len);

/* The next byte; 0 when there is none. */
uint8_t fuzz_byte(struct fuzz_input *in);

enum { FUZZ_NAME_MAX = 32 };

/* A file in memory with these bytes, and a name by which it can be opened. Returns its descriptor,
 * which is the caller's. */
int fuzz_file(const void *data, size_t len, char name[FUZZ_NAME_MAX]);

/* How many descriptors are open, of those below 512: more after an input than before it is a leak.
 */
unsigned fuzz_open_files(void);

/* For LLVMFuzzerInitialize of a fuzzer of options: with the argument -words it prints the keys,
 * sections and names of @s as a dictionary, and exits. */
void fuzz_words(int argc, char *const *argv, const struct opt_set *s);

/* For fuzzers of parsers that look up names: isolated.c takes the place of the resolver, and of
 * what makes the kernel load modules. */
void fuzz_isolate(void);

/* Reads a text as a configuration file over what @s has. Returns as opt_read_file. */
int fuzz_read_file(struct opt_set *s, const char *text, size_t len);

/* --print-config of @s, read into @again, another set of the same rows: has the same values. */
void fuzz_print_back(const struct opt_set *s, struct opt_set *again);

/* A mutator for JSON: changes a value, a key or an element of one of the objects that follow one
 * another in @data; now and then, and where there is none, bytes as libFuzzer does. Returns the new
 * length. */
size_t fuzz_mutate_json(uint8_t *data, size_t len, size_t max, unsigned seed);

#endif
