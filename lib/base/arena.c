/* SPDX-License-Identifier: Apache-2.0 */
/* One allocation, planned by the code that uses it. */

#include <stdint.h>
#include <sys/mman.h>

#include "base/arena.h"

void *
peft_arena_get(struct peft_arena *a, size_t n, size_t size)
{
	size_t bytes, end, at = a->used;

	if (__builtin_mul_overflow(n, size, &bytes) ||
	    __builtin_add_overflow(bytes, (size_t)PEFT_ALIGN - 1, &bytes) ||
	    __builtin_add_overflow(at, bytes & ~(size_t)(PEFT_ALIGN - 1), &end))
		end = SIZE_MAX & ~(size_t)(PEFT_ALIGN - 1);
	a->used = end;
	if (end > a->peak)
		a->peak = end;
	return a->base == NULL || end > a->size ? NULL : a->base + at;
}

size_t
peft_arena_mark(const struct peft_arena *a)
{
	return a->used;
}

void
peft_arena_release(struct peft_arena *a, size_t mark)
{
	a->used = mark;
}

/* mmap rather than malloc: zeroed, and a page costs nothing until touched.
 * In large ones rows far apart are few pages, whose addresses the processor
 * finds without a walk through tables; where the system has none this is no
 * error. */
int
peft_arena_reserve(struct peft_arena *a, struct peft_err *err)
{
	void *p;

	p = mmap(NULL, a->peak == 0 ? 1 : a->peak, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return peft_seterrno(err, "no memory for %zu bytes of "
		    "workspace", a->peak);
	a->base = p;
	a->size = a->peak == 0 ? 1 : a->peak;
	a->used = a->peak = 0;
	(void)madvise(a->base, a->size, MADV_HUGEPAGE);
	return 0;
}

void
peft_arena_free(struct peft_arena *a)
{
	if (a->base != NULL)
		munmap(a->base, a->size);
	*a = (struct peft_arena){ 0 };
}
