/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_LOOKUP_H
#define PEFT_BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/*
 * From strings to token ids, for short strings and many look-ups: up to eight
 * bytes a slot holds the string itself, so that one cache line answers;
 * longer ones are told apart by a hash and then by their text.
 */
struct peft_str {
	const char	*s;		/* NULL: there is none */
	uint32_t	 n;
};

struct peft_lookup {
	struct peft_lookup_slot	*slots;
	const struct peft_str	*strs;		/* by id, of the caller */
	unsigned		 shift;
};

struct peft_lookup_slot {
	uint64_t	key;
	uint32_t	len;
	int32_t		id;		/* -1: free */
};

/* Room for n strings, which are strs[id]. */
int	peft_lookup_open(struct peft_lookup *, size_t n,
	    const struct peft_str *strs, struct peft_err *) PEFT_MUSTCHECK;
void	peft_lookup_close(struct peft_lookup *);
/* 1 added, 0 the string was there already (and keeps its id).  key: of the
 * string. */
int	peft_lookup_add(struct peft_lookup *, int32_t id, uint64_t key);

/* Add strs[from .. to), but for empty ones, up to the first that is there
 * already: its number is returned, or to. */
size_t	peft_lookup_add_all(struct peft_lookup *, size_t from, size_t to);

static inline uint64_t
peft_lookup_key(const char *s, size_t n)
{
	uint64_t h = n * 0x9e3779b97f4a7c15u, w;
	uint32_t a, b;

	if (n <= 3)
		return (uint64_t)(unsigned char)s[0] |
		    /* cppcheck-suppress objectIndex -- 0 if n is 1 */
		    (uint64_t)(unsigned char)s[n / 2] << 8 |
		    /* cppcheck-suppress objectIndex */
		    (uint64_t)(unsigned char)s[n - 1] << 16;
	if (n <= 8) {
		memcpy(&a, s, 4);
		memcpy(&b, s + n - 4, 4);
		return a | (uint64_t)b << 32;
	}
	for (; n > 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	memcpy(&w, s + n - 8, 8);	/* overlaps what was taken */
	h = (h ^ w) * 0xff51afd7ed558ccdu;
	return h ^ h >> 29;
}

/* Are two texts of n bytes the same? */
static inline bool
peft_lookup_same(const char *s, const char *t, size_t n)
{
	uint64_t a, b;

	if (n <= 8)
		return n == 0 || peft_lookup_key(s, n) == peft_lookup_key(t, n);
	for (; n > 8; s += 8, t += 8, n -= 8) {
		memcpy(&a, s, 8);
		memcpy(&b, t, 8);
		if (a != b)
			return false;
	}
	memcpy(&a, s + n - 8, 8);	/* overlaps what was compared */
	memcpy(&b, t + n - 8, 8);
	return a == b;
}

/* The slot where the search for a string of n > 0 bytes begins. */
static inline struct peft_lookup_slot *
peft_lookup_place(const struct peft_lookup *l, uint64_t key, size_t n)
{
	return &l->slots[(size_t)((key ^ n) * 0x9e3779b97f4a7c15u >>
	    l->shift)];
}

/* A line of memory comes into the cache.  A function that does only that has
 * no effect to gcc, which drops calls of it: the empty statement is one. */
static inline void
peft_lookup_fetch(const void *p)
{
	__builtin_prefetch(p);
	__asm__ volatile ("" : : "r" (p));
}

/* What will be looked at comes into the cache before it is asked for: the
 * slot of a string of n bytes, and its address; when that is there, what
 * tells long strings apart, and when that is there, their text. */
static inline const struct peft_lookup_slot *
peft_lookup_hint(const struct peft_lookup *l, uint64_t key, size_t n)
{
	const struct peft_lookup_slot *at = n == 0 ? l->slots :
	    peft_lookup_place(l, key, n);

	peft_lookup_fetch(at);
	return at;
}

static inline void
peft_lookup_hint_long(const struct peft_lookup *l,
    const struct peft_lookup_slot *at)
{
	if (at->id >= 0 && at->len > 8)
		peft_lookup_fetch(&l->strs[at->id]);
}

static inline void
peft_lookup_hint_text(const struct peft_lookup *l,
    const struct peft_lookup_slot *at)
{
	if (at->id >= 0 && at->len > 8)
		peft_lookup_fetch(l->strs[at->id].s);
}

/* The slot of s[0..n), whose key is there, or the free one where it would
 * be; n > 0. */
static inline struct peft_lookup_slot *
peft_lookup_slot(const struct peft_lookup *l, uint64_t key, const char *s,
    size_t n)
{
	size_t i = (size_t)(peft_lookup_place(l, key, n) - l->slots);
	size_t mask = (SIZE_MAX >> l->shift);
	struct peft_lookup_slot *at;

	for (;; i = (i + 1) & mask) {
		at = &l->slots[i];
		if (at->id < 0 || (at->key == key && at->len == n && (n <= 8 ||
		    peft_lookup_same(l->strs[at->id].s, s, n))))
			return at;
	}
}

/* Its id, or -1. */
static inline int32_t
peft_lookup_find(const struct peft_lookup *l, const char *s, size_t n)
{
	return n == 0 ? -1 : peft_lookup_slot(l, peft_lookup_key(s, n), s,
	    n)->id;
}

#endif
