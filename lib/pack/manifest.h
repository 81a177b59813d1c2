/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PACK_MANIFEST_H
#define PEFT_PACK_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/hash.h"

/* The list of a pack's members: {"peft.pack":1,"files":[{"name","size",
 * "sha256"}, ...]}, sorted by name. */
#define PEFT_MANIFEST	"MANIFEST.json"

struct peft_member {
	char	*name, *path;		/* path: where it is read (writing) */
	size_t	 size;
	char	 digest[PEFT_SHA256_HEX];
	bool	 seen;			/* reading */
};

struct peft_manifest {
	struct peft_member	*at;
	size_t			 n, cap;
};

int	peft_manifest_add(struct peft_manifest *, const char *name,
	    const char *path, size_t size, const char *digest,
	    struct peft_err *) PEFT_MUSTCHECK;
/* By name; the same name twice is an error, and so is a file that another's
 * name calls a folder. */
int	peft_manifest_sort(struct peft_manifest *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* In a sorted one; NULL if there is none of that name. */
struct peft_member *peft_manifest_find(const struct peft_manifest *,
	    const char *name);
void	peft_manifest_print(struct peft_buf *, const struct peft_manifest *);
int	peft_manifest_parse(struct peft_manifest *, const char *, size_t,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_manifest_free(struct peft_manifest *);

#endif
