/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PACK_PACK_H
#define PEFT_PACK_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/*
 * Packs: tar archives compressed with zstd whose bytes depend on the names
 * and contents of the files alone, with a manifest of SHA-256 digests as
 * their first member; see peft-pack(5).  Everything is streamed.
 */

/* Files and folders into `out'.  Names in the pack are the last part of each
 * path, and below folders the rest; regular files and folders only. */
int	peft_pack_create(FILE *out, const char *label, char *const *paths,
	    size_t n, struct peft_err *) PEFT_MUSTCHECK;

/* What is done with each member of a pack that is read. */
struct peft_packentry {
	const char	*name;
	size_t		 size;
	const char	*digest;	/* 64 hexadecimal digits */
};

/* Read a pack (path NULL or "-": standard input) to its end and check every
 * digest.  list, if not NULL, is called for each member, once it has proved
 * right.  folder, if not NULL, gets the members: it must not exist, or be
 * empty, and appears whole or not at all.
 *
 * Refused: members that are not regular files or folders; names that are
 * absolute or have "..", or that the manifest does not have; members that
 * are missing, too many, too large for the manifest, or wrong; anything
 * behind the end. */
int	peft_pack_read(const char *path, const char *folder,
	    int (*list)(void *ctx, const struct peft_packentry *,
	    struct peft_err *), void *ctx, struct peft_err *) PEFT_MUSTCHECK;

/* A name that may be in a pack: relative, no empty, "." or ".." parts, no
 * control characters, at most 200 bytes. */
bool	peft_pack_name_ok(const char *);

#endif
