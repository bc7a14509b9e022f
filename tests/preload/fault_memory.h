/* SPDX-License-Identifier: MIT
 * fault_memory: the part of fault.c that makes allocations fail, whoever asks for them, but for two
 * libraries that do not survive it: nobody can help that.
 */
#ifndef FAULT_MEMORY_H
#define FAULT_MEMORY_H

static _Thread_local bool in_regcomp;

/* Whether the allocation is libseccomp's, which does not survive one that fails while it makes
 * a filter (2.5.4), or in regcomp. */
static bool fault_excused(const void *caller)
{
	Dl_info from;

	if (in_regcomp)
		return true;
	return fault.armed && strcmp(fault.name, "malloc") == 0 && dladdr(caller, &from) != 0 &&
	       from.dli_fname && strstr(from.dli_fname, "libseccomp");
}

/* Allocations are one kind of call, whichever function makes them. */
#define FAULT_MEMORY(type, failed, name, params, args)                                             \
	type name params;                                                                          \
	type name params                                                                           \
	{                                                                                          \
		REAL(name);                                                                        \
		if (!fault_excused(__builtin_return_address(0)) && fault_hits("malloc") > 0)       \
			return failed;                                                             \
		return real args;                                                                  \
	}

FAULT_MEMORY(void *, NULL, malloc, (size_t size), (size))
FAULT_MEMORY(void *, NULL, calloc, (size_t count, size_t size), (count, size))
FAULT_MEMORY(void *, NULL, realloc, (void *old, size_t size), (old, size))
FAULT_MEMORY(void *, NULL, aligned_alloc, (size_t align, size_t size), (align, size))
FAULT_MEMORY(int, ENOMEM, posix_memalign, (void **to, size_t align, size_t size), (to, align, size))

/* As a whole: of an expression with anchors, such as ^hello$, it frees twice when one of its
 * allocations has failed (glibc 2.36). */
int regcomp(regex_t *re, const char *text, int flags)
{
	int r;
	REAL(regcomp);

	if (fault_hits("malloc") > 0)
		return REG_ESPACE;
	in_regcomp = true;
	r = real(re, text, flags);
	in_regcomp = false;
	return r;
}

#endif
